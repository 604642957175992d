"""What the proof lets through, and that it refuses every other difference between a file and its rewrite.

Long because every kind of edit stands here with the differences that it must not hide: one place shows that none is
left out.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path

import pytest

from dbos_asyncify import source
from dbos_asyncify.edits import (
    AddAwait,
    AsyncComprehension,
    AsyncFor,
    Bracket,
    CallGetter,
    Collect,
    Edit,
    EditComment,
    FromThread,
    Import,
    ImportName,
    RenameCall,
    RenameInString,
    RenameReference,
    ReplaceCallee,
    RunAsStep,
    Sorted,
    ToThread,
)
from dbos_asyncify.source import Source, Span
from dbos_asyncify.verify import VerifyError, verify

BEFORE = '''\
"""Orders and their couriers."""

import os
import random
from asyncio import to_thread

from dbos import DBOS, WorkflowHandle

LIMIT = 10  # orders a day


@DBOS.step()
def price(order: str, rate: float = 1.5) -> float:
    return len(order) * rate


@DBOS.workflow()
async def ship(order: str, *rest: str) -> str:
    # The courier comes tomorrow.
    DBOS.sleep(1)
    total = price(order, rate=2.0)  # in euros
    topic = DBOS.recv("courier", 60)["topic"]
    if total > LIMIT:
        await DBOS.sleep_async(5)
    gift = random.choice(rest)
    for name in {gift, *rest}:
        await DBOS.send_async(name, order)
    return f"{order} {total:.2f} {topic}"


async def report(orders: list[str]) -> None:
    """Ship the orders, then tell of them."""
    import time

    time.sleep(0.1)
    places = DBOS.retrieve_queue("ships").concurrency
    handles: list[WorkflowHandle[str]] = []
    for order in orders:
        handles.append(DBOS.start_workflow(ship, order, "today"))
    last: "WorkflowHandle[str]" = handles[-1]
    print(await to_thread(last.get_result), os.getpid())
    print(sum(len(handle.get_result()) for handle in handles))

    for line in DBOS.read_stream("report", "lines"):
        print(line)
    words = [word.upper() for word in DBOS.read_stream("report", "words") if word]
    every = list(DBOS.read_stream("report", "all"))
    print(words, every)
'''

AFTER = '''\
"""Orders and their couriers."""

import asyncio
import os
import random
from asyncio import to_thread

from dbos import DBOS, WorkflowHandleAsync

LIMIT = 10  # orders a day


@DBOS.step()
def price(order: str, rate: float = 1.5) -> float:
    return len(order) * rate


@DBOS.workflow()
async def ship(order: str, *rest: str) -> str:
    # The courier comes tomorrow.
    await DBOS.sleep_async(1)
    total = await asyncio.to_thread(price, order, rate=2.0)  # in euros
    topic = (await DBOS.recv_async("courier", 60))["topic"]
    if total > LIMIT:
        await DBOS.sleep_async(5)
    gift = await DBOS.run_step_async(None, random.choice, rest)
    for name in sorted({gift, *rest}):
        await DBOS.send_async(name, order)
    return f"{order} {total:.2f} {topic}"


async def report(orders: list[str]) -> None:
    """Ship the orders, then tell of them."""
    import time

    await asyncio.sleep(0.1)
    places = await (await DBOS.retrieve_queue_async("ships")).get_concurrency_async()
    handles: list[WorkflowHandleAsync[str]] = []
    for order in orders:
        handles.append(await DBOS.start_workflow_async(ship, order, "today"))
    last: "WorkflowHandleAsync[str]" = handles[-1]
    print(await last.get_result(), os.getpid())
    print(sum([len(await handle.get_result()) for handle in handles]))

    async for line in DBOS.read_stream_async("report", "lines"):
        print(line)
    words = [word.upper() async for word in DBOS.read_stream_async("report", "words") if word]
    every = [value async for value in DBOS.read_stream_async("report", "all")]
    print(words, every)
'''


def place(text: str, src: Source, tree: ast.Module) -> Span:
    """The range of the first expression or statement of `src` that reads like `text`."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.expr, ast.stmt)) and ast.get_source_segment(src.text, node) == text:
            return source.span(node, src)
    raise AssertionError(f"no `{text}` here")


