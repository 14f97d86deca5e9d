"""Try new migrations on a scratch database with partitions and data in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import cycle

from birthday_cli.config import Settings
from birthday_cli.db import catalog, messages, pausing, roles, users
from birthday_cli.db.connect import Connection, connect_to
from birthday_cli.db.messages import PastMessage
from birthday_cli.db.migrations import Migration
from birthday_cli.db.migrations_apply import add_time_zones, apply
from birthday_cli.db.partition_indexes import build_missing
from birthday_cli.db.scratch import replay, scratch
from birthday_cli.domain import rules as ruling
from birthday_cli.domain import zones
from birthday_cli.domain.months import Month
from birthday_cli.domain.profile import Profile
from birthday_cli.domain.sample import people
from birthday_cli.domain.states import Status
from birthday_cli.errors import BdayschedError
from birthday_cli.pipeline.partitions import months
from birthday_cli.pipeline.plan import plan
from birthday_cli.pipeline.schema.build import from_file
from birthday_cli.pipeline.schema.check import compare

_USERS = 60


def prove(
    settings: Settings,
    conninfo: str,
    now: datetime,
    files: Sequence[Migration],
) -> None:
    """Apply files to what the migrations build, with partitions and sample data.

    Raises BdayschedError, saying what is wrong, unless the schema is then that of sql/schema.sql,
    every index is valid, in each partition too, and every table that is kept has its rows.
    """
    expected = from_file(settings, conninfo, with_roles=True)
    with scratch(settings, conninfo) as made, connect_to(made, settings) as connection:
        replay(connection)
        _fill(connection, settings, now)
        before = catalog.count_rows(connection)
        for migration in files:
            apply(connection, migration)
            build_missing(connection)
        roles.grant(connection)
        faults = [str(drift) for drift in compare(connection, expected, with_grants=True)]
        after = catalog.count_rows(connection)
    faults += [
        f"{name} had {count} rows and has {after[table][1]}"
        for table, (name, count) in before.items()
        if table in after and after[table][1] != count
    ]
    if faults:
        problem = BdayschedError(
            f"what was generated does not lead to sql/schema.sql, in {len(faults)} places, so"
            " nothing was written: write this one by hand, with `bdaysched generate --empty`"
        )
        problem.detail = "\n".join(faults)
        raise problem


def _fill(connection: Connection, settings: Settings, now: datetime) -> None:
    """Put rows into every table, and messages of every status into three months."""
    rules = ruling.of(settings)
    add_time_zones(connection, sorted(zones.names()))
    months.create_locked(connection, now, 1, months_back=1)
    sample = people(_USERS, 1, Profile.MIXED)
    users.add_with_ids(connection, sample)
    mornings = [Month.of(now).plus(months).start + timedelta(days=1) for months in (-1, 0, 1)]
    kinds = [message_type.name for message_type in rules.message_types]
    messages.insert_history(
        connection,
        [
            PastMessage(user, kind, "x", morning.date(), morning, morning + timedelta(1), status)
            for morning in mornings
            for (user, _), kind, status in zip(sample, cycle(kinds), cycle(Status), strict=False)
        ],
    )
    plan(connection, now, timedelta(days=1), rules)
    # Whom planning has to look at again, and a pause.
    users.add_with_ids(connection, people(_USERS, 2, Profile.EDGES))
    pausing.pause(connection, "generate", None)
