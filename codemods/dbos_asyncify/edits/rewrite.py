"""Carries out edits: cuts out the statements that they touch, transforms those with LibCST, puts them back."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider

from dbos_asyncify.edits.add_import import insertions
from dbos_asyncify.edits.base import Edit
from dbos_asyncify.edits.hoist import AddDecorator, Hoist, take_out
from dbos_asyncify.edits.loops import AsyncFor
from dbos_asyncify.edits.make_async import MakeAsync
from dbos_asyncify.edits.regions import Region, above_comments, first_line, regions_of
from dbos_asyncify.source import Source

Moved = list[tuple[Hoist, str]]  # functions that leave their place, as they are printed at the top level


_HEADERS = (AddDecorator, AsyncFor, Hoist, MakeAsync)  # their spans hold the bodies too


class EditError(Exception):
    """An edit whose place is not there: the tool's own fault."""


def rewrite(source: Source, tree: ast.Module, edits: Sequence[Edit]) -> str:
    """The text of `source` with `edits` carried out, and the imports that they need.

    Everything outside the statements concerned is taken over as it is. Raises EditError where an edit cannot be
    carried out.
    """
    pieces: list[tuple[int, int, int, str]] = []  # first line, order, lines replaced, text
    above: dict[int, list[str]] = {}  # the functions that go above the statement at a line
    for region in regions_of(source, tree, edits):
        text, moved = _transformed(source, tree, region)
        pieces.append((region.first, 2, region.last - region.first + 1, text))
        for edit, function in moved:
            above.setdefault(_destination(source, tree, edit), []).append(function)
    for line, functions in above.items():
        gap = source.newline * 2
        blank_lines = source.newline * _blank_lines_missing(source, line)
        pieces.append((line, 1, 0, blank_lines + "".join(function + gap for function in functions)))
    for line, text in insertions(source, tree, [edit.needs for edit in edits if edit.needs]):
        pieces.append((line, 0, 0, text))
    result: list[str] = []
    position = 1
    for first, _, replaced, text in sorted(pieces):
        if first < position:
            raise EditError(f"line {first}: nothing can be put there, it is part of an edited statement")
        result.extend(source.lines[position - 1 : first - 1])
        result.append(text)
        position = max(position, first + replaced)
    result.extend(source.lines[position - 1 :])
    rewritten = "".join(result)
    if result and not result[-1] and not source.lines[-1].endswith(("\n", "\r")):
        return rewritten[: -len(source.newline)]  # the last line is gone: the one above has no line end then
    return rewritten


def _destination(source: Source, tree: ast.Module, edit: Hoist) -> int:
    """The line that a function goes above: of the top-level statement that holds it, or of its comments."""
    for before, statement in zip([None, *tree.body], tree.body, strict=False):
        if first_line(statement) <= edit.span.line <= (statement.end_lineno or 0):
            return max(above_comments(source, first_line(statement)), (before.end_lineno or 0) + 1 if before else 1)
    raise EditError(f"line {edit.span.line}: nothing to edit there ({type(edit).__name__})")


def _blank_lines_missing(source: Source, line: int) -> int:
    """How many blank lines a function at `line` still needs above it: two, but below a comment or at the top."""
    above = [text.rstrip() for text in source.lines[: line - 1]]
    blank = 0
    while blank < len(above) and not above[-1 - blank]:
        blank += 1
    at_top = blank == len(above) or above[-1 - blank].startswith("#")
    return 0 if at_top else max(2 - blank, 0)


def _transformed(source: Source, tree: ast.Module, region: Region) -> tuple[str, Moved]:
    """The region's new text; where its lines do not parse on their own, the statements around it are taken too."""
    wider, widen = region, 0
    while True:
        try:
            text, moved = transform(source.lines[wider.first - 1 : wider.last], wider)
        except cst.ParserSyntaxError as error:
            if (wider.first, wider.last) == (1, len(source.lines)):
                raise EditError(f"LibCST cannot parse it: {error.message}") from error
            widen += 1
            (wider,) = regions_of(source, tree, region.edits, widen)
            continue
        before = "".join(source.lines[wider.first - 1 : region.first - 1])
        after = "".join(source.lines[region.last : wider.last])
        if not (text.startswith(before) and text.endswith(after)):
            raise EditError("lines outside the edit changed")
        return text[len(before) : len(text) - len(after)], moved


