"""Ignore comments: how they are read, what they cover, and when they count as unused."""

from __future__ import annotations

import sys
import tokenize
from pathlib import Path

import pytest

from command import make, run
from dbos_asyncify import source
from dbos_asyncify.findings import Finding, Safety
from dbos_asyncify.pipeline import Options, analyse, rewrite_text
from dbos_asyncify.pragmas import comments, pragmas_in
from dbos_asyncify.source import Span
from dbos_asyncify.suppress import Suppressions

KNOWN = {"DBA101": "sync-dbos-call", "DBA104": "blocking-step"}
CODES = {spelling.lower(): code for code, name in KNOWN.items() for spelling in (code, name)}

HEAD = "from dbos import DBOS\n\n\nasync def warn(order: str) -> None:\n"
CALL = 'DBOS.send(order, "late")'


def findings(text: str, options: Options | None = None, others: dict[str, str] | None = None) -> list[Finding]:
    """Those of a module, and of others beside it."""
    files = {"app.py": text, **(others or {})}
    sources = [source.from_bytes(Path("/project") / name, text.encode()) for name, text in files.items()]
    paths = [each.path for each in sources]
    return list(analyse(sources, paths, Path("/project"), options or Options()).findings)


def codes(text: str, options: Options | None = None, others: dict[str, str] | None = None) -> list[str]:
    return [finding.code for finding in findings(text, options, others)]


class TestPragmas:
    @pytest.mark.parametrize(
        ("comment", "wanted"),
        [
            ("# asyncify: ignore[DBA101]", ["DBA101"]),
            ("#asyncify:ignore[DBA101,DBA104]", ["DBA101", "DBA104"]),
            ("#  ASYNCIFY :  Ignore  [ dba101 ;DBA104 ]", ["DBA101", ""]),
            ("# asyncify: ignore[DBA101 DBA104,]", ["DBA101", "DBA104"]),
            ("# asyncify: ignore[Sync-Dbos-Call]", ["DBA101"]),
            ("# asyncify: ignore[sync_dbos_call]", [""]),
            ("# asyncify: ignore[DBA1]", [""]),
            ("# slow # asyncify: ignore[DBA101] # asyncify: ignore[DBA104]", ["DBA101", "DBA104"]),
            ("# type: ignore[misc]# asyncify: ignore[DBA101]", ["DBA101"]),
            ("# asyncify: ignore", []),
            ("# asyncify: ignore[]", []),
            ("# asyncify: ignore [ , ]", []),
            ("# noqa: DBA101", ["DBA101"]),
            ("#NoQA:dba101", ["DBA101"]),
            ("# noqa : E501 , DBA101 DBA999", ["", "DBA101", ""]),
            ("# noqa: E501, DBA101: reason", ["", "DBA101"]),
        ],
    )
    def test_rules_that_it_names(self, comment: str, wanted: list[str]) -> None:
        assert [named.code for pragma in pragmas_in(comment, CODES) for named in pragma.named] == wanted
        assert list(pragmas_in(comment, CODES))

    @pytest.mark.parametrize(
        "comment",
        [
            "# asyncify: ignored[DBA101]",
            "# asyncify: ignore-next[DBA101]",
            "# asyncify ignore[DBA101]",
            "# asyncify: file_ignore[DBA101]",
            "# dbos-asyncify: ignore[DBA101]",
            "# see asyncify: ignore[DBA101]",
            "# see `# asyncify: ignore[DBA101]`",
            "# noqa",
            "# noqa DBA101",
            "# noqa: E501",
            "# noqa: DBA1011",
            "# ruff: noqa: DBA101",
        ],
    )
    def test_what_is_none(self, comment: str) -> None:
        assert not list(pragmas_in(comment, CODES))

    @pytest.mark.parametrize(
        ("comment", "doubtful", "broken"),
        [
            ("# asyncify: ignore[DBA101]", False, False),
            ("# asyncify: ignore[DBA999]", False, False),
            ("# asyncify: ignore[DBA101, E501]", True, False),
            ("# asyncify: ignore because of DBA101", True, False),
            ("# asyncify: ignore: it is slow", True, False),
            ("# asyncify: ignore: DBA101", True, True),
            ("# asyncify: ignore=DBA101", True, True),
            ("# asyncify: ignore DBA101", True, True),
            ("# asyncify: ignore(DBA101)", True, True),
            ("# asyncify: ignore[DBA101", True, True),
            ("# asyncify: ignore[DBA101 # asyncify: ignore[DBA104]", True, True),
            ("# noqa: E501, DBA101, DBA999", False, False),
        ],
    )
    def test_what_is_not_honoured(self, comment: str, doubtful: bool, broken: bool) -> None:
        pragma = next(pragmas_in(comment, CODES))
        assert (pragma.doubtful, pragma.broken) == (doubtful, broken)

    @pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
    def test_places(self, newline: str) -> None:
        text = "\tx = 'ä€𝄞'  # é # noqa: DBA101 \n(  # noqa: DBA101\n    # noqa: DBA104\n)\n# noqa: DBA104"
        src = source.from_bytes(Path("a.py"), f"if 1:\n{text}".replace("\n", newline).encode())
        found = list(comments(src, KNOWN))
        assert [comment.span for comment in found] == [(2, 12, 2, 31), (3, 3, 3, 17), (4, 4, 4, 18), (6, 0, 6, 14)]
        assert [comment.alone for comment in found] == [False, False, False, True]
        for comment in found:
            assert src.lines[comment.span.line - 1][comment.span.column : comment.span.end_column] == comment.text

    def test_files_without_any_are_not_tokenized(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*args: object) -> None:
            raise AssertionError("tokenized")

        monkeypatch.setattr(tokenize, "generate_tokens", refuse)
        plain = b"x = 1  # noqa: E501\ny = 'asyncify: ignore'  # asyncify makes it quick\n"
        assert not list(comments(source.from_bytes(Path("a.py"), plain), KNOWN))
        with pytest.raises(AssertionError, match="tokenized"):
            list(comments(source.from_bytes(Path("a.py"), b"x = 1  # asyncify: ignore\n"), KNOWN))


