"""The optional Redis: never needed, and never trusted to be there."""

from __future__ import annotations

from birthday_cli.config import Settings
from birthday_cli.errors import redact

_PATIENCE = 1.0


def state(settings: Settings) -> str:
    """Return `not set`, `ok`, or why Redis does not answer, in one line."""
    if not settings.redis_url:
        return "not set"
    try:
        import redis
    except ModuleNotFoundError:
        return "not installed: pip install 'bdaysched[redis]'"
    try:
        with redis.Redis.from_url(
            settings.redis_url, socket_connect_timeout=_PATIENCE, socket_timeout=_PATIENCE
        ) as client:
            client.ping()
    except (redis.RedisError, ValueError) as problem:
        return f"unreachable: {redact(' '.join(str(problem).split()))}"
    return "ok"
