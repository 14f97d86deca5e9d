"""What a drill is to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import LiteralString

from tests.drill.fleet import BDAYSCHED


@dataclass(frozen=True)
class Course:
    """What a drill is to be. Times are seconds.

    `program` runs the program's commands, and `prepare` is SQL for the migrated database: a test of
    the judge breaks something there.
    """

    messages: int = 20_000
    seed: int = 1
    brokers: str = "rabbitmq"
    seconds: float = 360.0
    settle: float = 300.0
    pause: float = 5.0
    workers: int = 3
    schedulers: int = 2
    concurrency: int = 16
    lease: float = 5.0
    trouble: float = 0.03
    rejected: float = 0.002
    requeue_after: float = 10.0
    only: frozenset[str] = frozenset()
    program: tuple[str, ...] = BDAYSCHED
    prepare: LiteralString = ""
    say: Callable[[str], None] = field(default=lambda _: None)
