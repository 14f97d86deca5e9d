"""Sample users, with messages of the past months and the coming ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from birthday_cli.config import Settings
from birthday_cli.db import messages, partitions, users
from birthday_cli.db.connect import connect
from birthday_cli.db.locks import Lock, advisory_lock
from birthday_cli.db.messages import PastMessage
from birthday_cli.domain import month_day, send_time, zones
from birthday_cli.domain import rules as ruling
from birthday_cli.domain.profile import Profile
from birthday_cli.domain.rules import Rules
from birthday_cli.domain.sample import people
from birthday_cli.domain.states import Status
from birthday_cli.domain.user import User
from birthday_cli.pipeline.partitions import months
from birthday_cli.pipeline.plan import plan

MONTHS = 3
_LOCK_WAIT = 60.0


@dataclass(frozen=True)
class Seeded:
    """How many rows were new."""

    users: int
    past_messages: int
    coming_messages: int


def seed(
    settings: Settings,
    now: datetime,
    count: int,
    random_seed: int,
    profile: Profile,
    celebrating: Mapping[str, str] | None = None,
    dry_run: bool = False,
) -> Seeded:
    """Add `count` invented users, what they were sent in the last three months, and plan the next.

    `celebrating` gives half of them a zone with its month-day (see domain.sample). Idempotent: the
    same arguments name the same users, and what is there stays as it is. `dry_run` rolls back.
    Raises NotUpToDate before the first `migrate`.
    """
    rules = ruling.of(settings)
    label = f".{now:%Y%m%d}" if celebrating else ""
    sample = people(count, random_seed, profile, celebrating, label)
    with (
        connect(settings, "bdaysched seed") as connection,
        advisory_lock(connection, Lock.SCHEMA, wait=_LOCK_WAIT),
    ):
        partitions.require_table(connection)
        with connection.transaction(force_rollback=dry_run):
            months.create_locked(connection, now, MONTHS, months_back=MONTHS)
            added = users.add_with_ids(connection, sample)
            past = messages.insert_history(connection, list(_history(sample, now, rules)))
            horizon = timedelta(days=30 * MONTHS)
            coming = sum(plan(connection, now, horizon, rules).new.values())
    return Seeded(added, past, coming)


def _history(
    sample: Sequence[tuple[UUID, User]], now: datetime, rules: Rules
) -> Iterator[PastMessage]:
    since = (now - timedelta(days=30 * MONTHS)).date()
    for user_id, user in sample:
        zone = zones.load(user.timezone)
        for message_type in rules.message_types:
            celebrated = getattr(user, message_type.date_column, None)
            if not celebrated:
                continue
            day = month_day.next_on_or_after(celebrated, since, rules.leap_rule)
            send_at = send_time.instant(day, message_type.send_at, zone)
            expires_at = send_time.end_of_local_day(send_at, zone)
            if expires_at > now:
                continue
            # One in sixteen did not arrive; which one hangs on the id, so that it stays the same.
            status = Status.FAILED if user_id.int % 16 == 0 else Status.SENT
            content = message_type.template.compose(user._asdict())
            yield PastMessage(user_id, message_type.name, content, day, send_at, expires_at, status)
