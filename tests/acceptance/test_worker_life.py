"""A worker among its surroundings: systemd, probes, Prometheus, an operator who pauses it."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import psycopg
import pytest

from tests.acceptance.conftest import OnTerminal, Program, Query, end
from tests.facts import NOW, add_message, statuses
from tests.servers import process
from tests.servers.receiver import Answer, Received, Receiver

CONCURRENCY = 4
HANG = 60


@pytest.fixture
def working(program: Program, receiver: Receiver) -> Program:
    program.environment |= {
        "DELIVERY_URL": receiver.url,
        "WORKER_CONCURRENCY": str(CONCURRENCY),
        "BDAYSCHED_NOW": NOW.isoformat(),
    }
    return program


def queue(database: str, count: int) -> None:
    with psycopg.connect(database) as connection:
        for _ in range(count):
            add_message(connection, status="QUEUED")


def state(database: str) -> dict[str, int]:
    with psycopg.connect(database) as connection:
        return statuses(connection)


def logged(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(HANG):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def hold(_request: Received) -> Answer:
    await asyncio.Event().wait()
    return Answer()


class Systemd:
    """What the service manager was told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)
        self._said: list[str] = []

    def said(self) -> list[str]:
        with suppress(BlockingIOError):
            while True:
                self._said.append(self._socket.recv(4_096).decode())
        return self._said

    def count(self, text: str) -> int:
        return self.said().count(text)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    manager = Systemd(tmp_path / "notify")
    yield manager
    manager.close()


async def test_what_is_under_way_longer_than_the_drain_lasts_is_given_up(
    working: Program, database: str, receiver: Receiver, systemd: Systemd
) -> None:
    queue(database, 20)
    receiver.answer = hold
    worker = await working.start(
        "run-worker", "--drain-timeout", "1s", NOTIFY_SOCKET=str(systemd.path)
    )
    await receiver.wait_for(CONCURRENCY)
    told = f"STATUS=delivering: sent 0, failed 0, under way {CONCURRENCY}"
    await until(lambda: told in systemd.said())
    worker.send_signal(signal.SIGTERM)
    ended = await end(worker)
    assert ended.code == 0
    assert state(database) == {"RETRYING": CONCURRENCY, "QUEUED": 20 - CONCURRENCY}
    assert [line["event"] for line in logged(ended.err)][-3:].count("stopped") == 1
    assert systemd.count("READY=1") == 1
    assert systemd.said().index("READY=1") < systemd.said().index("STOPPING=1")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
async def test_a_second_signal_quits(
    working: Program, database: str, receiver: Receiver, name: str
) -> None:
    queue(database, 20)
    receiver.answer = hold
    worker = await working.start("run-worker", "--drain-timeout", "1h")
    await receiver.wait_for(CONCURRENCY)
    number = getattr(signal, name)
    worker.send_signal(number)
    # What was claimed and not begun is handed back before the wait begins.
    await until(lambda: state(database).get("QUEUED") == 20 - CONCURRENCY)
    worker.send_signal(number)
    ended = await end(worker)
    assert ended.code == 128 + number
    assert logged(ended.err)[-1]["event"].startswith("quitting: what is under way comes back")
    assert state(database) == {"SENDING": CONCURRENCY, "QUEUED": 20 - CONCURRENCY}


async def test_the_watchdog_is_fed_only_while_the_database_is_there(
    working: Program, database: str, systemd: Systemd
) -> None:
    worker = await working.start(
        "run-worker", NOTIFY_SOCKET=str(systemd.path), WATCHDOG_USEC="400000"
    )
    await until(lambda: systemd.count("WATCHDOG=1") > 2)
    with psycopg.connect(database.rpartition("/")[0] + "/postgres", autocommit=True) as admin:
        name = database.rpartition("/")[2]
        admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
        try:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
            )
            await until(lambda: any("waiting for the database" in said for said in systemd.said()))
            fed = systemd.count("WATCHDOG=1")
            await asyncio.sleep(1)
            assert systemd.count("WATCHDOG=1") == fed
        finally:
            admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())
    await until(lambda: systemd.count("WATCHDOG=1") > fed)
    worker.send_signal(signal.SIGTERM)
    assert (await end(worker)).code == 0


