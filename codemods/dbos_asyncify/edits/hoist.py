"""A nested `async def` becomes a decorated function of the module, above the statement that held it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import libcst as cst

from dbos_asyncify.edits.arguments import Item, inserted
from dbos_asyncify.edits.base import Edit, Import
from dbos_asyncify.edits.layout import comments_in


@dataclass(frozen=True, slots=True)
class AddDecorator(Edit):
    """Put a decorator (`@` and what follows) above the others of a function; the span begins at its `async def`."""

    decorator: str
    imports: Import | None
    node_types: ClassVar[tuple[type[cst.CSTNode], ...]] = (cst.FunctionDef,)

    def apply(self, node: cst.CSTNode, parent: cst.CSTNode | None, original: cst.CSTNode) -> cst.CSTNode:
        assert isinstance(node, cst.FunctionDef)
        return _decorated(node, self.decorator)

    @property
    def needs(self) -> Import | None:
        return self.imports


@dataclass(frozen=True, slots=True)
class Hoist(Edit):
    """Move a nested function to the module, above the top-level statement that holds it, and decorate it.

    `name` is the one that it has then. `parameters`, each with its annotation or an empty text, come behind its
    positional ones, or, where those have defaults or `*args` takes all others, behind the keyword-only ones.
    """

    decorator: str
    imports: Import | None
    name: str
    parameters: tuple[tuple[str, str], ...]
    rank: ClassVar[int] = 1
    node_types: ClassVar[tuple[type[cst.CSTNode], ...]] = (cst.FunctionDef,)

    def apply(self, node: cst.CSTNode, parent: cst.CSTNode | None, original: cst.CSTNode) -> cst.CSTNode:
        assert isinstance(node, cst.FunctionDef)
        function = _decorated(node, self.decorator)
        function = function.with_changes(name=function.name.with_changes(value=self.name))
        return _with_parameters(function, self.parameters) if self.parameters else function

    @property
    def needs(self) -> Import | None:
        return self.imports


def _decorated(function: cst.FunctionDef, decorator: str) -> cst.FunctionDef:
    first = cst.Decorator(cst.parse_expression(decorator.removeprefix("@")))
    return function.with_changes(decorators=[first, *function.decorators])


def _with_parameters(function: cst.FunctionDef, new: Sequence[tuple[str, str]]) -> cst.FunctionDef:
    params = function.params
    added: list[Item] = [
        cst.Param(cst.Name(name), cst.Annotation(cst.parse_expression(annotation)) if annotation else None)
        for name, annotation in new
    ]
    slash = [params.posonly_ind] if isinstance(params.posonly_ind, cst.ParamSlash) else []
    star = [params.star_arg] if isinstance(params.star_arg, (cst.Param, cst.ParamStar)) else []
    rest = [params.star_kwarg] if params.star_kwarg is not None else []
    items: list[Item] = [
        *params.posonly_params, *slash, *params.params, *star, *params.kwonly_params, *rest,
    ]  # fmt: skip
    optional = any(param.default is not None for param in (*params.posonly_params, *params.params))
    if optional or isinstance(params.star_arg, cst.Param):
        index = len(items) - len(rest)
        added = [*([] if star else [cst.ParamStar()]), *added]
    else:
        index = len(items) - len(rest) - len(params.kwonly_params) - len(star)
    opening = function.whitespace_before_params
    if not items and not comments_in(opening):
        opening = cst.SimpleWhitespace("")
    return function.with_changes(
        params=_grouped(inserted(items, index, added, opening), params),
        whitespace_before_params=opening,
    )


def _grouped(items: Sequence[Item], params: cst.Parameters) -> cst.Parameters:
    """`params` with these in place of all that stood between the parentheses of the signature."""
    rest = list(items[len(params.posonly_params) :])
    slash = rest.pop(0) if rest and isinstance(rest[0], cst.ParamSlash) else cst.MaybeSentinel.DEFAULT
    end = next((index for index, item in enumerate(rest) if _star(item) == "**"), len(rest))
    star = next((index for index, item in enumerate(rest) if _star(item) == "*"), end)
    return params.with_changes(
        posonly_params=items[: len(params.posonly_params)],
        posonly_ind=slash,
        params=rest[:star],
        star_arg=rest[star] if star < end else cst.MaybeSentinel.DEFAULT,
        kwonly_params=rest[star + 1 : end],
        star_kwarg=rest[end] if end < len(rest) else None,
    )


def _star(item: Item) -> object:
    return "*" if isinstance(item, cst.ParamStar) else item.star if isinstance(item, cst.Param) else ""


def take_out(
    block: cst.IndentedBlock, moving: dict[cst.BaseStatement, Hoist]
) -> tuple[cst.IndentedBlock, list[tuple[Hoist, cst.FunctionDef]]]:
    """`block` without those of its functions that are `moving`, and these with the comments that lead them.

    What was found is no longer among `moving` then.
    """
    body: list[cst.BaseStatement] = []
    taken: list[tuple[Hoist, cst.FunctionDef]] = []
    left: list[cst.EmptyLine] = []  # comments above a function that do not lead it
    after_taken = False
    for statement in block.body:
        if statement in moving:
            assert isinstance(statement, cst.FunctionDef)
            own = len(statement.leading_lines)
            while own and _leads(statement.leading_lines[own - 1]):
                own -= 1
            left.extend(_without_blanks_behind(statement.leading_lines[:own]))
            taken.append((moving.pop(statement), statement.with_changes(leading_lines=statement.leading_lines[own:])))
            after_taken = True
            continue
        if after_taken:
            lines: list[cst.EmptyLine] = list(getattr(statement, "leading_lines", ()))
            if left and (not lines or lines[0].comment is not None):
                left.append(cst.EmptyLine(indent=False))
            lines = [*left, *lines]
            while lines and not body and lines[0].comment is None:
                del lines[0]
            statement = statement.with_changes(leading_lines=lines)
        left, after_taken = [], False
        body.append(statement)
    return block.with_changes(body=body, footer=[*left, *block.footer]), taken


def _leads(line: cst.EmptyLine) -> bool:
    """Whether it is a comment that is indented as the statement below."""
    return line.comment is not None and line.indent and not line.whitespace.value


def _without_blanks_behind(lines: Sequence[cst.EmptyLine]) -> list[cst.EmptyLine]:
    kept = list(lines)
    while kept and kept[-1].comment is None:
        kept.pop()
    return kept
