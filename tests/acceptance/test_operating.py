"""docs/operating.md names every table, every line of status and no other."""

from __future__ import annotations

import re
from pathlib import Path

from birthday_cli.pipeline.doctor import checks
from birthday_cli.pipeline.looking import monitor
from tests.acceptance.conftest import OnTerminal
from tests.acceptance.test_look import plain

DOCUMENT = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()


def column(section: str) -> list[str]:
    """Return the first cells of the table in a section, without the heading."""
    text = DOCUMENT.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `?([a-z ]+?)`? \|", text, re.MULTILINE)[1:]


def test_the_document_names_every_table() -> None:
    assert column("monitor") == sorted(monitor.tables())


def test_the_document_explains_every_line_of_status(on_terminal: OnTerminal) -> None:
    lines = plain(on_terminal("status", NO_COLOR="1")).splitlines()
    shown = [line.split("  ")[0] for line in lines if re.match(r"[a-z ]+  \S", line)]
    assert [name for name in shown if name not in ("what", "also wrong")] == column("status")


def test_the_document_names_every_check_of_doctor() -> None:
    around = ["settings", "broker", "queue", "policies", "dead letters", "delivery", "redis"]
    assert column("doctor") == [*checks.CHECKS, *around]
