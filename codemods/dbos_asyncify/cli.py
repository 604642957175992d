"""The command: parses options, calls the pipeline, prints, and sets the exit code."""

from __future__ import annotations

import difflib
import io
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

import click
from rich.console import Console
from rich.markdown import Markdown
from rich.text import Text

from dbos_asyncify import __version__, config
from dbos_asyncify.apply import ApplyError, ready, write_all
from dbos_asyncify.config import ConfigError, Settings
from dbos_asyncify.discover import project_root
from dbos_asyncify.findings import Change, Finding, Impact, Problem, Result
from dbos_asyncify.pipeline import Options, analyse
from dbos_asyncify.report import text
from dbos_asyncify.report.impact import impact
from dbos_asyncify.report.json import document
from dbos_asyncify.report.patch import patch
from dbos_asyncify.rules import all_rules
from dbos_asyncify.target import find_target, target_python
from dbos_asyncify.workspace import Workspace, open_workspace

CLEAN, LEFT, FAILED, INTERRUPTED = 0, 1, 2, 130
STDIN = "-"
Command = TypeVar("Command", bound=Callable[..., Any])


class _Group(click.Group):
    """Exit codes that a caller can rely on, also where things go wrong."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort):
            click.echo("interrupted: every file is whole, some may not be done", err=True)
            ctx.exit(INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit, BrokenPipeError):
            raise
        except OSError as error:  # those of single files are dealt with where they arise
            click.echo(f"error: {error}", err=True)
            ctx.exit(FAILED)
        except Exception:  # noqa: BLE001 - Python would exit with 1, which means findings
            traceback.print_exc()
            click.echo("error: this is a fault of dbos-asyncify itself, please report it", err=True)
            ctx.exit(FAILED)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="dbos-asyncify")
def main() -> None:
    """Migrate async DBOS code: synchronous DBOS calls in coroutines become their asynchronous forms."""
    sys.setrecursionlimit(max(sys.getrecursionlimit(), 5000))  # long chains of calls are deep trees


def shared_options(command: Command) -> Command:
    """The arguments and options that `check`, `diff` and `fix` have in common."""
    decorators = [
        click.argument("paths", nargs=-1, type=click.Path(path_type=Path)),
        click.option(
            "--select", multiple=True, metavar="RULE", help="Only these rules: codes, their beginnings, names, ALL."
        ),
        click.option("--extend-select", multiple=True, metavar="RULE", help="These rules as well."),
        click.option("--ignore", multiple=True, metavar="RULE", help="Not these rules."),
        click.option(
            "--unsafe-fixes/--no-unsafe-fixes",
            default=None,
            help="Also make the fixes that may change what the code does.",
        ),
        click.option("--dbos-version", metavar="VERSION", help="The lowest dbos version that the code must run on."),
        click.option("--scope", type=click.Choice(["all", "workflows"]), help="All coroutines, or workflow code only."),
        click.option(
            "--helpers",
            type=click.Choice(["promote", "thread"]),
            help="Make coroutine functions of blocking helpers where that is proven, or call all in threads.",
        ),
        click.option(
            "--exclude", multiple=True, metavar="PATTERN", help="Leave these out (instead of the default list)."
        ),
        click.option("--extend-exclude", multiple=True, metavar="PATTERN", help="Leave these out as well."),
        click.option("--respect-gitignore/--no-respect-gitignore", default=None, help="Leave out what git ignores."),
        click.option(
            "--force-exclude/--no-force-exclude", default=None, help="Leave out excluded files even if they are named."
        ),
        click.option(
            "--config",
            "config_file",
            type=click.Path(path_type=Path, exists=True, dir_okay=False),
            help="A pyproject.toml to read.",
        ),
        click.option("--isolated", is_flag=True, help="Read no configuration file."),
        click.option(
            "--stdin-filename",
            type=click.Path(path_type=Path),
            help="The name of what is read from standard input (-).",
        ),
        click.option(
            "--color", type=click.Choice(["auto", "always", "never"]), default="auto", help="Colours on the terminal."
        ),
        click.option("--exit-zero", is_flag=True, help="Exit with 0 even if something is left to do."),
        click.option(
            "-o", "--output-file", type=click.Path(path_type=Path, dir_okay=False), help="Write the output to a file."
        ),
        click.option("-q", "--quiet", is_flag=True, help="No summary."),
    ]
    for decorator in reversed(decorators):
        command = decorator(command)
    return command


class Stdin(NamedTuple):
    """What came from standard input, and the name that it goes by."""

    path: Path
    data: bytes


@dataclass(slots=True)
class Run:
    """One run of a command: what was asked for, and what came out."""

    options: Options
    workspace: Workspace
    result: Result
    out: Console
    err: Console
    for_people: bool
    quiet: bool
    exit_zero: bool
    stdin: Stdin | None
    problems: tuple[Problem, ...]

    def explain(self, console: Console, left: Sequence[Finding]) -> None:
        """The findings that are left, and what the changes mean for workflows that are running."""
        text.full(console, left, Path.cwd())
        if not self.quiet:
            impact(console, self.result.impact, Path.cwd())

    def finish(self, left: bool, more: Sequence[Problem] = (), fixed: bool = False) -> None:
        """Say what went wrong and sum up on standard error; exit."""
        found = (*self.problems, *more)
        text.problems(self.err, found, Path.cwd())
        if not self.quiet:
            text.summary(self.err, self.result, fixed=fixed)
        self.out.file.flush()
        sys.exit(FAILED if found else LEFT if left and not self.exit_zero else CLEAN)


@main.command()
@shared_options
@click.option(
    "--output-format", type=click.Choice(["text", "concise", "patch", "json"]), default="text", show_default=True
)
def check(output_format: str, **given: Any) -> None:
    """List what is wrong in PATHS (default: the current folder), and why."""
    run = start(given, as_json=output_format == "json")
    if output_format == "patch":
        _write_patch(run)
    elif output_format == "json":
        _write_json(run, run.problems)
    elif output_format == "concise":
        text.concise(run.out, run.result.findings, Path.cwd())
    else:
        text.full(run.out, run.result.findings, Path.cwd())
    run.finish(left=bool(run.result.findings))


@main.command()
@shared_options
@click.option("--output-format", type=click.Choice(["auto", "text", "patch", "json"]), default="auto",
              show_default=True,
              help="auto: explained and coloured on a terminal, else a patch for git apply.")  # fmt: skip
def diff(output_format: str, **given: Any) -> None:
    """Show what would change in PATHS, and what needs a person. Nothing is written."""
    run = start(given, as_json=output_format == "json")
    if output_format == "json":
        _write_json(run, run.problems)
    else:
        explained = output_format == "text" or (output_format == "auto" and run.for_people)
        if explained:
            text.explained_diff(run.out, run.result.changes, Path.cwd())
        else:
            _write_patch(run)
        by_hand = [finding for finding in run.result.findings if finding.fix is None]
        run.explain(run.out if explained else run.err, by_hand)
    run.finish(left=bool(run.result.findings))


@main.command()
@shared_options
@click.option("--exit-non-zero-on-fix", is_flag=True, help="Exit with 1 if anything was fixed.")
@click.option("--output-format", type=click.Choice(["text", "json"]), default="text", show_default=True,
              help="json: what was found and done, on standard output.")  # fmt: skip
def fix(exit_non_zero_on_fix: bool, output_format: str, **given: Any) -> None:
    """Apply the fixes to PATHS. With `-`, read a file from standard input and print it fixed."""
    run = start(given, as_json=output_format == "json")
    if run.stdin is not None and output_format == "json":
        raise click.UsageError("with - the fixed file goes to standard output: JSON has no place there")
    failed = _write(run)
    if run.stdin is not None:
        _write_bytes(run, _fixed(run.stdin, run.result.changes))
    left = [finding for finding in run.result.findings if finding.fix is None or finding.fix not in run.result.applied]
    if output_format == "json":
        _write_json(run, (*run.problems, *failed))
    else:
        run.explain(run.err, left)
    run.finish(left=bool(left) or (exit_non_zero_on_fix and bool(run.result.changes)), more=failed, fixed=True)


@main.command()
@click.argument("name", required=False)
def rule(name: str | None) -> None:
    """Print the documentation of one rule (by code or name), or the list of all rules."""
    console = Console(highlight=False)
    rules = all_rules()
    if name is None:
        for each in rules.values():
            first = each.documentation().splitlines()[0]
            console.print(Text.assemble((each.code, "bold"), f" {each.name}: {first}"), soft_wrap=True)
        return
    chosen = [each for each in rules.values() if name in (each.code, each.name)]
    if not chosen:
        names = {spelling.lower(): spelling for each in rules.values() for spelling in (each.code, each.name)}
        close = difflib.get_close_matches(name.lower(), names, n=1)
        advice = f"did you mean {names[close[0]]!r}?" if close else "`dbos-asyncify rule` lists them"
        raise click.UsageError(f"no rule {name!r}: {advice}")
    console.print(Markdown(f"# {chosen[0].name} ({chosen[0].code})\n\n{chosen[0].documentation()}"))


def start(given: dict[str, Any], *, as_json: bool) -> Run:
    """Read settings and files, analyse. Exits with 2 where the settings make no sense."""
    color = given["color"]
    err = _console(color, stderr=True)
    known = {code: each.name for code, each in all_rules().items()}
    try:
        paths, stdin = _inputs(given)
        settings = _settings(given, known, paths)
        workspace = open_workspace(paths, settings, dict([stdin]) if stdin else None)
        target = find_target(workspace.root, given["dbos_version"], settings.dbos_version)
        options = Options(
            enabled=_enabled(settings, known, workspace.root),
            unsafe_fixes=settings.unsafe_fixes,
            dbos_version=target.version,
            target_python=target_python(workspace.root),
            workflows_only=settings.scope == "workflows",
            promote_helpers=settings.helpers == "promote",
            editable=workspace.given,
            entry_points=workspace.entry_points,
            stubbed=workspace.stubbed,
            declare=settings.declare,
            replacements=as_json,
        )
        out = _output(color, given["output_file"])
    except ConfigError as error:
        err.print(Text.assemble(("error", "bold red"), f": {error}"), soft_wrap=True)
        sys.exit(FAILED)
    result = analyse(workspace.sources, workspace.files, workspace.root, options)
    # Colours may be wanted in a pipe too (FORCE_COLOR), a patch that nobody can apply is not.
    for_people = color == "always" or out.file.isatty()
    problems = (*target.problems, *workspace.problems, *result.problems)
    return Run(options, workspace, result, out, err, for_people, given["quiet"], given["exit_zero"], stdin, problems)


def _output(color: str, output_file: Path | None) -> Console:
    """Standard output, or the file that takes its place; raises ConfigError where that cannot be written."""
    if output_file is None:
        if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
            sys.stdout.reconfigure(errors="backslashreplace")  # names and messages need not be in its encoding
        return _console(color)
    try:
        file = output_file.open("w", encoding="utf-8", errors="backslashreplace", newline="")
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror or error}", output_file) from error
    click.get_current_context().call_on_close(file.close)
    return _console("never" if color == "auto" else color, file=file)


def _console(color: str, *, stderr: bool = False, file: IO[str] | None = None) -> Console:
    terminal = {"always": True, "never": False}.get(color)
    plain = color == "never" or None
    return Console(stderr=stderr, file=file, force_terminal=terminal, no_color=plain, highlight=False, emoji=False)


def _settings(given: dict[str, Any], known: dict[str, str], paths: Sequence[Path]) -> Settings:
    settings = Settings() if given["isolated"] else config.load(project_root(paths), known, given["config_file"])
    names = ("select", "extend_select", "ignore", "unsafe_fixes", "scope", "helpers", "dbos_version", "exclude",
             "extend_exclude", "respect_gitignore", "force_exclude")  # fmt: skip
    lists = {name: given[name] for name in names}
    split = {
        name: tuple(part for item in value for part in item.split(",")) if isinstance(value, tuple) else value
        for name, value in lists.items()
    }
    return config.override(settings, {name: value for name, value in split.items() if value not in (None, ())}, known)


def _inputs(given: dict[str, Any]) -> tuple[list[Path], Stdin | None]:
    """The paths, and what came from standard input."""
    paths = list(given["paths"]) or [Path()]
    if Path(STDIN) not in paths:
        return paths, None
    if len(paths) > 1:
        raise ConfigError("- (standard input) goes alone")
    name = Path(os.path.abspath(given["stdin_filename"] or "stdin.py"))  # noqa: PTH100 - takes `..` out
    return [name], Stdin(name, sys.stdin.buffer.read())


def _enabled(settings: Settings, known: dict[str, str], root: Path) -> Callable[[str, Path], bool]:
    codes = settings.rules(known)
    return lambda code, path: code in codes and code not in settings.ignored_in(path, root, known)


def _fixed(stdin: Stdin, changes: Sequence[Change]) -> bytes:
    """Standard input after the fix; as it came where nothing changed."""
    return next((change.after for change in changes if change.path == stdin.path), stdin.data)


def _write(run: Run) -> list[Problem]:
    """Write the changes. What cannot be written is taken out first, with every fix that needs it."""
    failed: list[Problem] = []
    unwritable: set[Path] = set()
    for change in _on_disk(run):
        try:
            ready(change.path, change.before)
        except ApplyError as error:
            failed.append(Problem(error.path, error.message))
            unwritable.add(error.path)
    if unwritable:
        options = replace(run.options, locked=frozenset(unwritable))
        run.result = analyse(run.workspace.sources, run.workspace.files, run.workspace.root, options)
    try:
        write_all(_on_disk(run))
    except ApplyError as error:
        failed.append(Problem(error.path, f"{error.message}: nothing was changed"))
        run.result = replace(run.result, changes=(), applied=frozenset(), impact=Impact(run.result.impact.version))
    return failed


def _on_disk(run: Run) -> list[Change]:
    """The changes, without that of standard input."""
    return [change for change in run.result.changes if run.stdin is None or change.path != run.stdin.path]


def _write_patch(run: Run) -> None:
    """The patch, for use in the current folder; in the project's root if it has files outside."""
    base = Path.cwd()
    if not all(change.path.is_relative_to(base) for change in run.result.changes):
        base = run.workspace.root
        run.err.print(Text(f"The paths of the patch start at {base}: apply it there."), soft_wrap=True)
    _write_bytes(run, patch(run.result.changes, base))


def _write_json(run: Run, problems: Iterable[Problem]) -> None:
    _write_bytes(run, document(run.result, problems).encode())


def _write_bytes(run: Run, data: bytes) -> None:
    """Bytes as they are: a patch or a file need not be in the terminal's encoding."""
    run.out.file.flush()
    stream = getattr(run.out.file, "buffer", None)
    if stream is None:
        run.out.file.write(data.decode(errors="surrogateescape"))
    else:
        stream.write(data)
        stream.flush()
