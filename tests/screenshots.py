"""The pictures of docs/screenshots, taken of the real commands: `python -m tests.screenshots`.

The day is made up (tests/studio_scene.py). What the commands say of the real clock, and how long
something took, differs from one time to the next.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests import studio_scene, studio_screens
from tests.servers import process
from tests.servers.postgres import PostgresServer, system_binaries
from tests.servers.rabbitmq import RabbitNode
from tests.terminal import Terminal

PROGRAM = Path(sys.executable).with_name("bdaysched")
FOLDER = Path(__file__).parents[1] / "docs" / "screenshots"
HOST = "plan-1"
# docs/roles.md; what is broken in doctor's picture is meant to be all that is wrong.
_ROLES = """
CREATE ROLE bdaysched_program NOLOGIN;
CREATE ROLE bdaysched_worker NOLOGIN;
CREATE ROLE birthday_owner LOGIN CREATEDB PASSWORD 'o';
GRANT pg_monitor TO birthday_owner;
"""
_LOSES_NOTHING = ("-c", "fsync=on", "-c", "full_page_writes=on")
# What the made-up day has that is stuck, so that doctor's three are the only ones.
_MEND = (
    "UPDATE message_logs SET status = 'SENT', actual_send_time = scheduled_send_time"
    " WHERE status IN ('SENDING', 'RETRYING')"
)
_BREAK = (
    "DROP INDEX idx_message_logs_recovery",
    "ALTER TABLE message_logs DETACH PARTITION message_logs_2027_04",
    "UPDATE heartbeats SET stale_at = now() - interval '9 min' WHERE host = 'send-2'",
)


@dataclass
class Scene:
    """A day in a database, and where pictures of it go."""

    url: str
    environment: dict[str, str]
    folder: Path

    def execute(self, *statements: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def start(self, *arguments: str, columns: int = 80, lines: int = 100) -> Terminal:
        # The same name on every machine; to change it takes root.
        alias = ["unshare", "--uts", "sh", "-c", f'hostname {HOST} && exec "$@"', "sh"]
        command = [*(alias if os.geteuid() == 0 else []), str(PROGRAM), *arguments]
        return Terminal(command, columns, lines, self.environment)

    def take(self, name: str, *arguments: str, first: str = "", columns: int = 80) -> None:
        """Run a command to its end, and keep what it has drawn, from the line first on."""
        terminal = self.start(*arguments, columns=columns, lines=160)
        terminal.end()
        self.keep(name, terminal, *arguments, first=first)

    def keep(self, name: str, terminal: Terminal, *arguments: str, first: str = "") -> None:
        path = self.folder / f"{name}.svg"
        path.write_text(terminal.svg(f"bdaysched {' '.join(arguments)}", first))
        print(path)


@contextmanager
def scene(folder: Path) -> Iterator[Scene]:
    """Yield the day, in a database and a broker of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    with process.folder("postgres") as ours, process.folder("rabbitmq") as theirs:
        server = PostgresServer(system_binaries(), ours)
        node = RabbitNode(theirs)
        try:
            server.start(*_LOSES_NOTHING)
            node.start()
            with psycopg.connect(server.url(), autocommit=True) as administrator:
                administrator.execute(_ROLES)
                administrator.execute("CREATE DATABASE birthday_app OWNER birthday_owner")
            url = f"postgresql://birthday_owner:o@{server.host}:{server.port}/birthday_app"
            studio_scene.play(url)
            environment = {
                "DATABASE_URL": url,
                "BROKER_URL": node.url,
                "DELIVERY_URL": "console:",
                "BDAYSCHED_NOW": studio_scene.NOW.isoformat(),
            }
            yield Scene(url, environment, folder)
        finally:
            node.remove()
            server.stop()


def take_all(folder: Path = FOLDER) -> None:
    """Write every picture into folder."""
    with scene(folder) as day:
        day.take("demo", "demo", first="The day around")
        day.take("status", "status")
        day.take("partitions", "partitions")
        watch(day)
        day.execute(_MEND, *_BREAK)
        day.take("doctor", "doctor", columns=100)
    for path in studio_screens.studio(folder):
        print(path)


def watch(day: Scene) -> None:
    """Watch the queue while one of its messages is sent."""
    command = ("monitor", "queue", "--watch", "0.5")
    terminal = day.start(*command, lines=24)
    terminal.until(lambda: "q ends it" in terminal.text())
    day.execute(
        "UPDATE message_logs SET status = 'SENT', actual_send_time = now() WHERE id ="
        " (SELECT id FROM message_logs WHERE status = 'SENDING' LIMIT 1)"
    )
    terminal.until(terminal.is_set_off)
    day.keep("monitor", terminal, *command)
    terminal.type("q")
    terminal.end()


if __name__ == "__main__":
    take_all()
