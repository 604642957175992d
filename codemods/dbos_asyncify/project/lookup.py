"""Where values are kept, and what names, attributes and containers hold: what the rest of the analysis stands on."""

from __future__ import annotations

import builtins
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from dbos_asyncify.dbos_api import Catalogue, Member
from dbos_asyncify.project import facts as f
from dbos_asyncify.project.modules import ModuleMap
from dbos_asyncify.project.values import (
    DATA,
    EMPTY,
    NONE,
    UNKNOWN,
    WAITS,
    Api,
    Atom,
    Bound,
    Box,
    BoxMethod,
    Cls,
    Coro,
    Ext,
    Func,
    Handle,
    HandleMethod,
    Inst,
    Module,
    Obj,
    Partial,
    Result,
    Site,
    Stream,
    Value,
)

# What a value is kept under: for a node of a module one number (they are many), else words and numbers.
Key: TypeAlias = int | tuple[object, ...]
DBOS = "dbos."
_MAX_PARTS = 6
_MAX_ATOMS = 200
_BUILTINS = frozenset(dir(builtins))


def node_key(module: int, node: int) -> int:
    """The key of a node of a module."""
    return module << 32 | node


def outside(path: str, name: str) -> Atom:
    """The attribute `name` of something outside the project.

    `logging.getLogger().info` is as far as the rules look; what hangs on that is unknown. In a recursion over such
    values the number of paths would grow without end.
    """
    if "()." in path or f".{name}" in path or path.count(".") >= _MAX_PARTS:
        return UNKNOWN
    return Ext(f"{path}.{name}")


class Given(NamedTuple):
    """One argument: what it can be, "" or "*" or "**", and its keyword."""

    atoms: tuple[Atom, ...]
    star: str = ""
    keyword: str = ""


