"""Abstract values: what an expression can be, as far as the rules care.

The value of an expression is a set of these atoms. An empty set means that nothing reaches it (or that the
analysis has not got there yet); `UNKNOWN` in a set means that it can also be something that was not read.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, TypeAlias


class Site(NamedTuple):
    """A place in the program: a module's number and a node's number in it."""

    module: int
    node: int


class Other(Enum):
    """Values without parts that matter."""

    UNKNOWN = "unknown"
    NONE = "none"
    DATA = "data"


UNKNOWN = Other.UNKNOWN
NONE = Other.NONE
DATA = Other.DATA


class Role(str, Enum):
    """What DBOS makes of a function."""

    PLAIN = "function"
    STEP = "step"
    TRANSACTION = "transaction"
    WORKFLOW = "workflow"


@dataclass(frozen=True, slots=True)
class Ext:
    """Something from outside the project, by its path: `asyncio.gather`, `logging.getLogger().info`."""

    path: str


@dataclass(frozen=True, slots=True)
class Module:
    """A module of the project."""

    module: int


@dataclass(frozen=True, slots=True)
class Inst:
    """An instance of a public class of dbos; `declared` where only an annotation says so, `constructed` where the
    class itself was called."""

    cls: str
    declared: bool = False
    constructed: bool = False


@dataclass(frozen=True, slots=True)
class Api:
    """A member of a public class of dbos, bound or not: `DBOS.sleep`, `queue.enqueue`."""

    owner: str
    name: str


@dataclass(frozen=True, slots=True)
class Decorator:
    """A decorator of DBOS: what it returns is its argument, in that role; `owner` is the class that it is from."""

    role: Role
    owner: str


@dataclass(frozen=True, slots=True)
class Func:
    """A function of the project, and its role for DBOS."""

    module: int
    index: int
    role: Role = Role.PLAIN


@dataclass(frozen=True, slots=True)
class Foreign:
    """A synchronous function of the standard library that DBOS was given: `DBOS.step()(platform.node)`."""

    path: str
    role: Role


@dataclass(frozen=True, slots=True)
class Bound:
    """A method of the project with its first argument given."""

    func: Func
    instance: Obj | Cls


@dataclass(frozen=True, slots=True)
class Cls:
    """A class of the project."""

    module: int
    index: int


@dataclass(frozen=True, slots=True)
class Obj:
    """An instance of a class of the project; `exact` where it is known not to be one of a subclass."""

    module: int
    index: int
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """A container or iterator made at a place; its contents are kept by the solver."""

    site: Site
    mapping: bool = False


@dataclass(frozen=True, slots=True)
class BoxMethod:
    """A method of a container: `handles.append`."""

    site: Site
    name: str
    mapping: bool = False


@dataclass(frozen=True, slots=True)
class Handle:
    """A workflow handle made at a place; `declared` where only an annotation says so."""

    site: Site
    is_async: bool
    declared: bool = False


@dataclass(frozen=True, slots=True)
class HandleMethod:
    """A method of a handle: `handle.get_result`."""

    handle: Handle
    name: str


@dataclass(frozen=True, slots=True)
class Stream:
    """The generator that `read_stream` made at a place; `is_async` for the async one."""

    site: Site
    is_async: bool


@dataclass(frozen=True, slots=True)
class TypeName:
    """A name for a type; what it describes is at a node."""

    site: Site


@dataclass(frozen=True, slots=True)
class Result:
    """What a synchronous call of a dbos member gives, as long as nobody looks into it."""

    site: Site


@dataclass(frozen=True, slots=True)
class Coro:
    """An awaitable made at a place; its result is kept by the solver."""

    site: Site


@dataclass(frozen=True, slots=True)
class Partial:
    """A `functools.partial` made at a place."""

    site: Site


Atom: TypeAlias = (
    Other | Ext | Module | Inst | Api | Decorator | Func | Foreign | Bound | Cls | Obj | Box | BoxMethod | Handle
    | HandleMethod | Stream | Result | Coro | Partial | TypeName
)  # fmt: skip
Value: TypeAlias = frozenset[Atom]

EMPTY: Value = frozenset()

WAITS = ("get_result", "get_status")  # what a handle does that takes time