def declared() -> list[Edit]:
    """The edits that lead from BEFORE to AFTER."""

    def at(text: str) -> Span:
        return place(text, SOURCE, TREE)

    stream = 'DBOS.read_stream("report", "{}")'
    loops = [node for node in ast.walk(TREE) if isinstance(node, ast.For)]
    loop = next(node for node in loops if "read_stream" in ast.unparse(node.iter))
    start = at('DBOS.start_workflow(ship, order, "today")')
    recv = at('DBOS.recv("courier", 60)')
    sleep = at("DBOS.sleep(1)")
    price = at("price(order, rate=2.0)")
    result = at("handle.get_result()")
    counted = at("len(handle.get_result())")
    pause = at("time.sleep(0.1)")
    queue = at('DBOS.retrieve_queue("ships")')
    places = at('DBOS.retrieve_queue("ships").concurrency')
    gift = at("random.choice(rest)")
    return [
        RenameCall(sleep, "sleep", "sleep_async"),
        AddAwait(sleep),
        ToThread(price, "asyncio.to_thread", Import("asyncio")),
        AddAwait(price),
        RenameCall(recv, "recv", "recv_async"),
        AddAwait(recv),
        RenameCall(start, "start_workflow", "start_workflow_async"),
        AddAwait(start),
        FromThread(at("to_thread(last.get_result)")),
        AddAwait(result),
        Bracket(counted, (counted.line, counted.line)),
        AsyncFor(source.span(loop, SOURCE)),
        RenameCall(at(stream.format("lines")), "read_stream", "read_stream_async"),
        RenameCall(at(stream.format("words")), "read_stream", "read_stream_async"),
        AsyncComprehension(at(stream.format("words"))),
        RenameCall(at(stream.format("all")), "read_stream", "read_stream_async"),
        Collect(at(f"list({stream.format('all')})"), "value"),
        RenameReference(at("WorkflowHandle"), "WorkflowHandle", "WorkflowHandleAsync"),
        RenameInString(at('"WorkflowHandle[str]"'), "WorkflowHandle", "WorkflowHandleAsync"),
        ImportName(
            at("from dbos import DBOS, WorkflowHandle"), "WorkflowHandle", "WorkflowHandleAsync", keep_old=False
        ),
        ReplaceCallee(pause, "asyncio.sleep", Import("asyncio")),
        AddAwait(pause),
        RenameCall(queue, "retrieve_queue", "retrieve_queue_async"),
        AddAwait(queue),
        CallGetter(places, "concurrency", "get_concurrency_async"),
        AddAwait(places),
        RunAsStep(gift, "DBOS.run_step_async", None),
        AddAwait(gift),
        Sorted(at("{gift, *rest}")),
    ]


SOURCE = source.from_bytes(Path("orders.py"), BEFORE.encode())
TREE = source.parse(SOURCE)
EDITS = declared()


def prove(after: str, edits: Sequence[Edit] = EDITS) -> None:
    verify(SOURCE, TREE, after, edits)


def mutated(old: str, new: str) -> str:
    assert AFTER.count(old) == 1, f"`{old}` must stand in AFTER once"
    return AFTER.replace(old, new)


def test_the_declared_edits_pass() -> None:
    prove(AFTER)


