"""What is over: months are detached, kept apart for a while, archived if asked, and dropped."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from birthday_cli.archives import store
from birthday_cli.config import Settings
from birthday_cli.db import partition_events, partitions
from birthday_cli.db.connect import Connection, connect
from birthday_cli.db.locks import Lock, advisory_lock
from birthday_cli.db.partition_events import Kind
from birthday_cli.db.partitions import MESSAGES, WAIT, Partition, State
from birthday_cli.domain.states import FINAL
from birthday_cli.errors import BdayschedError
from birthday_cli.pipeline.partitions.archive import archive as write_archive
from birthday_cli.pipeline.partitions.months import first_in_use

GRACE = timedelta(days=7)
MAXIMUM = 3

_LOCK_WAIT = 60.0


@dataclass(frozen=True)
class Expired:
    """A month that is older than what is kept: what it holds, and when it may be dropped.

    `rows` are its messages by status, `unfinished` those of them that are neither SENT nor FAILED,
    `bytes` its size with its indexes. `drops_from` is None until it is detached, `archive` where
    the manifest of its archive is, if this run has made sure of one.
    """

    partition: str
    state: State
    rows: dict[str, int]
    unfinished: int
    bytes: int
    drops_from: datetime | None
    archive: str | None = None

    @property
    def is_due(self) -> bool:
        """Whether its grace period is over."""
        return self.drops_from is not None and self.drops_from <= datetime.now(UTC)


@dataclass
class Retained:
    """What was done: months that were dropped, and those that are detached, and still there.

    `left` months are over, too, and were not touched, so as not to take too many at once.
    """

    dropped: list[Expired] = field(default_factory=list)
    detached: list[Expired] = field(default_factory=list)
    left: int = 0


def expired(
    settings: Settings, now: datetime, months: int, grace: timedelta = GRACE, maximum: int = MAXIMUM
) -> tuple[list[Expired], int]:
    """Return what `drop` would take in hand, and how many months more are over.

    A month is over when it ended more than `months` months before the current one began.
    """
    with connect(settings, "bdaysched drop-partitions") as connection:
        partitions.require_table(connection)
        over = _over(connection, now, months)
        return [_look(connection, each, grace) for each in over[:maximum]], len(over[maximum:])


def drop(
    settings: Settings,
    now: datetime,
    months: int,
    grace: timedelta = GRACE,
    maximum: int = MAXIMUM,
    archive: str | None = None,
    force: bool = False,
    wait: float = WAIT,
) -> Retained:
    """Take in hand the oldest `maximum` months that are over, one after the other.

    Each is detached, which takes it out of message_logs and keeps its table. Once it has been
    detached for as long as `grace`, by the real clock, this run or a later one archives it, if
    `archive` says where to, and drops it. Until then it can still change: `users erase` reaches it.
    Any step may be interrupted: the next run goes on there.

    The guard keeps their dates, so that nothing that was sent then can be planned again. Raises
    BdayschedError, before anything is done, when a month holds rows that are not final and neither
    `force` is set nor was when it was detached, or an archive cannot be written, before that month
    is dropped; UsageError when what reads such a place is not installed; Locked when a lock does
    not come within `wait` seconds, or another run is under way.
    """
    if archive:
        # Now, and not a week after the months were detached.
        store.at(archive)
    with connect(settings, "bdaysched drop-partitions") as connection:
        partitions.require_table(connection)
        with advisory_lock(connection, Lock.SCHEMA, wait=max(wait, _LOCK_WAIT)):
            over = _over(connection, now, months)
            doomed = over[:maximum]
            for partition in doomed:
                _refuse(connection, partition, grace, force)
            done = Retained(left=len(over[maximum:]))
            for partition in doomed:
                _put_apart(connection, partition, force, wait)
                month = _look(connection, partition._replace(state=State.DETACHED), grace)
                if month.is_due or not grace:
                    if archive:
                        by = connection.info.user
                        there = write_archive(connection, month.partition, archive, by)
                        month = replace(month, archive=there.manifest)
                    _drop(connection, month, wait)
                    done.dropped.append(month)
                else:
                    done.detached.append(month)
            if any(partition.state is not State.DETACHED for partition in doomed):
                partitions.analyze(connection, MESSAGES)
            return done


def _over(connection: Connection, now: datetime, months: int) -> list[Partition]:
    oldest_kept = first_in_use(now).plus(-months)
    there = (*partitions.existing(connection, MESSAGES), *partitions.detached(connection))
    return sorted(
        (partition for partition in there if partition.month < oldest_kept),
        key=lambda partition: partition.month,
    )


def _look(connection: Connection, partition: Partition, grace: timedelta) -> Expired:
    rows = partitions.count_by_status(connection, partition.name)
    since = None
    if partition.state is State.DETACHED:
        since = partition_events.detachment(connection, partition.name)
    return Expired(
        partition.name,
        partition.state,
        rows,
        _unfinished(rows),
        partitions.total_bytes(connection, partition.name),
        since and since.happened_at + grace,
    )


def _unfinished(rows: dict[str, int]) -> int:
    return sum(count for status, count in rows.items() if status not in FINAL)


def _refuse(connection: Connection, partition: Partition, grace: timedelta, force: bool) -> None:
    name = partition.name
    if name != partition.month.partition_of(MESSAGES):
        raise BdayschedError(
            f"{name} holds {partition.month}, and would not be found again by its name: rename it"
            f" first (ALTER TABLE {name} RENAME TO {partition.month.partition_of(MESSAGES)})"
        )
    default = partitions.default_of_messages(connection)
    if default and partition.state is State.ATTACHED:
        raise BdayschedError(
            f"{name} cannot be detached without keeping everyone out while there is the default"
            f" partition {default}: run `bdaysched create-partitions 12`, which moves its rows"
        )
    month = _look(connection, partition, grace)
    since = partition_events.detachment(connection, name)
    if month.unfinished and not (force or (since and since.forced)):
        raise _refusal(name, month.rows)


def _refusal(name: str, rows: dict[str, int]) -> BdayschedError:
    held = ", ".join(f"{count:,} {status}" for status, count in rows.items())
    return BdayschedError(
        f"{name} holds {_unfinished(rows):,} messages that are neither SENT nor FAILED ({held}):"
        " let `bdaysched schedule` settle them, or use --force"
    )


def _put_apart(connection: Connection, partition: Partition, force: bool, wait: float) -> None:
    """Detach partition, unless it is, and note since when it is."""
    name = partition.name
    if partition.state is not State.DETACHED:
        partitions.detach(connection, partition, wait)
    elif partition_events.detachment(connection, name):
        return
    # Counted once nobody reaches it any more. Of a month that was detached by others, or by a run
    # that was killed just then, it is now that it is seen first.
    rows = partitions.count_by_status(connection, name)
    if _unfinished(rows) and not force:
        partitions.attach_month(connection, MESSAGES, partition.month, wait)
        raise _refusal(name, rows)
    partition_events.note(
        connection,
        name,
        Kind.DETACHED,
        connection.info.user,
        rows,
        forced=bool(_unfinished(rows)),
    )


def _drop(connection: Connection, month: Expired, wait: float) -> None:
    def note() -> None:
        partition_events.note(
            connection,
            month.partition,
            Kind.DROPPED,
            connection.info.user,
            month.rows,
            month.archive,
            forced=bool(month.unfinished),
        )

    partitions.drop(connection, month.partition, note, wait)
