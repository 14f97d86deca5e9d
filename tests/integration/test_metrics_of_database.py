from __future__ import annotations

import re
import subprocess
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from birthday_cli.config import Settings
from birthday_cli.db import measuring
from birthday_cli.errors import DatabaseUnreachable, UsageError
from birthday_cli.pipeline.looking.metrics import Figures, measure, write
from birthday_cli.pipeline.schedule import schedule
from tests.facts import NOW, add_message

NOWHERE = "postgresql://me:geheim@127.0.0.1:1/none"


def read(figures: Figures) -> dict[str, float]:
    """Return every sample, by its name and labels as they are written."""
    lines = (line for line in figures.text().decode().splitlines() if line[0] != "#")
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_promtool_has_nothing_to_say_against_them(settings: Settings) -> None:
    schedule(settings, NOW)
    for asked in (settings, replace(settings, database_url=NOWHERE)):
        ended = subprocess.run(
            ["promtool", "check", "metrics"],
            input=measure(asked, NOW).text(),
            capture_output=True,
            check=False,
        )
        assert (ended.returncode, ended.stdout + ended.stderr) == (0, b"")


def test_messages_of_today_by_status(settings: Settings, connection: psycopg.Connection) -> None:
    for status in ("SENT", "SENT", "FAILED", "QUEUED"):
        add_message(connection, NOW - timedelta(hours=1), status)
    add_message(connection, NOW - timedelta(days=1), "SENT")
    add_message(connection, NOW + timedelta(hours=20))
    add_message(connection, NOW + timedelta(hours=25))
    found = read(measure(settings, NOW))
    today = {
        status: found[f'bdaysched_messages_today{{status="{status}"}}']
        for status in "scheduled queued sending retrying sent failed".split()
    }
    assert today == {**dict.fromkeys(today, 0), "sent": 2, "failed": 1, "queued": 1}
    assert found["bdaysched_messages_planned"] == 1


def test_lateness_of_today(settings: Settings, connection: psycopg.Connection) -> None:
    for late in (0.5, 20, 100_000):
        at = NOW - timedelta(hours=1)
        add_message(connection, at, "SENT", actual_send_time=at + timedelta(seconds=late))
    found = read(measure(settings, NOW))
    counts = {
        bound: found[f'bdaysched_lateness_today_seconds_bucket{{le="{bound}"}}']
        for bound in ("1.0", "10.0", "30.0", "43200.0", "+Inf")
    }
    assert counts == {"1.0": 1, "10.0": 1, "30.0": 2, "43200.0": 2, "+Inf": 3}
    assert found["bdaysched_lateness_today_seconds_count"] == 3
    assert found["bdaysched_lateness_today_seconds_sum"] == pytest.approx(100_020.5)


def test_how_long_the_oldest_waits(settings: Settings, connection: psycopg.Connection) -> None:
    assert read(measure(settings, NOW))["bdaysched_oldest_unsent_age_seconds"] == 0
    add_message(connection, NOW - timedelta(minutes=7))
    assert read(measure(settings, NOW))["bdaysched_oldest_unsent_age_seconds"] == 420


def test_what_is_under_way(settings: Settings, connection: psycopg.Connection) -> None:
    add_message(connection, NOW, "QUEUED")
    add_message(connection, NOW, "SENDING")
    found = read(measure(settings, NOW))
    assert found['bdaysched_messages_under_way{state="waiting"}'] == 1
    assert found['bdaysched_messages_under_way{state="sending_past_lease"}'] == 1
    assert found['bdaysched_messages_under_way{state="held"}'] == 0
    assert found["bdaysched_queue_ready"] == 1
    assert found["bdaysched_dead_letters"] == 0


def test_the_runway(settings: Settings, connection: psycopg.Connection) -> None:
    found = read(measure(settings, NOW))
    assert found["bdaysched_runway_seconds"] > 300 * 86_400
    assert found["bdaysched_missing_partitions"] == 0
    next_month = NOW.replace(day=1) + timedelta(days=32)
    connection.execute(f"DROP TABLE message_logs_{next_month:%Y_%m}")
    found = read(measure(settings, NOW))
    assert 0 < found["bdaysched_runway_seconds"] < 17 * 86_400
    assert found["bdaysched_missing_partitions"] == 1


