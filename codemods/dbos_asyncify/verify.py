"""Proof that a rewritten file differs from the original by its declared edits alone.

Independent of the LibCST code that carries edits out: the original's syntax tree and the result's are walked side by
side, and every difference must be one that an edit at that very place declares. Comments must all be there, but for
those that an edit changes, and lines without an edit must be the same bytes.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from collections.abc import Iterable, Mapping, Sequence

from dbos_asyncify.edits import (
    AddAwait,
    AsyncComprehension,
    AsyncFor,
    Bracket,
    CallGetter,
    Collect,
    Edit,
    EditComment,
    FromThread,
    ImportName,
    MakeAsync,
    RenameCall,
    RenameInString,
    RenameReference,
    ReplaceCallee,
    ToThread,
    anchor,
)
from dbos_asyncify.source import Source, Span, span


class VerifyError(Exception):
    """The result is not what the edits declare: the tool's own fault."""


def verify(source: Source, tree: ast.Module, text: str, edits: Sequence[Edit]) -> None:
    """Raise VerifyError unless `text` is `source` (whose syntax tree is `tree`) with exactly `edits` carried out."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = ast.parse(text)
            compile(text, str(source.path), "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise VerifyError(f"the result does not compile: {error}") from error
    comparison = Comparison(source, edits)
    comparison.modules(tree, result)
    changed = {edit.span.line: edit for edit in edits if isinstance(edit, EditComment)}
    for edit in edits:
        if id(edit) not in comparison.seen and changed.get(edit.span.line) is not edit:
            raise VerifyError(f"line {edit.span.line}: nothing there to edit ({type(edit).__name__})")
    if _declared(_comments(source.text), changed) != [comment for _, comment in _comments(text)]:
        raise VerifyError("a comment was lost, added or moved")
    _lines(source, text, edits, changed)


class Comparison:
    """Walks two syntax trees at once."""

    def __init__(self, source: Source, edits: Sequence[Edit]) -> None:
        self.source = source
        self.seen: set[int] = set()  # the edits whose place was come by
        self.edits: dict[Span, list[Edit]] = {}
        for edit in edits:
            self.edits.setdefault(edit.span, []).append(edit)
        self.imports = sorted({edit.needs.line for edit in edits if edit.needs})

    def modules(self, before: ast.Module, after: ast.Module) -> None:
        """The module's statements are the same, but for the imports added."""
        statements = list(after.body)
        for line in self.imports:
            imports = [s for s in statements if isinstance(s, (ast.Import, ast.ImportFrom))]
            added = next((s for s in imports if ast.unparse(s) == line), None)
            if added is None:
                raise VerifyError(f"`{line}` is missing")
            if statements.index(added) == 0 and ast.get_docstring(before) is not None:
                raise VerifyError(f"`{line}` stands above the docstring")
            if len(statements) > len(before.body):
                statements.remove(added)
        self.same(before.body, statements)

    def taken(self, node: ast.AST, *kinds: type[Edit]) -> Edit | None:
        """The edit of one of these kinds that is declared for a node."""
        if not isinstance(node, (ast.expr, ast.stmt)):
            return None
        for edit in self.edits.get(span(node, self.source), ()):
            if isinstance(edit, kinds):
                self.seen.add(id(edit))
                return edit
        return None

    def same(self, before: object, after: object) -> None:
        """Raise VerifyError where the two differ by anything else than a declared edit."""
        if isinstance(before, list) and isinstance(after, list):
            if len(before) != len(after):
                raise VerifyError("something was added or removed")
            for one, other in zip(before, after, strict=True):
                self.same(one, other)
            return
        if not isinstance(before, ast.AST) or not isinstance(after, ast.AST):
            if before != after or type(before) is not type(after):
                raise VerifyError(f"{before!r} became {after!r}")
            return
        if isinstance(before, ast.Call):
            self.calls(before, after)
            return
        kept = self.other(before, after)
        if kept is not None:
            self.fields(before, kept)

    def other(self, before: ast.AST, after: ast.AST) -> ast.AST | None:
        """The result's node with the edit of a node that is no call undone; None where nothing is left to compare."""
        if isinstance(before, ast.GeneratorExp) and self.taken(anchor(before), Bracket):
            return self.retyped(after, ast.ListComp, ast.GeneratorExp)
        edit = self.taken(before, AsyncFor, MakeAsync, RenameReference, RenameInString, ImportName)
        if isinstance(before, ast.comprehension):
            return self.comprehension(before, after)
        if isinstance(before, ast.Attribute) and (getter := self.taken(before, CallGetter)) is not None:
            assert isinstance(getter, CallGetter)
            return self.attribute(getter, self.unawaited(before, after))
        if isinstance(edit, AsyncFor) and isinstance(before, ast.For):
            return self.retyped(after, ast.AsyncFor, ast.For)
        if isinstance(edit, MakeAsync) and isinstance(before, ast.FunctionDef):
            return self.retyped(after, ast.AsyncFunctionDef, ast.FunctionDef)
        if isinstance(edit, RenameReference):
            return self.renamed(edit, after)
        if isinstance(edit, RenameInString) and isinstance(after, ast.Constant):
            assert isinstance(before, ast.Constant)
            self.same(re.sub(rf"\b{edit.old}\b", edit.new, str(before.value)), after.value)
            return None
        if isinstance(edit, ImportName) and isinstance(before, ast.ImportFrom):
            self.imported(edit, before, after)
            return None
        return after

    def retyped(self, after: ast.AST, became: type[ast.AST], was: type[ast.AST]) -> ast.AST:
        if type(after) is not became:
            raise VerifyError(f"{was.__name__} did not become {became.__name__}")
        return was(**{name: getattr(after, name) for name in was._fields if hasattr(after, name)})

    def renamed(self, edit: RenameReference, after: ast.AST) -> ast.AST:
        if isinstance(after, ast.Name) and after.id == edit.new:
            return ast.Name(edit.old, after.ctx)
        if isinstance(after, ast.Attribute) and after.attr == edit.new:
            return ast.Attribute(after.value, edit.old, after.ctx)
        raise VerifyError(f"{edit.old} did not become {edit.new}")

    def imported(self, edit: ImportName, before: ast.ImportFrom, after: ast.AST) -> None:
        names: list[str] = []
        for alias in before.names:
            if alias.name == edit.old:
                names.extend([edit.old] * edit.keep_old)
                names.append(edit.new)
            else:
                names.append(f"{alias.name} as {alias.asname}" if alias.asname else alias.name)
        wanted = f"from {'.' * before.level}{before.module or ''} import {', '.join(names)}"
        if ast.unparse(after) != wanted:
            raise VerifyError(f"`{ast.unparse(after)}` should be `{wanted}`")

    def unawaited(self, before: ast.expr, after: ast.AST) -> ast.AST:
        """What is under the `await`, where one was to be added."""
        if not self.taken(before, AddAwait):
            return after
        if not isinstance(after, ast.Await):
            raise VerifyError(f"`{ast.unparse(before)}` is not awaited")
        return after.value

    def attribute(self, edit: CallGetter, after: ast.AST) -> ast.AST:
        method = after.func if isinstance(after, ast.Call) and not after.args and not after.keywords else None
        if not isinstance(method, ast.Attribute) or method.attr != edit.getter:
            raise VerifyError(f"{edit.old} did not become {edit.getter}()")
        return ast.Attribute(method.value, edit.old, ast.Load())

    def comprehension(self, before: ast.comprehension, after: ast.AST) -> ast.AST:
        if self.taken(before.iter, AsyncComprehension) is None:
            return after
        if not isinstance(after, ast.comprehension) or after.is_async != 1:
            raise VerifyError("a comprehension did not become asynchronous")
        return ast.comprehension(after.target, after.iter, after.ifs, 0)

    def fields(self, before: ast.AST, after: ast.AST) -> None:
        if type(before) is not type(after):
            raise VerifyError(f"{type(before).__name__} became {type(after).__name__}")
        for name in before._fields:
            if name not in ("type_comment", "kind"):
                self.same(getattr(before, name, None), getattr(after, name, None))

    # calls

    def calls(self, before: ast.Call, after: ast.AST) -> None:
        """A call, with what was done around it undone."""
        after = self.unawaited(before, after)
        if (collect := self.taken(before, Collect)) is not None:
            assert isinstance(collect, Collect)
            self.same(before.args[0], self.collected(collect, before, after))
            return
        if not isinstance(after, ast.Call):
            raise VerifyError(f"`{ast.unparse(before)}` is no call any more")
        func, args, keywords = after.func, list(after.args), after.keywords
        to_thread = self.taken(before, ToThread)
        if to_thread is not None:
            assert isinstance(to_thread, ToThread)
            if ast.unparse(func) != to_thread.spelling or not args:
                raise VerifyError(f"`{ast.unparse(before)}` did not go to a thread")
            func = args.pop(0)
        replaced = self.taken(before, ReplaceCallee)
        if replaced is not None:
            assert isinstance(replaced, ReplaceCallee)
            if ast.unparse(func) != replaced.spelling:
                raise VerifyError(f"`{ast.unparse(before)}` does not call {replaced.spelling}")
            func = before.func
        expected: list[ast.expr] = list(before.args)
        callee = before.func
        if self.taken(before, FromThread):
            callee = expected.pop(0)
        rename = self.taken(before, RenameCall)
        if rename is not None:
            assert isinstance(rename, RenameCall)
            func = self.old_name(rename, func)
        self.same(callee, func)
        self.same(expected, args)
        self.same(list(before.keywords), list(keywords))

    def old_name(self, rename: RenameCall, func: ast.expr) -> ast.expr:
        if isinstance(func, ast.Attribute) and func.attr == rename.new:
            return ast.Attribute(func.value, rename.old, func.ctx)
        if isinstance(func, ast.Name) and func.id == rename.new:
            return ast.Name(rename.old, func.ctx)
        raise VerifyError(f"{rename.old} did not become {rename.new}")

    def collected(self, edit: Collect, before: ast.Call, after: ast.AST) -> ast.AST:
        """The stream inside `[value async for value in stream]`."""
        kind = before.func.id if isinstance(before.func, ast.Name) else ""
        if (
            kind == "tuple"
            and isinstance(after, ast.Call)
            and ast.unparse(after.func) == "tuple"
            and len(after.args) == 1
        ):
            after = after.args[0]
        if not isinstance(after, ast.SetComp if kind == "set" else ast.ListComp):
            raise VerifyError(f"`{ast.unparse(before)}` did not become a comprehension")
        loop = after.generators[0]
        named = ast.unparse(after.elt) == ast.unparse(loop.target) == edit.variable
        if len(after.generators) != 1 or not loop.is_async or loop.ifs or not named:
            raise VerifyError(f"`{ast.unparse(before)}` became another comprehension")
        return loop.iter