def test_a_file_without_edits_passes_only_as_it_is() -> None:
    prove(BEFORE, [])
    with pytest.raises(VerifyError):
        prove(BEFORE.replace("LIMIT = 10", "LIMIT = 11"), [])


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_line_ends_must_be_those_of_the_file(newline: str) -> None:
    before, after = BEFORE.replace("\n", newline), AFTER.replace("\n", newline)
    src = source.from_bytes(Path("orders.py"), before.encode())
    tree = source.parse(src)
    verify(src, tree, after, EDITS)  # the places are the same
    other = "\n" if newline == "\r\n" else "\r\n"
    with pytest.raises(VerifyError):
        verify(src, tree, AFTER.replace("\n", other), EDITS)


# An edit that was declared, but not (or not rightly) carried out.
NOT_DONE = {
    "await dropped before a renamed call": ("await DBOS.sleep_async(1)", "DBOS.sleep_async(1)"),
    "await dropped before a thread": ("total = await asyncio", "total = asyncio"),
    "await dropped in an expression": ('(await DBOS.recv_async("courier", 60))', 'DBOS.recv_async("courier", 60)'),
    "await dropped in an argument": ("append(await DBOS.", "append(DBOS."),
    "await dropped in a comprehension": ("len(await handle", "len(handle"),
    "await that was there dropped": ("        await DBOS.sleep_async(5)", "        DBOS.sleep_async(5)"),
    "awaited twice": ("await last.get_result()", "await (await last.get_result())"),
    "await takes in too much": ('(await DBOS.recv_async("courier", 60))', 'await DBOS.recv_async("courier", 60)'),
    "not renamed": ("DBOS.sleep_async(1)", "DBOS.sleep(1)"),
    "renamed to something else": ('recv_async("courier"', 'get_event_async("courier"'),
    "receiver changed": ("await DBOS.sleep_async(1)", "await dbos.sleep_async(1)"),
    "called where it stands and in a thread": ("asyncio.to_thread(price, order", "asyncio.to_thread(price(), order"),
    "another function in the thread": ("to_thread(price,", "to_thread(ship,"),
    "another way to a thread": ("await asyncio.to_thread(price", "await to_thread(price"),
    "no thread": ("asyncio.to_thread(price, order, rate=2.0)", "price(order, rate=2.0)"),
    "callee kept": ("await asyncio.sleep(0.1)", "await time.sleep(0.1)"),
    "another callee": ("await asyncio.sleep(0.1)", "await asyncio.wait(0.1)"),
    "await dropped before another callee": ("await asyncio.sleep(0.1)", "asyncio.sleep(0.1)"),
    "await dropped before a getter": ("= await (await DBOS.r", "= (await DBOS.r"),
    "getter not called": (".get_concurrency_async()", ".get_concurrency_async"),
    "getter called with an argument": (".get_concurrency_async()", ".get_concurrency_async(1)"),
    "another getter": (".get_concurrency_async()", ".get_limiter_async()"),
    "getter of something else": ('retrieve_queue_async("ships")).get', 'retrieve_queue_async("slips")).get'),
    "attribute kept": (".get_concurrency_async()", ".concurrency"),
    "no step": ("await DBOS.run_step_async(None, random.choice, rest)", "await random.choice(rest)"),
    "step not awaited": ("await DBOS.run_step_async(", "DBOS.run_step_async("),
    "another way to a step": ("DBOS.run_step_async(None", "dbos.run_step_async(None"),
    "step with options": ("run_step_async(None, random", "run_step_async({}, random"),
    "step with a false option": ("run_step_async(None, random", "run_step_async(0, random"),
    "step without its options": ("run_step_async(None, random", "run_step_async(random"),
    "another function in the step": ("random.choice, rest)", "random.sample, rest)"),
    "called where it stands and in a step": ("random.choice, rest)", "random.choice(rest))"),
    "not sorted": ("sorted({gift, *rest})", "{gift, *rest}"),
    "made a list in place of sorted": ("sorted({gift, *rest})", "list({gift, *rest})"),
    "sorted in another way": ("sorted({gift, *rest})", "sorted({gift, *rest}, reverse=True)"),
    "something else sorted": ("sorted({gift, *rest})", "sorted({gift, *order})"),
    "sorted twice": ("sorted({gift, *rest})", "sorted(sorted({gift, *rest}))"),
    "thread kept": ("await last.get_result()", "await to_thread(last.get_result)"),
    "generator expression kept": ("sum([len(await handle.get_result()) for handle in handles])",
                                  "sum(len(await handle.get_result()) for handle in handles)"),
    "set in place of a list": ("sum([len(await handle.get_result()) for handle in handles])",
                               "sum({len(await handle.get_result()) for handle in handles})"),
    "loop kept synchronous": ("    async for line in", "    for line in"),
    "comprehension kept synchronous": ("upper() async for", "upper() for"),
    "collected in another way": (
        '[value async for value in DBOS.read_stream_async("report", "all")]',
        '{value async for value in DBOS.read_stream_async("report", "all")}',
    ),
    "collected under another name": ("[value async for value in", "[item async for item in"),
    "collected with a condition": ('"report", "all")]', '"report", "all") if value]'),
    "something else collected": ("[value async for value in", "[words async for value in"),
    "annotation not renamed": ("handles: list[WorkflowHandleAsync[str]]", "handles: list[WorkflowHandle[str]]"),
    "annotation renamed to something else": ("list[WorkflowHandleAsync[str]]", "list[WorkflowHandles[str]]"),
    "string annotation not renamed": ('"WorkflowHandleAsync[str]"', '"WorkflowHandle[str]"'),
    "imported name not renamed": ("import DBOS, WorkflowHandleAsync", "import DBOS, WorkflowHandle"),
    "imported name kept beside": ("import DBOS, Workflow", "import DBOS, WorkflowHandle, Workflow"),
    "imported from elsewhere": ("from dbos import DBOS, Work", "from dbos.core import DBOS, Work"),
    "import missing": ("import asyncio\n", ""),
    "import under another name": ("import asyncio\n", "import asyncio as aio\n"),
}  # fmt: skip

