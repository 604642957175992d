"""Whether a value can be handed to a workflow: DBOS stores the arguments of workflows, and what they give."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dbos_asyncify.project.draws import makers_of
from dbos_asyncify.project.facts import Cell, Global, Join
from dbos_asyncify.project.values import Api, Bound, Coro, Ext, Func, Handle, HandleMethod, Role, Site

if TYPE_CHECKING:
    from dbos_asyncify.project.program import Program, Unit

_MAKES_DATA = frozenset(
    f"builtins.{name}"
    for name in (
        "abs", "bool", "bytes", "dict", "divmod", "enumerate", "float", "frozenset", "hash", "int", "len", "list",
        "max", "min", "ord", "range", "repr", "reversed", "round", "set", "sorted", "str", "sum", "tuple", "zip",
    )
)  # fmt: skip
_MAKES_DATA_OF_TEXT = frozenset({"json.loads", "json.dumps", "str.join", "str.format"})
_TEXTS = frozenset(
    f"dbos.DBOS.{name}"
    for name in (
        "application_version", "assumed_role", "authenticated_roles", "authenticated_user", "executor_id",
        "parent_workflow_id", "shard_key", "workflow_id",
    )
)  # fmt: skip
_OF_DATA = (ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.JoinedStr, ast.FormattedValue)
_CONTAINERS = (ast.List, ast.Tuple, ast.Set, ast.Dict)


@dataclass(slots=True)
class Serialisable:
    """Answers for expressions of one program.

    Known to be so: constants, the inputs of workflows, what steps, child workflows and DBOS give, and what is taken out
    of these, or put together from them. All else is not known.
    """

    program: Program
    workflow: tuple[int, int] | None = None  # a function that becomes a workflow: its parameters will be stored too
    pending: set[Site] = field(default_factory=set)  # the definitions that are being looked at

    def expression(self, unit: Unit, node: ast.expr) -> bool:
        match node:
            case ast.Constant():
                return True
            case ast.Name():
                return self.name(unit, node)
            case ast.Await(value):
                return self.awaited(unit, value)
            case ast.Attribute(value=base, attr="workflow_id") if self._is_handle(unit, base):
                return True
            case ast.Attribute(value=base) | ast.Subscript(value=base) | ast.Starred(value=base):
                return self.is_text_of_dbos(unit, node) or self.expression(unit, base)
            case ast.NamedExpr(value=value):
                return self.expression(unit, value)
            case ast.Call():
                return self.call(unit, node)
        if isinstance(node, (*_OF_DATA, *_CONTAINERS)):
            return all(self.expression(unit, part) for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr))
        if isinstance(node, (ast.ListComp, ast.SetComp)):
            return self.expression(unit, node.elt)
        if isinstance(node, ast.DictComp):
            return self.expression(unit, node.key) and self.expression(unit, node.value)
        return False

    def is_text_of_dbos(self, unit: Unit, node: ast.expr) -> bool:
        """Whether it is one of those that DBOS says of the running workflow, such as `DBOS.workflow_id`."""
        atoms = self.program.value(unit, node)
        return bool(atoms) and all(isinstance(atom, Ext) and atom.path in _TEXTS for atom in atoms)

    def call(self, unit: Unit, node: ast.Call) -> bool:
        callee = self.program.value(unit, node.func)
        if any(isinstance(atom, (Func, Bound)) for atom in callee):
            return self._gives_stored(callee)
        paths = {atom.path for atom in callee if isinstance(atom, Ext)}
        arguments = [*node.args, *(word.value for word in node.keywords)]
        if paths and paths <= _MAKES_DATA | _MAKES_DATA_OF_TEXT:
            return all(self.expression(unit, argument) for argument in arguments)
        if isinstance(node.func, ast.Attribute) and not paths:  # a method of data: `name.strip()`, `order.get("id")`
            return self.expression(unit, node.func.value)
        return False

    def awaited(self, unit: Unit, node: ast.expr) -> bool:
        """What a step, a workflow or DBOS itself gives is stored: it can be stored once more."""
        coroutines = [atom for atom in self.program.value(unit, node) if isinstance(atom, Coro)]
        makers = [maker for atom in coroutines for maker in makers_of(self.program.values, atom.site)]
        return bool(makers) and self._gives_stored(makers)

    def _gives_stored(self, callee: object) -> bool:
        assert isinstance(callee, (list, frozenset))
        functions = [atom.func if isinstance(atom, Bound) else atom for atom in callee]
        return all(
            (isinstance(atom, Func) and atom.role is not Role.PLAIN)
            or (isinstance(atom, Api) and atom.owner == "DBOS" and self._gives_data(atom))
            or (isinstance(atom, HandleMethod) and atom.name == "get_result")
            for atom in functions
        )

    def _is_handle(self, unit: Unit, node: ast.expr) -> bool:
        atoms = self.program.value(unit, node)
        return bool(atoms) and all(isinstance(atom, Handle) for atom in atoms)

    def _gives_data(self, api: Api) -> bool:
        """Whether a call of DBOS gives no handle, queue or client, which live in this process only."""
        member = self.program.catalogue.member(api.owner, api.name)
        return member is not None and member.returns is None

    def name(self, unit: Unit, node: ast.Name) -> bool:
        """Whether all that a name can mean where it stands is so."""
        number = unit.facts.numbers.get(node)
        op = unit.facts.ops[number] if number is not None else None
        if isinstance(op, Join):
            return self.definitions(unit, op.nodes)
        if isinstance(op, Cell):
            return self.variable(unit, op.scope, op.name)
        return isinstance(op, Global) and (0, op.name) in unit.facts.cells and self.variable(unit, 0, op.name)

    def variable(self, unit: Unit, scope: int, name: str) -> bool:
        """Whether all that is assigned to a variable of a function, or of the module (0), is so."""
        return self.definitions(unit, unit.facts.cells.get((scope, name), ()))

    def definitions(self, unit: Unit, nodes: Iterable[int]) -> bool:
        found = [Site(unit.number, node) for node in nodes]
        new = [site for site in found if site not in self.pending]  # `total = total + 1`: the rest decides
        self.pending.update(new)
        known = bool(found) and all(self.definition(unit, unit.facts.nodes[site.node]) for site in new)
        self.pending.difference_update(new)
        return known

    def definition(self, unit: Unit, node: ast.AST | None) -> bool:
        if isinstance(node, ast.arg):
            return self.parameter(unit, node)
        parent = unit.facts.parents.get(node) if node is not None else None
        while isinstance(parent, (ast.Tuple, ast.List, ast.Starred)):
            parent = unit.facts.parents.get(parent)
        match parent:
            case ast.Assign(value=value) | ast.AugAssign(value=value) | ast.NamedExpr(value=value):
                return self.expression(unit, value)
            case ast.AnnAssign(value=ast.expr() as value):
                return self.expression(unit, value)
            case ast.For(iter=source) | ast.comprehension(iter=source):
                return self.expression(unit, source)
        return False

    def parameter(self, unit: Unit, node: ast.arg) -> bool:
        """A workflow's parameters are stored already; `self` of its class is not."""
        for function in unit.facts.functions:
            if node in ast.walk(function.node.args):
                key = (unit.number, function.index)
                positional = [*function.node.args.posonlyargs, *function.node.args.args]
                static = "staticmethod" in self.program.values.decorator_names(unit.number, function)
                is_self = function.cls >= 0 and positional[:1] == [node] and not static
                return (key == self.workflow or self.program.role(key) is Role.WORKFLOW) and not is_self
        return False
