"""Settings: the environment, NAME_FILE for secrets, then `.env`; flags are laid over by the CLI."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from birthday_cli.errors import UsageError

_MAY_BE_ZERO = {"MAX_LATENESS", "DELIVERY_RATE", "METRICS_PORT"}


def _setting(default: Any, help_text: str) -> Any:
    return field(default=default, metadata={"help": help_text})


@dataclass(frozen=True)
class Settings:
    """Every setting; the environment variable is the field's name in capitals.

    Times are seconds, or have a unit: `90s`, `15m`, `48h`, `7d`. Any of them may come as NAME_FILE,
    the path of a file that holds the value.
    """

    database_url: str = _setting("", "`postgresql://…`, or `embedded:DIR` for a private server")
    scratch_database_url: str = _setting("", "server for scratch databases, if not DATABASE_URL's")
    broker_url: str = _setting(
        "postgres:", "`amqp://…` or `amqps://…`, hosts with commas; or `postgres:`"
    )
    redis_url: str = _setting("", "optional; `redis://…`")
    delivery_url: str = _setting("", "`https://…`, `smtp://…`, `smtps://…` or `console:`")
    delivery_secret: str = _setting("", "signs webhooks (Standard Webhooks); `whsec_…` or any text")
    delivery_timeout: float = _setting(10.0, "longest wait for the delivery service")
    delivery_ca: str = _setting("", "who vouches for the delivery service: PEM, or a file's path")
    delivery_cert: str = _setting("", "our certificate for it: PEM, or a file's path")
    delivery_key: str = _setting("", "the certificate's key: PEM, or a file's path")
    delivery_rate: int = _setting(0, "most messages a second, of the fleet; `0` means no limit")
    delivery_from: str = _setting("birthdays@localhost", "sender of SMTP messages")
    database_pool_max: int = _setting(20, "most connections that one process opens")
    database_connect_timeout: int = _setting(10, "longest wait for a connection")
    database_idle_timeout: float = _setting(30.0, "an idle connection closes after this")
    broker_connect_timeout: float = _setting(10.0, "longest wait for the broker")
    broker_queue: str = _setting("birthday.messages", "name of the queue, and start of its family")
    broker_delivery_limit: int = _setting(20, "redeliveries before a reference is dead-lettered")
    schedule_horizon: float = _setting(172_800.0, "how far ahead messages are planned")
    message_types: str = _setting("", "file that declares the types; without it, our own")
    max_lateness: float = _setting(
        0.0, "too late after this; `0` means when the user's day is over"
    )
    quiet_hours: str = _setting(
        "00:00-08:00", "nothing is sent then, by the user's clock; or `off`"
    )
    leap_day: str = _setting("feb-28", "29 February in common years: `feb-28`, `mar-1` or `skip`")
    worker_concurrency: int = _setting(64, "requests under way at once in one worker")
    worker_prefetch: int = _setting(1_000, "references that a worker holds unacknowledged")
    worker_lease: float = _setting(300.0, "a claimed message is taken back after this")
    worker_drain_timeout: float = _setting(30.0, "what is under way at SIGTERM may take this long")
    worker_max_attempts: int = _setting(8, "attempts before a message is FAILED")
    worker_breaker: int = _setting(20, "failures in a row after which a worker pauses and probes")
    ambiguous: str = _setting("retry", "sent, and no answer: `retry`, or `hold` for a person")
    recover_queued_after: float = _setting(600.0, "age at which a QUEUED row may be stuck")
    response_body_limit: int = _setting(2_000, "characters of a response that are recorded")
    metrics_port: int = _setting(0, "the worker's /healthz, /readyz and /metrics; `0` means none")
    metrics_host: str = _setting("127.0.0.1", "the address on which they are served")
    log_level: str = _setting("info", "`debug`, `info`, `warning` or `error`")
    bdaysched_now: str = _setting("", "ISO 8601 instant at which the clock starts (tests, drills)")


class Clock:
    """The time as planning, dispatching, partitions and reports see it.

    Starts at a given instant and runs on from there at the real pace. Leases, time-outs and
    pauses do not use it.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self._ahead = start - datetime.now(UTC) if start else timedelta()

    def now(self) -> datetime:
        """Return the current instant, in UTC."""
        return datetime.now(UTC) + self._ahead

    def move_to(self, moment: datetime) -> None:
        """Go on from moment."""
        self._ahead = moment - datetime.now(UTC)


def load(environ: Mapping[str, str] | None = None, dotenv: Path | None = None) -> Settings:
    """Read the settings.

    Raises UsageError, naming the variable, for a value that is not of its kind.
    """
    environment = os.environ if environ is None else environ
    values = {**_read_dotenv(Path(".env") if dotenv is None else dotenv), **environment}
    found: dict[str, Any] = {}
    for setting in fields(Settings):
        name = setting.name.upper()
        raw = _value(name, environment) or _value(name, values)
        if raw:
            found[setting.name] = _parse(name, raw, type(setting.default))
    return Settings(**found)


def clock(settings: Settings) -> Clock:
    """Return the clock that BDAYSCHED_NOW asks for; UsageError if that is not an instant."""
    if not settings.bdaysched_now:
        return Clock()
    try:
        start = datetime.fromisoformat(settings.bdaysched_now)
    except ValueError:
        start = None
    if start is None or start.tzinfo is None:
        raise UsageError(
            f"BDAYSCHED_NOW={settings.bdaysched_now!r} is not an instant: write it like"
            " 2026-03-01T09:00:00Z, with its offset"
        )
    return Clock(start.astimezone(UTC))


def _value(name: str, values: Mapping[str, str]) -> str:
    if values.get(name):
        return values[name]
    path = values.get(f"{name}_FILE")
    if not path:
        return ""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(f"{name}_FILE={path} cannot be read: {problem}") from problem


def _parse(name: str, raw: str, kind: type) -> Any:
    if kind is str:
        return raw
    try:
        value = int(raw) if kind is int else seconds(raw)
    except ValueError as problem:
        wanted = "a whole number" if kind is int else "a time such as 90s, 15m, 48h or 7d"
        raise UsageError(f"{name}={raw!r} is not {wanted}") from problem
    if value < 0 or (value == 0 and name not in _MAY_BE_ZERO):
        raise UsageError(f"{name}={raw!r} must be greater than 0")
    return value


def seconds(text: str) -> float:
    """Return the seconds that text names: `90`, `90s`, `15m`, `48h` or `7d`; else ValueError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a time: write it like 90s, 15m, 48h or 7d")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]]


def _read_dotenv(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(f"{path} cannot be read: {problem}") from problem
    values = {}
    for number, line in enumerate(lines, 1):
        text = line.strip().removeprefix("export ")
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"{path}, line {number}: expected NAME=value")
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        values[name.strip()] = value
    return values
