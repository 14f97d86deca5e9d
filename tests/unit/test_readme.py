"""The README's tables say what the program does."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from birthday_cli import config
from birthday_cli.config import Settings
from birthday_cli.errors import ExitCode

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_the_table_of_settings_is_complete_with_its_defaults(tmp_path: Path) -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (?:`(.*?)`)? *\| (.*) \|$", README, re.MULTILINE)
    assert [name for name, _, _ in rows] == [field.name.upper() for field in fields(Settings)]
    assert [text for _, _, text in rows] == [field.metadata["help"] for field in fields(Settings)]
    defaults = {name: default for name, default, _ in rows if default}
    assert config.load(defaults, tmp_path / ".env") == Settings()


def test_the_table_of_exit_codes_is_complete() -> None:
    rows = re.findall(r"^\| (\d+) \| \w.* \|$", README, re.MULTILINE)
    assert [int(code) for code in rows] == list(ExitCode)


def test_the_two_commands_come_first_and_are_targets() -> None:
    first = README.partition("```console\n")[2].partition("```")[0]
    makefile = (Path(__file__).parents[2] / "Makefile").read_text()
    for command in ("make demo", "make test"):
        assert command in first
        assert re.search(rf"^{command.split()[1]}:", makefile, re.MULTILINE)