@dataclass(slots=True)
class Values:
    """The values of everything in a project, kept by key, and who read what."""

    facts: Mapping[int, f.Facts]
    modules: ModuleMap
    catalogue: Catalogue
    classes: frozenset[str] = field(init=False)  # the public names of dbos
    values: dict[Key, set[Atom]] = field(default_factory=dict)
    readers: dict[Key, set[Key]] = field(default_factory=dict)
    queue: deque[Key] = field(default_factory=deque)
    queued: set[Key] = field(default_factory=set)
    reader: Key = 0
    settled: bool = False  # the second phase: what nobody in the project calls may get anything
    unresolved: set[int] = field(default_factory=set)
    called: set[tuple[int, int]] = field(default_factory=set)
    escaped: set[tuple[int, int]] = field(default_factory=set)
    concurrent: dict[Site, set[tuple[int, int]]] = field(default_factory=dict)
    tasks: set[Site] = field(default_factory=set)  # where tasks are made that run while their maker goes on
    wrapped: set[tuple[int, int]] = field(default_factory=set)  # functions under decorators that are not known
    wrappers: dict[tuple[int, int], set[Func]] = field(default_factory=dict)  # what decorators put around them
    properties: dict[int, set[tuple[int, int]]] = field(default_factory=dict)  # node -> the functions that it runs
    partials: dict[Site, tuple[Given, ...]] = field(default_factory=dict)  # the arguments that they hold
    generators: dict[Site, Func] = field(default_factory=dict)  # what a generator is made by

    def __post_init__(self) -> None:
        self.classes = self.catalogue.classes()

    def read(self, key: Key) -> Iterable[Atom]:
        self.readers.setdefault(key, set()).add(self.reader)
        return tuple(self.values.get(key, ()))

    def node(self, module: int, node: int) -> Iterable[Atom]:
        return self.read(node_key(module, node))

    def add(self, key: Key, atoms: Iterable[Atom]) -> None:
        known = self.values.setdefault(key, set())
        before = len(known)
        if before < _MAX_ATOMS:
            known.update(atoms)
        else:
            known.add(UNKNOWN)  # so many things are as good as anything
        if len(known) != before:
            for reader in self.readers.get(key, ()):
                self.enqueue(reader)

    def enqueue(self, task: Key) -> None:
        if task not in self.queued:
            self.queued.add(task)
            self.queue.append(task)

    def value(self, module: int, node: int) -> Value:
        """What a node can be, once `solve` is done."""
        return frozenset(self.values.get(node_key(module, node), EMPTY))

    def contents(self, site: Site) -> Value:
        """What a container can hold, once `solve` is done."""
        key: Key = ("box", site)
        return frozenset(self.values.get(key, EMPTY))

    def awaits_to(self, site: Site) -> Value:
        """What an awaitable gives, once `solve` is done."""
        key: Key = ("coroutine", site)
        return frozenset(self.values.get(key, EMPTY))

    def partial_of(self, site: Site) -> Value:
        """What a `functools.partial` wraps, be it in others, once `solve` is done."""
        found: set[Atom] = set()
        pending = [site]
        seen = {site}
        while pending:
            key: Key = ("partial", pending.pop())
            for atom in self.values.get(key, EMPTY):
                if not isinstance(atom, Partial):
                    found.add(atom)
                elif atom.site not in seen:
                    seen.add(atom.site)
                    pending.append(atom.site)
        return frozenset(found)

    def parameter(self, module: int, function: int, name: str) -> Value:
        """What a parameter can be, once `solve` is done."""
        key: Key = ("param", module, function, name)
        return frozenset(self.values.get(key, EMPTY))

    def returned(self, module: int, function: int) -> Value:
        """What a function returns, once `solve` is done."""
        key: Key = ("return", module, function)
        return frozenset(self.values.get(key, EMPTY))

    def attribute_value(self, module: int, cls: int, name: str) -> Value:
        """What is stored in an attribute of a class's instances, once `solve` is done."""
        key: Key = ("attribute", module, cls, name)
        return frozenset(self.values.get(key, EMPTY))

    def set_from_outside(self, module: int, name: str) -> Value:
        """What other modules store in a module's variable, once `solve` is done."""
        key: Key = ("set", module, name)
        return frozenset(self.values.get(key, EMPTY))

    def in_attributes(self) -> set[Atom]:
        """What all attributes of all instances hold, once `solve` is done."""
        keys = (key for key in self.values if isinstance(key, tuple) and key[0] == "attribute")
        return {atom for key in keys for atom in self.values[key]}

    # names and attributes

    def global_name(self, module: int, name: str) -> Iterable[Atom]:
        found = self.bound_in(module, name)
        if found is not None:
            return found
        return (Ext(f"builtins.{name}"),) if name in _BUILTINS else self.unread_star(module, name) or (UNKNOWN,)

    def exported(self, module: int, name: str) -> Iterable[Atom]:
        """What `from module import name` binds."""
        found = self.bound_in(module, name)
        child = self.modules.child(module, name)
        if child is not None and name not in getattr(self.facts.get(module), "final", ()):
            return [*(found or ()), Module(child)]
        if found is not None:
            return found
        if module not in self.facts and self.modules.is_file(module):
            # A file that has nothing to do with dbos. The dot keeps its name apart from that of a package.
            return (Ext(f".{self.modules.name(module)}.{name}"),)
        return self.unread_star(module, name) or (UNKNOWN,)

    def bound_in(self, module: int, name: str, seen: set[int] | None = None) -> list[Atom] | None:
        """What a module's own statements bind to a name, its star imports among them; None if it does not have it.

        `seen` are the modules where it has been looked for already.
        """
        seen = set() if seen is None else seen
        seen.add(module)
        facts = self.facts.get(module)
        found: list[Atom] = list(self.read(("set", module, name)))
        known = bool(found)
        if facts is None:
            return found if known else None
        if name in facts.final:
            for node in facts.final[name]:
                found.extend(self.node(module, node))
            return found
        for star in facts.stars:
            target = self.modules.resolve(module, star.module, star.level)
            if target is not None and target not in seen:
                given = self.bound_in(target, name, seen)
                known = known or given is not None
                found.extend(given or ())
            elif target is None and star.module == "dbos" and name in self.classes:
                found.append(Ext(DBOS + name))
                known = True
        return found if known else None

    def unread_star(self, module: int, name: str) -> Iterable[Atom]:
        """A name that only a star import from a file without dbos can give."""
        for star in self.facts[module].stars if module in self.facts else ():
            target = self.modules.resolve(module, star.module, star.level)
            if target is not None and target not in self.facts and self.modules.is_file(target):
                return (Ext(f".{self.modules.name(target)}.{name}"),)
        return ()

    def imported(self, module: int, name: str, member: str, level: int) -> Iterable[Atom]:
        target = self.modules.resolve(module, name, level)
        if target is None:
            if level:
                return (UNKNOWN,)
            if name.startswith(DBOS) and member in self.classes and not member.startswith("WorkflowHandle"):
                return (Ext(DBOS + member),)  # of a private module; annotations of handles stay as they are then
            return (Ext(f"{name}.{member}" if member else name),)
        return self.exported(target, member) if member else (Module(target),)

    def attribute(self, atom: Atom, name: str) -> Iterable[Atom]:
        match atom:
            case Ext(path):
                owner = path.removeprefix(DBOS)
                if path.startswith(DBOS) and owner in self.classes:
                    return self.member(owner, name, path)
                return (outside(path, name),)
            case Module(target):
                return self.exported(target, name)
            case Inst(cls):
                return self.member(cls, name, f"{DBOS}{cls}()")
            case Obj(exact=False):
                return [*self.class_attribute(atom, atom, name), *self.overriding(atom, name)]
            case Cls() | Obj():
                return self.class_attribute(atom, atom, name)
            case Handle():
                return (HandleMethod(atom, name) if name in WAITS else DATA,)
            case Coro(site) if not list(self.read(("runs", site))):
                return self.of_forgotten(site, name)
            case Box(site, mapping):
                return (BoxMethod(site, name, mapping),)
            case Func() | Bound():
                return (UNKNOWN,)
            case Api(owner, member):
                return (Ext(f"{DBOS}{owner}.{member}.{name}"),)
        return (DATA,) if atom is DATA or isinstance(atom, Result) else () if atom is NONE else (UNKNOWN,)

    def of_forgotten(self, site: Site, name: str) -> Iterable[Atom]:
        """An attribute of what a coroutine of dbos gives, where somebody forgot to await it: the method of a handle,
        of a queue. What a coroutine or a task has itself is not followed."""
        for atom in self.read(("coroutine", site)):
            if isinstance(atom, Handle) and atom.is_async and name in WAITS:
                yield HandleMethod(atom, name)
            elif isinstance(atom, Inst) and self.catalogue.member(atom.cls, name) is not None:
                yield from self.attribute(atom, name)
            elif atom is not NONE:
                yield UNKNOWN

    def member(self, owner: str, name: str, path: str) -> Iterable[Atom]:
        found = self.catalogue.member(owner, name)
        if found is None or found.kind == "classproperty":
            return (Ext(f"{path}.{name}"),)
        if found.kind == "property":
            return self.api_result(found, Site(-1, -1)) if found.returns else (Ext(f"{path}.{name}"),)
        return (Api(owner, name),)

    def class_attribute(
        self, receiver: Cls | Obj, cls: Cls | Obj, name: str, seen: set[object] | None = None
    ) -> Iterable[Atom]:
        """An attribute of a class of the project or of its instances, looked for along its bases.

        `seen` are the classes where it has been looked for already, on whatever way.
        """
        seen = set() if seen is None else seen
        seen.add(cls)
        here = self.facts[cls.module].classes[cls.index]
        resolved = self.own_attribute(receiver, cls, name)
        if name in here.attributes:
            return resolved
        opaque = False
        for base in here.bases:
            for atom in self.node(cls.module, base):
                if isinstance(atom, Cls):
                    resolved.extend(self.class_attribute(receiver, atom, name, seen) if atom not in seen else ())
                elif isinstance(atom, Ext) and self.catalogue.member(atom.path.removeprefix(DBOS), name):
                    resolved.extend(self.member(atom.path.removeprefix(DBOS), name, atom.path))
                elif not (isinstance(atom, Ext) and atom.path.startswith(("builtins.", DBOS, "typing.", "abc."))):
                    opaque = True
        if opaque and not resolved:
            if self.settled:
                resolved.append(UNKNOWN)
            elif isinstance(self.reader, int):
                self.unresolved.add(self.reader)  # it may still be found: asked again in the end
        return resolved

    def own_attribute(self, receiver: Cls | Obj, cls: Cls | Obj, name: str) -> list[Atom]:
        """An attribute that a class itself defines, or that is stored in its instances."""
        here = self.facts[cls.module].classes[cls.index]
        found: list[Atom] = []
        for node in here.attributes.get(name, ()):
            found.extend(self.bind(receiver, atom) for atom in self.node(cls.module, node))
        stored = tuple(self.read(("attribute", cls.module, cls.index, name)))
        found.extend(stored)
        if stored:
            found.extend(self.read(("attribute", cls.module, cls.index, "")))  # by setattr, under a computed name
        if name in here.annotations:
            found.extend(self.node(cls.module, here.annotations[name][0]))
        return [bound for atom in found for bound in self.unwrap_property(atom)]

    def overriding(self, receiver: Obj, name: str) -> list[Atom]:
        """What subclasses of an object's class, or classes of the shape of a protocol, have as an attribute."""
        found: list[Atom] = []
        for cls in self.subclasses(receiver.module, receiver.index):
            found.extend(self.own_attribute(Obj(cls.module, cls.index), cls, name))
        return found

    def subclasses(self, module: int, index: int) -> list[Cls]:
        """The classes of the project that derive from one, and those that have the shape of it if it is a protocol."""
        found: dict[Cls, None] = {}
        pending = [(module, index)]
        while pending:
            for atom in self.read(("subclasses", *pending.pop())):
                if isinstance(atom, Cls) and atom not in found and (atom.module, atom.index) != (module, index):
                    found[atom] = None
                    pending.append((atom.module, atom.index))
        return list(found)

    def fields(self, cls: Cls, seen: set[Cls] | None = None) -> list[str]:
        """The annotated names of a class in the order of a dataclass' constructor, those of its bases first.

        `seen` are the classes whose names are known already.
        """
        seen = set() if seen is None else seen
        seen.add(cls)
        here = self.facts[cls.module].classes[cls.index]
        found: dict[str, None] = {}
        for base in reversed(here.bases):
            for atom in self.node(cls.module, base):
                if isinstance(atom, Cls) and atom not in seen:
                    found.update(dict.fromkeys(self.fields(atom, seen)))
        return list({**found, **dict.fromkeys(here.annotations)})

    def bind(self, receiver: Cls | Obj, atom: Atom) -> Atom:
        if isinstance(atom, Func):
            function = self.facts[atom.module].functions[atom.index]
            names = self.decorator_names(atom.module, function)
            if function.cls >= 0 and "staticmethod" not in names:
                if "classmethod" in names:
                    return Bound(atom, Cls(receiver.module, receiver.index))
                if isinstance(receiver, Obj):
                    return Bound(atom, receiver)
        return atom

    def decorator_names(self, module: int, function: f.Function) -> set[str]:
        """The builtins among a function's decorators, and the last names of other outside ones."""
        names = set()
        for decorator in function.decorators:
            for atom in self.node(module, decorator):
                if isinstance(atom, Ext):
                    names.add(atom.path.removeprefix("builtins."))
        return names

    def unwrap_property(self, atom: Atom) -> Iterable[Atom]:
        """A property's value is what its function returns."""
        if isinstance(atom, Bound):
            function = self.facts[atom.func.module].functions[atom.func.index]
            names = self.decorator_names(atom.func.module, function)
            if names & {"property", "functools.cached_property"}:
                self.called.add((atom.func.module, atom.func.index))
                if isinstance(self.reader, int):
                    self.properties.setdefault(self.reader, set()).add((atom.func.module, atom.func.index))
                return self.read(("return", atom.func.module, atom.func.index))
        return (atom,)

    # containers and awaitables

    def items(self, atoms: Iterable[Atom], index: int | str | None, *, iterated: bool) -> Iterable[Atom]:
        found: list[Atom] = []
        for atom in atoms:
            if isinstance(atom, Box):
                if atom.mapping and iterated:
                    found.append(DATA)
                elif isinstance(index, int) and list(self.read(("indexed", atom.site))):
                    found.extend(self.read(("item", atom.site, index)))
                else:
                    found.extend(self.read(("box", atom.site)))
            elif isinstance(atom, (Stream, Result)) or atom is DATA:
                found.append(DATA)
            elif isinstance(atom, Cls) and not iterated:
                found.append(atom)  # a generic class with its parameter
            elif isinstance(atom, Obj) and (names := self.item_names(atom)):
                chosen = names[index : index + 1] if isinstance(index, int) else [index] if index in names else names
                found.extend(value for name in chosen for value in self.attribute(atom, name))
            elif isinstance(atom, Coro) and not list(self.read(("runs", atom.site))):  # as `of_forgotten`
                given = [held if isinstance(held, Box) else UNKNOWN for held in self.read(("coroutine", atom.site))]
                found.extend(self.items(given, index, iterated=iterated))
            elif atom is not NONE:
                found.append(UNKNOWN)
        return found

    def item_names(self, instance: Obj) -> list[str]:
        """The fields of a NamedTuple or TypedDict, in order."""
        cls = self.facts[instance.module].classes[instance.index]
        bases = [atom for base in cls.bases for atom in self.node(instance.module, base)]
        named = any(isinstance(a, Ext) and a.path in ("typing.NamedTuple", "typing.TypedDict") for a in bases)
        return self.fields(Cls(instance.module, instance.index)) if named else []

    def awaited(self, atoms: Iterable[Atom]) -> Iterable[Atom]:
        found: list[Atom] = []
        for atom in atoms:
            if isinstance(atom, Coro):
                found.extend(self.read(("coroutine", atom.site)))
            elif isinstance(atom, Result):
                found.append(DATA)
            elif isinstance(atom, (Handle, Box, Inst)):
                found.append(atom)  # a synchronous call where an awaitable belongs: DBA112 mends that
            elif atom is not NONE:
                found.append(UNKNOWN)
        return found

    def api_result(self, member: Member, site: Site) -> Iterable[Atom]:
        """What a member of a dbos class gives (once awaited, where it is a coroutine)."""
        returns = member.returns
        if returns is None:
            return (DATA,)
        if returns.cls.startswith("WorkflowHandle"):
            found: Atom = Handle(site, "Async" in returns.cls)
        else:
            found = Inst(returns.cls)
        if returns.container == "list":
            self.add(("box", site), (found,))
            return (Box(site),)
        return (found,)
