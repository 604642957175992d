"""`await asyncio.gather(x, y)` -> `[await x, await y]`: one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import libcst as cst

from dbos_asyncify.edits.base import Edit
from dbos_asyncify.edits.layout import alone, breaks, comments_in, dedented, is_line_break, with_comments

Statement = cst.SimpleStatementLine | cst.For | cst.If
_TIGHT = (
    cst.Name, cst.Attribute, cst.Subscript, cst.Call, cst.List, cst.Set, cst.Dict, cst.ListComp, cst.SetComp,
    cst.DictComp,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class InSequence(Edit):
    """Await the arguments of an awaited call one after the other; the span is that of the `await` expression.

    The result is a list of what they give, or a tuple without brackets where that is to be unpacked at once. Starred
    arguments become comprehensions, with `variable` for what has no name yet.
    """

    variable: str
    as_tuple: bool = False
    node_types: ClassVar[tuple[type[cst.CSTNode], ...]] = (cst.Await,)

    def apply(self, node: cst.CSTNode, parent: cst.CSTNode | None, original: cst.CSTNode) -> cst.CSTNode:
        assert isinstance(node, cst.Await)
        call = called(node)
        opening = with_comments(call.whitespace_before_args, before=_above(node, call))
        closing = with_comments(call.args[-1].whitespace_after_arg, after=comments_in(*call.rpar))
        lpar, rpar = list(node.lpar), list(node.rpar)
        if not any(
            map(is_line_break, (*(left.whitespace_after for left in lpar), *(r.whitespace_before for r in rpar)))
        ):
            lpar, rpar = [], []  # brackets do as well
        if len(call.args) == 1 and call.args[0].star:
            (argument,) = call.args
            loop = hugged(comprehension(argument.value, self.variable), opening, _comma_and(argument, closing))
            return loop.with_changes(lpar=lpar, rpar=rpar)
        elements = [self._element(argument) for argument in call.args]
        last = elements[-1].comma
        if not is_line_break(closing) and not (isinstance(last, cst.Comma) and is_line_break(last.whitespace_after)):
            elements[-1] = elements[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
            closing = cst.SimpleWhitespace("")
        if not self.as_tuple:
            brackets = cst.LeftSquareBracket(opening), cst.RightSquareBracket(closing)
            return cst.List(elements, lbracket=brackets[0], rbracket=brackets[1], lpar=lpar, rpar=rpar)
        if is_line_break(opening) or is_line_break(closing) or breaks(cst.Tuple(elements, lpar=[], rpar=[])):
            lpar, rpar = [*lpar, cst.LeftParen(opening)], [cst.RightParen(closing), *rpar]
        return cst.Tuple(elements, lpar=lpar, rpar=rpar)

    def _element(self, argument: cst.Arg) -> cst.Element | cst.StarredElement:
        if not argument.star:
            return cst.Element(awaited(argument.value), comma=argument.comma)
        return cst.StarredElement(
            comprehension(argument.value, self.variable),
            whitespace_before_value=argument.whitespace_after_star,
            comma=argument.comma,
        )


@dataclass(frozen=True, slots=True)
class InStatements(Edit):
    """The same for a statement of its own, whose value nobody uses; the span is that of the statement.

    Each argument gets a line, a starred one a loop. `indent` is one level of indentation.
    """

    variable: str
    indent: str
    node_types: ClassVar[tuple[type[cst.CSTNode], ...]] = (cst.SimpleStatementLine,)

    def apply(
        self, node: cst.CSTNode, parent: cst.CSTNode | None, original: cst.CSTNode
    ) -> cst.FlattenSentinel[cst.CSTNode]:
        assert isinstance(node, cst.SimpleStatementLine)
        (statement,) = node.body
        assert isinstance(statement, cst.Expr)
        assert isinstance(statement.value, cst.Await)
        call = called(statement.value)
        above = [*_above(statement.value, call), *comments_in(call.whitespace_before_args)]
        statements: list[cst.SimpleStatementLine | cst.BaseCompoundStatement] = []
        for argument in call.args:
            value = dedented(argument.value, call.whitespace_before_args)
            beside, below = _between(argument)
            if argument is call.args[-1]:
                below = [*beside[1:], *below, *comments_in(*call.rpar, *statement.value.rpar, node.trailing_whitespace)]
                beside, below = [*beside, *below][:1], below if beside else below[1:]
            made = self._statement(argument, value)
            lines = [cst.EmptyLine(comment=comment) for comment in [*above, *beside[1:]]]
            statements.append(_beside(made.with_changes(leading_lines=lines), beside[:1]))
            above = below
        first = statements[0]
        statements[0] = first.with_changes(leading_lines=[*node.leading_lines, *first.leading_lines])
        return cst.FlattenSentinel([*statements, *(cst.EmptyLine(comment=comment) for comment in above)])

    def _statement(self, argument: cst.Arg, value: cst.BaseExpression) -> cst.SimpleStatementLine | cst.For:
        if not argument.star:
            return _line(awaited(alone(value)))
        loop = comprehension(value, self.variable)
        loop = dedented(loop, loop.lbracket.whitespace_after)
        assert isinstance(loop.elt, cst.Await)
        body: cst.BaseStatement = _line(awaited(alone(loop.elt.expression)))
        for clause in reversed(_clauses(loop.for_in)):
            for condition in reversed(clause.ifs):
                body = cst.If(alone(condition.test), cst.IndentedBlock([body], indent=self.indent))
            block = cst.IndentedBlock([body], indent=self.indent)
            target = clause.target
            assert isinstance(target, cst.BaseAssignTargetExpression)
            body = cst.For(target, alone(clause.iter), block, asynchronous=clause.asynchronous)
        assert isinstance(body, cst.For)
        return body


def called(node: cst.Await) -> cst.Call:
    """The call that is awaited: of nothing but positional arguments."""
    assert isinstance(node.expression, cst.Call)
    assert node.expression.args
    return node.expression


def awaited(value: cst.BaseExpression) -> cst.Await:
    """`await value`, in parentheses where it needs them."""
    if isinstance(value, _TIGHT) or value.lpar:
        return cst.Await(value)
    return cst.Await(value.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()]))


def comprehension(value: cst.BaseExpression, variable: str) -> cst.ListComp:
    """The list of what the elements of `value` give, each of them awaited."""
    if isinstance(value, cst.GeneratorExp):
        left, right = value.lpar[-1], value.rpar[0]
        return cst.ListComp(
            awaited(value.elt),
            value.for_in,
            lbracket=cst.LeftSquareBracket(left.whitespace_after),
            rbracket=cst.RightSquareBracket(right.whitespace_before),
        )
    if isinstance(value, cst.ListComp):
        return value.with_changes(elt=awaited(value.elt), lpar=[], rpar=[])
    if isinstance(value, (cst.IfExp, cst.Lambda, cst.NamedExpr)) and not value.lpar:
        value = value.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    return cst.ListComp(awaited(cst.Name(variable)), cst.CompFor(cst.Name(variable), value))


def hugged(
    loop: cst.ListComp, opening: cst.BaseParenthesizableWhitespace, closing: cst.BaseParenthesizableWhitespace
) -> cst.ListComp:
    """`loop` as it stood between these two, in their place."""
    left, right = loop.lbracket.whitespace_after, loop.rbracket.whitespace_before
    if is_line_break(left) or is_line_break(right) or not (is_line_break(opening) or is_line_break(closing)):
        shifted = dedented(loop, opening)
        left = with_comments(shifted.lbracket.whitespace_after, before=comments_in(opening))
        right = with_comments(shifted.rbracket.whitespace_before, after=comments_in(closing))
        return shifted.with_changes(
            lbracket=cst.LeftSquareBracket(left),
            rbracket=cst.RightSquareBracket(right),
        )
    return loop.with_changes(lbracket=cst.LeftSquareBracket(opening), rbracket=cst.RightSquareBracket(closing))


def _above(node: cst.Await, call: cst.Call) -> list[cst.Comment]:
    """The comments between `await` and the call's opening parenthesis."""
    return comments_in(node.whitespace_after_await, *call.lpar, call.func, call.whitespace_after_func)


