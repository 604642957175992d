"""Two syntax trees side by side: every difference must be a declared edit."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from dbos_asyncify.edits import (
    AddArguments,
    AddAwait,
    AddDecorator,
    AsyncComprehension,
    AsyncFor,
    Bracket,
    CallGetter,
    Collect,
    Edit,
    FromThread,
    ImportName,
    InSequence,
    InStatements,
    MakeAsync,
    RenameCall,
    RenameInString,
    RenameReference,
    ReplaceCallee,
    RunAsStep,
    Sorted,
    StepFromThread,
    ToThread,
    anchor,
)
from dbos_asyncify.source import Source, Span, span
from dbos_asyncify.verify import in_sequence
from dbos_asyncify.verify.error import VerifyError
from dbos_asyncify.verify.moves import Move, by_statement, compare_moved, undecorated


class Comparison:
    """Walks two syntax trees at once."""

    def __init__(self, source: Source, edits: Sequence[Edit], moves: Sequence[Move]) -> None:
        self.source = source
        self.moves = by_statement(moves)
        self.moving = {move.node for move in moves}
        self.seen: set[int] = set()  # the edits whose place was come by
        self.edits: dict[Span, list[Edit]] = {}
        for edit in edits:
            self.edits.setdefault(edit.span, []).append(edit)
        self.imports = sorted({edit.needs.line for edit in edits if edit.needs})

    def modules(self, before: ast.Module, after: ast.Module) -> None:
        """The module's statements are the same, but for the imports added and the functions moved up."""
        statements = list(after.body)
        for line in self.imports:
            imports = [s for s in statements if isinstance(s, (ast.Import, ast.ImportFrom))]
            added = next((s for s in imports if ast.unparse(s) == line), None)
            if added is None:
                raise VerifyError(f"`{line}` is missing")
            if statements.index(added) == 0 and ast.get_docstring(before) is not None:
                raise VerifyError(f"`{line}` stands above the docstring")
            if len(statements) > len(before.body) + len(self.moving):
                statements.remove(added)
        for position, statement in enumerate(before.body):
            for move in self.moves.get(statement, ()):
                if position == len(statements):
                    raise VerifyError(f"`{move.node.name}` does not stand above its statement")
                self.seen.add(id(move.edit))
                compare_moved(self, move, statements.pop(position))
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
            self.items(before, after)
            return
        if not isinstance(before, ast.AST) or not isinstance(after, ast.AST):
            if before != after or type(before) is not type(after):
                raise VerifyError(f"{before!r} became {after!r}")
            return
        if self.taken(before, Sorted):
            after = self.unsorted(after)
        if isinstance(before, ast.Call):
            self.calls(before, after)
            return
        if isinstance(before, ast.Await) and (sequence := self.taken(before, InSequence)) is not None:
            assert isinstance(sequence, InSequence)
            in_sequence.compare_value(self, sequence, before, after)
            return
        kept = self.other(before, after)
        if kept is not None:
            self.fields(before, kept)

    def items(self, before: list[object], after: Sequence[object]) -> None:
        """The same, but for statements in place of one, and for functions that are moved."""
        staying = [one for one in before if one not in self.moving] if self.moving else before
        if not staying and before and len(after) == 1 and isinstance(after[0], ast.Pass):
            return
        before = staying
        position = 0
        for one in before:
            edit = self.taken(one, InStatements) if isinstance(one, ast.Expr) else None
            if edit is not None:
                assert isinstance(edit, InStatements)
                assert isinstance(one, ast.Expr)
                position += in_sequence.compare_statement(self, edit, one, after[position:])
            elif position == len(after):
                raise VerifyError("something was removed")
            else:
                self.same(one, after[position])
                position += 1
        if position < len(after):
            raise VerifyError("something was added")

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
        if isinstance(before, ast.AsyncFunctionDef) and (added := self.taken(before, AddDecorator)) is not None:
            assert isinstance(added, AddDecorator)
            return self.decorated(added, after)
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

    def decorated(self, edit: AddDecorator, after: ast.AST) -> ast.AST:
        if not isinstance(after, ast.AsyncFunctionDef):
            raise VerifyError("a coroutine function is none any more")
        return undecorated(edit.decorator, after)

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

    def unsorted(self, after: ast.AST) -> ast.AST:
        """The only argument of `sorted()`."""
        is_call = isinstance(after, ast.Call) and ast.unparse(after.func) == "sorted"
        if not is_call or len(after.args) != 1 or after.keywords:  # type: ignore[attr-defined]
            raise VerifyError(f"`{ast.unparse(after)}` does not sort")
        argument: ast.expr = after.args[0]  # type: ignore[attr-defined]
        return argument

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
        func, args, keywords = after.func, list(after.args), list(after.keywords)
        to_thread = self.taken(before, ToThread)
        if to_thread is not None:
            assert isinstance(to_thread, ToThread)
            if ast.unparse(func) != to_thread.spelling or not args:
                raise VerifyError(f"`{ast.unparse(before)}` did not go to a thread")
            func = args.pop(0)
        from_thread = self.taken(before, StepFromThread)
        if from_thread is not None:
            assert isinstance(from_thread, StepFromThread)
            if ast.unparse(func) != from_thread.spelling or not args or ast.unparse(args.pop(0)) != "None":
                raise VerifyError(f"`{ast.unparse(before)}` did not become a step")
            func = before.func
        as_step = self.taken(before, RunAsStep)
        if as_step is not None:
            assert isinstance(as_step, RunAsStep)
            options = args[0] if len(args) > 1 else None
            no_options = isinstance(options, ast.Constant) and options.value is None
            if ast.unparse(func) != as_step.spelling or not no_options:
                raise VerifyError(f"`{ast.unparse(before)}` did not become a step")
            func = args[1]
            del args[:2]
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
        if (added := self.taken(before, AddArguments)) is not None:
            assert isinstance(added, AddArguments)
            func = self.old_name(added, func)
            args, keywords = self.without_added(added, args, keywords)
        self.same(callee, func)
        self.same(expected, args)
        self.same(list(before.keywords), keywords)

    def without_added(
        self, edit: AddArguments, args: list[ast.expr], keywords: list[ast.keyword]
    ) -> tuple[list[ast.expr], list[ast.keyword]]:
        """A call's arguments without those that were added behind the others."""
        count = len(edit.arguments)
        if edit.keyword:
            names = [word.arg or "" for word in keywords[len(keywords) - count :]]
            values = [word.value for word in keywords[len(keywords) - count :]]
            keywords = keywords[: len(keywords) - count]
        else:
            names, values = list(edit.arguments), args[len(args) - count :]
            args = args[: len(args) - count]
        if tuple(names) != edit.arguments or [ast.unparse(value) for value in values] != names:
            raise VerifyError(f"`{', '.join(edit.arguments)}` not added to the arguments of `{edit.new}`")
        return args, keywords

    def old_name(self, rename: RenameCall | AddArguments, func: ast.expr) -> ast.expr:
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
