"""DBA208: the steps of a workflow follow the order of a set."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from dbos_asyncify.edits import Sorted
from dbos_asyncify.project import library
from dbos_asyncify.project.draws import most
from dbos_asyncify.project.program import Program, Spot, Unit
from dbos_asyncify.project.scopes import owner_of
from dbos_asyncify.project.spans import ancestors
from dbos_asyncify.project.unordered import Unordered, draws_any
from dbos_asyncify.project.values import (
    NONE,
    Atom,
    Bound,
    Cls,
    Coro,
    Ext,
    Func,
    Handle,
    HandleMethod,
    Inst,
    Obj,
    Partial,
    Stream,
)
from dbos_asyncify.rules.base import Draft, Effect, Rule

_UNORDERABLE = (Bound, Cls, Coro, Func, Handle, HandleMethod, Inst, Partial, Stream)
_PASS_ON = frozenset({"enumerate", "zip", "map", "filter", "islice"})  # sorted outside, they would give something else
_ORDERED_BASES = frozenset({"typing.NamedTuple", "enum.IntEnum", "enum.StrEnum", "enum.IntFlag"})


class UnorderedSteps(Rule):
    """The steps of a workflow follow the order of a set.

    ## What it does
    Finds loops and comprehensions over a set, in asynchronous workflows and in the functions that they call, which run
    steps, start workflows or make other recorded DBOS calls for its elements, and sets of coroutines that are handed on
    with `*`; and loops that take such elements by `pop()`. What takes its order from a set (`list(names)`,
    `enumerate(names)`) counts as one. Dictionaries and lists keep their order and are fine.

    ## Why
    The order of a set depends on the hashes of its elements, and those of strings and of most objects differ from
    process to process. When the workflow is recovered, the steps come in another order than recorded: a step
    gets the result of another one, or DBOS stops the workflow.

    ## Example
    ```python
    @DBOS.workflow()
    async def remind(addresses: list[str]) -> None:
        for address in set(addresses):
            await send_mail(address)
    ```

    ## Instead
    ```python
    @DBOS.workflow()
    async def remind(addresses: list[str]) -> None:
        for address in sorted(set(addresses)):
            await send_mail(address)
    ```

    ## Fix safety
    Unsafe: workflows in flight may have recorded another order, and nobody knows of all elements whether they can be
    compared. No fix where they cannot (tasks, coroutines, handles, objects of classes without `__lt__`, None), nor for
    `pop()`.
    """

    code = "DBA208"
    blocks = False
    effect = Effect("the steps are recorded in the order of the sorted elements", certain=False)

    @classmethod
    def check_unit(cls, program: Program, unit: Unit) -> Iterable[Draft]:
        here = {index for module, index in program.concurrency.workflow_code if module == unit.number}
        numbers = unit.facts.numbers.items() if here else ()
        for node, number in list(numbers):
            if not isinstance(node, ast.expr) or unit.facts.contexts[number].function not in here:
                continue
            if isinstance(node, ast.Call) and (taken := _taken_from(program, unit, node)) is not None:
                yield cls.taken(program, Spot(unit, node, number, unit.facts.contexts[number]), taken)
            if not _runs_steps(program, unit, node):
                continue
            found = _set_in(program, unit, node)
            if found is not None:
                yield cls.draft(program, Spot(unit, found, unit.facts.numbers[found], unit.facts.contexts[number]))

    @classmethod
    def draft(cls, program: Program, spot: Spot) -> Draft:
        shown = ast.unparse(spot.node)
        named = f"`{shown}`" if len(shown) <= 40 else "the set here"
        message = f"the steps follow the order of {named}, which is another one when the workflow is recovered"
        reason = _obstacle(program, spot)
        if reason:
            return Draft(cls, spot, message, reason=reason)
        caution = "workflows in flight may have recorded another order; the elements must be comparable"
        return Draft(cls, spot, message, (Sorted(spot.span),), caution=caution)

    @classmethod
    def taken(cls, program: Program, spot: Spot, taken: ast.expr) -> Draft:
        """The finding at a `pop()` of a set."""
        shown = ast.unparse(spot.node)
        message = f"the steps follow the order of `{shown}`, which is another one when the workflow is recovered"
        reason = _unsortable(program, spot.unit, taken) or "keep them in a sorted list, and take them from that"
        return Draft(cls, spot, message, reason=reason)


def _taken_from(program: Program, unit: Unit, call: ast.Call) -> ast.expr | None:
    """The set that `pop()` takes an element from, in a loop that draws steps for what it is."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr != "pop" or call.args or call.keywords:
        return None
    loops = [node for node in ancestors(unit.facts, call) if isinstance(node, (ast.For, ast.AsyncFor, ast.While))]
    is_dropped = isinstance(unit.facts.parents[call], ast.Expr)
    if is_dropped or not loops or not draws_any(program, unit.number, loops[0].body):
        return None
    return call.func.value if Unordered(program).is_so(unit.number, unit.facts.numbers[call.func.value]) else None