# Something that no edit declares.
NOT_ASKED_FOR = {
    "import above the docstring": (
        '"""Orders and their couriers."""\n\nimport asyncio\n',
        'import asyncio\n"""Orders and their couriers."""\n\n',
    ),
    "constant changed": ("LIMIT = 10", "LIMIT = 11"),
    "constant of another type": ("LIMIT = 10", "LIMIT = 10.0"),
    "constant changed in an edited line": ("rate=2.0)", "rate=3.0)"),
    "number becomes a truth value": ("sleep_async(1)", "sleep_async(True)"),
    "string changed": ('"topic"', '"tropic"'),
    "text of an f-string changed": ('f"{order} {total', 'f"{order}: {total'),
    "format of an f-string changed": ("{total:.2f}", "{total:.3f}"),
    "docstring changed": ('"""Ship the orders, then tell of them."""', '"""Ship the orders."""'),
    "default changed": ("rate: float = 1.5", "rate: float = 2.5"),
    "operator changed": ("total > LIMIT", "total >= LIMIT"),
    "other name renamed": ("print(words, every)", "print(words, all)"),
    "other attribute renamed": ("os.getpid()", "os.getppid()"),
    "other annotation renamed": ("orders: list[str]", "orders: list[bytes]"),
    "parameter renamed": ("*rest: str", "*others: str"),
    "parameter made keyword-only": ("*rest: str", "*, rest: str"),
    "function renamed": ("async def report(", "async def tell("),
    "function made asynchronous": ("def price(", "async def price("),
    "keyword argument made positional": ("order, rate=2.0)", "order, 2.0)"),
    "argument of another callee changed": ("asyncio.sleep(0.1)", "asyncio.sleep(0.2)"),
    "keyword renamed": ("rate=2.0)", "ratio=2.0)"),
    "arguments swapped": ('"courier", 60', '60, "courier"'),
    "arguments of the thread swapped": ('ship, order, "today"', 'order, ship, "today"'),
    "argument dropped": ('"courier", 60', '"courier"'),
    "argument added": ("sleep_async(1)", "sleep_async(1, 2)"),
    "argument of the step dropped": ("random.choice, rest)", "random.choice)"),
    "argument of the step added": ("random.choice, rest)", "random.choice, rest, 1)"),
    "argument spread": ("asyncio.to_thread(price, order,", "asyncio.to_thread(price, *order,"),
    "await added elsewhere": ("print(words, every)", "await print(words, every)"),
    "call of an edited kind renamed elsewhere": ("sleep_async(5)", "sleep(5)"),
    "another loop made asynchronous": ("    for order in orders:", "    async for order in orders:"),
    "condition dropped": (' "words") if word]', ' "words")]'),
    "statement dropped": ("        print(line)\n", "        pass\n"),
    "statement added": ("    print(words, every)\n", "    print(words, every)\n    print()\n"),
    "statement said twice": ("    print(words, every)\n", "    print(words, every)\n    print(words, every)\n"),
    "statements in another order": (
        "    handles: list[WorkflowHandleAsync[str]] = []\n    for order in orders:\n",
        "    for order in orders:\n        handles: list[WorkflowHandleAsync[str]] = []\n",
    ),
    "statement moved out of its block": ("        print(line)\n", "        pass\n    print(line)\n"),
    "definition dropped": ("LIMIT = 10  # orders a day\n", ""),
    "import dropped": ("import os\n", ""),
    "import added": ("import os\n", "import os\nimport sys\n"),
    "import added twice": ("import asyncio\n", "import asyncio\nimport asyncio\n"),
    "decorator dropped": ("@DBOS.workflow()\n", ""),
    "decorator changed": ("@DBOS.workflow()", "@DBOS.step()"),
    "comment dropped": ("  # in euros", ""),
    "comment line dropped": ("    # The courier comes tomorrow.\n", ""),
    "comment changed": ("# orders a day", "# orders a week"),
    "comment added": ("    print(words, every)\n", "    print(words, every)  # done\n"),
    "quotes changed": ('"""Orders and their couriers."""', "'''Orders and their couriers.'''"),
    "number spelled in another way": ("rate: float = 1.5", "rate: float = 1.50"),
    "parentheses added": ("if total > LIMIT:", "if (total > LIMIT):"),
    "spaces changed": ("LIMIT = 10", "LIMIT  =  10"),
    "space at the end of a line": ("    for order in orders:\n", "    for order in orders: \n"),
    "indentation changed": ("        print(line)", "          print(line)"),
    "tab in place of spaces": ("        print(line)", "    \tprint(line)"),
    "blank line dropped": ("for handle in handles]))\n\n", "for handle in handles]))\n"),
    "line broken": ("    print(words, every)", "    print(\n        words, every)"),
    "line joined by a backslash": ("    if total > LIMIT:", "    if total \\\n        > LIMIT:"),
    "no line end at the end of the file": ("    print(words, every)\n", "    print(words, every)"),
}  # fmt: skip

