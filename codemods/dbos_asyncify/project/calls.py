"""What a call gives back, and what it does with its arguments."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable

from dbos_asyncify.project import library
from dbos_asyncify.project.lookup import Given, Values
from dbos_asyncify.project.values import (
    DATA,
    NONE,
    UNKNOWN,
    Api,
    Atom,
    Bound,
    Box,
    BoxMethod,
    Cls,
    Coro,
    Decorator,
    Ext,
    Foreign,
    Func,
    HandleMethod,
    Inst,
    Obj,
    Partial,
    Result,
    Role,
    Site,
    Stream,
)

ROLES = {"workflow": Role.WORKFLOW, "step": Role.STEP, "transaction": Role.TRANSACTION}


def call(values: Values, atom: Atom, args: list[Given], site: Site) -> Iterable[Atom]:
    """What calling `atom` with `args` at `site` gives."""
    match atom:
        case Ext(path):
            return _outside(values, path, args, site)
        case Api(owner, name):
            return _api(values, owner, name, args, site)
        case Decorator(role):
            given = args[0].atoms if args else ()
            return [_decorated(role, a) for a in given]
        case Func():
            return _function(values, atom, args, site)
        case Bound(func, instance):
            return _function(values, func, [Given((instance,)), *args], site)
        case Cls(module, index):
            made = Obj(module, index, exact=True)
            _construct(values, made, args, site)
            return (made,)
        case Obj():
            methods = [method for method in values.attribute(atom, "__call__") if isinstance(method, Bound)]
            return [found for method in methods for found in call(values, method, args, site)] or (DATA,)
        case HandleMethod(handle):
            return _awaitable(values, site, (DATA,)) if handle.is_async else (DATA,)
        case BoxMethod(box, name, mapping):
            return _container_method(values, box, name, args, site, mapping=mapping)
        case Partial(inner):
            return _partial(values, inner, args, site, frozenset((inner,)))
    if atom is UNKNOWN:
        _escape(values, args)
        return (UNKNOWN,)
    return (DATA,)


def _partial(values: Values, partial: Site, args: list[Given], site: Site, seen: frozenset[Site]) -> Iterable[Atom]:
    """What a `functools.partial` gives; `f = partial(f, x)` in a loop wraps itself."""
    values.read(("partial arguments", partial))  # to be told when they grow
    args = [*values.partials.get(partial, ()), *args]
    found: list[Atom] = []
    for target in values.read(("partial", partial)):
        if not isinstance(target, Partial):
            found.extend(call(values, target, args, site))
        elif target.site not in seen:
            found.extend(_partial(values, target.site, args, site, seen | {target.site}))
    return found


def _decorated(role: Role, atom: Atom) -> Atom:
    """What a DBOS decorator makes of a function."""
    if isinstance(atom, Func):
        return Func(atom.module, atom.index, role)
    if isinstance(atom, Ext):
        top = atom.path.partition(".")[0]
        if top in sys.stdlib_module_names and top != "asyncio":
            return Foreign(atom.path, role)  # the standard library's functions are no coroutines
    return UNKNOWN if isinstance(atom, Ext) else atom


def _construct(values: Values, made: Obj, args: list[Given], site: Site) -> None:
    """Give the arguments of a constructor to `__init__`; without one, to the fields (dataclasses and the like)."""
    own = Cls(made.module, made.index)
    methods = [atom for atom in values.class_attribute(made, own, "__init__") if isinstance(atom, Bound)]
    for method in methods:
        call(values, method, args, site)
    for after in values.class_attribute(made, own, "__post_init__"):
        if isinstance(after, Bound):
            call(values, after, [], site)
    if not methods:
        _fill(values, made, values.fields(own), args)


def _fill(values: Values, made: Obj, fields: list[str], args: list[Given]) -> None:
    plain = [given for given in args if not given.star and not given.keyword]
    for position, name in enumerate(fields):
        key = ("attribute", made.module, made.index, name)
        if position < len(plain):
            values.add(key, plain[position].atoms)
        for given in args:
            if given.keyword == name:
                values.add(key, given.atoms)
            elif given.star:
                values.add(key, values.items(given.atoms, None, iterated=False))


def entered(values: Values, atoms: Iterable[Atom], site: Site) -> Iterable[Atom]:
    """What `with` binds: a generator's values (`@contextmanager`), what `__enter__` or `__aenter__` give."""
    found: list[Atom] = []
    for atom in atoms:
        if isinstance(atom, (Ext, Inst)):
            found.append(atom)
        elif isinstance(atom, Box):
            found.extend(values.read(("box", atom.site)))
        elif isinstance(atom, Obj):
            methods = [*values.attribute(atom, "__enter__"), *values.attribute(atom, "__aenter__")]
            given = [result for method in methods for result in call(values, method, [], site)]
            found.extend(inner for result in given for inner in _settled(values, result))
            if not methods:
                found.extend(_in_the_end(values))
        else:
            found.append(UNKNOWN)
    return found


