"""Functions and calls of rarer kinds: objects handed about, callables in tables, and what nobody can await."""

from __future__ import annotations

from random_projects import hierarchies
from random_projects.builder import Builder
from random_projects.expressions import PLANTED
from random_projects.model import Api, Call, Function, Kind, Name, Other, Raw, Text


def statements(build: Builder, within: Function) -> list[Text]:
    """Statements of `within`, with the functions that they need."""
    ways = {
        "object as an argument": _object_as_an_argument,
        "object in an attribute": _object_in_an_attribute,
        "table": _table,
        "callback": _callback,
        "constructor": _constructor,
        "alias": _alias,
        "local alias": _local_alias,
        "partial": _partial,
        "hook": hierarchies.hook,
        "inherited": hierarchies.inherited,
        "super": hierarchies.through_super,
    }
    if within.kind.is_coroutine:
        ways |= {
            "planted": _planted,
            "generator": _generator,
            "context manager": _context,
            "property": _property,
            "mapped": _mapped,
        }
    return ways[build.pick([*ways])](build, within)


def _class(build: Builder) -> tuple[str, list[Function]]:
    """The class of this module, and its methods that block; there is one at least."""
    owner = build.owner()
    methods = [f for f in build.callees if f.owner == owner and f.method == "self" and f.kind is Kind.HELPER]
    if not methods:
        method = build.helper("ask", "v")
        method.owner, method.method = owner, "self"
        methods = [method]
    return owner, methods


def _arguments(function: Function) -> Text:
    return Text(", ".join("1" for _ in function.params))


def _object_as_an_argument(build: Builder, within: Function) -> list[Text]:
    owner, methods = _class(build)
    user = build.helper("use", "v")
    method = build.pick(methods)
    called = Call(method, _arguments(method), spelled=Text(f"desk.{method.name}"))
    user.body.append(build.in_place(called))
    user.params.append((f"desk: {owner}" if build.chance(2) else "desk", None))
    if user.params[-1][0] != "desk":
        build.project.modules[build.module].future = True  # the class may stand below
    return [build.in_place(Call(user, Text("v, {0}", (Other(build.module, owner.lower()),))))]


def _object_in_an_attribute(build: Builder, within: Function) -> list[Text]:
    owner, methods = _class(build)
    number = build.count = build.count + 1
    asker = build.helper("front", "v")
    asker.owner, asker.method = f"Front{number}", "self"
    method = build.pick(methods)
    called = Call(method, _arguments(method), spelled=Text(f"self.desk.{method.name}"))
    asker.body = [build.in_place(called)]
    build.project.inits[asker.owner] = (f"desk: {owner}" if build.chance(2) else "desk", "self.desk = desk")
    build.project.modules[build.module].future = True
    build.project.made[asker.owner] = owner.lower()
    return [build.in_place(Call(asker, Text("v")))]


def _table(build: Builder, within: Function) -> list[Text]:
    helper = build.helper("entry", "v")
    number = build.count = build.count + 1
    table = f"table{number}"
    build.project.modules[build.module].after.append(Text(f"{table} = {{{{'a': {{0}}}}}}", (Name(helper),)))
    spelled = Text("{0}['a']", (Other(build.module, table),))
    return [build.in_place(Call(helper, Text("v"), spelled=spelled))]


def _alias(build: Builder, within: Function) -> list[Text]:
    helper = build.helper("known", "v")
    number = build.count = build.count + 1
    build.project.modules[build.module].after.append(Text(f"alias{number} = {{0}}", (Name(helper),)))
    return [build.in_place(Call(helper, Text("v"), spelled=Text("{0}", (Other(build.module, f"alias{number}"),))))]


def _local_alias(build: Builder, within: Function) -> list[Text]:
    helper = build.helper("known", "v")
    number = build.count = build.count + 1
    named = Text(f"local{number} = {{0}}", (Name(helper),))
    return [named, build.in_place(Call(helper, Text("v"), spelled=Text(f"local{number}")))]


def _partial(build: Builder, within: Function) -> list[Text]:
    helper = build.helper("part", "v")
    number = build.count = build.count + 1
    made = Text(f"later{number} = functools.partial({{0}}, v)", (Name(helper),))
    return [made, build.in_place(Call(helper, Text(""), spelled=Text(f"later{number}")))]


def _callback(build: Builder, within: Function) -> list[Text]:
    helper = build.helper("given", "v")
    number = build.count = build.count + 1
    apply = Function(f"apply_{number}", Kind.HELPER, build.module, params=[("function", None), ("v", None)])
    apply.body.append(Text("return {0}", (Call(helper, Text("v"), spelled=Text("function")),)))
    build.keep(apply)
    return [build.in_place(Call(apply, Text("{0}, v", (Name(helper),))))]


def _constructor(build: Builder, within: Function) -> list[Text]:
    """An object whose making calls dbos."""
    number = build.count = build.count + 1
    owner = f"State{number}"
    init = Function("__init__", Kind.HELPER, build.module, owner, "init", [("v", None)], pinned=True)
    init.body = [Text("self.v = v"), build.unique("self.state = {0}", build.api(init))]
    build.keep(init)
    return [build.in_place(Call(init, Text("v"), spelled=Text("{0}", (Other(build.module, owner),))))]


def _planted(build: Builder, within: Function) -> list[Text]:
    """A call that nobody can await where it stands."""
    args = build.unique("'w', #")
    build.project.planted.append(args.template.split("'")[3])
    return [build.unique(build.pick(PLANTED), Raw(Api("DBOS", "get_event", args)))]


def _special(build: Builder, kind: Kind, stem: str, template: str) -> Function:
    build.count += 1
    function = Function(f"{stem}_{build.count}", kind, build.module, params=[("v", None)])
    function.body.append(build.unique(template, build.api(function)))
    build.project.planted.append(function.name)
    return build.keep(function)


def _generator(build: Builder, within: Function) -> list[Text]:
    function = _special(build, Kind.GENERATOR, "rows", "for i in range(2):\n    yield {0}")
    template = build.pick(("for row in {0}:\n    print(row)", "v@ = list({0})", "v@ = [row for row in {0}]"))
    return [build.unique(template, Call(function, Text("v")))]


def _context(build: Builder, within: Function) -> list[Text]:
    function = _special(build, Kind.CONTEXT, "held", "yield {0}")
    return [build.unique("with {0} as given:\n    print(given)", Call(function, Text("v")))]


def _property(build: Builder, within: Function) -> list[Text]:
    owner, _ = _class(build)
    function = _special(build, Kind.PROPERTY, "state", "return {0}")
    function.owner, function.method, function.params = owner, "self", []
    return [build.in_place(Call(function, Text("")))]


def _mapped(build: Builder, within: Function) -> list[Text]:
    """A helper that something calls at once, on the loop."""
    helper = build.helper("each", "v")
    build.project.planted.append(helper.name)
    template = build.pick(
        (
            "print(list(map({0}, [1, 2])))",
            "print(sorted([1, 2], key=lambda one: len(str({0}(one)))))",
            "print([row for row in map({0}, [1])])",
        )
    )
    return [build.unique(template, Name(helper))]
