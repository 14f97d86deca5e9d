"""The command `queue replay`: what waits for a person is brought back, or closed."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import typer

from birthday_cli.cli import options, output
from birthday_cli.cli.options import AsJson, DryRun, Yes
from birthday_cli.cli.prose import printable
from birthday_cli.errors import BdayschedError, UsageError

_NAMED = 5


def replay(
    ids: Annotated[
        list[UUID] | None,
        typer.Argument(metavar="ID", help="Messages; without any, all.", show_default=False),
    ] = None,
    held: Annotated[
        bool, typer.Option("--held", help="Held messages: try again, with the same key.")
    ] = False,
    as_sent: Annotated[
        bool, typer.Option("--as-sent", help="With --held: they were delivered, record it.")
    ] = False,
    failed: Annotated[
        bool, typer.Option("--failed", help="FAILED messages that are not too late: try again.")
    ] = False,
    discard: Annotated[
        bool, typer.Option("--discard", help="Remove dead letters that no message waits for.")
    ] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Bring back what was put aside: dead letters, or held or failed messages.

    A dead letter is queued again if its message is still to be sent; the others stay, unless
    --discard is given. --failed is for the morning on which the receiver was wrong: its messages
    get all attempts anew.

    Example: bdaysched queue replay --failed --dry-run
    """
    if held and failed:
        raise UsageError("give --held or --failed, not both")
    if as_sent and not held:
        raise UsageError("--as-sent goes with --held: only a held message may have been delivered")
    if discard and (held or failed):
        raise UsageError("--discard is for dead letters: give it without --held and --failed")
    if ids and not (held or failed):
        raise UsageError("dead letters have no ID: with one, give --held or --failed")
    if held or failed:
        _replay_rows(ids or [], as_sent, failed, yes, dry_run, as_json)
    else:
        _replay_dead(discard, yes, dry_run, as_json)


def _replay_rows(
    ids: list[UUID], as_sent: bool, failed: bool, yes: bool, dry_run: bool, as_json: bool
) -> None:
    from birthday_cli.pipeline import replay

    settings = options.settings()
    if failed:
        now = options.clock(settings).now()
        done = replay.retry_failed(settings, now, ids, dry_run)
    elif as_sent:
        if not (ids or dry_run or yes):
            count = len(replay.record_as_sent(settings, [], dry_run=True))
            options.confirm(f"Record all {count:,} held messages as SENT, for good?", yes)
        done = replay.record_as_sent(settings, ids, dry_run)
    else:
        done = replay.release_held(settings, ids, dry_run)
    left = sorted(set(ids) - set(done))
    if as_json:
        output.print_json({"dry_run": dry_run, "replayed": done, "left": left})
    else:
        kind = "failed" if failed else "held"
        became = "recorded as SENT" if as_sent else "due again"
        verb = "that would be " if dry_run else ""
        output.tell(f"{kind} messages {verb}{became}: {len(done):,}{_named(done)}")
        if done and not (as_sent or dry_run):
            output.tell("next: `bdaysched schedule` queues them")
    if left:
        why = "not FAILED, too late, or of a deleted user" if failed else "not held, or no more"
        raise BdayschedError(f"left as they are, being {why}: {len(left):,}{_named(left)}")


def _named(ids: Sequence[UUID]) -> str:
    if not ids:
        return ""
    return f" ({', '.join(map(str, ids[:_NAMED]))}{', …' if len(ids) > _NAMED else ''})"


def _replay_dead(discard: bool, yes: bool, dry_run: bool, as_json: bool) -> None:
    from birthday_cli.pipeline import replay

    settings = options.settings()
    if discard and not (dry_run or yes):
        planned = replay.replay(settings, discard, dry_run=True)
        question = f"Remove for good {_count(planned.discarded)}, and queue {planned.queued:,}?"
        options.confirm(question, yes)
    done = replay.replay(settings, discard, dry_run)
    if as_json:
        output.print_json({"dry_run": dry_run, **done.__dict__})
    else:
        verb = "that would be " if dry_run else ""
        output.tell(f"dead letters {verb}queued again: {done.queued:,}")
        for name, counts in (("left", done.kept), ("removed", done.discarded)):
            if counts:
                output.tell(f"dead letters {verb}{name}: {_count(counts)}")
        if dry_run:
            for letter in done.sample:
                name = printable(letter.id) or "no id"
                output.tell(f"  {name}, {letter.state}: {printable(letter.reason)}")
    if done.unconfirmed:
        raise BdayschedError(
            f"the broker did not confirm {done.unconfirmed:,} dead letters in the queue; they are"
            " where they were. Run `bdaysched queue replay` again"
        )


def _count(by_state: dict[str, int]) -> str:
    named = ", ".join(f"{count:,} {state}" for state, count in sorted(by_state.items()))
    return f"{sum(by_state.values()):,} ({named})" if named else "none"
