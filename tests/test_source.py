"""Bytes to text and back, syntax trees, and positions that are right on every Python."""

from __future__ import annotations

import ast
import sys
import warnings
from pathlib import Path

import pytest

from dbos_asyncify import source
from dbos_asyncify.fstrings import mend_positions
from dbos_asyncify.source import Source, SourceError, Span

BOM = b"\xef\xbb\xbf"
FILE = Path("app.py")


def from_text(text: str) -> Source:
    return source.from_bytes(FILE, text.encode())


def segments(src: Source, *kinds: type[ast.expr]) -> list[str]:
    """The text at the position of every node of `kinds`, in the order of the file."""
    nodes = [node for node in ast.walk(source.parse(src)) if isinstance(node, kinds)]
    nodes.sort(key=lambda node: (node.lineno, node.col_offset))
    found = []
    for node in nodes:
        span = source.span(node, src)
        lines = list(src.lines[span.line - 1 : span.end_line])
        lines[-1] = lines[-1][: span.end_column]
        lines[0] = lines[0][span.column :]
        found.append("".join(lines))
    return found


class TestBytes:
    @pytest.mark.parametrize(
        ("data", "encoding", "bom", "newline"),
        [
            (b"", "utf-8", False, "\n"),
            (b"x = 1", "utf-8", False, "\n"),
            (b"x = 1\r\ny = 2\n", "utf-8", False, "\r\n"),
            (b"x = 1\ry = 2\r\n", "utf-8", False, "\r"),
            (BOM, "utf-8", True, "\n"),
            (BOM + b"x = '\xc3\xa9'\n", "utf-8", True, "\n"),
            (BOM + b"# coding: utf-8\nx = 1\n", "utf-8", True, "\n"),
            (b"# coding: latin-1\nx = '\xe9'\n", "iso-8859-1", False, "\n"),
            (b"#!/usr/bin/env python\n# vim: set fileencoding=cp1252 :\nx = '\x80'\n", "cp1252", False, "\n"),
            (b"# \xe9 -*- coding: latin-1 -*-\n", "iso-8859-1", False, "\n"),
            (b"# \xe9\n# coding: latin-1\n", "iso-8859-1", False, "\n"),
            (b"# a\r# coding: latin-1\rx = '\xe9'\r", "iso-8859-1", False, "\r"),
            (b"x = 1\n# coding: latin-1 comes too late\n", "utf-8", False, "\n"),
            ("# coding: shift_jis\nx = '日本'\n".encode("shift_jis"), "shift_jis", False, "\n"),
        ],
    )
    def test_decodes_and_encodes_to_the_same_bytes(
        self, tmp_path: Path, data: bytes, encoding: str, bom: bool, newline: str
    ) -> None:
        path = tmp_path / "app.py"
        path.write_bytes(data)
        src = source.read(path)
        assert (src.path, src.data, src.encoding, src.bom, src.newline) == (
            path,
            data,
            encoding,
            bom,
            newline,
        )
        assert not src.text.startswith("\ufeff")
        assert "".join(src.lines) == src.text
        assert src.encode(src.text) == data

    def test_a_character_that_the_encoding_lacks(self) -> None:
        src = source.from_bytes(FILE, b"# coding: ascii\n")
        with pytest.raises(UnicodeEncodeError):
            src.encode("é")

    @pytest.mark.parametrize(
        ("data", "line", "message"),
        [
            (b"x = 1\ny = '\xe9'\n", 2, "byte 0xe9 is not valid utf-8"),
            (b"x = 1\r\ny = 2\r\rz = '\xff'\n", 4, "byte 0xff is not valid utf-8"),
            (BOM + b"\n\n\xff", 3, "byte 0xff is not valid utf-8"),
            (b"\xe9", 1, "byte 0xe9 is not valid utf-8"),
            (b"# coding: ascii\nx = '\xe9'\n", 2, "byte 0xe9 is not valid ascii"),
            (b"# coding: klingon\n", 1, "unknown encoding: klingon"),
            (b"#!/bin/python\n# coding: klingon\n", 2, "unknown encoding: klingon"),
            (BOM + b"# coding: latin-1\n", 1, "encoding problem: utf-8"),
            (b"# coding: rot13\nk = 1\n", 1, "not a text encoding"),
            (b"# coding: utf-7\nx = '+AGE-'\n", 0, "does not survive"),
            (b"x = 1\ny = '\0'\n", 2, "NUL bytes"),
            ("x = 1\n".encode("utf-16"), 1, "NUL bytes"),
        ],
    )
    def test_what_does_not_decode_is_told_with_its_line(self, data: bytes, line: int, message: str) -> None:
        with pytest.raises(SourceError) as caught:
            source.from_bytes(FILE, data)
        assert message in caught.value.message
        assert (caught.value.path, caught.value.line) == (FILE, line)
        assert str(caught.value).startswith(f"app.py:{line}: " if line else "app.py: ")

    def test_a_missing_file_and_a_directory(self, tmp_path: Path) -> None:
        for path in (tmp_path / "gone.py", tmp_path):
            with pytest.raises(SourceError, match="cannot be read") as caught:
                source.read(path)
            assert caught.value.line == 0


