"""Which months each query of sql/ reads: none that it need not, of months that are full of rows.

A query is covered by being there; one that is not in the table below fails. EXPLAIN ANALYZE runs
it, with parameters of its own, and what it changed is taken back. A part of a plan that was never
executed has read nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from birthday_cli.db import partitions, patience, queries
from birthday_cli.db.queries import compose
from birthday_cli.domain.months import Month
from tests.facts import NOW, RULES
from tests.plans import nodes_of, reads
from tests.servers import postgres

THIS = Month.of(NOW)
PAST, COMING = 12, 2
MESSAGES_A_MONTH = 1_500
SINCE = NOW - RULES.look_back
UNTIL = NOW + timedelta(days=2)
EVERY_MONTH = frozenset(THIS.plus(-PAST).until(THIS.plus(COMING)))
FROM_NOW_ON = frozenset(month for month in EVERY_MONTH if month >= THIS)
UP_TO_NOW = frozenset(month for month in EVERY_MONTH if month <= THIS)

# Everyone has a message in each month, on the 15th, at one of 24 hours. What is over was sent, but
# for a few that failed; this month some are in every other state. Later months are empty. One user
# was deleted.
_FILL = f"""
WITH added AS (
    INSERT INTO users (first_name, last_name, email, timezone, birthday_date, deleted_at)
    SELECT
        'Ada', 'Lovelace', n || '@example.com', 'UTC', '{NOW:%m-%d}', CASE n WHEN 1 THEN now() END
    FROM generate_series(1, {MESSAGES_A_MONTH}) AS n
    RETURNING id
),
people AS (
    SELECT id, row_number() OVER () AS n FROM added
)
INSERT INTO message_logs (
    user_id, message_type, message_content, delivery_date, scheduled_send_time, expires_at, status
)
SELECT
    people.id, 'BIRTHDAY', 'Happy birthday, Ada Lovelace!', due::date, due,
    due + interval '15 hours',
    CASE
        WHEN due > %(now)s THEN 'SCHEDULED'
        WHEN n > 10 THEN 'SENT'
        WHEN month.start < %(this)s THEN 'FAILED'
        ELSE (ARRAY['QUEUED', 'SENDING', 'RETRYING', 'FAILED', 'SCHEDULED'])[1 + n %% 5]
    END
