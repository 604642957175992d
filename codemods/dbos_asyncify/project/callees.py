"""Which functions of the project a call runs, and which run without a call being written."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from dbos_asyncify.project import library
from dbos_asyncify.project.factories import factories
from dbos_asyncify.project.facts import Context, Facts, Function
from dbos_asyncify.project.lookup import Values, node_key
from dbos_asyncify.project.values import Api, Atom, Bound, Box, BoxMethod, Cls, Ext, Func, Obj, Partial

_CONSTRUCTORS = ("__new__", "__init__", "__post_init__")
_RUNS_GENERATORS = {"__next__", "__enter__"}
_BINARY = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "truediv", ast.FloorDiv: "floordiv", ast.Mod: "mod",
    ast.Pow: "pow", ast.MatMult: "matmul", ast.LShift: "lshift", ast.RShift: "rshift", ast.BitAnd: "and",
    ast.BitOr: "or", ast.BitXor: "xor",
}  # fmt: skip
_COMPARISONS = {
    ast.Eq: "__eq__", ast.NotEq: "__ne__", ast.Lt: "__lt__", ast.LtE: "__le__", ast.Gt: "__gt__", ast.GtE: "__ge__",
}  # fmt: skip
_ITERATES = (
    "all", "any", "dict", "enumerate", "frozenset", "list", "max", "min", "set", "sorted", "sum", "tuple", "zip",
)  # fmt: skip
_BUILTINS = {
    "builtins.len": ("__len__",),
    "builtins.str": ("__str__",),
    "builtins.bool": ("__bool__", "__len__"),
    "builtins.iter": ("__iter__",),
    "builtins.next": ("__next__",),
    "builtins.hash": ("__hash__",),
    "builtins.repr": ("__repr__",),
    "builtins.print": ("__str__",),
    **{f"builtins.{name}": ("__iter__", "__next__") for name in _ITERATES},
}
_USES_UP = frozenset({"extend", "join", "update"})  # methods that iterate over their argument


def called_functions(values: Values, atoms: Iterable[Atom], call: ast.Call | None = None) -> Iterator[Func]:
    """The functions that calling any of `atoms` runs: through partials, constructors, `__call__`, and the functions
    that decorators put around them. The `call`, where one is known, tells which fields a constructor has to make."""
    for atom in atoms:
        if isinstance(atom, Partial):
            yield from called_functions(values, values.partial_of(atom.site))
            continue
        inner: Iterable[Atom] = (atom,)
        if isinstance(atom, Cls):
            filled = [made.atom for made in factories(values, atom, call)] if call is not None else []
            made = [Obj(cls.module, cls.index, exact=True) for cls in (atom, *filled) if isinstance(cls, Cls)]
            inner = [found for each in made for name in _CONSTRUCTORS for found in values.attribute(each, name)]
            yield from called_functions(values, (each for each in filled if not isinstance(each, Cls)))
        elif isinstance(atom, Obj):
            inner = values.attribute(atom, "__call__")
        for found in inner:
            func = found.func if isinstance(found, Bound) else found
            if isinstance(func, Func):
                yield func
                yield from values.wrappers.get((func.module, func.index), ())


def name_of(facts: Facts, function: Function) -> str:
    """A function's name; a constructor goes by its class, a field's lambda by the field."""
    if isinstance(function.node, ast.Lambda):
        return _field_of(facts, function.node) or function.name
    if function.cls >= 0 and function.name in _CONSTRUCTORS:
        parent = facts.parents[function.node]
        return parent.name if isinstance(parent, ast.ClassDef) else function.name
    return function.name


def awaited_methods(parent: ast.AST | None, node: ast.AST) -> tuple[str, ...]:
    """The coroutine methods that `async with` and `async for` run of the object at `node`."""
    if isinstance(parent, ast.withitem) and node is parent.context_expr:
        return ("__aenter__", "__aexit__")
    if isinstance(parent, (ast.AsyncFor, ast.comprehension)) and node is parent.iter:
        return ("__aiter__", "__anext__")
    return ()


def _field_of(facts: Facts, node: ast.Lambda) -> str:
    """The field, with its class, whose `default_factory` a lambda is."""
    word = facts.parents[node]
    statement = facts.parents.get(facts.parents[word]) if isinstance(word, ast.keyword) else None
    if not isinstance(statement, ast.AnnAssign):
        return ""
    owner = facts.parents[statement]
    return f"{owner.name}.{ast.unparse(statement.target)}" if isinstance(owner, ast.ClassDef) else ""


class Implicit(NamedTuple):
    """Functions that run where `node` is evaluated, although the code does not call them; `how` says what does.

    Among them are the generator functions whose generators are iterated over or entered there. `inline` are lambdas:
    in a coroutine, what stands in them is looked at by itself.
    """

    node: ast.expr
    context: Context
    functions: tuple[Atom, ...]
    how: str
    inline: bool = False


def implicit_calls(values: Values, module: int) -> Iterator[Implicit]:
    """Properties, operators, `with`, loops, and functions that `map`, `sorted` or the event loop are given to call."""
    facts = values.facts[module]
    for node, number in facts.numbers.items():
        if not isinstance(node, ast.expr):
            continue
        context = facts.contexts[number]
        for key in sorted(values.properties.get(node_key(module, number), ())):
            yield Implicit(node, context, (Func(*key),), "a property")
        for owner, names, how in _special_methods(facts.parents, node):
            methods = _methods(values, values.value(module, facts.numbers.get(owner, -1)), names)
            if methods:
                iterated = isinstance(node, ast.Call) and any(isinstance(method, Func) for method in methods)
                inside = iterated or isinstance(node, (ast.UnaryOp, ast.BoolOp))
                yield Implicit(owner if inside else node, context, methods, how)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            setters = _setters(values, values.value(module, facts.numbers.get(node.value, -1)), node.attr)
            if setters:
                yield Implicit(node, context, setters, "an assignment")
        if isinstance(node, ast.Call):
            callee = values.value(module, facts.numbers[node.func])
            arguments = [*node.args, *(word.value for word in node.keywords)]
            given = _callables(values, facts, module, (a for a in arguments if not isinstance(a, ast.Lambda)))
            lambdas = _callables(values, facts, module, (a for a in arguments if isinstance(a, ast.Lambda)))
            if library.calls_at_once(callee):
                for functions, inline in ((given, False), (lambdas, True)):
                    if functions:
                        yield Implicit(node, context, functions, f"`{ast.unparse(node.func)}()`", inline)
            if node.args and any(isinstance(a, Ext) and a.path == "contextlib.closing" for a in callee):
                closed = _methods(values, values.value(module, facts.numbers.get(node.args[0], -1)), ("close",))
                if closed:
                    yield Implicit(node, context, closed, "`closing()`")
            known = {library.last_name(a.path) for a in callee if isinstance(a, Ext)}
            if isinstance(node.func, ast.Attribute) and not any(
                isinstance(a, (Func, Bound, BoxMethod)) for a in callee
            ):
                known.add(node.func.attr)
            if (given or lambdas) and known & library.CALLED_BY_LOOP:
                yield Implicit(node, context, (*given, *lambdas), f"the event loop (`{ast.unparse(node.func)}()`)")


def _callables(values: Values, facts: Facts, module: int, arguments: Iterable[ast.expr]) -> tuple[Atom, ...]:
    """What can be called among these arguments."""
    return tuple(
        atom
        for argument in arguments
        for atom in values.value(module, facts.numbers.get(argument, -1))
        if isinstance(atom, (Func, Bound, Partial, Api))
    )


def _setters(values: Values, owner: Iterable[Atom], name: str) -> tuple[Atom, ...]:
    """The setter functions of a property."""
    return tuple(
        Func(atom.module, function.index)
        for atom in owner
        if isinstance(atom, Obj)
        for function in values.facts[atom.module].functions
        if function.cls == atom.index and function.name == name and _is_setter(function.node)
    )


def _is_setter(node: ast.AST) -> bool:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return any(isinstance(decorator, ast.Attribute) and decorator.attr == "setter" for decorator in decorators)


def _methods(values: Values, owner: Iterable[Atom], names: Iterable[str]) -> tuple[Atom, ...]:
    found: list[Atom] = []
    for atom in owner:
        if isinstance(atom, Obj):
            methods = [method for name in names for method in values.attribute(atom, name)]
            found.extend(method for method in methods if isinstance(method, Bound))
        elif isinstance(atom, Box) and atom.site in values.generators and _RUNS_GENERATORS & set(names):
            found.append(values.generators[atom.site])
    return tuple(found)


def _is_unpacked(statement: ast.AST | None) -> bool:
    return isinstance(statement, ast.Assign) and any(
        isinstance(each, (ast.Tuple, ast.List)) for each in statement.targets
    )


def _special_methods(
    parents: dict[ast.AST, ast.AST], node: ast.expr
) -> Iterator[tuple[ast.expr, tuple[str, ...], str]]:
    """The object, the names of its methods and the way in which evaluating `node`, or its place, calls them."""
    parent = parents.get(node)
    if isinstance(parent, ast.withitem) and node is parent.context_expr:
        if isinstance(parents.get(parent), ast.With):
            yield node, ("__enter__", "__exit__"), "`with`"
    elif (isinstance(parent, ast.For) and node is parent.iter) or (
        isinstance(parent, ast.comprehension) and node is parent.iter and not parent.is_async
    ):
        yield node, ("__iter__", "__next__"), "a loop"
    elif isinstance(parent, (ast.Starred, ast.YieldFrom)) or _is_unpacked(parent):
        yield node, ("__iter__", "__next__"), "unpacking"
    elif isinstance(parent, ast.FormattedValue) and node is parent.value:
        yield node, ("__format__", "__str__"), "an f-string"
    elif isinstance(parent, (ast.If, ast.While, ast.Assert, ast.IfExp)) and node is parent.test:
        yield node, ("__bool__", "__len__"), "a condition"
    match node:
        case ast.UnaryOp(op=ast.Not(), operand=owner):
            yield owner, ("__bool__", "__len__"), "a condition"
        case ast.BoolOp(values=[*owners]):
            for owner in owners[:-1]:
                yield owner, ("__bool__", "__len__"), "a condition"
        case ast.Subscript(value=owner, ctx=ctx):
            name = {ast.Load: "__getitem__", ast.Store: "__setitem__"}.get(type(ctx), "__delitem__")
            yield owner, (name,), "a subscript"
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            for operator, right in zip(ops, comparators, strict=True):
                if isinstance(operator, (ast.In, ast.NotIn)):
                    yield right, ("__contains__", "__next__"), "`in`"
                elif type(operator) in _COMPARISONS:
                    yield left, (_COMPARISONS[type(operator)],), "a comparison"
                left = right
        case ast.BinOp(left=left, op=operator, right=right):
            yield left, (f"__{_BINARY[type(operator)]}__",), "an operator"
            yield right, (f"__r{_BINARY[type(operator)]}__",), "an operator"
        case ast.Call(func=ast.Name(id="zip"), args=[*given]):
            for owner in given:
                yield owner, _BUILTINS["builtins.zip"], "`zip()`"
        case ast.Call(func=ast.Attribute(attr=name), args=[first]) if name in _USES_UP:
            yield first, ("__iter__", "__next__"), f"`{name}()`"
        case ast.Call(func=ast.Name(id=name), args=[first, *_]) if f"builtins.{name}" in _BUILTINS:
            yield first, _BUILTINS[f"builtins.{name}"], f"`{name}()`"
