"""A private RabbitMQ node: its own account, cookie, port mapper, ports and folders."""

from __future__ import annotations

import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from birthday_cli.config import Settings
from tests.servers import process

_CONFIGURATION = """
listeners.tcp.1 = 127.0.0.1:{port}
log.file.level = info
disk_free_limit.absolute = 50MB
vm_memory_high_watermark.absolute = 1GB
raft.wal_max_size_bytes = 64000000
# An alarm that is over is seen at once.
memory_monitor_interval = 200
"""


class RabbitNode:
    """One node on loopback. It keeps its data from a stop or a crash to the next start."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self._distribution, self._mapper_port = _free_ports(3)
        self._scripts = _scripts()
        self._mapper: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._write("rabbitmq.conf", _CONFIGURATION.format(port=self.port))
        self._write("enabled_plugins", "[].")
        self._write(".erlang.cookie", secrets.token_hex(20)).chmod(0o400)

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/%2F"

    def start(self) -> None:
        """Return when the node accepts AMQP connections; at once if it runs."""
        if self._server and self._server.poll() is None:
            return
        if not self._mapper:
            # Erlang would otherwise leave one behind that never ends.
            self._mapper = process.start(
                [_mapper(), "-address", "127.0.0.1", "-port", str(self._mapper_port)],
                cwd=self.folder,
                log=self.folder / "epmd.log",
                ready=lambda: _accepts(self._mapper_port),
            )
        self._server = process.start(
            [self._scripts / "rabbitmq-server"],
            cwd=self.folder,
            env=self._environment,
            log=self.folder / "console.log",
            ready=self._answers,
            seconds=90,
        )

    def stop(self) -> None:
        """Shut down in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Crash with SIGKILL.

        What was confirmed within half a second of the declaration of its quorum queue may be lost
        then, on a single node: declare, wait for 3 seconds, publish, and kill.
        """
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop the process where it is: connections stay open, and nothing answers."""
        assert self._server
        self._server.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._server
        self._server.send_signal(signal.SIGCONT)

    def control(self, *arguments: str) -> str:
        """Run `rabbitmqctl` with arguments; return what it prints."""
        done = subprocess.run(
            [self._scripts / "rabbitmqctl", "--quiet", *arguments],
            cwd=self.folder,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **self._environment},
            capture_output=True,
            text=True,
            **process.as_account(),
        )
        if done.returncode:
            pytest.fail(f"rabbitmqctl {arguments} failed: {done.stdout}{done.stderr}")
        return done.stdout

    def remove(self) -> None:
        """End everything that was started."""
        self._end(signal.SIGKILL)
        if self._mapper:
            process.stop(self._mapper, signal.SIGTERM)

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.folder),
            "LC_ALL": "C.UTF-8",
            "ERL_EPMD_PORT": str(self._mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_CRASH_DUMP_SECONDS": "0",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_PID_FILE": str(self.folder / "server.pid"),
            # The script then becomes the server, so that its process is the one to signal.
            "RUNNING_UNDER_SYSTEMD": "1",
        }

    def _end(self, how: signal.Signals) -> None:
        if self._server:
            process.stop(self._server, how)
            # Its ports must be free for the next start.
            _wait_until_closed(self.port, self._distribution)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                probe.settimeout(5)
                probe.sendall(b"AMQP\x00\x00\x09\x01")
                return probe.recv(1) == b"\x01"
        except OSError:
            return False

    def _write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        if owner := process.account():
            shutil.chown(path, owner.pw_uid, owner.pw_gid)
        return path


def _scripts() -> Path:
    """Return the folder of RabbitMQ's own scripts; the packaged ones in /usr/sbin change user."""
    found = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
    if not found:
        pytest.fail(
            "RabbitMQ is not installed: run `make test` as root, or install rabbitmq-server",
            pytrace=False,
        )
    return found[-1].parent


def _mapper() -> Path:
    found = shutil.which("epmd")
    if found:
        return Path(found)
    return sorted(Path("/usr/lib/erlang").glob("erts-*/bin/epmd"))[-1]


def _free_ports(count: int) -> list[int]:
    ports: set[int] = set()
    while len(ports) < count:
        ports.add(process.free_port())
    return list(ports)


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait_until_closed(*ports: int) -> None:
    deadline = time.monotonic() + 30
    while any(map(_accepts, ports)):
        if time.monotonic() > deadline:
            pytest.fail(f"one of the ports {ports} of a node that has ended is still open")
        time.sleep(0.02)


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitNode]:
    """Return a node for the whole session. Whoever stops it starts it again."""
    with process.folder("rabbitmq") as folder:
        node = RabbitNode(folder)
        try:
            node.start()
            yield node
        finally:
            node.remove()


@pytest.fixture
def broker_settings(rabbitmq: RabbitNode) -> Settings:
    """Return settings for a queue of the test's own."""
    return Settings(broker_url=rabbitmq.url, broker_queue=f"test.{secrets.token_hex(6)}")