FROM people
CROSS JOIN unnest(%(months)s::timestamptz[]) AS month (start)
CROSS JOIN LATERAL (
    SELECT month.start + interval '14 days' + interval '1 hour' * (n %% 24)
) AS instant (due)
"""


class Reading(NamedTuple):
    """The months that a query may read: some in any way, others by an index, and little of them.

    `parameters` are those that differ from USUAL.
    """

    months: frozenset[Month] = frozenset()
    by_index: frozenset[Month] = frozenset()
    parameters: Mapping[str, Any] = MappingProxyType({})


THIS_MONTH = Reading(frozenset({THIS}))
"""The bounds, the dates or the references say which."""

EVERYWHERE = Reading(by_index=EVERY_MONTH)
"""By status, or by user: such a row may be in any month."""

READINGS = {
    # A local date and its morning may be in two months.
    "archives/count_doubles": Reading(frozenset({THIS.plus(-1), THIS, THIS.plus(1)})),
    "archives/take_places": THIS_MONTH,
    # Who has none on that day is looked for everywhere, by key: it may have been moved.
    "audit/audit_day": Reading(frozenset({THIS}), EVERY_MONTH),
    "audit/measure_lateness": THIS_MONTH,
    "explain/list_guarded": THIS_MONTH,
    "explain/list_messages": EVERYWHERE,
    "messages/claim": THIS_MONTH,
    "messages/count_stuck_queued": EVERYWHERE,
    "messages/fail_expired": Reading(frozenset({THIS}), UP_TO_NOW),
    "messages/fail_withdrawn": THIS_MONTH,
    "messages/hand_back": THIS_MONTH,
    "messages/insert_history": Reading(
        frozenset({THIS}),
        parameters={
            "delivery_dates": [NOW.date()] * 10,
            "scheduled_send_times": [NOW] * 10,
            "expires_ats": [NOW] * 10,
            "message_types": ["BIRTHDAY"] * 10,
            "contents": ["Happy birthday!"] * 10,
        },
    ),
    "messages/list_due": THIS_MONTH,
    "messages/list_known": THIS_MONTH,
    "messages/list_recorded": THIS_MONTH,
    "messages/mark_queued": THIS_MONTH,
    "messages/record": THIS_MONTH,
    "messages/renew_leases": THIS_MONTH,
    "messages/requeue_stuck": EVERYWHERE,
    "messages/take_back_expired_leases": EVERYWHERE,
    "metrics/count_planned": THIS_MONTH,
    "metrics/count_today": THIS_MONTH,
    "metrics/measure_lateness": THIS_MONTH,
    "monitor/lateness": THIS_MONTH,
    "monitor/messages": THIS_MONTH,
    "monitor/queue": Reading(frozenset({THIS}), EVERY_MONTH),
    "monitor/stuck": Reading(frozenset({THIS}), EVERY_MONTH),
    "planning/correct_messages": Reading(by_index=FROM_NOW_ON),
    "planning/note_concerned_users": THIS_MONTH,
    "planning/plan_mornings": THIS_MONTH,
    "planning/plan_users": THIS_MONTH,
    "planning/withdraw_messages": Reading(by_index=FROM_NOW_ON),
    "queue/count_under_way": EVERYWHERE,
    "queue/count_waiting": EVERYWHERE,
    "queue/fail": THIS_MONTH,
    "queue/lease_next": EVERYWHERE,
    "queue/list_held": EVERYWHERE,
    "queue/list_states": THIS_MONTH,
    "queue/put_back": THIS_MONTH,
    "queue/record_as_sent": EVERYWHERE,
    "queue/release_held": EVERYWHERE,
    "queue/retry_failed": Reading(by_index=FROM_NOW_ON),
    "queue/take_out": THIS_MONTH,
    "queue/take_out_waiting": EVERYWHERE,
    # A rehearsal's own database, which has the rehearsal's messages only.
    "simulation/date_messages": Reading(EVERY_MONTH),
    "simulation/list_due_instants": THIS_MONTH,
    "status/count_today": THIS_MONTH,
    "status/find_oldest_unsent": Reading(by_index=UP_TO_NOW),
    "status/measure_today": THIS_MONTH,
    "status/report_day": THIS_MONTH,
    "studio/count_by_zone": THIS_MONTH,
    "studio/count_sent": THIS_MONTH,
    "studio/list_messages": THIS_MONTH,
    "studio/list_stuck": Reading(frozenset({THIS}), EVERY_MONTH),
    "users/erase_guard": EVERYWHERE,
    "users/erase_messages": EVERYWHERE,
}

BY_WORKERS = {"queue/lease_next"}
"""Queries that need a worker's session to be planned well."""

USUAL: dict[str, Any] = {
    "age": timedelta(minutes=10),
    "after_id": UUID(int=0),
    "after_time": SINCE,
    "are_over": False,
    "attempts": [None] * 10,
    "bodies": [None] * 10,
    "bounds": [1.0, 60.0],
    "by": "me",
    "codes": [200] * 10,
    "dates": [NOW.date()],
    "day_end": NOW + timedelta(hours=12),
    "day_start": NOW - timedelta(hours=12),
    "delivery_date": NOW.date(),
    "error_message": None,
    "errors": [None] * 10,
    "first": NOW.date(),
    "held": [False] * 10,
    "hold": False,
    "last": NOW.date(),
    "lease": timedelta(minutes=5),
    "leases": [NOW] * 10,
    "limit": 1_000,
    "max_attempts": 8,
    "message_type": None,
    "missed": "missed",
    "now": NOW,
    "on_time": timedelta(minutes=1),
    "pauses": [None] * 10,
    "quiet_zones": [],
    "reason": "none",
    "sent_at": [NOW] * 10,
    "recover_queued_after": 600,
    "since": SINCE,
    "status": "SCHEDULED",
    "statuses": ["SENT"] * 10,
    "token": UUID(int=1),
    "tokens": [UUID(int=1)] * 10,
    "until": UNTIL,
    # A line of the calendar.
    "are_planned": [True],
    "changed_ats": [NOW] * 10,
    "day_ends_ats": [UNTIL],
    "days_in_use": [NOW.date()],
    "delivery_dates": [NOW.date()],
    "expires_ats": [UNTIL],
    "matter_untils": [UNTIL],
    "month_days": [f"{NOW:%m-%d}"],
    "month_days_in_use": [f"{NOW:%m-%d}"],
    "scheduled_send_times": [NOW],
    "timezones": ["UTC"],
    "timezones_in_use": ["UTC"],
}
PARTS: dict[str, sql.Composable] = {
    "ends_at": sql.Literal(THIS.plus(1).start),
    "partition": sql.Identifier(THIS.partition_of(partitions.MESSAGES)),
    "starts_at": sql.Literal(THIS.start),
    "date_column": sql.Identifier("birthday_date"),
    "message_content": sql.SQL("concat('Happy birthday, ', users.first_name)"),
    "message_type": sql.Literal("BIRTHDAY"),
    "messages": sql.Identifier("message_logs"),
}

