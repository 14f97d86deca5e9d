"""Cron starts the program every minute: help must need none of the drivers."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.main import get_command

from birthday_cli.cli.main import app
from tests.acceptance.conftest import PROGRAM

COMMANDS = [
    ["demo"],
    ["migrate"],
    ["generate"],
    ["push"],
    ["seed"],
    ["users"],
    ["users", "add"],
    ["users", "import"],
    ["users", "export"],
    ["users", "list"],
    ["users", "delete"],
    ["create-partitions"],
    ["drop-partitions"],
    ["partitions"],
    ["restore-partition"],
    ["schedule"],
    ["run-worker"],
    ["monitor"],
    ["preview"],
    ["audit"],
    ["simulate"],
    ["explain"],
    ["forecast"],
    ["status"],
    ["queue"],
    ["queue", "status"],
    ["queue", "pause"],
    ["queue", "resume"],
    ["queue", "dead"],
    ["queue", "replay"],
    ["queue", "rebuild"],
    ["schema"],
    ["schema", "status"],
    ["schema", "repair"],
    ["schema", "check"],
    ["schema", "dump"],
    ["schema", "baseline"],
    ["schema", "lint"],
    ["reset"],
    ["metrics"],
    ["units"],
]
HEAVY = {
    *("psycopg", "psycopg_pool", "pika", "pycurl", "aiohttp", "aiosmtplib", "redis"),
    *("pyarrow", "fsspec"),
    *("asyncio", "dateutil", "ssl"),
}


def test_every_command_is_listed_here() -> None:
    assert set(get_command(app).commands) == {command[0] for command in COMMANDS}  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", [[], *COMMANDS], ids=" ".join)
def test_help_loads_no_driver(command: list[str]) -> None:
    code = (
        "import sys\n"
        "from birthday_cli.cli.main import main\n"
        f"sys.argv = ['bdaysched', *{command!r}, '--help']\n"
        "try:\n    main()\n"
        "except SystemExit as ended:\n    assert not ended.code\n"
        "print(*(name for name in sys.modules if '.' not in name), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Usage: bdaysched" in done.stdout
    assert not HEAVY & set(done.stderr.split())


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_has_an_example_of_each_command(command: list[str]) -> None:
    done = subprocess.run([PROGRAM, *command, "-h"], capture_output=True, text=True, check=True)
    if command not in (["users"], ["queue"], ["schema"]):
        assert f"Example: bdaysched {' '.join(command)}" in done.stdout


def test_version() -> None:
    done = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("bdaysched ")
