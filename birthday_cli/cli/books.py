"""The commands that prove: audit, simulate."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from birthday_cli.cli import options, output, panels
from birthday_cli.cli.options import AsJson
from birthday_cli.errors import BdayschedError, UsageError

if TYPE_CHECKING:
    from birthday_cli.pipeline.looking.audit import Audit

_COLUMNS = ("date", "eligible", "sent", "failed", "pending", "problems", "p50", "p99", "worst")
_DAYS = 7
_LONGEST_TABLE = 40
_NAMED = 20


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(rich_help_panel=panels.EXPLAINING)(audit)
    app.command(rich_help_panel=panels.TRYING)(simulate)


def audit(
    on: Annotated[
        str, typer.Option("--date", metavar="YYYY-MM-DD", help="Only this local date.")
    ] = "",
    first: Annotated[
        str, typer.Option("--from", metavar="YYYY-MM-DD", help="From this local date on.")
    ] = "",
    last: Annotated[
        str, typer.Option("--to", metavar="YYYY-MM-DD", help="Up to this local date.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Prove that everyone got, or will get, exactly one message; without dates, for a week.

    Who should get one is reckoned anew from the users. The exit code is 1 when somebody has none,
    a second one, or one at the wrong time; they are named.

    Example: bdaysched audit --from 2027-02-01 --to 2027-02-28
    """
    from birthday_cli.pipeline.looking.audit import audit

    settings = options.settings()
    now = options.clock(settings).now()
    if on and (first or last):
        raise UsageError("give --date, or --from and --to")
    today = now.date()
    day = _date("--date", on)
    end = day or _date("--to", last) or today
    start = day or _date("--from", first) or min(today, end) - timedelta(days=_DAYS - 1)
    if start > end:
        raise UsageError(f"--from {start} is later than --to {end}")
    report = audit(settings, now, start, end)
    if as_json:
        output.print_json({"balanced": report.balanced, **_plain(report)})
    else:
        _show(report)
    _judge(report)


def simulate(
    first: Annotated[
        str, typer.Option("--from", metavar="YYYY-MM-DD", help="The first date; today.")
    ] = "",
    days: Annotated[int, typer.Option(min=1, max=3_660, help="How many dates.")] = 40,
    users: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many to invent.")] = 500,
    changes: Annotated[
        float, typer.Option(min=0, help="People added, moved, changed, deleted a day.")
    ] = 10,
    outages: Annotated[int, typer.Option(min=0, help="How often nothing runs, up to 3 days.")] = 1,
    random_seed: Annotated[int, typer.Option(help="The same days for the same number.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Rehearse days or years on a private database and a clock of its own, and audit them.

    Planner, dispatcher and worker are the real ones; the receiver is on loopback.

    Example: bdaysched simulate --from 2028-02-25 --days 40
    """
    from birthday_cli.pipeline.rehearsal.simulate import simulate

    settings = options.settings()
    start = _date("--from", first) or options.clock(settings).now().date()
    done = simulate(settings, start, days, users, changes, outages, random_seed, output.tell)
    if as_json:
        output.print_json(
            {
                "right": done.right,
                "users": done.users,
                "changes": done.changes,
                "outages": done.outages,
                "received": done.received,
                "duplicates": done.duplicates,
                "audit": {"balanced": done.audit.balanced, **_plain(done.audit)},
            }
        )
    else:
        _show(done.audit)
        output.tell(
            f"{done.users:,} users, {done.changes:,} changes, {done.outages} outages;"
            f" received {done.received:,}, duplicates {done.duplicates}"
        )
    _judge(done.audit)
    if not done.right:
        raise BdayschedError(
            f"{done.audit.total('sent'):,} are recorded as sent, but the receiver had"
            f" {done.received:,}, and {done.duplicates:,} of them again"
        )


def _date(name: str, text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as problem:
        raise UsageError(f"{name} {text!r} is not a date: write it like 2027-02-28") from problem


def _plain(report: "Audit") -> dict[str, object]:
    return {
        "first": report.first,
        "last": report.last,
        "lateness_seconds": report.lateness,
        "counts": report.counts,
        "problems": [problem.__dict__ for problem in report.problems],
        "months_gone": report.months_gone,
        "days": [day.__dict__ for day in report.days],
    }


def _show(report: "Audit") -> None:
    from birthday_cli.pipeline.looking.audit import PROBLEMS

    days = report.days
    if len(days) > _LONGEST_TABLE:
        days = [day for day in days if day.problems]
        output.tell(f"{len(report.days)} dates, of which {len(days)} have problems")
    columns = ("eligible", "sent", "failed", "pending", "problems")
    rows: list[tuple[object, ...]] = [
        (day.date, *(getattr(day, column) for column in columns), *_lateness(day.lateness))
        for day in days
    ]
    totals = (report.total(column) for column in columns)
    rows.append(("all", *totals, *_lateness(report.lateness)))
    output.print_table(_COLUMNS, rows)
    for problem in report.problems[:_NAMED]:
        said = PROBLEMS[problem.kind].format(
            expected=output.cell(problem.expected), found=output.cell(problem.found)
        )
        output.tell(
            f"{problem.kind}: {problem.email} ({problem.message_type} of {problem.date}) {said}"
        )
    if len(report.problems) > _NAMED:
        output.tell(f"… and {len(report.problems) - _NAMED} more: --json names them")
    if report.months_gone:
        output.tell(f"left out: {', '.join(report.months_gone)} have no partition (any more)")


def _lateness(lateness: Sequence[float] | None) -> tuple[str, ...]:
    return tuple(map(_brief, lateness)) if lateness else ("", "", "")


def _brief(seconds: float) -> str:
    # In one unit: three of them have to fit into a line.
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.1f} h"


def _judge(report: "Audit") -> None:
    eligible, sent, failed, pending = (
        report.total(column) for column in ("eligible", "sent", "failed", "pending")
    )
    if report.balanced:
        output.tell(
            f"the books balance: {eligible:,} eligible = {sent:,} sent + {failed:,} failed"
            f" + {pending:,} pending"
        )
        return
    wrong = ", ".join(f"{count:,} {kind}" for kind, count in sorted(report.counts.items()))
    raise BdayschedError(f"the books do not balance: {wrong}. See `bdaysched explain USER`")
