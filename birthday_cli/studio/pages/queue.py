"""The queue: what waits, by the rows and by the broker; who works, and what they wait for."""

from __future__ import annotations

from typing import Any

from birthday_cli.pipeline import queue
from birthday_cli.pipeline.looking import monitor
from birthday_cli.studio.desk import Desk, Query

PATH = "/queue"
TEMPLATE = "queue.html"
LIVES = True
_TABLES = ("queue", "stuck", "workers", "connections", "locks")


def find(desk: Desk, query: Query) -> dict[str, Any]:  # noqa: ARG001 - as all pages
    """Return how full the queue is, and the tables of `monitor` that tell why."""
    now, reading = desk.now(), desk.reading
    found, _ = queue.status(reading)
    return {
        "queue": found,
        "tables": [(name, monitor.table(reading, name, now, desk.cache)) for name in _TABLES],
    }
