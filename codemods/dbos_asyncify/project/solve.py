"""Joins the facts of all files: what each expression can be, as a least fixpoint.

Every node's value starts empty and only grows. A node is looked at again when something that it read has grown.
Calls are in `calls.py`.
"""

from __future__ import annotations

import builtins
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from dbos_asyncify.dbos_api import Catalogue
from dbos_asyncify.project import facts as f
from dbos_asyncify.project.build import parameters
from dbos_asyncify.project.calls import ROLES, Given, api_result, call
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
    Decorator,
    Ext,
    Func,
    Handle,
    HandleMethod,
    Inst,
    Module,
    Obj,
    Result,
    Role,
    Site,
    Stream,
    Value,
)

Key: TypeAlias = tuple[object, ...]
DBOS = "dbos."
_MAX_PATH = 120  # a path like `node.next.next…` must not grow without end
_TRANSPARENT = frozenset({"Optional", "Union", "Annotated", "Final", "ClassVar", "Required", "NotRequired", "Self"})
_CONTAINERS = frozenset(
    {
        "list",
        "List",
        "Sequence",
        "Iterable",
        "Iterator",
        "Collection",
        "set",
        "Set",
        "frozenset",
        "deque",
        "Deque",
    }
)
_MAPPINGS = frozenset({"dict", "Dict", "Mapping", "MutableMapping", "defaultdict", "DefaultDict", "OrderedDict"})
_BUILTINS = frozenset(dir(builtins))
_AWAITABLES = frozenset({"Awaitable", "Coroutine", "Task", "Future"})


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
    reader: Key = ()
    settled: bool = False  # the second phase: what nobody in the project calls may get anything
    called: set[tuple[int, int]] = field(default_factory=set)
    escaped: set[tuple[int, int]] = field(default_factory=set)
    concurrent: dict[Site, set[tuple[int, int]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.classes = self.catalogue.classes()

    # reading and writing

    def read(self, key: Key) -> Iterable[Atom]:
        self.readers.setdefault(key, set()).add(self.reader)
        return tuple(self.values.get(key, ()))

    def node(self, module: int, node: int) -> Iterable[Atom]:
        return self.read(("node", module, node))

    def add(self, key: Key, atoms: Iterable[Atom]) -> None:
        known = self.values.setdefault(key, set())
        before = len(known)
        known.update(atoms)
        if len(known) != before:
            for reader in self.readers.get(key, ()):
                self.enqueue(reader)

    def enqueue(self, task: Key) -> None:
        if task and task not in self.queued:
            self.queued.add(task)
            self.queue.append(task)

    def value(self, module: int, node: int) -> Value:
        """What a node can be, once `solve` is done."""
        return frozenset(self.values.get(("node", module, node), EMPTY))

    def contents(self, site: Site) -> Value:
        """What a container can hold, once `solve` is done."""
        key: Key = ("box", site)
        return frozenset(self.values.get(key, EMPTY))

    def awaits_to(self, site: Site) -> Value:
        """What an awaitable gives, once `solve` is done."""
        key: Key = ("coroutine", site)
        return frozenset(self.values.get(key, EMPTY))

    def returned(self, module: int, function: int) -> Value:
        """What a function returns, once `solve` is done."""
        key: Key = ("return", module, function)
        return frozenset(self.values.get(key, EMPTY))

    def attribute_value(self, module: int, cls: int, name: str) -> Value:
        """What is stored in an attribute of a class's instances, once `solve` is done."""
        key: Key = ("attribute", module, cls, name)
        return frozenset(self.values.get(key, EMPTY))

    # the fixpoint

    def solve(self) -> None:
        for module, facts in self.facts.items():
            for number in range(len(facts.ops)):
                self.enqueue(("node", module, number))
            for number in range(len(facts.attribute_stores)):
                self.enqueue(("attribute store", module, number))
            for number in range(len(facts.item_stores)):
                self.enqueue(("item store", module, number))
            for function in facts.functions:
                self.enqueue(("function", module, function.index))
        self.run()
        self.settled = True
        for module, facts in self.facts.items():
            for function in facts.functions:
                self.enqueue(("function", module, function.index))
            for number, op in enumerate(facts.ops):
                if isinstance(op, (f.Typed, f.FunctionRef)):
                    self.enqueue(("node", module, number))
        self.run()

    def run(self) -> None:
        while self.queue:
            task = self.queue.popleft()
            self.queued.discard(task)
            self.reader = task
            kind, module, number = task
            assert isinstance(module, int)
            assert isinstance(number, int)
            if kind == "node":
                self.add(task, self.evaluate(module, number))
            elif kind == "function":
                self.function(module, self.facts[module].functions[number])
            elif kind == "attribute store":
                self.store_attribute(module, self.facts[module].attribute_stores[number])
            else:
                store = self.facts[module].item_stores[number]
                for atom in self.node(module, store.base):
                    if isinstance(atom, Box):
                        self.add(("box", atom.site), self.node(module, store.value))

    def function(self, module: int, function: f.Function) -> None:
        """A function's parameters and results."""
        index = function.index
        if function.is_generator:
            self.add(("return", module, index), (UNKNOWN,))
        for node in function.returns:
            self.add(("return", module, index), self.node(module, node))
        if function.return_annotation >= 0:
            self.add(("return", module, index), self.node(module, function.return_annotation))
        unseen = self.settled and ((module, index) not in self.called or (module, index) in self.escaped)
        for position, parameter in enumerate(function.params):
            key: Key = ("param", module, index, parameter.name)
            declared = tuple(self.node(module, parameter.annotation)) if parameter.annotation >= 0 else ()
            if parameter.kind == "*":
                box = Site(module, -1 - self.facts[module].numbers[parameters(function.node)[position]])
                self.add(key, (Box(box),))
                self.add(("box", box), declared or ((UNKNOWN,) if unseen else ()))
                continue
            if parameter.kind == "**":
                box = Site(module, -1 - self.facts[module].numbers[parameters(function.node)[position]])
                self.add(key, (Box(box),))
                continue
            self.add(key, declared)
            if parameter.default >= 0:
                self.add(key, self.node(module, parameter.default))
            if position == 0 and function.cls >= 0 and parameter.kind == "positional":
                decorators = self.decorator_names(module, function)
                if "classmethod" in decorators or function.name in ("__new__", "__init_subclass__"):
                    self.add(key, (Cls(module, function.cls),))
                    continue
                if "staticmethod" not in decorators:
                    self.add(key, (Obj(module, function.cls),))
                    continue
            if unseen and not declared:
                self.add(key, (UNKNOWN,))

    def decorator_names(self, module: int, function: f.Function) -> set[str]:
        """The builtins among a function's decorators, and the last names of other outside ones."""
        names = set()
        for decorator in function.decorators:
            for atom in self.node(module, decorator):
                if isinstance(atom, Ext):
                    names.add(atom.path.removeprefix("builtins."))
        return names

    def store_attribute(self, module: int, store: f.AttributeStore) -> None:
        for atom in self.node(module, store.base):
            if isinstance(atom, (Obj, Cls)):
                self.add(("attribute", atom.module, atom.index, store.name), self.node(module, store.value))
            elif isinstance(atom, Module):
                self.add(("set", atom.module, store.name), self.node(module, store.value))

    # one node

    def evaluate(self, module: int, number: int) -> Iterable[Atom]:
        op = self.facts[module].ops[number]
        match op:
            case f.Join(nodes):
                return [atom for node in nodes for atom in self.node(module, node)]
            case f.Cell(scope, name):
                cells = self.facts[module].cells.get((scope, name), [])
                return [atom for node in cells for atom in self.node(module, node)]
            case f.Global(name):
                return self.global_name(module, name)
            case f.Attr(base, name):
                return [found for atom in self.node(module, base) for found in self.attribute(atom, name)]
            case f.Call(func, args):
                return self.call_node(module, number, func, args)
            case f.Item(base, index, iterated):
                return self.items(self.node(module, base), index, iterated=iterated)
            case f.Display():
                return self.display(Site(module, number), op)
            case f.Await(value):
                return self.awaited(self.node(module, value))
            case f.Enter(value):
                return self.entered(self.node(module, value))
            case f.FunctionRef(index, decorators):
                return self.decorated(module, index, decorators, Site(module, number))
            case f.ClassRef(index):
                return (Cls(module, index),)
            case f.Imported(name, member, level):
                return self.imported(module, name, member, level)
            case f.Param(function, name):
                return self.read(("param", module, function, name))
            case f.Typed(value, annotation):
                declared = [a for a in self.node(module, annotation) if a is not UNKNOWN]
                actual = self.node(module, value) if value >= 0 else ()
                if declared or not self.settled:
                    return [*declared, *(a for a in actual if a is not UNKNOWN)]
                return actual or ((UNKNOWN,) if value < 0 else ())
            case f.Instance(cls, arguments):
                return self.described(Site(module, number), cls, arguments)
            case f.Plain(none):
                return (NONE if none else DATA,)
        return (UNKNOWN,)

    # names and attributes

    def global_name(self, module: int, name: str) -> Iterable[Atom]:
        facts = self.facts[module]
        found: list[Atom] = list(self.read(("set", module, name)))
        if name in facts.final:
            for node in facts.final[name]:
                found.extend(self.node(module, node))
            return found
        for star in facts.stars:
            target = self.modules.resolve(module, star.module, star.level)
            if target is not None:
                found.extend(self.exported(target, name, ()))
            elif star.module == "dbos" and name in self.classes:
                found.append(Ext(DBOS + name))
        if found:
            return found
        return (Ext(f"builtins.{name}"),) if name in _BUILTINS else (UNKNOWN,)

    def exported(self, module: int, name: str, seen: tuple[int, ...]) -> Iterable[Atom]:
        """What `from module import name` binds."""
        facts = self.facts.get(module)
        found: list[Atom] = list(self.read(("set", module, name)))
        if facts is not None:
            for node in facts.final.get(name, ()):
                found.extend(self.node(module, node))
            if name in facts.final:
                return found
            for star in facts.stars:
                target = self.modules.resolve(module, star.module, star.level)
                if target is not None and target not in seen:
                    found.extend(self.exported(target, name, (*seen, module)))
                elif star.module == "dbos" and name in self.classes:
                    found.append(Ext(DBOS + name))
        child = self.modules.child(module, name)
        if child is not None:
            found.append(Module(child))
        if not found and facts is None and self.modules.is_file(module):
            return (Ext(f"{self.modules.paths[module].stem}.{name}"),)  # a file that has nothing to do with dbos
        return found or (() if seen else (UNKNOWN,))

    def imported(self, module: int, name: str, member: str, level: int) -> Iterable[Atom]:
        target = self.modules.resolve(module, name, level)
        if target is None:
            if level:
                return (UNKNOWN,)
            return (Ext(f"{name}.{member}" if member else name),)
        return self.exported(target, member, ()) if member else (Module(target),)

    def attribute(self, atom: Atom, name: str) -> Iterable[Atom]:
        match atom:
            case Ext(path):
                owner = path.removeprefix(DBOS)
                if path.startswith(DBOS) and owner in self.classes:
                    return self.member(owner, name, path)
                return (Ext(f"{path}.{name}"),) if len(path) < _MAX_PATH else (UNKNOWN,)
            case Module(target):
                return self.exported(target, name, ())
            case Inst(cls):
                return self.member(cls, name, f"{DBOS}{cls}()")
            case Cls() | Obj():
                return self.class_attribute(atom, atom, name, ())
            case Handle():
                return (HandleMethod(atom, name) if name in WAITS else DATA,)
            case Box(site):
                return (BoxMethod(site, name),)
            case Func() | Bound():
                return (UNKNOWN,)
            case Api(owner, member):
                return (Ext(f"{DBOS}{owner}.{member}.{name}"),)
        return (DATA,) if atom is DATA or isinstance(atom, Result) else () if atom is NONE else (UNKNOWN,)

    def member(self, owner: str, name: str, path: str) -> Iterable[Atom]:
        found = self.catalogue.member(owner, name)
        if found is None or found.kind == "classproperty":
            return (Ext(f"{path}.{name}"),)
        if found.kind == "property":
            return api_result(self, found, Site(-1, -1)) if found.returns else (Ext(f"{path}.{name}"),)
        return (Api(owner, name),)

    def class_attribute(
        self, receiver: Cls | Obj, cls: Cls | Obj, name: str, seen: tuple[object, ...]
    ) -> Iterable[Atom]:
        """An attribute of a class of the project or of its instances, looked for along its bases."""
        facts = self.facts[cls.module]
        here = facts.classes[cls.index]
        found: list[Atom] = []
        for node in here.attributes.get(name, ()):
            found.extend(self.bind(receiver, atom) for atom in self.node(cls.module, node))
        found.extend(self.read(("attribute", cls.module, cls.index, name)))
        if name in here.annotations:
            found.extend(self.node(cls.module, here.annotations[name][0]))
        resolved = [bound for atom in found for bound in self.unwrap_property(atom)]
        if name in here.attributes:
            return resolved
        opaque = False
        for base in here.bases:
            for atom in self.node(cls.module, base):
                if isinstance(atom, Cls) and atom not in seen:
                    resolved.extend(self.class_attribute(receiver, atom, name, (*seen, cls)))
                elif not (isinstance(atom, Ext) and atom.path.startswith(("builtins.", DBOS, "typing."))):
                    opaque = True
        if opaque and not resolved:
            resolved.append(UNKNOWN)
        return resolved

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

    def unwrap_property(self, atom: Atom) -> Iterable[Atom]:
        """A property's value is what its function returns."""
        if isinstance(atom, Bound):
            function = self.facts[atom.func.module].functions[atom.func.index]
            names = self.decorator_names(atom.func.module, function)
            if names & {"property", "functools.cached_property"}:
                self.called.add((atom.func.module, atom.func.index))
                return self.read(("return", atom.func.module, atom.func.index))
        return (atom,)

    # containers, awaitables, annotations

    def display(self, site: Site, op: f.Display) -> Iterable[Atom]:
        for position, (node, starred) in enumerate(op.items):
            atoms = self.node(site.module, node)
            if starred:
                self.add(("box", site), self.items(atoms, None, iterated=not op.mapping))
            else:
                self.add(("box", site), atoms)
                if op.indexed:
                    self.add(("item", site, position), atoms)
        if op.indexed:
            self.add(("indexed", site), (DATA,))
        return (Box(site, op.mapping),)

    def items(self, atoms: Iterable[Atom], index: int | None, *, iterated: bool) -> Iterable[Atom]:
        found: list[Atom] = []
        for atom in atoms:
            if isinstance(atom, Box):
                if atom.mapping and iterated:
                    found.append(DATA)
                elif index is not None and list(self.read(("indexed", atom.site))):
                    found.extend(self.read(("item", atom.site, index)))
                else:
                    found.extend(self.read(("box", atom.site)))
            elif isinstance(atom, (Stream, Result)) or atom is DATA:
                found.append(DATA)
            elif atom is not NONE:
                found.append(UNKNOWN)
        return found

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

    def entered(self, atoms: Iterable[Atom]) -> Iterable[Atom]:
        return [atom if isinstance(atom, (Ext, Inst)) else UNKNOWN for atom in atoms]

    def described(self, site: Site, cls: int, arguments: tuple[int, ...]) -> Iterable[Atom]:
        """What an annotation says that a value is."""
        found: list[Atom] = []
        for atom in self.node(site.module, cls):
            if isinstance(atom, Cls):
                found.append(Obj(atom.module, atom.index))
            elif isinstance(atom, Ext):
                found.extend(self.described_by(atom.path, site, arguments))
            else:
                found.append(UNKNOWN)
        return found

    def described_by(self, path: str, site: Site, arguments: tuple[int, ...]) -> Iterable[Atom]:
        name = path.rpartition(".")[2]
        parts = [list(self.node(site.module, argument)) for argument in arguments]
        if path.startswith(DBOS) and name in self.classes:
            if name.startswith("WorkflowHandle"):
                return (Handle(site, "Async" in name, declared=True),)
            return (Inst(name),)
        if name in _TRANSPARENT:
            chosen = parts[:1] if name == "Annotated" else parts
            return [atom for part in chosen for atom in part]
        if (name in _CONTAINERS or name in _MAPPINGS or name in ("tuple", "Tuple")) and parts:
            for atoms in parts[-1:] if name in _MAPPINGS else parts:
                self.add(("box", site), (a for a in atoms if a is not UNKNOWN))
            return (Box(site, name in _MAPPINGS),)
        if name in _AWAITABLES and parts:
            self.add(("coroutine", site), parts[-1])
            return (Coro(site),)
        if path.startswith("builtins.") and name in ("str", "int", "float", "bool", "bytes"):
            return (DATA,)
        return (UNKNOWN,)

    # functions

    def decorated(self, module: int, index: int, decorators: tuple[int, ...], site: Site) -> Iterable[Atom]:
        """A function under its decorators: they may give it a role, but do not change which function it is."""
        functions: set[Atom] = {Func(module, index)}
        for decorator in decorators:
            atoms = self.node(module, decorator)
            if not atoms and not self.settled:
                return ()  # not known yet: a function must not be taken for a plain one before
            for atom in atoms:
                changed = self.apply_decorator(atom, functions, site)
                functions = changed or functions
        return functions

    def apply_decorator(self, atom: Atom, functions: set[Atom], site: Site) -> set[Atom]:
        if isinstance(atom, Api) and atom.name in ROLES:
            atom = Decorator(ROLES[atom.name])  # `@ds.transaction` without a call
        if isinstance(atom, Decorator):
            return {Func(a.module, a.index, atom.role) for a in functions if isinstance(a, Func)}
        if isinstance(atom, (Func, Bound)):
            results = call(self, atom, [Given(tuple(functions))], site)
            own = {(a.module, a.index) for a in functions if isinstance(a, Func)}
            return {
                a for a in results if isinstance(a, Func) and (a.module, a.index) in own and a.role is not Role.PLAIN
            }
        if isinstance(atom, Ext) and atom.path.startswith(("builtins.", DBOS, "functools.", "abc.", "typing.")):
            return set()
        self.escaped.update((a.module, a.index) for a in functions if isinstance(a, Func))
        return set()

    def call_node(self, module: int, number: int, func: int, args: tuple[f.Arg, ...]) -> Iterable[Atom]:
        given = [Given(tuple(self.node(module, arg.node)), arg.star, arg.keyword) for arg in args]
        site = Site(module, number)
        return [found for atom in self.node(module, func) for found in call(self, atom, given, site)]
