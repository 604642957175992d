"""Nested coroutines that move to the module, with other edits: the proof refuses anything else."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from dbos_asyncify import source
from dbos_asyncify.edits import (
    AddArguments,
    AddAwait,
    AddDecorator,
    Edit,
    Hoist,
    Import,
    InStatements,
    RenameCall,
    RenameReference,
    RunAsStep,
)
from dbos_asyncify.edits.rewrite import rewrite
from dbos_asyncify.verify import VerifyError, verify


class TestTogether:
    """With other edits in the functions that move, in their statement and outside, and the proof of all of them."""

    BEFORE = '''\
"""Orders."""

import asyncio
import uuid

LIMIT = 10  # a day


# Ships it.
@DBOS.workflow()
async def ship(order: str, rate) -> str:
    """Ship an order."""
    limit = recv(1)

    # Pays first.
    @traced
    async def pay(amount, *, currency="EUR") -> "Receipt":
        """Pay
        once."""
        token = uuid.uuid4()  # of this payment
        await asyncio.gather(charge(amount), mail(token, order))
        return recv(2)

    async def pack(size=1):
        handle: Handle = await start(order)
        # Another day.
        await label(handle, """
    fragile
""")
        # packed

    # Both at once.
    await asyncio.gather(pay(limit, currency="USD"), pack(2))
    return order


async def label(handle: Handle, text: str) -> None:
    await recv(3)
'''
    AFTER = '''\
"""Orders."""

import asyncio
import uuid

from dbos import DBOS

LIMIT = 10  # a day


# Pays first.
@DBOS.workflow()
@traced
async def ship_pay(amount, order: str, *, currency="EUR") -> "Receipt":
    """Pay
        once."""
    token = await DBOS.run_step_async(None, uuid.uuid4)  # of this payment
    await charge(amount)
    await mail(token, order)
    return await recv_async(2)


@DBOS.workflow()
async def pack(size=1, *, order: str, rate):
    handle: HandleAsync = await start(order)
    # Another day.
    await label(handle, """
    fragile
