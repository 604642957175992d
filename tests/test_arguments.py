"""Calls that get more arguments, functions that get a decorator: how they are printed."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from dbos_asyncify import source
from dbos_asyncify.edits import AddArguments, AddDecorator
from dbos_asyncify.edits.rewrite import rewrite
from dbos_asyncify.verify import VerifyError, verify

# Each: a call, and with arguments added by position and by keyword.
CALLS = {
    "seq()": ("seq(user, rate)", "seq(user=user, rate=rate)"),
    "seq(  )": ("seq(user, rate)", "seq(user=user, rate=rate)"),
    "seq(x)": ("seq(x, user, rate)", "seq(x, user=user, rate=rate)"),
    "a.seq(x, )": ("a.seq(x, user, rate,)", "a.seq(x, user=user, rate=rate,)"),
    "seq(k=1)": ("seq(user, rate, k=1)", "seq(k=1, user=user, rate=rate)"),
    "seq(x, *xs, k=1, **rest)": (
        "seq(x, *xs, user, rate, k=1, **rest)",
        "seq(x, *xs, k=1, **rest, user=user, rate=rate)",
    ),
    "seq(x for x in xs)": ("seq((x for x in xs), user, rate)", "seq((x for x in xs), user=user, rate=rate)"),
    "seq((x for x in xs))": ("seq((x for x in xs), user, rate)", "seq((x for x in xs), user=user, rate=rate)"),
    "f'{seq(x)}'": ("f'{seq(x, user, rate)}'", "f'{seq(x, user=user, rate=rate)}'"),
    "seq(x)(y)": ("seq(x, user, rate)(y)", "seq(x, user=user, rate=rate)(y)"),
    "seq(\n    x,\n    k=1,  # key\n)": (
        "seq(\n    x,\n    user,\n    rate,\n    k=1,  # key\n)",
        "seq(\n    x,\n    k=1,  # key\n    user=user,\n    rate=rate,\n)",
    ),
    "seq(\n    x\n    # end\n)": (
        "seq(\n    x,\n    # end\n    user,\n    rate\n)",
        "seq(\n    x,\n    # end\n    user=user,\n    rate=rate\n)",
    ),
    "seq(  # none\n)": ("seq(  # none\nuser, rate)", "seq(  # none\nuser=user, rate=rate)"),
}


@pytest.mark.parametrize(("before", "after"), CALLS.items(), ids=CALLS)
@pytest.mark.parametrize("keyword", [False, True], ids=["positional", "keyword"])
def test_arguments_come_behind_the_others(before: str, after: tuple[str, str], keyword: bool) -> None:
    src = source.from_bytes(Path("f.py"), f"{before}\n".encode())
    tree = source.parse(src)
    call = next(n for n in ast.walk(tree) if isinstance(n, ast.Call) and not isinstance(n.func, ast.Call))
    edits = [AddArguments(source.span(call, src), "seq", "work", ("user", "rate"), keyword)]
    result = rewrite(src, tree, edits)
    assert result == after[keyword].replace("seq", "work") + "\n"
    verify(src, tree, result, edits)
    for old, new in (("work", "seq"), ("work", "play"), ("rate", "user"), (", rate", ""), ("user, ", "")):
        other = result.replace(old, new)
        if other != result:
            with pytest.raises(VerifyError):
                verify(src, tree, other, edits)


@pytest.mark.parametrize(
    ("before", "after"),
    {
        "plain": ("async def f(): pass\n", "@DBOS.workflow()\nasync def f(): pass\n"),
        "decorated": (
            "# f\n@one  # 1\n# two\n@two\n# last\nasync def f():\n    pass\n",
            "# f\n@DBOS.workflow()\n@one  # 1\n# two\n@two\n# last\nasync def f():\n    pass\n",
        ),
        "lines": (
            "x = 1\r\n\r\n\r\n# f\r\nasync def f(\r\n\tx,\r\n):\r\n\tpass",
            "x = 1\r\n\r\n\r\n# f\r\n@DBOS.workflow()\r\nasync def f(\r\n\tx,\r\n):\r\n\tpass",
        ),
        "conditional": (
            "if x:\n    async def f():\n        pass\n",
            "if x:\n    @DBOS.workflow()\n    async def f():\n        pass\n",
        ),
    }.values(),
)
def test_a_decorator_comes_on_top(before: str, after: str) -> None:
    src = source.from_bytes(Path("f.py"), before.encode())
    tree = source.parse(src)
    function = next(node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef))
    edits = [AddDecorator(source.span(function, src), "@DBOS.workflow()", None)]
    result = rewrite(src, tree, edits)
    assert result == after
    verify(src, tree, result, edits)
    for wrong in (before, after.replace("DBOS.workflow()", "DBOS.step()"), after.replace("workflow()", "workflow")):
        with pytest.raises(VerifyError):
            verify(src, tree, wrong, edits)
