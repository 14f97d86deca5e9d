"""Looking again and again: one screen that is drawn anew in its place, until q or Ctrl-C."""

from __future__ import annotations

import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from birthday_cli.errors import BdayschedError, UsageError, redact

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

T = TypeVar("T")


def require_terminal(as_json: bool) -> None:
    """Raise UsageError unless something can be watched."""
    if as_json or not sys.stdout.isatty():
        raise UsageError(
            "--watch draws on a terminal: leave it out for one answer, or repeat the command"
        )


def watch(
    seconds: float, ask: Callable[[], T], draw: Callable[[T, T | None, int], RenderableType]
) -> None:
    """Ask every so many seconds, and draw the answer beside the one before.

    draw gets the lines that there are for it, too. What goes wrong after the first answer is shown
    below the last one, until it goes right again.
    """
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    console = Console()
    before: T | None = None
    answer = ask()
    picture = draw(answer, before, _lines(console))
    trouble = ""
    with (
        suppress(KeyboardInterrupt),
        _keys() as pressed,
        Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop") as live,
    ):
        while True:
            foot = f"{time.strftime('%H:%M:%S', time.gmtime())}Z, every {seconds:g} s; q ends it"
            live.update(
                Group(picture, Text(trouble, style="bold"), Text(foot, style="dim")), refresh=True
            )
            if pressed(seconds):
                break
            try:
                before, answer = answer, ask()
                picture, trouble = draw(answer, before, _lines(console)), ""
            except BdayschedError as problem:
                trouble = redact(str(problem))
    # What was seen last stays to be read.
    console.print(picture)


def _lines(console: Console) -> int:
    # Below are the trouble, which may take some lines, and the foot.
    return max(console.height - 5, 3)


@contextmanager
def _keys() -> Iterator[Callable[[float], bool]]:
    """Yield what waits so long at most, and returns whether q was pressed meanwhile."""
    if not sys.stdin.isatty():
        yield _sleep
        return
    keyboard = sys.stdin.fileno()
    as_it_was = termios.tcgetattr(keyboard)

    def pressed(seconds: float) -> bool:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if select.select([keyboard], [], [], left)[0]:
                typed = os.read(keyboard, 64).lower()
                if b"q" in typed or not typed:
                    return True
        return False

    try:
        tty.setcbreak(keyboard, termios.TCSADRAIN)
        yield pressed
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, as_it_was)


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return False