NOT_PYTHON = {
    "bracket missing": ("    print(words, every)", "    print(words, every"),
    "await outside a coroutine": ("    return len(order) * rate", "    return await len(order) * rate"),
    "return outside a function": ("LIMIT = 10", "return 10"),
    "coroutine made a function": ("async def ship(", "def ship("),
}

# What Python reads in the same way: the lines that an edit touches must keep their spelling too.
NOT_SEEN_YET = {
    "comment moved past an edited statement": (
        "    # The courier comes tomorrow.\n    await DBOS.sleep_async(1)\n    total = await",
        "    await DBOS.sleep_async(1)\n    # The courier comes tomorrow.\n    total = await",
    ),
    "comment moved to a line of its own": (
        "    total = await asyncio.to_thread(price, order, rate=2.0)  # in euros\n",
        "    # in euros\n    total = await asyncio.to_thread(price, order, rate=2.0)\n",
    ),
    "quotes changed in an edited line": ('"courier", 60', "'courier', 60"),
    "number spelled in another way in an edited line": ("rate=2.0)", "rate=2.00)"),
    "parentheses added in an edited line": ("sleep_async(1)", "sleep_async((1))"),
    "spaces changed in an edited line": ("await DBOS.sleep_async(1)", "await  DBOS.sleep_async( 1 )"),
    "comma added in an edited line": ("sleep_async(1)", "sleep_async(1,)"),
    "edited line broken": ("await DBOS.sleep_async(1)", "await DBOS.sleep_async(\n        1)"),
    "string split": ('["topic"]', '["to" "pic"]'),
    "semicolon added": ("await DBOS.sleep_async(1)\n", "await DBOS.sleep_async(1);\n"),
    "blank line added": ("    print(words, every)\n", "\n    print(words, every)\n"),
    "import below the other imports": (
        """import asyncio
import os
import random
from asyncio import to_thread

from dbos import DBOS, WorkflowHandleAsync
""",
        """import os
import random
from asyncio import to_thread

from dbos import DBOS, WorkflowHandleAsync
import asyncio
""",
    ),
}


