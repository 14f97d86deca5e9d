"""What RabbitMQ's nodes run in: an account's folder, a port mapper, perhaps another root."""

from __future__ import annotations

import secrets
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.servers import process

Popen: TypeAlias = subprocess.Popen[bytes]

# Another root file system sees the folder at the same path, in a mount namespace of its own.
_IN_ROOT = """
mount --rbind /proc "$1/proc" && mount --rbind /dev "$1/dev" &&
mkdir -p "$1$2" && mount --bind "$2" "$1$2" &&
root=$1 && account=$3 && shift 3 && exec chroot --groups= --userspec="$account" "$root" "$@"
"""


class Home:
    """The folder of one node or of a cluster: the account's, with a cookie and a port mapper.

    With a root, which is another file system with RabbitMQ in it, everything runs in there. Only
    the system's root may do that.
    """

    def __init__(self, folder: Path, root: Path | None = None) -> None:
        self.folder = folder
        self.port = process.free_port()
        self.cookie = secrets.token_hex(20)
        self._root = root
        self._scripts = _scripts(root)
        self._mapper: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the port mapper if it does not run: Erlang would leave one that never ends."""
        if not self._mapper:
            arguments = "-address", "127.0.0.1", "-port", str(self.port)
            self._mapper = process.start(
                self._inside([_mapper(self._root), *arguments]),
                cwd=self.folder,
                log=self.folder / "epmd.log",
                ready=lambda: accepts(self.port),
                account=self._account,
            )

    def remove(self) -> None:
        if self._mapper:
            process.stop(self._mapper, signal.SIGTERM)

    def serve(self, environment: dict[str, str], ready: Callable[[], bool]) -> Popen:
        """Start a server whose folder is its HOME."""
        folder = Path(environment["HOME"])
        return process.start(
            self._inside([self._scripts / "rabbitmq-server"]),
            cwd=folder,
            env=environment,
            log=folder / "console.log",
            ready=ready,
            account=self._account,
        )

    def control(self, environment: dict[str, str], *arguments: str) -> str:
        """Run `rabbitmqctl` with arguments; return what it prints."""
        done = subprocess.run(
            self._inside([self._scripts / "rabbitmqctl", "--quiet", *arguments]),
            cwd=self.folder,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **environment},
            capture_output=True,
            text=True,
            **self._account,
        )
        if done.returncode:
            pytest.fail(f"rabbitmqctl {arguments} failed: {done.stdout}{done.stderr}")
        return done.stdout

    @property
    def _account(self) -> process.Account:
        return {} if self._root else process.as_account()

    def _inside(self, command: Sequence[str | Path]) -> list[str | Path]:
        owner = process.account()
        if not self._root:
            return [*command]
        assert owner, "only root may change the root file system"
        account = f"{owner.pw_uid}:{owner.pw_gid}"
        script = ["unshare", "--mount", "sh", "-c", _IN_ROOT, "sh"]
        return [*script, self._root, self.folder, account, *command]


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _scripts(root: Path | None) -> Path:
    """Return the folder of RabbitMQ's own scripts; the packaged ones in /usr/sbin change user."""
    found = _found(root, "usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server")
    if not found:
        pytest.fail(
            "RabbitMQ is not installed: run `make test` as root, or install rabbitmq-server",
            pytrace=False,
        )
    return found.parent


def _mapper(root: Path | None) -> Path:
    found = _found(root, "usr/bin/epmd") or _found(root, "usr/lib/erlang/erts-*/bin/epmd")
    assert found
    return found


def _found(root: Path | None, pattern: str) -> Path | None:
    """Return the last path that fits, as it is seen from within root."""
    top = root or Path("/")
    found = sorted(top.glob(pattern))
    return "/" / found[-1].relative_to(top) if found else None
