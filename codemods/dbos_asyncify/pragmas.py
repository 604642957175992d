"""The comments that silence findings: `# asyncify: ignore[DBA101]`, `# noqa: DBA101`. What they say, and less of it."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

from dbos_asyncify.source import Source, Span

OUR_CODE = re.compile(r"DBA\d{3}", re.IGNORECASE)

# As ruff reads `noqa`: in any case, with or without spaces, anywhere in a comment. One that is quoted is spoken of.
_PRAGMA = re.compile(
    r"""(?<![`"'])\#\s*(?:
        asyncify\s*:\s*(?P<kind>(?:file-)?ignore)(?![\w-])(?:\s*\[(?P<rules>[^\[\]#]*)\])?
        | noqa\s*:\s*(?P<codes>[A-Z]+[0-9]+\b(?:[\s,]+[A-Z]+[0-9]+\b)*)
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_PERHAPS = re.compile(r"#\s*(?:asyncify\s*:|noqa\s*:.*DBA\d)", re.IGNORECASE)
_BROKEN = re.compile(
    r"\s*(?:\[|[(:=]?\s*DBA\d)", re.IGNORECASE
)  # what follows an `ignore` that was meant to have a list


@dataclass(frozen=True, slots=True)
class Named:
    """One entry of a pragma's list, and where it stands in the comment.

    `code` is that of the rule, empty where there is none. `foreign` are other tools' codes behind `noqa`.
    """

    text: str
    start: int
    end: int
    code: str
    foreign: bool = False


@dataclass(frozen=True, slots=True)
class Pragma:
    """One `# asyncify: …` or `# noqa: …`, from `start` to `end` of the comment that holds it.

    `named` is empty where it names no rules; `broken` says that it means to, in a way that cannot be read.
    `word_end` is where a list would begin.
    """

    start: int
    end: int
    word_end: int
    named: tuple[Named, ...]
    file_wide: bool = False
    broken: bool = False

    @property
    def doubtful(self) -> bool:
        """Whether it does not say for sure which findings it is for."""
        names = (named for named in self.named if not named.foreign)
        return not self.named or any(not named.code and not OUR_CODE.fullmatch(named.text) for named in names)

    def without(self, text: str, dropped: Set[Named]) -> str:
        """The pragma's part of the comment `text`, with some entries of its list left out; empty if all are."""
        kept = [index for index, named in enumerate(self.named) if named not in dropped]
        if not kept:
            return ""
        parts = [self.named[kept[0]].text]
        parts.extend(text[self.named[index - 1].end : self.named[index].end] for index in kept[1:])
        return text[self.start : self.named[0].start] + "".join(parts) + text[self.named[-1].end : self.end]

    def naming(self, text: str, codes: Set[str]) -> str:
        """The pragma's part of the comment `text`, with a list of these codes."""
        return f"{text[self.start : self.word_end]}[{', '.join(sorted(codes))}]"


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment with pragmas. `alone` says that it stands between statements, on a line of its own."""

    span: Span
    text: str
    alone: bool
    pragmas: tuple[Pragma, ...]

    def edited(self, changes: Mapping[Pragma, str]) -> str:
        """The text with some pragmas replaced, or taken out; empty where nothing else is left."""
        text = self.text
        for pragma in reversed(self.pragmas):
            if pragma in changes:
                text = _joined(text[: pragma.start], changes[pragma], text[pragma.end :])
        return text


def _joined(head: str, pragma: str, tail: str) -> str:
    if pragma:
        return head + pragma + tail
    tail = tail.lstrip(" \t:;,-")
    if not head.strip("# \t:"):
        return tail if not tail or tail.startswith("#") else f"# {tail}"
    return head + tail if tail else head.rstrip()


def comments(source: Source, known: Mapping[str, str]) -> Iterator[Comment]:
    """The comments of a file that hold pragmas; `known` maps the code of every rule to its name.

    A file without anything that looks like one is not tokenized.
    """
    if not _PERHAPS.search(source.text):
        return
    codes = {spelling.casefold(): code for code, name in known.items() for spelling in (code, name)}
    depth = 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(source.text, newline="").readline):
            if token.type == tokenize.OP:
                depth += (token.string in "([{") - (token.string in ")]}")
            elif token.type == tokenize.COMMENT:
                row = token.start[0]
                line = source.lines[row - 1].rstrip("\r\n")
                start = len(line.rstrip()) - len(token.string.rstrip())
                pragmas = tuple(pragmas_in(line[start:], codes))
                if pragmas:
                    alone = not depth and not line[:start].strip()
                    yield Comment(Span(row, start, row, len(line)), line[start:], alone, pragmas)
    except (tokenize.TokenError, SyntaxError):
        return  # `verify` cannot read its comments either, and leaves the file as it is


def pragmas_in(text: str, codes: Mapping[str, str]) -> Iterator[Pragma]:
    """The pragmas of one comment; `codes` maps codes and names of the rules, in small letters, to their codes."""
    for found in _PRAGMA.finditer(text):
        if found["kind"] is None:
            named = tuple(_entries(found["codes"], found.start("codes"), codes, noqa=True))
            if not all(each.foreign for each in named):
                yield Pragma(found.start(), found.end(), found.end(), named)
            continue
        named = tuple(_entries(found["rules"] or "", found.start("rules"), codes))
        broken = found["rules"] is None and bool(_BROKEN.match(text, found.end()))
        file_wide = found["kind"].casefold() == "file-ignore"
        yield Pragma(found.start(), found.end(), found.end("kind"), named, file_wide, broken)


def _entries(text: str, start: int, codes: Mapping[str, str], *, noqa: bool = False) -> Iterator[Named]:
    for entry in re.finditer(r"[^\s,]+", text):
        foreign = noqa and not OUR_CODE.fullmatch(entry[0])
        code = "" if foreign else codes.get(entry[0].casefold(), "")
        yield Named(entry[0], start + entry.start(), start + entry.end(), code, foreign)
