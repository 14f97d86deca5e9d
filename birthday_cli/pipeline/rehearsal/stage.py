"""What `demo` and `simulate` play on: a folder for a private database, and a receiver."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from aiohttp import web


@contextmanager
def private_folder(keep: bool = False) -> Iterator[Path]:
    """Yield a new folder, which is removed afterwards unless it is to be kept."""
    folder = Path(tempfile.mkdtemp(prefix="bdaysched-"))
    # As root the server may have to run as another account, which must get through to its data.
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def receiver(received: Counter[str]) -> AsyncIterator[str]:
    """Yield the URL of an HTTP receiver on loopback that counts idempotency keys."""

    async def answer(request: web.Request) -> web.Response:
        received[request.headers["Idempotency-Key"]] += 1
        return web.json_response({"accepted": True})

    app = web.Application()
    app.router.add_post("/messages", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}/messages"
    finally:
        await runner.cleanup()