async def test_probes_and_metrics_tell_how_it_is(
    working: Program, database: str, receiver: Receiver
) -> None:
    queue(database, 7)
    receiver.answers.extend([Answer(400), Answer(503)])
    port = process.free_port()
    worker = await working.start("run-worker", "--metrics-port", str(port))

    def get(path: str) -> tuple[int, str]:
        try:
            with urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as problem:
            return problem.code, problem.read().decode()

    await receiver.wait_for(7)
    await until(lambda: state(database) == {"SENT": 5, "FAILED": 1, "RETRYING": 1})
    assert await asyncio.to_thread(get, "/healthz") == (200, "ok\n")
    assert await asyncio.to_thread(get, "/readyz") == (200, "ok\n")
    _, text = await asyncio.to_thread(get, "/metrics")
    for line in (
        'bdaysched_attempts_total{outcome="delivered"} 5.0',
        'bdaysched_attempts_total{outcome="permanent"} 1.0',
        'bdaysched_attempts_total{outcome="transient"} 1.0',
        'bdaysched_references_settled_total{result="sent"} 5.0',
        "bdaysched_lateness_seconds_count 5.0",
        "bdaysched_processing_seconds_count 7.0",
        "bdaysched_broker_connected 1.0",
        "bdaysched_database_up 1.0",
        "bdaysched_requests_in_flight 0.0",
        'bdaysched_rate_limit{scope="none"} 1.0',
    ):
        assert line in text.splitlines()
    # While it drains it takes no more work, and lives.
    queue(database, 1)
    receiver.answer = hold
    await receiver.wait_for(8)
    worker.send_signal(signal.SIGTERM)
    await until(lambda: get("/readyz") == (503, "stopping\n"))
    assert await asyncio.to_thread(get, "/healthz") == (200, "ok\n")
    worker.send_signal(signal.SIGTERM)
    assert (await end(worker)).code == 143


async def test_a_pause_holds_workers_until_it_is_over(
    working: Program, database: str, receiver: Receiver
) -> None:
    assert (await working.run("queue", "pause", "--for", "3s", "--reason", "deploying")).code == 0
    queue(database, 5)
    refused = await working.run("run-worker", "--until-empty")
    assert refused.code == 75
    last = refused.err.splitlines()[-1]
    assert last.startswith("bdaysched: delivery is paused by ")
    assert "deploying" in last
    assert receiver.received == []
    worker = await working.start("run-worker")
    # Nobody resumes it: it expires.
    await until(lambda: state(database) == {"SENT": 5})
    assert (await working.run("queue", "pause")).code == 0
    await asyncio.sleep(2)
    queue(database, 5)
    await asyncio.sleep(1)
    assert state(database) == {"SENT": 5, "QUEUED": 5}
    assert (await working.run("queue", "resume")).code == 0
    await until(lambda: state(database) == {"SENT": 10})
    worker.send_signal(signal.SIGTERM)
    assert (await end(worker)).code == 0


async def test_the_log_names_messages_and_holds_nothing_of_them(
    working: Program, database: str, receiver: Receiver, query: Query
) -> None:
    queue(database, 1)
    receiver.answer = Answer(422, b"their words")
    ended = await working.run("run-worker", "--until-empty", DELIVERY_SECRET="hush hush")
    assert ended.code == 5
    [[found, user, email, content]] = query(
        "SELECT message.id, user_id, email, message_content FROM message_logs AS message"
        " JOIN users ON users.id = user_id"
    )
    [line] = [line for line in logged(ended.err) if line["event"] == "not delivered"]
    assert line["message_id"] == str(found)
    assert line["user_id"] == str(user)
    assert (line["outcome"], line["code"], line["attempt"]) == ("permanent", 422, 1)
    for secret in (email, content, "their words", "hush", "Lovelace"):
        assert secret not in ended.err


def test_on_a_terminal_the_log_is_for_people(on_terminal: OnTerminal, database: str) -> None:
    queue(database, 1)
    written = on_terminal("run-worker", "--until-empty", BDAYSCHED_NOW=NOW.isoformat())
    assert "stopped" in written
    assert "sent=1" in written
    assert "{" not in written


async def test_a_dry_run_counts_what_waits_and_delivers_nothing(
    working: Program, database: str, receiver: Receiver
) -> None:
    queue(database, 3)
    ended = await working.run("run-worker", "--dry-run")
    assert (ended.code, ended.err) == (
        0,
        "would deliver 3 messages that wait in the queue\n",
    )
    assert receiver.received == []
    assert state(database) == {"QUEUED": 3}
