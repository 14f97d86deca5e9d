"""The limit on deliveries a second, on a real Redis that comes and goes."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from redis import Redis

from birthday_cli.config import Settings
from birthday_cli.db import rate_limit
from birthday_cli.db.rate_limit import RateLimit, Scope, connect
from birthday_cli.domain.rate import Bucket, burst
from birthday_cli.errors import UsageError
from tests.servers import misbehaving
from tests.servers.proxy import proxy
from tests.servers.redis import RedisServer

SCRIPT = Path(rate_limit.__file__).with_suffix(".lua")
PATIENCE = 60
FIRST_PAUSE = 0.02


def limited(url: str = "", rate: int = 500) -> Settings:
    return Settings(redis_url=url, delivery_rate=rate, broker_queue="tests")


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.INFO, rate_limit.__name__)
    return lambda: [record.getMessage() for record in caplog.records]


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy is no Redis that is away; and nobody waits for long to try again."""
    monkeypatch.setattr(rate_limit, "_PATIENCE", PATIENCE)
    monkeypatch.setattr(rate_limit, "_FIRST_PAUSE", FIRST_PAUSE)


@pytest.fixture
def impatient(_patient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "_PATIENCE", 0.2)


async def until(limit: RateLimit, scope: Scope) -> None:
    async with asyncio.timeout(PATIENCE):
        while limit.scope is not scope:
            await limit.take(1)


async def test_without_a_limit_redis_is_never_contacted() -> None:
    contacted = asyncio.Event()

    async def behave(*_: object) -> None:
        contacted.set()

    async with (
        misbehaving.server(behave) as port,
        connect(limited(f"redis://127.0.0.1:{port}", rate=0)) as limit,
    ):
        assert limit.scope == "none"
        for wanted in (1, 7, 100_000):
            assert await limit.take(wanted) == wanted
        await asyncio.sleep(0.05)
        assert not contacted.is_set()


async def test_without_redis_the_limit_is_the_process_s_and_it_says_so_once(
    told: Callable[[], list[str]],
) -> None:
    async with connect(limited()) as limit:
        before = time.monotonic()
        granted = 0
        while granted < 150:
            granted += await limit.take(40)
        assert granted <= 500 * (time.monotonic() - before) + burst(500)
        assert limit.scope == "process"
    assert told() == [
        "DELIVERY_RATE=500 holds for each worker by itself: set REDIS_URL to share it"
    ]


async def test_three_takers_together_never_get_more_than_the_rate(
    private_redis: RedisServer, told: Callable[[], list[str]]
) -> None:
    rate, enough = 800, 600
    grants: list[tuple[float, float, int]] = []

    async def taker(limit: RateLimit, wanted: int) -> None:
        while sum(number for _, _, number in grants) < enough:
            before = time.monotonic()
            number = await limit.take(wanted)
            assert 1 <= number <= wanted
            grants.append((before, time.monotonic(), number))

    async with AsyncExitStack() as stack:
        limits = [
            await stack.enter_async_context(connect(limited(private_redis.url, rate)))
            for _ in range(3)
        ]
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(
                *(taker(limit, wanted) for limit, wanted in zip(limits, (1, 10, 300), strict=True))
            )
        assert [limit.scope for limit in limits] == ["fleet"] * 3
    # Redis granted each of them somewhere between its two instants, whatever held us up.
    for start in {before for before, _, _ in grants}:
        inside = sorted((after, number) for before, after, number in grants if before >= start)
        total = 0
        for after, number in inside:
            total += number
            assert total <= rate * (after - start) + burst(rate) + 1
    assert told() == []


@pytest.fixture(scope="module")
def asked(redis_server: RedisServer) -> Callable[..., Any]:
    """The script as Redis runs it, at the instant that the test gives it."""
    text = SCRIPT.read_text()
    # Its bucket expires by Redis' own clock, so not at all before the test is over.
    for was, becomes in {
        "redis.call('TIME')": "{ARGV[4], ARGV[5]}",
        "math.ceil(microseconds / 1000)": "600000",
    }.items():
        assert was in text
        text = text.replace(was, becomes)
    client = Redis.from_url(redis_server.url)
    client.flushall()
    script = client.register_script(text)

    def ask(key: str, rate: int, wanted: int, now: int) -> Any:
        arguments = (rate, burst(rate), wanted, *divmod(now, 1_000_000))
        return script(keys=[key], args=arguments)

    return ask