class TestLines:
    @pytest.mark.parametrize(
        "text",
        [
            "a = 1\n\fb = 2\nc = 3\n",
            "a = 1\r\rb = 2\r\nc = 3\nd = 4",
            "a = '\u2028'\nb = '\x85'\nc = '\x1c\x1d\x1e'\n# \x0b\f\nd = 1",
            "a = '''\r\r\n\f\n'''\nb = 2\n",
            "a = \\\r\n  1\r\nb = 2\r",
            "\f\n\f\r\nif a:\r\f\n    b = 1\n",
        ],
    )
    def test_count_as_python_does(self, text: str) -> None:
        src = from_text(text)
        assert "".join(src.lines) == text
        body = [node for node in ast.walk(source.parse(src)) if isinstance(node, ast.Assign)]
        assert body
        for node in body:
            target = node.targets[0]
            assert isinstance(target, ast.Name)
            span = source.span(target, src)
            assert src.lines[span.line - 1][span.column : span.end_column] == target.id


class TestParse:
    def test_columns_are_characters(self) -> None:
        src = from_text("é = ['ü', f(x)]; ñ = '💡', g(\n  'é', y)\n")
        assert segments(src, ast.Call) == ["f(x)", "g(\n  'é', y)"]
        call = next(node for node in ast.walk(source.parse(src)) if isinstance(node, ast.Call))
        assert source.span(call, src) == Span(1, 10, 1, 14)
        assert call.col_offset == 12  # ast's own columns stay bytes

    def test_encodings_and_marks_do_not_shift_columns(self) -> None:
        for data in (BOM + "é = f(x)".encode(), "# coding: latin-1\né = f(x)".encode("latin-1")):
            assert segments(source.from_bytes(FILE, data), ast.Call) == ["f(x)"]

    @pytest.mark.parametrize("text", ["x = '\\d'\n", "x = f'\\d{f()}'\n", "x = 1 is 1\n", "x = 0in y\n"])
    def test_never_warns(self, text: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            source.parse(from_text(text))

    def test_syntax_error_has_place_and_message(self) -> None:
        with pytest.raises(SourceError) as caught:
            source.parse(from_text("x = 1\ndef f(:\n"))
        assert (caught.value.line, caught.value.column) == (2, 7)
        assert str(caught.value) == "app.py:2:7: invalid syntax"

    @pytest.mark.parametrize(
        "text",
        [
            "-" * 100_000 + "1",
            "(" * 300 + ")" * 300,
            "lambda:" * 100_000 + "1",
            "x = '\ud800'",
            "\ufeffx = 1",
        ],
        ids=["unary", "brackets", "lambda", "surrogate", "second-mark"],
    )
    def test_what_the_parser_gives_up_on_is_a_source_error(self, text: str) -> None:
        src = Source(FILE, b"", text, "utf-8", bom=False, newline="\n")
        with pytest.raises(SourceError):
            source.parse(src)


NEWER_SYNTAX = [
    ("3.11", "try:\n    f()\nexcept* ValueError:\n    pass\n"),
    ("3.11", "def f(*args: *Ts) -> None: ...\n"),
    ("3.12", "type X = int\n"),
    ("3.12", "async def f[T](x: T) -> T:\n    return x\n"),
    ("3.12", "class Box[T]:\n    pass\n"),
    ("3.12", 'x = f"{d["key"]}"\n'),
    ("3.12", "x = f\"{'\\n'.join(y)}\"\n"),
    ("3.12", "x = f'''{\n    y  # why\n}'''\n"),
    ("3.13", "def f[T = int](x: T) -> T:\n    return x\n"),
    ("3.13", "type X[A, B: list[int] = list[int]] = dict[A, B]\n"),
    ("3.14", "try:\n    f()\nexcept ValueError, OSError:\n    pass\n"),
    ("3.14", "x = t'hello {name}'\n"),
    ("3.14", "type X = int\ntry:\n    f()\nexcept* A, B:\n    pass\n"),
    ("3.12", "x = 1\r\ntype X = int\r\n"),
]


@pytest.mark.parametrize(("version", "text"), NEWER_SYNTAX)
def test_newer_syntax_names_the_python_that_reads_it(version: str, text: str) -> None:
    needed = tuple(int(part) for part in version.split("."))
    if sys.version_info >= needed:
        source.parse(from_text(text))
        return
    with pytest.raises(SourceError) as caught:
        source.parse(from_text(text))
    assert f"use `uvx --python {version} dbos-asyncify`" in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "type X = = int\n",
        "def f[T(x): pass\n",
        "x = f'{a b}'\n",
        "print 'hello'\n",
        "type X = int\nx = t''\nexcept A, B:\n",
    ],
)
def test_plain_syntax_errors_name_no_python(text: str) -> None:
    with pytest.raises(SourceError) as caught:
        source.parse(from_text(text))
    assert "uvx" not in caught.value.message


