"""The command that checks everything: doctor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from birthday_cli.cli import options, output, panels
from birthday_cli.cli.options import AsJson

if TYPE_CHECKING:
    from rich.console import RenderableType

    from birthday_cli.pipeline.doctor.checks import Finding

_STYLES = {"wrong": "bold red", "warning": "yellow", "ok": "green"}


def register(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command(rich_help_panel=panels.LOOKING)(doctor)


def doctor(as_json: AsJson = False) -> None:
    """Check everything; show what is wrong first, the evidence, and what mends it.

    It changes nothing. Ends with 0 when nothing is wrong, with 3 or 4 when the database or the
    broker is away, with 6 when only the schema is wrong, else with 1.

    Example: bdaysched doctor
    """
    from birthday_cli.pipeline.doctor.checks import Verdict, examine, exit_code

    settings = options.settings()
    found = examine(settings, options.clock(settings).now())
    code = exit_code(found)
    if as_json:
        checks = [
            {
                "check": name,
                "verdict": each.verdict,
                "evidence": each.evidence,
                "command": each.command or None,
            }
            for name, each in found.items()
        ]
        verdict = "wrong" if code else "well"
        output.print_json({"verdict": verdict, "exit_code": int(code), "checks": checks})
    elif output.is_terminal():
        output.print_drawn(_drawn(found))
    else:
        rows = [
            (verdict, name, each.evidence, each.command)
            for verdict in Verdict
            for name, each in found.items()
            if each.verdict is verdict
        ]
        output.print_table(("verdict", "check", "evidence", "command"), rows)
    raise typer.Exit(code)


def _summary(found: dict[str, Finding]) -> str:
    """Return how many checks came to which verdict, such as `2 wrong, 21 ok`."""
    from birthday_cli.pipeline.doctor.checks import Verdict

    counts = dict.fromkeys(Verdict, 0)
    for each in found.values():
        counts[each.verdict] += 1
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)


def _drawn(found: dict[str, Finding]) -> RenderableType:
    """Return the findings for a terminal; those that say the same share a line."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from birthday_cli.pipeline.doctor.checks import Verdict

    table = Table(box=None, show_header=False, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(max_width=14)
    table.add_column(overflow="fold")
    for verdict in Verdict:
        names: dict[Finding, list[str]] = {}
        for name, each in found.items():
            if each.verdict is verdict:
                names.setdefault(each, []).append(name)
        for each, of in names.items():
            told = Text(each.evidence)
            if each.command:
                told.append(f"\n→ {each.command}", style="bold")
            if len(of) > 1:
                told = Text(f"{', '.join(of)}: ") + told
            style = _STYLES.get(verdict, "")
            table.add_row(
                Text(verdict, style=style), of[0] if len(of) == 1 else f"{len(of)} checks", told
            )
    summary = _summary(found)
    return Group(Text(f"{len(found)} checks: {summary}", style="bold"), Text(), table)
