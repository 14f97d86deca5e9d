"""Cron starts the program every minute: help must need none of the drivers. And what help says."""

from __future__ import annotations

import subprocess
import sys

import pytest

from birthday_cli.cli import panels
from tests import commands
from tests.acceptance.conftest import PROGRAM

COMMANDS = list(commands.every())
HEAVY = {
    *("starlette", "uvicorn", "jinja2"),
    *("psycopg", "psycopg_pool", "pika", "pycurl", "aiohttp", "aiosmtplib", "redis"),
    *("pyarrow", "fsspec"),
    *("asyncio", "dateutil", "ssl"),
}


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
    assert f"Usage: bdaysched {' '.join(command)}".strip() in done.stdout
    assert not HEAVY & set(done.stderr.split())


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_help_of_a_command_ends_with_an_example_that_it_takes(command: list[str]) -> None:
    found, _ = commands.find(command)
    if commands.is_group(found):
        assert found.help
        return
    line = commands.example(found)
    assert line, found.help
    assert line.split()[1 : len(command) + 1] == command
    commands.parse(line)


def test_a_command_of_the_first_level_is_in_a_panel_by_what_it_is_for() -> None:
    found = {command.rich_help_panel for command in commands.ROOT.commands.values()}
    named = {text for name, text in vars(panels).items() if name.isupper()}
    assert found == named


def test_the_example_is_what_a_person_sees_who_types_h() -> None:
    done = subprocess.run([PROGRAM, "users", "add", "-h"], capture_output=True, text=True)
    assert "Example: bdaysched users add --email ada@example.com" in done.stdout


def test_version() -> None:
    done = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("bdaysched ")
