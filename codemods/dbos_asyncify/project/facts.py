"""The facts of one file: a graph of where each value comes from, and the context of each expression.

Nodes are numbered; `Facts.ops[n]` says where the value of node `n` comes from. Nothing here depends on another
file, so facts can be computed for each file on its own.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias


class Join(NamedTuple):
    """Any of these nodes: a variable's reaching definitions, the arms of a conditional expression."""

    nodes: tuple[int, ...]


class Cell(NamedTuple):
    """A variable of an enclosing scope, whatever is assigned to it anywhere."""

    scope: int
    name: str


class Global(NamedTuple):
    """A module's variable, a name that a star import brings, or a builtin."""

    name: str


class Attr(NamedTuple):
    base: int
    name: str


class Arg(NamedTuple):
    """One argument of a call: `star` is "", "*" or "**"; `keyword` is "" for a positional one."""

    node: int
    star: str
    keyword: str


class Call(NamedTuple):
    func: int
    args: tuple[Arg, ...]


class Item(NamedTuple):
    """An element of a container or iterable; `position` where it is a known one.

    Iterating over a mapping gives its keys, subscripting it its values: `iterated` tells them apart.
    """

    base: int
    position: int | str | None
    iterated: bool = True


class Display(NamedTuple):
    """A new container: a display or a comprehension. `indexed` keeps the positions apart (tuples)."""

    items: tuple[tuple[int, bool], ...]
    indexed: bool = False
    mapping: bool = False


class Await(NamedTuple):
    value: int


class Enter(NamedTuple):
    """What `with` binds."""

    value: int


class FunctionRef(NamedTuple):
    """A function with its decorators, the innermost first."""

    function: int
    decorators: tuple[int, ...]


class ClassRef(NamedTuple):
    cls: int


class Imported(NamedTuple):
    """`import module` (name empty) or `from module import name`."""

    module: str
    name: str
    level: int


class Param(NamedTuple):
    function: int
    name: str


class Typed(NamedTuple):
    """A value with an annotation beside it; `value` is -1 where there is only the annotation."""

    value: int
    annotation: int


class Instance(NamedTuple):
    """What an annotation describes: an instance of what `cls` evaluates to; `args` are its parameters."""

    cls: int
    args: tuple[int, ...]


class Alias(NamedTuple):
    """A name for a type, `Handles = list[WorkflowHandle[int]]`: what the expression describes as an annotation."""

    described: int


class Plain(NamedTuple):
    """Data without parts that matter; `none` for None."""

    none: bool = False


class Opaque(NamedTuple):
    """Something that the analysis does not follow."""


Op: TypeAlias = (
    Join | Cell | Global | Attr | Call | Item | Display | Await | Enter | FunctionRef | ClassRef | Imported
    | Param | Typed | Instance | Alias | Plain | Opaque
)  # fmt: skip


class Context(NamedTuple):
    """Where an expression is evaluated.

    `function` is the number of the function (-1: the module or a class outside functions). `on_loop` says that
    it runs in a coroutine. `trap` names what stands between the expression and its coroutine and cannot await:
    "class body", "lambda" or "generator expression"; `generator` is that generator expression. `comprehensions`
    counts the comprehensions around it; `withs` are the nodes of the `with` items around it.
    """

    function: int = -1
    on_loop: bool = False
    trap: str = ""
    generator: int = -1
    comprehensions: int = 0
    withs: tuple[int, ...] = ()


@dataclass(slots=True)
class Parameter:
    name: str
    kind: str  # "positional", "*", "keyword", "**"
    annotation: int = -1
    annotation_node: ast.expr | None = None
    default: int = -1


@dataclass(slots=True)
class Function:
    """One `def`, `async def` or lambda. `cls` is the number of the class whose body holds it, or -1."""

    index: int
    name: str
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    scope: int
    parent: int
    cls: int
    context: Context
    is_async: bool = False
    is_generator: bool = False
    params: list[Parameter] = field(default_factory=list)
    decorators: tuple[int, ...] = ()
    returns: list[int] = field(default_factory=list)
    yields: list[tuple[int, bool]] = field(default_factory=list)  # what it yields; True for `yield from`
    return_annotation: int = -1
    value: int = -1


@dataclass(slots=True)
class Class:
    index: int
    bases: tuple[int, ...]
    decorators: tuple[int, ...] = ()
    attributes: dict[str, list[int]] = field(default_factory=dict)
    annotations: dict[str, tuple[int, ast.expr]] = field(default_factory=dict)


class AttributeStore(NamedTuple):
    base: int
    name: str
    value: int
    target: int


class ItemStore(NamedTuple):
    base: int
    value: int


@dataclass(slots=True)
class Scope:
    """A function's, class's or the module's own names."""

    index: int
    kind: str  # "module", "function", "class"
    parent: int
    bound: set[str] = field(default_factory=set)
    global_names: set[str] = field(default_factory=set)
    nonlocal_names: set[str] = field(default_factory=set)
    shared: set[str] = field(default_factory=set)  # assigned to by a nested scope too


@dataclass(slots=True)
class Facts:
    """All that one file says by itself."""

    tree: ast.Module
    ops: list[Op] = field(default_factory=list)
    nodes: list[ast.AST | None] = field(default_factory=list)
    contexts: list[Context] = field(default_factory=list)
    numbers: dict[ast.AST, int] = field(default_factory=dict)
    parents: dict[ast.AST, ast.AST] = field(default_factory=dict)
    scopes: list[Scope] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    classes: list[Class] = field(default_factory=list)
    cells: dict[tuple[int, str], list[int]] = field(default_factory=dict)
    stars: list[Imported] = field(default_factory=list)
    attribute_stores: list[AttributeStore] = field(default_factory=list)
    item_stores: list[ItemStore] = field(default_factory=list)
    annotated: dict[int, ast.expr] = field(default_factory=dict)  # stored value -> its annotation
    variable_annotations: list[tuple[int, str, ast.expr]] = field(default_factory=list)  # scope, name
    aliases: dict[int, ast.expr] = field(default_factory=dict)  # what an Alias describes -> the expression
    final: dict[str, list[int]] = field(default_factory=dict)  # the module's names as functions find them
    name_scopes: dict[int, int] = field(default_factory=dict)  # node -> scope where it stands
