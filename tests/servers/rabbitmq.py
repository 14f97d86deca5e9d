"""A private RabbitMQ node: its own account, cookie, port mapper, ports and folders."""

from __future__ import annotations

import os
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
from tests.servers.certificates import Authority, Certificate
from tests.servers.rabbitmq_home import Home, accepts

_CONFIGURATION = """
listeners.tcp.1 = 127.0.0.1:{port}
log.file.level = info
disk_free_limit.absolute = 50MB
vm_memory_high_watermark.absolute = 1GB
raft.wal_max_size_bytes = 64000000
# An alarm that is over is seen at once.
memory_monitor_interval = 200
"""


_TLS = """
listeners.ssl.1 = 127.0.0.1:{port}
ssl_options.cacertfile = {folder}/ca.pem
ssl_options.certfile = {folder}/server.pem
ssl_options.keyfile = {folder}/server.key
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
"""


class RabbitNode:
    """One node on loopback. It keeps its data from a stop or a crash to the next start."""

    def __init__(self, folder: Path, home: Home | None = None) -> None:
        self.folder = folder
        self.port, self._tls_port, self._distribution = _free_ports(3)
        self.name = f"test{self.port}@localhost"
        self.is_frozen = False
        self._home = home or Home(folder)
        self._server: subprocess.Popen[bytes] | None = None
        self._write("rabbitmq.conf", _CONFIGURATION.format(port=self.port))
        self._write("enabled_plugins", "[].")
        self._write(".erlang.cookie", self._home.cookie).chmod(0o400)

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/%2F"

    @property
    def tls_url(self) -> str:
        return f"amqps://guest:guest@localhost:{self._tls_port}/%2F"

    @property
    def is_running(self) -> bool:
        return self._server is not None and self._server.poll() is None

    def configure(self, text: str) -> None:
        """Add to the configuration, before the start."""
        with (self.folder / "rabbitmq.conf").open("a") as file:
            file.write(text)

    def speak_tls(self, authority: Authority) -> None:
        """Listen for TLS too, from the start on, for whoever has a certificate of authority."""
        self.configure(_TLS.format(port=self._tls_port, folder=self.folder))
        self._write("ca.pem", authority.ca.read_text())
        self.present(authority.server("localhost", "127.0.0.1"))

    def present(self, certificate: Certificate) -> None:
        """Show this certificate to whoever connects from now on."""
        self._write("server.pem", certificate.chain.read_text())
        self._write("server.key", certificate.key.read_text()).chmod(0o600)

    def start(self) -> None:
        """Return when the node accepts AMQP connections; at once if it runs."""
        if not self.is_running:
            self._home.start()
            self._server = self._home.serve(self._environment, self._answers)

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
        self.is_frozen = True

    def thaw(self) -> None:
        assert self._server
        self._server.send_signal(signal.SIGCONT)
        self.is_frozen = False

    def control(self, *arguments: str) -> str:
        """Run `rabbitmqctl` with arguments; return what it prints."""
        return self._home.control(self._environment, *arguments)

    def remove(self) -> None:
        """End everything that was started."""
        self._end(signal.SIGKILL)
        self._home.remove()

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.folder),
            "LC_ALL": "C.UTF-8",
            "ERL_EPMD_PORT": str(self._home.port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_CRASH_DUMP_SECONDS": "0",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_PID_FILE": str(self.folder / "server.pid"),
            # A certificate that is replaced is seen at once, and a node that hangs within 10 s.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-ssl bypass_pem_cache true -kernel net_ticktime 8"
            ),
            # The script then becomes the server, so that its process is the one to signal.
            "RUNNING_UNDER_SYSTEMD": "1",
        }

    def _end(self, how: signal.Signals) -> None:
        if self._server:
            process.stop(self._server, how)
            self.is_frozen = False
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


def _free_ports(count: int) -> list[int]:
    ports: set[int] = set()
    while len(ports) < count:
        ports.add(process.free_port())
    return list(ports)


def _wait_until_closed(*ports: int) -> None:
    deadline = time.monotonic() + 30
    while any(map(accepts, ports)):
        if time.monotonic() > deadline:
            pytest.fail(f"one of the ports {ports} of a node that has ended is still open")
        time.sleep(0.02)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rabbitmq-root",
        type=Path,
        help="run RabbitMQ within this root file system, as `make conformance-rabbitmq4` does",
    )


@pytest.fixture(scope="session")
def rabbitmq_root(pytestconfig: pytest.Config) -> Path | None:
    """Return the file system that RabbitMQ is to be taken from, None for this machine's."""
    root: Path | None = pytestconfig.getoption("--rabbitmq-root")
    if root and os.geteuid() != 0:
        pytest.fail("--rabbitmq-root is only for root, who may change the root", pytrace=False)
    return root


@pytest.fixture(scope="session")
def rabbitmq(rabbitmq_root: Path | None, authority: Authority) -> Iterator[RabbitNode]:
    """Return a node for the whole session. Whoever stops it starts it again."""
    with process.folder("rabbitmq") as folder:
        node = RabbitNode(folder, Home(folder, rabbitmq_root))
        node.speak_tls(authority)
        try:
            node.start()
            yield node
        finally:
            node.remove()


@pytest.fixture
def broker_settings(rabbitmq: RabbitNode) -> Settings:
    """Return settings for a queue of the test's own."""
    return Settings(broker_url=rabbitmq.url, broker_queue=f"test.{secrets.token_hex(6)}")
