"""What a call calls, when that is a function."""

from __future__ import annotations

from dbos_asyncify.project.program import CallSite, Program
from dbos_asyncify.project.values import NONE, Bound, Foreign, Func, Role


def synchronous_functions(program: Program, call: CallSite, role: Role) -> tuple[list[Func | Foreign], bool]:
    """The synchronous functions of this role that a call can mean, and whether it can mean nothing else."""
    found: list[Func | Foreign] = []
    certain = True
    for atom in call.callee:
        func = atom.func if isinstance(atom, Bound) else atom
        if isinstance(func, Func) and func.role is role and not program.function(func).is_async:
            found.append(func)
        elif isinstance(atom, Foreign) and atom.role is role:
            found.append(atom)
        elif atom is not NONE:
            certain = False
    return found, certain