@hypothesis_settings(max_examples=50)
@given(
    rate=st.integers(1, 20_000),
    takes=st.lists(st.tuples(st.integers(0, 200_000), st.integers(1, 3_000)), max_size=25),
)
def test_redis_grants_what_the_bucket_of_the_process_would_and_never_more(
    asked: Callable[..., Any], rate: int, takes: list[tuple[int, int]]
) -> None:
    name = f"model:{secrets.token_hex(8)}"
    start = now = 1_700_000_000_000_000
    mine, theirs, bucket = 0, 0, Bucket(rate)
    for pause, wanted in takes:
        now += pause
        granted, wait = asked(name, rate, wanted, now)
        expected, patience = bucket.take(wanted, (now - start) / 1e6)
        assert granted <= wanted
        theirs, mine = theirs + granted, mine + expected
        # Redis rounds to microseconds, upwards: a permit may come a little later.
        assert abs(mine - theirs) <= 1 + 2e-6 * rate * len(takes)
        assert theirs <= rate * (now - start) / 1e6 + burst(rate) + 1e-6
        if not granted and not expected:
            assert wait / 1e6 == pytest.approx(patience, abs=2e-6 * len(takes))


def test_a_clock_of_redis_that_was_put_back_costs_one_burst(asked: Callable[..., Any]) -> None:
    name, now = f"back:{secrets.token_hex(8)}", 1_700_000_000_000_000
    assert asked(name, 100, 50, now) == [10, 0]
    granted, wait = asked(name, 100, 50, now - 3_600_000_000)
    assert granted == 0
    assert wait == pytest.approx(10_000, abs=2)


async def test_the_bucket_is_the_queue_s_and_disappears_by_itself(
    private_redis: RedisServer,
) -> None:
    with Redis.from_url(private_redis.url) as client:
        async with connect(limited(private_redis.url, rate=1)) as limit:
            assert await limit.take(5) == 1
            assert client.keys() == [b"bdaysched:rate:tests"]
            assert 0 < client.pttl("bdaysched:rate:tests") <= 1_001


async def test_a_take_that_is_cancelled_leaves_the_rest_as_it_was(
    private_redis: RedisServer,
) -> None:
    async with connect(limited(private_redis.url, rate=2)) as limit:
        assert await limit.take(1) == 1
        waiting = [asyncio.create_task(limit.take(1)) for _ in range(5)]
        await asyncio.sleep(0.01)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert await asyncio.wait_for(limit.take(1), PATIENCE) == 1
        assert limit.scope == "fleet"


async def _works_alone_then_together(
    limit: RateLimit, told: Callable[[], list[str]], mend: Callable[[], object]
) -> str:
    """Return the warning, having seen that delivery goes on without Redis and comes back to it."""
    await until(limit, Scope.PROCESS)
    async with asyncio.timeout(PATIENCE):
        while limit._pause < 8 * FIRST_PAUSE:  # it has tried again, more and more rarely
            await asyncio.gather(*(limit.take(5) for _ in range(3)))
    assert limit.scope == "process"
    mended = mend()
    if asyncio.iscoroutine(mended):
        await mended
    await until(limit, Scope.FLEET)
    warning, *more, back = told()
    # An impatient one may, on a busy machine, lose Redis once more on its way back.
    assert not more or rate_limit._PATIENCE < PATIENCE
    assert back == "Redis is back: DELIVERY_RATE=500 holds for the whole fleet"
    assert "DELIVERY_RATE=500 holds for each worker by itself. Check REDIS_URL" in warning
    return warning


@pytest.mark.usefixtures("impatient")
async def test_redis_falls_silent(
    private_redis: RedisServer, told: Callable[[], list[str]]
) -> None:
    async with connect(limited(private_redis.url)) as limit:
        await limit.take(1)
        private_redis.freeze()
        warning = await _works_alone_then_together(limit, told, private_redis.thaw)
        assert "no answer within 0.2 s" in warning


