"""Classes that derive from each other, with methods that block."""

from __future__ import annotations

from random_projects.builder import Builder
from random_projects.model import Call, Function, Kind, Other, Text


def _method(build: Builder, owner: str, name: str) -> Function:
    function = build.helper(name, "v")
    function.owner, function.method = owner, "self"
    function.name = name
    return function


def _classes(build: Builder, base: str, subclass: str) -> None:
    for owner in (base, subclass):
        build.project.inits[owner] = ("", "self.v = 1")
        build.project.made[owner] = ""
    build.project.bases[subclass] = base


def hook(build: Builder, within: Function) -> list[Text]:
    """A method of the base class calls one that the subclass overrides."""
    number = build.count = build.count + 1
    base, subclass = f"Base{number}", f"Sub{number}"
    _classes(build, base, subclass)
    above = Function(f"hook_{number}", Kind.HELPER, build.module, base, "self", [("v", None)], pinned=True)
    above.body.append(Text("raise NotImplementedError") if build.chance(2) else Text("return v"))
    build.keep(above)
    below = _method(build, subclass, above.name)
    below.pinned = True
    caller = _method(build, base, f"ran_{number}")
    caller.body.append(build.in_place(Call(below, Text("v"), spelled=Text(f"self.{above.name}"))))
    return [_called(build, caller, subclass)]


def inherited(build: Builder, within: Function) -> list[Text]:
    """A method of the base class, called of the subclass."""
    number = build.count = build.count + 1
    base, subclass = f"Base{number}", f"Sub{number}"
    _classes(build, base, subclass)
    method = _method(build, base, f"ran_{number}")
    other = _method(build, subclass, f"also_{number}")
    other.body.append(build.in_place(Call(method, Text("v"), spelled=Text(f"self.{method.name}"))))
    return [_called(build, method, subclass), _called(build, other, subclass)]


def through_super(build: Builder, within: Function) -> list[Text]:
    """A method that calls the one of the same name in the base class."""
    number = build.count = build.count + 1
    base, subclass = f"Base{number}", f"Sub{number}"
    _classes(build, base, subclass)
    above, below = (_method(build, owner, f"ran_{number}") for owner in (base, subclass))
    above.pinned = below.pinned = True
    below.body.append(build.in_place(Call(above, Text("v"), spelled=Text(f"super().{above.name}"))))
    return [_called(build, below, subclass)]


def _called(build: Builder, method: Function, owner: str) -> Text:
    spelled = Text(f"{{0}}.{method.name}", (Other(build.module, owner.lower()),))
    return build.in_place(Call(method, Text("v"), spelled=spelled))
