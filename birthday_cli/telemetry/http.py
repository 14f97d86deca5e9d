"""Health and metrics over HTTP, from a thread of its own.

So a worker whose event loop hangs is still answered for, with 503 and the reason.
"""

from __future__ import annotations

import io
import logging
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import make_wsgi_app
from prometheus_client.registry import Collector

from birthday_cli.errors import UsageError
from birthday_cli.telemetry.health import Health

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

# A whole request and its answer. A prober waits 1 s, Prometheus 10.
_PATIENCE = 5.0
_POLL = 0.1
_ALLOWED = ("GET", "HEAD")


@contextmanager
def serve(
    host: str, port: int, registry: Collector, health: Callable[[], Health]
) -> Iterator[tuple[str, int]]:
    """Answer /healthz, /readyz and /metrics; yield the address, with the port if it was 0.

    /healthz is 200 while the worker is live, /readyz while it is ready, else 503; the body is the
    reason in one line. health runs in threads of the server. Nothing of it is left afterwards.
    Raises UsageError when the address cannot be had.
    """
    server = _listen(host, port, _application(registry, health))
    thread = threading.Thread(
        target=server.serve_forever, args=[_POLL], name="telemetry", daemon=True
    )
    thread.start()
    try:
        yield server.socket.getsockname()[:2]
    finally:
        server.shutdown()
        thread.join()
        server.cut_off(older_than=0.0)
        server.server_close()


def _application(registry: Collector, health: Callable[[], Health]) -> WSGIApplication:
    metrics = make_wsgi_app(registry)

    def answer(environ: WSGIEnvironment) -> _Answer:
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if path not in ("/healthz", "/readyz", "/metrics"):
            return _line("404 Not Found", "there is /healthz, /readyz, /metrics")
        if method not in _ALLOWED:
            allowed = ", ".join(_ALLOWED)
            return _line("405 Method Not Allowed", f"use {allowed}", ("Allow", allowed))
        if path == "/metrics":
            head: list[Any] = []
            pieces = metrics({**environ, "REQUEST_METHOD": "GET"}, lambda *args: head.extend(args))
            status, headers = head
            return _Answer(status, headers, b"".join(pieces))
        live, ready, reason = health()
        if live if path == "/healthz" else ready:
            return _line("200 OK", "ok")
        return _line("503 Service Unavailable", reason)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            status, headers, body = answer(environ)
        except Exception:
            log.exception("cannot answer", extra={"path": environ["PATH_INFO"]})
            status, headers, body = _line("500 Internal Server Error", "failed: the log says why")
        headers += [("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
        start_response(status, headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    return application


class _Answer(NamedTuple):
    status: str
    headers: list[tuple[str, str]]
    body: bytes


def _line(status: str, line: str, *headers: tuple[str, str]) -> _Answer:
    body = f"{' '.join(line.split())}\n".encode()
    return _Answer(status, [("Content-Type", "text/plain; charset=utf-8"), *headers], body)


def _listen(host: str, port: int, application: WSGIApplication) -> _Server:
    where = f"METRICS_HOST={host} METRICS_PORT={port}"
    if port > 65_535:
        raise UsageError(f"{where}: a port is at most 65535")
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        server = _Server(family, address)
    except (OSError, UnicodeError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise UsageError(
            f"cannot serve on {where}: {reason}. Choose another, or port 0 for no metrics"
        ) from problem
    server.set_app(application)
    return server


class _Handler(WSGIRequestHandler):
    timeout = _PATIENCE

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Write no access log."""

    def get_stderr(self) -> io.StringIO:
        """Return where wsgiref prints tracebacks, also of clients that went away: nowhere."""
        return io.StringIO()


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    # Threads that are no daemons are waited for in server_close; cut_off has ended them by then.
    daemon_threads = False

    def __init__(self, family: int, address: Any) -> None:
        self.address_family = family
        self._open: dict[socket.socket, float] = {}
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # HTTPServer's would ask the resolver for our name, which may take seconds.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.socket.getsockname()[:2]
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open[request] = time.monotonic()
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        # Each byte of a client that dribbles is in time; all of them together are not.
        self.cut_off(older_than=_PATIENCE)

    def cut_off(self, older_than: float) -> None:
        """End connections that have been open for so many seconds, and with them their threads."""
        now = time.monotonic()
        for request, since in list(self._open.items()):
            if now - since >= older_than:
                with suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Do nothing about a client that went away, or took too long."""
