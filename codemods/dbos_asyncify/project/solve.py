"""Joins the facts of all files: what each expression can be, as a least fixpoint.

Every node's value starts empty and only grows. A node is looked at again when something that it read has grown.
Names and attributes are in `lookup.py`, calls in `calls.py`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from dbos_asyncify.project import facts as f
from dbos_asyncify.project import library
from dbos_asyncify.project.build import parameters
from dbos_asyncify.project.calls import ROLES, call, entered
from dbos_asyncify.project.lookup import DBOS, Given, Key, Values, node_key
from dbos_asyncify.project.values import (
    DATA,
    NONE,
    UNKNOWN,
    Api,
    Atom,
    Bound,
    Box,
    Cls,
    Coro,
    Decorator,
    Ext,
    Func,
    Handle,
    Inst,
    Module,
    Obj,
    Role,
    Site,
    TypeName,
)

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
        "AbstractSet",
        "MutableSet",
        "frozenset",
        "FrozenSet",
        "deque",
        "Deque",
    }
)
_GENERATORS = frozenset({"Generator", "AsyncGenerator", "AsyncIterator", "AsyncIterable"})
_MAPPINGS = frozenset({"dict", "Dict", "Mapping", "MutableMapping", "defaultdict", "DefaultDict", "OrderedDict"})
_KNOWN_DECORATORS = ("builtins.", DBOS, "functools.", "abc.", "typing.", "contextlib.")
_AWAITABLES = frozenset({"Awaitable", "Coroutine", "Task", "Future"})


def _class_of(atom: Atom) -> Atom:
    """The class of what an annotation describes: `type[DBOS]` is the class itself."""
    if isinstance(atom, Inst):
        return Ext(DBOS + atom.cls)
    return Cls(atom.module, atom.index) if isinstance(atom, Obj) else UNKNOWN


def is_unseen(atom: Atom) -> bool:
    """Whether something comes out of code that is not read: an annotation says more about it."""
    return atom is UNKNOWN or (isinstance(atom, Ext) and atom.path.endswith("()") and not atom.path.startswith(DBOS))


def method_shapes(facts: f.Facts, cls: f.Class) -> dict[str, tuple[bool, tuple[str, ...]]]:
    """A class's own methods: whether each is a coroutine function, and its parameters."""
    return {
        function.name: (function.is_async, tuple(parameter.name for parameter in function.params))
        for function in facts.functions
        if function.cls == cls.index
    }


