"""Nested coroutines that move to the module: how the result is printed."""

from __future__ import annotations

import ast
from pathlib import Path
from textwrap import dedent

import pytest

from dbos_asyncify import source
from dbos_asyncify.edits import AddArguments, Edit, Hoist
from dbos_asyncify.edits.rewrite import EditError, rewrite
from dbos_asyncify.source import Source
from dbos_asyncify.verify import VerifyError, verify

USER = (("user", "str"), ("rate", ""))


def hoists(src: Source, tree: ast.Module, parameters: tuple[tuple[str, str], ...] = ()) -> list[Edit]:
    """Edits that move every coroutine function called `seq...`, and pass its calls what it needs."""
    edits: list[Edit] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncFunctionDef) and node.name.startswith("seq"):
            edits.append(Hoist(source.span(node, src), "@DBOS.workflow()", None, node.name, parameters))
        elif isinstance(node, ast.Call) and ast.unparse(node.func).startswith("seq") and parameters:
            name = ast.unparse(node.func)
            edits.append(AddArguments(source.span(node, src), name, name, tuple(p for p, _ in parameters), False))
    return edits


def moved(text: str, parameters: tuple[tuple[str, str], ...] = ()) -> str:
    """`text` after its moves, proven."""
    src = source.from_bytes(Path("f.py"), text.encode())
    tree = source.parse(src)
    edits = hoists(src, tree, parameters)
    result = rewrite(src, tree, edits)
    verify(src, tree, result, edits)
    return result


# Each: a module, what it becomes.
RESULTS = {
    "functions": (
        '''
        import asyncio


        # The parent
        # of two.
        @DBOS.workflow()
        async def parent():
            """Doc."""

            # A goes first.
            @traced
            async def seq_a():
                """Doc

                of a."""
                await step1(
                    1,  # one
                )

                await step2("""
            kept
        """)
                # end of a

            async def seq_b():  # b
                await step3()

            # both
            await asyncio.gather(seq_a(), seq_b())
        ''',
        '''
        import asyncio


        # A goes first.
        @DBOS.workflow()
        @traced
        async def seq_a():
            """Doc

                of a."""
            await step1(
                1,  # one
            )

            await step2("""
            kept
        """)
            # end of a


        @DBOS.workflow()
        async def seq_b():  # b
            await step3()


        # The parent
        # of two.
        @DBOS.workflow()
        async def parent():
            """Doc."""

            # both
            await asyncio.gather(seq_a(), seq_b())
        ''',
    ),
    "first in its block, last line of the file before": (
        """
        x = 1
        async def parent(y):
            async def seq(): await y

            await seq()
        """,
        """
        x = 1


        @DBOS.workflow()
        async def seq(): await y


        async def parent(y):
            await seq()
        """,
    ),
    "only one in its block": (
        """
        x = 1

        class Shop:
            async def seq(): pass
        async def parent(y):
            if y:
                async def seq():
                    pass
            else:
                async def seq():
                    pass
            # below
        """,
        """
        x = 1


        @DBOS.workflow()
        async def seq(): pass


        class Shop:
            pass


        @DBOS.workflow()
        async def seq():
            pass


        @DBOS.workflow()
        async def seq():
            pass


        async def parent(y):
            if y:
                pass
            else:
                pass
            # below
        """,
    ),
    "comments that do not lead it": (
        """
        # --- workflows ---

        async def parent():
            x = 1
            # far

            # lead
            async def seq_a():
                await x
            # gather
            if x:
                pass
                # deep
            async def seq_b():
                await x
              # odd
                # end of b
            # last
            y = 1
                # indented
            async def seq_c():
                pass
            await seq_c()
        """,
        """
        # --- workflows ---

        # lead
        @DBOS.workflow()
        async def seq_a():
            await x


        @DBOS.workflow()
        async def seq_b():
            await x
              # odd
            # end of b


        @DBOS.workflow()
        async def seq_c():
            pass


        async def parent():
            x = 1
            # far

            # gather
            if x:
                pass
                # deep
            # last
            y = 1
                # indented

            await seq_c()
        """,
    ),
    "one in another": (
        """
        async def parent():
            async def seq_a():
                x = 1

                # inner
                async def seq_b():
                    pass

                await seq_b()

            await seq_a()
        """,
        """
        # inner
        @DBOS.workflow()
        async def seq_b():
            pass


        @DBOS.workflow()
        async def seq_a():
            x = 1

            await seq_b()


        async def parent():
            await seq_a()
        """,
    ),
    "out of other statements": (
        """
        try:
            import asyncio
        except ImportError:
            raise
        else:
            class Shop:
                for x in y:
                    with x:
                        async def parent():
                            match x:
                                case 1:
                                    async def seq():
                                        return 1
                                    await seq()
        """,
        """
        @DBOS.workflow()
        async def seq():
            return 1


        try:
            import asyncio
        except ImportError:
            raise
        else:
            class Shop:
                for x in y:
                    with x:
                        async def parent():
                            match x:
                                case 1:
                                    await seq()
        """,
    ),
    "comment of the statement before": (
        """
        def other():
            pass
            # of other
        async def parent():
            async def seq():
                pass
            await seq()
        """,
        """
        def other():
            pass
            # of other


        @DBOS.workflow()
        async def seq():
            pass


        async def parent():
            await seq()
        """,
    ),
    "top of the file": (
        """#!/usr/bin/env python
        # coding: utf-8
        # The parent.
        async def parent():
            async def seq():
                pass
            await seq()
        """,
        """#!/usr/bin/env python
        # coding: utf-8
        @DBOS.workflow()
        async def seq():
            pass


        # The parent.
        async def parent():
            await seq()
        """,
    ),
    "continued lines": (
        """
        async def parent():
            async def seq():
                x = 1 + \\
                    2
                return (x,
          3)
            await seq()
        """,
        """
        @DBOS.workflow()
        async def seq():
            x = 1 + \\
                    2
            return (x,
          3)


        async def parent():
            await seq()
        """,
    ),
}


