"""What a random project is made of: functions, their texts, and the holes in them that depend on who is a coroutine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum


class Kind(Enum):
    """What a function is to DBOS, and whether its author wrote it as a coroutine."""

    WORKFLOW = "async workflow"
    STEP = "async step"
    COROUTINE = "coroutine"
    SYNC_WORKFLOW = "workflow"
    SYNC_STEP = "step"
    TRANSACTION = "transaction"
    HELPER = "helper"
    GENERATOR = "generator"
    CONTEXT = "context manager"
    PROPERTY = "property"

    @property
    def is_coroutine(self) -> bool:
        return self in (Kind.WORKFLOW, Kind.STEP, Kind.COROUTINE)

    @property
    def runs_in_a_thread(self) -> bool:
        """A coroutine calls it in a thread."""
        return self in (Kind.SYNC_WORKFLOW, Kind.SYNC_STEP, Kind.TRANSACTION)


@dataclass(frozen=True, eq=False)
class Text:
    """Source text with numbered holes, as `str.format` fills them."""

    template: str
    holes: tuple[Part, ...] = ()


@dataclass(eq=False)
class Function:
    """One function of a module, or one method (`owner` is its class; `method` is "self", "class", "static" or "init").

    `pinned`: something else than calls refers to it. `migrated`: its body is asynchronous before the tool runs.
    """

    name: str
    kind: Kind
    module: int
    owner: str = ""
    method: str = ""
    params: list[tuple[str, Origin | None]] = field(default_factory=list)
    body: list[Text] = field(default_factory=list)
    gives: Origin | None = None
    decorator: str = ""
    pinned: bool = False
    migrated: bool = False


@dataclass(eq=False)
class Origin:
    """A call that gives a workflow handle. `form` is whether its asynchronous form fits the workflow that it names;
    the handles of `beside` are waited for by the same call."""

    where: Function
    form: bool
    waiters: list[Function] = field(default_factory=list)
    beside: list[Origin] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Api:
    """A call of dbos; `form` is whether it has an asynchronous form. With an `origin` it gives that handle."""

    receiver: str
    name: str
    args: Text
    form: bool = True
    origin: Origin | None = None


@dataclass(frozen=True, eq=False)
class Stream:
    """A call of `read_stream`, which is iterated over."""

    args: Text


@dataclass(frozen=True, eq=False)
class Word:
    """`async ` in front of a `for` over a stream, or of the `def` of a nested function."""


@dataclass(frozen=True, eq=False)
class Call:
    """A call of a function of the project. `fresh` makes an object for it instead of using the module's; `spelled`
    is how it is called, if not by its name."""

    function: Function
    args: Text
    fresh: bool = False
    spelled: Text | None = None


@dataclass(frozen=True, eq=False)
class NestedCall:
    """A call of a nested function that blocks."""

    name: str
    args: Text


@dataclass(frozen=True, eq=False)
class Wait:
    """`get_result()` or `get_status()` of a handle."""

    origin: Origin
    handle: Text
    method: str = "get_result"


@dataclass(frozen=True, eq=False)
class Annotation:
    """The annotation of a handle."""

    origin: Origin


@dataclass(frozen=True, eq=False)
class Name:
    """A function or another name of the project, referred to and not called."""

    function: Function


@dataclass(frozen=True, eq=False)
class Other:
    """A class or variable of a module."""

    module: int
    name: str


@dataclass(frozen=True, eq=False)
class Raw:
    """Text that stays synchronous: what nobody can await, or what does not run on the loop."""

    inner: Part


@dataclass(frozen=True, eq=False)
class Bare:
    """A call of a coroutine that something else awaits."""

    call: Call


Part = Text | Api | Stream | Word | Call | NestedCall | Wait | Annotation | Name | Other | Raw | Bare


@dataclass(eq=False)
class Module:
    """One module: its place in the package, how it imports what, and what stands above and below its functions."""

    path: tuple[str, ...]
    styles: dict[int, str] = field(default_factory=dict)
    dbos_style: str = "from"
    asyncio_style: str = ""
    future: bool = False
    before: list[Text] = field(default_factory=list)
    after: list[Text] = field(default_factory=list)
    exported: list[str] = field(default_factory=list)

    @property
    def dotted(self) -> str:
        return ".".join(self.path)


@dataclass(eq=False, repr=False)  # a failure shows its files
class Project:
    """A whole project. Module 0 sets DBOS up. `planted` are words of lines that must be reported,
    `nested` the names of nested functions that block."""

    package: str
    folder: str
    has_init: bool
    modules: list[Module] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    fields: dict[str, list[str]] = field(default_factory=dict)
    inits: dict[str, tuple[str, str]] = field(default_factory=dict)  # classes made in another way: parameter, body
    made: dict[str, str] = field(default_factory=dict)  # what their one object is given
    bases: dict[str, str] = field(default_factory=dict)
    planted: list[str] = field(default_factory=list)
    nested: set[str] = field(default_factory=set)


def children(part: Part) -> tuple[Part, ...]:
    """The parts right inside a part."""
    match part:
        case Text(holes=holes):
            return holes
        case Call():
            return (part.args,) if part.spelled is None else (part.args, part.spelled)
        case Api() | NestedCall() | Stream():
            return (part.args,)
        case Wait():
            return (part.handle,)
        case Raw():
            return (part.inner,)
        case Bare():
            return (part.call,)
    return ()


def walk(part: Part, *, raw: bool = False) -> Iterator[tuple[Part, bool]]:
    """A part and all parts in it, each with whether it stays synchronous."""
    yield part, raw
    for child in children(part):
        yield from walk(child, raw=raw or isinstance(part, Raw))
