from __future__ import annotations

import gzip
import http.client
import logging
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field

import pytest
from prometheus_client import CollectorRegistry, Gauge

from birthday_cli.errors import UsageError
from birthday_cli.telemetry import http as telemetry
from birthday_cli.telemetry.health import Health
from birthday_cli.telemetry.metrics import WorkerMetrics

GOOD = Health(True, True, "ok")
HANG = 30  # seconds; only against hanging


@dataclass
class Told:
    """What the server is told, and where it is."""

    health: Health = GOOD
    metrics: WorkerMetrics = field(default_factory=WorkerMetrics)
    address: tuple[str, int] = ("", 0)

    def ask(self, path: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
        with closing(http.client.HTTPConnection(*self.address, timeout=HANG)) as client:
            client.request(method, path, headers=headers)
            return client.getresponse()


def body(answer: http.client.HTTPResponse) -> str:
    with answer:
        return answer.read().decode()


@contextmanager
def served(host: str = "127.0.0.1") -> Iterator[Told]:
    told = Told()
    with telemetry.serve(host, 0, told.metrics.registry, lambda: told.health) as told.address:
        yield told


@pytest.fixture
def worker() -> Iterator[Told]:
    with served() as told:
        yield told


@pytest.mark.parametrize(
    ("health", "healthz", "readyz"),
    [
        (GOOD, (200, "ok\n"), (200, "ok\n")),
        (Health(True, False, "no broker"), (200, "ok\n"), (503, "no broker\n")),
        (
            Health(False, False, "hangs\nfor 9 s"),
            (503, "hangs for 9 s\n"),
            (503, "hangs for 9 s\n"),
        ),
    ],
)
def test_health_is_a_status_and_a_line(
    worker: Told, health: Health, healthz: tuple[int, str], readyz: tuple[int, str]
) -> None:
    worker.health = health
    for path, expected in (("/healthz", healthz), ("/readyz?verbose=1", readyz)):
        answer = worker.ask(path)
        assert (answer.status, body(answer)) == expected
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-store"


def test_metrics_are_in_the_format_that_was_asked_for(worker: Told) -> None:
    worker.metrics.renewed(3)
    answer = worker.ask("/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert "bdaysched_leases_renewed_total 3.0\n" in body(answer)
    answer = worker.ask("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert body(answer).endswith("# EOF\n")
    with worker.ask("/metrics", **{"Accept-Encoding": "gzip"}) as packed:
        assert b"bdaysched_leases_renewed_total 3.0\n" in gzip.decompress(packed.read())
    only = body(worker.ask("/metrics?name[]=bdaysched_leases_renewed_total"))
    assert [line for line in only.splitlines() if line[0] != "#"] == [
        "bdaysched_leases_renewed_total 3.0"
    ]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/elsewhere"])
def test_head_is_get_without_the_body(worker: Told, path: str) -> None:
    got, head = worker.ask(path), worker.ask(path, "HEAD")
    assert head.status == got.status
    assert head.headers["Content-Type"] == got.headers["Content-Type"]
    assert len(body(got)) == int(got.headers["Content-Length"]) > 0
    assert int(head.headers["Content-Length"]) > 0
    with socket.create_connection(worker.address, timeout=HANG) as client:
        client.sendall(f"HEAD {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        assert read_all(client).endswith(b"\r\n\r\n")


def read_all(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(65_536), b""))


@pytest.mark.parametrize("path", ["/", "/metrics/", "/health", "/favicon.ico"])
def test_what_there_is_not_is_not_found(worker: Told, path: str) -> None:
    answer = worker.ask(path)
    assert (answer.status, body(answer)) == (404, "there is /healthz, /readyz, /metrics\n")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_nothing_can_be_changed(worker: Told, path: str) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"):
        answer = worker.ask(path, method)
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


def test_a_failure_is_500_and_in_the_log(
    worker: Told, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail() -> Health:
        raise RuntimeError("no state")

    with telemetry.serve("127.0.0.1", 0, worker.metrics.registry, fail) as worker.address:
        answer = worker.ask("/healthz")
        assert (answer.status, body(answer)) == (500, "failed: the log says why\n")
        assert worker.ask("/metrics").status == 200
    assert [record.getMessage() for record in caplog.records] == ["cannot answer"]
    assert "Traceback" not in capfd.readouterr().err


def test_the_silent_and_the_slow_keep_nobody_waiting(worker: Told) -> None:
    with (
        socket.create_connection(worker.address) as silent,
        socket.create_connection(worker.address) as slow,
        socket.create_connection(worker.address) as deaf,
    ):
        slow.sendall(b"GET /met")
        deaf.sendall(b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n")
        assert worker.ask("/healthz").status == 200
        assert silent.fileno() > 0


def test_who_dribbles_is_cut_off(worker: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "_PATIENCE", 0.3)
    with socket.create_connection(worker.address, timeout=HANG) as client:
        stop = threading.Event()

        def dribble() -> None:
            while not stop.wait(0.05):
                try:
                    client.send(b"G")
                except OSError:
                    return

        writer = threading.Thread(target=dribble)
        writer.start()
        try:
            assert read_until_closed(client) == b""
        finally:
            stop.set()
            writer.join()


def read_until_closed(client: socket.socket) -> bytes:
    try:
        return read_all(client)
    except ConnectionResetError:
        return b""


def test_what_is_not_http_and_who_hangs_up_leave_no_trace(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with served() as worker:
        for nonsense in (
            b"\x16\x03\x01\r\n\r\n",
            b"GET\r\n\r\n",
            b"\r\n",
            b"",
            b"GET / HTTP/9\r\n",
        ):
            with socket.create_connection(worker.address, timeout=HANG) as client:
                client.sendall(nonsense)
                client.shutdown(socket.SHUT_WR)
                read_until_closed(client)
        for request in (b"GET /metrics HTTP/1.1\r\n\r\n", b"GET /met"):
            with socket.create_connection(worker.address) as client:
                client.sendall(request)
                # Closing sends a reset.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert worker.ask("/healthz").status == 200
    assert capfd.readouterr().err == ""
    assert caplog.records == []


def test_who_does_not_read_an_answer_leaves_no_trace(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(telemetry._Handler, "timeout", 0.1)
    registry = CollectorRegistry()
    Gauge("large", "More than fits into the buffers of a connection. " * 300_000, registry=registry)
    with telemetry.serve("127.0.0.1", 0, registry, lambda: GOOD) as address:
        before = threading.active_count()
        with socket.create_connection(address, timeout=HANG) as client:
            client.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
            assert client.recv(1)
            give_up = time.monotonic() + HANG
            while threading.active_count() > before and time.monotonic() < give_up:
                time.sleep(0.01)
            assert threading.active_count() == before
    assert capfd.readouterr().err == ""


def test_the_end_leaves_no_thread_and_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing but the end itself cuts the client off.
    monkeypatch.setattr(telemetry._Handler, "timeout", None)
    monkeypatch.setattr(telemetry, "_PATIENCE", float("inf"))
    before = threading.active_count()
    with ExitStack() as until_the_end:
        worker = until_the_end.enter_context(served())
        with socket.create_connection(worker.address, timeout=HANG) as client:
            client.sendall(b"GET /healthz HTTP/1.1\r\n")
            assert worker.ask("/healthz").status == 200
            end = threading.Thread(target=until_the_end.pop_all().close)
            end.start()
            assert read_until_closed(client) == b""
            end.join()
    assert threading.active_count() == before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(worker.address)


def test_a_port_that_is_taken_is_named(worker: Told) -> None:
    port = worker.address[1]
    with (
        pytest.raises(
            UsageError, match=rf"METRICS_PORT={port}: Address already in use\. Choose"
        ) as caught,
        telemetry.serve("127.0.0.1", port, worker.metrics.registry, lambda: worker.health),
    ):
        pass
    assert "\n" not in str(caught.value)


def test_a_port_is_free_again_at_once(worker: Told) -> None:
    with served() as first:
        assert first.ask("/healthz").status == 200
    with telemetry.serve(*first.address, worker.metrics.registry, lambda: worker.health) as address:
        assert address == first.address


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "a..b", "fe80::1%nowhere"])
def test_an_address_that_is_not_ours_is_named(host: str, worker: Told) -> None:
    with (
        pytest.raises(UsageError, match=f"cannot serve on METRICS_HOST={host} METRICS_PORT=0: "),
        telemetry.serve(host, 0, worker.metrics.registry, lambda: worker.health),
    ):
        pass


def test_a_port_is_at_most_65535(worker: Told) -> None:
    with (
        pytest.raises(UsageError, match="METRICS_PORT=70000: a port is at most 65535"),
        telemetry.serve("127.0.0.1", 70_000, worker.metrics.registry, lambda: worker.health),
    ):
        pass


@pytest.mark.parametrize("host", ["::1", "localhost"])
def test_other_names_of_the_loopback_work(host: str) -> None:
    with served(host) as worker:
        assert worker.ask("/healthz").status == 200


def test_while_the_main_thread_stands_health_is_answered() -> None:
    asked = threading.Event()
    with served() as worker:
        worker.health = Health(False, False, "the event loop has stood for 9 s")
        seen: list[int] = []

        def probe() -> None:
            seen.append(worker.ask("/healthz").status)
            asked.set()

        prober = threading.Thread(target=probe)
        prober.start()
        assert asked.wait(HANG)  # this thread serves nothing meanwhile
        prober.join()
    assert seen == [503]


def test_nothing_is_logged_of_requests(
    worker: Told, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    worker.ask("/metrics")
    worker.ask("/nowhere", "BREW")
    assert (caplog.records, capfd.readouterr().err) == ([], "")