FSTRINGS = [
    ("x = f'{a()}'\n", ["a()"]),
    ("x = f'{a()} {a()} {a()}'\n", ["a()", "a()", "a()"]),
    ("x = f'a() {a()}'\n", ["a()"]),
    ("x = f'{{a()}} {b()} {{{c()}}}'\n", ["b()", "c()"]),
    ("x = f'é {a()} ü {b(\"é\")}'; y = f(1)\n", ["a()", 'b("é")', "f(1)"]),
    ("x = f'''\n  {a(\n    1,\n)} {b()}\n{c()}'''\n", ["a(\n    1,\n)", "b()", "c()"]),
    ("x = f'''{\n  a(b(),\n c())\n}'''\r\n", ["a(b(),\n c())", "b()", "c()"]),
    ("x = f'''\r\n  {a(\r\n    1)}'''\r\n", ["a(\r\n    1)"]),
    ("x = f'''\r  {a()}'''\r", ["a()"]),
    ("x = f\"{a('k')['}']}{b(':!=')}\"\n", ["a('k')", "b(':!=')"]),
    ("x = f\"{a('''}''')}\"\n", ["a('''}''')"]),
    ("x = f'{a()!r} {b()!s:>10} {c()=} {d() = !r}'\n", ["a()", "b()", "c()", "d()"]),
    ("x = f'{a() == b()} {c() != d()} {e() <= f() >= g()}'\n", [f"{name}()" for name in "abcdefg"]),
    ("x = f'{a():{b()}.{c()!r}} {d():%H:%M} {e():{{1}}}'\n", [f"{name}()" for name in "abcde"]),
    ("x = f'{a(x=1, y={2: [3]}[2])}'\n", ["a(x=1, y={2: [3]}[2])"]),
    ("x = f'{(lambda y: a(y))(1)}{(z := b())}'\n", ["(lambda y: a(y))(1)", "a(y)", "b()"]),
    ("x = f'{ a() , b() }'\n", ["a()", "b()"]),
    ("x = f'{*a(), b()}'\n", ["a()", "b()"]),
    ("x = f'{f\"{a()} {b()}\"} {c()}'\n", ["a()", "b()", "c()"]),
    ("x = f'''{f\"{a(f'{b()}')}\"}'''\n", ["a(f'{b()}')", "b()"]),
    (
        "x = (f'{a()}'  # it's \"a\" {\n     'b' \"{b()}\"\n     f'{c()}' rf'{d()}')\n",
        ["a()", "c()", "d()"],
    ),
    ("x = f'{a()}' \\\n  f'é{b()}' + g()\n", ["a()", "b()", "g()"]),
    ("x = rf'\\{a()}\\N{b()}' F'{c()}' fR'\\'{d()}'\n", ["a()", "b()", "c()", "d()"]),
    ("x = f'\\N{EM DASH}{a()}\\\\{b()}\\'{c()}\\x41{d():\\N{EM DASH}>{e()}}'\n", list("abcde")),
    ("@d(f'{a()}')\ndef f(x=f'{b()}'):\n    return f'{c()}'\n", ["d(f'{a()}')", "a()", "b()", "c()"]),
    (
        "match x:\n    case 1 if f'{a()}':\n        y = [f'{b()}' for z in f'{c()}']\n",
        ["a()", "b()", "c()"],
    ),
    ("x = u'{a()}' f'{b()}'\n", ["b()"]),
    ("x = f''\ny = f'a' 'b'\nz = f'{n}'\nw = g()\n", ["g()"]),
]


