"""The commands that move messages: schedule, run-worker."""

import signal
import threading
from typing import TYPE_CHECKING, Annotated

import typer

from birthday_cli.cli import options, output, panels
from birthday_cli.cli.options import AsJson, DryRun
from birthday_cli.errors import BdayschedError, ExitCode

if TYPE_CHECKING:
    from birthday_cli.pipeline.schedule import Scheduled


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(rich_help_panel=panels.EVERY_DAY)(schedule)
    app.command("run-worker", rich_help_panel=panels.EVERY_DAY)(run_worker)


def schedule(
    plan: Annotated[bool, typer.Option("--plan", help="Only plan.")] = False,
    dispatch: Annotated[bool, typer.Option("--dispatch", help="Only queue what is due.")] = False,
    recover: Annotated[bool, typer.Option("--recover", help="Only bring back the stuck.")] = False,
    horizon: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="How far ahead to plan.", envvar="SCHEDULE_HORIZON"),
    ] = None,
    every: Annotated[
        str | None, typer.Option(metavar="TIME", help="Stay, and repeat at this interval.")
    ] = None,
    wait: Annotated[
        str, typer.Option(metavar="TIME", help="Wait that long for another run to end.")
    ] = "0s",
    full: Annotated[
        bool, typer.Option("--full", help="Plan as if every user had changed.")
    ] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Plan the coming messages, bring back stuck ones, and queue what is due; once, for cron.

    Example: bdaysched schedule --every 60s
    """
    from birthday_cli.pipeline.schedule import ALL_STEPS, Step
    from birthday_cli.pipeline.schedule import schedule as run

    settings = options.settings(
        schedule_horizon=options.seconds("--horizon", horizon) if horizon else None
    )
    clock = options.clock(settings)
    patience = options.seconds("--wait", wait)
    chosen = {Step.PLAN: plan, Step.DISPATCH: dispatch, Step.RECOVER: recover}
    steps = frozenset(step for step, wanted in chosen.items() if wanted) or ALL_STEPS
    if every is None:
        done = run(settings, clock.now(), steps, patience, full, dry_run)
        _show(done, dry_run, as_json)
        if done.dispatched and done.dispatched.unconfirmed:
            raise BdayschedError(
                f"the broker did not confirm {done.dispatched.unconfirmed} messages; they stay due"
                " for the next run. See `bdaysched status`"
            )
        return
    interval = options.seconds("--every", every)
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    while not stop.is_set():
        try:
            _show(run(settings, clock.now(), steps, patience, full, dry_run), dry_run, as_json)
        except BdayschedError as problem:
            # The next round may find things mended; who was told to stay does not give up.
            output.fail(str(problem))
        stop.wait(interval)


def _show(done: "Scheduled", dry_run: bool, as_json: bool) -> None:
    if as_json:
        output.print_json(done)
        return
    parts = [f"made {', '.join(done.made)}"] if done.made else []
    if done.planned is not None:
        counts = ", ".join(f"{count} {name}" for name, count in done.planned.new.items())
        parts.append(f"{'would plan' if dry_run else 'planned'} {counts}")
        if changed := done.planned.corrected + done.planned.withdrawn:
            parts.append(f"{'would correct' if dry_run else 'corrected'} {changed}")
        if done.planned.missed:
            parts.append(f"MISSED {done.planned.missed}, now FAILED: see `bdaysched audit`")
        if months := done.planned.lost_months:
            parts.append(f"whom nobody planned in {', '.join(months)} is not known any more")
    if done.recovered:
        parts.append(
            f"recovered {done.recovered.taken_back + done.recovered.requeued},"
            f" failed {done.recovered.expired + done.recovered.withdrawn}"
        )
    if done.dispatched:
        parts.append(f"queued {done.dispatched.queued}")
    output.tell("; ".join(parts))


def run_worker(
    until_empty: Annotated[
        bool, typer.Option("--until-empty", help="Stop when nothing is left in the queue.")
    ] = False,
    concurrency: Annotated[
        int | None,
        typer.Option(min=1, help="Requests under way at once.", envvar="WORKER_CONCURRENCY"),
    ] = None,
    prefetch: Annotated[
        int | None,
        typer.Option(min=1, help="References held unacknowledged.", envvar="WORKER_PREFETCH"),
    ] = None,
    drain_timeout: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="What is under way at SIGTERM may take this long.",
            envvar="WORKER_DRAIN_TIMEOUT",
        ),
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65_535, help="/healthz, /readyz and /metrics.", envvar="METRICS_PORT"
        ),
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Deliver what is queued until told to stop; SIGTERM finishes what is under way.

    With --until-empty the exit code is 5 when a message could not be delivered.

    Example: bdaysched run-worker --until-empty
    """
    from birthday_cli.pipeline.work import look, work
    from birthday_cli.telemetry import logs

    settings = options.settings(
        worker_concurrency=concurrency,
        worker_prefetch=prefetch,
        worker_drain_timeout=(
            options.seconds("--drain-timeout", drain_timeout) if drain_timeout else None
        ),
        metrics_port=metrics_port,
    )
    logs.configure(settings.log_level)
    if dry_run:
        waiting = look(settings)
        if as_json:
            output.print_json({"would_deliver": waiting})
        else:
            output.tell(f"would deliver {waiting} messages that wait in the queue")
        return
    done = work(settings, options.clock(settings), until_empty)
    if as_json:
        output.print_json(done)
    if until_empty and (done.retrying or done.failed or done.held):
        raise typer.Exit(ExitCode.DELIVERIES_FAILED)