async def test_redis_is_killed_and_comes_back_without_the_script(
    private_redis: RedisServer, told: Callable[[], list[str]]
) -> None:
    async with connect(limited(private_redis.url)) as limit:
        await limit.take(1)
        private_redis.kill()
        await _works_alone_then_together(limit, told, private_redis.start)


async def test_the_network_is_cut_in_the_middle_of_a_call(
    private_redis: RedisServer, told: Callable[[], list[str]]
) -> None:
    async with (
        proxy(private_redis.port) as between,
        connect(limited(f"redis://127.0.0.1:{between.port}")) as limit,
    ):
        await limit.take(1)
        between.go_silent()
        taking = [asyncio.create_task(limit.take(1)) for _ in range(3)]
        await asyncio.sleep(0.01)
        await between.cut()
        await asyncio.wait_for(asyncio.gather(*taking), PATIENCE)
        await _works_alone_then_together(limit, told, between.recover)


@pytest.mark.usefixtures("impatient")
async def test_the_network_is_silent_before_the_first_call(
    private_redis: RedisServer, told: Callable[[], list[str]]
) -> None:
    async with proxy(private_redis.port) as between:
        between.go_silent()
        async with connect(limited(f"redis://127.0.0.1:{between.port}")) as limit:
            await _works_alone_then_together(limit, told, between.recover)


async def test_redis_is_away_from_the_start(
    private_redis: RedisServer, told: Callable[[], list[str]]
) -> None:
    private_redis.stop()
    async with connect(limited(private_redis.url)) as limit:
        warning = await _works_alone_then_together(limit, told, private_redis.start)
        assert f"Error 111 connecting to 127.0.0.1:{private_redis.port}" in warning


async def test_redis_has_become_a_replica(
    private_redis: RedisServer, told: Callable[[], list[str]]
) -> None:
    async with connect(limited(private_redis.url)) as limit:
        await limit.take(1)
        with Redis.from_url(private_redis.url) as client:
            client.replicaof("127.0.0.1", 1)
            warning = await _works_alone_then_together(
                limit, told, lambda: client.replicaof("no", "one")
            )
            assert "read only replica" in warning


async def test_redis_is_out_of_memory(
    private_redis: RedisServer, told: Callable[[], list[str]]
) -> None:
    async with connect(limited(private_redis.url)) as limit:
        await limit.take(1)
        with Redis.from_url(private_redis.url) as client:
            client.config_set("maxmemory", 1)
            warning = await _works_alone_then_together(
                limit, told, lambda: client.config_set("maxmemory", 0)
            )
            assert "used memory > 'maxmemory'" in warning


async def test_redis_wants_another_password(
    private_redis: RedisServer, told: Callable[[], list[str]]
) -> None:
    url = private_redis.url.replace("127", ":geheim@127")
    with Redis.from_url(private_redis.url) as client:
        client.config_set("requirepass", "another")
        async with connect(limited(url)) as limit:
            warning = await _works_alone_then_together(
                limit, told, lambda: client.config_set("requirepass", "geheim")
            )
            assert "password" in warning
            assert "geheim" not in warning


async def test_redis_is_still_loading(
    private_redis: RedisServer, told: Callable[[], list[str]]
) -> None:
    with Redis.from_url(private_redis.url) as client:
        client.mset({f"{number}": "x" * 100 for number in range(20_000)})
        client.save()
        private_redis.stop()
        # It takes that many microseconds for each key, and answers others between them.
        private_redis.start(
            *("--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024")
        )
        async with connect(limited(private_redis.url)) as limit:
            warning = await _works_alone_then_together(
                limit, told, lambda: client.config_set("key-load-delay", 0)
            )
            assert "loading the dataset in memory" in warning


@pytest.mark.parametrize("url", ["not-a-url", "http://:geheim@127.0.0.1", "redis://:geheim@a:b"])
async def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match=r"^REDIS_URL='.*write redis://") as refused:
        async with connect(limited(url)):
            pass
    assert "geheim" not in str(refused.value)


async def test_redis_without_its_library_is_refused_but_only_with_a_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(UsageError, match=r"bdaysched\[redis\]"):
        async with connect(limited("redis://127.0.0.1")):
            pass
    async with connect(limited("redis://127.0.0.1", rate=0)) as limit:
        assert await limit.take(3) == 3