class TestCovers:
    TEXT = "def f():  # asyncify: ignore[DBA101, blocking-step]\n    g()\n\n\nh()\n"

    def test_a_comment_that_answers_is_of_use(self) -> None:
        src = source.from_bytes(Path("a.py"), self.TEXT.encode())
        suppressions = Suppressions.of([(src, source.parse(src))], KNOWN)
        (ignore,) = suppressions.ignores[src.path]
        first, second = ignore.pragma.named
        assert not suppressions.covers(src.path, Span(5, 0, 5, 3), "DBA101")
        assert not suppressions.covers(Path("b.py"), Span(2, 4, 2, 7), "DBA101")
        assert not suppressions.covers(src.path, Span(2, 4, 2, 7), "DBA107")
        assert ignore.used == set()
        assert suppressions.covers(src.path, Span(2, 4, 2, 7), "DBA104")
        assert ignore.used == {second}
        assert suppressions.covers(src.path, Span(2, 4, 2, 7), "DBA101")
        assert ignore.used == {first, second}

    def test_all_comments_that_cover_a_place_are_of_use(self) -> None:
        text = HEAD.replace("None:", "None:  # noqa: DBA101") + f"    {CALL}  # asyncify: ignore[DBA101]\n"
        assert codes(text) == []

    @pytest.mark.parametrize(
        ("text", "covered"),
        [
            ("# noqa: DBA101\n\nf()\n", set()),
            ("# noqa: DBA101\n# more\nf(\n)\ng()\n", {3, 4}),
            ("@d  # noqa: DBA101\n@e\ndef f():\n    g()\n\n    h()\ni()\n", {1, 2, 3, 4, 5, 6}),
            ("def f(\n    a,  # noqa: DBA101\n):\n    g()\n", {1, 2, 3, 4}),
            ("def f():\n    g()  # noqa: DBA101\n    h()\n", {2}),
            ("def f():\n    # noqa: DBA101\n    g()\n    h()\n", {3}),
            ("class A:  # noqa: DBA101\n    def f(self):\n        g()\n", {1, 2, 3}),
            ("if (  # noqa: DBA101\n    f()\n):\n    g()\nelse:\n    h()\n", {1, 2, 3}),
            ("if f():\n    g()\nelif h():  # noqa: DBA101\n    i()\n", {3}),
            ("if f():\n    g()\nelse:  # noqa: DBA101\n    i()\n", {3}),
            ("try:\n    f()\nexcept (\n    A,  # noqa: DBA101\n):\n    g()\n", {3, 4, 5}),
            ("match f():\n    case [\n        a,  # noqa: DBA101\n    ] if g():\n        h()\n", {2, 3, 4}),
            ("x = [\n    f(),\n    g(),  # noqa: DBA101\n]\n", {1, 2, 3, 4}),
            ("f(); g(\n)  # noqa: DBA101\n", {1, 2}),
            ("with f() as a, g(\n) as b:  # noqa: DBA101\n    h()\n", {1, 2}),
            ("f()\n# asyncify: file-ignore[DBA101]\ng()\n", {1, 2, 3}),
            ('x = """\n# noqa: DBA101\n"""\n', set()),
            ('x = """\n# text\n"""  # noqa: DBA101\n', {1, 2, 3}),
            ("f()\n# noqa: DBA101", set()),
        ],
    )
    def test_lines(self, text: str, covered: set[int]) -> None:
        src = source.from_bytes(Path("a.py"), text.encode())
        suppressions = Suppressions.of([(src, source.parse(src))], KNOWN)
        with_code = [n for n, line in enumerate(src.lines, 1) if line.split("# noqa")[0].strip() or n in covered]
        assert {n for n in with_code if suppressions.covers(src.path, Span(n, 0, n, 1), "DBA101")} == covered


