"""From one syntax tree to its facts: expressions, with the values of local names at each place.

Statements are in `statements.py`. Local variables are followed in order (a read sees the definitions that reach
it); variables of enclosing scopes and of the module are read as "whatever is assigned anywhere".
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from dbos_asyncify.project.facts import (
    Arg,
    Attr,
    Await,
    Call,
    Cell,
    Context,
    Display,
    Facts,
    Function,
    FunctionRef,
    Global,
    Instance,
    Item,
    Join,
    Op,
    Opaque,
    Param,
    Parameter,
    Plain,
    Typed,
)
from dbos_asyncify.project.scopes import owner_of
from dbos_asyncify.project.tree import children

_TYPING = ("typing", "typing_extensions")
Env = dict[str, frozenset[int]]
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


class ExpressionBuilder:
    """Numbers expressions and records where their values come from."""

    def __init__(self, facts: Facts, opened: dict[ast.AST, int]) -> None:
        self.facts = facts
        self.opened = opened
        self.context = Context()
        self.scope = 0
        self.env: Env = {}
        self.reachable = True
        self.comprehension_names: frozenset[str] = frozenset()
        self.flow_insensitive = False  # in annotations: names mean whatever the scope binds, even later

    # numbering

    def number(self, node: ast.AST | None, op: Op) -> int:
        """Give a node (or nothing: a made-up value) its number and say where its value comes from."""
        facts = self.facts
        if node is not None and node in facts.numbers:
            index = facts.numbers[node]
            facts.ops[index] = op
            facts.contexts[index] = self.context
            return index
        index = len(facts.ops)
        facts.ops.append(op)
        facts.nodes.append(node)
        facts.contexts.append(self.context)
        if node is not None:
            facts.numbers[node] = index
        return index

    def reserve(self, node: ast.AST) -> int:
        """The number of a definition that may not have been reached yet."""
        known = self.facts.numbers.get(node)
        return self.number(node, Join(())) if known is None else known

    # names

    def define(self, name: str, node: ast.AST, value: int) -> int:
        """Bind `name` here; `node` stands for the definition."""
        index = self.number(node, Join((value,)))
        scope = self.facts.scopes[self.scope]
        owner = self.scope
        if name in scope.global_names:
            owner = 0
        elif name in scope.nonlocal_names:
            owner = max(owner_of(self.facts.scopes, self.scope, name), 0)
        definitions = self.facts.cells.setdefault((owner, name), [])
        if index not in definitions:
            definitions.append(index)
        if owner == 0 and self.scope:
            self.facts.final.setdefault(name, []).append(index)
        self.env[name] = frozenset((index,))
        return index

    def name_op(self, name: str) -> Op:
        scope = self.facts.scopes[self.scope]
        owner = owner_of(self.facts.scopes, self.scope, name)
        here = owner == self.scope or (owner < 0 and self.scope == 0)
        if name in self.comprehension_names and name in self.env:
            return Join(tuple(sorted(self.env[name])))
        if here and not self.flow_insensitive and name not in scope.shared and name in self.env:
            return Join(tuple(sorted(self.env[name])))
        if owner >= 0:
            return Cell(owner, name)
        return Global(name)

    # expressions

    def expressions(self, nodes: Iterable[ast.expr]) -> list[int]:
        return [self.expression(node) for node in nodes]

    def expression(self, node: ast.expr) -> int:
        """Visit an expression in the order of evaluation; gives its number."""
        method = getattr(self, f"on_{type(node).__name__}", None)
        if method is not None:
            result: int = method(node)
            return result
        for child in children(node):
            if isinstance(child, ast.expr):
                self.expression(child)
        return self.number(node, Plain())

    def on_Constant(self, node: ast.Constant) -> int:
        return self.number(node, Plain(none=node.value is None))

    def on_Name(self, node: ast.Name) -> int:
        index = self.number(node, self.name_op(node.id))
        self.facts.name_scopes[index] = self.scope
        return index

    def on_Attribute(self, node: ast.Attribute) -> int:
        return self.number(node, Attr(self.expression(node.value), node.attr))

    def on_Call(self, node: ast.Call) -> int:
        func = self.expression(node.func)
        args = []
        for argument in node.args:
            if isinstance(argument, ast.Starred):
                value = self.expression(argument.value)
                self.number(argument, Join((value,)))
                args.append(Arg(value, "*", ""))
            else:
                args.append(Arg(self.expression(argument), "", ""))
        for word in node.keywords:
            value = self.expression(word.value)
            args.append(Arg(value, "" if word.arg else "**", word.arg or ""))
        if len(node.args) == 2 and self.is_cast(node.func):
            return self.number(node, Typed(args[1].node, self.annotation(node.args[0])))
        return self.number(node, Call(func, tuple(args)))

    def is_cast(self, func: ast.expr) -> bool:
        """Whether a callee is `typing.cast`, as the file's own imports tell."""
        name = func.value.id if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) else ""
        name = func.id if isinstance(func, ast.Name) else name
        for scope in (0, self.scope):
            for definition in self.facts.cells.get((scope, name), ()):
                alias = self.facts.nodes[definition]
                statement = self.facts.parents.get(alias) if isinstance(alias, ast.alias) else None
                if isinstance(statement, ast.ImportFrom) and isinstance(func, ast.Name):
                    return statement.module in _TYPING and alias.name == "cast"  # type: ignore[union-attr]
                if isinstance(statement, ast.Import) and isinstance(func, ast.Attribute):
                    return alias.name in _TYPING and func.attr == "cast"  # type: ignore[union-attr]
        return False

    def on_Await(self, node: ast.Await) -> int:
        return self.number(node, Await(self.expression(node.value)))

    def on_IfExp(self, node: ast.IfExp) -> int:
        self.expression(node.test)
        return self.number(node, Join((self.expression(node.body), self.expression(node.orelse))))

    def on_BoolOp(self, node: ast.BoolOp) -> int:
        return self.number(node, Join(tuple(self.expressions(node.values))))

    def on_BinOp(self, node: ast.BinOp) -> int:
        left, right = self.expression(node.left), self.expression(node.right)
        joins = isinstance(node.op, (ast.Add, ast.BitOr))  # of lists, of dicts
        return self.number(node, Join((left, right)) if joins else Plain())

    def on_NamedExpr(self, node: ast.NamedExpr) -> int:
        value = self.expression(node.value)
        self.define(node.target.id, node.target, value)
        return self.number(node, Join((value,)))

    def on_Starred(self, node: ast.Starred) -> int:
        return self.number(node, Item(self.expression(node.value), None))

    def on_Subscript(self, node: ast.Subscript) -> int:
        base = self.expression(node.value)
        self.expression(node.slice)
        if isinstance(node.slice, ast.Slice):
            return self.number(node, Join((base,)))
        index = node.slice.value if isinstance(node.slice, ast.Constant) else None
        known = index if isinstance(index, str) or (type(index) is int and index >= 0) else None
        return self.number(node, Item(base, known, iterated=False))

    def display(self, node: ast.List | ast.Tuple | ast.Set, *, indexed: bool) -> int:
        items = []
        for element in node.elts:
            if isinstance(element, ast.Starred):
                value = self.expression(element.value)
                self.number(element, Join((value,)))
                items.append((value, True))
                indexed = False
            else:
                items.append((self.expression(element), False))
        return self.number(node, Display(tuple(items), indexed))

    def on_List(self, node: ast.List) -> int:
        return self.display(node, indexed=False)

    def on_Set(self, node: ast.Set) -> int:
        return self.display(node, indexed=False)

    def on_Tuple(self, node: ast.Tuple) -> int:
        return self.display(node, indexed=True)

    def on_Dict(self, node: ast.Dict) -> int:
        items = []
        for key, value in zip(node.keys, node.values, strict=True):
            if key is not None:
                self.expression(key)
            items.append((self.expression(value), key is None))
        return self.number(node, Display(tuple(items), mapping=True))

    def on_Yield(self, node: ast.Yield | ast.YieldFrom) -> int:
        value = self.expression(node.value) if node.value is not None else -1
        if self.context.function >= 0:
            function = self.facts.functions[self.context.function]
            function.is_generator = True
            if value >= 0:
                function.yields.append((value, isinstance(node, ast.YieldFrom)))
        return self.number(node, Opaque())

    on_YieldFrom = on_Yield

    def on_ListComp(self, node: ast.ListComp) -> int:
        return self.comprehension(node, [node.elt])

    on_SetComp = on_ListComp

    def on_DictComp(self, node: ast.DictComp) -> int:
        return self.comprehension(node, [node.key, node.value])

    def on_GeneratorExp(self, node: ast.GeneratorExp) -> int:
        return self.comprehension(node, [node.elt])

    def comprehension(self, node: Comprehension, elements: list[ast.expr]) -> int:
        first = self.expression(node.generators[0].iter)
        outer_context, outer_env, outer_names = self.context, self.env, self.comprehension_names
        self.env = dict(self.env)
        inner = outer_context._replace(comprehensions=outer_context.comprehensions + 1)
        if isinstance(node, ast.GeneratorExp):
            inner = inner._replace(trap=outer_context.trap or "generator expression", generator=self.reserve(node))
        self.context = inner
        for generator in node.generators:
            source = first if generator is node.generators[0] else self.expression(generator.iter)
            self.comprehension_target(generator.target, source)
            for condition in generator.ifs:
                self.expression(condition)
        values = self.expressions(elements)
        walrus = {name: defs for name, defs in self.env.items() if name not in self.comprehension_names}
        self.context, self.env, self.comprehension_names = outer_context, outer_env, outer_names
        self.env.update(walrus)
        return self.number(node, Display(((values[-1], False),), mapping=isinstance(node, ast.DictComp)))

    def comprehension_target(self, target: ast.expr, source: int) -> None:
        names = {name.id for name in ast.walk(target) if isinstance(name, ast.Name)}
        self.comprehension_names |= names
        self.unpack_comprehension(target, self.number(None, Item(source, None)))

    def unpack_comprehension(self, target: ast.expr, value: int) -> None:
        if isinstance(target, ast.Name):
            self.env[target.id] = frozenset((self.number(target, Join((value,))),))
        elif isinstance(target, (ast.Tuple, ast.List)):
            for position, element in enumerate(target.elts):
                self.unpack_comprehension(element, self.number(None, Item(value, position)))
        elif isinstance(target, ast.Starred):
            self.unpack_comprehension(target.value, self.number(None, Display(((value, False),))))
        else:
            self.expression(target)

    def on_Lambda(self, node: ast.Lambda) -> int:
        function = self.open_function(node, "<lambda>")
        self.signature(function, node.args)
        self.inside(function, [])
        function.value = self.number(node, FunctionRef(function.index, ()))
        return function.value

    # functions

    def open_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, name: str) -> Function:
        facts = self.facts
        function = Function(
            index=len(facts.functions),
            name=name,
            node=node,
            scope=self.opened[node],
            parent=self.context.function,
            cls=-1,
            context=self.context,
            is_async=isinstance(node, ast.AsyncFunctionDef),
        )
        facts.functions.append(function)
        return function

    def signature(self, function: Function, arguments: ast.arguments) -> None:
        """Defaults and annotations: evaluated where the function is defined."""
        positional = [*arguments.posonlyargs, *arguments.args]
        defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
        defaults.extend(arguments.defaults)
        for argument, default in zip(positional, defaults, strict=True):
            self.parameter(function, argument, "positional", default)
        if arguments.vararg:
            self.parameter(function, arguments.vararg, "*", None)
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            self.parameter(function, argument, "keyword", default)
        if arguments.kwarg:
            self.parameter(function, arguments.kwarg, "**", None)

    def parameter(self, function: Function, argument: ast.arg, kind: str, default: ast.expr | None) -> None:
        parameter = Parameter(argument.arg, kind, annotation_node=argument.annotation)
        if default is not None:
            parameter.default = self.expression(default)
        if argument.annotation is not None:
            parameter.annotation = self.annotation(argument.annotation)
        function.params.append(parameter)

    def inside(self, function: Function, body: list[ast.stmt]) -> None:
        """Visit a function's body in its own scope and context."""
        saved = (self.context, self.scope, self.env, self.reachable, self.comprehension_names)
        enclosing = self.env
        self.context = Context(function=function.index, on_loop=function.is_async)
        self.scope = function.scope
        self.reachable = True
        self.env = {name: enclosing[name] for name in self.comprehension_names if name in enclosing}
        bound = self.facts.scopes[function.scope].bound
        self.comprehension_names = self.comprehension_names - bound
        for parameter, argument in zip(function.params, parameters(function.node), strict=True):
            value = self.number(None, Param(function.index, parameter.name))
            self.define(parameter.name, argument, value)
            if parameter.annotation_node is not None:
                self.facts.variable_annotations.append((self.scope, parameter.name, parameter.annotation_node))
        if isinstance(function.node, ast.Lambda):
            function.returns.append(self.expression(function.node.body))
        else:
            self.block(body)
        self.context, self.scope, self.env, self.reachable, self.comprehension_names = saved

    def block(self, body: list[ast.stmt]) -> None:
        raise NotImplementedError

    # annotations

    def annotation(self, node: ast.expr) -> int:
        """The value that an annotation describes."""
        before = self.flow_insensitive, self.context
        # An annotation cannot await, and most are never evaluated.
        self.flow_insensitive, self.context = True, self.context._replace(on_loop=False)
        try:
            return self.described(node)
        finally:
            self.flow_insensitive, self.context = before

    def described(self, node: ast.expr) -> int:
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str):
                try:
                    inner = ast.parse(node.value.strip(), mode="eval").body
                except (SyntaxError, ValueError, RecursionError, MemoryError):
                    return self.number(node, Opaque())
                return self.number(node, Join((self.described(inner),)))
            return self.number(node, Plain(none=node.value is None))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return self.number(node, Join((self.described(node.left), self.described(node.right))))
        if isinstance(node, ast.Subscript):
            parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            cls = self.expression(node.value)
            return self.number(node, Instance(cls, tuple(self.described(part) for part in parts)))
        if isinstance(node, (ast.Name, ast.Attribute)):
            return self.number(None, Instance(self.expression(node), ()))
        return self.expression(node)

    def typed(self, value: int, annotation: ast.expr) -> int:
        return self.number(None, Typed(value, self.annotation(annotation)))


def parameters(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> list[ast.arg]:
    """The `arg` nodes in the order in which `signature` lists them."""
    arguments = node.args
    found = [*arguments.posonlyargs, *arguments.args]
    if arguments.vararg:
        found.append(arguments.vararg)
    found.extend(arguments.kwonlyargs)
    if arguments.kwarg:
        found.append(arguments.kwarg)
    return found
