"""Private PgBouncers in front of the suite's PostgreSQL."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TypeAlias

import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.servers import process

StartPgBouncer: TypeAlias = Callable[..., str]


@pytest.fixture
def pgbouncer(database: str) -> Iterator[StartPgBouncer]:
    """Start a PgBouncer; return the URL that leads through it to the test's database.

    Keywords are its settings, such as `pool_mode="transaction"`.
    """
    with ExitStack() as until_the_end:

        def start(**settings: object) -> str:
            folder = until_the_end.enter_context(process.folder("pgbouncer"))
            port = process.free_port()
            at = conninfo_to_dict(database)
            _configure(folder, port, at, settings)
            started = process.start(
                [_program(), folder / "pgbouncer.ini"],
                cwd=folder,
                log=folder / "log",
                ready=lambda: _listens(port),
            )
            until_the_end.callback(process.stop, started, signal.SIGTERM)
            return f"postgresql://{at['user']}:{at['password']}@127.0.0.1:{port}/{at['dbname']}"

        yield start


def _program() -> str:
    # Where Debian puts it is in root's path only.
    found = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if not found:
        pytest.fail("PgBouncer is not installed: run `make test` as root, or install pgbouncer")
    return found


def _configure(
    folder: Path, port: int, at: Mapping[str, object], settings: Mapping[str, object]
) -> None:
    (folder / "userlist.txt").write_text(f'"{at["user"]}" "{at["password"]}"\n')
    fixed = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "plain",
        "auth_file": folder / "userlist.txt",
    }
    lines = [
        "[databases]",
        f"* = host={at['host']} port={at['port']}",
        "[pgbouncer]",
        *(f"{name} = {value}" for name, value in {**fixed, **settings}.items()),
    ]
    (folder / "pgbouncer.ini").write_text("\n".join(lines) + "\n")
    for path in folder.iterdir():
        path.chmod(0o644)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True
