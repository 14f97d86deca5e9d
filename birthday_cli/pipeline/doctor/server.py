"""The checks of the database server, of the way to it, and of what may be done there."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from psycopg import errors

from birthday_cli.db import examining, monitoring, pooler
from birthday_cli.db.queries import query
from birthday_cli.errors import ExitCode, UsageError
from birthday_cli.pipeline.doctor.finding import (
    Finding,
    Patient,
    counted,
    not_known,
    ok,
    warning,
    wrong,
)

_OLDEST_SERVER = 15
# More than that, and nobody keeps the clocks: a message would be sent so much before its time.
_CLOCKS_APART = 1.0
# Of a disk: whoever looks once a day must have time to act.
_LEAST_FREE = 0.05
_LEAST_FREE_BYTES = 1_000_000_000
_LONG_TRANSACTION = 900.0


def connection(patient: Patient) -> Finding:
    """Where we are, and how long an answer takes."""
    info = patient.connection.info
    begun = time.monotonic()
    found = examining.session(patient.connection)
    took = (time.monotonic() - begun) * 1_000
    where = f"{info.host}:{info.port}" if not info.host.startswith("/") else info.host
    tls = "with TLS" if patient.connection.pgconn.ssl_in_use else "without TLS"
    return ok(f"{found.database} at {where} as {found.role}, {tls}; an answer takes {took:.0f} ms")


def session(patient: Patient) -> Finding:
    """Whether a pooler gives our session to others between transactions."""
    try:
        pooler.require_session(patient.connection)
    except UsageError as problem:
        what, _, remedy = str(problem).rpartition(": ")
        return wrong(what, remedy, ExitCode.USAGE)
    return ok("is ours alone")


def version(patient: Patient) -> Finding:
    """Whether the server is one that the program is made for."""
    info = patient.connection.info
    told = info.parameter_status("server_version")
    if info.server_version < _OLDEST_SERVER * 10_000:
        return wrong(f"PostgreSQL {told} is too old", f"upgrade to {_OLDEST_SERVER} or newer")
    return ok(f"PostgreSQL {told}")


def writable(patient: Patient) -> Finding:
    """Whether anything can be written there."""
    found = examining.session(patient.connection)
    if found.is_standby:
        return wrong("this is a standby, which is only read", "name the primary in DATABASE_URL")
    if found.is_read_only:
        return wrong(
            "transactions are read-only",
            f"ALTER DATABASE {found.database} RESET default_transaction_read_only; or the role's,"
            " or the server's, or in DATABASE_URL",
        )
    return ok("yes")


def clock(patient: Patient, read: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Finding:
    """How far this host's clock is from the server's; `read` reads ours."""
    before = read()
    row: Any = patient.connection.execute("SELECT clock_timestamp()").fetchone()
    after = read()
    margin = (after - before) / 2
    apart = (row[0] - before - margin).total_seconds()
    told = f"this host is {abs(apart):.3f} s {'behind' if apart > 0 else 'ahead of'} the server"
    if abs(apart) - margin.total_seconds() > _CLOCKS_APART:
        return wrong(told, "timedatectl set-ntp true  # on both hosts")
    return ok(f"{told}, ± {margin.total_seconds():.3f} s")


def durability(patient: Patient) -> Finding:
    """Whether what was committed survives a crash."""
    if lost := examining.unlogged_tables(patient.connection):
        return wrong(
            f"{counted(lost)} is UNLOGGED: a crash empties it", f"ALTER TABLE {lost[0]} SET LOGGED"
        )
    found = examining.losing_settings(patient.connection)
    if not found:
        return ok("fsync, full_page_writes and synchronous_commit are on")
    first = found[0]
    where = examining.session(patient.connection)
    remedies = {
        "client": f"take {first.name} out of DATABASE_URL and PGOPTIONS",
        "database": f"ALTER DATABASE {where.database} RESET {first.name}",
        "user": f"ALTER ROLE {where.role} RESET {first.name}",
        "command line": f"start the server without {first.name}",
    }
    server = f"ALTER SYSTEM SET {first.name} = on; SELECT pg_reload_conf()"
    names = " and ".join(each.name for each in found)
    return wrong(
        f"{names} off (by the {first.source}): a crash loses what was committed",
        remedies.get(first.source, server),
    )


def connections(patient: Patient) -> Finding:
    """Whether max_connections is enough for us; by the advice of `monitor connections`."""
    if unseen := _unseen(patient):
        return unseen
    table = monitoring.table(patient.connection, "connections", patient.settings, patient.now)
    advice = str(table.rows[-1][-1])
    if advice.startswith("enough"):
        return ok(advice)
    what, _, remedy = advice.partition(": ")
    return (wrong if "in use" in what else warning)(what, remedy)


def transactions(patient: Patient) -> Finding:
    """Whether one is forgotten: it keeps months from being detached, and dead rows from going."""
    if unseen := _unseen(patient):
        return unseen
    row: Any = patient.connection.execute(query("schema/find_oldest_transaction")).fetchone()
    if not row:
        return ok("none is open")
    pid, application, began_at = row
    age = (datetime.now(UTC) - began_at).total_seconds()
    if age < _LONG_TRANSACTION:
        return ok(f"the oldest is {max(age, 0):.0f} s old")
    return warning(
        f"process {pid} ({application or 'unnamed'}) has one open since {began_at:%Y-%m-%d %H:%M}Z",
        f"SELECT pg_terminate_backend({pid})",
    )


def _unseen(patient: Patient) -> Finding | None:
    found = examining.session(patient.connection)
    if found.sees_others:
        return None
    return not_known(
        "the sessions of other roles are shown to pg_monitor", f"GRANT pg_monitor TO {found.role}"
    )


def disk(patient: Patient) -> Finding:
    """How much the database takes, and what is left, where that can be seen from here."""
    taken = f"database {_size(examining.database_bytes(patient.connection))}"
    try:
        taken += f", WAL {_size(examining.wal_bytes(patient.connection))}"
        folder = Path(examining.data_directory(patient.connection))
    except errors.InsufficientPrivilege:
        who = examining.session(patient.connection).role
        return not_known(f"{taken}; more is told to pg_monitor", f"GRANT pg_monitor TO {who}")
    if not examining.is_on_this_host(patient.connection):
        return not_known(f"{taken}; the server's disk is on another host", f"df {folder}")
    told, is_enough = _space(folder)
    if not is_enough:
        return wrong(f"{told}; {taken}", "bdaysched drop-partitions 24  # or a larger disk")
    return ok(f"{told}; {taken}")


def archive(patient: Patient) -> Finding:
    """Whether the last month that was archived is still there, and the next one has room."""
    latest = examining.last_archive(patient.connection)
    if not latest:
        return ok("no month was archived")
    manifest = Path(latest)
    if not manifest.is_absolute():
        return not_known(f"{latest} is not asked for", "bdaysched restore-partition --help")
    if not manifest.parent.is_dir():
        return not_known(f"{manifest.parent} is not on this host", f"ls {latest}")
    if not manifest.exists():
        return wrong(f"{latest} is gone, and its month was dropped", "restore it from a backup")
    told, is_enough = _space(manifest.parent)
    if not is_enough:
        return wrong(told, "drop-partitions --archive with another folder")
    return ok(told)


def _space(place: Path) -> tuple[str, bool]:
    """Return in words how much is free where place is, and whether that is enough."""
    free, whole = free_and_whole(place)
    told = f"{_size(free)} of {_size(whole)} free at {place}"
    return told, free >= max(_LEAST_FREE * whole, _LEAST_FREE_BYTES)


def free_and_whole(place: Path) -> tuple[int, int]:
    """Return how many bytes are free on the disk of place, and how many it has."""
    found = shutil.disk_usage(place)
    return found.free, found.total


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


CHECKS = {
    "connection": connection,
    "session": session,
    "version": version,
    "writable": writable,
    "clock": clock,
    "durability": durability,
    "connections": connections,
    "transactions": transactions,
    "disk": disk,
    "archive": archive,
}
"""The checks of this room, by their names, in order."""
