"""DBA901: an ignore comment that silences nothing, or does not say what."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from dbos_asyncify.edits import EditComment
from dbos_asyncify.findings import Finding, Fix
from dbos_asyncify.pragmas import OUR_CODE, Comment, Named, Pragma
from dbos_asyncify.project.program import CallSite, Program
from dbos_asyncify.rules.base import Draft, Rule, all_rules
from dbos_asyncify.suppress import Ignore, Suppressions

Enabled = Callable[[str, Path], bool]


class UnusedIgnore(Rule):
    """An ignore comment silences nothing, or does not say what it silences.

    ## What it does
    Finds `# asyncify: ignore[…]`, `# asyncify: file-ignore[…]` and the DBA codes of `# noqa: …` where no finding is
    silenced, those that name rules which do not exist, and those that name none. A bare `# asyncify: ignore` is not
    honoured: the message says which rules it should name. What stands under it is reported, but not changed.

    ## Why
    A comment that is left over hides the next finding in its place. One without names hides whatever comes.

    ## Example
    ```python
    async def wake(order: str) -> None:
        await DBOS.send_async(order, "wake")  # asyncify: ignore[DBA101] since 2023
    ```

    ## Instead
    ```python
    async def wake(order: str) -> None:
        await DBOS.send_async(order, "wake")  # since 2023
    ```

    ## Fix safety
    Safe: only the comment changes. What it says besides stays, and so do the codes of other tools. No fix for a name
    that is no rule's: what was meant is for a person to say. Rules that are off in a run are not called unused, and
    nothing is while a file of the program cannot be read.
    """

    code = "DBA901"

    @classmethod
    def check(cls, program: Program, call: CallSite) -> Draft | None:
        return None  # it is about comments: see `findings`

    @classmethod
    def findings(cls, suppressions: Suppressions, enabled: Enabled, *, complete: bool) -> Iterator[Finding]:
        """What is wrong with the comments, once they were asked about all findings.

        `complete` tells whether the whole program was read: else nothing counts as unused.
        """
        for path, ignores in suppressions.ignores.items():
            off = {code for code in all_rules() if not (complete and enabled(code, path))}
            groups = [(comment, list(group)) for comment, group in groupby(ignores, key=lambda each: each.comment)]
            # Comments may silence this rule too: whether they do is known when the rest of each comment is.
            silent = {
                comment.span
                for comment, group in groups
                if Verdict.of(comment, group, {*off, cls.code}, complete=complete).any
                and suppressions.covers(path, comment.span, cls.code)
            }
            for comment, group in groups:
                if comment.span not in silent:
                    yield from cls._reported(path, Verdict.of(comment, group, off, complete=complete))

    @classmethod
    def _reported(cls, path: Path, verdict: Verdict) -> Iterator[Finding]:
        comment = verdict.comment
        if verdict.changes:
            message = ", ".join(verdict.said)
            edit = EditComment(comment.span, comment.text, comment.edited(verdict.changes))
            fix = Fix(message, {path: (edit,)})
            yield Finding(cls.code, cls.name, path, comment.span, message, fix=fix)
        for message, reason in verdict.by_hand:
            yield Finding(cls.code, cls.name, path, comment.span, message, reason=reason)


@dataclass(slots=True)
class Verdict:
    """What is wrong with one comment: what is said of it with the changes that mend it, and what a person must mend."""

    comment: Comment
    said: list[str] = field(default_factory=list)
    changes: dict[Pragma, str] = field(default_factory=dict)
    by_hand: list[tuple[str, str]] = field(default_factory=list)

    @property
    def any(self) -> bool:
        return bool(self.said or self.by_hand)

    @classmethod
    def of(cls, comment: Comment, ignores: Sequence[Ignore], off: Set[str], *, complete: bool) -> Verdict:
        """`off` are the rules that do not count as unused."""
        verdict = cls(comment)
        for ignore in ignores:
            if ignore.pragma.named:
                verdict.listed(ignore, off)
            elif ignore.pragma.broken:
                verdict.by_hand.append(("this ignore comment cannot be read", f"write it as {_FORM}"))
            elif ignore.due or complete:
                verdict.bare(ignore.pragma, ignore.due)
        return verdict

    def bare(self, pragma: Pragma, due: Set[str]) -> None:
        if due:
            codes = ", ".join(f"`{code}`" for code in sorted(due))
            self.said.append(f"an ignore comment must name its rules: here {codes}")
            self.changes[pragma] = pragma.naming(self.comment.text, due)
        else:
            self.said.append("an ignore comment must name its rules, and there is nothing to silence")
            self.changes[pragma] = ""

    def listed(self, ignore: Ignore, off: Set[str]) -> None:
        pragma = ignore.pragma
        seen: set[str] = set()
        dropped: dict[Named, str] = {}
        for named in pragma.named:
            if named.foreign:
                continue
            if not named.code and not OUR_CODE.fullmatch(named.text):
                self.by_hand.append((f"`{named.text}` is no rule", _advice(named.text)))
            elif not named.code:
                dropped[named] = "is no rule"
            elif named.code in seen:
                dropped[named] = "is named twice"
            elif named not in ignore.used and named.code not in off:
                dropped[named] = "silences nothing"
            seen.add(named.code)
        if dropped:
            self.said.extend(f"`{named.text}` {reason}" for named, reason in dropped.items())
            self.changes[pragma] = pragma.without(self.comment.text, dropped.keys())


_FORM = "`# asyncify: ignore[DBA101]`"


def _advice(name: str) -> str:
    names = {spelling.lower(): spelling for rule in all_rules().values() for spelling in (rule.code, rule.name)}
    close = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.85)
    return f"did you mean `{names[close[0]]}`?" if close else "write codes or names of rules in full"