def _in_the_end(values: Values) -> Iterable[Atom]:
    """Unknown, for what has not been found when all else is: a value only grows, and may still be found before."""
    if values.settled:
        return (UNKNOWN,)
    if isinstance(values.reader, int):
        values.unresolved.add(values.reader)
    return ()


def _settled(values: Values, atom: Atom) -> Iterable[Atom]:
    return values.awaited([atom]) if isinstance(atom, Coro) else (atom,)


def _first(args: list[Given]) -> tuple[Atom, ...]:
    return args[0].atoms if args else ()


def _awaitable(values: Values, site: Site, result: Iterable[Atom]) -> Iterable[Atom]:
    values.add(("coroutine", site), result)
    return (Coro(site),)


def _escape(values: Values, args: list[Given]) -> None:
    """Functions among these arguments may be called by code that is not read."""
    for given in args:
        for atom in given.atoms:
            target = atom.func if isinstance(atom, Bound) else atom
            if isinstance(target, Func):
                values.escaped.add((target.module, target.index))


def _function(values: Values, func: Func, args: list[Given], site: Site) -> Iterable[Atom]:
    """Bind the arguments of a call to the parameters of a function of the project."""
    function = values.facts[func.module].functions[func.index]
    values.called.add((func.module, func.index))
    plain = [given for given in args if not given.star and not given.keyword]
    spread = [atom for given in args if given.star for atom in values.items(given.atoms, None, iterated=False)]
    named = {"", *(parameter.name for parameter in function.params if parameter.kind in ("positional", "keyword"))}
    for position, parameter in enumerate(function.params):
        key = ("param", func.module, func.index, parameter.name)
        if parameter.kind == "positional" and position < len(plain):
            values.add(key, plain[position].atoms)
        for given in args:
            if given.keyword == parameter.name and parameter.kind in ("positional", "keyword"):
                values.add(key, given.atoms)
        if spread and parameter.kind in ("positional", "keyword"):
            values.add(key, spread)
        if parameter.kind in ("*", "**"):
            rest = (
                plain[position:] if parameter.kind == "*" else [given for given in args if given.keyword not in named]
            )
            for box in [atom for atom in values.read(key) if isinstance(atom, Box)]:
                for given in rest:
                    values.add(("box", box.site), given.atoms)
                if spread:
                    values.add(("box", box.site), spread)
    result = values.read(("return", func.module, func.index))
    if function.is_async and not function.is_generator:
        values.add(("runs", site), (func,))
        return _awaitable(values, site, result)
    return result


# dbos


