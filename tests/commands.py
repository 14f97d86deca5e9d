"""The program's commands, read off the program itself; and whether a line of them is one."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from birthday_cli.cli.main import app

ROOT: Any = get_command(app)
# The words of a line up to what the shell makes of the rest.
_ENDS = {"|", "||", "&", "&&", ";", ">", ">>", "<"}


def every() -> Iterator[list[str]]:
    """Yield the words of each command, groups and what is in them included."""
    yield from _below(ROOT, [])


def _below(group: Any, words: list[str]) -> Iterator[list[str]]:
    for name, command in group.commands.items():
        yield [*words, name]
        if is_group(command):
            yield from _below(command, [*words, name])


def is_group(command: Any) -> bool:
    return hasattr(command, "commands")


def find(words: list[str]) -> tuple[Any, list[str]]:
    """Return the command that words begin with, and the words after it; KeyError if none."""
    command, rest = ROOT, words
    while is_group(command) and rest:
        command, rest = command.commands[rest[0]], rest[1:]
    return command, rest


def parse(line: str) -> None:
    """Have the program parse line, such as `bdaysched migrate --plan`, without running it.

    Raises whatever the parser does for a command, an option or an argument that is none.
    """
    name, *words = _words(line)
    assert name == "bdaysched", line
    command, rest = find(words)
    assert not is_group(command), line
    command.make_context(name, rest)


def unknown_options(line: str) -> set[str]:
    """Return the options of line that its command does not have; KeyError if it is no command.

    For lines that hold more than a shell takes: `FILE`, `…`, `[--for 30m]`.
    """
    words = re.sub(r"[\[\]|]", " ", line).split()
    if words[0] == "bdaysched":
        words = words[1:]
    places = [word for word in words if word != "…"]
    command, rest = find(places) if places else (ROOT, [])
    known = {name for parameter in command.params for name in parameter.opts} | {"--help", "-h"}
    return {word.partition("=")[0] for word in rest if word.startswith("-")} - known


def example(command: Any) -> str | None:
    """Return the example that the help of command ends with."""
    found = re.search(r"^Example: (bdaysched .*)\Z", command.help or "", re.DOTALL | re.MULTILINE)
    return " ".join(found[1].split()) if found else None


def _words(line: str) -> list[str]:
    words = shlex.split(line, comments=True)
    ends = [index for index, word in enumerate(words) if word in _ENDS]
    return words[: min(ends, default=len(words))]
