"""From one syntax tree to its facts: statements, in the order in which they run."""

from __future__ import annotations

import ast

from dbos_asyncify.project.build import Env, ExpressionBuilder
from dbos_asyncify.project.facts import (
    Alias,
    Attr,
    AttributeStore,
    Class,
    ClassRef,
    Display,
    Enter,
    Facts,
    FunctionRef,
    Imported,
    Item,
    ItemStore,
    Join,
    Opaque,
    Plain,
)
from dbos_asyncify.project.scopes import definitions_in, scopes_of
from dbos_asyncify.project.tree import children, parents_of

Target = ast.expr
Definition = ast.FunctionDef | ast.AsyncFunctionDef


def facts_of(tree: ast.Module) -> Facts:
    """The facts of a module's syntax tree. Raises RecursionError where it is nested too deeply."""
    scopes, opened = scopes_of(tree)
    facts = Facts(tree, scopes=scopes, parents=parents_of(tree))
    builder = StatementBuilder(facts, opened)
    builder.block(tree.body)
    for name, definitions in builder.env.items():
        facts.final.setdefault(name, []).extend(sorted(definitions))
    return facts


class StatementBuilder(ExpressionBuilder):
    """Follows control flow: what each name can be at each place."""

    cls = -1

    def block(self, body: list[ast.stmt]) -> None:
        for statement in body:
            method = getattr(self, f"on_{type(statement).__name__}", None)
            if method is not None:
                method(statement)
            else:
                for child in children(statement):
                    if isinstance(child, ast.expr):
                        self.expression(child)

    # branches

    def branch(self, body: list[ast.stmt], env: Env) -> Env | None:
        """Run statements from `env`; the names after them, or None where control does not come out."""
        saved, self.env, reachable = self.env, dict(env), self.reachable
        self.block(body)
        after = self.env if self.reachable else None
        self.env, self.reachable = saved, reachable
        return after

    def merge(self, *envs: Env | None) -> None:
        """Go on from any of these states."""
        alive = [env for env in envs if env is not None]
        if not alive:
            self.reachable = False
            return
        joined: Env = dict(alive[0])
        for env in alive[1:]:
            for name, definitions in env.items():
                joined[name] = joined.get(name, frozenset()) | definitions
        self.env = joined

    def with_definitions(self, body: list[ast.stmt], env: Env) -> Env:
        """`env`, plus every definition in `body`: what may have run before control comes (back) here."""
        joined = dict(env)
        for name, node in definitions_in(body):
            joined[name] = joined.get(name, frozenset()) | {self.reserve(node)}
        return joined

    def on_If(self, node: ast.If) -> None:
        self.expression(node.test)
        before = self.env
        self.merge(self.branch(node.body, before), self.branch(node.orelse, before))

    def on_While(self, node: ast.While) -> None:
        self.env = self.with_definitions(node.body, self.env)
        self.expression(node.test)
        head = dict(self.env)
        self.branch(node.body, head)
        self.merge(head, self.branch(node.orelse, head))  # `head`: also by `break`
        self.reachable = True

    def on_For(self, node: ast.For | ast.AsyncFor) -> None:
        source = self.expression(node.iter)
        before = dict(self.env)
        self.env = self.with_definitions([node], before)
        head = dict(self.env)
        self.assign(node.target, self.number(None, Item(source, None)))
        self.branch(node.body, self.env)
        self.merge(head, self.branch(node.orelse, head))  # `head`: also by `break`
        self.reachable = True

    on_AsyncFor = on_For

    def on_Try(self, node: ast.Try) -> None:
        before = dict(self.env)
        body = self.branch(node.body, before)
        interrupted = self.with_definitions(node.body, before)
        if body is not None and node.orelse:
            body = self.branch(node.orelse, body)
        after: list[Env | None] = [body]
        for handler in node.handlers:
            saved, self.env = self.env, dict(interrupted)
            if handler.type is not None:
                self.expression(handler.type)
            if handler.name:
                self.define(handler.name, handler, self.number(None, Opaque()))
            env, self.env = self.env, saved
            after.append(self.branch(handler.body, env))
        if not node.finalbody:
            self.merge(*after)
            return
        parts = [*node.body, *node.orelse, *(part for handler in node.handlers for part in handler.body)]
        self.branch(node.finalbody, self.with_definitions(parts, before))
        self.merge(*after)
        self.env = self.with_definitions(node.finalbody, self.env)

    on_TryStar = on_Try

    def on_With(self, node: ast.With | ast.AsyncWith) -> None:
        context = self.context
        for item in node.items:
            value = self.expression(item.context_expr)
            if item.optional_vars is not None:
                self.assign(item.optional_vars, self.number(None, Enter(value)))
            self.context = self.context._replace(withs=(*self.context.withs, value))
        before = dict(self.env)
        after = self.branch(node.body, before)
        self.context = context
        if any(_suppresses(item.context_expr) for item in node.items):
            self.merge(self.with_definitions(node.body, before), after)
        else:
            self.merge(after)

    on_AsyncWith = on_With

    def on_Match(self, node: ast.Match) -> None:
        subject = self.expression(node.subject)
        before = self.env
        after: list[Env | None] = [dict(before)]
        for case in node.cases:
            self.env = dict(before)
            self.pattern(case.pattern, subject)
            if case.guard is not None:
                self.expression(case.guard)
            after.append(self.branch(case.body, self.env))
        self.merge(*after)

    def pattern(self, node: ast.pattern, subject: int) -> None:
        for child in ast.walk(node):
            if isinstance(child, ast.expr) and isinstance(self.facts.parents[child], ast.pattern):
                self.expression(child)
            name = getattr(child, "rest" if isinstance(child, ast.MatchMapping) else "name", None)
            if isinstance(child, (ast.MatchAs, ast.MatchStar, ast.MatchMapping)) and name:
                whole = child is node and isinstance(child, ast.MatchAs)
                self.define(name, child, subject if whole else self.number(None, Opaque()))

    # leaving

    def on_Return(self, node: ast.Return) -> None:
        if node.value is not None:
            value = self.expression(node.value)
            if self.context.function >= 0:
                self.facts.functions[self.context.function].returns.append(value)
        self.reachable = False

    def on_Raise(self, node: ast.Raise) -> None:
        for part in (node.exc, node.cause):
            if part is not None:
                self.expression(part)
        self.reachable = False

    def on_Break(self, node: ast.Break) -> None:
        self.reachable = False

    on_Continue = on_Break

    # assignments

    def on_Assign(self, node: ast.Assign) -> None:
        value = self.expression(node.value)
        for target in node.targets:
            if self.scope == 0 and isinstance(target, ast.Name) and _is_type(node.value):
                value = self.alias(node.value)
            self.assign(target, value, node.value)

    def on_TypeAlias(self, node: ast.AST) -> None:
        """`type Handles = list[WorkflowHandle[int]]`, from Python 3.12 on."""
        name, value = getattr(node, "name", None), getattr(node, "value", None)
        if isinstance(name, ast.Name) and isinstance(value, ast.expr):
            self.assign(name, self.alias(value))

    def alias(self, node: ast.expr) -> int:
        described = self.annotation(node)
        self.facts.aliases[described] = node
        return self.number(None, Alias(described))

    def on_AnnAssign(self, node: ast.AnnAssign) -> None:
        value = -1 if node.value is None else self.expression(node.value)
        if isinstance(node.target, ast.Name):
            self.facts.variable_annotations.append((self.scope, node.target.id, node.annotation))
        if node.value is None and isinstance(node.target, ast.Name) and self.cls < 0 and self.scope:
            self.annotation(node.annotation)  # a bare annotation of a local binds nothing
            return
        if node.value is not None and "TypeAlias" in ast.unparse(node.annotation):
            self.assign(node.target, self.alias(node.value))
            return
        typed = self.typed(value, node.annotation)
        self.facts.annotated[typed] = node.annotation
        if isinstance(node.target, ast.Name) and self.in_class_body():
            self.facts.classes[self.cls].annotations[node.target.id] = (typed, node.annotation)
        self.assign(node.target, typed)

    def on_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            before = self.number(None, self.name_op(node.target.id))
        else:
            before = self.expression(node.target)
        value = self.number(None, Join((before, self.expression(node.value))))
        if isinstance(node.target, ast.Name):
            self.define(node.target.id, node.target, value)
        elif isinstance(node.target, ast.Attribute):
            base = self.facts.numbers[node.target.value]
            self.facts.attribute_stores.append(AttributeStore(base, node.target.attr, value, before))
        elif isinstance(node.target, ast.Subscript):
            self.facts.item_stores.append(ItemStore(self.facts.numbers[node.target.value], value))

    def on_Delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                self.number(target, Opaque())
                self.env[target.id] = frozenset((self.number(None, Opaque()),))
            else:
                self.expression(target)

    def assign(self, target: Target, value: int, source: ast.expr | None = None) -> None:
        """Bind or store `value`; `source` is the expression it came from, for `a, b = x, y`."""
        if isinstance(target, ast.Name):
            index = self.define(target.id, target, value)
            self.facts.name_scopes[index] = self.scope
            if self.in_class_body():
                self.facts.classes[self.cls].attributes.setdefault(target.id, []).append(index)
        elif isinstance(target, ast.Attribute):
            base = self.expression(target.value)
            index = self.number(target, Attr(base, target.attr))
            self.facts.attribute_stores.append(AttributeStore(base, target.attr, value, index))
        elif isinstance(target, ast.Subscript):
            base = self.expression(target.value)
            self.expression(target.slice)
            self.number(target, Plain())
            self.facts.item_stores.append(ItemStore(base, value))
        elif isinstance(target, ast.Starred):
            rest = self.number(None, Item(value, None))
            self.number(target, Plain())
            self.assign(target.value, self.number(None, Display(((rest, False),))))
        elif isinstance(target, (ast.Tuple, ast.List)):
            self.number(target, Plain())
            for position, element in enumerate(target.elts):
                self.assign(element, self.unpacked(target, value, source, position, element))

    def unpacked(
        self,
        target: ast.Tuple | ast.List,
        value: int,
        source: ast.expr | None,
        position: int,
        element: ast.expr,
    ) -> int:
        starred = any(isinstance(part, ast.Starred) for part in target.elts)
        if isinstance(source, (ast.Tuple, ast.List)) and not starred and len(source.elts) == len(target.elts):
            found = source.elts[position]
            if not any(isinstance(part, ast.Starred) for part in source.elts):
                return self.facts.numbers[found]
        if isinstance(element, ast.Starred):
            return value
        return self.number(None, Item(value, None if starred else position))

    # definitions

    def in_class_body(self) -> bool:
        return self.cls >= 0 and self.facts.scopes[self.scope].kind == "class"

    def on_FunctionDef(self, node: Definition) -> None:
        decorators = self.expressions(node.decorator_list)
        function = self.open_function(node, node.name)
        self.signature(function, node.args)
        if node.returns is not None:
            function.return_annotation = self.annotation(node.returns)
        function.decorators = tuple(reversed(decorators))
        value = self.number(None, FunctionRef(function.index, function.decorators))
        function.value = self.define(node.name, node, value)
        in_class = self.in_class_body()
        if in_class:
            function.cls = self.cls
            self.facts.classes[self.cls].attributes.setdefault(node.name, []).append(function.value)
        cls, self.cls = self.cls, -1
        self.inside(function, node.body)
        self.cls = cls

    on_AsyncFunctionDef = on_FunctionDef

    def on_ClassDef(self, node: ast.ClassDef) -> None:
        decorators = self.expressions(node.decorator_list)
        self.expressions(node.bases)
        named = [base.value if isinstance(base, ast.Subscript) else base for base in node.bases]  # of `Generic[T]`
        bases = [self.facts.numbers[base] for base in named]
        for word in node.keywords:
            self.expression(word.value)
        cls = Class(len(self.facts.classes), tuple(bases), tuple(decorators))
        self.facts.classes.append(cls)
        self.define(node.name, node, self.number(None, ClassRef(cls.index)))
        if self.in_class_body():
            outer = self.facts.classes[self.cls]
            outer.attributes.setdefault(node.name, []).append(self.facts.numbers[node])
        saved = (self.cls, self.scope, self.env, self.context, self.reachable)
        self.cls, self.scope, self.env = cls.index, self.opened[node], {}
        if self.context.function >= 0:
            self.context = self.context._replace(trap=self.context.trap or "class body")
        self.block(node.body)
        for name, definitions in self.env.items():
            if name in cls.attributes:
                cls.attributes[name] = sorted(definitions)
        self.cls, self.scope, self.env, self.context, self.reachable = saved

    # imports

    def on_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            module = alias.name if alias.asname else alias.name.partition(".")[0]
            self.define_import(alias.asname or module, alias, Imported(module, "", 0))
            if not alias.asname and "." in alias.name:
                self.number(None, Imported(alias.name, "", 0))  # read, so that it takes part

    def on_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            if alias.name == "*":
                self.facts.stars.append(Imported(node.module or "", "", node.level))
            else:
                imported = Imported(node.module or "", alias.name, node.level)
                self.define_import(alias.asname or alias.name, alias, imported)

    def define_import(self, name: str, alias: ast.alias, imported: Imported) -> None:
        index = self.define(name, alias, self.number(None, imported))
        if self.in_class_body():
            self.facts.classes[self.cls].attributes.setdefault(name, []).append(index)

    def on_Expr(self, node: ast.Expr) -> None:
        self.expression(node.value)


_TYPES = frozenset(
    {"Annotated", "Optional", "Union", "list", "List", "dict", "Dict", "tuple", "Tuple", "set", "Set", "Sequence",
     "Iterable", "Iterator", "Mapping", "AsyncIterator", "WorkflowHandle", "WorkflowHandleAsync"}
)  # fmt: skip


def _is_type(node: ast.expr) -> bool:
    """Whether an expression names a type: `list[WorkflowHandle[int]]`, `WorkflowHandle[str] | None`."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _is_type(node.left) or _is_type(node.right)
    return isinstance(node, ast.Subscript) and ast.unparse(node.value).rpartition(".")[2] in _TYPES


def _suppresses(node: ast.expr) -> bool:
    """Whether a context manager swallows errors, so that the rest of its block may not have run."""
    name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
    return name.rpartition(".")[2] in ("suppress", "raises", "assertRaises", "assertRaisesRegex")