@pytest.mark.parametrize(("old", "new"), NOT_DONE.values(), ids=NOT_DONE)
def test_an_edit_that_was_not_carried_out_is_refused(old: str, new: str) -> None:
    after = mutated(old, new)
    compile(after, "orders.py", "exec")
    with pytest.raises(VerifyError):
        prove(after)


@pytest.mark.parametrize(("old", "new"), NOT_ASKED_FOR.values(), ids=NOT_ASKED_FOR)
def test_a_change_that_no_edit_declares_is_refused(old: str, new: str) -> None:
    after = mutated(old, new)
    compile(after, "orders.py", "exec")
    with pytest.raises(VerifyError):
        prove(after)


@pytest.mark.xfail(raises=pytest.fail.Exception, reason="the proof compares syntax trees, not spelling")
@pytest.mark.parametrize(("old", "new"), NOT_SEEN_YET.values(), ids=NOT_SEEN_YET)
def test_another_spelling_is_refused(old: str, new: str) -> None:
    after = mutated(old, new)
    compile(after, "orders.py", "exec")
    with pytest.raises(VerifyError):
        prove(after)


@pytest.mark.parametrize(
    "edit",
    [
        AddAwait(Span(3, 0, 3, 2)),
        RenameCall(Span(1, 0, 1, 1), "recv", "recv_async"),
        AsyncFor(Span(1, 0, 1, 9)),
        Bracket(Span(2, 0, 2, 0), (2, 2)),
        EditComment(Span(3, 9, 3, 11), "# x", ""),
        EditComment(Span(8, 12, 8, 27), "# orders a week", ""),
        ImportName(Span(1, 0, 1, 30), "WorkflowHandle", "WorkflowHandleAsync", keep_old=False),
    ],
    ids=lambda edit: type(edit).__name__,
)
def test_an_edit_of_nothing_is_refused(edit: Edit) -> None:
    with pytest.raises(VerifyError):
        prove(AFTER, [*EDITS, edit])


@pytest.mark.parametrize(("old", "new"), NOT_PYTHON.values(), ids=NOT_PYTHON)
def test_a_result_that_does_not_compile_is_refused(old: str, new: str) -> None:
    with pytest.raises(VerifyError, match="does not compile"):
        prove(mutated(old, new))


@pytest.mark.parametrize("number", range(len(EDITS)))
def test_each_edit_must_be_declared(number: int) -> None:
    """Without any one of the edits the same result is no longer what was asked for."""
    with pytest.raises(VerifyError):
        prove(AFTER, [edit for index, edit in enumerate(EDITS) if index != number])


