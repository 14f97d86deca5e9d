"""One message, for workers whose tasks block a thread: pooled psycopg, pooled urllib3."""

from __future__ import annotations

import os

import urllib3
from psycopg_pool import ConnectionPool

from benchmarks.peers import statements

_THREADS = int(os.environ.get("PEER_THREADS", "1"))


# One of each in a process. Opened at the first task and not here: a fork cannot share connections.
_DATABASE = ConnectionPool(
    statements.DATABASE_URL,
    min_size=_THREADS,
    max_size=_THREADS,
    kwargs={"autocommit": True, "options": statements.SESSION},
    open=False,
)
_HTTP = urllib3.PoolManager(maxsize=_THREADS, block=True, retries=False)


def deliver(identity: str, send_time: str) -> None:
    """Claim, post, and record; what is not ours to claim is done."""
    _DATABASE.open()
    with _DATABASE.connection() as connection:
        row = connection.execute(statements.CLAIM, (identity, send_time)).fetchone()
    if row is None:
        return
    headers, body = statements.request(row, send_time)
    answer = _HTTP.request(
        "POST",
        statements.DELIVERY_URL,
        body=body,
        headers=headers,
        timeout=statements.TIMEOUT,
    )
    if not 200 <= answer.status < 300:
        raise RuntimeError(f"answered {answer.status}")
    with _DATABASE.connection() as connection:
        connection.execute(
            statements.RECORD, (answer.status, answer.data.decode(), identity, send_time)
        )
