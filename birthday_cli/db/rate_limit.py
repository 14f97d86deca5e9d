"""The limit on deliveries a second, shared by the fleet through Redis where there is one.

The bucket lives in Redis under the queue's name. A Redis that is away, or refuses, never stops
delivery: meanwhile each process keeps to the limit by itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from birthday_cli.config import Settings
from birthday_cli.domain.rate import Bucket, burst
from birthday_cli.errors import UsageError, redact

if TYPE_CHECKING:
    from redis.asyncio import Redis

_log = logging.getLogger(__name__)

# Longest wait for Redis in one take: longer than a busy one needs, too short to be felt.
_PATIENCE = 0.5
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 10.0
# Who did not get all that was wanted has emptied the bucket, and asks again when 10 ms of permits
# have come together: a call of Redis for each message would cost more than the message.
_CALLS_PER_SECOND = 100


class Scope(StrEnum):
    """Whom the limit holds for at present."""

    NONE = "none"
    PROCESS = "process"
    FLEET = "fleet"


class RateLimit:
    """Hands out permits, one for each delivery; see `connect`."""

    def __init__(self, rate: int, shared: _SharedBucket | None = None) -> None:
        self._rate = rate
        self._shared = shared
        self._own = Bucket(rate)
        self._away = False
        self._pause = _FIRST_PAUSE
        self._next_try = 0.0
        self._worth_asking = 0.0

    @property
    def scope(self) -> Scope:
        """Whom the limit holds for at present; Redis counts as there until a take finds out."""
        if not self._rate:
            return Scope.NONE
        return Scope.FLEET if self._shared and not self._away else Scope.PROCESS

    async def take(self, wanted: int) -> int:
        """Return between 1 and wanted permits, once there are any.

        There is no giving back: what is not used is lost, and so is what was on its way when the
        call is cancelled.
        """
        if not self._rate:
            return wanted
        loop = asyncio.get_running_loop()
        together = min(wanted, max(1, self._rate // _CALLS_PER_SECOND))
        while True:
            if (wait := self._worth_asking - loop.time()) > 0:
                await asyncio.sleep(wait)
            granted, wait = await self._ask(wanted)
            if granted < wanted:
                self._worth_asking = loop.time() + wait + (together - 1) / self._rate
            if granted:
                return granted

    async def _ask(self, wanted: int) -> tuple[int, float]:
        now = asyncio.get_running_loop().time()
        if self._shared and (not self._away or now >= self._next_try):
            # Of several takes at once, one tries; the others do not wait for it.
            self._next_try = now + self._pause
            try:
                answer = await self._shared.take(wanted)
            except ConnectionError as problem:
                self._lost(problem)
            else:
                self._found()
                return answer
        return self._own.take(wanted, asyncio.get_running_loop().time())

    def _lost(self, problem: ConnectionError) -> None:
        if self._away:
            self._pause = min(self._pause * 2, _LONGEST_PAUSE)
            return
        self._away = True
        _log.warning(
            "Redis is not to be had (%s): until it is, DELIVERY_RATE=%d holds for each worker by"
            " itself. Check REDIS_URL, and that the server runs",
            problem,
            self._rate,
        )

    def _found(self) -> None:
        if self._away:
            self._away = False
            self._pause = _FIRST_PAUSE
            _log.info("Redis is back: DELIVERY_RATE=%d holds for the whole fleet", self._rate)


class _SharedBucket:
    """The bucket in Redis."""

    def __init__(self, client: Redis, queue: str, rate: int) -> None:
        self._script = client.register_script(
            Path(__file__).with_suffix(".lua").read_text(encoding="utf-8")
        )
        self._key = f"bdaysched:rate:{queue}"
        self._rate = rate

    async def take(self, wanted: int) -> tuple[int, float]:
        """Do what Bucket.take does; ConnectionError, whatever the reason, if Redis does not."""
        from redis import RedisError

        try:
            async with asyncio.timeout(_PATIENCE):
                asked: Awaitable[list[int]] = self._script(
                    keys=[self._key], args=[self._rate, burst(self._rate), wanted]
                )
                granted, microseconds = await asked
        except TimeoutError as problem:
            raise ConnectionError(f"no answer within {_PATIENCE} s") from problem
        except (RedisError, OSError) as problem:
            raise ConnectionError(redact(" ".join(str(problem).split())).rstrip(".")) from problem
        return granted, microseconds / 1_000_000


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[RateLimit]:
    """Yield the limit that DELIVERY_RATE asks for; with REDIS_URL it holds for the whole fleet.

    Redis is not contacted before the first take, and never without a limit. Raises UsageError when
    REDIS_URL is none, or the extra `redis` is missing.
    """
    rate = settings.delivery_rate
    if not rate:
        yield RateLimit(0)
        return
    if not settings.redis_url:
        _log.warning(
            "DELIVERY_RATE=%d holds for each worker by itself: set REDIS_URL to share it", rate
        )
        yield RateLimit(rate)
        return
    try:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
    except ImportError as problem:
        raise UsageError(
            "REDIS_URL is set, and the library for it is not installed:"
            " pip install 'bdaysched[redis]', or unset REDIS_URL or DELIVERY_RATE"
        ) from problem
    try:
        # Trying again is ours to decide; the older protocol needs no greeting on each connection.
        client = Redis.from_url(settings.redis_url, retry=Retry(NoBackoff(), 0), protocol=2)
    except ValueError as problem:
        raise UsageError(
            f"REDIS_URL={redact(settings.redis_url)!r} is not a URL of Redis"
            f" ({redact(str(problem))}): write redis://:password@host:6379/0"
        ) from problem
    async with client:
        yield RateLimit(rate, _SharedBucket(client, settings.broker_queue, rate))
