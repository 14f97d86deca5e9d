"""What every private server of the suite needs: an account, a folder, a port, an end."""

from __future__ import annotations

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypedDict

import pytest

RUN_MARK = "BDAYSCHED_TEST_RUN"
"""Set for the whole session, so inherited by everything that it starts.

The names of its folders hold it too. Each process of a parallel run adds its own to it, at the end:
`6f3c-gw0-` is a part of `6f3c-`.
"""

_started: list[subprocess.Popen[bytes]] = []
_MEMORY = Path("/dev/shm")  # noqa: S108


class Account(TypedDict, total=False):
    """What subprocess is told of the account; nothing when it is our own."""

    user: int
    group: int
    extra_groups: list[int]


def account() -> pwd.struct_passwd | None:
    """Return the account that servers run as: another one for root, whom PostgreSQL refuses."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


@contextmanager
def folder(name: str, on_disk: bool = False) -> Iterator[Path]:
    """Yield a folder of the servers' account, in memory where there is any; gone afterwards."""
    path = new_folder(name, on_disk)
    try:
        if owner := account():
            os.chown(path, owner.pw_uid, owner.pw_gid)
        yield path
    finally:
        shutil.rmtree(path)


def new_folder(name: str, on_disk: bool = False) -> Path:
    """Make a folder of our own, in memory where there is any, that `end_survivors` knows.

    Not under pytest's own temporary folder, which is 0700 and so closed to other accounts.
    """
    prefix = f"{_prefix()}{name}-"
    return Path(tempfile.mkdtemp(prefix=prefix, dir=None if on_disk else _memory()))


def remove_folders() -> None:
    """Remove the session's folders that a process of a parallel run has left, as it died."""
    for path in _folders():
        shutil.rmtree(path)


def _folders() -> list[Path]:
    places = {_MEMORY, Path(tempfile.gettempdir())}
    return [path for place in places for path in place.glob(f"{_prefix()}*")]


def _prefix() -> str:
    # A drill and a benchmark have no session.
    return f"bdaysched-{os.environ.get(RUN_MARK, '')}"


def _memory() -> Path | None:
    if not _MEMORY.is_dir() or not os.access(_MEMORY, os.W_OK):
        return None
    # A container has 64 MB there, too little for a database.
    return _MEMORY if shutil.disk_usage(_MEMORY).free > 4 * 2**30 else None


def free_port() -> int:
    """Return a port that is free now, and that no outgoing connection takes during a restart.

    It is given out once, whoever asks for one on this machine, until our process has ended.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with (
            socket.socket() as probe,
            socket.socket(socket.AF_UNIX) as claim,
            suppress(OSError),
        ):
            probe.bind(("127.0.0.1", port))
            claim.bind(f"\0bdaysched-port-{port}")
            claim.detach()  # so that it stays bound
            return port


def start(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    log: Path,
    ready: Callable[[], bool],
    env: Mapping[str, str] | None = None,
    seconds: float = 300,
    account: Account | None = None,
) -> subprocess.Popen[bytes]:
    """Start a server and return once it is ready, or fail the test.

    It runs as the servers' account unless told as which other.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, "HOME": str(cwd), "LC_ALL": "C.UTF-8", **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # A Ctrl-C in the terminal is pytest's: it stops the servers in order.
            start_new_session=True,
            **(as_account() if account is None else account),
        )
    _started.append(process)
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        if ready():
            return process
        time.sleep(0.02)
    stop(process, signal.SIGKILL)
    last_lines = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
    pytest.fail(f"{command[0]} did not start:\n{last_lines}", pytrace=False)


def as_account() -> Account:
    """Return the arguments of subprocess that make a command run as the servers' account."""
    owner = account()
    return {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} if owner else {}


def stop(process: subprocess.Popen[bytes], how: signal.Signals, seconds: float = 30) -> None:
    """Send the signal and wait until the process has gone; past the time, SIGKILL."""
    if process.poll() is not None:
        return
    process.send_signal(how)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def end_survivors(temporary: Path, grace: float = 5) -> list[str]:
    """Return what still runs of all that the session started, directly or not; and end it."""
    deadline = time.monotonic() + grace
    while (left := _survivors(temporary)) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return [f"{pid} {command}" for pid, command in left.items()]


def _survivors(temporary: Path) -> dict[int, str]:
    mark = f"\0{RUN_MARK}={os.environ[RUN_MARK]}".encode()
    folders = [temporary, *_folders()]
    found = {process.pid: repr(process.args) for process in _started if process.poll() is None}
    for entry in Path("/proc").glob("[0-9]*"):
        pid = int(entry.name)
        with suppress(OSError):  # it has gone, or is another user's
            # The program's own private server has an environment without the mark.
            works_in = (entry / "cwd").readlink()
            if pid != os.getpid() and (
                mark in b"\0" + (entry / "environ").read_bytes()
                or any(works_in.is_relative_to(folder) for folder in folders)
            ):
                found[pid] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found
