"""The monitoring tables, and what all who look share: a server that stays, a cache."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from birthday_cli.config import Settings
from birthday_cli.db import monitoring
from birthday_cli.db.cache import Cache
from birthday_cli.db.connect import connect, database
from birthday_cli.db.monitoring import Table as Table
from birthday_cli.db.queries import query

FRESH_FOR = 2.0
"""Seconds for which figures are as good as new to whoever watches them."""


@contextmanager
def held(settings: Settings) -> Iterator[tuple[Settings, Cache]]:
    """Yield settings and a cache for looking again and again.

    A private server keeps running meanwhile.
    """
    with database(settings) as conninfo:
        yield replace(settings, database_url=conninfo), Cache(settings)


def table(settings: Settings, name: str, now: datetime, cache: Cache | None = None) -> Table:
    """Return the monitoring table called name; UsageError, with the choices, if there is none.

    With a cache it may be `FRESH_FOR` old.
    """

    def ask() -> dict[str, Any]:
        with connect(settings, "bdaysched monitor") as connection:
            connection.execute(query("status/set_patience"))
            return monitoring.packed(monitoring.table(connection, name, settings, now))

    return monitoring.unpacked(cache.get(key(settings, name), FRESH_FOR, ask) if cache else ask())


def tables() -> dict[str, str]:
    """Return the monitoring tables there are, with their titles."""
    return monitoring.names()


def key(settings: Settings, name: str) -> str:
    """Return what to keep the figures called name under: who may see others sees other figures."""
    try:
        url = conninfo_to_dict(settings.database_url)
    except Exception:  # what is wrong with it is told by whoever connects
        url = {}
    whose = [
        *(str(url.get(part, "")) for part in ("host", "hostaddr", "port", "dbname", "user")),
        settings.bdaysched_now,
        str(settings.database_pool_max),
        str(settings.recover_queued_after),
    ]
    return f"{hashlib.sha256(repr(whose).encode()).hexdigest()[:16]}:{name}"
