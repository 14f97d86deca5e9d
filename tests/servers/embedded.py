"""Processes that use the private server of the program, for the tests of its life."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.servers.ordinary import Person, ourselves
from tests.servers.process import new_folder

ROOT = os.geteuid() == 0


# Says where the database is, then uses it until its standard input ends.
USE = """
import sys
from contextlib import ExitStack
from pathlib import Path
from birthday_cli.db import embedded
from birthday_cli.errors import BdayschedError
try:
    with embedded.server(Path(sys.argv[1]) if sys.argv[1:] else None) as conninfo:
        print(conninfo, flush=True)
        sys.stdin.read()
except BdayschedError as problem:
    print(f"{type(problem).__name__}: {problem}", file=sys.stderr)
    sys.exit(int(problem.exit_code))
"""

# The same, and says so when it has to wait for a server.
WAITING_USE = f"""
import time
from types import SimpleNamespace
from birthday_cli.db import embedded_cluster
def announced(seconds):
    print("waiting", flush=True)
    time.sleep(seconds)
embedded_cluster.time = SimpleNamespace(sleep=announced, monotonic=time.monotonic)
{USE}"""


@dataclass(frozen=True)
class User:
    """A process that uses, or tries to use, the server in a directory."""

    process: subprocess.Popen[str]
    root: Path

    def conninfo(self) -> str:
        """Wait until the server is there."""
        assert self.process.stdout
        line = self.process.stdout.readline().strip()
        assert line, self.error()
        return line

    def server(self) -> int:
        self.conninfo()
        return recorded_pid(self.root)

    def leave(self) -> None:
        assert self.error() == ""

    def error(self) -> str:
        """End in order, and return what it has to say."""
        _, error = self.process.communicate(timeout=120)
        return error.strip()

    def end(self, how: signal.Signals) -> None:
        self.process.send_signal(how)
        self.process.communicate()


Join = Callable[..., User]


@pytest.fixture
def person(request: pytest.FixtureRequest) -> Person:
    """Whoever runs the suite; both kinds of account where a test asks for them."""
    if getattr(request, "param", "") == "ordinary":
        found: Person = request.getfixturevalue("ordinary_person")
        return found
    return ourselves()


both_accounts = pytest.mark.parametrize(
    "person", ["root", "ordinary"] if ROOT else ["ordinary"], indirect=True
)


@pytest.fixture
def place(person: Person) -> Iterator[Path]:
    """A folder of the person's, that others may pass through, unlike pytest's own."""
    with folder_of(person) as path:
        yield path


@pytest.fixture(scope="session")
def template() -> Iterator[Path]:
    """A directory that our own account has used: copying one takes less time than making it."""
    us = ourselves()
    with folder_of(us) as path:
        with us.start("-c", USE, path / "db") as process:
            process.communicate()
        assert process.returncode == 0
        yield path / "db"


@pytest.fixture
def used(template: Path, person: Person, place: Path) -> Path:
    """A directory of the person's with a database in it."""
    root = copy(template, place / "db")
    if person.uid != os.geteuid():
        for path in (root, *root.rglob("*")):
            os.chown(path, person.uid, person.gid)
    return root


@pytest.fixture
def join(place: Path) -> Iterator[Join]:
    """Start a process that uses the server in a directory; none is left at the end."""
    with ExitStack() as processes:

        def start(person: Person, root: Path | None, script: str = USE, **env: str) -> User:
            arguments = [root] if root else []
            process = person.start("-c", script, *arguments, **env)
            processes.enter_context(process)
            processes.callback(process.kill)
            return User(process, root or place)

        yield start


def may_use_namespaces() -> bool:
    """Return whether root may run its server as itself without its powers; containers forbid it."""
    tried = subprocess.run(["unshare", "--user", "true"], capture_output=True, check=False)
    return tried.returncode == 0


def copy(source: Path, target: Path) -> Path:
    """Copy a directory with its owners: where root's server runs as `nobody`, the data are its."""
    shutil.copytree(source, target)
    for path in (target, *target.rglob("*")):
        made = (source / path.relative_to(target)).stat()
        os.chown(path, made.st_uid, made.st_gid)
    return target


@contextmanager
def folder_of(person: Person) -> Iterator[Path]:
    path = new_folder("private")
    try:
        path.chmod(0o755)
        os.chown(path, person.uid, person.gid)
        yield path
    finally:
        # Only after a test that failed.
        for pid in processes_in(path):
            os.kill(pid, signal.SIGKILL)
        until(lambda: not processes_in(path))
        shutil.rmtree(path)


def recorded_pid(root: Path) -> int:
    return int((root / "data" / "postmaster.pid").read_text().split("\n", 1)[0])


def processes_in(folder: Path) -> list[int]:
    """Return the processes that work in the folder: initdb, PostgreSQL and its children."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        # Gone, another account's, or a zombie
        with suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(folder):
                found.append(int(process.name))
    return found


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.005)


def ask(conninfo: str, query: str) -> tuple[object, ...]:
    with psycopg.connect(conninfo) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row
    return row


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


def when_it_starts(program: str, how: str, stopped: bool = True) -> str:
    """Return Python that gets a signal as it starts the program, before it knows that it has.

    The program is stopped before its first instruction, and waits for SIGCONT.
    """
    wrapper = ["sh", "-c", 'kill -STOP $$; exec "$@"', "sh"] if stopped else []
    return f"""
import os, signal, subprocess
class Popen(subprocess.Popen):
    signalled = False
    def _execute_child(self, arguments, *rest):
        names = [os.path.basename(argument) for argument in arguments]
        if "{program}" not in names or Popen.signalled:
            return super()._execute_child(arguments, *rest)
        Popen.signalled = True
        super()._execute_child([*{wrapper!r}, *arguments], *rest)
        os.kill(os.getpid(), signal.{how})
subprocess.Popen = Popen
"""


def go_on(stopped: int) -> None:
    until(lambda: Path(f"/proc/{stopped}/stat").read_text().rpartition(")")[2].split()[0] == "T")
    os.kill(stopped, signal.SIGCONT)


def appearance(*paths: Path) -> list[tuple[int, int, int]]:
    seen = [path.stat() for path in paths]
    return [(each.st_mode, each.st_uid, each.st_gid) for each in seen]