def _api(values: Values, owner: str, name: str, args: list[Given], site: Site) -> Iterable[Atom]:
    if name in ROLES:
        decorator = Decorator(ROLES[name], owner)
        # `should_retry=again` is no function that it decorates
        plain = [given for given in args if not given.keyword or given.keyword == "func"]
        functions = [atom for given in plain for atom in given.atoms if isinstance(atom, Func)]
        return [_decorated(decorator.role, a) for a in functions] if functions else (decorator,)
    member = values.catalogue.member(owner, name)
    if member is None:
        return (UNKNOWN,)
    if name in ("wait_first", "wait_first_async"):
        result: Iterable[Atom] = values.items(_first(args), None, iterated=True)
        return _awaitable(values, site, result) if member.is_async else result
    if name == "asyncio_wait":
        _run_concurrently(values, args, site)
        return _awaitable(values, site, _done_and_pending(values, args, site))
    if member.kind == "decorator":
        return (Ext(f"dbos.{owner}.{name}()"),)
    if member.is_async_generator:
        return (Stream(site, is_async=True),)
    if member.kind == "generator":
        return (Stream(site, is_async=False),)
    if member.async_form is not None and member.returns is None:
        return (Result(site),)
    result = values.api_result(member, site)
    return _awaitable(values, site, result) if member.is_async else result


# containers


def _call_key(values: Values, args: list[Given], elements: Iterable[Atom], site: Site) -> None:
    """`key=` functions are called with the elements."""
    for given in args:
        if given.keyword == "key":
            for atom in given.atoms:
                call(values, atom, [Given(tuple(elements))], Site(site.module, -1 - site.node))


def _container_method(
    values: Values, box: Site, name: str, args: list[Given], site: Site, *, mapping: bool
) -> Iterable[Atom]:
    contents = ("box", box)
    if name in library.ADDS and len(args) > library.ADDS[name]:
        values.add(contents, args[library.ADDS[name]].atoms)
    if name in library.EXTENDS:
        for given in args:
            values.add(contents, given.atoms if given.keyword else values.items(given.atoms, None, iterated=False))
    if name in library.TAKES:
        default = args[1].atoms if name in ("get", "pop", "setdefault") and len(args) > 1 else (NONE,)
        return [*values.read(contents), *default]
    if name in library.COPIES:
        values.add(("box", site), values.read(contents))
        for given in args:
            values.add(("box", site), values.items(given.atoms, None, iterated=True))
        return (Box(site, mapping),) if name == "copy" else (Box(site),)
    if name == "sort":
        _call_key(values, args, values.read(contents), site)
    if name == "popitem":
        return list(values.items(_pairs(values, site, [(DATA,), values.read(contents)]), None, iterated=True))
    if name == "items":
        return _pairs(values, site, [(DATA,), values.read(contents)])
    return (DATA,) if name in library.CONTAINER_METHODS else (UNKNOWN,)


def _pairs(values: Values, site: Site, columns: list[Iterable[Atom]]) -> Iterable[Atom]:
    """An iterable of tuples with these columns."""
    row = Site(site.module, -1 - site.node)
    for position, atoms in enumerate(columns):
        values.add(("item", row, position), atoms)
        values.add(("box", row), atoms)
    values.add(("indexed", row), (DATA,))
    values.add(("box", site), (Box(row),))
    return (Box(site),)


# outside the project