def module(text: str) -> str:
    return dedent(" " * 8 + text if text.startswith("#!") else text).lstrip("\n")


@pytest.mark.parametrize(("before", "after"), RESULTS.values(), ids=RESULTS)
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("cut", [0, 1], ids=["", "no line end at the end"])
def test_the_result_is_printed_so(before: str, after: str, newline: str, cut: int) -> None:
    text, wanted = (module(each).replace("\n", newline) for each in (before, after))
    end = len(newline) * cut
    assert moved(text[: len(text) - end]) == wanted[: len(wanted) - end]


@pytest.mark.parametrize("unit", ["\t", "  ", "        "], ids=["tab", "two", "eight"])
def test_indentation_is_that_of_the_file(unit: str) -> None:
    body = "async def seq(x):\n{1}if x:\n{1}{0}await f(\n{1}{0}{0}x,\n{1}{0})\n"
    before = "async def parent():\n{0}" + body.replace("{1}", "{0}{0}") + "{0}await seq(1)\n"
    after = "@DBOS.workflow()\n" + body.replace("{1}", "{0}") + "\n\nasync def parent():\n{0}await seq(1)\n"
    assert moved(before.format(unit)) == after.format(unit)


SIGNATURES = {
    "()": "(user: str, rate)",
    "( )": "(user: str, rate)",
    "(x)": "(x, user: str, rate)",
    "(x: int,)": "(x: int, user: str, rate,)",
    "(x, /)": "(x, /, user: str, rate)",
    "(x, /, y) -> int": "(x, /, y, user: str, rate) -> int",
    "(*, k)": "(user: str, rate, *, k)",
    "(x, *, k=1, **rest)": "(x, user: str, rate, *, k=1, **rest)",
    "(**rest)": "(user: str, rate, **rest)",
    "(x=1)": "(x=1, *, user: str, rate)",
    "(x=1, /)": "(x=1, /, *, user: str, rate)",
    "(x, y=1, **rest)": "(x, y=1, *, user: str, rate, **rest)",
    "(*xs)": "(*xs, user: str, rate)",
    "(x=1, *xs, k, l=2, **rest)": "(x=1, *xs, k, l=2, user: str, rate, **rest)",
    "(\n        x,\n        y: int,  # last\n    )": "(\n    x,\n    y: int,  # last\n    user: str,\n    rate,\n)",
    "(\n        x  # only\n    )": "(\n    x,  # only\n    user: str,\n    rate\n)",
    "(\n        x, y\n    )": "(\n    x, y, user: str, rate\n)",
    "(x,\n              y)": "(x,\n          y,\n          user: str,\n          rate)",
    "(\n        x,\n        *,\n        k,  # named\n    )": (
        "(\n    x,\n    user: str,\n    rate,\n    *,\n    k,  # named\n)"
    ),
    "(\n        x=1,  # one\n    )": "(\n    x=1,  # one\n    *,\n    user: str,\n    rate,\n)",
    "(  # none\n    )": "(  # none\nuser: str, rate)",
}


@pytest.mark.parametrize(("before", "after"), SIGNATURES.items(), ids=SIGNATURES)
def test_parameters_come_behind_the_positional_ones(before: str, after: str) -> None:
    text = "async def parent():\n    async def seq{}:\n        pass\n    x = 1\n"
    wanted = "@DBOS.workflow()\nasync def seq{}:\n    pass\n\n\nasync def parent():\n    x = 1\n"
    assert moved(text.format(before), USER) == wanted.format(after)


def test_a_function_of_the_module_cannot_move() -> None:
    src = source.from_bytes(Path("f.py"), b"async def seq():\n    pass\n")
    tree = source.parse(src)
    with pytest.raises(EditError):
        rewrite(src, tree, hoists(src, tree))
    for text in ("@DBOS.workflow()\nasync def seq():\n    pass\n", "async def seq():\n    pass\n", ""):
        with pytest.raises(VerifyError):
            verify(src, tree, text, hoists(src, tree))
