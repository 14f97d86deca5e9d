"""The commands over the queue, as an operator meets them, on both brokers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pika
import psycopg
import pytest

from birthday_cli.brokers.rabbitmq_dead import REASON_HEADER
from birthday_cli.brokers.wire import encode
from birthday_cli.db.locks import Lock
from birthday_cli.db.queries import query as sql
from birthday_cli.domain.message import Reference
from tests.acceptance.conftest import OnTerminal, Program, Query, end
from tests.facts import NOW, add_message
from tests.servers.rabbitmq import RabbitNode

COMMANDS = [
    ["status"],
    ["pause"],
    ["resume"],
    ["dead"],
    ["replay"],
    ["replay", "--held"],
    ["replay", "--held", "--as-sent", "--yes"],
    ["replay", "--failed"],
    ["rebuild", "--yes"],
]
NEED_BROKER = [["status"], ["dead"], ["replay"], ["rebuild", "--yes"], ["rebuild", "--dry-run"]]
AWAY = "amqp://me:geheim@127.0.0.1:1/"
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _clock(program: Program) -> None:
    program.environment["BDAYSCHED_NOW"] = NOW.isoformat()


@pytest.fixture(params=["rabbitmq", "postgres"])
def working(request: pytest.FixtureRequest, program: Program) -> Program:
    """The program with a broker."""
    if request.param == "rabbitmq":
        node: RabbitNode = request.getfixturevalue("rabbitmq")
        program.environment["BROKER_URL"] = node.url
    return program


def add(database: str, count: int, **columns: Any) -> list[str]:
    with psycopg.connect(database, autocommit=True) as connection:
        return [str(add_message(connection, **columns).id) for _ in range(count)]


def by_status(query: Query) -> dict[str, int]:
    return dict(query("SELECT status, count(*) FROM message_logs GROUP BY status"))


# ---- what goes wrong


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
async def test_without_a_database(command: list[str]) -> None:
    away = Program({"DATABASE_URL": "postgresql://me:geheim@127.0.0.1:1/birthday_app"})
    ended = await away.run("queue", *command)
    assert (ended.code, ended.out) == (3, "")
    assert "postgresql://me:***@127.0.0.1:1/birthday_app" in ended.explanation


async def test_without_a_schema(empty_database: str) -> None:
    bare = Program({"DATABASE_URL": empty_database})
    for command in COMMANDS:
        ended = await bare.run("queue", *command)
        assert ended.code == 6, command
        assert "bdaysched migrate" in ended.explanation


@pytest.mark.parametrize("command", NEED_BROKER, ids=" ".join)
async def test_without_a_broker(
    program: Program, query: Query, database: str, command: list[str]
) -> None:
    add(database, 1, status="QUEUED")
    ended = await program.run("queue", *command, BROKER_URL=AWAY)
    assert ended.code == 4
    assert "amqp://me:***@127.0.0.1" in ended.err.splitlines()[-1]
    assert "geheim" not in ended.out + ended.err
    assert by_status(query) == {"QUEUED": 1}


async def test_without_a_broker_the_database_tells_what_it_knows(
    program: Program, database: str
) -> None:
    add(database, 2, status="QUEUED")
    (held,) = add(database, 1, status="RETRYING", next_attempt_at="infinity")
    shown = await program.run("queue", "status", BROKER_URL=AWAY)
    assert shown.code == 4
    state = dict(line.split("\t") for line in shown.out.splitlines())
    assert state["QUEUED"] == "2 waiting, 0 in hand"
    assert "refused" in state["references"]
    found = json.loads((await program.run("queue", "status", "--json", BROKER_URL=AWAY)).out)
    assert (found["depth"], found["rows"]["waiting"]) == (None, 2)
    assert "refused" in found["problem"]
    listed = json.loads((await program.run("queue", "dead", "--json", BROKER_URL=AWAY)).out)
    assert (listed["dead"], [each["id"] for each in listed["held"]]) == (None, [held])


@pytest.mark.parametrize(
    ("command", "named"),
    [
        (["pause", "--for", "soon"], "--for"),
        (["pause", "--for", "0s"], "--for 0s"),
        (["pause", "--for", "999999d"], "--for 999999d"),
        (["replay", "--as-sent"], "--held"),
        (["replay", "--held", "--failed"], "not both"),
        (["replay", "--failed", "--discard"], "--discard"),
        (["replay", "6b1ea5a8-54a7-4c4e-9b1c-1d2f3a4b5c6d"], "--held or --failed"),
        (["replay", "--held", "ada"], "UUID"),
        (["rebuild", "--wait", "long"], "--wait"),
        (["status"], "BROKER_URL"),
    ],
    ids=str,
)
async def test_wrong_arguments(program: Program, command: list[str], named: str) -> None:
    ended = await program.run("queue", *command, BROKER_URL="kafka://x")
    assert ended.code == 2
    assert named in ended.err


@pytest.mark.parametrize(
    "command", [["rebuild"], ["replay", "--discard"], ["replay", "--held", "--as-sent"]], ids=str
)
async def test_what_cannot_be_taken_back_is_not_done_unasked_without_a_terminal(
    program: Program, query: Query, database: str, command: list[str]
) -> None:
    add(database, 1, status="QUEUED")
    add(database, 1, status="RETRYING", next_attempt_at="infinity")
    ended = await program.run("queue", *command)
    assert (ended.code, "--yes" in ended.explanation) == (2, True)
    assert by_status(query) == {"QUEUED": 1, "RETRYING": 1}


# ---- status, pause, resume


async def test_status_of_an_empty_queue_and_of_a_full_one(working: Program, database: str) -> None:
    empty = json.loads((await working.run("queue", "status", "--json")).out)
    assert empty["depth"] == {"ready": 0, "dead": 0}
    assert (empty["pause"], empty["problem"], empty["worker_connections"]) == (None, None, 0)
    assert empty["rows"]["oldest_queued"] is None
    add(database, 3, due=NOW - HOUR)
    assert (await working.run("schedule", "--dispatch")).code == 0
    full = json.loads((await working.run("queue", "status", "--json")).out)
    assert full["depth"] == {"ready": 3, "dead": 0}
    assert full["rows"]["waiting"] == 3
    assert datetime.fromisoformat(full["rows"]["oldest_queued"]) == NOW - HOUR


async def test_a_pause_is_seen_by_everybody_until_it_is_over(
    program: Program, query: Query
) -> None:
    started = datetime.now(UTC)
    tried = await program.run("queue", "pause", "--for", "30m", "--dry-run")
    assert (tried.code, tried.err.startswith("would pause until 20")) == (0, True)
    assert query("SELECT count(*) FROM queue_pause") == [(0,)]
    done = await program.run("queue", "pause", "--for", "30m", "--reason", "moving", "--json")
    made = json.loads(done.out)["pause"]
    until = datetime.fromisoformat(made["until"])
    assert started + HOUR / 2 - timedelta(seconds=1) <= until <= datetime.now(UTC) + HOUR / 2
    state = dict(
        line.split("\t") for line in (await program.run("queue", "status")).out.splitlines()
    )
    assert state["paused"].startswith(f"by {made['by']} since {made['since']}, until ")
    assert state["paused"].endswith("moving")
    again = await program.run("queue", "pause")
    assert again.err.startswith("paused until `bdaysched queue resume`; ")
    assert query("SELECT paused_until = 'infinity', reason FROM queue_pause") == [(True, None)]


async def test_resume(program: Program, query: Query) -> None:
    idle = await program.run("queue", "resume")
    assert (idle.code, idle.err) == (0, "nothing to do: it was not paused\n")
    await program.run("queue", "pause")
    tried = await program.run("queue", "resume", "--dry-run")
    assert (tried.code, tried.err.startswith("would resume what ")) == (0, True)
    assert query("SELECT count(*) FROM queue_pause") == [(1,)]
    done = await program.run("queue", "resume")
    assert (done.code, done.err.startswith("resumed what ")) == (0, True)
    assert query("SELECT count(*) FROM queue_pause") == [(0,)]
    assert json.loads((await program.run("queue", "resume", "--json")).out)["ended"] is None


async def test_messages_are_planned_and_queued_during_a_pause(
    working: Program, query: Query, database: str
) -> None:
    add(database, 2)
    await working.run("queue", "pause")
    assert (await working.run("schedule")).code == 0
    assert by_status(query)["QUEUED"] == 2


# ---- what a person decides


async def test_held_messages_are_released_or_closed(
    program: Program, query: Query, database: str
) -> None:
    held = add(database, 3, status="RETRYING", next_attempt_at="infinity", retry_count=1)
    closed = await program.run("queue", "replay", "--held", "--as-sent", held[0])
    assert (closed.code, closed.err) == (0, f"held messages recorded as SENT: 1 ({held[0]})\n")
    tried = await program.run("queue", "replay", "--held", "--dry-run", "--json")
    assert set(json.loads(tried.out)["replayed"]) == set(held[1:])
    released = await program.run("queue", "replay", "--held")
    assert released.code == 0
    assert released.err.startswith("held messages due again: 2 (")
    assert "bdaysched schedule" in released.err
    assert (await program.run("schedule")).err.endswith("queued 2\n")
    assert by_status(query) == {"SENT": 1, "QUEUED": 2}
    late = await program.run("queue", "replay", "--held", held[0])
    assert (late.code, held[0] in late.err.splitlines()[-1]) == (1, True)
    assert by_status(query) == {"SENT": 1, "QUEUED": 2}


async def test_the_morning_on_which_the_secret_was_wrong(
    working: Program, query: Query, database: str
) -> None:
    add(database, 3, status="FAILED", error_message="answered 401")
    add(database, 1, status="FAILED", due=NOW - 3 * HOUR, expires_in=HOUR)
    tried = await working.run("queue", "replay", "--failed", "--dry-run")
    assert tried.err.startswith("failed messages that would be due again: 3 (")
    assert by_status(query) == {"FAILED": 4}
    assert (await working.run("queue", "replay", "--failed")).code == 0
    assert (await working.run("schedule")).code == 0
    assert (await working.run("run-worker", "--until-empty")).code == 0
    assert by_status(query) == {"FAILED": 1, "SENT": 3}


# ---- dead letters


@pytest.fixture
def put_aside(program: Program, rabbitmq: RabbitNode) -> Iterator[Callable[[bytes], None]]:
    """Return what puts a body among the dead letters, once the program has made the queues."""
    program.environment["BROKER_URL"] = rabbitmq.url
    name = f"{program.environment['BROKER_QUEUE']}.dead"
    with closing(pika.BlockingConnection(pika.URLParameters(rabbitmq.url))) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        why = pika.BasicProperties(
            headers={REASON_HEADER: "a reason \x1b[31mthat is too long " * 9}
        )
        yield lambda body: channel.basic_publish(name, name, body, why)


async def test_dead_letters_are_shown_and_replayed(
    program: Program,
    on_terminal: OnTerminal,
    query: Query,
    database: str,
    put_aside: Callable[[bytes], None],
) -> None:
    (waited_for,) = add(database, 1, status="QUEUED")
    (sent,) = add(database, 1, status="SENT")
    assert (await program.run("queue", "dead")).err == "no dead letters\nno held messages\n"
    for body in (encode(Reference(UUID(waited_for), NOW)), encode(Reference(UUID(sent), NOW))):
        put_aside(body)
    put_aside(b"hello")

    shown = await program.run("queue", "dead", "--json")
    letters = json.loads(shown.out)["dead"]
    assert [(each["id"], each["state"]) for each in letters] == [
        *((waited_for, "QUEUED"), (sent, "SENT"), ("", "no row"))
    ]
    text = re.sub(r"\x1b\[[01]?m", "", on_terminal("queue", "dead", NO_COLOR="1"))
    assert max(map(len, text.splitlines())) <= 80
    assert waited_for in text
    assert "\x1b" not in text
    assert "the first 1 of 3 dead letters" in (await program.run("queue", "dead", "--limit=1")).err

    tried = await program.run("queue", "replay", "--discard", "--dry-run")
    said = "dead letters {}queued again: 1\ndead letters {}removed: 2 (1 SENT, 1 no row)\n"
    assert tried.err.startswith(said.format("that would be ", "that would be "))
    assert f"  {waited_for}, QUEUED: a reason" in tried.err
    refused = await program.run("queue", "replay", "--discard")
    assert (refused.code, "2 (1 SENT, 1 no row)" in refused.explanation) == (2, True)
    left = on_terminal("queue", "replay", "--discard", answer="n\n")
    assert "Remove for good 2 (1 SENT, 1 no row), and queue 1?" in " ".join(left.split())
    assert (await depth(program)) == {"ready": 0, "dead": 3}

    done = await program.run("queue", "replay")
    assert done.err == ("dead letters queued again: 1\ndead letters left: 2 (1 SENT, 1 no row)\n")
    assert (await depth(program)) == {"ready": 1, "dead": 2}
    done = await program.run("queue", "replay", "--discard", "--yes")
    assert done.err == said.format("", "").replace("again: 1", "again: 0")
    assert (await depth(program)) == {"ready": 1, "dead": 0}
    assert by_status(query) == {"QUEUED": 1, "SENT": 1}


async def depth(program: Program) -> Any:
    return json.loads((await program.run("queue", "status", "--json")).out)["depth"]


# ---- rebuild


async def test_rebuild_reports_what_it_did(working: Program, query: Query, database: str) -> None:
    add(database, 2, status="QUEUED")
    add(database, 1)
    tried = await working.run("queue", "rebuild", "--dry-run")
    assert (tried.code, by_status(query)) == (0, {"QUEUED": 2, "SCHEDULED": 1})
    assert tried.err == "would purge 0 references; 2 messages would be due again\n"
    done = await working.run("queue", "rebuild", "--yes")
    assert done.err == "purged 0 references; 2 messages are due again; queued 3\n"
    assert (await working.run("run-worker", "--until-empty")).code == 0
    assert by_status(query) == {"SENT": 3}


async def test_rebuilding_twice_at_once(working: Program, query: Query, database: str) -> None:
    add(database, 20, status="QUEUED")
    runs = [await working.start("queue", "rebuild", "--yes", "--wait", "60s") for _ in range(3)]
    assert [(await end(run)).code for run in runs] == [0, 0, 0]
    found = json.loads((await working.run("queue", "status", "--json")).out)
    assert (found["depth"]["ready"], by_status(query)) == (20, {"QUEUED": 20})


async def test_beside_a_run_of_schedule_rebuild_leaves_at_once(
    program: Program, database: str
) -> None:
    add(database, 1, status="QUEUED")
    with psycopg.connect(database, autocommit=True) as other:
        other.execute(sql("locks/try_advisory_lock"), {"lock": int(Lock.SCHEDULE)})
        ended = await program.run("queue", "rebuild", "--yes")
        assert (ended.code, "another run" in ended.explanation) == (75, True)
        # Looking needs no lock.
        assert (await program.run("queue", "rebuild", "--dry-run")).code == 0


def test_on_a_terminal_rebuild_asks(on_terminal: OnTerminal, query: Query, database: str) -> None:
    add(database, 2, status="QUEUED", lease_expires_at=NOW - 400 * 24 * HOUR)
    before = query("SELECT message_logs::text FROM message_logs ORDER BY id")
    asked = on_terminal("queue", "rebuild", answer="n\n")
    assert "queue again 2 messages" in " ".join(asked.split())
    assert query("SELECT message_logs::text FROM message_logs ORDER BY id") == before
    assert "queued 2" in on_terminal("queue", "rebuild", answer="y\n")


# ---- how it looks


def test_it_fits_a_terminal(on_terminal: OnTerminal, query: Query, database: str) -> None:
    add(
        database,
        2,
        status="RETRYING",
        next_attempt_at="infinity",
        error_message="no answer within 10 s after the request was written; held for a person",
    )
    on_terminal("queue", "pause", "--reason", "the receiver is being moved to another city")
    for command in ("status", "dead"):
        text = re.sub(r"\x1b\[\d*m", "", on_terminal("queue", command, NO_COLOR="1"))
        lines = text.splitlines()
        assert max(map(len, lines)) <= 80
        assert "…" not in text
    # An id can be marked and copied whole.
    for (identity,) in query("SELECT id::text FROM message_logs"):
        assert identity in text