def _runs_steps(program: Program, unit: Unit, node: ast.expr) -> bool:
    """Whether what is done with each element of the iterable `node`, where it stands, draws a step."""
    parent = unit.facts.parents.get(node)
    if isinstance(parent, ast.For) and node is parent.iter:
        return draws_any(program, unit.number, parent.body)
    if isinstance(parent, ast.comprehension) and node is parent.iter and not parent.is_async:
        whole = unit.facts.parents[parent]
        assert isinstance(whole, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp))
        later = whole.generators[whole.generators.index(parent) + 1 :]
        elements = [whole.key, whole.value] if isinstance(whole, ast.DictComp) else [whole.elt]
        return draws_any(program, unit.number, [*elements, *parent.ifs, *later])
    if isinstance(parent, ast.Starred) and isinstance(unit.facts.parents[parent], ast.Call):
        return any(_is_drawn(program, atom) for atom in _elements(program, unit, node))
    if isinstance(parent, ast.Call) and node in parent.args[1:]:
        is_map = any(isinstance(atom, Ext) and atom.path == "builtins.map" for atom in program.value(unit, parent.func))
        return is_map and most(program.concurrency.draws.of_atoms(program.value(unit, parent.args[0]))) > 0
    return False


def _is_drawn(program: Program, atom: Atom) -> bool:
    """Whether a coroutine that is made by a call of its own (not by `map`) draws a step once it runs."""
    return isinstance(atom, Coro) and atom.site.node >= 0 and most(program.concurrency.draws.of_coroutines([atom])) > 0


def _set_in(program: Program, unit: Unit, node: ast.expr) -> ast.expr | None:
    """The part of an iterable whose order is that of a set, to be sorted; None if there is none."""
    if not Unordered(program).is_so(unit.number, unit.facts.numbers[node]):
        return None
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):  # sorted outside, others would be taken
        return _set_in(program, unit, node.value)
    if isinstance(node, ast.GeneratorExp):
        return _set_in(program, unit, node.generators[0].iter)
    if isinstance(node, ast.Call):
        names = {library.last_name(a.path) for a in program.value(unit, node.func) if isinstance(a, Ext)}
        if names & _PASS_ON:
            return next(filter(None, (_set_in(program, unit, argument) for argument in node.args)), None)
    return node


def _elements(program: Program, unit: Unit, node: ast.expr) -> set[Atom]:
    """What an unordered expression can hold."""
    found = Unordered(program)
    found.is_so(unit.number, unit.facts.numbers[node])
    return {atom for box in found.boxes for atom in program.values.contents(box.site)}


def _unsortable(program: Program, unit: Unit, node: ast.expr) -> str:
    """What to do where the elements are tasks or coroutines; empty if they are neither."""
    found = Unordered(program)
    found.is_so(unit.number, unit.facts.numbers[node])
    if found.waited:
        return "tasks cannot be sorted: go through the list that they come from, and skip those that are not in the set"
    if any(isinstance(atom, Coro) for atom in _elements(program, unit, node)):
        return "coroutines cannot be sorted: keep them in a list"
    return ""


def _obstacle(program: Program, spot: Spot) -> str:
    """Why the elements cannot be sorted."""
    unit, scopes = spot.unit, spot.unit.facts.scopes
    unsortable = _unsortable(program, unit, spot.node)
    if unsortable:
        return unsortable
    found = Unordered(program)
    found.is_so(unit.number, spot.number)
    if found.cut:
        return "only some of its elements are taken: sort the set before that"
    elements = _elements(program, unit, spot.node)
    unsorted = any(isinstance(atom, _UNORDERABLE) or atom is NONE for atom in elements)
    if unsorted or any(isinstance(atom, Obj) and not _is_orderable(program, atom) for atom in elements):
        return "its elements cannot be sorted: go through the list that they come from, or give `sorted` a key"
    function = program.enclosing(unit, spot.context)
    scope = function.scope if function else 0
    if owner_of(scopes, scope, "sorted") >= 0 or (0, "sorted") in unit.facts.cells:
        return "`sorted` is something else here: sort the elements in another way"
    return ""


def _is_orderable(program: Program, instance: Obj) -> bool:
    """Whether a class of the project says which of two objects comes first."""
    own = Cls(instance.module, instance.index)
    for cls in (own, *program.bases(own)):
        unit = program.units[cls.module]
        here = unit.facts.classes[cls.index]
        bases = [atom for base in here.bases for atom in program.values.value(cls.module, base)]
        if "__lt__" in here.attributes or any(isinstance(a, Ext) and a.path in _ORDERED_BASES for a in bases):
            return True
        decorators = [unit.facts.nodes[decorator] for decorator in here.decorators]
        texts = [ast.unparse(decorator) for decorator in decorators if decorator is not None]
        if any("total_ordering" in text or "order=True" in text for text in texts):
            return True
    return False
