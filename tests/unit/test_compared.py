"""docs/compared.md: each own cell names tests that there are, each other one where it was read."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "compared.md").read_text()
TOOLS = ("dbmate", "goose", "sqitch", "Flyway", "drizzle-kit")
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in DOCUMENT.splitlines()
    if line.startswith("| ")
]


def test_each_own_cell_names_tests_that_there_are() -> None:
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    for situation, *_, own in ROWS[1:]:
        named = re.findall(r"`(test_\w+)`", own)
        assert named, situation
        assert [name for name in named if name not in there] == [], situation


def test_each_other_cell_says_where_it_was_read() -> None:
    assert ROWS[0] == ["situation", *TOOLS, "bdaysched"]
    used = set()
    for situation, *others, _ in ROWS[1:]:
        assert len(others) == len(TOOLS), situation
        for tool, cell in zip(TOOLS, others, strict=True):
            cited = re.findall(r"\[([a-z]\d+)\]", cell)
            assert cited or cell == "-", f"{situation}: {tool}"
            used |= {*cited}
    assert used == {*re.findall(r"^\[(\w+)\]: https://", DOCUMENT, re.MULTILINE)}