""")
    # packed


# Ships it.
@DBOS.workflow()
async def ship(order: str, rate) -> str:
    """Ship an order."""
    limit = await recv_async(1)

    # Both at once.
    await asyncio.gather(ship_pay(limit, order, currency="USD"), pack(2, order=order, rate=rate))
    return order


@DBOS.step()
async def label(handle: HandleAsync, text: str) -> None:
    await recv_async(3)
'''
    SOURCE = source.from_bytes(Path("orders.py"), BEFORE.encode())
    TREE = source.parse(SOURCE)

    def edits(self) -> list[Edit]:
        wanted = Import("dbos", name="DBOS")
        edits: list[Edit] = []
        for node in ast.walk(self.TREE):
            if not isinstance(node, (ast.expr, ast.stmt)):
                continue
            at = source.span(node, self.SOURCE)
            text = ast.unparse(node)
            if isinstance(node, ast.AsyncFunctionDef) and node.name == "pay":
                edits.append(Hoist(at, "@DBOS.workflow()", wanted, "ship_pay", (("order", "str"),)))
            elif isinstance(node, ast.AsyncFunctionDef) and node.name == "pack":
                edits.append(Hoist(at, "@DBOS.workflow()", wanted, "pack", (("order", "str"), ("rate", ""))))
            elif isinstance(node, ast.AsyncFunctionDef) and node.name == "label":
                edits.append(AddDecorator(at, "@DBOS.step()", wanted))
            elif isinstance(node, ast.Call) and text.startswith("pay("):
                edits.append(AddArguments(at, "pay", "ship_pay", ("order",), False))
            elif isinstance(node, ast.Call) and text.startswith("pack("):
                edits.append(AddArguments(at, "pack", "pack", ("order", "rate"), True))
            elif isinstance(node, ast.Call) and text.startswith("recv("):
                edits += [RenameCall(at, "recv", "recv_async")] + [AddAwait(at)] * ("3" not in text)
            elif isinstance(node, ast.Call) and text == "uuid.uuid4()":
                edits += [RunAsStep(at, "DBOS.run_step_async", None), AddAwait(at)]
            elif isinstance(node, ast.Expr) and "charge" in text:
                edits.append(InStatements(at, "task", "    "))
            elif isinstance(node, ast.Name) and node.id == "Handle":
                edits.append(RenameReference(at, "Handle", "HandleAsync"))
        return edits

    def test_all_are_carried_out(self) -> None:
        assert rewrite(self.SOURCE, self.TREE, self.edits()) == self.AFTER

    def test_all_are_proven(self) -> None:
        verify(self.SOURCE, self.TREE, self.AFTER, self.edits())

    @pytest.mark.parametrize("number", range(15))
    def test_each_edit_must_be_declared(self, number: int) -> None:
        edits = self.edits()
        assert len(edits) == 15
        with pytest.raises(VerifyError):
            verify(self.SOURCE, self.TREE, self.AFTER, edits[:number] + edits[number + 1 :])

    @pytest.mark.parametrize(
        ("old", "new"),
        {
            "not decorated": ("@DBOS.workflow()\n@traced\n", "@traced\n"),
            "decorated below": ("@DBOS.workflow()\n@traced\n", "@traced\n@DBOS.workflow()\n"),
            "decorated twice": ("@traced\n", "@traced\n@traced\n"),
            "other decorator": ("@DBOS.workflow()\n@traced\n", "@DBOS.step()\n@traced\n"),
            "own decorator dropped": ("@traced\n", ""),
            "other statement decorated": ("@DBOS.step()\n", "@DBOS.workflow()\n"),
            "other name": ("def ship_pay(", "def pay("),
            "parameter dropped": ("amount, order: str, *", "amount, *"),
            "parameter in front": ("amount, order: str", "order: str, amount"),
            "parameter keyword-only": ("amount, order: str, *, ", "amount, *, order: str, "),
            "parameter with a default": ("amount, order: str", "amount, order: str = None"),
            "parameter annotated otherwise": ("amount, order: str", "amount, order: int"),
            "parameter not annotated": ("amount, order: str", "amount, order"),
            "parameter annotated": ("order: str, rate):\n    handle", "order: str, rate: int):\n    handle"),
            "own parameter changed": ('currency="EUR"', 'currency="USD"'),
            "keyword-only parameter positional": ("size=1, *, order: str", "size=1, order: str = None, *"),
            "keyword-only parameter with a default": ("*, order: str, rate)", "*, order: str = None, rate)"),
            "keyword-only parameters swapped": ("*, order: str, rate)", "*, rate, order: str)"),
            "result changed": ('-> "Receipt"', '-> "Receipts"'),
            "docstring dedented": ('"""Pay\n        once."""', '"""Pay\n    once."""'),
            "text dedented": ("    fragile\n", "fragile\n"),
            "body changed": ("await mail(token, order)", "await mail(order, token)"),
            "statement dropped": ("    # Another day.\n    await label(", "    # Another day.\n    (label("),
            "statement added": ("    return await recv_async(2)", "    print()\n    return await recv_async(2)"),
            "inner edit dropped": ("return await recv_async(2)", "return recv_async(2)"),
            "comment left behind": (
                "# Pays first.\n@DBOS.workflow()\n@traced\n",
                "@DBOS.workflow()\n@traced\n# Pays first.\n",
            ),
            "comment of the statement moved": ("# Ships it.\n", ""),
            "comment dropped": ("    # packed\n", ""),
            "comment of the body dropped": ("    # Another day.\n", ""),
            "comment in the statement dropped": ("    # Both at once.\n", ""),
            "call without an argument": ("ship_pay(limit, order, currency", "ship_pay(limit, currency"),
            "call with another argument": ("ship_pay(limit, order,", "ship_pay(limit, rate,"),
            "call with the arguments swapped": ("ship_pay(limit, order,", "ship_pay(order, limit,"),
            "call by keyword": ("limit, order, currency", "limit, order=order, currency"),
            "call by position": ("pack(2, order=order,", "pack(2, order,"),
            "call with keywords swapped": ("order=order, rate=rate", "rate=rate, order=order"),
            "call with another keyword": ("rate=rate", "rates=rate"),
            "call with another value": ("rate=rate", "rate=order"),
            "call of the old name": ("gather(ship_pay(", "gather(pay("),
            "function around changed": ("limit = await recv_async(1)", "limit = await recv_async(2)"),
            "function around not decorated": ("# Ships it.\n@DBOS.workflow()\n", "# Ships it.\n"),
            "line elsewhere changed": ("LIMIT = 10", "LIMIT  = 10"),
            "line in the statement changed": ("    return order\n", "    return  order\n"),
            "line that moved changed": ("    handle: HandleAsync = await start(order)\n    # A",
                                        "    handle: HandleAsync = await start(order)\n    #  A"),
            "import dropped": ("from dbos import DBOS\n", ""),
        }.values(),
    )  # fmt: skip
    def test_anything_else_is_refused(self, old: str, new: str) -> None:
        assert self.AFTER.count(old) == 1
        with pytest.raises(VerifyError):
            verify(self.SOURCE, self.TREE, self.AFTER.replace(old, new), self.edits())

    def test_the_functions_stand_above_their_statement_in_their_order(self) -> None:
        start, pay, pack, ship, label = (
            self.AFTER.index(text)
            for text in ("# Pays", "# Pays", "@DBOS.workflow()\nasync def pack", "# Ships", "@DBOS.step()")
        )
        head, first, second, whole, rest = (
            self.AFTER[:start], self.AFTER[pay:pack], self.AFTER[pack:ship], self.AFTER[ship:label],
            self.AFTER[label:],
        )  # fmt: skip
        verify(self.SOURCE, self.TREE, head + first + second + whole + rest, self.edits())
        for order in (
            (second, first, whole, rest),
            (first, whole, second, rest),
            (whole, first, second, rest),
            (whole, rest, first, second),
            (first, second, rest, whole),
            (first, whole, rest),
            (first, second, second, whole, rest),
            (first, second, rest),
        ):
            with pytest.raises(VerifyError):
                verify(self.SOURCE, self.TREE, head + "".join(order), self.edits())

    def test_a_function_must_leave_its_place(self) -> None:
        kept = self.AFTER.replace(
            "    # Both at once.", "    async def pack(size=1):\n        pass\n\n    # Both at once."
        )
        with pytest.raises(VerifyError):
            verify(self.SOURCE, self.TREE, kept, self.edits())


def test_only_pass_takes_the_place_of_a_function() -> None:
    before = "class Shop:\n    async def seq(self):\n        return 1\n"
    src = source.from_bytes(Path("f.py"), before.encode())
    tree = source.parse(src)
    function = next(node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef))
    edits = [Hoist(source.span(function, src), "@DBOS.workflow()", None, "seq", ())]
    above = "@DBOS.workflow()\nasync def seq(self):\n    return 1\n\n\nclass Shop:\n"
    verify(src, tree, above + "    pass\n", edits)
    for other in ("    ...\n", "    x = 1\n", "    pass\n    pass\n", "    'Doc.'\n"):
        with pytest.raises(VerifyError):
            verify(src, tree, above + other, edits)
