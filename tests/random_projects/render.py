"""Writes a project in its correct asynchronous form."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from random_projects.colours import Colours
from random_projects.imports import Imports
from random_projects.model import (
    Annotation,
    Api,
    Bare,
    Call,
    Function,
    Kind,
    Module,
    Name,
    NestedCall,
    Origin,
    Other,
    Part,
    Project,
    Raw,
    Stream,
    Text,
    Wait,
    Word,
)

SETUP = """\
from dbos import DBOS, DBOSClient, SQLAlchemyDatasource
client = DBOSClient(system_database_url='sqlite:///app.sqlite')
queue = DBOS.register_queue('tasks')
ds = SQLAlchemyDatasource.create('sqlite:///app.sqlite')
def register(function):
    return function
"""
_DECORATORS = {
    Kind.WORKFLOW: "@{}.workflow()",
    Kind.SYNC_WORKFLOW: "@{}.workflow()",
    Kind.STEP: "@{}.step()",
    Kind.SYNC_STEP: "@{}.step()",
}


def render(project: Project, colours: Colours) -> dict[str, str]:
    """The files of a project, by their path."""
    files = {}
    exports: set[tuple[int, str]] = set()
    for number, module in enumerate(project.modules):
        writer = _Writer(project, colours, module, Imports(project, number))
        body = SETUP if number == 0 else writer.module(number)
        files["/".join((*_root(project), *module.path)) + ".py"] = ast.unparse(ast.parse(body))
        exports |= writer.imports.reexported
    if project.has_init:
        packages = {module.path[:-1] for module in project.modules} | {(project.package,)}
        for package in packages:
            wanted = sorted(exports) if len(package) == 1 else []
            lines = [f"from .{'.'.join(project.modules[number].path[1:])} import {name}" for number, name in wanted]
            files["/".join((*_root(project), *package, "__init__.py"))] = ast.unparse(ast.parse("\n".join(lines)))
    return files


def _root(project: Project) -> tuple[str, ...]:
    return (project.folder,) if project.folder else ()


@dataclass
class _Writer:
    project: Project
    colours: Colours
    here: Module
    imports: Imports
    asyncio: bool = False
    inside: list[str] | None = None  # imports that the function being written makes itself

    def module(self, number: int) -> str:
        own = [function for function in self.project.functions if function.module == number]
        blocks = [self.text(text, None) for text in self.here.before]
        for owner in dict.fromkeys(function.owner for function in own):
            members = [function for function in own if function.owner == owner]
            written = [self.function(function) for function in members]
            blocks.extend([self.klass(owner, members, written)] if owner else written)
        self.inside = None
        blocks.extend(self.text(text, None) for text in self.here.after)
        if self.here.exported:
            blocks.insert(0, f"__all__ = {self.here.exported!r}")
        head = ["from __future__ import annotations"] if self.here.future else []
        style = self.here.asyncio_style
        if self.asyncio or style:
            head.append(f"import asyncio as {style}" if style not in ("", "asyncio") else "import asyncio")
        if any("functools." in block for block in blocks):
            head.append("import functools")
        if any("@cache" in block for block in blocks):
            head.append("from functools import cache")
        contexts = [name for name in ("contextmanager", "suppress") if any(f"{name}" in block for block in blocks)]
        if contexts:
            head.append(f"from contextlib import {', '.join(contexts)}")
        if any("@dataclass" in block for block in blocks):
            head.append("from dataclasses import dataclass")
        if style:
            blocks.append(f"async def tick_{number}():\n    await {style}.sleep(0)")
        return "\n".join([*head, *self.imports.lines(), *blocks]) + "\n"

    def klass(self, owner: str, members: list[Function], written: list[str]) -> str:
        if owner in self.project.inits:
            param, line = self.project.inits[owner]
            init = f"def __init__(self, {param}):\n    {line}"
            text = f"class {owner}({self.project.bases.get(owner, '')}):\n{_indented(chr(10).join([init, *written]))}"
            given = self.project.made.get(owner)
            return text if given is None else f"{text}\n{owner.lower()} = {owner}({given})"
        if not any(function.method == "self" for function in members):
            return f"class {owner}:\n{_indented(chr(10).join(written))}"
        fields = [f"self.{name} = None" for name in self.project.fields.get(owner, ())]
        self.imports.dbos_names.add("DBOSClient")
        self.imports.dbos_names.add("Queue")
        start = "def __init__(self, client: DBOSClient, queue: Queue):"
        lines = ["self.client = client", "self.queue = queue", *fields]
        init = f"{start}\n{_indented(chr(10).join(lines))}"
        made = f"{owner.lower()} = {owner}({self.imports.spelled(0, 'client')}, {self.imports.spelled(0, 'queue')})"
        return f"class {owner}:\n{_indented(chr(10).join([init, *written]))}\n{made}"

    def function(self, function: Function) -> str:
        inside: list[str] = []
        self.inside = inside
        body = [self.text(text, function) for text in function.body] or ["return 1"]
        self_name = {"self": ["self"], "init": ["self"], "class": ["cls"]}.get(function.method, [])
        params = [name if origin is None else f"{name}: {self.handle(origin)}" for name, origin in function.params]
        lines = []
        if function.kind in _DECORATORS:
            lines.append(_DECORATORS[function.kind].format(self.imports.dbos()))
        if function.kind is Kind.TRANSACTION:
            lines.append(f"@{self.imports.spelled(0, 'ds')}.transaction()")
        if function.kind is Kind.CONTEXT:
            lines.append("@contextmanager")
        if function.kind is Kind.PROPERTY:
            lines.append("@property")
        if function.decorator:
            lines.append(f"@{function.decorator}")
        if function.method in ("class", "static"):
            lines.insert(0, f"@{function.method}method")
        word = "async def" if function in self.colours.coroutines else "def"
        gives = f" -> {self.handle(function.gives)}" if function.gives else ""
        lines.append(f"{word} {function.name}({', '.join([*self_name, *params])}){gives}:")
        return "\n".join([*lines, _indented("\n".join([*inside, *body]))])

    def text(self, text: Text, within: Function | None, *, raw: bool = False) -> str:
        return text.template.format(*(self.part(hole, within, raw) for hole in text.holes))

    def part(self, part: Part, within: Function | None, raw: bool) -> str:
        awaits = within in self.colours.coroutines and not raw
        match part:
            case Text():
                return self.text(part, within, raw=raw)
            case Raw():
                return self.part(part.inner, within, True)
            case Bare():
                return f"{self.callee(part.call, within)}({self.text(part.call.args, within, raw=raw)})"
            case Other():
                return self.imports.spelled(part.module, part.name, self.inside)
            case Name():
                return self.callee(Call(part.function, Text("")), within)
            case Word():
                return "async " if awaits else ""
            case Annotation():
                return self.handle(part.origin)
            case Stream():
                name = "read_stream_async" if awaits else "read_stream"
                return f"{self.imports.dbos()}.{name}({self.text(part.args, within, raw=raw)})"
            case NestedCall():
                call = f"{part.name}({self.text(part.args, within, raw=raw)})"
                return f"(await {call})" if awaits else call
            case Wait():
                handle = self.text(part.handle, within, raw=raw)
                if awaits and not self.colours.is_async(part.origin):
                    return self.threaded(f"{handle}.{part.method}", "")
                return f"(await {handle}.{part.method}())" if awaits else f"{handle}.{part.method}()"
            case Call():
                return self.call(part, within, awaits=awaits, raw=raw)
        return self.api(part, within, awaits=awaits, raw=raw)

    def api(self, api: Api, within: Function | None, *, awaits: bool, raw: bool) -> str:
        args = self.text(api.args, within, raw=raw)
        receiver = self.imports.dbos() if api.receiver == "DBOS" else self.shared(api.receiver)
        if awaits and api.form and (api.origin is None or self.colours.is_async(api.origin)):
            return f"(await {receiver}.{api.name}_async({args}))"
        return self.threaded(f"{receiver}.{api.name}", args) if awaits else f"{receiver}.{api.name}({args})"

    def call(self, call: Call, within: Function | None, *, awaits: bool, raw: bool) -> str:
        args = self.text(call.args, within, raw=raw)
        callee = self.callee(call, within) if call.spelled is None else self.text(call.spelled, within)
        function = call.function
        if function.kind is Kind.PROPERTY:
            return callee
        if not awaits or function.kind in (Kind.GENERATOR, Kind.CONTEXT):
            return f"{callee}({args})"
        if function in self.colours.coroutines:
            return f"(await {callee}({args}))"
        return self.threaded(callee, args) if function in self.colours.blocking else f"{callee}({args})"

    def threaded(self, callee: str, args: str) -> str:
        self.asyncio = True
        name = self.here.asyncio_style or "asyncio"
        return f"(await {name}.to_thread({callee}{', ' + args if args else ''}))"

    def callee(self, call: Call, within: Function | None) -> str:
        function = call.function
        if not function.owner:
            return self.imports.spelled(function.module, function.name, self.inside)
        if within is not None and within.owner == function.owner and not call.fresh:
            if within.method == "self":
                return f"self.{function.name}"
            if within.method == "class" and function.method != "self":
                return f"cls.{function.name}"
        if function.method != "self":
            return f"{self.imports.spelled(function.module, function.owner, self.inside)}.{function.name}"
        if call.fresh:
            made = self.imports.spelled(function.module, function.owner, self.inside)
            return f"{made}({self.shared('client')}, {self.shared('queue')}).{function.name}"
        return f"{self.imports.spelled(function.module, function.owner.lower(), self.inside)}.{function.name}"

    def shared(self, name: str) -> str:
        return name if "." in name else self.imports.spelled(0, name)

    def handle(self, origin: Origin) -> str:
        name = "WorkflowHandleAsync" if self.colours.is_async(origin) else "WorkflowHandle"
        self.imports.dbos_names.add(name)
        return f"{name}[int]"


def _indented(text: str) -> str:
    return "\n".join("    " + line for line in text.split("\n"))