@dataclass(slots=True)
class Solver(Values):
    """Computes the values of everything in a project."""

    def solve(self) -> None:
        for module, facts in self.facts.items():
            for number, op in enumerate(facts.ops):
                if isinstance(op, f.Plain):
                    self.values[node_key(module, number)] = {NONE if op.none else DATA}
                else:
                    self.enqueue(node_key(module, number))
                if isinstance(op, f.Imported):
                    self.modules.resolve(module, op.module, op.level)  # from here on it knows their names
            for number in range(len(facts.attribute_stores)):
                self.enqueue(("attribute store", module, number))
            for number in range(len(facts.item_stores)):
                self.enqueue(("item store", module, number))
            for function in facts.functions:
                self.enqueue(("function", module, function.index))
            for cls in facts.classes:
                self.enqueue(("class", module, cls.index))
        self.run()
        self.settled = True
        for key in sorted(self.unresolved):
            self.enqueue(key)
        for module, facts in self.facts.items():
            for function in facts.functions:
                self.enqueue(("function", module, function.index))
            for number, op in enumerate(facts.ops):
                if isinstance(op, (f.Typed, f.FunctionRef)):
                    self.enqueue(node_key(module, number))
        self.run()
        self.reader = ("nobody",)  # what is looked up from now on is not told of changes

    def run(self) -> None:
        while self.queue:
            task = self.queue.popleft()
            self.queued.discard(task)
            self.reader = task
            if isinstance(task, int):
                self.add(task, self.evaluate(task >> 32, task & 0xFFFFFFFF))
                continue
            kind, module, number = task
            assert isinstance(module, int)
            assert isinstance(number, int)
            if kind == "function":
                self.function(module, self.facts[module].functions[number])
            elif kind == "class":
                self.hierarchy(module, self.facts[module].classes[number])
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
        result: Key = ("return", module, index)
        declared_result: list[Atom] = []
        if function.return_annotation >= 0:
            declared_result = [a for a in self.node(module, function.return_annotation) if a is not UNKNOWN]
        self.add(result, declared_result)
        if function.is_generator:
            made = Site(module, -1 - function.value)
            self.generators[made] = Func(module, index)
            self.add(result, (Box(made),))
            for node, several in function.yields:
                atoms = self.node(module, node)
                self.add(("box", made), self.items(atoms, None, iterated=True) if several else atoms)
        else:
            # What is not known is what the annotation says; whether that says anything is known in the end.
            unknown_counts = self.settled and not declared_result if function.return_annotation >= 0 else True
            for node in function.returns:
                self.add(result, (a for a in self.node(module, node) if unknown_counts or not is_unseen(a)))
            if function.return_annotation >= 0 and unknown_counts and not function.returns:
                self.add(result, (UNKNOWN,))
        unseen = self.settled and ((module, index) not in self.called or (module, index) in self.escaped)
        for position, parameter in enumerate(function.params):
            key: Key = ("param", module, index, parameter.name)
            declared = tuple(self.node(module, parameter.annotation)) if parameter.annotation >= 0 else ()
            known = self.declared_by(module, parameter.annotation) if parameter.annotation >= 0 else []
            if parameter.kind == "*":
                box = Site(module, -1 - self.facts[module].numbers[parameters(function.node)[position]])
                self.add(key, (Box(box),))
                self.add(("box", box), declared or ((UNKNOWN,) if unseen else ()))
                continue
            if parameter.kind == "**":
                box = Site(module, -1 - self.facts[module].numbers[parameters(function.node)[position]])
                self.add(key, (Box(box, mapping=True),))
                self.add(("box", box), declared or ((UNKNOWN,) if unseen else ()))
                continue
            self.add(key, known)
            if parameter.default >= 0:
                self.add(key, self.default_of(module, parameter))
            if position == 0 and function.cls >= 0 and parameter.kind == "positional":
                decorators = self.decorator_names(module, function)
                if "classmethod" in decorators or function.name in ("__new__", "__init_subclass__"):
                    self.add(key, (Cls(module, function.cls),))
                    continue
                if "staticmethod" not in decorators:
                    self.add(key, (Obj(module, function.cls),))
                    continue
            if unseen and not known:
                self.add(key, (UNKNOWN,))

    def declared_by(self, module: int, annotation: int) -> list[Atom]:
        """What an annotation says that is of use: a type that is not known tells only as one of several."""
        atoms = tuple(self.node(module, annotation))
        known = [atom for atom in atoms if atom is not UNKNOWN]
        several = self.settled and len(known) < len(atoms) and any(atom is not NONE for atom in known)
        return [*known, UNKNOWN] if several else known

    def default_of(self, module: int, parameter: f.Parameter) -> Iterable[Atom]:
        """A parameter's default; a framework's marker (`Depends(...)`) is none, and the annotation tells more."""
        atoms = self.node(module, parameter.default)
        if parameter.annotation < 0:
            return atoms
        return [atom for atom in atoms if not is_unseen(atom)]

    def hierarchy(self, module: int, cls: f.Class) -> None:
        """Note a class with its bases; a protocol with the classes that have all of its methods."""
        for base in cls.bases:
            for atom in self.node(module, base):
                if isinstance(atom, Cls):
                    self.add(("subclasses", atom.module, atom.index), (Cls(module, cls.index),))
                elif isinstance(atom, Ext) and library.last_name(atom.path) == "Protocol":
                    self.add(("subclasses", module, cls.index), self.shaped_like(module, cls))

    def shaped_like(self, module: int, protocol: f.Class) -> Iterable[Cls]:
        wanted = method_shapes(self.facts[module], protocol)
        for other, facts in self.facts.items():
            for cls in facts.classes:
                if wanted and cls is not protocol and wanted.items() <= method_shapes(facts, cls).items():
                    yield Cls(other, cls.index)

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
                return entered(self, self.node(module, value), Site(module, number))
            case f.FunctionRef(index, decorators):
                return self.decorated(module, index, decorators, Site(module, number))
            case f.ClassRef(index):
                return (Cls(module, index),)
            case f.Imported(name, member, level):
                return self.imported(module, name, member, level)
            case f.Param(function, name):
                return self.read(("param", module, function, name))
            case f.Typed(value, annotation):
                declared = self.declared_by(module, annotation)
                actual = self.node(module, value) if value >= 0 else ()
                if declared or not self.settled:
                    return [*declared, *(a for a in actual if not is_unseen(a))]
                return actual or ((UNKNOWN,) if value < 0 else ())
            case f.Alias(described):
                return (TypeName(Site(module, described)),)
            case f.Instance(cls, arguments):
                return self.described(Site(module, number), cls, arguments)
        return (UNKNOWN,)

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

    def described(self, site: Site, cls: int, arguments: tuple[int, ...]) -> Iterable[Atom]:
        """What an annotation says that a value is."""
        found: list[Atom] = []
        for atom in self.node(site.module, cls):
            if isinstance(atom, Cls):
                found.append(Obj(atom.module, atom.index))
            elif isinstance(atom, TypeName):
                found.extend(self.node(atom.site.module, atom.site.node))
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
            return (Inst(name, declared=True),)
        if name in _TRANSPARENT:
            chosen = parts[:1] if name == "Annotated" else parts
            return [atom for part in chosen for atom in part]
        if name in _GENERATORS:
            parts = parts[:1]
        if (name in _CONTAINERS | _GENERATORS | _MAPPINGS or name in ("tuple", "Tuple")) and parts:
            for atoms in parts[-1:] if name in _MAPPINGS else parts:
                self.add(("box", site), (a for a in atoms if a is not UNKNOWN))
            if name in ("tuple", "Tuple") and "..." not in self.texts(site.module, arguments):
                self.add(("indexed", site), (DATA,))
                for position, atoms in enumerate(parts):
                    self.add(("item", site, position), (a for a in atoms if a is not UNKNOWN))
            return (Box(site, name in _MAPPINGS),)
        if name in ("type", "Type") and parts:
            return [_class_of(atom) for atom in parts[0]]
        if name in _AWAITABLES and parts:
            self.add(("coroutine", site), parts[-1])
            return (Coro(site),)
        if path.startswith("builtins.") and name in ("str", "int", "float", "bool", "bytes"):
            return (DATA,)
        if f"{path}()" in library.THREAD_LOCKS:
            return (Ext(f"{path}()"),)
        return (UNKNOWN,)

    def texts(self, module: int, nodes: Iterable[int]) -> list[str]:
        """These expressions as they are written."""
        written = [self.facts[module].nodes[node] for node in nodes]
        return [ast.unparse(node) for node in written if node is not None]

    # functions

    def decorated(self, module: int, index: int, decorators: tuple[int, ...], site: Site) -> Iterable[Atom]:
        """A function under its decorators: they may give it a role, but do not change which function it is."""
        functions: set[Atom] = {Func(module, index)}
        for decorator in decorators:
            atoms = self.node(module, decorator)
            if not atoms and not self.settled:
                return ()  # not known yet: a function must not be taken for a plain one before
            if any(isinstance(atom, Ext) and library.last_name(atom.path) == "overload" for atom in atoms):
                return ()  # a signature without a body
            for atom in atoms:
                changed = self.apply_decorator(atom, functions, site)
                if changed is None:
                    return ()
                functions = changed or functions
        return functions

    def apply_decorator(self, atom: Atom, functions: set[Atom], site: Site) -> set[Atom] | None:
        """What a decorator makes of functions: empty for nothing that matters, None where that is not known yet."""
        if isinstance(atom, Api) and atom.name in ROLES:
            atom = Decorator(ROLES[atom.name], atom.owner)  # `@ds.transaction` without a call
        if isinstance(atom, Decorator):
            return {Func(a.module, a.index, atom.role) for a in functions if isinstance(a, Func)}
        if isinstance(atom, (Func, Bound)):
            results = [a for a in call(self, atom, [Given(tuple(functions))], site) if isinstance(a, Func)]
            if not results and not self.settled:
                return None
            own = {(a.module, a.index) for a in functions if isinstance(a, Func)}
            decorated: set[Atom] = {a for a in results if (a.module, a.index) in own and a.role is not Role.PLAIN}
            self.wrapped.update(own)
            maker = atom.func if isinstance(atom, Bound) else atom
            made = {a for a in results if (a.module, a.index) not in own and self.made_in(maker, a)}
            for key in own:
                self.wrappers.setdefault(key, set()).update(made)
            return decorated or {a for a in results if self.changes_colour(a, own)}
        if isinstance(atom, Ext) and atom.path.startswith(_KNOWN_DECORATORS):
            return set()
        unknown = {(a.module, a.index) for a in functions if isinstance(a, Func)}
        self.escaped.update(unknown)
        self.wrapped.update(unknown)
        return set()

    def made_in(self, maker: Func, function: Func) -> bool:
        """Whether a function is defined inside another one."""
        parent = function.index if maker.module == function.module else -1
        while parent >= 0 and parent != maker.index:
            parent = self.facts[maker.module].functions[parent].parent
        return parent >= 0

    def changes_colour(self, wrapper: Func, wrapped: set[tuple[int, int]]) -> bool:
        """Whether a decorator makes a coroutine function of a synchronous one, or the other way round."""
        colour = self.facts[wrapper.module].functions[wrapper.index].is_async
        return all(self.facts[module].functions[index].is_async != colour for module, index in wrapped)

    def call_node(self, module: int, number: int, func: int, args: tuple[f.Arg, ...]) -> Iterable[Atom]:
        given = [Given(tuple(self.node(module, arg.node)), arg.star, arg.keyword) for arg in args]
        site = Site(module, number)
        return [found for atom in self.node(module, func) for found in call(self, atom, given, site)]