class TestUnused:
    UNUSED = HEAD + "    await DBOS.send_async(order, 1)  # asyncify: ignore[DBA104]\n"

    def test_place(self) -> None:
        (finding,) = findings(self.UNUSED)
        assert finding.span == Span(5, 37, 5, 63)
        assert finding.safety is Safety.SAFE

    @pytest.mark.parametrize("off", ["DBA104", "DBA901"])
    def test_rules_that_are_off_are_not_unused(self, off: str) -> None:
        assert codes(self.UNUSED, Options(enabled=lambda code, path: code != off)) == []
        text = self.UNUSED.replace("[DBA104]", "[DBA104, DBA105]")
        said = [each.message for each in findings(text, Options(enabled=lambda code, path: code != off))]
        assert said == ([] if off == "DBA901" else ["`DBA105` silences nothing"])

    def test_nothing_is_unused_while_a_file_cannot_be_read(self) -> None:
        text = f"{self.UNUSED}    {CALL}  # asyncify: ignore\n    pass  # asyncify: ignore\n    # noqa: DBA999\n"
        broken = {"other.py": "from dbos import DBOS\ndef f(:\n"}
        assert [each.message for each in findings(text, others=broken) if each.code == "DBA901"] == [
            "an ignore comment must name its rules: here `DBA101`",
            "`DBA999` is no rule",
        ]
        assert codes(text).count("DBA901") == 4

    def test_where_the_comment_silences_a_rule_that_is_off(self) -> None:
        text = f"{HEAD}    {CALL}  # asyncify: ignore[DBA101]\n"
        assert codes(text, Options(enabled=lambda code, path: code != "DBA101")) == []

    def test_a_file_stays_as_it_is_where_an_import_has_no_place(self) -> None:
        """The backslash joins nothing, but its line is not told from one that does: all of the file is one piece."""
        body = f"{HEAD}    log()\n\n\n# C:\\\nLIMIT = 1  # noqa: DBA101\n\n\n@DBOS.step()\ndef log() -> None: ...\n"
        src = source.from_bytes(Path("/project/app.py"), f'"""Warnings."""\n{body}'.encode())
        result = analyse([src], [src.path], src.path.parent, Options())
        assert [finding.code for finding in result.findings] == ["DBA104", "DBA901"]
        assert [problem.code for problem in result.problems] == ["DBA902"]
        assert result.changes == ()

    @pytest.mark.skipif(sys.version_info < (3, 12), reason="no comments inside f-strings")
    def test_comment_in_an_f_string(self) -> None:
        text = f'{HEAD}    print(f"{{order  # noqa: DBA101\n    }}")\n'
        assert rewrite_text(text) == text.replace("  # noqa: DBA101", "")

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("  # noqa: DBA101\nimport dbos\n", "import dbos\n"),
            ("import dbos\n# noqa: DBA101", "import dbos"),
            ("import dbos  # noqa: DBA101  \t\n", "import dbos\n"),
            ("import dbos  # noqa: E501,DBA101  \nx = 1", "import dbos  # noqa: E501  \nx = 1"),
            ("import dbos\n# noqa: DBA101\n# noqa: DBA104\n\n# noqa: DBA107\n", "import dbos\n\n"),
            ("import dbos\nif dbos: pass  # noqa: DBA101\n", "import dbos\nif dbos: pass\n"),
            ("import dbos\nclass A:\n\tx = 1\n\t# noqa: DBA101\n\ty = 2", "import dbos\nclass A:\n\tx = 1\n\ty = 2"),
            ("import dbos;  # noqa: DBA101\n", "import dbos;  \n"),
            ("import dbos; x = 1  # noqa: DBA101\n", "import dbos; x = 1\n"),
            ("import dbos\n  # noqa: DBA101\n# noqa: DBA104", "import dbos"),
            ("# asyncify: file-ignore\r\nimport dbos\r\n", "import dbos\r\n"),
            ("import dbos\r# noqa: DBA101\rx = 1\r", "import dbos\rx = 1\r"),
        ],
    )  # fmt: skip
    def test_what_is_left(self, before: str, after: str) -> None:
        assert rewrite_text(before) == after