def test_when_schedule_ended_well(settings: Settings) -> None:
    name = "bdaysched_schedule_last_success_timestamp_seconds"
    assert name not in read(measure(settings, NOW))
    schedule(settings, NOW)
    assert read(measure(settings, NOW))[name] == pytest.approx(time.time(), abs=60)


@pytest.mark.parametrize("state", ["failed: broken", "running"])
def test_a_run_that_failed_or_goes_on_is_no_success(
    settings: Settings, connection: psycopg.Connection, state: str
) -> None:
    schedule(settings, NOW)
    connection.execute("UPDATE heartbeats SET state = %s", (state,))
    found = read(measure(settings, NOW))
    assert "bdaysched_schedule_last_success_timestamp_seconds" not in found


def test_workers(settings: Settings, connection: psycopg.Connection) -> None:
    for age in (0, 1):
        connection.execute(
            "INSERT INTO heartbeats (id, kind, host, pid, version, stale_at, state)"
            " VALUES (gen_random_uuid(), 'worker', 'h', 1, '0', now() + %s, 'delivering')",
            (timedelta(minutes=1) - timedelta(hours=age),),
        )
    found = read(measure(settings, NOW))
    assert found['bdaysched_workers{state="live"}'] == 1
    assert found['bdaysched_workers{state="stale"}'] == 1


def test_without_a_broker_the_database_is_told_of(settings: Settings) -> None:
    figures = measure(replace(settings, broker_url="amqp://me:geheim@127.0.0.1:1/"), NOW)
    found = read(figures)
    assert found["bdaysched_broker_up"] == 0
    assert found["bdaysched_database_up"] == 1
    assert found["bdaysched_messages_planned"] == 0
    assert "bdaysched_queue_ready" not in found
    assert figures.problem is None


def test_without_a_database_a_fresh_file_says_so(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "bdaysched.prom"
    write(measure(settings, NOW), path)
    assert "bdaysched_database_up 1.0" in path.read_text()
    assert "last_success_timestamp" in path.read_text()
    figures = measure(replace(settings, database_url=NOWHERE), NOW)
    assert isinstance(figures.problem, DatabaseUnreachable)
    assert "geheim" not in str(figures.problem)
    write(figures, path)
    text = path.read_text()
    assert "bdaysched_database_up 0.0" in text
    assert "bdaysched_messages" not in text
    assert "last_success_timestamp" not in text


def test_without_a_schema_the_rest_is_told(settings: Settings, empty_database: str) -> None:
    figures = measure(replace(settings, database_url=empty_database), NOW)
    found = read(figures)
    assert found["bdaysched_pending_migrations"] > 0
    assert found["bdaysched_database_up"] == 1
    assert figures.problem
    assert "bdaysched_metrics_last_success_timestamp_seconds" not in found


def test_a_locked_table_costs_its_figures_and_a_short_time(
    settings: Settings, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "_LONGEST_LOCK", "50ms")
    with connection.transaction():
        connection.execute("LOCK TABLE heartbeats")
        figures = measure(settings, NOW)
    assert figures.problem
    assert str(figures.problem).startswith("some figures are missing: a table is locked")
    assert "bdaysched_messages_planned" in read(figures)


def test_a_question_that_takes_too_long_is_not_a_database_that_is_away(
    settings: Settings, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "_LONGEST_QUESTION", "50ms")
    with connection.transaction():
        connection.execute("LOCK TABLE heartbeats")
        figures = measure(settings, NOW)
    assert "took too long" in str(figures.problem)
    assert not isinstance(figures.problem, DatabaseUnreachable)


def test_a_file_is_whole_readable_and_alone(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "textfiles"
    folder.mkdir()
    path = folder / "bdaysched.prom"
    path.write_text("old")
    write(measure(settings, NOW), path)
    assert path.stat().st_mode & 0o777 == 0o644
    assert [file.name for file in folder.iterdir()] == ["bdaysched.prom"]
    assert re.search(r"^# HELP bdaysched_database_up ", path.read_text(), re.MULTILINE)


def test_a_folder_that_is_not_there_is_named(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot write .*/none/b\.prom: No such file"):
        write(measure(settings, NOW), tmp_path / "none" / "b.prom")
