"""A terminal without a window: what a program draws on it, as text and as a picture (SVG)."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import pyte
from pyte.screens import Char
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.style import Style
from rich.text import Text

# The template without its fonts, which come from a host on the Internet, and its maker's address.
_TEMPLATE = (
    CONSOLE_SVG_FORMAT[: CONSOLE_SVG_FORMAT.index("    <!--")]
    + "    <style>\n"
    + CONSOLE_SVG_FORMAT[CONSOLE_SVG_FORMAT.index("    .{unique_id}-matrix") :]
).replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, monospace")
# pyte's names, where they are not rich's.
_COLOURS = {"default": "default", "brown": "yellow", "brightbrown": "bright_yellow"}
_SECONDS = 120.0


class Terminal:
    """A program on a terminal of that size; `screen` is what is to be seen."""

    def __init__(
        self,
        command: Sequence[str | Path],
        columns: int,
        lines: int,
        environment: Mapping[str, str],
    ) -> None:
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self._process = subprocess.Popen(
            command,
            env={**os.environ, "TERM": "xterm-256color", **environment},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def until(self, condition: Callable[[], bool]) -> None:
        """Go on drawing until condition is true, or the program has ended."""
        give_up = time.monotonic() + _SECONDS
        while not condition() and self._draws():
            assert time.monotonic() < give_up, self.text()

    def end(self) -> int:
        """Return the exit code, having drawn the rest."""
        self.until(lambda: False)
        os.close(self._ours)
        return self._process.wait(_SECONDS)

    def _draws(self) -> bool:
        if not select.select([self._ours], [], [], 1)[0]:
            return True
        try:
            written = os.read(self._ours, 65_536)
        except OSError:
            # A terminal whose other end was closed is an error to read, not an end of file.
            return False
        self._stream.feed(written)
        return bool(written)

    def text(self) -> str:
        """Return what is to be seen, without the empty lines at the end."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    def is_set_off(self) -> bool:
        """Whether anything is drawn in reverse."""
        rows = self._screen.buffer.values()
        return any(cell.reverse for row in rows for cell in row.values())

    def svg(self, title: str, first: str = "") -> str:
        """Return what is to be seen as a picture, from the line on that begins with first."""
        lines = self.text().splitlines()
        start = next(number for number, line in enumerate(lines) if line.startswith(first))
        console = Console(
            record=True,
            width=self._screen.columns,
            file=io.StringIO(),
            force_terminal=True,
            color_system="truecolor",
        )
        for number in range(start, len(lines)):
            console.print(self._line(number), no_wrap=True, overflow="ignore", crop=False)
        # Or the picture ends in the middle of the last letters.
        console.print()
        return console.export_svg(title=title, code_format=_TEMPLATE, unique_id="terminal")

    def _line(self, number: int) -> Text:
        row = self._screen.buffer[number]
        cells = [row[column] for column in range(self._screen.columns)]
        line = Text()
        for style, run in groupby(cells, _style):
            line.append("".join(cell.data for cell in run), style)
        return line


def _style(cell: Char) -> Style:
    return Style(
        color=_colour(cell.fg),
        bgcolor=_colour(cell.bg),
        bold=cell.bold,
        italic=cell.italics,
        underline=cell.underscore,
        reverse=cell.reverse,
    )


def _colour(name: str) -> str:
    if len(name) == 6 and not name.isalpha():
        return f"#{name}"
    return _COLOURS.get(name, name.replace("bright", "bright_"))
