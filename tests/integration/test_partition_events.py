from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from birthday_cli.db import partition_events
from birthday_cli.db.partition_events import Kind


def test_what_happened_to_a_month_is_told_in_its_order(connection: psycopg.Connection) -> None:
    note = partition_events.note
    note(connection, "message_logs_2026_01", "created", "owner")
    note(connection, "message_logs_2026_02", Kind.CREATED, "owner")
    note(connection, "message_logs_2026_01", "detached", "cron", {"SENT": 3, "RETRYING": 1})
    note(connection, "message_logs_2026_01", "archived", "cron", archive="s3://a/manifest.json")
    note(connection, "message_logs_2026_01", "dropped", "cron", {}, forced=True)

    events = partition_events.of(connection, "message_logs_2026_01")
    assert [event.event for event in events] == ["created", "detached", "archived", "dropped"]
    assert [event.rows for event in events] == [None, {"SENT": 3, "RETRYING": 1}, None, {}]
    assert [event.forced for event in events] == [False, False, False, True]
    assert events[2].archive == "s3://a/manifest.json"
    assert {event.done_by for event in events} == {"owner", "cron"}
    latest = partition_events.latest(connection)
    assert latest["message_logs_2026_01"] == events[-1]
    assert latest["message_logs_2026_02"].event is Kind.CREATED


def test_nothing_else_can_happen(connection: psycopg.Connection) -> None:
    with pytest.raises(ValueError, match="vanished"):
        partition_events.note(connection, "message_logs_2026_01", "vanished", "owner")
    with pytest.raises(errors.CheckViolation, match="check_partition_event"):
        connection.execute(
            "INSERT INTO partition_events (partition, event, done_by) VALUES ('x', 'vanished', 'x')"
        )
