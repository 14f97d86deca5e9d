"""What a POST costs with each of the well-kept HTTP clients, used as a worker would use them.

One process, one asyncio loop, kept connections, a JSON body of 350 bytes with an Idempotency-Key,
against nginx on loopback, which answers 200. `libcurl_bare` is a loop around pycurl's multi
interface that does nothing else; `channel` is our own, from a message to its outcome.

    python -m benchmarks.http_clients --requests 20000 --rounds 5
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import socket
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from signal import SIGTERM
from typing import TypeAlias

import aiohttp
import httpx
import pycurl
from pyreqwest.client import ClientBuilder
from tornado.curl_httpclient import CurlAsyncHTTPClient
from tornado.httpclient import HTTPRequest

from benchmarks import servers
from birthday_cli.channels import base
from birthday_cli.channels.curl import Transfers
from birthday_cli.config import Settings
from birthday_cli.domain.retry import OutcomeClass
from tests.example import MESSAGE
from tests.servers import process

Post: TypeAlias = Callable[[int], Awaitable[object]]
Client: TypeAlias = Callable[[str, int], AbstractAsyncContextManager[Post]]

_BODY = b'{"data":"' + b"x" * 340 + b'"}'
_JSON = "application/json"
# The slow ones tell their rate with a part of the requests.
_PART = 8
_CONFIGURATION = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{port}; location / {{ return 200; }} }}
}}
"""


@contextmanager
def receiver() -> Iterator[str]:
    """Yield the URL of a private nginx that answers 200, gone afterwards."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if not program:
        raise SystemExit("nginx is missing: apt-get install --no-install-recommends nginx-light")
    with process.folder("benchmark") as folder:
        port = process.free_port()
        file = folder / "nginx.conf"
        file.write_text(_CONFIGURATION.format(folder=folder, port=port))
        file.chmod(0o644)

        def answers() -> bool:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                return True
            return False

        command: list[str | Path] = [program, "-p", folder, "-e", folder / "error.log", "-c", file]
        server = process.start(command, cwd=folder, log=folder / "log", ready=answers)
        try:
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.stop(server, SIGTERM)


@asynccontextmanager
async def with_aiohttp(url: str, under_way: int) -> AsyncIterator[Post]:
    """aiohttp: one session."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=under_way)) as session:

        async def post(number: int) -> None:
            headers = {"Content-Type": _JSON, "Idempotency-Key": str(number)}
            async with session.post(url, data=_BODY, headers=headers) as response:
                assert response.status == 200
                await response.read()

        yield post


@asynccontextmanager
async def with_httpx(url: str, under_way: int) -> AsyncIterator[Post]:
    """httpx: one client."""
    limits = httpx.Limits(max_connections=under_way, max_keepalive_connections=under_way)
    async with httpx.AsyncClient(limits=limits) as client:

        async def post(number: int) -> None:
            headers = {"Content-Type": _JSON, "Idempotency-Key": str(number)}
            assert (await client.post(url, content=_BODY, headers=headers)).status_code == 200

        yield post


@asynccontextmanager
async def with_pyreqwest(url: str, under_way: int) -> AsyncIterator[Post]:
    """pyreqwest: one client, its work on threads of its own."""
    async with ClientBuilder().max_connections(under_way).build() as client:

        async def post(number: int) -> None:
            request = client.post(url).header("Content-Type", _JSON)
            request = request.header("Idempotency-Key", str(number)).body_bytes(_BODY)
            response = await request.build().send()
            assert response.status == 200
            await response.bytes()

        yield post


@asynccontextmanager
async def with_tornado(url: str, under_way: int) -> AsyncIterator[Post]:
    """Tornado's bridge between libcurl and the loop."""
    client = CurlAsyncHTTPClient(force_instance=True, max_clients=under_way)

    async def post(number: int) -> None:
        headers = {"Content-Type": _JSON, "Idempotency-Key": str(number)}
        request = HTTPRequest(url, method="POST", headers=headers, body=_BODY)
        assert (await client.fetch(request)).code == 200

    yield post
    client.close()


def _handles(url: str, under_way: int) -> list[pycurl.Curl]:
    handles = [pycurl.Curl() for _ in range(under_way)]
    for curl in handles:
        curl.setopt(pycurl.URL, url)
        curl.setopt(pycurl.POST, True)
        curl.setopt(pycurl.NOSIGNAL, True)
        curl.setopt(pycurl.WRITEFUNCTION, lambda _: None)
    return handles


def _posts(handles: list[pycurl.Curl], perform: Callable[[pycurl.Curl], Awaitable[object]]) -> Post:
    async def post(number: int) -> None:
        curl = handles.pop()
        curl.setopt(
            pycurl.HTTPHEADER, [f"Content-Type: {_JSON}", f"Idempotency-Key: {number}", "Expect:"]
        )
        curl.setopt(pycurl.POSTFIELDS, _BODY)
        await perform(curl)
        assert curl.getinfo(pycurl.RESPONSE_CODE) == 200
        handles.append(curl)

    return post


