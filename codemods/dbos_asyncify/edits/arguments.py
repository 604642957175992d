"""`seq_a(x)` -> `seq_a(x, user)`: arguments and parameters behind those that are there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import libcst as cst

from dbos_asyncify.edits.base import Edit
from dbos_asyncify.edits.layout import Space, comments_in, is_line_break
from dbos_asyncify.edits.rename_call import renamed

Item = cst.Arg | cst.Param | cst.ParamStar | cst.ParamSlash


@dataclass(frozen=True, slots=True)
class AddArguments(Edit):
    """Call a function by its `new` name, with more `arguments`: variables that it has parameters of the same name for.

    They come behind its own positional arguments, or by `keyword` at the end.
    """

    old: str
    new: str
    arguments: tuple[str, ...]
    keyword: bool
    rank: ClassVar[int] = 1

    def apply(self, node: cst.CSTNode, parent: cst.CSTNode | None, original: cst.CSTNode) -> cst.CSTNode:
        assert isinstance(node, cst.Call)
        opening = node.whitespace_before_args
        own: list[Item] = list(node.args)
        if not own and not comments_in(opening):
            opening = cst.SimpleWhitespace("")
        if len(node.args) == 1 and isinstance(node.args[0].value, cst.GeneratorExp) and not node.args[0].value.lpar:
            loop = node.args[0].value.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
            own = [node.args[0].with_changes(value=loop)]
        if self.keyword:
            index, added = len(own), [_named(name) for name in self.arguments]
        else:
            before = [number for number, each in enumerate(node.args, 1) if each.keyword is None and each.star != "**"]
            index, added = before[-1] if before else 0, [cst.Arg(cst.Name(name)) for name in self.arguments]
        return node.with_changes(
            func=renamed(node.func, self.new),
            args=inserted(own, index, added, opening),
            whitespace_before_args=opening,
        )


def _named(name: str) -> cst.Arg:
    equal = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
    return cst.Arg(cst.Name(name), cst.Name(name), equal)


def inserted(items: Sequence[Item], index: int, new: Iterable[Item], opening: Space) -> list[Item]:
    """`items` with the `new` ones before number `index`, spaced as they are; `opening` is the space before all."""
    added = list(new)
    space = _space_between(items, opening)
    spaced = [item.with_changes(comma=cst.Comma(whitespace_after=space)) for item in added]
    if not added or index < len(items):
        return [*items[:index], *spaced, *items[index:]]
    if not items:
        return [*spaced[:-1], *added[-1:]]
    *before, last = items
    comma = last.comma if isinstance(last.comma, cst.Comma) else None
    behind = [comma.whitespace_after if comma else None, *(getattr(last, name, None) for name in _BEHIND)]
    closing = next((each for each in behind if isinstance(each, cst.ParenthesizedWhitespace)), None)
    after: Space = space
    if closing is not None and (is_line_break(space) or comments_in(closing)):
        after = closing.with_changes(last_line=space.last_line if is_line_break(space) else closing.last_line)
    new_comma = (comma or cst.Comma()).with_changes(whitespace_after=after)
    last = _without_space(last).with_changes(comma=new_comma)
    end: Space = _bare(closing) if closing is not None else cst.SimpleWhitespace("")
    final = added[-1]
    if comma is not None:
        final = final.with_changes(comma=cst.Comma(whitespace_after=end))
    elif closing is not None:
        final = final.with_changes(**{name: end for name in _BEHIND if hasattr(final, name)})
    return [*before, last, *spaced[:-1], final]


_BEHIND = ("whitespace_after_arg", "whitespace_after_param", "whitespace_after")


def _without_space(item: Item) -> Item:
    return item.with_changes(**{name: cst.SimpleWhitespace("") for name in _BEHIND if hasattr(item, name)})


def _space_between(items: Sequence[Item], opening: Space) -> Space:
    """The space between two items: a line break where each has its own line."""
    commas = [item.comma for item in items[:-1] if isinstance(item.comma, cst.Comma)]
    space = commas[-1].whitespace_after if commas else opening
    return _bare(space) if is_line_break(space) and items else cst.SimpleWhitespace(" ")


def _bare(space: cst.ParenthesizedWhitespace) -> cst.ParenthesizedWhitespace:
    """A line break without comments."""
    first = space.first_line.with_changes(whitespace=cst.SimpleWhitespace(""), comment=None)
    return space.with_changes(first_line=first, empty_lines=[])