def _comments(text: str) -> list[tuple[int, str]]:
    """The comments of a text, in order, each with its line."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text, newline="").readline))
    except (tokenize.TokenError, SyntaxError) as error:
        raise VerifyError(f"the comments cannot be compared: {error}") from error
    return [(token.start[0], token.string.rstrip()) for token in tokens if token.type == tokenize.COMMENT]


def _declared(comments: Iterable[tuple[int, str]], changed: Mapping[int, EditComment]) -> list[str]:
    """The comments that must be there when those edits are carried out."""
    found: list[str] = []
    pending = dict(changed)
    for line, comment in comments:
        edit = pending.pop(line, None)
        if edit is not None and edit.old.rstrip() != comment:
            raise VerifyError(f"line {line}: the comment is not `{edit.old}`")
        found.append(comment if edit is None else edit.new.rstrip())
    if pending:
        raise VerifyError(f"line {min(pending)}: no comment there to edit")
    return [comment for comment in found if comment]


def _lines(source: Source, text: str, edits: Iterable[Edit], changed: Mapping[int, EditComment]) -> None:
    """Every line outside the edits is there, unchanged and in order; of one with a comment's edit, the rest of it."""
    touched: set[int] = set()
    for edit in edits:
        if isinstance(edit, EditComment):
            continue
        if isinstance(edit, Bracket):
            touched.update(range(edit.closing[0], edit.closing[1] + 1))
        header_only = isinstance(edit, (AsyncFor, MakeAsync))  # their spans hold the bodies too
        last = edit.span.line if header_only else edit.span.end_line
        touched.update(range(edit.span.line, last + 1))
    wanted = {
        number: _commented(line, changed[number]) if number in changed else line
        for number, line in enumerate(source.lines, start=1)
    }
    final = max((number for number, line in wanted.items() if line), default=0)
    result = tuple(io.StringIO(text, newline=""))
    position = 0
    for number, line in wanted.items():
        if number in touched or not line:
            continue
        try:
            position = result.index(line, position) + 1
        except ValueError:
            end = line.rstrip("\r\n") + ("" if line.endswith(("\r", "\n")) else source.newline)
            if number != final or source.lines[-1].endswith(("\r", "\n")) or end not in result[position:]:
                raise VerifyError(f"line {number} changed, which no edit concerns") from None


def _commented(line: str, edit: EditComment) -> str:
    """A line with its comment edited; nothing is left of one that held the comment only."""
    code, end = line[: edit.span.column], line[len(line.rstrip("\r\n")) :]
    if edit.new:
        return code + edit.new + end
    if not code.strip():
        return ""
    bare = code.rstrip()
    return (code if bare.endswith(";") else bare) + end  # blanks behind a semicolon are the semicolon's
