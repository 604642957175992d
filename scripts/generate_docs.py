"""Writes what the documentation takes from the program: the table of rules in README.md, docs/rules.md and the
picture of a diff.

    python scripts/generate_docs.py [--check]

With --check nothing is written; it exits with 1 where something is out of date. The picture counts as up to date
if it shows the same text: how it is drawn depends on the version of rich.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from dbos_asyncify.config import Settings
from dbos_asyncify.pipeline import Options, analyse
from dbos_asyncify.report.text import explained_diff
from dbos_asyncify.rules import Rule, all_rules
from dbos_asyncify.workspace import open_workspace

ROOT = Path(__file__).resolve().parent.parent
README, RULES, PICTURE = "README.md", "docs/rules.md", "docs/diff.svg"
SHOWN = ("examples/shop/status.py", "examples/shop/warehouse.py")

BEGIN, END = "<!-- begin rules -->\n", "<!-- end rules -->\n"
COLUMNS = 118

# rich's own template loads a font from the network; whoever reads the picture has a fixed-width font.
SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<title>The diff that dbos-asyncify shows</title>
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace;
  font-size: {char_height}px;
  line-height: {line_height}px;
}}
.{unique_id}-title {{ font-family: sans-serif; font-size: 18px; font-weight: bold; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


class Page(NamedTuple):
    """A rule's documentation, taken apart."""

    summary: str
    sections: Mapping[str, str]

    @classmethod
    def of(cls, rule: type[Rule]) -> Page:
        summary, *rest = re.split(r"^## (.+)\n", rule.documentation(), flags=re.MULTILINE)
        sections = dict(zip(rest[::2], map(str.strip, rest[1::2]), strict=True))
        return cls(summary.strip(), sections)

    @property
    def finds(self) -> str:
        """The first sentence of what the rule does."""
        text = " ".join(self.sections["What it does"].split())
        return re.split(r"\.(?= [A-Z]|$)", text)[0].removeprefix("Finds ")

    @property
    def fix(self) -> str:
        """The shortest line that the example's fix changes, and how far such a fix may be trusted."""
        level = re.split(r"\W", self.sections["Fix safety"])[0].lower()
        if level == "manual":
            return level
        before, after = (_code(self.sections[name]) for name in ("Example", "Instead"))
        known = {line.strip() for line in before}
        line = min((line.strip() for line in after if line.strip() not in known), key=len)
        return f"`{line}` ({level})"


def _code(section: str) -> list[str]:
    return section.removeprefix("```python\n").removesuffix("\n```").splitlines()


def table() -> str:
    """The table of rules, for README.md."""
    rows = ["| Code | Name | Finds | Fix, for example | |", "|---|---|---|---|---|"]
    for code, rule in all_rules().items():
        page = Page.of(rule)
        cells = (
            f"[{code}](docs/rules.md#{_anchor(rule)})",
            f"[{rule.name}]({_source(rule)})",
            page.finds,
            page.fix,
            f"[cases](tests/fixtures/{rule.name})",
        )
        rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(rows) + "\n"


def readme(text: str) -> str:
    """README.md with the table of today.

    Raises ValueError if it has no place for it.
    """
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"README.md lacks {BEGIN.strip()} or {END.strip()}")
    return f"{head}{begin}{table()}{end}{tail}"


def rules() -> str:
    """docs/rules.md: the page of every rule."""
    rules = all_rules().values()
    origin = "Made from the docstrings of the [rules](../codemods/dbos_asyncify/rules) by `scripts/generate_docs.py`."
    parts = [
        f"# Rules\n\n{origin} `dbos-asyncify rule NAME` prints the same page.\n",
        "".join(f"- [{rule.code} {rule.name}](#{_anchor(rule)}): {Page.of(rule).summary}\n" for rule in rules),
    ]
    for rule in rules:
        page = Page.of(rule)
        parts.append(f"## {rule.code} {rule.name}\n")
        parts.append(f"{page.summary} ([source](../{_source(rule)}), [cases](../tests/fixtures/{rule.name}))\n")
        parts += [f"### {title}\n\n{text}\n" for title, text in page.sections.items()]
    return "\n".join(parts)


def picture() -> str:
    """The explained diff of a part of the example, as a terminal shows it."""
    workspace = open_workspace([ROOT / name for name in SHOWN], Settings())
    result = analyse(workspace.sources, workspace.files, workspace.root, Options(editable=workspace.given))
    console = Console(
        record=True,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        no_color=False,
        legacy_windows=False,
        width=COLUMNS,
    )
    console.print(Text.assemble(("$ ", "dim"), f"dbos-asyncify diff {' '.join(SHOWN)}"))
    explained_diff(console, result.changes, ROOT)
    return console.export_svg(title="dbos-asyncify", code_format=SVG, unique_id="diff")


def shown_text(svg: str) -> list[str]:
    """The lines of a picture, without how they are drawn; paths as they are everywhere but on Windows."""
    if not svg:
        return []
    lines: dict[str, str] = {}
    for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text"):
        row = element.get("y", "")
        lines[row] = lines.get(row, "") + (element.text or "")
    return [line.replace("\xa0", " ").replace("\\", "/").rstrip() for line in lines.values()]


def _anchor(rule: type[Rule]) -> str:
    return f"{rule.code}-{rule.name}".lower()


def _source(rule: type[Rule]) -> str:
    return f"codemods/{rule.__module__.replace('.', '/')}.py"


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def stale(root: Path) -> dict[str, str]:
    """What is out of date in the project at `root`, with what it should be."""
    text = _read(root / README)
    wanted = {README: readme(text), RULES: rules()}
    found = {name: new for name, new in wanted.items() if _read(root / name) != new}
    svg = picture()
    if shown_text(_read(root / PICTURE)) != shown_text(svg):
        found[PICTURE] = svg
    return found


def update(root: Path, *, check: bool) -> int:
    """Write what is out of date, or only name it; the exit code."""
    found = stale(root)
    for name, text in found.items():
        sys.stdout.write(f"{name} is out of date\n" if check else f"wrote {name}\n")
        if not check:
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_bytes(text.encode())
    return int(check and bool(found))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Write what the documentation takes from the program.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if something is out of date")
    return update(ROOT, check=parser.parse_args(arguments).check)


if __name__ == "__main__":
    sys.exit(main())