def _comma_and(argument: cst.Arg, closing: cst.BaseParenthesizableWhitespace) -> cst.BaseParenthesizableWhitespace:
    """What stands behind the last argument, without its comma."""
    comma = argument.comma
    if not isinstance(comma, cst.Comma):
        return closing
    if is_line_break(comma.whitespace_after) and not is_line_break(closing):
        return with_comments(
            comma.whitespace_after, before=comments_in(comma.whitespace_before), after=comments_in(closing)
        )
    return with_comments(closing, before=comments_in(comma))


def _between(argument: cst.Arg) -> tuple[list[cst.Comment], list[cst.Comment]]:
    """The comments behind an argument: those in its last line, and those in lines of their own."""
    comma = argument.comma if isinstance(argument.comma, cst.Comma) else cst.Comma()
    before = comments_in(comma.whitespace_before)
    beside, below = list(before), list[cst.Comment]()
    for space in (comma.whitespace_after, argument.whitespace_after_arg):
        if isinstance(space, cst.ParenthesizedWhitespace):
            beside.extend(comments_in(space.first_line))
            below.extend(comments_in(*space.empty_lines))
    return beside, below


def _clauses(loop: cst.CompFor) -> list[cst.CompFor]:
    found = [loop]
    while loop.inner_for_in is not None:
        loop = loop.inner_for_in
        found.append(loop)
    return found


def _line(value: cst.BaseExpression) -> cst.SimpleStatementLine:
    return cst.SimpleStatementLine([cst.Expr(value)])


def _beside(statement: Statement, comments: Sequence[cst.Comment]) -> Statement:
    """`statement` with a comment behind it, in a loop behind what it does."""
    if not comments:
        return statement
    if isinstance(statement, cst.SimpleStatementLine):
        return statement.with_changes(
            trailing_whitespace=cst.TrailingWhitespace(cst.SimpleWhitespace("  "), comments[0])
        )
    (inner,) = statement.body.body
    assert isinstance(inner, (cst.SimpleStatementLine, cst.For, cst.If))
    return statement.with_changes(body=statement.body.with_changes(body=[_beside(inner, comments)]))