def _outside(values: Values, path: str, args: list[Given], site: Site) -> Iterable[Atom]:
    name = library.last_name(path)
    if path.startswith("dbos."):
        return _dbos_class(values, path)
    if path.startswith("builtins."):
        return _builtin(values, name, args, site)
    if path in library.THREAD or name in library.THREAD_METHODS:
        return _in_thread(values, path, args, site)
    if name == "start_soon" and args:
        inner = Site(site.module, -1 - site.node)
        started = [found for atom in _first(args) for found in call(values, atom, args[1:], inner)]
        _run_concurrently(values, [Given(tuple(started))], site)
        values.tasks.add(site)
        return (NONE,)
    if name == "gather":
        _run_concurrently(values, args, site)
        return _awaitable(values, site, _gathered(values, args, site))
    if path in ("asyncio.run", "asyncio.Runner().run"):
        return values.awaited(_first(args))
    if path.startswith(("asyncio.", "anyio.")) and name in library.CONCURRENT | library.PASS_AWAITABLE:
        if name in library.CONCURRENT:
            _run_concurrently(values, args, site)
        if name in library.MAKES_TASK:
            values.tasks.add(site)
        if name in library.PASS_AWAITABLE:
            return _first(args) or _in_the_end(values)
        if name == "as_completed":
            values.add(("box", site), values.items(_first(args), None, iterated=True))
            return (Box(site),)
        return _awaitable(values, site, _done_and_pending(values, args, site) if name == "wait" else (UNKNOWN,))
    if path == "functools.partial":
        values.add(("partial", site), _first(args))
        values.partials[site] = tuple(args[1:])
        values.add(("partial arguments", site), [atom for given in args[1:] for atom in given.atoms])
        return (Partial(site),)
    if path in ("copy.copy", "typing.assert_type"):
        return _first(args)
    if path in ("dataclasses.replace", "copy.replace"):
        for atom in _first(args):
            if isinstance(atom, Obj):
                _fill(values, atom, values.fields(Cls(atom.module, atom.index)), args[1:])
        return _first(args)
    if path == "collections.defaultdict":
        inner = Site(site.module, -1 - site.node)
        if any(isinstance(atom, Ext) and atom.path in ("builtins.list", "builtins.set") for atom in _first(args)):
            values.add(("box", site), (Box(inner),))
        return (Box(site, mapping=True),)
    if path in ("collections.deque", "itertools.chain", "itertools.islice"):
        sources = args if name == "chain" else args[:1]
        for given in sources:
            values.add(("box", site), values.items(given.atoms, None, iterated=True))
        return (Box(site),)
    _escape(values, args)
    if path in library.GENERATORS and args:
        return (Ext(f"{path}(...)"),)  # with a seed: it gives the same numbers each time
    return (UNKNOWN,) if "()" in path else (Ext(f"{path}()"),)


def _dbos_class(values: Values, path: str) -> Iterable[Atom]:
    owner = path.removeprefix("dbos.")
    if owner in values.classes:
        return (Inst(owner, constructed=True),)
    return (UNKNOWN,) if "()" in path else (Ext(f"{path}()"),)


def _in_thread(values: Values, path: str, args: list[Given], site: Site) -> Iterable[Atom]:
    """`to_thread(f, *args)` awaits to what `f(*args)` gives; executors take the function at another place."""
    rest = args[1:] if library.last_name(path) == "run_in_executor" else args
    if path.startswith("threading.") or not rest:
        _escape(values, args)
        return (UNKNOWN,)
    inner = Site(site.module, -1 - site.node)
    if any(isinstance(atom, Func) for atom in rest[0].atoms):
        inner = site
    result = [found for atom in rest[0].atoms for found in call(values, atom, rest[1:], inner)]
    if library.last_name(path) == "submit":
        return (UNKNOWN,)
    own = Site(site.module, -2 - site.node * 2 - (1 << 40))
    return _awaitable(values, own, result)


def _done_and_pending(values: Values, args: list[Given], site: Site) -> Iterable[Atom]:
    """The two sets of what `asyncio.wait` is given."""
    sets = [Site(site.module, -3 - 2 * site.node - offset - (1 << 38)) for offset in (0, 1)]
    row = Site(site.module, -1 - site.node)
    for position, each in enumerate(sets):
        values.add(("box", each), values.items(_first(args), None, iterated=True))
        values.add(("item", row, position), (Box(each),))
        values.add(("box", row), (Box(each),))
    values.add(("indexed", row), (DATA,))
    return (Box(row),)


def _gathered(values: Values, args: list[Given], site: Site) -> Iterable[Atom]:
    """The list of what all of gather's arguments await to."""
    results: list[Atom] = []
    for given in args:
        if not given.keyword:
            atoms = values.items(given.atoms, None, iterated=True) if given.star else given.atoms
            results.extend(values.awaited(atoms))
    row = Site(site.module, -1 - site.node)
    values.add(("box", row), results)
    return (Box(row),)


def _run_concurrently(values: Values, args: list[Given], site: Site) -> None:
    """Note which functions of the project a call such as `gather` runs beside each other."""
    pending = [atom for given in args for atom in given.atoms]
    seen: set[Atom] = set()
    while pending:
        atom = pending.pop()
        if atom in seen:
            continue
        seen.add(atom)
        if isinstance(atom, Box):
            pending.extend(values.read(("box", atom.site)))
        elif isinstance(atom, Coro):
            for func in values.read(("runs", atom.site)):
                if isinstance(func, Func):
                    values.concurrent.setdefault(site, set()).add((func.module, func.index))
                    for parameter in values.facts[func.module].functions[func.index].params:
                        pending.extend(values.read(("param", func.module, func.index, parameter.name)))


