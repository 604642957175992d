"""Workflow handles: who gives them, what they are kept in, and who waits for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from random_projects.expressions import CARRIERS
from random_projects.model import (
    Annotation,
    Api,
    Call,
    Function,
    Kind,
    Name,
    NestedCall,
    Origin,
    Other,
    Text,
    Wait,
    Word,
)

if TYPE_CHECKING:
    from random_projects.builder import Builder


def statements(build: Builder, within: Function) -> list[Text]:
    """Statements of `within` that start something and wait for it, with the functions that they need."""
    ways = {
        "carried": _carried,
        "made by a function": _made_by_a_function,
        "waited for by a function": _waited_for_by_a_function,
        "in an object": _in_an_object,
        "in an attribute": _in_an_attribute,
        "many made by a function": _many_made_by_a_function,
        "handed on": _handed_on,
        "in a closure": _in_a_closure,
        "in a method's object": _in_an_object_that_waits,
        "in a module's variable": _in_a_variable_of_the_module,
        "of both kinds": _of_both_kinds,
    }
    return ways[build.pick(["carried", *ways])](build, within)


def given(build: Builder, where: Function) -> Api:
    """A call that gives a handle."""
    workflows = [f for f in build.callees if f.kind in (Kind.WORKFLOW, Kind.SYNC_WORKFLOW)]
    ways = ["retrieve", "client"]
    if workflows:
        ways += ["start", "start", "start", "queue", "enqueue"]
        if where.method == "self":
            ways.append("self.queue")
    way = build.pick(ways)
    if way in ("retrieve", "client"):
        receiver = "DBOS" if way == "retrieve" else "client"
        return Api(receiver, "retrieve_workflow", build.unique("#"), origin=Origin(where, form=True))
    workflow = build.pick(workflows)
    args = ", ".join(["{0}", *("1" for _ in workflow.params)])
    if way == "start":
        form = workflow.kind is Kind.WORKFLOW
        return Api("DBOS", "start_workflow", Text(args, (Name(workflow),)), origin=Origin(where, form=form))
    if way == "enqueue":
        text = Text(f"'tasks', {args}", (Name(workflow),))
        return Api("DBOS", "enqueue_workflow", text, origin=Origin(where, form=True))
    return Api(way, "enqueue", Text(args, (Name(workflow),)), origin=Origin(where, form=True))


def _origin(api: Api, *waiters: Function) -> Origin:
    assert api.origin is not None
    api.origin.waiters.extend(waiters)
    return api.origin


def _method(build: Builder) -> str:
    return build.pick(("get_result", "get_result", "get_result", "get_status"))


def _carried(build: Builder, within: Function) -> list[Text]:
    api = given(build, within)
    origin = _origin(api, within)
    template, handle = build.pick(CARRIERS)
    build.count += 1
    template, handle = (text.replace("@", str(build.count)) for text in (template, handle))
    wait = Wait(origin, Text(handle, (api,) if "{0}" in handle else ()), _method(build))
    return [Text(template, (api, wait, *([Annotation(origin)] if "{2}" in template else [])))]


def _function(build: Builder, within: Function, stem: str) -> Function:
    """A function that takes part in what `within` does; a coroutine only where `within` is one."""
    kind = Kind.COROUTINE if within.kind.is_coroutine and build.chance(3) else Kind.HELPER
    return build.keep(build.new(kind, stem))


def _made_by_a_function(build: Builder, within: Function) -> list[Text]:
    maker = _function(build, within, "start")
    maker.params = [("v", None)]
    api = given(build, maker)
    origin = _origin(api, within)
    maker.body.append(Text("return {0}", (api,)))
    maker.gives = origin if build.chance(2) else None
    if maker.kind is Kind.HELPER and build.chance(4):
        caller = build.keep(Function(f"report_{maker.name}", Kind.HELPER, build.module, params=[("v", None)]))
        caller.body.append(Text("print({0})", (Wait(origin, Text("{0}", (Call(maker, Text("1")),))),)))
        origin.waiters.append(caller)
    number = build.count = build.count + 1
    wait = Wait(origin, Text(f"h{number}"), _method(build))
    return [Text(f"h{number} = {{0}}", (Call(maker, Text("v")),)), build.in_place(wait)]


def _waited_for_by_a_function(build: Builder, within: Function) -> list[Text]:
    waiter = _function(build, within, "wait")
    api = given(build, within)
    origin = _origin(api, waiter)
    waiter.params = [("v", None), ("handle", origin if build.chance(2) else None)]
    waiter.body.append(build.in_place(Wait(origin, Text("handle"), _method(build))))
    if waiter.kind is Kind.HELPER and build.chance(6):
        caller = build.keep(Function(f"report_{waiter.name}", Kind.HELPER, build.module, params=[("v", None)]))
        other = given(build, caller)
        _origin(other, waiter)
        caller.body.append(Text("{0}", (Call(waiter, Text("1, {0}", (other,))),)))
    number = build.count = build.count + 1
    return [
        Text(f"h{number} = {{0}}", (api,)),
        build.in_place(Call(waiter, Text(build.pick((f"1, h{number}", f"v=1, handle=h{number}"))))),
    ]


def _in_an_object(build: Builder, within: Function) -> list[Text]:
    api = given(build, within)
    origin = _origin(api, within)
    number = build.count = build.count + 1
    module = build.project.modules[build.module]
    fields = f"@dataclass\nclass Job{number}:\n    number: int\n    handle: {{0}}"
    module.before.append(Text(fields, (Annotation(origin),)))
    made = build.pick((f"job{number} = Job{number}(1, {{0}})", f"job{number} = Job{number}(number=1, handle={{0}})"))
    return [Text(made, (api,)), build.in_place(Wait(origin, Text(f"job{number}.handle"), _method(build)))]


def _in_an_attribute(build: Builder, within: Function) -> list[Text]:
    owner = build.owner()
    kind = Kind.COROUTINE if within.kind.is_coroutine and build.chance(2) else Kind.HELPER
    number = build.count = build.count + 1
    build.project.fields.setdefault(owner, []).append(f"last_{number}")
    begin, finish = (
        build.keep(Function(f"{stem}_{number}", kind, build.module, owner, "self", [("v", None)]))
        for stem in ("begin", "finish")
    )
    api = given(build, begin)
    begin.body.append(Text(f"self.last_{number} = {{0}}", (api,)))
    wait = Wait(_origin(api, finish), Text(f"self.last_{number}"), _method(build))
    finish.body.append(Text("return {0}", (wait,)))
    return [Text("{0}", (Call(begin, Text("v")),)), build.in_place(Call(finish, Text("v")))]


def _many_made_by_a_function(build: Builder, within: Function) -> list[Text]:
    maker = _function(build, within, "start")
    maker.params = [("v", None)]
    api = given(build, maker)
    origin = _origin(api, within)
    template, use = build.pick(
        (
            ("return [{0} for i in range(2)]", "for h in {0}:\n    print({1})"),
            ("return {{'a': {0}, 'b': {0}}}", "for h in {0}.values():\n    print({1})"),
            ("return (1, {0})", "number, h = {0}\nprint({1})"),
            ("hs = []\nfor i in range(2):\n    hs.append({0})\nreturn hs", "print([{1} for h in {0}])"),
        )
    )
    maker.body.append(Text(template, (api,)))
    return [Text(use, (Call(maker, Text("v")), Wait(origin, Text("h"), _method(build))))]


def _handed_on(build: Builder, within: Function) -> list[Text]:
    """One function makes it, another hands it on, a third waits for it, through a fourth."""
    maker, relay, waiter, last = (_function(build, within, stem) for stem in ("start", "relay", "wait", "last"))
    if Kind.COROUTINE in (maker.kind, last.kind):  # a plain function calls no coroutine
        relay.kind = waiter.kind = Kind.COROUTINE
    api = given(build, maker)
    origin = _origin(api, last)
    maker.params = relay.params = [("v", None)]
    waiter.params = last.params = [("handle", None), ("v=1", None)]
    maker.body.append(Text("h = {0}\nreturn h", (api,)))
    relay.body.append(Text("return {0}", (Call(maker, Text("v")),)))
    last.body.append(Text("return {0}", (Wait(origin, Text("handle"), _method(build)),)))
    waiter.body.append(build.in_place(Call(last, Text("handle"))))
    functions = build.project.functions
    functions.remove(waiter)
    functions.append(waiter)  # callees come first
    return [build.in_place(Call(waiter, Text("{0}", (Call(relay, Text("v")),))))]


def _in_a_closure(build: Builder, within: Function) -> list[Text]:
    api = given(build, within)
    origin = _origin(api, within)
    number = build.count = build.count + 1
    build.project.nested.add(f"inner{number}")
    wait = Wait(origin, Text(f"h{number}"), _method(build))
    text = f"h{number} = {{0}}\n{{1}}def inner{number}():\n    return {{2}}"
    return [Text(text, (api, Word(), wait)), build.in_place(NestedCall(f"inner{number}", Text("")))]


def _in_an_object_that_waits(build: Builder, within: Function) -> list[Text]:
    """An object that is made with a handle and has a method that waits for it."""
    api = given(build, within)
    number = build.count = build.count + 1
    kind = Kind.COROUTINE if within.kind.is_coroutine and build.chance(2) else Kind.HELPER
    owner = f"Job{number}"
    method = build.keep(Function(f"done_{number}", kind, build.module, owner, "self", [("v", None)]))
    origin = _origin(api, method)
    method.body.append(Text("return {0}", (Wait(origin, Text("self.handle"), _method(build)),)))
    build.project.inits[owner] = ("handle", "self.handle = handle")
    made = Text(f"job{number} = {{0}}({{1}})", (Other(build.module, owner), api))
    spelled = Text(f"job{number}.{method.name}")
    return [made, build.in_place(Call(method, Text("1"), spelled=spelled))]


def _in_a_variable_of_the_module(build: Builder, within: Function) -> list[Text]:
    number = build.count = build.count + 1
    kind = Kind.COROUTINE if within.kind.is_coroutine and build.chance(2) else Kind.HELPER
    begin, finish = (
        build.keep(Function(f"{stem}_{number}", kind, build.module, params=[("v", None)]))
        for stem in ("begin", "finish")
    )
    api = given(build, begin)
    origin = _origin(api, finish)
    noted = build.chance(2)
    declared = (
        Text(f"LAST{number}: {{0}} | None = None", (Annotation(origin),)) if noted else Text(f"LAST{number} = None")
    )
    build.project.modules[build.module].before.append(declared)
    build.project.modules[build.module].future |= noted
    begin.body.append(Text(f"global LAST{number}\nLAST{number} = {{0}}", (api,)))
    finish.body.append(build.in_place(Wait(origin, Text(f"LAST{number}"), _method(build))))
    return [Text("{0}", (Call(begin, Text("v")),)), build.in_place(Call(finish, Text("v")))]


def _of_both_kinds(build: Builder, within: Function) -> list[Text]:
    """Handles of two workflows in one list: the kind of one decides about the other."""
    apis = [given(build, within) for _ in range(2)]
    one, two = (_origin(api, within) for api in apis)
    one.beside.append(two)
    two.beside.append(one)
    number = build.count = build.count + 1
    return [
        Text(f"hs{number} = [{{0}}, {{1}}]", tuple(apis)),
        Text(f"for h in hs{number}:\n    print({{0}})", (Wait(one, Text("h"), _method(build)),)),
    ]
