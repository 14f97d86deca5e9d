"""Ten who look at once cost one question; Redis in the middle changes nothing but that."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from birthday_cli.config import Settings
from birthday_cli.db.cache import Cache
from birthday_cli.errors import BdayschedError
from birthday_cli.pipeline.looking import monitor
from birthday_cli.pipeline.looking.metrics import measure
from tests.facts import NOW, add_message
from tests.servers.redis import RedisServer

TEN = 10
# Longer than any test.
LONG = 600.0


class Question:
    """Counts how often it is asked, and answers once it may."""

    def __init__(self) -> None:
        self.asked = 0
        self.may_answer = threading.Event()
        self.begun = threading.Event()
        self._lock = threading.Lock()

    def __call__(self) -> Any:
        with self._lock:
            self.asked += 1
        self.begun.set()
        assert self.may_answer.wait(60)
        return {"asked": self.asked}


@pytest.fixture
def key() -> str:
    return uuid4().hex


def caches(url: str) -> list[Cache]:
    """As many as there are people, each in a process of their own."""
    return [Cache(Settings(redis_url=url)) for _ in range(TEN)]


def test_of_ten_at_once_one_asks_and_the_others_wait(redis_server: RedisServer, key: str) -> None:
    question = Question()
    with ThreadPoolExecutor(TEN) as pool:
        answers = [
            pool.submit(cache.get, key, LONG, question) for cache in caches(redis_server.url)
        ]
        assert question.begun.wait(60)
        question.may_answer.set()
        assert [answer.result(60) for answer in answers] == [{"asked": 1}] * TEN
    assert question.asked == 1


def test_while_one_asks_again_the_others_take_the_last_answer(
    redis_server: RedisServer, key: str
) -> None:
    first, second, *_ = caches(redis_server.url)
    assert first.get(key, 0.001, lambda: "old") == "old"
    time.sleep(0.05)
    question = Question()
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(first.get, key, LONG, question)
        assert question.begun.wait(60)
        assert second.get(key, LONG, question) == "old"
        question.may_answer.set()
        assert asking.result(60) == {"asked": 1}
    assert second.get(key, LONG, question) == {"asked": 1}


def test_who_fails_leaves_the_question_to_the_next(redis_server: RedisServer, key: str) -> None:
    first, second, *_ = caches(redis_server.url)

    def fail() -> Any:
        raise BdayschedError("no")

    with pytest.raises(BdayschedError, match="no"):
        first.get(key, LONG, fail)
    assert second.get(key, LONG, lambda: "yes") == "yes"


@pytest.mark.parametrize("url", ["", "not-a-url", "redis://127.0.0.1:1"])
def test_without_redis_everyone_asks(url: str, key: str) -> None:
    question = Question()
    question.may_answer.set()
    for number, cache in enumerate(caches(url), 1):
        assert cache.get(key, LONG, question) == {"asked": number}


@pytest.mark.parametrize("harm", ["kill", "freeze"])
def test_redis_lost_while_one_asks_costs_questions_and_no_answer(
    private_redis: RedisServer, key: str, harm: str
) -> None:
    question = Question()
    with ThreadPoolExecutor(TEN) as pool:
        answers = [pool.submit(each.get, key, LONG, question) for each in caches(private_redis.url)]
        assert question.begun.wait(60)
        getattr(private_redis, harm)()
        question.may_answer.set()
        assert all(answer.result(60)["asked"] for answer in answers)
    assert 1 < question.asked <= TEN


def test_what_another_program_left_there_is_not_an_answer(
    redis_server: RedisServer, key: str
) -> None:
    from redis import Redis

    with Redis.from_url(redis_server.url) as client:
        client.set(f"bdaysched:figures:{key}", "{no json")
    assert Cache(Settings(redis_url=redis_server.url)).get(key, LONG, lambda: "ours") == "ours"


def test_ten_who_watch_a_table_cost_one_query(
    settings: Settings,
    connection: psycopg.Connection,
    redis_server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Counted by the server: one session for all of them, since nobody else connects."""
    monkeypatch.setattr(monitor, "FRESH_FOR", LONG)
    add_message(connection, NOW, "QUEUED")
    watched = replace(settings, redis_url=redis_server.url)

    def sessions() -> int:
        row = connection.execute(
            "SELECT sessions FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
        assert row
        return int(row[0])

    before = sessions()
    with ThreadPoolExecutor(TEN) as pool:
        tables = [
            pool.submit(monitor.table, watched, "queue", NOW, each)
            for each in caches(redis_server.url)
        ]
        found = {str(table.result(60).rows) for table in tables}
    assert len(found) == 1
    assert sessions() - before == 1


def test_metrics_take_what_another_host_has_just_asked(
    settings: Settings,
    connection: psycopg.Connection,
    redis_server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(monitor, "FRESH_FOR", LONG)
    asked = replace(settings, redis_url=redis_server.url)
    add_message(connection, NOW, "SENT", actual_send_time=NOW)
    sent = b'bdaysched_messages_today{status="sent"} %d.0'
    assert sent % 1 in measure(asked, NOW).text()
    add_message(connection, NOW, "SENT", actual_send_time=NOW)
    assert sent % 1 in measure(asked, NOW).text()
    assert sent % 2 in measure(settings, NOW).text()


def test_figures_of_another_database_or_role_are_others(settings: Settings) -> None:
    urls = [
        "postgresql://me@here/one",
        "postgresql://me@here/two",
        "postgresql://you@here/one",
        "postgresql://me@there/one",
    ]
    keys = {monitor.key(replace(settings, database_url=url), "queue") for url in urls}
    assert len(keys) == len(urls)
    first, second = (
        monitor.key(replace(settings, database_url=f"postgresql://me:{word}@here/one"), "queue")
        for word in ("geheim", "anders")
    )
    assert first == second
