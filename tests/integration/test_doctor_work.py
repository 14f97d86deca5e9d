"""The checks of months and work, with exactly that broken which each is about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from tests.examined import Installation, assert_found, examined
from tests.facts import add_heartbeat, add_message

TODAY = datetime.now(UTC)
NEXT_MONTH = f"message_logs_{TODAY.replace(day=1) + timedelta(days=32):%Y_%m}"
PAST = TODAY - timedelta(hours=1)


def month_before(owner: psycopg.Connection) -> str:
    """Make and return a month that nobody needs any more."""
    owner.execute(
        "CREATE TABLE message_logs_2020_01 PARTITION OF message_logs"
        " FOR VALUES FROM ('2020-01-01Z') TO ('2020-02-01Z')"
    )
    owner.execute("SELECT guard_message_table('message_logs_2020_01')")
    return "message_logs_2020_01"


def half_detached(owner: psycopg.Connection) -> None:
    name = month_before(owner)
    with psycopg.connect(owner.info.dsn, password="o") as reader:
        reader.execute("SELECT count(*) FROM message_logs")
        owner.execute("SET lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            owner.execute(f"ALTER TABLE message_logs DETACH PARTITION {name} CONCURRENTLY")


def default_with_rows(owner: psycopg.Connection) -> None:
    owner.execute("CREATE TABLE message_logs_default PARTITION OF message_logs DEFAULT")
    owner.execute("SELECT guard_message_table('message_logs_default')")
    far = TODAY.replace(year=TODAY.year + 5, day=10)
    owner.execute(
        "CREATE TABLE message_guard_later PARTITION OF message_guard"
        f" FOR VALUES FROM ('{far.year}-01-01') TO ('{far.year + 1}-01-01')"
    )
    add_message(owner, far)


@dataclass
class Trouble:
    """What is done to the rows, and what follows; see Harm."""

    harm: Callable[[psycopg.Connection], object]
    verdicts: dict[str, str]
    evidence: str
    command: str


TROUBLES = {
    "a month is missing": Trouble(
        lambda owner: owner.execute(f"DROP TABLE {NEXT_MONTH}"),
        {"runway": "wrong"},
        f"no {NEXT_MONTH}: the months reach until .*",
        "bdaysched create-partitions 12",
    ),
    "a detachment was interrupted": Trouble(
        half_detached,
        {"detaching": "wrong"},
        "message_logs_2020_01 is half-detached from message_logs",
        "ALTER TABLE message_logs DETACH PARTITION message_logs_2020_01 FINALIZE",
    ),
    "rows are in a default partition": Trouble(
        default_with_rows,
        {"default rows": "wrong"},
        "message_logs_default has rows of months without one",
        "bdaysched create-partitions 12",
    ),
    "there is a default partition": Trouble(
        lambda owner: owner.execute(
            "CREATE TABLE message_logs_default PARTITION OF message_logs DEFAULT;"
            " SELECT guard_message_table('message_logs_default')"
        ),
        {"default rows": "warning"},
        "message_logs_default is a default partition, and empty",
        "bdaysched create-partitions 12",
    ),
    "a message is not queued": Trouble(
        lambda owner: add_message(owner, TODAY - timedelta(minutes=30)),
        {"stuck": "wrong"},
        "1 due 5 min, not queued",
        "bdaysched schedule",
    ),
    "a message is held": Trouble(
        lambda owner: add_message(owner, TODAY, "RETRYING", next_attempt_at="infinity"),
        {"stuck": "warning"},
        "1 held for a person",
        "bdaysched queue dead",
    ),
    "a worker fell silent": Trouble(
        lambda owner: add_heartbeat(owner, pid=66, stale_at=PAST),
        {"workers": "wrong"},
        "worker here 66 fell silent",
        "bdaysched monitor workers",
    ),
    "no worker runs": Trouble(
        lambda owner: owner.execute("DELETE FROM heartbeats WHERE kind = 'worker'"),
        {"workers": "warning"},
        "none runs; nothing is late yet",
        "bdaysched run-worker",
    ),
    "no worker runs, and messages are late": Trouble(
        lambda owner: (
            owner.execute("DELETE FROM heartbeats WHERE kind = 'worker'"),
            add_message(owner, TODAY - timedelta(minutes=30)),
        ),
        {"workers": "wrong", "stuck": "wrong"},
        "no worker runs, and messages are due",
        "bdaysched run-worker",
    ),
    "schedule does not run": Trouble(
        lambda owner: owner.execute("DELETE FROM heartbeats WHERE kind = 'scheduler'"),
        {"schedule": "wrong"},
        "schedule has not run in the last day",
        "bdaysched schedule",
    ),
    "schedule failed": Trouble(
        lambda owner: owner.execute(
            "UPDATE heartbeats SET failed = 1, state = 'failed: no' WHERE kind = 'scheduler'"
        ),
        {"schedule": "wrong"},
        "schedule on here failed: no",
        "bdaysched schedule",
    ),
    "a host has an older version": Trouble(
        lambda owner: owner.execute(
            "UPDATE heartbeats SET version = '0.0.9' WHERE kind = 'worker'"
        ),
        {"versions": "warning"},
        "here runs 0.0.9, this host .*",
        "install the same version, restart",
    ),
    "workers are paused": Trouble(
        lambda owner: owner.execute(
            "INSERT INTO queue_pause (paused_by, reason) VALUES ('eve', 'lunch')"
        ),
        {"pause": "warning"},
        r"eve paused all workers without end \(lunch\)",
        "bdaysched queue resume",
    ),
}


@pytest.mark.usefixtures("without_drift")
@pytest.mark.parametrize("name", TROUBLES)
def test_of_months_and_work_exactly_what_is_broken_is_wrong(
    healthy: Installation, owner: psycopg.Connection, name: str
) -> None:
    trouble = TROUBLES[name]
    trouble.harm(owner)
    assert_found(examined(healthy), trouble.verdicts, trouble.evidence, trouble.command)
