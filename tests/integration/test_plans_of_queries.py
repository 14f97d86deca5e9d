"""How the server goes about planning's statements: by what they are about, not by the table.

`EXPLAIN` of each statement just before it runs, with its own parameters; never how long it took.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql

from birthday_cli.db.queries import query
from birthday_cli.pipeline.plan import plan
from tests.facts import NOW, RULES
from tests.plans import conditions, nodes_of, reads

MANY = 50_000
ENOUGH = 20_000
# Everyone has two dates, spread over the year, but for a crowd of so many tenths, born on one day.
FILL = """
INSERT INTO users (first_name, last_name, email, timezone, birthday_date, anniversary_date)
SELECT 'Ada', 'Lovelace', n || '@example.com', zones.names[1 + n %% cardinality(zones.names)],
    to_char(CASE WHEN n %% 10 < %(crowd)s THEN %(day)s ELSE year + n %% 365 END, 'MM-DD'),
    to_char(year + n %% 364, 'MM-DD')
FROM generate_series(1, %(users)s) AS n
CROSS JOIN (SELECT date '2024-01-01' AS year) AS given
CROSS JOIN (SELECT array_agg(name ORDER BY name) AS names FROM time_zones) AS zones
"""


class Explaining(psycopg.Connection[Any]):
    """A connection that keeps the nodes of each statement's plan, with the statement's text."""

    statements: list[tuple[str, list[dict[str, Any]]]]

    def execute(self, query: Any, params: Any = None, **options: Any) -> psycopg.Cursor[Any]:
        if params:
            text = query.as_string(self) if isinstance(query, sql.Composable) else query
            explained: Any = (
                super().execute(f"EXPLAIN (FORMAT JSON) {text}", params, prepare=False).fetchone()
            )
            self.statements.append((text, list(nodes_of(explained[0][0]["Plan"]))))
        return super().execute(query, params, **options)

    def of(self, words: str) -> list[list[dict[str, Any]]]:
        """Return the plans of the statements that hold words."""
        found = [nodes for text, nodes in self.statements if words in text]
        assert found, words
        return found


@pytest.fixture
def explaining(database: str) -> Iterator[Explaining]:
    session = "-c TimeZone=UTC -c DateStyle=ISO"
    with Explaining.connect(database, autocommit=True, options=session) as connection:
        connection.statements = []
        yield connection


def fill(connection: psycopg.Connection[Any], users: int, crowd: int = 0) -> None:
    """Add users, so many tenths of whom have their birthday tomorrow; planning knows them."""
    day = NOW.date() + timedelta(days=1)
    connection.execute(FILL, {"users": users, "day": day, "crowd": crowd})
    connection.execute("TRUNCATE changed_users")


def plan_hours(connection: Explaining, hours: int) -> int:
    connection.statements.clear()
    return sum(plan(connection, NOW, timedelta(hours=hours), RULES).new.values())


@pytest.mark.parametrize("analyzed", [True, False], ids=["analyzed", "without statistics"])
def test_few_of_many_users_are_found_by_an_index(explaining: Explaining, analyzed: bool) -> None:
    fill(explaining, MANY)
    if analyzed:
        explaining.execute("ANALYZE")
    assert 0 < plan_hours(explaining, 48) < MANY / 50
    for message_type, column in (("BIRTHDAY", "birthday"), ("ANNIVERSARY", "anniversary")):
        for nodes in explaining.of(f"users.id, '{message_type}'"):
            assert {node["Node Type"] for node in reads(nodes, "users")} <= {
                "Index Scan",
                "Bitmap Heap Scan",
            }
            assert f"{column}_date" in conditions(nodes)


@pytest.mark.parametrize("analyzed", [True, False], ids=["analyzed", "without statistics"])
def test_who_has_a_message_is_looked_up_one_by_one(explaining: Explaining, analyzed: bool) -> None:
    """Without statistics a join here once compared everyone with everyone."""
    fill(explaining, ENOUGH, crowd=4)
    assert plan_hours(explaining, 20) > ENOUGH / 10
    if analyzed:
        explaining.execute("ANALYZE")
    assert plan_hours(explaining, 36) > ENOUGH / 10
    for nodes in explaining.of("INSERT INTO message_logs"):
        guards = reads(nodes, "message_guard")
        assert {node["Node Type"] for node in guards} <= {"Index Only Scan", "Index Scan"}
        for node in guards:
            assert "user_id" in node["Index Cond"]
            assert "delivery_date" in node["Index Cond"]
        # Of the months, those in which the days lie.
        assert 1 <= len({node["Relation Name"] for node in guards}) <= 2


@pytest.mark.parametrize("analyzed", [True, False], ids=["analyzed", "without statistics"])
def test_one_changed_user_is_looked_up_with_their_messages(
    explaining: Explaining, analyzed: bool
) -> None:
    fill(explaining, ENOUGH, crowd=4)
    plan_hours(explaining, 48)
    if analyzed:
        explaining.execute("ANALYZE")
    explaining.execute(
        "UPDATE users SET timezone = 'Asia/Tokyo', first_name = 'Eve'"
        " WHERE id = (SELECT user_id FROM message_logs LIMIT 1)"
    )
    plan_hours(explaining, 48)
    for statement in (
        "DELETE FROM message_logs",
        "UPDATE message_logs",
        "INSERT INTO message_logs",
    ):
        for nodes in explaining.of(statement):
            assert [node["Index Name"] for node in reads(nodes, "users")] == ["users_pkey"]
            # In months that have nothing in them, anything goes.
            for node in reads(nodes, f"message_logs_{NOW:%Y_%m}"):
                assert node["Node Type"] in ("Index Scan", "Bitmap Heap Scan")
                assert "user_id" in conditions(list(nodes_of(node)))


@pytest.mark.parametrize("analyzed", [True, False], ids=["analyzed", "without statistics"])
def test_the_queue_of_rows_is_reached_by_status_and_by_key(
    explaining: Explaining, analyzed: bool
) -> None:
    """A join once read every message for each batch that was leased."""
    fill(explaining, ENOUGH, crowd=4)
    plan_hours(explaining, 48)
    waiting: Any = explaining.execute(
        "UPDATE message_logs SET status = CASE WHEN random() < 0.5 THEN 'QUEUED' ELSE 'SENT' END"
        " RETURNING id, scheduled_send_time, lease_expires_at"
    ).fetchmany(100)
    if analyzed:
        explaining.execute("VACUUM FULL ANALYZE message_logs")
    explaining.execute(query("queue/set_session"))
    explaining.execute(query("queue/lease_next"), {"limit": 256, "lease": timedelta(seconds=60)})
    ids, times, leases = (list(column) for column in zip(*waiting, strict=True))
    held: dict[str, Any] = {"ids": ids, "times": times, "leases": leases, "reason": "none"}
    for statement in ("queue/take_out", "queue/put_back", "queue/fail"):
        explaining.execute(query(statement), held)
    month = f"message_logs_{NOW:%Y_%m}"
    (lease,) = explaining.of("FOR UPDATE SKIP LOCKED")
    assert any(node["Index Cond"].startswith("(status =") for node in reads(lease, month))
    for nodes in (lease, *explaining.of("AS held")):
        assert not any(
            node["Node Type"] in ("Hash Join", "Merge Join", "Seq Scan") for node in nodes
        )
        by_key = [node for node in reads(nodes, month) if "id =" in node.get("Index Cond", "")]
        assert [node["Node Type"] for node in by_key] == ["Index Scan"]
