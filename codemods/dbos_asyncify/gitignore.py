"""The patterns of .gitignore files, with git's own meaning of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_PIECE = re.compile(
    r"(?P<star>\*+)|(?P<any>\?)|\\(?P<escaped>.)|\[(?P<set>[!^]?\]?(?:\\.|\[:\w+:\]|[^\]])*)\]|.", re.DOTALL
)
_SET_ITEM = re.compile(r"\[:(?P<named>\w+):\]|\\(?P<escaped>.)|.", re.DOTALL)
_NAMED_SETS = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "lower": "a-z",
    "space": r"\s",
    "upper": "A-Z",
    "xdigit": "0-9a-fA-F",
}


@dataclass(frozen=True, slots=True)
class Patterns:
    """The patterns of one ignore file, for paths relative to its folder."""

    _rules: tuple[_Rule, ...]
    _any: re.Pattern[str]

    @classmethod
    def parse(cls, lines: Iterable[str]) -> Patterns:
        """The patterns in `lines`, without line ends; as in git, a line that is none is passed over."""
        rules = tuple(rule for line in lines if (rule := _rule(line)) is not None)
        return cls(rules, re.compile("|".join(rule.regex.pattern for rule in rules) or "(?!)", re.DOTALL))

    def verdict(self, path: str, *, is_folder: bool) -> bool | None:
        """True: left out; False: taken back in by a `!` pattern; None: no pattern matches `path` itself.

        `path` has forward slashes, and none at its end. What is said of the folders above it does not count.
        """
        if self._any.fullmatch(path):  # spares most paths the loop
            for rule in reversed(self._rules):
                if (is_folder or not rule.folders_only) and rule.regex.fullmatch(path):
                    return not rule.negated
        return None


@dataclass(frozen=True, slots=True)
class _Rule:
    regex: re.Pattern[str]
    negated: bool
    folders_only: bool


def _rule(line: str) -> _Rule | None:
    if line.startswith("#"):
        return None
    while line.endswith(" ") and not line.endswith("\\ "):
        line = line[:-1]
    pattern = line.removeprefix("!")
    body = pattern.removesuffix("/")
    if not body:
        return None
    start = "" if "/" in body else "(?:.*/)?"
    try:
        regex = re.compile(start + _translate(body.removeprefix("/")), re.DOTALL)
    except re.error:  # an open bracket, a backslash at the end, a range the wrong way round
        return None
    return _Rule(regex, negated=pattern != line, folders_only=body != pattern)


def _translate(pattern: str) -> str:
    *folders, last = pattern.split("/")
    regex = "".join("(?:.*/)?" if part == "**" else _translate_name(part) + "/" for part in folders)
    return regex + (".+" if last == "**" else _translate_name(last))


def _translate_name(pattern: str) -> str:
    regex = ""
    for piece in _PIECE.finditer(pattern):
        if piece["star"]:
            regex += "[^/]*"
        elif piece["any"]:
            regex += "[^/]"
        elif piece["set"]:
            regex += _translate_set(piece["set"])
        elif piece[0] in "[\\":
            raise re.error("not a pattern")
        else:
            regex += re.escape(piece["escaped"] or piece[0])
    return regex


def _translate_set(items: str) -> str:
    inner = items[1:] if items[0] in "!^" else items
    regex = "(?!/)[^" if inner != items else "(?!/)["
    for item in _SET_ITEM.finditer(inner):
        if item["named"]:
            if item["named"] not in _NAMED_SETS:
                raise re.error("not a pattern")
            regex += _NAMED_SETS[item["named"]]
        elif item[0] == "-":
            regex += "-"
        else:
            regex += re.escape(item["escaped"] or item[0])
    return regex + "]"
