"""The checks of the schema: whether it is what the program relies on."""

from __future__ import annotations

from itertools import groupby

from birthday_cli.db import examining, migrations_check, partitions, planning
from birthday_cli.db import migrations_record as record
from birthday_cli.db.migrations_verify import failed_checks
from birthday_cli.db.partitions import MESSAGES
from birthday_cli.db.planning import Morning
from birthday_cli.domain import calendar, rules, zones
from birthday_cli.domain.schema import Kind
from birthday_cli.domain.schema_drift import Drift
from birthday_cli.errors import BdayschedError, ExitCode, NotUpToDate
from birthday_cli.pipeline.doctor.finding import (
    Finding,
    Patient,
    counted,
    not_known,
    ok,
    warning,
    wrong,
)
from birthday_cli.pipeline.schema.check import in_leaves, in_tables

_OLD = ExitCode.NOT_UP_TO_DATE


def migrations(patient: Patient) -> Finding:
    """Whether the database has had every migration, and each as it is now."""
    try:
        waiting = [each.file for each in migrations_check.pending(patient.connection)]
    except NotUpToDate as problem:
        what, _, remedy = str(problem).partition(": ")
        return wrong(what, remedy.replace("`", ""), _OLD)
    done = record.applied(patient.connection)
    if waiting:
        return wrong(f"{counted(waiting)} not applied", "bdaysched migrate", _OLD)
    return ok(f"all {len(done)} are applied, up to {done[max(done)].file}")


def verify(patient: Patient) -> Finding:
    """Whether what migrations verified when they were applied still holds."""
    checks = sum(len(each.script.checks) for each in migrations_check.had(patient.connection))
    if failures := failed_checks(patient.connection):
        return wrong(counted(failures), "mend what the file says there", _OLD)
    return ok(f"{checks} queries of applied migrations" if checks else "no migration has any")


def drift(patient: Patient) -> Finding:
    """Whether somebody changed the schema behind the migrations' back.

    What is invalid, and what partitions lack, are checks of their own.
    """
    try:
        found = in_tables(patient.connection, patient.settings, patient.conninfo)
    except BdayschedError as problem:
        what, _, remedy = str(problem).partition(": ")
        return not_known(what, remedy.replace("`", ""))
    found = [each for each in found if each.problem != "is INVALID"]
    if found:
        return wrong(_told(found), "bdaysched schema check", _OLD)
    return ok("none: it is what the migrations build")


def indexes(patient: Patient) -> Finding:
    """Whether PostgreSQL uses every index, in every partition."""
    partitions.require_table(patient.connection)
    found = [each for each in in_leaves(patient.connection) if _is(each, Kind.INDEX)]
    # A part that the table's index lacks makes that invalid, too: the part tells more.
    invalid = examining.invalid_indexes(patient.connection)
    if found:
        return wrong(_told(found), found[0].remedy.replace("`", ""), _OLD)
    if not invalid:
        return ok("all are valid, in every month")
    first = invalid[0]
    remedy = f"REINDEX INDEX CONCURRENTLY {first.name}"
    if first.is_left_over:
        remedy = f"DROP INDEX CONCURRENTLY {first.name}"
    if first.is_partitioned:
        remedy = "bdaysched migrate"
    return wrong(f"{counted([each.name for each in invalid])} INVALID", remedy, _OLD)


def guard(patient: Patient) -> Finding:
    """Whether whoever inserts a second message for one day is refused, in every month."""
    partitions.require_table(patient.connection)
    if missing := examining.missing_guards(patient.connection):
        first = missing[0]
        remedy = f"SELECT guard_message_table('{MESSAGES}')"
        if first.is_disabled:
            remedy = f"ALTER TABLE {MESSAGES} ENABLE TRIGGER {first.name}"
        names = counted([each.name for each in missing])
        return wrong(f"{names} on {MESSAGES} is off: messages may come twice", remedy, _OLD)
    found = [each for each in in_leaves(patient.connection) if _is(each, Kind.TRIGGER)]
    if found:
        return wrong(f"{_told(found)}: messages may come twice", _run(found[0]), _OLD)
    return ok(f"{len(partitions.existing(patient.connection, MESSAGES))} months have its triggers")


def time_zones(patient: Patient) -> Finding:
    """Whether the zones of this host's tzdata package are those that users may live in."""
    here, there = zones.names(), examining.time_zones(patient.connection)
    told = f"tzdata {zones.version()} here, {len(there)} zones in the database"
    if unknown := sorted(there - here):
        return wrong(
            f"{told}: {counted(unknown)} unknown here, another host's data is newer",
            "pip install --upgrade tzdata",
        )
    if lacking := sorted(here - there):
        return wrong(f"{told}: {counted(lacking)} not there", "bdaysched migrate", _OLD)
    return ok(f"{told}, the same")


def planned(patient: Patient) -> Finding:
    """Whether this host would plan what is planned: same time-zone data, rules and wording."""
    known = planning.planned_mornings(patient.connection)
    own = rules.of(patient.settings)
    count, differing = 0, []
    for message_type in own.message_types:
        coming = {
            morning: digest
            for morning, digest in known.get(message_type.name, {}).items()
            if morning.scheduled_send_time > patient.now
        }
        count += len(coming)
        if coming:
            instants = [morning.scheduled_send_time for morning in coming]
            dates = calendar.around(min(instants), max(instants))
            lines = sorted(calendar.lines(message_type, dates, own), key=_morning)
            digests = {
                morning: calendar.digest(message_type, of_morning)
                for morning, of_morning in groupby(lines, _morning)
            }
            differing += [each for each, digest in coming.items() if digests.get(each) != digest]
    if differing:
        first = min(each.scheduled_send_time for each in differing)
        return wrong(
            f"{len(differing)} of {count} mornings, from {first:%Y-%m-%d %H:%M}Z on, were planned"
            " with other time-zone data or settings than this host's",
            "bdaysched schedule  # again and again: hosts differ",
        )
    return ok(f"{count} mornings to come are as this host would plan them")


def _morning(line: calendar.Line) -> Morning:
    return Morning(line.delivery_date, line.scheduled_send_time)


def rights(patient: Patient) -> Finding:
    """Whether our role may do what it has to, and not much more."""
    found = examining.session(patient.connection)
    if doors := examining.open_doors(patient.connection):
        return wrong(doors[0][0], doors[0][1])
    if lacking := examining.lacking_rights(patient.connection):
        table, privileges = lacking[0]
        more = f", and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        return wrong(
            f"{found.role} may not {privileges} on {table}{more}",
            f"GRANT bdaysched_program TO {found.role}; then bdaysched migrate as the owner",
        )
    url = patient.settings.database_url
    # The private server has no other role.
    if found.is_superuser and url and not url.startswith("embedded:"):
        return warning(
            f"{found.role} is a superuser, and may do everything", "see docs/roles.md for roles"
        )
    return ok(f"{found.role} may do what it has to")


def _is(found: Drift, kind: Kind) -> bool:
    return found.object.startswith(f"{kind} ")


def _told(found: list[Drift]) -> str:
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return f"{found[0].object} {found[0].problem}{more}"


def _run(found: Drift) -> str:
    return found.remedy.removeprefix("run ").replace("`", "")


CHECKS = {
    "migrations": migrations,
    "verify": verify,
    "drift": drift,
    "indexes": indexes,
    "guard": guard,
    "time zones": time_zones,
    "planned": planned,
    "rights": rights,
}
"""The checks of this room, by their names, in order."""
