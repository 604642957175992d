"""The cases of the folder determinism/."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CASES = Path(__file__).parents[1] / "determinism"
Form = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Order:
    """The holds of pace.py for the first run, and for the recovery."""

    run: dict[str, str] = field(default_factory=dict)
    recovery: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """One folder of determinism/.

    `workflow` is called with `arguments` and gives `result`. Recovered from `fork_at` on, `before` raises `error`, or
    it gives `recovered` for a result, or else any other result. Its recorded steps are named `steps` then, where that
    is what matters. `before` and `after` say what comes first in which form, `random` what random.random() gives in
    the first run and in the recovery. `eager` says that `after` also recovers where its first run had eager tasks.
    """

    folder: Path
    workflow: str
    arguments: list[Any]
    result: Any
    fork_at: int
    error: str = ""
    recovered: Any = None
    steps: list[str] = field(default_factory=list)
    before: Order = Order()
    after: Order = Order()
    random: tuple[float, float] = (0.5, 0.5)
    eager: bool = True

    @property
    def workflow_id(self) -> str:
        """Without a dash, see pace.py."""
        return self.folder.name.replace("-", "_")

    def recovery_id(self, turn: int) -> str:
        return f"{self.workflow_id}.{turn}"

    def order(self, form: Form) -> Order:
        return self.before if form == "before" else self.after


def load(folder: Path) -> Case:
    values = tomllib.loads((folder / "case.toml").read_text(encoding="utf-8"))
    before, after = (Order(**values.pop(form, {})) for form in get_args(Form))
    return Case(folder=folder, before=before, after=after, **values)


ALL = [load(path.parent) for path in sorted(CASES.glob("*/case.toml"))]
