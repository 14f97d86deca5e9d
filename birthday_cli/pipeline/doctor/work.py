"""The checks of the months, and of the work: rows that do not move, workers that do not live."""

from __future__ import annotations

from typing import Any

from psycopg import sql

from birthday_cli import __version__
from birthday_cli.db import heartbeats, monitoring, partitions, pausing
from birthday_cli.db.partitions import GUARD, MESSAGES, State
from birthday_cli.db.queries import compose
from birthday_cli.errors import ExitCode
from birthday_cli.pipeline.doctor.finding import (
    Finding,
    Patient,
    counted,
    ok,
    warning,
    wrong,
)
from birthday_cli.pipeline.looking import status
from birthday_cli.pipeline.partitions.runway import runway as find_runway


def runway(patient: Patient) -> Finding:
    """Whether there is a partition for every month that planning can need soon."""
    partitions.require_table(patient.connection)
    found = find_runway(patient.connection, patient.settings, patient.now)
    if found.problem:
        what, _, command = found.problem.rpartition(": run ")
        return wrong(what, command.strip("`"), ExitCode.NOT_UP_TO_DATE)
    return ok(f"months until {found.reaches:%Y-%m-%d}, needed until {found.needed:%Y-%m-%d}")


def detaching(patient: Patient) -> Finding:
    """Whether the detachment of a month was interrupted."""
    for table in (MESSAGES, GUARD):
        for month in partitions.existing(patient.connection, table):
            if month.state is State.PENDING:
                return wrong(
                    f"{month.name} is half-detached from {table}",
                    f"ALTER TABLE {table} DETACH PARTITION {month.name} FINALIZE",
                )
    return ok("no month is half-detached")


def default_rows(patient: Patient) -> Finding:
    """Whether there is a default partition, in which rows are that have no month."""
    partitions.require_table(patient.connection)
    default = partitions.default_of_messages(patient.connection)
    if default is None:
        return ok("there is no default partition")
    row: Any = patient.connection.execute(
        compose("partitions/has_rows", table=sql.Identifier(default))
    ).fetchone()
    if row[0]:
        return wrong(f"{default} has rows of months without one", "bdaysched create-partitions 12")
    return warning(f"{default} is a default partition, and empty", "bdaysched create-partitions 12")


def stuck(patient: Patient) -> Finding:
    """Whether messages do not move, as `monitor stuck` sees it."""
    table = monitoring.table(patient.connection, "stuck", patient.settings, patient.now)
    found = [(what, count, remedy) for what, count, _, remedy in table.rows if count]
    if not found:
        return ok("every message moves")
    told = ", ".join(f"{count:,} {what}" for what, count, _ in found)
    remedy = found[0][2]
    held_only = len(found) == 1 and found[0][0].startswith("held")
    return (warning if held_only else wrong)(told, remedy)


def workers(patient: Patient) -> Finding:
    """Whether the workers live, and somebody does the work if there is any."""
    processes = heartbeats.known(patient.connection)
    if problem := status.silent_worker(processes):
        return wrong(problem.what, problem.command)
    live = [each for each in processes if each.kind == "worker" and not each.stale]
    if live:
        return ok(f"{len(live)} live, {sum(each.rate or 0 for each in live):,.1f} a second")
    oldest = monitoring.oldest_unsent(patient.connection, patient.now)
    if status.is_late(oldest, patient.now) and (problem := status.no_worker(processes)):
        return wrong(problem.what, problem.command)
    return warning("none runs; nothing is late yet", "bdaysched run-worker")


def schedule(patient: Patient) -> Finding:
    """Whether `schedule` runs, and ends well."""
    processes = heartbeats.known(patient.connection)
    if problem := status.no_schedule(processes):
        return wrong(problem.what, problem.command)
    last = min(
        (each for each in processes if each.kind == "scheduler" and not each.failed),
        key=lambda each: each.silent_for,
    )
    return ok(f"on {last.host}, {last.state}, {last.silent_for:.0f} s ago")


def versions(patient: Patient) -> Finding:
    """Whether all hosts run the version that this one runs."""
    others = [
        f"{each.host} runs {each.version}"
        for each in heartbeats.known(patient.connection)
        if not each.stale and each.version != __version__
    ]
    if others:
        return warning(
            f"{counted(others)}, this host {__version__}", "install the same version, restart"
        )
    return ok(f"{__version__} everywhere")


def pause(patient: Patient) -> Finding:
    """Whether an operator keeps all workers from delivering."""
    found = pausing.seen(patient.connection)
    if found is None:
        return ok("nobody paused the workers")
    until = f"until {found.until:%Y-%m-%d %H:%M}Z" if found.until else "without end"
    why = f" ({found.reason})" if found.reason else ""
    return warning(f"{found.by} paused all workers {until}{why}", "bdaysched queue resume")


CHECKS = {
    "runway": runway,
    "detaching": detaching,
    "default rows": default_rows,
    "stuck": stuck,
    "workers": workers,
    "schedule": schedule,
    "versions": versions,
    "pause": pause,
}
"""The checks of this room, by their names, in order."""