def transform(lines: Sequence[str], region: Region) -> tuple[str, Moved]:
    """Parse the lines of a region, carry out its edits, print it, and what is moved out of it.

    Raises EditError, ParserSyntaxError.
    """
    indented = lines[0][:1] in " \t\f" and not lines[0].lstrip().startswith("#")
    newline = "\r\n" if lines[0].endswith("\r\n") else "\r" if lines[0].endswith("\r") else "\n"
    wrapper = f"if 1:{newline}" if indented else ""
    module = cst.parse_module(wrapper + "".join(lines))
    shift = region.first - 1 - bool(wrapper)
    positions = MetadataWrapper(module, unsafe_skip_copy=True).resolve(PositionProvider)
    transformer = EditTransformer(_targets(dict(positions.items()), region.edits, shift))
    changed = module.visit(transformer)
    result = changed.code
    if not result.strip():
        result = ""  # nothing but a comment was there
    elif lines[-1].endswith("\r") and not result.endswith("\r"):
        result += "\r"  # LibCST drops a carriage return at the end
    missing = set(map(id, region.edits)) - transformer.done | set(map(id, transformer.moving.values()))
    if missing:
        edit = next(edit for edit in region.edits if id(edit) in missing)
        raise EditError(f"line {edit.span.line}: nothing to edit there ({type(edit).__name__})")
    inner_first = sorted(transformer.moved, key=lambda moved: (moved[0].span.end_line, -moved[0].span.line))
    alone = changed.with_changes(header=[], footer=[], has_trailing_newline=True)
    return result.removeprefix(wrapper), [(edit, alone.with_changes(body=[node]).code) for edit, node in inner_first]


def _targets(
    positions: Mapping[cst.CSTNode, CodeRange], edits: Iterable[Edit], shift: int
) -> dict[cst.CSTNode, list[Edit]]:
    """The node of each edit, found by its place."""
    wanted: dict[tuple[int, int], list[Edit]] = {}
    for edit in edits:
        wanted.setdefault((edit.span.line - shift, edit.span.column), []).append(edit)
    found: dict[cst.CSTNode, list[Edit]] = {}
    for node, place in positions.items():
        if isinstance(node, cst.CompFor):
            place = positions[node.iter]
        elif isinstance(node, cst.GeneratorExp):
            place = positions[_anchor(node)]
        elif isinstance(node, (cst.TrailingWhitespace, cst.EmptyLine)) and node.comment:
            place = positions[node.comment]
        for edit in wanted.get((place.start.line, place.start.column), ()):
            ends = place.end.line + shift == edit.span.end_line and place.end.column == edit.span.end_column
            if isinstance(node, edit.node_types) and (ends or isinstance(edit, _HEADERS)):
                found.setdefault(node, []).append(edit)
    return found


def _anchor(node: cst.BaseExpression) -> cst.BaseExpression:
    """As `brackets.anchor`, for LibCST."""
    while True:
        if isinstance(node, cst.GeneratorExp):
            node = node.elt
        elif isinstance(node, cst.Tuple) and node.elements:
            node = node.elements[0].value
        else:
            return node


class EditTransformer(cst.CSTTransformer):
    """Applies each edit to its node on the way up, so that edits inside one another all find theirs."""

    def __init__(self, targets: dict[cst.CSTNode, list[Edit]]) -> None:
        super().__init__()
        self.targets = targets
        self.done: set[int] = set()
        self.stack: list[cst.CSTNode] = []
        self.moving: dict[cst.BaseStatement, Hoist] = {}
        self.moved: list[tuple[Hoist, cst.FunctionDef]] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        self.stack.append(node)
        return True

    def on_leave(  # type: ignore[override]
        self, original_node: cst.CSTNode, updated_node: cst.CSTNode
    ) -> cst.CSTNode | cst.RemovalSentinel | cst.FlattenSentinel[cst.CSTNode]:
        self.stack.pop()
        parent = self.stack[-1] if self.stack else None
        for edit in sorted(self.targets.get(original_node, ()), key=lambda edit: edit.rank):
            self.done.add(id(edit))
            changed = edit.apply(updated_node, parent, original_node)
            if isinstance(changed, (cst.RemovalSentinel, cst.FlattenSentinel)):
                return changed
            updated_node = changed
            if isinstance(edit, Hoist):
                assert isinstance(updated_node, cst.FunctionDef)
                self.moving[updated_node] = edit
        if isinstance(updated_node, cst.IndentedBlock) and self.moving:
            updated_node, taken = take_out(updated_node, self.moving)
            self.moved.extend(taken)
        return updated_node
