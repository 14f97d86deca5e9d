"""Is the session ours? Poolers that share one between transactions lose what is set and locked."""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.conninfo import make_conninfo

from birthday_cli.db.queries import query
from birthday_cli.errors import BdayschedError, UsageError

if TYPE_CHECKING:
    from birthday_cli.db.connect import Connection

_INSTEAD = (
    "give the URL of PostgreSQL itself in DATABASE_URL, or of a pool in session mode that passes"
    " `options` on"
)
# What PgBouncer and RDS Proxy say to the settings that every session of ours starts with.
_REFUSAL = re.compile(r"unsupported startup parameter|doesn't support command-line options")
# A busy pool may by chance give both connections processes of their own.
_ROUNDS = 5
_PATIENCE = 5.0


def require_session(connection: Connection) -> None:
    """Raise UsageError if a pooler gives the server process to others between our transactions.

    A session belongs to one process, so a second connection that meets the process of the first,
    which is still open, or a first one that has moved to another process, proves it. Nothing is
    changed, and nothing but such a pooler is taken for one: where a second connection is refused,
    or gets no answer in 5 s, there is no proof.
    """
    connection.execute(query("pooler/keep_session"))
    try:
        ours = _process(connection)
        for theirs in _processes_of_another(connection):
            if theirs == ours or _process(connection) != ours:
                raise UsageError(
                    "a pooler between here and PostgreSQL gives every transaction another session"
                    f" (PgBouncer in transaction mode does), and locks are lost: {_INSTEAD}"
                )
    finally:
        if not connection.closed:
            connection.execute(query("pooler/let_session_go"))


def explain(text: str) -> BdayschedError | None:
    """Return the error for libpq's text if a pooler refused our session's settings, else None."""
    refused = _REFUSAL.search(text)
    return refused and UsageError(
        f"a pooler between here and PostgreSQL refuses our session's settings"
        f" ({text[refused.start() :]}): {_INSTEAD}"
    )


def _process(connection: Connection) -> object:
    return connection.execute(query("pooler/identify_process")).fetchone()


def _processes_of_another(connection: Connection) -> Iterator[object]:
    """Yield the process that another connection is on, in transactions that are open meanwhile.

    The first one is over by then, since a pooler that works by statements refuses longer ones.
    """
    try:
        with _another(connection) as other:
            yield _process(other)
            for _ in range(_ROUNDS):
                with other.transaction():
                    yield _process(other)
    except psycopg.OperationalError:
        return


@contextmanager
def _another(connection: Connection) -> Iterator[Connection]:
    """Yield a connection made like connection, to the same address; it breaks off after 5 s."""
    info = connection.info
    parameters: dict[str, Any] = {
        **info.get_parameters(),
        "password": info.password,
        "host": info.host,
        "hostaddr": info.hostaddr,
        "port": info.port,
    }
    with psycopg.connect(make_conninfo(**parameters), autocommit=True) as other:
        # In a full pool in session mode it would wait for as long as we are there.
        timer = threading.Timer(_PATIENCE, _break_off, [other])
        timer.start()
        try:
            yield other
        finally:
            timer.cancel()


def _break_off(connection: Connection) -> None:
    with (
        suppress(OSError, psycopg.OperationalError),
        socket.socket(fileno=os.dup(connection.fileno())) as ours,
    ):
        ours.shutdown(socket.SHUT_RDWR)
