from __future__ import annotations

import logging
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from birthday_cli.telemetry.systemd import Notifier


@pytest.fixture(params=["path", "abstract"])
def manager(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[socket.socket]:
    """What systemd listens with; $NOTIFY_SOCKET names it."""
    name = str(tmp_path / "notify")
    if request.param == "abstract":
        name = f"@bdaysched-{secrets.token_hex(8)}"
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(name.replace("@", "\0", 1) if request.param == "abstract" else name)
        listening.settimeout(30)
        yield listening


def test_each_word_is_one_datagram(manager: socket.socket) -> None:
    notifier = Notifier()
    notifier.ready()
    notifier.status("delivering, 64 in flight")
    notifier.watchdog()
    notifier.stopping()
    assert [manager.recv(4096) for _ in range(4)] == [
        b"READY=1",
        b"STATUS=delivering, 64 in flight",
        b"WATCHDOG=1",
        b"STOPPING=1",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("lost\nMAINPID=1\r\nREADY=1", "STATUS=lost MAINPID=1 READY=1"),
        ("amqp://me:pa55@host is away", "STATUS=amqp://me:***@host is away"),
        ("x" * 10_000, f"STATUS={'x' * 500}"),
        ("Zoë \ud800", "STATUS=Zoë ?"),
    ],
)
def test_a_status_is_one_short_line(manager: socket.socket, text: str, told: str) -> None:
    Notifier().status(text)
    assert manager.recv(20_000).decode() == told


def test_children_cannot_speak_for_us(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    Notifier().ready()
    assert manager.recv(4096) == b"READY=1"
    child = "import os; print([name for name in os.environ if name[:6] in ('NOTIFY', 'WATCHD')])"
    found = subprocess.run([sys.executable, "-c", child], capture_output=True, check=True)
    assert found.stdout == b"[]\n"


@pytest.mark.parametrize("name", ["", "vsock:2:1234"])
def test_without_systemd_nothing_happens(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    notifier = Notifier()
    notifier.ready()
    notifier.status("alone")
    notifier.watchdog()
    notifier.stopping()
    assert notifier.watchdog_interval is None
    assert caplog.records == []


@pytest.mark.parametrize("name", ["/nowhere/notify", f"/{'long' * 50}", "@nobody-listens"])
def test_a_manager_that_is_away_stops_nobody_and_is_told_of_once(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    notifier = Notifier()
    notifier.ready()
    notifier.watchdog()
    assert [record.getMessage() for record in caplog.records] == ["systemd cannot be told anything"]
    assert caplog.records[0].levelno == logging.WARNING


def test_a_manager_that_does_not_read_is_waited_for_no_longer_than_a_moment(
    manager: socket.socket,
) -> None:
    notifier = Notifier()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filler:
        filler.setblocking(False)
        filler.connect(manager.getsockname())
        with suppress(BlockingIOError):
            while True:
                filler.send(b"WATCHDOG=1")
        notifier.watchdog()


@pytest.mark.parametrize(
    ("microseconds", "pid", "interval"),
    [
        ("30000000", None, 15.0),
        ("30000000", "ours", 15.0),
        ("30000000", "1", None),
        ("0", "ours", None),
        ("soon", "ours", None),
        (None, "ours", None),
    ],
)
def test_the_watchdog_is_fed_twice_as_often_as_it_asks(
    microseconds: str | None,
    pid: str | None,
    interval: float | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in (("WATCHDOG_USEC", microseconds), ("WATCHDOG_PID", pid)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, str(os.getpid()) if value == "ours" else value)
    assert Notifier().watchdog_interval == interval
