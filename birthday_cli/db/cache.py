"""The optional Redis: never needed, and never trusted to be there.

It keeps figures that are expensive to find for a few seconds, so that many who look at the same
time cost as much as one. Without it, and while it is away, everyone asks the database.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from birthday_cli.config import Settings
from birthday_cli.errors import redact

if TYPE_CHECKING:
    from redis import Redis

_PATIENCE = 1.0
# One who asks and dies keeps the others waiting for no longer; it is also the longest question.
_LONGEST_QUESTION = 10.0
_LOOK_AGAIN = 0.05
# How long after its time the last answer is better than to wait for the next.
_LAST_KEPT_FOR = 30.0
# So long nobody tries Redis again after it was away, for each try may take `_PATIENCE`.
_PAUSE = 10.0


def state(settings: Settings) -> str:
    """Return `not set`, `ok`, or why Redis does not answer, in one line."""
    if not settings.redis_url:
        return "not set"
    try:
        import redis
    except ModuleNotFoundError:
        return "not installed: pip install 'bdaysched[redis]'"
    try:
        with _client(settings) as client:
            client.ping()
    except (redis.RedisError, ValueError) as problem:
        return f"unreachable: {redact(' '.join(str(problem).split()))}"
    return "ok"


class Cache:
    """Figures for a few seconds; may be used by several threads at once.

    Of those who ask for the same at the same time, in whatever process, one does; the others take
    the last answer, if that is not older than half a minute, or wait for the next.
    """

    def __init__(self, settings: Settings) -> None:
        self._client: Redis | None = None
        self._away_until = 0.0
        if settings.redis_url:
            # A wrong URL or a missing library is told by `status`, and costs nobody a figure.
            with suppress(ModuleNotFoundError, ValueError):
                self._client = _client(settings)

    def get(self, key: str, seconds: float, ask: Callable[[], Any]) -> Any:
        """Return what ask returned at most `seconds` ago, here or elsewhere, or does now.

        It must be what JSON holds. What ask raises is raised, and Redis never keeps it from being
        called.
        """
        if not self._client or time.monotonic() < self._away_until:
            return ask()
        from redis import RedisError

        name = f"bdaysched:figures:{key}"
        try:
            lock = self._client.lock(f"{name}:asking", timeout=_LONGEST_QUESTION)
            found, is_ours = self._find(name, lock)
        except (RedisError, OSError, ValueError):
            self._away_until = time.monotonic() + _PAUSE
            return ask()
        if not is_ours:
            return ask() if found is None else found[0]
        try:
            answer = ask()
            with suppress(RedisError, OSError):
                self._keep(name, seconds, answer)
        finally:
            with suppress(RedisError, OSError):
                lock.release()
        return answer

    def _find(self, name: str, lock: Any) -> tuple[list[Any] | None, bool]:
        """Return a kept answer, in a list of its own, or that it is ours to ask, or neither."""
        assert self._client  # noqa: S101 - for mypy; `get` has looked
        give_up = time.monotonic() + _LONGEST_QUESTION
        while True:
            fresh, last = self._client.mget(name, f"{name}:last")
            if fresh:
                return [json.loads(fresh)], False
            if lock.acquire(blocking=False):
                # Somebody may have answered in between.
                if fresh := self._client.get(name):
                    lock.release()
                    return [json.loads(fresh)], False
                return None, True
            if last:
                return [json.loads(last)], False
            if time.monotonic() > give_up:
                return None, False
            time.sleep(_LOOK_AGAIN)

    def _keep(self, name: str, seconds: float, answer: Any) -> None:
        assert self._client  # noqa: S101 - for mypy; `get` has looked
        text = json.dumps(answer)
        with self._client.pipeline() as both:
            both.set(name, text, px=max(int(seconds * 1000), 1))
            both.set(f"{name}:last", text, px=int((seconds + _LAST_KEPT_FOR) * 1000))
            both.execute()


def _client(settings: Settings) -> Redis:
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return Redis.from_url(
        settings.redis_url,
        socket_connect_timeout=_PATIENCE,
        socket_timeout=_PATIENCE,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
    )
