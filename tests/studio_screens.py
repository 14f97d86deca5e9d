"""Pictures of the pages of studio, for the docs; taken of a day that is made up."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import studio_scene
from tests.browser import Browser, browser
from tests.servers import postgres

PROGRAM = Path(sys.executable).with_name("bdaysched")
# Name, address, width, whether it is dark, and how much of a long page is shown.
PICTURES = (
    ("day", "/", 1280, False, 1_560),
    ("day-dark", "/", 1280, True, 900),
    ("day-phone", "/", 390, False, 1_500),
    ("users", "/users?timezone=Asia/Tokyo", 1280, False, 760),
    ("user", "USER", 1280, False, 900),
    ("messages", "/messages?status=FAILED", 1280, False, 760),
    ("attention", "/attention", 1280, False, 900),
    ("queue", "/queue", 1280, False, 1_300),
    ("months", "/months", 1280, False, 1_000),
)


@contextmanager
def running(url: str, *options: str, **environment: str) -> Iterator[str]:
    """Run `bdaysched studio` over a database, on any free port; yield the link that it prints."""
    ours = {"DATABASE_URL": url, "BDAYSCHED_NOW": studio_scene.NOW.isoformat(), **environment}
    with subprocess.Popen(
        [PROGRAM, "studio", "--port", "0", *options],
        env={**os.environ, **ours},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
    assert process.returncode == 0


def studio(folder: Path) -> list[Path]:
    """Write studio-*.png into folder, from a database and a browser of its own; return them."""
    with (
        postgres.running("pg15") as server,
        postgres.new_database(server) as url,
        browser() as window,
    ):
        studio_scene.play(url)
        with running(url, "--write") as link:
            return take(window, link, folder)


def take(window: Browser, link: str, folder: Path) -> list[Path]:
    """Write the pictures of a studio into folder, and return them."""
    folder.mkdir(parents=True, exist_ok=True)
    window.open(link)
    origin = link.partition("/?")[0]
    written = []
    for name, address, width, dark, height in PICTURES:
        window.looks(width, dark)
        if address == "USER":
            window.open(f"{origin}/attention")
            address = window.read("#failed ~ .scroll tbody td a", "href")
            window.open(address)
        else:
            window.open(origin + address)
        path = folder / f"studio-{name}.png"
        path.write_bytes(base64.b64decode(window.picture(height)))
        written.append(path)
    return written
