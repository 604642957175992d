"""`await gather(...)` in sequence: how the result is printed, and that the proof refuses anything else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent, indent

import pytest

from dbos_asyncify import source
from dbos_asyncify.edits import AddAwait, AsyncComprehension, Bracket, Edit, InSequence, InStatements, RenameCall
from dbos_asyncify.edits.rewrite import rewrite
from dbos_asyncify.project.program import Unit
from dbos_asyncify.project.statements import facts_of
from dbos_asyncify.remedies.sequence import edit_of
from dbos_asyncify.source import Source
from dbos_asyncify.verify import VerifyError, verify


def calls(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == name:
            yield node


def edits_of(src: Source, tree: ast.Module) -> list[Edit]:
    unit = Unit(0, src, tree, facts_of(tree))
    edits: list[Edit] = []
    for call in calls(tree, "gather"):
        awaited = unit.facts.parents[call]
        assert isinstance(awaited, ast.Await)
        edits.append(edit_of(unit, awaited, call, "task"))
    assert edits
    return edits


def in_turn(text: str) -> str:
    """`text` with all its gathers in sequence, proven."""
    src = source.from_bytes(Path("f.py"), text.encode())
    tree = source.parse(src)
    edits = edits_of(src, tree)
    result = rewrite(src, tree, edits)
    verify(src, tree, result, edits)
    return result


def in_function(body: str, before: str = "") -> str:
    return "async def f(tasks, xs):\n" + indent(dedent(before) + dedent(body).strip("\n") + "\n", "    ")


# Each: what stands in a coroutine function, what it becomes.
RESULTS = {
    "unpacked": ("a, b = await asyncio.gather(x(1), y(2))", "a, b = await x(1), await y(2)"),
    "unpacked in brackets": ("[a, b] = await gather(x, y)", "[a, b] = await x, await y"),
    "unpacked in parentheses": ("(a, b) = (await gather(x, y))", "(a, b) = await x, await y"),
    "unpacked from lines": (
        """
        a, b = await asyncio.gather(
            x(1),  # quick
            # slow
            y(2),
        )  # both
        """,
        """
        a, b = (
            await x(1),  # quick
            # slow
            await y(2),
        )  # both
        """,
    ),
    "unpacked from one line, of several": (
        "a, b = await gather(x(\n    1,  # one\n), y())",
        "a, b = await x(\n    1,  # one\n), await y()",
    ),
    "unpacked, broken outside of brackets": (
        "a, b = await gather(client\n    .x(), y)",
        "a, b = (await client\n    .x(), await y)",
    ),
    "unpacked with another number": ("a, *b = await gather(x, y)", "a, *b = await x, await y"),
    "unpacked one": ("(a,) = await gather(x)", "(a,) = [await x]"),
    "unpacked loop": ("a, b = await gather(*[g(x) for x in xs])", "a, b = [await g(x) for x in xs]"),
    "two targets": ("a, b = c = await gather(x, y)", "a, b = c = [await x, await y]"),
    "kept": ("c = await gather(x(), y())", "c = [await x(), await y()]"),
    "kept, with blanks": ("c = await  gather( x() , y(), )", "c = [ await x() , await y()]"),
    "kept, with lines": (
        "c = await gather(  # two\n    x(),\n    y()  # last\n    # end\n)",
        "c = [  # two\n    await x(),\n    await y()  # last\n    # end\n]",
    ),
    "kept, with backslash": ("c = await \\\n    gather(x, \\\n    y)", "c = [await x, \\\n    await y]"),
    "comments around the callee": (
        "c = await (  # first\n    gather  # second\n    (x, y)  # third\n)",
        "c = [  # first\n    # second\n    await x, await y  # third\n    ]",
    ),
    "returned": ("return await gather(x, y)", "return [await x, await y]"),
    "returned in parentheses": ("return(await gather(x, y))", "return[await x, await y]"),
    "returned in lines": (
        "return (\n    await gather(x, y)  # both\n)",
        "return (\n    [await x, await y]  # both\n)",
    ),
    "indexed": ("c = (await gather(x, y))[0]", "c = [await x, await y][0]"),
    "argument": ("print(await gather(x, y), sep=await gather(z))", "print([await x, await y], sep=[await z])"),
    "middle of an expression": (
        """
        c = 1 + len(await gather(x, y)) or await z
        """,
        """
        c = 1 + len([await x, await y]) or await z
        """,
    ),
    "f-string": ('c = f"{await gather(x, y)!r:>{1}}"', 'c = f"{[await x, await y]!r:>{1}}"'),
    "nested": (
        "c = await gather(x(await gather(y, z)), w)",
        "c = [await x([await y, await z]), await w]",
    ),
    "in a comprehension": (
        "c = [await gather(g(x), y) for x in xs]",
        "c = [[await g(x), await y] for x in xs]",
    ),
    "weaker than await": (
        """
        c = await gather(x or y, x if y else z, await w, (v), lambda: 1, [1][0])
        """,
        """
        c = [await (x or y), await (x if y else z), await (await w), await (v), await (lambda: 1), await [1][0]]
        """,
    ),
    "loop": ("c = await gather(*[g(x) for x in xs])", "c = [await g(x) for x in xs]"),
    "loop with comma": ("c = await gather(*[g(x) for x in xs],)", "c = [await g(x) for x in xs]"),
    "loop of a generator expression": (
        """
        c = await gather(*(g(x) for x in xs if x))
        """,
        """
        c = [await g(x) for x in xs if x]
        """,
    ),
    "loop of loops": (
        "c = await gather(*[g(x) for x in xs if x async for y in x if y if x])",
        "c = [await g(x) for x in xs if x async for y in x if y if x]",
    ),
    "loop on a line": ("c = await gather(\n    *[g(x) for x in xs]\n)", "c = [\n    await g(x) for x in xs\n]"),
    "loop in lines": (
        """
        c = await asyncio.gather(  # all
            *[  # each
                g(  # one
                    x,
                    \"""
            kept\""",
                )
                # below
                for x in xs
            ],  # end
        )  # last
        """,
        """
        c = [  # all
            # each
            await g(  # one
                x,
                \"""
            kept\""",
            )
            # below
            for x in xs  # end
        ]  # last
        """,
    ),
    "tasks": ("c = await gather(*tasks)", "c = [await task for task in tasks]"),
    "other iterables": (
        """
        c = await gather(*map(g, xs))
        d = await gather(* (tasks or xs))
        e = await gather(*tasks if xs else [])
        """,
        """
        c = [await task for task in map(g, xs)]
        d = [await task for task in (tasks or xs)]
        e = [await task for task in (tasks if xs else [])]
        """,
    ),
    "some of each": (
        "c = await gather(x, *tasks, *[g(x) for x in xs], *(g(x) for x in xs))",
        "c = [await x, *[await task for task in tasks], *[await g(x) for x in xs], *[await g(x) for x in xs]]",
    ),
    "statement": ("await gather(x(), y())", "await x()\nawait y()"),
    "statement in parentheses": ("(await gather(x, y));", "await x\nawait y"),
    "statement of one": ("await gather(x)", "await x"),
    "statement in lines": (
        """
        # above

        # both
        await gather(  # opened
            x(
                1,  # one
            ),  # first
            # slow
            y
            .second(),  # second
            # done
        )  # closed
        print()
        """,
        """
        # above

        # both
        # opened
        await x(
            1,  # one
        )  # first
        # slow
        await (y
        .second())  # second
        # done
        # closed
        print()
        """,
    ),
    "statement with one comment": ("await gather(\n    x,\n    y,\n)  # both", "await x\nawait y  # both"),
    "statement with a comment after comma": (
        """
        await gather(x, # one
            y # two
            ,)
        """,
        """
        await x  # one
        await y  # two
        """,
    ),
    "statement of a loop": ("await gather(*[g(x) for x in xs])  # all", "for x in xs:\n    await g(x)  # all"),
    "statement of loops": (
        """
        if xs:
            await gather(*(g(x, y) for x in xs if x if not x.y async for y, z in x.y for w in z))
        """,
        """
        if xs:
            for x in xs:
                if x:
                    if not x.y:
                        async for y, z in x.y:
                            for w in z:
                                await g(x, y)
        """,
    ),
    "statement of a loop in lines": (
        """
        await gather(
            *[
                g(
                    x,
                )
                for x in xs
                if (
                    x
                )
            ]
        )
        """,
        """
        for x in xs:
            if (
                x
            ):
                await g(
                    x,
                )
        """,
    ),
    "statement of tasks": ("await gather(*tasks)", "for task in tasks:\n    await task"),
    "statement of each": (
        "await gather(x, *tasks, *[g(y) for y in xs])",
        "await x\nfor task in tasks:\n    await task\nfor y in xs:\n    await g(y)",
    ),
    "statement of a loop with comments": (
        "await gather(\n    *[\n        g(x)  # each\n        for x in xs\n    ]\n)",
        "[\n    await g(x)  # each\n    for x in xs\n]",
    ),
    "statement beside others": ("print(); await gather(x, y)", "print(); [await x, await y]"),
    "statement before others": ("await gather(x, y); print()", "[await x, await y]; print()"),
    "statement in the line of its block": ("if xs: await gather(x, y)", "if xs: [await x, await y]"),
    "last of its block": (
        "for x in xs:\n    try:\n        await gather(x, y)\n    finally:\n        pass",
        "for x in xs:\n    try:\n        await x\n        await y\n    finally:\n        pass",
    ),
    "loop whose variable is used": (
        "await gather(*[g(x) for x in xs])\nprint(x)",
        "[await g(x) for x in xs]\nprint(x)",
    ),
    "loop whose variable another loop has": (
        "await gather(*[g(x) for x in xs])\nprint([x for x in xs])",
        "for x in xs:\n    await g(x)\nprint([x for x in xs])",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after"), RESULTS.values(), ids=RESULTS)
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_the_result_is_printed_so(before: str, after: str, newline: str) -> None:
    assert in_turn(in_function(before).replace("\n", newline)) == in_function(after).replace("\n", newline)


@pytest.mark.parametrize("unit", ["\t", "  ", "        "], ids=["tab", "two", "eight"])
def test_loops_are_indented_as_the_file_is(unit: str) -> None:
    before = "class A:\n{0}async def f(self, xs):\n{0}{0}if xs:\n{0}{0}{0}await gather(*[g(x) for x in xs])\n"
    after = before.replace("await gather(*[g(x) for x in xs])\n", "for x in xs:\n{0}{0}{0}{0}await g(x)\n")
    assert in_turn(before.format(unit)) == after.format(unit)


class TestTogether:
    """With edits of the arguments in the same run, and the proof of all of them."""

    BEFORE = in_function("""
        a, b = await gather(x(recv(1)), sleep(2))
        await gather(
            y(recv(3)),  # three
            *tasks,
            *(z(recv(i)) for i in stream(4) if i),
        )
        c = await gather(*(z(recv(i)) for i in stream(5)))
    """)
    AFTER = in_function("""
        a, b = await x(await recv_async(1)), await sleep_async(2)
        await y(await recv_async(3))  # three
        for task in tasks:
            await task
        async for i in stream(4):
            if i:
                await z(await recv_async(i))
        c = [await z(await recv_async(i)) async for i in stream(5)]
    """)

    SOURCE = source.from_bytes(Path("f.py"), BEFORE.encode())
    TREE = source.parse(SOURCE)

    def edits(self) -> list[Edit]:
        def at(call: ast.expr) -> source.Span:
            return source.span(call, self.SOURCE)

        edits = edits_of(self.SOURCE, self.TREE)
        for call in calls(self.TREE, "recv"):
            edits += [RenameCall(at(call), "recv", "recv_async"), AddAwait(at(call))]
        edits += [RenameCall(at(call), "sleep", "sleep_async") for call in calls(self.TREE, "sleep")]
        edits += [AsyncComprehension(at(call)) for call in calls(self.TREE, "stream")]
        loops = [node.elt for node in ast.walk(self.TREE) if isinstance(node, ast.GeneratorExp)]
        return edits + [Bracket(at(elt), (elt.lineno, elt.lineno)) for elt in loops]

    def test_all_are_carried_out(self) -> None:
        assert rewrite(self.SOURCE, self.TREE, self.edits()) == self.AFTER

    def test_all_are_proven(self) -> None:
        verify(self.SOURCE, self.TREE, self.AFTER, self.edits())

    @pytest.mark.parametrize(
        ("old", "new"),
        {
            "not awaited": ("await x(await", "x(await"),
            "awaited twice": ("await x(await", "await (await x(await 1))(await"),
            "list for a tuple": ("await x(await recv_async(1)), await sleep_async(2)",
                                 "[await x(await recv_async(1)), await sleep_async(2)]"),
            "other order": ("await x(await recv_async(1)), await sleep_async(2)",
                            "await sleep_async(2), await x(await recv_async(1))"),
            "one dropped": (", await sleep_async(2)", ","),
            "one added": (", await sleep_async(2)", ", await sleep_async(2), 3"),
            "argument changed": ("recv_async(3)", "recv_async(4)"),
            "inner edit dropped": ("await y(await recv_async(3))", "await y(recv_async(3))"),
            "statement not awaited": ("    await y(", "    y("),
            "statement dropped": ("    for task in tasks:\n        await task\n", ""),
            "statement added": ("    for task in tasks:\n", "    print()\n    for task in tasks:\n"),
            "value kept": ("    await y(", "    v = await y("),
            "statements swapped": (
                "    await y(await recv_async(3))  # three\n    for task in tasks:\n        await task\n",
                "    for task in tasks:  # three\n        await task\n    await y(await recv_async(3))\n",
            ),
            "comment dropped": ("  # three", ""),
            "other variable": ("for task in tasks:\n        await task\n", "for t in tasks:\n        await t\n"),
            "something else awaited": ("        await task\n", "        await tasks\n"),
            "other iterable": ("for task in tasks:", "for task in xs:"),
            "loop with else": ("        await task\n", "        await task\n    else:\n        pass\n"),
            "loop with more": ("        await task\n", "        await task\n        pass\n"),
            "loop synchronous": ("    async for i in stream(4)", "    for i in stream(4)"),
            "loop's variable changed": ("    async for i in stream(4)", "    async for j in stream(4)"),
            "loop's stream changed": ("stream(4)", "stream(5)"),
            "condition dropped": ("        if i:\n            await z(await recv_async(i))\n",
                                  "        await z(await recv_async(i))\n"),
            "condition changed": ("        if i:", "        if not i:"),
            "condition with else": (
                "            await z(await recv_async(i))\n",
                "            await z(await recv_async(i))\n        else:\n            pass\n",
            ),
            "list made a set": ("[await z(await recv_async(i)) async for i in stream(5)]",
                                "{await z(await recv_async(i)) async for i in stream(5)}"),
            "list made a generator": ("[await z(await recv_async(i)) async for i in stream(5)]",
                                      "(await z(await recv_async(i)) async for i in stream(5))"),
            "list with a condition": ("in stream(5)]", "in stream(5) if i]"),
            "list of a list": ("c = [await z(await recv_async(i)) async for i in stream(5)]",
                               "c = [[await z(await recv_async(i)) async for i in stream(5)]]"),
            "comprehension synchronous": ("async for i in stream(5)", "for i in stream(5)"),
            "gather kept": ("c = [await", "c = await gather(*[await"),
        }.values(),
    )  # fmt: skip
    def test_anything_else_is_refused(self, old: str, new: str) -> None:
        assert self.AFTER.count(old) == 1
        with pytest.raises(VerifyError):
            verify(self.SOURCE, self.TREE, self.AFTER.replace(old, new), self.edits())

    @pytest.mark.parametrize("number", range(16))
    def test_each_edit_must_be_declared(self, number: int) -> None:
        edits = self.edits()
        assert len(edits) == 16
        if isinstance(edits[number], Bracket):
            return  # the list is there for another reason too
        with pytest.raises(VerifyError):
            verify(self.SOURCE, self.TREE, self.AFTER, edits[:number] + edits[number + 1 :])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("c = await gather(x, k=y)", "c = [await x]"),
        ("c = await gather()", "c = []"),
        ("c = await x", "c = [await x]"),
        ("c = await gather(*tasks)", "c = [await t for t in tasks]"),
        ("c = await gather(*tasks)", "c = [await task for task in tasks if task]"),
        ("c = await gather(*tasks)", "c = [await tasks for task in tasks]"),
        ("c = await gather(*tasks)", "c = [await task for task in xs]"),
        ("c = await gather(*tasks)", "c = [*[await task for task in tasks]]"),
        ("c = await gather(*tasks, x)", "c = [[await task for task in tasks], await x]"),
        ("c = await gather(*tasks, x)", "c = [*(await task for task in tasks), await x]"),
        ("c = await gather(x, y)", "c = await x, await y"),
    ],
)
def test_another_value_is_refused(before: str, after: str) -> None:
    src = source.from_bytes(Path("f.py"), in_function(before).encode())
    tree = source.parse(src)
    awaited = next(node for node in ast.walk(tree) if isinstance(node, ast.Await))
    with pytest.raises(VerifyError):
        verify(src, tree, in_function(after), [InSequence(source.span(awaited, src), "task")])


def test_another_statement_is_refused() -> None:
    src = source.from_bytes(Path("f.py"), in_function("x\nc = await gather(x)").encode())
    tree = source.parse(src)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Expr, ast.Assign)):
            edit = InStatements(source.span(node, src), "task", "    ")
            with pytest.raises(VerifyError):
                verify(src, tree, in_function("await x\nc = await gather(x)"), [edit])