@asynccontextmanager
async def with_pycurl(url: str, under_way: int) -> AsyncIterator[Post]:
    """AsyncCurlMulti, the bridge that comes with pycurl."""
    async with pycurl.AsyncCurlMulti() as multi:
        yield _posts(_handles(url, under_way), multi.perform)


@asynccontextmanager
async def with_our_bridge(url: str, under_way: int) -> AsyncIterator[Post]:
    """Our bridge, and nothing around it."""
    transfers, handles = Transfers(10, under_way), _handles(url, under_way)
    yield _posts(handles, transfers.perform)
    transfers.close()


@asynccontextmanager
async def with_the_channel(url: str, under_way: int) -> AsyncIterator[Post]:
    """Our channel: composes the body, and makes an outcome of the answer."""
    settings = Settings(delivery_url=url, worker_concurrency=under_way)
    async with base.connect(settings) as channel:

        async def post(number: int) -> None:
            outcome = await channel.send(MESSAGE._replace(idempotency_key=str(number)))
            assert outcome.kind is OutcomeClass.DELIVERED

        yield post


async def perform(client: Client, url: str, requests: int, under_way: int) -> tuple[float, float]:
    """Return the requests a second, and the CPU seconds of this process for a thousand."""
    async with client(url, under_way) as post:
        await asyncio.gather(*(post(number) for number in range(under_way)))
        numbers = iter(range(requests))

        async def work() -> None:
            for number in numbers:
                await post(number)

        started, used = time.perf_counter(), time.process_time()
        await asyncio.gather(*(work() for _ in range(under_way)))
        took, used = time.perf_counter() - started, time.process_time() - used
    return requests / took, used / requests * 1000


def bare(url: str, requests: int, under_way: int) -> tuple[float, float]:
    """Return the same of a loop around libcurl without asyncio: what no bridge can be below."""
    multi, handles = pycurl.CurlMulti(), _handles(url, under_way)
    numbers = iter(range(-under_way, requests))
    idle, running = list(handles), 0
    started = used = 0.0
    while True:
        while idle and (number := next(numbers, None)) is not None:
            if number == 0:
                started, used = time.perf_counter(), time.process_time()
            curl = idle.pop()
            curl.setopt(
                pycurl.HTTPHEADER,
                [f"Content-Type: {_JSON}", f"Idempotency-Key: {number}", "Expect:"],
            )
            curl.setopt(pycurl.POSTFIELDS, _BODY)
            multi.add_handle(curl)
            running += 1
        if not running:
            break
        multi.perform()
        _, succeeded, failed = multi.info_read()
        assert not failed
        for curl in succeeded:
            assert curl.getinfo(pycurl.RESPONSE_CODE) == 200
            multi.remove_handle(curl)
            idle.append(curl)
        running -= len(succeeded)
        if not succeeded:
            multi.select(1)
    took, used = time.perf_counter() - started, time.process_time() - used
    multi.close()
    return requests / took, used / requests * 1000


CLIENTS: dict[str, Client] = {
    "aiohttp": with_aiohttp,
    "httpx": with_httpx,
    "pyreqwest": with_pyreqwest,
    "tornado": with_tornado,
    "pycurl": with_pycurl,
    "our_bridge": with_our_bridge,
    "channel": with_the_channel,
}
SLOW = {"aiohttp", "httpx", "tornado"}


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--under-way", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    found: dict[str, list[tuple[float, float]]] = {}
    with receiver() as url:
        for number in range(given.rounds):
            for name in sorted(["libcurl_bare", *CLIENTS], reverse=bool(number % 2)):
                count = given.requests // _PART if name in SLOW else given.requests
                if name == "libcurl_bare":
                    figures = bare(url, count, given.under_way)
                else:
                    figures = asyncio.run(perform(CLIENTS[name], url, count, given.under_way))
                found.setdefault(name, []).append(figures)
            servers.tell(
                f"round {number + 1}: "
                + ", ".join(f"{name} {last[-1][0]:,.0f}/s" for name, last in found.items())
            )
    cpu = {name: [used for _, used in figures] for name, figures in found.items()}
    servers.report(
        "http_clients",
        requests=given.requests,
        under_way=given.under_way,
        per_second={
            name: round(statistics.median(rate for rate, _ in figures))
            for name, figures in found.items()
        },
        cpu_seconds_per_1000={name: servers.median(used) for name, used in cpu.items()},
        channel_cpu_to_bare=servers.median(
            [ours / bare for ours, bare in zip(cpu["channel"], cpu["libcurl_bare"], strict=True)]
        ),
    )


if __name__ == "__main__":
    main()
