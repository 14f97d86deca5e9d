"""The kinds of message there are: whose date, when, and what it says.

They are declared in message_types/message_types.toml, or in the file that MESSAGE_TYPES names.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import time
from functools import cache
from pathlib import Path
from typing import Any

from birthday_cli.domain import template
from birthday_cli.domain.template import Template
from birthday_cli.errors import UsageError

_OWN = Path(__file__).resolve().parent.parent / "message_types" / "message_types.toml"
_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
_COLUMN = re.compile(r"[a-z][a-z0-9_]*")
_KEYS = {"date_column": str, "send_at": time, "subject": str, "template": str}


@dataclass(frozen=True)
class MessageType:
    """One kind of message.

    `date_column` is the column of users with its month-day, `send_at` the user's local time.
    """

    name: str
    date_column: str
    send_at: time
    subject: str
    template: Template


@cache
def load(declared_in: str = "") -> tuple[MessageType, ...]:
    """Return the types that a file declares, the package's own for "", in their order there.

    Raises UsageError, naming the file and the entry, for what cannot be read or is not right.
    """
    file = Path(declared_in) if declared_in else _OWN
    try:
        declared = tomllib.loads(_read(file))
        if not declared:
            raise ValueError("it declares nothing")
        return tuple(_parse(name, entry, file.parent) for name, entry in declared.items())
    except ValueError as problem:
        raise UsageError(f"{file}: {problem}") from problem


def _parse(name: str, entry: Any, folder: Path) -> MessageType:
    if not _NAME.fullmatch(name):
        raise ValueError(f"[{name}] is not a name in capitals")
    if not isinstance(entry, dict) or entry.keys() != _KEYS.keys():
        raise ValueError(f"[{name}] needs {', '.join(_KEYS)}, and nothing else")
    for key, kind in _KEYS.items():
        if not isinstance(entry[key], kind):
            wanted = "a time such as 09:00:00" if kind is time else "text in quotes"
            raise ValueError(f"[{name}] {key} is not {wanted}")
    if not _COLUMN.fullmatch(entry["date_column"]):
        raise ValueError(f"[{name}] date_column {entry['date_column']!r} is not a column's name")
    if not entry["subject"].isprintable():
        raise ValueError(f"[{name}] subject is not one line of text")
    try:
        wording = template.parse(_read(folder / entry["template"]).rstrip("\n"))
    except ValueError as problem:
        raise ValueError(f"[{name}] {entry['template']}: {problem}") from problem
    return MessageType(name, entry["date_column"], entry["send_at"], entry["subject"], wording)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as problem:
        raise ValueError(f"it cannot be read: {problem.strerror}") from problem
