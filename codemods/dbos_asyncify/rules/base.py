"""What a rule is, and what it says of one place."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

from dbos_asyncify.edits import Edit
from dbos_asyncify.findings import Place
from dbos_asyncify.project.program import AttributeSite, CallSite, FunctionKey, Program, Spot, Unit
from dbos_asyncify.project.values import Site


@dataclass(frozen=True, slots=True)
class Effect:
    """What a fix changes in the steps that a workflow records, in words; `certain`: in every run that comes there."""

    text: str
    certain: bool = True


@dataclass(frozen=True, slots=True)
class Draft:
    """What a rule says of one place, mostly a call: a finding before its fix is joined with others.

    `reason` says why a person must decide; there are no `edits` then. `caution` says what the fix may change: it is
    unsafe then. `effect` says what it does to the recorded steps (None: what flow/effects.py says of all rules).
    `turns` says that the edits make the handles
    or the stream that the call gives asynchronous. `origins` are the calls that gave the handle which this call
    uses; `turned` are the edits where those become asynchronous (or `turned_reason` says why there are none),
    `edits` those where they stay as they are. `promotes` are the functions that the edits take for coroutine functions.
    `elsewhere` are the edits in other files that go with `edits`, `children` the functions that these make child
    workflows, or take for some.
    """

    rule: type[Rule]
    call: Spot
    message: str
    edits: tuple[Edit, ...] = ()
    reason: str = ""
    caution: str = ""
    effect: Effect | None = None
    chain: tuple[Place, ...] = ()
    turns: bool = False
    origins: frozenset[Site] = frozenset()
    turned: tuple[Edit, ...] = ()
    turned_reason: str = ""
    promotes: frozenset[FunctionKey] = frozenset()
    elsewhere: tuple[tuple[Path, Edit], ...] = ()
    children: frozenset[FunctionKey] = frozenset()


class Rule:
    """One rule. Its docstring is its documentation; its name is that of its file."""

    code: ClassVar[str]
    name: ClassVar[str]
    precedence: ClassVar[int] = 1  # among rules that know the same call the lowest speaks
    blocks: ClassVar[bool] = True  # what it finds in a plain function is a reason not to call that on the loop
    anywhere: ClassVar[bool] = False  # whether it looks at calls outside coroutines too
    effect: ClassVar[Effect | None] = None  # what each of its unsafe fixes does to the recorded steps
    besides: ClassVar[bool] = False  # whether it speaks of a call besides the rule that makes it asynchronous

    def __init_subclass__(cls) -> None:
        cls.name = cls.__module__.rpartition(".")[2].replace("_", "-")
        _RULES[cls.code] = cls

    @classmethod
    def check(cls, program: Program, call: CallSite) -> Draft | None:
        """What is wrong with this call, or None."""
        return None

    @classmethod
    def check_attribute(cls, program: Program, attribute: AttributeSite) -> Draft | None:
        """What is wrong with this use of an attribute, or None."""
        return None

    @classmethod
    def check_unit(cls, program: Program, unit: Unit) -> Iterable[Draft]:
        """What is wrong with a file wherever it runs: with its definitions."""
        return ()

    @classmethod
    def documentation(cls) -> str:
        """The rule's page: what it does, why, an example, how safe the fix is."""
        return inspect.getdoc(cls) or ""


_RULES: dict[str, type[Rule]] = {}


@cache
def all_rules() -> Mapping[str, type[Rule]]:
    """Every rule by code: those of each file in this folder."""
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        importlib.import_module(f"dbos_asyncify.rules.{module.name}")
    return dict(sorted(_RULES.items()))
