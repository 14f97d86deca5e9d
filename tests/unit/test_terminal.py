"""The terminal that pictures for the docs are taken of."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tests.terminal import Terminal

PICTURES = Path(__file__).parents[2] / "docs" / "screenshots"
PROGRAM = r"""
import sys
print("not shown")
print("first  \x1b[1;31mred\x1b[0m <&> \x1b[32m█\x1b[0m")
print("\x1b[7mset off\x1b[0m")
sys.stdin.readline()
print("typed")
sys.exit(3)
"""


def test_what_a_program_draws_becomes_a_picture_that_asks_no_other_host() -> None:
    terminal = Terminal([sys.executable, "-c", PROGRAM], 40, 10, {})
    terminal.until(terminal.is_set_off)
    assert terminal.text().endswith("set off")
    terminal.type("\n")
    assert terminal.end() == 3
    assert "typed" in terminal.text()
    svg = terminal.svg("$ first", first="first")
    assert "not&#160;shown" not in svg
    assert re.search(r'<text class="terminal-r\d+"[^>]*>red</text>', svg)
    assert "&lt;&amp;&gt;" in svg
    assert addresses(svg) == {"http://www.w3.org/2000/svg"}


def addresses(svg: str) -> set[str]:
    return set(re.findall(r"\w+://[^\s\"'<)]*", svg)) | set(re.findall(r"url\((?!#)[^)]*\)", svg))
