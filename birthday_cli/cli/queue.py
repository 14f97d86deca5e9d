"""Commands over the queue: status, pause, resume, dead, rebuild; and replay, beside this."""

import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from birthday_cli.cli import options, output, panels
from birthday_cli.cli.options import AsJson, DryRun, Yes
from birthday_cli.cli.prose import printable
from birthday_cli.cli.replaying import replay
from birthday_cli.errors import BdayschedError, UsageError

if TYPE_CHECKING:
    from birthday_cli.pipeline.queue import QueueStatus, Rebuilt

_LONGEST_PAUSE = timedelta(days=3_660)

queue = typer.Typer(
    help="The queue: how full it is; pause, resume, replay and rebuild it.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    queue.command("status")(show_status)
    queue.command()(pause)
    queue.command()(resume)
    queue.command()(dead)
    queue.command()(replay)
    queue.command()(rebuild)
    app.add_typer(queue, name="queue", rich_help_panel=panels.EVERY_DAY)


def show_status(as_json: AsJson = False) -> None:
    """Show how full the queue is, at the broker and in the database, and whether it is paused.

    Example: bdaysched queue status
    """
    from birthday_cli.pipeline import queue

    settings = options.settings()
    now = options.clock(settings).now()
    found, problem = queue.status(settings)
    if as_json:
        output.print_json(found)
    else:
        output.print_table(("what", "state"), _status_rows(found, now))
    if problem:
        raise problem


def _status_rows(found: "QueueStatus", now: datetime) -> list[tuple[str, str]]:
    rows, depth = found.rows, found.depth
    oldest = "none"
    if due := rows.oldest_queued:
        late = output.duration(int((now - due).total_seconds()))
        oldest = f"due {output.cell(due)}, {late} ago"
    paused = "no"
    if found.pause:
        by, since, until, reason = found.pause
        paused = f"by {by} since {output.cell(since)}, {_end(until)}"
        paused += f": {printable(reason)}" if reason else ""
    in_queue = f"{depth.ready:,} ready, {depth.dead:,} dead" if depth else f"{found.problem}"
    return [
        ("broker", found.broker),
        ("references", in_queue),
        ("QUEUED", f"{rows.waiting:,} waiting, {rows.waiting_in_hand:,} in hand"),
        ("SENDING", f"{rows.sending:,} in hand, {rows.sending_past_lease:,} past their lease"),
        ("RETRYING", f"{rows.retrying_due:,} due, {rows.retrying_later:,} later"),
        ("held for a person", f"{rows.held:,}"),
        ("oldest QUEUED", oldest),
        ("paused", paused),
        ("worker connections", f"{found.worker_connections:,}"),
    ]


def _end(until: datetime | None) -> str:
    return f"until {output.cell(until)}" if until else "until `bdaysched queue resume`"


def pause(
    time: Annotated[
        str, typer.Option("--for", metavar="TIME", help="It ends by itself then, such as 30m.")
    ] = "",
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Shown by queue status.")] = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let no worker take anything new; what they have in hand they finish.

    Messages are planned and queued meanwhile, and those that become too late are FAILED. Pausing
    again changes time and reason.

    Example: bdaysched queue pause --for 30m --reason "the receiver is being moved"
    """
    from birthday_cli.pipeline import queue

    length = timedelta(seconds=options.seconds("--for", time)) if time else None
    if length is not None and not timedelta() < length <= _LONGEST_PAUSE:
        raise UsageError(
            f"--for {time}: give more than 0s and at most {_LONGEST_PAUSE.days}d; without --for a"
            " pause lasts until `bdaysched queue resume`"
        )
    found = queue.pause(options.settings(), length, reason or None, dry_run)
    if as_json:
        output.print_json({"dry_run": dry_run, "pause": found})
        return
    output.tell(
        f"{'would pause' if dry_run else 'paused'} {_end(found.until)}; messages that become too"
        " late meanwhile are FAILED by `bdaysched schedule`"
    )


def resume(dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Let workers deliver again.

    Example: bdaysched queue resume
    """
    from birthday_cli.pipeline import queue

    ended = queue.resume(options.settings(), dry_run)
    if as_json:
        output.print_json({"dry_run": dry_run, "ended": ended})
    elif ended:
        verb = "would resume" if dry_run else "resumed"
        output.tell(f"{verb} what {ended.by} paused at {output.cell(ended.since)}")
    else:
        output.tell("nothing to do: it was not paused")


def dead(
    limit: Annotated[int, typer.Option(min=1, help="The most to show of each.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show what was put aside: dead letters of the broker, and messages held for a person.

    A dead letter is shown with the state that its message is in now. Held is, with AMBIGUOUS=hold,
    what was sent without an answer. See `queue replay`.

    Example: bdaysched queue dead
    """
    from birthday_cli.pipeline import replay

    found, problem = replay.waiting(options.settings(), limit)
    if as_json:
        output.print_json(found)
    else:
        if found.dead is not None:
            _print_stacked(
                ("due", "message_state", "body_bytes"),
                ("id", "reason"),
                [
                    (each.scheduled_send_time, each.state, each.body_bytes, each.id, each.reason)
                    for each in found.dead
                ],
            )
            _tell_of_more("dead letters", len(found.dead), found.dead_in_all or 0)
        if found.dead and found.held:
            print()
        _print_stacked(
            ("held_since", "type", "date"),
            ("id", "user_id", "error"),
            [
                (
                    *(each.since, each.message_type, each.delivery_date),
                    *(each.id, each.user_id, each.error),
                )
                for each in found.held
            ],
        )
        _tell_of_more("held messages", len(found.held), found.held_in_all)
    if problem:
        raise problem


def _print_stacked(
    columns: Sequence[str], long_columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Print a table whose last columns, being long, stand one below the other on a terminal."""
    if not rows:
        return
    if not sys.stdout.isatty():
        output.print_table((*columns, *long_columns), rows)
        return
    short = len(columns)
    output.print_table(
        (*columns, ", ".join(long_columns)),
        [
            (*row[:short], "\n".join(printable(str(value)) for value in row[short:] if value))
            for row in rows
        ],
    )


def _tell_of_more(name: str, shown: int, in_all: int) -> None:
    if not shown:
        output.tell(f"no {name}")
    elif shown < in_all:
        output.tell(f"the first {shown:,} of {in_all:,} {name}; --limit shows more")


def rebuild(
    wait: Annotated[
        str, typer.Option(metavar="TIME", help="Wait that long for another run to end.")
    ] = "0s",
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Empty the queue at the broker, and fill it again from the database, which has it all.

    For a broker that has lost references or is new. What workers have in hand stays theirs.

    Example: bdaysched queue rebuild --dry-run
    """
    from birthday_cli.pipeline import queue

    settings = options.settings()
    now = options.clock(settings).now()
    patience = options.seconds("--wait", wait)
    if dry_run or not yes:
        planned = queue.would_rebuild(settings)
        if dry_run:
            _show_rebuilt(planned, as_json, dry_run)
            return
        options.confirm(
            f"Remove {planned.purged:,} references from {settings.broker_queue}, and queue again"
            f" {planned.requeued:,} messages and whatever else is due?",
            yes,
        )
    _show_rebuilt(queue.rebuild(settings, now, patience), as_json, dry_run)


def _show_rebuilt(done: "Rebuilt", as_json: bool, dry_run: bool) -> None:
    if as_json:
        output.print_json({"dry_run": dry_run, **done.__dict__})
    elif dry_run:
        output.tell(
            f"would purge {done.purged:,} references; {done.requeued:,} messages would be due again"
        )
    elif done.dispatched:
        output.tell(
            f"purged {done.purged:,} references; {done.requeued:,} messages are due again;"
            f" queued {done.dispatched.queued:,}"
        )
    if done.dispatched and done.dispatched.unconfirmed:
        raise BdayschedError(
            f"the broker did not confirm {done.dispatched.unconfirmed:,} messages; they stay due"
            " for the next run of `bdaysched schedule`"
        )
