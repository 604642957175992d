"""How one module of a random project imports what it uses."""

from __future__ import annotations

from random_projects.model import Project

STYLES = (
    "name", "name", "name as", "module", "module as", "dotted", "dotted as", "relative", "relative module", "reexport",
    "inside", "star",
)  # fmt: skip


class Imports:
    """Spells names of other modules and keeps the lines that this takes. `reexported` is what the package's
    `__init__` must import: numbers of modules, and names."""

    def __init__(self, project: Project, number: int) -> None:
        self.project = project
        self.number = number
        self.here = project.modules[number]
        self.found: dict[str, None] = {}
        self.dbos_names: set[str] = set()
        self.reexported: set[tuple[int, str]] = set()

    def dbos(self) -> str:
        """`DBOS` as this module says it."""
        style = self.here.dbos_style
        if style == "setup":
            return self.spelled(0, "DBOS")
        if style == "from":
            self.dbos_names.add("DBOS")
        else:
            self.found[{"as": "from dbos import DBOS as D", "module": "import dbos"}[style]] = None
        return {"from": "DBOS", "as": "D", "module": "dbos.DBOS"}[style]

    def lines(self) -> list[str]:
        names = sorted(self.dbos_names)
        return [*([f"from dbos import {', '.join(names)}"] if names else []), *self.found]

    def spelled(self, target: int, name: str, inside: list[str] | None = None) -> str:
        """A name of module `target`. `inside` takes the lines that the function imports itself."""
        if target == self.number:
            return name
        module = self.project.modules[target]
        style = self.here.styles.get(target, "name")
        if style == "star" and module.exported and name not in module.exported:
            style = "name"
        short = module.path[-1]
        package = ".".join(module.path[:-1])
        if style == "inside" and inside is not None:
            line = f"from {module.dotted} import {name}"
            inside.extend([line] if line not in inside else [])
            return name
        if style == "reexport" and self.project.has_init:
            self.reexported.add((target, name))
            self.found[f"from {self.project.package} import {name}"] = None
            return name
        if style in ("relative", "relative module"):
            return self._relative(module.path, name, whole=style == "relative module")
        line, spelled = {
            "name as": (f"from {module.dotted} import {name} as the_{name}", f"the_{name}"),
            "module": (f"from {package} import {short}", f"{short}.{name}"),
            "module as": (f"from {package} import {short} as {short}_module", f"{short}_module.{name}"),
            "dotted": (f"import {module.dotted}", f"{module.dotted}.{name}"),
            "dotted as": (f"import {module.dotted} as {short}_module", f"{short}_module.{name}"),
            "star": (f"from {module.dotted} import *", name),
        }.get(style, (f"from {module.dotted} import {name}", name))
        self.found[line] = None
        return spelled

    def _relative(self, target: tuple[str, ...], name: str, *, whole: bool) -> str:
        package = self.here.path[:-1]
        common = 0
        while common < min(len(package), len(target) - 1) and package[common] == target[common]:
            common += 1
        dots = "." * (len(package) - common + 1)
        if whole:
            self.found[f"from {dots}{'.'.join(target[common:-1])} import {target[-1]}"] = None
            return f"{target[-1]}.{name}"
        self.found[f"from {dots}{'.'.join(target[common:])} import {name}"] = None
        return name