def test_what_stands_beside_an_edit_in_its_statement_is_compared_too() -> None:
    before = "async def f():\n    g(  # one\n        h(1),\n        [2, 3],\n    )\n"
    after = before.replace("h(1)", "await h(1)")
    src = source.from_bytes(Path("f.py"), before.encode())
    tree = source.parse(src)
    edits = [AddAwait(place("h(1)", src, tree))]
    verify(src, tree, after, edits)
    for old, new in (("[2, 3]", "[2, 4]"), ("[2, 3]", "(2, 3)"), ("# one", "# two"), ("        [2", "       [2")):
        assert after.count(old) == 1
        with pytest.raises(VerifyError):
            verify(src, tree, after.replace(old, new), edits)


@pytest.mark.parametrize(
    ("wanted", "line"),
    [
        (Import("dbos", name="DBOS"), "from dbos import DBOS"),
        (Import("dbos", alias="_DBOS", name="DBOS"), "from dbos import DBOS as _DBOS"),
        (Import("asyncio", alias="_asyncio"), "import asyncio as _asyncio"),
    ],
)
def test_the_import_that_an_edit_needs_must_be_the_one_that_is_there(wanted: Import, line: str) -> None:
    before = "import time\n\n\nasync def f():\n    time.sleep(1)\n"
    after = f"import time\n\n{line}\n\n\nasync def f():\n    await pause(1)\n"
    src = source.from_bytes(Path("f.py"), before.encode())
    tree = source.parse(src)
    call = place("time.sleep(1)", src, tree)
    edits = [ReplaceCallee(call, "pause", wanted), AddAwait(call)]
    verify(src, tree, after, edits)
    for other in ("import dbos", "from dbos import Queue", "from shop import DBOS", "import asyncio", ""):
        with pytest.raises(VerifyError):
            verify(src, tree, after.replace(line, other), edits)


class TestComments:
    """Comments that an edit changes or takes away, and those beside them."""

    BEFORE = "import os  # one\n\n# two\nf(  # three\n    g(1),  # four\n    # five\n)\nx = 1  # six\n"
    AFTER = "import os\n\nf(  # 3\n    g(1),\n)\nx = 1  # six\n"
    SOURCE = source.from_bytes(Path("f.py"), BEFORE.encode())

    def edits(self) -> list[EditComment]:
        new = {"# one": "", "# two": "", "# three": "# 3", "# four": "", "# five": ""}
        found = [(row, line.find("#"), line) for row, line in enumerate(self.BEFORE.splitlines(), 1) if "#" in line]
        return [
            EditComment(Span(row, column, row, len(line)), line[column:], new[line[column:]])
            for row, column, line in found
            if line[column:] in new
        ]

    def prove(self, after: str) -> None:
        verify(self.SOURCE, source.parse(self.SOURCE), after, self.edits())

    def test_declared_edits_pass(self) -> None:
        self.prove(self.AFTER)

    @pytest.mark.parametrize(
        ("old", "new"),
        {
            "not taken away": ("import os\n", "import os  # one\n"),
            "line kept": ("\n\nf(", "\n\n# two\nf("),
            "changed into something else": ("# 3", "# three"),
            "other comment taken away": ("x = 1  # six", "x = 1"),
            "other comment changed": ("# six", "# seven"),
            "blanks left behind": ("import os\n", "import os  \n"),
            "blanks before it changed": ("f(  # 3", "f( # 3"),
            "code in its line changed": ("g(1)", "g(2)"),
            "code in its line spelled in another way": ("g(1)", "g( 1)"),
            "blank line taken away": ("os\n\n", "os\n"),
            "line end taken away": ("# six\n", "# six"),
            "comment added": ("x = 1", "y = 1  # one\nx = 1"),
        }.values(),
    )
    def test_any_other_change_is_refused(self, old: str, new: str) -> None:
        assert self.AFTER.count(old) == 1
        with pytest.raises(VerifyError):
            self.prove(self.AFTER.replace(old, new))