class TestCommand:
    """What the command makes of it, with its settings."""

    UNUSED = "from dbos import DBOS\n\nasync def ping() -> None:\n    await DBOS.sleep_async(1)  # noqa: DBA101\n"
    SAID = "app.py:4:32: DBA901 [*] `DBA101` silences nothing\n"

    @pytest.fixture(autouse=True)
    def project(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        make(tmp_path, {"pyproject.toml": "", "app.py": self.UNUSED})
        monkeypatch.chdir(tmp_path)
        return tmp_path

    @pytest.mark.parametrize(
        ("args", "said"),
        [
            ("", True),
            ("--select DBA101,DBA901", True),
            ("--select DBA901", False),
            ("--ignore DBA101", False),
            ("--ignore unused-ignore", False),
            ("--scope workflows", False),
        ],
    )
    def test_only_where_the_rule_is_on(self, args: str, said: bool) -> None:
        result = run("check", "--output-format", "concise", *args.split())
        assert result.stdout == (self.SAID if said else "")
        assert result.exit_code == said

    def test_scope_of_a_comment_in_a_workflow(self, project: Path) -> None:
        make(project, {"app.py": self.UNUSED.replace("async def", "@DBOS.workflow()\nasync def")})
        said = self.SAID.replace(":4:", ":5:")
        assert run("check", "--output-format", "concise", "--scope", "workflows").stdout == said

    def test_per_file_ignores(self, project: Path) -> None:
        text = '[tool.dbos-asyncify.per-file-ignores]\n"tests/*" = ["DBA101"]\n'
        make(project, {"tests/app.py": self.UNUSED, "pyproject.toml": text})
        assert run("check", "--output-format", "concise").stdout == self.SAID

    def test_files_that_do_not_take_part_are_left_alone(self, project: Path) -> None:
        make(project, {"app.py": "import os  # asyncify: ignore[DBA101, nonsense]\n"})
        result = run("fix")
        assert result.exit_code == 0
        assert (project / "app.py").read_text() == "import os  # asyncify: ignore[DBA101, nonsense]\n"

    def test_only_in_the_files_given(self, project: Path) -> None:
        make(project, {"main.py": "import app\n", "app.py": self.UNUSED})
        assert run("check", "main.py").stdout == ""
        assert run("check", "--output-format", "concise", "app.py").stdout == self.SAID

    def test_fix(self, project: Path) -> None:
        result = run("fix")
        assert result.exit_code == 0, result.stderr
        assert (project / "app.py").read_text() == self.UNUSED.replace("  # noqa: DBA101", "")
