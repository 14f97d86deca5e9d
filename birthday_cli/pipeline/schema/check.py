"""Find what somebody changed in a live database behind the migrations' back."""

from __future__ import annotations

from birthday_cli.config import Settings
from birthday_cli.db import catalog, migrations_check
from birthday_cli.db import migrations_record as record
from birthday_cli.db.catalog import LeafFault
from birthday_cli.db.connect import Connection, connect_to, database
from birthday_cli.domain.schema import Kind, Schema
from birthday_cli.domain.schema_drift import Drift, drifts
from birthday_cli.errors import NotUpToDate
from birthday_cli.pipeline.schema.build import from_migrations, without_grants


def check(settings: Settings) -> list[Drift]:
    """Return what differs from what the applied migrations build; partitions are as they are.

    Raises NotUpToDate for a database that has had no migration or an edited one, and what making a
    scratch database raises.
    """
    with database(settings) as conninfo, connect_to(conninfo, settings) as connection:
        return in_tables(connection, settings, conninfo) + in_leaves(connection)


def in_tables(connection: Connection, settings: Settings, conninfo: str) -> list[Drift]:
    """Return what `check` does, over a connection to conninfo, without what partitions lack."""
    pending = migrations_check.pending(connection)
    applied = record.applied(connection)
    if not applied:
        raise NotUpToDate(
            "the database has had no migration: run `bdaysched migrate`, or adopt it with"
            " `bdaysched schema baseline`"
        )
    # The rights in sql/roles.sql are those of the newest schema.
    expected = from_migrations(settings, conninfo, max(applied), with_roles=not pending)
    return _differing(connection, expected, with_grants=not pending)


def in_leaves(connection: Connection) -> list[Drift]:
    """Return what partitions lack of the indexes and triggers of their tables."""
    return [_leaf_drift(fault) for fault in catalog.faulty_leaves(connection)]


def compare(connection: Connection, expected: Schema, with_grants: bool) -> list[Drift]:
    """Return what in the database differs from expected, and what its partitions lack."""
    return _differing(connection, expected, with_grants) + in_leaves(connection)


def _differing(connection: Connection, expected: Schema, with_grants: bool) -> list[Drift]:
    live = catalog.read(connection)
    if not with_grants:
        live, expected = without_grants(live), without_grants(expected)
    return drifts(live, expected)


def _leaf_drift(found: LeafFault) -> Drift:
    what = f"{found.kind} {found.name} on {found.leaf}"
    if found.kind is Kind.INDEX:
        if found.fault == "missing":
            return Drift(what, "is missing", "run `bdaysched migrate`, which builds it")
        return Drift(what, "is INVALID", f"run REINDEX INDEX CONCURRENTLY {found.name}")
    if found.fault == "missing":
        return Drift(
            what, "is missing", "run `bdaysched create-partitions 12`, which puts it there"
        )
    if found.fault == "another one":
        return Drift(
            what,
            "is not that of its table",
            f"run DROP TRIGGER {found.name} ON {found.leaf}; then `bdaysched create-partitions 12`",
        )
    state = found.fault.removeprefix("not ")
    verb = {"disabled": "DISABLE", "enabled replica": "ENABLE REPLICA"}.get(state, "ENABLE")
    verb = "ENABLE ALWAYS" if state == "enabled always" else verb
    return Drift(
        what, f"is {found.fault}", f"run ALTER TABLE {found.leaf} {verb} TRIGGER {found.name}"
    )
