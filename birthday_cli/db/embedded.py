"""A private PostgreSQL in a folder: the first who needs it starts it, the last one stops it.

    DIR/bdaysched.lock   held while the server is started or stopped; says that DIR is ours
    DIR/users.lock       shared by everyone who uses the server, for as long as they do
    DIR/data             PostgreSQL's own, with server.log
    DIR/run              the socket's folder, or a link to a shorter path

The kernel takes the locks back from who dies, so a server that a killed process left behind is
found, used and stopped by the next one.
"""

from __future__ import annotations

import errno
import fcntl
import functools
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from birthday_cli.db.embedded_cluster import Cluster
from birthday_cli.db.embedded_process import installation
from birthday_cli.errors import DatabaseUnreachable, UsageError

_LOCK = "bdaysched.lock"


def available() -> bool:
    """Return whether the wheel with the server is installed; it is not imported."""
    return installation() is not None


def default_directory() -> Path:
    """Return where the server is kept when nothing is configured.

    XDG Base Directory Specification: a relative XDG_STATE_HOME is ignored. Raises UsageError for
    an account without a home.
    """
    if os.geteuid() == 0:
        return Path("/var/lib/bdaysched")
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    try:
        return (state if state.is_absolute() else Path.home() / ".local" / "state") / "bdaysched"
    except RuntimeError as problem:
        raise UsageError(
            "this account has no home folder for the private PostgreSQL: set"
            " DATABASE_URL=embedded:DIR"
        ) from problem


@contextmanager
def server(directory: Path | None) -> Iterator[str]:
    """Yield the connection string of the database on the private server in the directory.

    The server and the database are made at the first use. May be nested, and used by threads and
    other processes at once; see flock(2). Raises UsageError for a folder that is someone else's,
    and DatabaseUnreachable when the server can't be made, started or stopped.
    """
    if sys.platform != "linux":
        raise UsageError(
            "the private PostgreSQL runs on Linux only: set DATABASE_URL=postgresql://…"
        )
    root = (directory or default_directory()).expanduser().resolve()
    with _explained(root):
        _claim(root)
        users = _open_lock(root / "users.lock")
    cluster = Cluster(root)
    joined = False
    try:
        with _explained(root), _start_and_stop(root) as lock:
            fcntl.flock(users, fcntl.LOCK_SH)
            joined = True
            version = cluster.make_ready(lock)
        if directory is None:
            _announce(
                f"using the private PostgreSQL {version} in {root}; for another one set"
                " DATABASE_URL=embedded:DIR or postgresql://…"
            )
        yield cluster.conninfo()
    finally:
        try:
            if joined:
                with _explained(root), _start_and_stop(root) as lock:
                    if _is_last(users):
                        cluster.stop(lock)
        finally:
            os.close(users)


def _claim(root: Path) -> None:
    """Make the directory; refuse one that holds anything of someone else's."""
    # Root's is open to who has to pass through to the data; nothing in it is.
    mode = 0o711 if os.geteuid() == 0 else 0o700
    for folder in (*reversed(root.parents), root):
        if not folder.exists():
            with suppress(FileExistsError):
                folder.mkdir(mode)
                folder.chmod(mode)
    if set(os.listdir(root)) - {"lost+found"} and not (root / _LOCK).exists():
        raise UsageError(
            f"{root} holds files that are not the private PostgreSQL's: set"
            " DATABASE_URL=embedded:DIR to a new or empty folder"
        )
    # Before any other file: who comes at the same moment must find the folder empty or marked.
    os.close(_open_lock(root / _LOCK))


def _open_lock(path: Path) -> int:
    # Python makes it close-on-exec: the server must never inherit it.
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)


@contextmanager
def _start_and_stop(root: Path) -> Iterator[int]:
    lock = _open_lock(root / _LOCK)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock
    finally:
        # Not unlocked: a command of ours that goes on after a Ctrl-C keeps it until it has ended.
        os.close(lock)


def _is_last(users: int) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _explained(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        what = problem.strerror or str(problem)
        if problem.errno == errno.ENOSPC:
            what = "no space left on its disk"
        at = f" ({problem.filename})" if problem.filename else ""
        raise DatabaseUnreachable(
            f"{root} can't hold the private PostgreSQL: {what}{at}: mend that, or set"
            " DATABASE_URL=embedded:DIR to another folder"
        ) from problem


@functools.cache
def _announce(text: str) -> None:
    print(text, file=sys.stderr)