def _builtin(values: Values, name: str, args: list[Given], site: Site) -> Iterable[Atom]:
    if name in ("sorted", "min", "max"):
        _call_key(values, args, values.items(_first(args), None, iterated=True), site)
    if name in library.SAME_ELEMENTS or name == "filter":
        source = args[1:] if name == "filter" else args
        if name == "filter":
            elements = Given(tuple(values.items(_first(source), None, iterated=True)))
            for atom in _first(args):
                call(values, atom, [elements], Site(site.module, -1 - site.node))
        values.add(("box", site), values.items(_first(source), None, iterated=True))
        return (Box(site),)
    if name == "next":
        default = args[1].atoms if len(args) > 1 else ()
        return [*values.items(_first(args), None, iterated=True), *default]
    if name in ("min", "max"):
        plain = [given for given in args if not given.keyword]
        return (
            values.items(_first(plain), None, iterated=True) if len(plain) == 1 else [a for g in plain for a in g.atoms]
        )
    if name == "enumerate":
        return _pairs(values, site, [(DATA,), values.items(_first(args), None, iterated=True)])
    if name == "zip":
        return _pairs(
            values,
            site,
            [values.items(given.atoms, None, iterated=True) for given in args if not given.keyword],
        )
    if name == "map":
        rest = [Given(tuple(values.items(given.atoms, None, iterated=True))) for given in args[1:]]
        for atom in _first(args):
            values.add(("box", site), call(values, atom, rest, Site(site.module, -1 - site.node)))
        return (Box(site),)
    if name == "dict":
        for given in args:
            if given.keyword:
                values.add(("box", site), given.atoms)
            for pair in given.atoms:
                if isinstance(pair, Box):
                    values.add(
                        ("box", site),
                        values.read(("box", pair.site)) if pair.mapping else _second(values, pair),
                    )
        return (Box(site, mapping=True),)
    if name == "super":
        return _super(values, site)
    if name == "setattr" and len(args) > 2:
        _set_by_name(values, args, site)
        return (NONE,)
    if name in ("getattr", "open", "eval", "exec", "__import__", "vars", "globals", "locals"):
        return (UNKNOWN,)
    return (DATA,)


def _set_by_name(values: Values, args: list[Given], site: Site) -> None:
    """`setattr(obj, name, value)`: into the attribute that the string names, or any that is stored in."""
    node = values.facts[site.module].nodes[site.node] if site.node >= 0 else None
    constant = node.args[1] if isinstance(node, ast.Call) and len(node.args) > 1 else None
    name = constant.value if isinstance(constant, ast.Constant) else ""
    for atom in args[0].atoms:
        if isinstance(atom, (Obj, Cls)):
            values.add(("attribute", atom.module, atom.index, name), args[2].atoms)


def _second(values: Values, pairs: Box) -> list[Atom]:
    """The second column of an iterable of pairs."""
    return list(values.items(values.read(("box", pairs.site)), 1, iterated=True))


def _super(values: Values, site: Site) -> Iterable[Atom]:
    facts = values.facts[site.module]
    function = facts.contexts[site.node].function
    while function >= 0 and facts.functions[function].cls < 0:
        function = facts.functions[function].parent
    if function < 0:
        return (UNKNOWN,)
    bases = facts.classes[facts.functions[function].cls].bases
    atoms = [atom for base in bases for atom in values.node(site.module, base)]
    return [_parent(values, atom) for atom in atoms]


def _parent(values: Values, base: Atom) -> Atom:
    """What `super()` is, if a class derives from `base`."""
    if isinstance(base, Cls):
        return Obj(base.module, base.index, exact=True)
    if isinstance(base, Ext) and base.path.removeprefix("dbos.") in values.classes:
        return Inst(base.path.removeprefix("dbos."))
    return UNKNOWN
