"""What the benchmarks share: the suite's private servers, users by the million, one JSON line."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from birthday_cli.config import Settings
from birthday_cli.db.connect import Connection
from birthday_cli.pipeline.schema.migrate import migrate
from tests.facts import NOW
from tests.servers import postgres, process, rabbitmq

HORIZON = timedelta(hours=48)
DUE_ON = (NOW + timedelta(days=1)).date()
"""The local date on which all who are due celebrate: within the horizon in every zone."""

# Statistics and dead rows are then what a benchmark says they are.
_CONFIGURATION = """
autovacuum = off
"""

# Everything as it comes, but for the sizes. With the instants of the commits it is the server that
# says when something was recorded. What is given later in the file counts.
_DURABLE = """
autovacuum = on
fsync = on
shared_buffers = 1GB
max_wal_size = 8GB
track_commit_timestamp = on
"""

_NGINX = """
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        default_type application/json;
        location = /requests {{ stub_status; }}
        location / {{ {answer} }}
        location @answer {{ return 200 '{body}'; }}
    }}
}}
"""
# nginx cannot wait. It can wait for somebody: for one who never takes its connection.
_AT_ONCE = "return 200 '{body}';"
_LATER = (
    "proxy_connect_timeout {milliseconds}ms; proxy_pass http://127.0.0.1:{nobody};"
    " error_page 502 504 =200 @answer;"
)
ANSWER = '{"accepted":true}'
"""The body of every answer of the receiver."""

# The k-th of those who are due is the same person however many others there are, and they lie
# scattered among these. Nobody else celebrates anywhere near the horizon.
_FILL = """
INSERT INTO users (
    id, first_name, last_name, email, timezone, birthday_date, anniversary_date
)
SELECT
    md5(name)::uuid, 'Ada ' || name, 'Lovelace', name || '@example.com',
    zones.names[1 + abs(hashint8(k)) %% cardinality(zones.names)],
    to_char(CASE WHEN is_due THEN day ELSE day + 30 + (k %% 300)::integer END, 'MM-DD'),
    to_char(day + 30 + (k %% 299)::integer, 'MM-DD')
FROM generate_series(1, %(users)s::bigint) AS n
CROSS JOIN (SELECT %(day)s::date AS day, %(users)s / %(due)s AS step) AS given
CROSS JOIN (SELECT array_agg(name ORDER BY name) AS names FROM time_zones) AS zones
CROSS JOIN LATERAL (SELECT n %% step = 0 AND n / step <= %(due)s AS is_due) AS whether
CROSS JOIN LATERAL (SELECT CASE WHEN is_due THEN n / step ELSE n END AS k) AS number
CROSS JOIN LATERAL (SELECT CASE WHEN is_due THEN 'due' ELSE 'other' END || k AS name) AS person
"""


@contextmanager
def postgres_server(
    configuration: str = "", durable: bool = False
) -> Iterator[postgres.PostgresServer]:
    """Yield a private server, gone afterwards; in memory, or durable and on disk."""
    # A terminated benchmark stops its servers, as an interrupted one does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with process.folder("benchmark", on_disk=durable) as folder:
        server = postgres.PostgresServer(postgres.system_binaries(), folder)
        with (server.data / "postgresql.conf").open("a") as file:
            file.write(_CONFIGURATION + (_DURABLE if durable else "") + configuration)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def rabbitmq_node() -> Iterator[rabbitmq.RabbitNode]:
    """Yield a private RabbitMQ node, gone afterwards; on disk, since a confirm means that."""
    with process.folder("benchmark", on_disk=True) as folder:
        node = rabbitmq.RabbitNode(folder)
        try:
            node.start()
            yield node
        finally:
            node.remove()


@dataclass(frozen=True)
class Nginx:
    """A receiver that answers every POST with 200 and ANSWER."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def url(self) -> str:
        """Where to post to."""
        return f"http://127.0.0.1:{self.port}/messages"

    def requests(self) -> int:
        """Return how many requests there were, this one included."""
        address = f"http://127.0.0.1:{self.port}/requests"
        with urllib.request.urlopen(address) as answer:
            return int(answer.read().split()[9])


@contextmanager
def nginx(delay: float = 0.0) -> Iterator[Nginx]:
    """Yield a receiver on loopback that takes delay seconds to answer."""
    with process.folder("benchmark") as folder, _nobody() as nobody:
        port = process.free_port()
        later = _LATER.format(milliseconds=round(delay * 1_000), nobody=nobody)
        answer = later if delay else _AT_ONCE.format(body=ANSWER)
        (folder / "nginx.conf").write_text(_NGINX.format(port=port, answer=answer, body=ANSWER))
        running = process.start(
            [
                shutil.which("nginx") or "/usr/sbin/nginx",
                *("-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"),
            ],
            cwd=folder,
            log=folder / "nginx.log",
            ready=lambda: _accepts(port),
        )
        try:
            yield Nginx(running, port)
        finally:
            process.stop(running, signal.SIGTERM)


@contextmanager
def _nobody() -> Iterator[int]:
    """Yield a port whose queue of connections is full: who connects is left waiting."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        try:
            for client in waiting:
                client.settimeout(0.2)
                with suppress(TimeoutError):
                    client.connect(listener.getsockname())
            yield listener.getsockname()[1]
        finally:
            for client in waiting:
                client.close()


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def migrated_database(server: postgres.PostgresServer, name: str) -> Iterator[Connection]:
    """Make a database with everything that `migrate` makes; yield an autocommit connection."""
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    migrate(Settings(database_url=server.url(name)), datetime.now(UTC))
    session = "-c TimeZone=UTC -c DateStyle=ISO"
    with psycopg.connect(server.url(name), autocommit=True, options=session) as connection:
        yield connection


def add_users(connection: Connection, users: int, due: int, noted: bool = False) -> None:
    """Add users, of whom so many are due on DUE_ON, without statistics.

    Unless they are to be `noted` as new, it is as if planning had looked at them already.
    """
    tell(f"adding {users:,} users")
    connection.execute(_FILL, {"users": users, "due": due, "day": DUE_ON})
    if not noted:
        connection.execute("TRUNCATE changed_users")


def unplan(connection: Connection) -> None:
    """Put the database back to before anything was planned, and make it settle."""
    connection.execute("TRUNCATE message_logs, message_guard, planned_mornings")
    connection.execute("CHECKPOINT")


def count(connection: Connection, table: str) -> int:
    """Return how many rows a table has."""
    row: Any = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
    return int(row[0])


def seconds(work: Callable[[], object]) -> float:
    """Return how long work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def median(values: Sequence[float]) -> float:
    """Return the median, rounded to three significant places after the point."""
    return round(statistics.median(values), 3)


def tell(text: str) -> None:
    """Show progress."""
    print(text, file=sys.stderr, flush=True)


def report(benchmark: str, **figures: object) -> None:
    """Print the one line of result."""
    print(json.dumps({"benchmark": benchmark, **figures}))
