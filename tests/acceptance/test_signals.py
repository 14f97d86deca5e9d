"""What a worker and a scheduler leave behind when they are told to stop, or killed."""

from __future__ import annotations

import asyncio
import signal

import psycopg
import pytest

from birthday_cli.pipeline.deliver import IN_DOUBT
from tests.acceptance.conftest import Program, Query, end
from tests.facts import NOW
from tests.servers.rabbitmq import RabbitNode
from tests.servers.receiver import Answer, Received, Receiver

MESSAGES = 300
CONCURRENCY = 8
LEASE = 2


@pytest.fixture(params=["rabbitmq", "postgres"])
def working(
    request: pytest.FixtureRequest,
    program: Program,
    receiver: Receiver,
    database: str,
) -> Program:
    """The program with a broker and a receiver, and messages that are due."""
    url = "postgres:"
    if request.param == "rabbitmq":
        node: RabbitNode = request.getfixturevalue("rabbitmq")
        url = node.url
    program.environment |= {
        "BROKER_URL": url,
        "DELIVERY_URL": receiver.url,
        "WORKER_CONCURRENCY": str(CONCURRENCY),
        "WORKER_LEASE": f"{LEASE}s",
        "RECOVER_QUEUED_AFTER": "1s",
        "BDAYSCHED_NOW": NOW.isoformat(),
    }
    with psycopg.connect(database) as connection:
        connection.execute(
            "INSERT INTO users (first_name, last_name, email, timezone, birthday_date)"
            " SELECT 'a', n::text, n || '@example.com', 'UTC', %s FROM generate_series(1, %s) AS n",
            (f"{NOW:%m-%d}", MESSAGES),
        )
    return program


def by_status(query: Query) -> dict[str, int]:
    return dict(query("SELECT status, count(*) FROM message_logs GROUP BY status"))


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
async def test_a_signal_finishes_what_is_in_hand(
    working: Program, query: Query, receiver: Receiver, name: str
) -> None:
    assert (await working.run("schedule")).code == 0
    released = asyncio.Event()

    async def hold(_request: Received) -> Answer:
        await released.wait()
        return Answer()

    receiver.answer = hold
    worker = await working.start("run-worker")
    await receiver.wait_for(CONCURRENCY)
    worker.send_signal(getattr(signal, name))
    await asyncio.sleep(1)
    assert worker.returncode is None
    released.set()
    ended = await end(worker)
    assert ended.code == 0, ended.err
    sent = len(receiver.received)
    assert CONCURRENCY <= sent < MESSAGES
    assert f'"sent": {sent},' in ended.err
    assert by_status(query) == {"SENT": sent, "QUEUED": MESSAGES - sent}

    # What it left is there for the next worker at once, and nothing that it sent is sent again.
    assert (await working.run("run-worker", "--until-empty")).code == 0
    assert by_status(query) == {"SENT": MESSAGES}
    assert set(receiver.keys.values()) == {1}


async def test_kill_9_in_mid_delivery_loses_nothing(
    working: Program, query: Query, receiver: Receiver
) -> None:
    assert (await working.run("schedule")).code == 0
    kills = 3
    for kill in range(kills):
        seen = len(receiver.received)
        worker = await working.start("run-worker")
        await receiver.wait_for(seen + 20 + 15 * kill)
        worker.kill()
        await worker.wait()
    for _ in range(20):
        await asyncio.sleep(LEASE / 2)
        assert (await working.run("schedule")).code == 0
        assert (await working.run("run-worker", "--until-empty")).code == 0
        if by_status(query) == {"SENT": MESSAGES}:
            break
    assert by_status(query) == {"SENT": MESSAGES}
    assert len(receiver.keys) == MESSAGES
    # Twice at the most: what was claimed and not recorded when the process was killed.
    assert len(receiver.received) - MESSAGES <= kills * IN_DOUBT * CONCURRENCY


async def test_kill_9_of_schedule_at_any_moment_loses_and_repeats_nothing(
    working: Program, query: Query, receiver: Receiver
) -> None:
    for hundredths in range(30, 130, 10):
        run = await working.start("schedule")
        await asyncio.sleep(hundredths / 100)
        if run.returncode is None:
            run.kill()
        await run.wait()
    await asyncio.sleep(1)
    for _ in range(3):
        assert (await working.run("schedule", "--wait", "30s")).code == 0
        assert (await working.run("run-worker", "--until-empty")).code == 0
        await asyncio.sleep(1)
    assert by_status(query) == {"SENT": MESSAGES}
    assert len(receiver.keys) == MESSAGES
    assert set(receiver.keys.values()) == {1}


async def test_schedule_every_repeats_until_told_to_stop(working: Program, query: Query) -> None:
    run = await working.start("schedule", "--every", "1s")
    assert run.stderr
    for _ in range(2):
        line = await asyncio.wait_for(run.stderr.readline(), 30)
        assert line.startswith(b"planned ")
    run.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(run.wait(), 30) == 0
    assert by_status(query) == {"QUEUED": MESSAGES}
