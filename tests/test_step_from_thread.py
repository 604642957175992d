"""A step that leaves `asyncio.to_thread`: how it is printed, and that the proof refuses anything else."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from dbos_asyncify import source
from dbos_asyncify.edits import StepFromThread
from dbos_asyncify.edits.rewrite import rewrite
from dbos_asyncify.verify import VerifyError, verify

RESULTS = {
    "to_thread(step)": "DBOS.run_step_async(None, step)",
    "asyncio.to_thread( step, a, *b, c=1 )": "DBOS.run_step_async( None, step, a, *b, c=1 )",
    "asyncio.to_thread(  # why\n    step,  # what\n    a,\n)": (
        "DBOS.run_step_async(  # why\n    None,\n    step,  # what\n    a,\n)"
    ),
}


@pytest.mark.parametrize(("before", "after"), RESULTS.items(), ids=RESULTS)
def test_the_step_and_its_arguments_stay(before: str, after: str) -> None:
    src = source.from_bytes(Path("f.py"), f"tasks = [{before}]\n".encode())
    tree = source.parse(src)
    call = next(node for node in ast.walk(tree) if isinstance(node, ast.Call))
    edits = [StepFromThread(source.span(call, src), "DBOS.run_step_async", None)]
    result = rewrite(src, tree, edits)
    assert result == f"tasks = [{after}]\n"
    verify(src, tree, result, edits)
    for old, new in (
        ("run_step_async", "run_step"),
        ("None", "{}"),
        ("None,", ""),
        ("step,", "other,"),
        ("step)", "step())"),
        ("a,", "b,"),
        ("c=1", "c=2"),
        (after, before),
    ):
        other = result.replace(old, new)
        if other != result:
            with pytest.raises(VerifyError):
                verify(src, tree, other, edits)
