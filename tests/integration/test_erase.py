"""Erasure: nothing of the user is left, nothing of others is gone, nothing comes back."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import errors

from birthday_cli.channels.base import connect as connect_channel
from birthday_cli.config import Clock, Settings
from birthday_cli.db.connect import open_pool
from birthday_cli.db.locks import Lock
from birthday_cli.db.queries import query
from birthday_cli.domain.months import Month
from birthday_cli.errors import BdayschedError, Locked, UsageError
from birthday_cli.pipeline.deliver import Worker
from birthday_cli.pipeline.users import erase
from birthday_cli.pipeline.worker.tally import Delivered
from tests.facts import NOW, add_message, add_user, statuses
from tests.servers.receiver import Answer, Received, Receiver

DAY = timedelta(days=1)
STATUSES = ["SCHEDULED", "QUEUED", "SENDING", "SENT", "FAILED", "RETRYING"]
LATER = Month.of(NOW).plus(2)
APART = LATER.partition_of("message_logs")
COLUMNS = "id, user_id, message_type, message_content, delivery_date, scheduled_send_time, status"


@pytest.fixture(name="ada")
def add_ada(connection: psycopg.Connection) -> UUID:
    """A user with a message in every status, and two in a month that is detached."""
    ada = add_user(connection, email="ada@example.com")
    for day, status in enumerate(STATUSES):
        add_message(connection, NOW + day * DAY, status, user_id=ada)
    for day, status in enumerate(("SENT", "SCHEDULED")):
        add_message(connection, LATER.start + day * DAY, status, user_id=ada)
    connection.execute(f"ALTER TABLE message_logs DETACH PARTITION {APART}")
    return ada


def tables(connection: psycopg.Connection) -> dict[str, int]:
    """Return how many rows every table with personal data has."""
    names = ("message_guard", "message_logs", APART, "changed_users", "users")
    found = {}
    for name in names:
        row = connection.execute(f"SELECT count(*) FROM {name}").fetchone()
        assert row
        found[name] = row[0]
    return found


def test_everything_of_a_user_goes_and_nothing_of_others(
    settings: Settings, connection: psycopg.Connection, ada: UUID
) -> None:
    add_message(connection)
    before = tables(connection)
    rows = erase.erase(settings, ada)
    assert rows == {
        "message_guard": 8,
        "message_logs": 6,
        APART: 2,
        "changed_users": 1,
        "users": 1,
    }
    left = {name: count - rows[name] for name, count in before.items()}
    assert tables(connection) == left
    assert (left["message_guard"], left["message_logs"], left["users"]) == (1, 1, 1)
    with pytest.raises(BdayschedError, match="there is no user"):
        erase.erase(settings, ada)


def test_a_dry_run_counts_the_same_and_changes_nothing(
    settings: Settings, connection: psycopg.Connection, ada: UUID
) -> None:
    before = tables(connection)
    counted = erase.erase(settings, ada, dry_run=True)
    assert tables(connection) == before
    assert erase.erase(settings, ada) == counted


def test_no_table_keeps_a_trace(
    settings: Settings, connection: psycopg.Connection, ada: UUID
) -> None:
    erase.erase(settings, ada)
    names = connection.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    ).fetchall()
    assert (APART,) in names
    for (name,) in names:
        found = connection.execute(
            f"SELECT count(*) FROM {name} AS line WHERE to_jsonb(line)::text ~ %s",
            (f"{ada}|ada@example",),
        ).fetchone()
        assert found == (0,), name


def test_a_month_whose_detachment_was_interrupted_is_reached(
    settings: Settings, connection: psycopg.Connection, database: str
) -> None:
    ada = add_user(connection)
    add_message(connection, LATER.start, "SENT", user_id=ada)
    with psycopg.connect(database) as reader, psycopg.connect(database, autocommit=True) as other:
        reader.execute("SELECT count(*) FROM message_logs")
        other.execute("SET statement_timeout = '1s'")
        with pytest.raises(errors.QueryCanceled):
            other.execute(f"ALTER TABLE message_logs DETACH PARTITION {APART} CONCURRENTLY")
    assert statuses(connection) == {}
    rows = erase.erase(settings, ada)
    assert (rows[APART], rows["message_logs"], rows["users"]) == (1, 0, 1)


def test_a_month_from_an_archive_cannot_bring_the_messages_back(
    settings: Settings, connection: psycopg.Connection, ada: UUID
) -> None:
    other = add_message(connection, NOW, "SENT")
    connection.execute(f"CREATE TABLE archive AS SELECT {COLUMNS} FROM {APART}")
    connection.execute(
        f"INSERT INTO archive SELECT {COLUMNS} FROM message_logs WHERE id = %s", (other.id,)
    )
    erase.erase(settings, ada)
    connection.execute("DELETE FROM message_logs")
    connection.execute("DELETE FROM message_guard")
    restore = f"INSERT INTO {{}} ({COLUMNS}) SELECT {COLUMNS} FROM archive WHERE {{}}"

    hers, bounds = f"user_id = '{ada}'", f"FROM ('{LATER.start}') TO ('{LATER.plus(1).start}')"
    # Into the detached month.
    with pytest.raises(errors.ForeignKeyViolation):
        connection.execute(restore.format(APART, hers))
    # Into a table of its own, made as `create-partitions` makes them, which is then attached.
    connection.execute(
        "CREATE TABLE restored (LIKE message_logs INCLUDING DEFAULTS INCLUDING CONSTRAINTS"
        " INCLUDING GENERATED INCLUDING INDEXES)"
    )
    connection.execute(restore.format("restored", hers))
    with pytest.raises(errors.ForeignKeyViolation):
        connection.execute(
            f"ALTER TABLE message_logs ATTACH PARTITION restored FOR VALUES {bounds}"
        )
    # Into message_logs, where the month is again.
    connection.execute(f"ALTER TABLE message_logs ATTACH PARTITION {APART} FOR VALUES {bounds}")
    with pytest.raises(errors.ForeignKeyViolation):
        connection.execute(restore.format("message_logs", hers))
    # Those of users who are still there come back.
    connection.execute(restore.format("message_logs", f"user_id <> '{ada}'"))
    assert statuses(connection) == {"SENT": 1}


def test_a_deleted_user_is_found_by_email_and_by_id(
    settings: Settings, connection: psycopg.Connection
) -> None:
    gone = add_user(connection, email="ada@example.com")
    connection.execute("UPDATE users SET deleted_at = now()")
    assert erase.find(settings, "ada@example.com").id == gone
    assert erase.find(settings, str(gone).upper()).id == gone
    assert erase.erase(settings, gone)["users"] == 1
    with pytest.raises(BdayschedError, match="there is no user"):
        erase.find(settings, "ada@example.com")


def test_of_several_with_one_email_an_id_is_asked_for(
    settings: Settings, connection: psycopg.Connection
) -> None:
    first = add_user(connection, email="ada@example.com")
    connection.execute("UPDATE users SET deleted_at = '2026-02-03 04:05Z'")
    second = add_user(connection, email="ada@example.com")
    with pytest.raises(UsageError, match="2 users have the e-mail") as refused:
        erase.find(settings, "ada@example.com")
    assert f"{second} (not deleted), {first} (deleted 2026-02-03 04:05Z)" in str(refused.value)
    for _ in range(5):
        connection.execute("UPDATE users SET deleted_at = now() WHERE deleted_at IS NULL")
        add_user(connection, email="ada@example.com")
    with pytest.raises(UsageError, match=r"7 users .* …$"):
        erase.find(settings, "ada@example.com")
    assert erase.erase(settings, erase.find(settings, str(first)).id)["users"] == 1


@pytest.mark.parametrize("lock", [Lock.SCHEDULE, Lock.SCHEMA])
def test_it_does_not_run_beside_planning_or_a_change_of_the_months(
    settings: Settings,
    connection: psycopg.Connection,
    ada: UUID,
    monkeypatch: pytest.MonkeyPatch,
    lock: Lock,
) -> None:
    monkeypatch.setattr(erase, "_LOCK_WAIT", 0.3)
    before = tables(connection)
    connection.execute(query("locks/try_advisory_lock"), {"lock": int(lock)})
    for dry_run in (True, False):
        with pytest.raises(Locked, match=lock.name.lower()):
            erase.erase(settings, ada, dry_run)
    assert tables(connection) == before
    connection.execute(query("locks/release_advisory_lock"), {"lock": int(lock)})
    assert erase.erase(settings, ada)["users"] == 1


def test_a_message_that_somebody_is_just_adding_goes_with_the_rest(
    settings: Settings, connection: psycopg.Connection, database: str, ada: UUID
) -> None:
    with ThreadPoolExecutor() as executor, psycopg.connect(database) as other:
        add_message(other, NOW + 9 * DAY, "SENT", user_id=ada)
        erasing = executor.submit(erase.erase, settings, ada)
        waiting = (
            "SELECT FROM pg_stat_activity WHERE application_name = 'bdaysched users erase'"
            " AND wait_event_type = 'Lock' AND datname = current_database()"
        )
        give_up = time.monotonic() + 30
        while not connection.execute(waiting).rowcount:
            assert time.monotonic() < give_up
            time.sleep(0.02)
        other.commit()
        rows = erasing.result(30)
    assert (rows["message_logs"], rows["message_guard"]) == (7, 9)
    assert tables(connection)["message_guard"] == 0


async def test_a_worker_with_the_message_in_hand_bears_it(
    settings: Settings, connection: psycopg.Connection, receiver: Receiver
) -> None:
    ada = add_user(connection)
    reference = add_message(connection, status="QUEUED", user_id=ada)
    other = add_message(connection, status="QUEUED")
    own = replace(settings, delivery_url=receiver.url, worker_concurrency=1)
    erased: list[dict[str, int]] = []

    async def while_sending(_request: Received) -> Answer:
        # Both were claimed: the one is being sent, the other is next.
        if not erased:
            erased.append(await asyncio.to_thread(erase.erase, own, ada))
        return Answer()

    receiver.answer = while_sending
    async with (
        connect_channel(own) as channel,
        open_pool(own.database_url, own) as pool,
        asyncio.timeout(60),
    ):
        worker = Worker(own, own.database_url, pool, channel, Clock(NOW))
        delivered = await worker.run(until_empty=True)
    assert delivered == Delivered(sent=1, taken_away=1)
    assert erased[0]["message_logs"] == 1
    left = connection.execute("SELECT id, status FROM message_logs").fetchall()
    assert left == [(other.id, "SENT")]
    assert reference.id != other.id


def test_nobody_is_erased_for_an_unknown_id(
    settings: Settings, connection: psycopg.Connection, ada: UUID
) -> None:
    before = tables(connection)
    with pytest.raises(BdayschedError, match="nothing was removed"):
        erase.erase(settings, uuid4())
    assert tables(connection) == before
    assert ada
