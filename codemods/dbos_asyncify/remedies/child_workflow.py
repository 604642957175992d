"""Makes a child workflow of a coroutine that runs beside others: its steps get a history of their own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from dbos_asyncify.edits import AddArguments, AddDecorator, Edit, Hoist
from dbos_asyncify.project.branches import Branch
from dbos_asyncify.project.closures import Free, assigns_outside, changed_in, free_variables, of_own_workflow
from dbos_asyncify.project.facts import Context, Function
from dbos_asyncify.project.program import CallSite, FunctionKey, Program, Unit
from dbos_asyncify.project.scopes import owner_of
from dbos_asyncify.project.serialisable import Serialisable
from dbos_asyncify.project.spans import FOREVER, begin, loops_around
from dbos_asyncify.project.values import Cls, Ext, Func, Inst, Obj, Role
from dbos_asyncify.remedies.signature import is_known, too_early
from dbos_asyncify.remedies.spelling import by_name
from dbos_asyncify.remedies.workflow_names import namesake, new_name
from dbos_asyncify.source import span

_USES_LOOP = frozenset({"asyncio.get_running_loop", "asyncio.get_event_loop"})
_SHARED = frozenset(f"asyncio.{name}()" for name in ("Lock", "Semaphore", "BoundedSemaphore", "Event", "Queue"))
Located = tuple[Path, Edit]


@dataclass(frozen=True, slots=True)
class ChildWorkflow:
    """How the coroutine function of `branch`, which `spot` runs beside others, becomes a workflow."""

    program: Program
    spot: CallSite
    branch: Branch

    def remedy(self) -> tuple[tuple[Located, ...], str]:
        """The edits, or the reason why there are none."""
        (atom,) = self.branch.callee if len(self.branch.callee) == 1 else (None,)
        shown = ast.unparse(self.branch.call.func)
        if not isinstance(atom, Func) or atom.role is not Role.PLAIN:
            return (), f"`{shown}` is no function that could become a workflow: make a child workflow that runs it"
        unit = self.program.units[atom.module]
        function = unit.facts.functions[atom.index]
        reason = self.obstacle(unit, function)
        if reason:
            return (), reason
        free = [each for each in free_variables(unit.facts, function) if each.name != function.name]
        calls = list(self.calls(atom))
        reason = self.closure_obstacle(unit, function, free) or self.call_obstacle(function, free, calls)
        if reason:
            return (), reason
        return tuple(self.edits(unit, function, free, calls)), ""

    @property
    def key(self) -> FunctionKey:
        """The coroutine function."""
        (func,) = (atom for atom in self.branch.callee if isinstance(atom, Func))
        return (func.module, func.index)

    # the function

    def obstacle(self, unit: Unit, function: Function) -> str:
        name = function.name
        if self.program.catalogue.version < (2, 10):
            return "before dbos 2.10 the child workflows would draw their numbers in any order too"
        if not isinstance(function.node, ast.AsyncFunctionDef) or function.is_generator:
            return f"`{name}` is no coroutine function: make a child workflow that runs it"
        if function.cls >= 0:
            return f"`{name}` is a method: a workflow of a class needs a `DBOSConfiguredInstance`"
        if function.parent < 0 and (other := namesake(self.program, unit, function)):
            return f"another workflow is called `{name}` too ({other}), and DBOS tells them apart by name: rename one"
        if function.parent >= 0 and (private := _private_name(unit, function)):
            return f"`{name}` uses `{private}`, which only the class around it can"
        if assigned := assigns_outside(unit.facts, function):
            return f"`{name}` assigns to `{assigned}` of the function around it: return the value instead"
        for each in ast.walk(function.node):
            if (
                isinstance(each, ast.Call)
                and {atom.path for atom in self.program.value(unit, each.func) if isinstance(atom, Ext)} & _USES_LOOP
            ):
                return f"`{name}` uses the running event loop"
        own = of_own_workflow(self.program, self.key)
        return f"`{name}` uses `{own}`, which would speak of the child workflow instead of this one" if own else ""

    def closure_obstacle(self, unit: Unit, function: Function, free: list[Free]) -> str:
        """Why the variables of the functions around cannot become parameters."""
        name = function.name
        known = Serialisable(self.program, self.key)
        changed = dict(changed_in(function.node))
        for variable in free:
            if variable.name in changed:
                return f"`{name}` changes `{variable.name}` of the function around it: return what it adds instead"
            if not known.variable(unit, variable.owner, variable.name):
                return self.not_stored(unit, name, variable)
            if self.is_rebound(unit, variable):
                return (
                    f"`{variable.name}`, which `{name}` uses, gets another value meanwhile: hand it over as an argument"
                )
            if self.is_changed(unit, variable):
                return f"`{variable.name}`, which `{name}` uses, is changed meanwhile: hand it over as an argument"
        defaults = [*function.node.args.defaults, *(d for d in function.node.args.kw_defaults if d is not None)]
        annotations = [arg.annotation for arg in _parameters(function) if arg.annotation is not None]
        decorators: list[ast.expr] = getattr(function.node, "decorator_list", [])
        returns = getattr(function.node, "returns", None)
        for part in (*defaults, *annotations, *decorators, *([returns] if returns is not None else [])):
            if function.parent >= 0 and _reads_local(unit, function, part):
                return f"the signature of `{name}` uses variables of the function around it"
        if function.parent >= 0 and (later := too_early(unit, function)):
            return f"the signature of `{name}` uses `{later}`, which has no value yet above the function around it"
        return ""

    def not_stored(self, unit: Unit, name: str, variable: Free) -> str:
        """Why a workflow cannot be given the variable, and what to do."""
        number = unit.facts.numbers[variable.first]
        atoms = self.program.values.value(unit.number, number)
        if any(isinstance(atom, (Func, Cls)) for atom in atoms):
            return f"`{variable.name}`, which `{name}` uses, is defined inside another function: move it to the module"
        if any(isinstance(atom, Ext) and atom.path in _SHARED for atom in atoms):
            return f"`{variable.name}` is shared by all, and no workflow can be given it: limit them with a DBOS queue"
        return f"`{variable.name}`, which `{name}` uses, is not known to be serialisable: make or get it inside"

    def is_rebound(self, unit: Unit, variable: Free) -> bool:
        """Whether the variable gets another value while the coroutine runs."""
        facts = unit.facts
        for number in facts.cells.get((variable.owner, variable.name), ()):
            node = facts.nodes[number]
            if not isinstance(node, (ast.Name, ast.arg)) or self.is_meanwhile(unit, variable, node):
                return True
        return False

    def is_changed(self, unit: Unit, variable: Free) -> bool:
        """Whether its value is changed in place while the coroutine runs."""
        facts = unit.facts
        around = next(each for each in facts.functions if each.scope == variable.owner)
        return any(
            self.is_meanwhile(unit, variable, node)
            for name, node in changed_in(around.node)
            if name == variable.name and _owner(unit, _scope(unit, node), name) == variable.owner
        )

    def is_meanwhile(self, unit: Unit, variable: Free, node: ast.expr | ast.arg) -> bool:
        """Whether a place in the function that has the variable is come to while the coroutine runs."""
        call, facts = self.branch.call, unit.facts
        if not isinstance(node, ast.arg) and _scope(unit, node) != variable.owner:
            return True  # in another function inside, which can be called then
        end = self.branch.end if self.branch.maker == self.spot.function_key else FOREVER
        if begin(call) < (node.lineno, node.col_offset) < end:
            return True
        shared = loops_around(facts, node) | _targets_of(facts.parents, node)
        return any(_end(loop) < end for loop in shared & loops_around(facts, call))

    # its calls

    def calls(self, func: Func) -> Iterator[tuple[Unit, ast.expr]]:
        """All places where the function is read: mostly what calls it."""
        decorators = self.decorators(func)
        for unit, node in self.program.function_reads.get((func.module, func.index), ()):
            if not self.is_inside(unit, unit.facts.numbers[node], decorators.get(unit.number, set())):
                yield unit, node

    def decorators(self, func: Func) -> dict[int, set[int]]:
        """The functions that decorate it: what they are given is not handed on, but wrapped."""
        found: dict[int, set[int]] = {}
        for number in self.program.function(func).decorators:
            for atom in self.program.values.value(func.module, number):
                if isinstance(atom, Func):
                    found.setdefault(atom.module, set()).add(atom.index)
        return found

    def is_inside(self, unit: Unit, number: int, functions: set[int]) -> bool:
        index = unit.facts.contexts[number].function
        while index >= 0 and index not in functions:
            index = unit.facts.functions[index].parent
        return index >= 0

    def call_obstacle(self, function: Function, free: list[Free], reads: list[tuple[Unit, ast.expr]]) -> str:
        concurrency = self.program.concurrency
        known = Serialisable(self.program, self.key)
        name = function.name
        for unit, node in reads:
            call = unit.facts.parents[node]
            where = f"{unit.source.path.name}:{node.lineno}"
            if not isinstance(call, ast.Call) or call.func is not node:
                return f"`{name}` is not only called, but handed on ({where})"
            if len(self.program.value(unit, node)) > 1:
                return f"`{ast.unparse(node)}` can be something else too ({where})"
            caller = (unit.number, unit.facts.contexts[unit.facts.numbers[call]].function)
            if caller not in concurrency.workflow_code or caller in concurrency.mixed:
                return f"`{name}` is also called outside workflows ({where})"
            for number in unit.facts.contexts[unit.facts.numbers[call]].withs:
                for atom in self.program.values.value(unit.number, number):
                    if isinstance(atom, Inst) and atom.cls.startswith("Set"):
                        return f"`{atom.cls}` around the call would set that of the child workflow ({where})"
            for variable in free:
                scope = unit.facts.name_scopes.get(unit.facts.numbers[node], 0)
                if owner_of(unit.facts.scopes, scope, variable.name) != variable.owner:
                    return f"`{variable.name}` is something else where `{name}` is called ({where})"
            for argument in (*call.args, *(word.value for word in call.keywords)):
                if not known.expression(unit, argument):
                    return (
                        f"`{ast.unparse(argument)}`, which `{name}` is given, is not known to be serialisable ({where})"
                    )
        if any(self.gives_object(value) for value in function.returns):
            return f"`{name}` returns an object that may not be serialisable"
        return ""

    def gives_object(self, value: int) -> bool:
        return any(isinstance(atom, (Obj, Func)) for atom in self.program.values.value(self.key[0], value))

    # the edits

    def edits(
        self, unit: Unit, function: Function, free: list[Free], reads: list[tuple[Unit, ast.expr]]
    ) -> Iterator[Located]:
        source = unit.source
        spot = replace(self.spot, unit=unit, context=Context())  # at module level
        dbos, imports = by_name(self.program, spot, "dbos", "DBOS")
        decorator = f"@{dbos}.workflow()"
        if function.parent < 0:
            yield source.path, AddDecorator(span(function.node, source), decorator, imports)
            return
        name = new_name(self.program, unit, function)
        parameters = tuple((variable.name, self.annotation(unit, function, variable)) for variable in free)
        yield source.path, Hoist(span(function.node, source), decorator, imports, name, parameters)
        names = tuple(variable.name for variable in free)
        for _, node in reads:
            call = unit.facts.parents[node]
            assert isinstance(call, ast.Call)
            if names or name != function.name:
                by_keyword = _is_flexible(function) or bool(call.keywords)
                yield source.path, AddArguments(span(call, source), function.name, name, names, by_keyword)

    def annotation(self, unit: Unit, function: Function, variable: Free) -> str:
        """The annotation that the variable has as a parameter or where it is assigned, if it means the same outside."""
        facts = unit.facts
        for number in facts.cells.get((variable.owner, variable.name), ()):
            node = facts.nodes[number]
            written, form = None, "{}"
            if isinstance(node, ast.arg):
                written, form = node.annotation, _form_of(facts.parents.get(node), node)
            elif node is not None and isinstance(statement := facts.parents.get(node), ast.AnnAssign):
                written = statement.annotation
            if written is not None and is_known(unit, function, written):
                text = ast.get_source_segment(unit.source.text, written) or ""
                return form.format(text if text and "\n" not in text else ast.unparse(written))
        return ""


def _parameters(function: Function) -> list[ast.arg]:
    arguments = function.node.args
    own = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [*own, *(each for each in (arguments.vararg, arguments.kwarg) if each is not None)]


def _is_flexible(function: Function) -> bool:
    """Whether positions do not tell its parameters apart: it has defaults, or takes any number."""
    arguments = function.node.args
    return bool(arguments.defaults or arguments.vararg or arguments.kwarg or arguments.kwonlyargs)


def _reads_local(unit: Unit, function: Function, part: ast.expr) -> bool:
    outer = unit.facts.functions[function.parent].scope
    names = [each for each in ast.walk(part) if isinstance(each, ast.Name)]
    return any(_owner(unit, outer, name.id) > 0 for name in names)


def _form_of(arguments: ast.AST | None, node: ast.arg) -> str:
    """How the annotation of a parameter says what the parameter is: `*names: str` is a tuple of them."""
    if not isinstance(arguments, ast.arguments) or node not in (arguments.vararg, arguments.kwarg):
        return "{}"
    if isinstance(node.annotation, (ast.Starred, ast.Attribute, ast.Constant)):
        return ""  # `*Ts`, `P.args`, a text
    return "tuple[{}, ...]" if node is arguments.vararg else "dict[str, {}]"


def _private_name(unit: Unit, function: Function) -> str:
    """A name such as `__rate` in a function inside a class, where Python writes the class's own name in front."""
    around = function
    while around.parent >= 0 and around.cls < 0:
        around = unit.facts.functions[around.parent]
    if around.cls < 0:
        return ""
    names = [getattr(node, "id", getattr(node, "attr", "")) for node in ast.walk(function.node)]
    return next((name for name in names if name.startswith("__") and not name.endswith("__")), "")


def _scope(unit: Unit, node: ast.AST) -> int:
    """The scope of the function that a node stands in."""
    functions = unit.facts.functions
    here = unit.facts.parents.get(node)
    while here is not None:
        for each in functions:
            if each.node is here:
                return each.scope
        here = unit.facts.parents.get(here)
    return 0


def _owner(unit: Unit, scope: int, name: str) -> int:
    return owner_of(unit.facts.scopes, scope, name)


def _targets_of(parents: dict[ast.AST, ast.AST], node: ast.AST) -> set[ast.AST]:
    """The loop whose variable a name is."""
    here = parents.get(node)
    while isinstance(here, (ast.Tuple, ast.List, ast.Starred)):
        here = parents.get(here)
    return {here} if isinstance(here, (ast.For, ast.AsyncFor)) else set()


def _end(loop: ast.AST) -> tuple[int, int]:
    return (getattr(loop, "end_lineno", 0), getattr(loop, "end_col_offset", 0))