_A_TABLE = r"(message_logs|message_guard|\{messages\})"
_STATEMENT = rf"\s*(SELECT|WITH|INSERT|UPDATE|DELETE)\b[\s\S]*\b{_A_TABLE}(?!\w)"
_TEXT = r"--.*|'[^']*'"


def queries_over_months() -> list[str]:
    """Return the names of all queries in sql/ over tables that have months."""
    folder = queries.directory()
    names = (path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.sql"))
    return sorted(
        name
        for name in names
        if "/" in name
        and not name.startswith("migrations/")
        and re.match(_STATEMENT, re.sub(_TEXT, "", queries.query(name)))
    )


class Full(NamedTuple):
    """A database with rows in every month, and what its queries are given."""

    connection: psycopg.Connection[Any]
    parameters: dict[str, Any]


@pytest.fixture(scope="module", params=["pg15", "embedded"])
def full(request: pytest.FixtureRequest) -> Iterator[Full]:
    server: postgres.PostgresServer = request.getfixturevalue(request.param)
    with (
        postgres.new_database(server, postgres.migrated(server)) as url,
        psycopg.connect(url, autocommit=True, options="-c TimeZone=UTC") as connection,
    ):
        for table in (partitions.MESSAGES, partitions.GUARD):
            there = {partition.month for partition in partitions.existing(connection, table)}
            for month in EVERY_MONTH - there:
                partitions.create_month(connection, table, month)
        months = [month.start for month in EVERY_MONTH]
        connection.execute(_FILL, {"now": NOW, "this": THIS.start, "months": months})
        connection.execute("VACUUM ANALYZE")
        rows: list[Any] = connection.execute(
            "SELECT id, scheduled_send_time, user_id FROM message_logs"
            " WHERE scheduled_send_time BETWEEN %s AND %s LIMIT 10",
            (THIS.start, NOW),
        ).fetchall()
        ids, times, user_ids = (list(column) for column in zip(*rows, strict=True))
        found = {"ids": ids, "times": times, "user_ids": user_ids}
        yield Full(connection, {**USUAL, **found, "id": user_ids[0], "user_id": user_ids[0]})


def executed(full: Full, name: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Run a query and return the nodes of its plan that did anything."""
    parts = {part: PARTS[part] for part in re.findall(r"\{(\w+)\}", queries.query(name))}
    statement = compose(name, **parts).as_string(full.connection)
    with full.connection.transaction(force_rollback=True):
        if name in BY_WORKERS:
            for setting, value in patience.SESSION.items():
                full.connection.execute(f"SET LOCAL {setting} = {value}")
        row: Any = full.connection.execute(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}",
            {**full.parameters, **parameters},
            prepare=False,
        ).fetchone()
    return [node for node in nodes_of(row[0][0]["Plan"]) if node["Actual Loops"]]


def reads_little(node: dict[str, Any]) -> bool:
    """Tell whether a node finds its rows by an index or at its end, and next to none in vain."""
    below = " ".join(part.get("Index Cond", "") for part in nodes_of(node))
    in_vain = sum(
        count * node["Actual Loops"] for what, count in node.items() if "Rows Removed by" in what
    )
    by_index = below != "" or node["Actual Rows"] <= 1
    return bool(node["Node Type"] != "Seq Scan" and by_index and in_vain <= MESSAGES_A_MONTH / 10)


def test_every_query_over_months_is_in_the_table() -> None:
    assert set(queries_over_months()) <= set(READINGS)


@pytest.mark.parametrize("name", queries_over_months())
def test_a_query_reads_no_month_that_it_need_not(full: Full, name: str) -> None:
    allowed = READINGS[name]
    nodes = executed(full, name, allowed.parameters)
    read = [node for table in ("message_logs", "message_guard") for node in reads(nodes, table)]
    assert read
    for node in read:
        month = Month(*map(int, node["Relation Name"].split("_")[-2:]))
        if month in EVERY_MONTH - allowed.months:
            assert month in allowed.by_index, f"{node['Relation Name']} is read"
            assert reads_little(node), json.dumps(node, indent=1)