class TestFStrings:
    """Before Python 3.12 `ast` places what stands inside f-strings wrongly."""

    @pytest.mark.parametrize(("text", "calls"), FSTRINGS)
    def test_calls_stand_where_they_are(self, text: str, calls: list[str]) -> None:
        calls = [f"{call}()" if len(call) == 1 else call for call in calls]
        assert segments(from_text(text), ast.Call) == calls

    @pytest.mark.parametrize("text", [text for text, _ in FSTRINGS])
    def test_mending_what_is_right_changes_nothing(self, text: str) -> None:
        src = from_text(text)
        tree = source.parse(src)
        kinds = (ast.Call, ast.Name, ast.FormattedValue)
        before = [(ast.dump(node), source.span(node, src)) for node in ast.walk(tree) if isinstance(node, kinds)]
        mend_positions(tree, [line.rstrip("\r\n").encode() + b"\n" for line in src.lines])
        after = [(ast.dump(node), source.span(node, src)) for node in ast.walk(tree) if isinstance(node, kinds)]
        assert after == before

    def test_a_tree_of_another_text_is_an_error(self) -> None:
        for line in (b"x = f'{a  '\n", b"x = f'{{ }}'\n", b"x = f'{? }'\n"):
            with pytest.raises((ValueError, SyntaxError)):
                mend_positions(ast.parse("x = f'{a }'\n"), [line])

    def test_every_kind_of_node(self) -> None:
        text = "async def f():\n    return f'é{await a(k=b.c)}{d[e():g]}{h if i else j(lambda k: l)}'\n"
        src = from_text(text)
        assert segments(src, ast.Await) == ["await a(k=b.c)"]
        assert segments(src, ast.Attribute) == ["b.c"]
        assert segments(src, ast.Subscript) == ["d[e():g]"]
        assert segments(src, ast.Slice) == ["e():g"]
        assert segments(src, ast.IfExp, ast.Lambda) == ["h if i else j(lambda k: l)", "lambda k: l"]
        assert segments(src, ast.FormattedValue)[0] == "{await a(k=b.c)}"
        tree = source.parse(src)
        assert [source.span(node, src) for node in ast.walk(tree) if isinstance(node, ast.keyword)] == [
            Span(2, 23, 2, 28)
        ]

    def test_a_tuple_without_brackets(self) -> None:
        assert segments(from_text("x = f'{ a, b() } {(c, d)}'\n"), ast.Tuple) == ["a, b()", "(c, d)"]

    def test_the_tree_itself_is_what_python_makes(self) -> None:
        text = "x = f'{a()!r:>{b()}} {c()=}' 'd' f'{e, f}'\n"
        assert ast.dump(source.parse(from_text(text))) == ast.dump(ast.parse(text))

    @pytest.mark.slow
    def test_the_standard_library_agrees_with_its_text(self) -> None:
        """At the place of every node in an f-string of the standard library stands that very node."""
        seen = 0
        for path in sorted(Path(ast.__file__).parent.glob("*.py")):
            src = source.read(path)
            for string in (node for node in ast.walk(source.parse(src)) if isinstance(node, ast.JoinedStr)):
                for node in ast.walk(string):
                    if isinstance(getattr(node, "ctx", None), ast.Load) or isinstance(node, ast.Call):
                        assert isinstance(node, ast.expr)
                        text = ast.get_source_segment(src.text, node)
                        assert text is not None
                        assert ast.dump(ast.parse(f"({text})", mode="eval").body) == ast.dump(node)
                        seen += 1
        assert seen > 500
