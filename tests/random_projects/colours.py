"""Which functions of a project are coroutines in its correct form, and which handles are asynchronous."""

from __future__ import annotations

from collections.abc import Iterator

from random_projects.model import (
    Api,
    Call,
    Function,
    Kind,
    Name,
    NestedCall,
    Origin,
    Part,
    Project,
    Stream,
    Wait,
    walk,
)

_BLOCKS = (Api, Wait, Stream, NestedCall)


class Colours:
    """The two colours of functions: worked out from the model, with no look at any text."""

    def __init__(self, project: Project, *, promote: bool = True) -> None:
        self.project = project
        self.blocking = self._blocking()
        self.coroutines = {function for function in project.functions if function.kind.is_coroutine}
        if promote:
            self.coroutines |= self._promoted()

    def is_async(self, origin: Origin) -> bool:
        """Whether the handle that a call gives is asynchronous: everybody who waits for it must be a coroutine."""
        functions = (origin.where, *origin.waiters)
        forms = origin.form and all(other.form for other in origin.beside)
        return forms and all(function in self.coroutines for function in functions)

    def _parts(self, function: Function) -> Iterator[tuple[Part, bool]]:
        for text in function.body:
            yield from walk(text)

    def _blocking(self) -> set[Function]:
        found: set[Function] = set()
        for function in self.project.functions:  # callees come first
            for part, _ in self._parts(function):
                if isinstance(part, _BLOCKS) or (isinstance(part, Call) and part.function in found):
                    found.add(function)
            if function.kind.runs_in_a_thread:
                found.add(function)
        return found

    def _promoted(self) -> set[Function]:
        """The largest set of helpers that only coroutines and each other call."""
        callers: dict[Function, set[Function]] = {}
        pinned = {function for function in self.project.functions if function.pinned or function.decorator}
        for function in self.project.functions:
            for part, raw in self._parts(function):
                if isinstance(part, Call) and not raw:
                    callers.setdefault(part.function, set()).add(function)
                elif isinstance(part, (Call, Name)):
                    pinned.add(part.function)
        for module in self.project.modules:
            for text in (*module.before, *module.after):
                pinned |= {part.function for part, _ in walk(text) if isinstance(part, (Call, Name))}
        found = {
            function
            for function in self.blocking
            if function.kind is Kind.HELPER and function not in pinned and callers.get(function, set()) - {function}
        }
        origins = [
            part.origin
            for function in self.project.functions
            for part, _ in self._parts(function)
            if isinstance(part, Api) and part.origin is not None and part.origin.form
        ]
        while True:
            coroutines = found | self.coroutines
            left = {function for function in found if not callers[function] <= coroutines}
            for origin in origins if not left else ():
                if origin.where in coroutines and not coroutines.issuperset(origin.waiters):
                    left |= found & {origin.where, *origin.waiters}  # a handle cannot be of both kinds
            if not left:
                return found
            found -= left
