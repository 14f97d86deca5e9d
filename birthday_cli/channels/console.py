"""Messages on standard output, one line each: for trying things out."""

from __future__ import annotations

import sys

from birthday_cli.channels.text import one_line
from birthday_cli.domain.message import Message
from birthday_cli.domain.retry import Outcome, OutcomeClass


class Console:
    """Prints; nothing leaves the machine."""

    async def send(self, message: Message) -> Outcome:
        r"""Print date, type, address and content, separated by tabs.

        Backslashes and what cannot be printed are escaped as in a Python string (`\n`, `\x1b`), so
        that a name can neither forge a line nor drive a terminal. A standard output that cannot be
        written to is a transient failure.
        """
        day = message.delivery_date.isoformat()
        columns = (day, message.message_type, message.email, message.content)
        line = "\t".join(map(_escaped, columns))
        try:
            print(_encodable(line, sys.stdout.encoding or "utf-8"), flush=True)
        except (OSError, ValueError) as problem:
            return Outcome(
                OutcomeClass.TRANSIENT, error=one_line(f"cannot write to stdout: {problem}")
            )
        return Outcome(OutcomeClass.DELIVERED)


def _escaped(text: str) -> str:
    return "".join(
        char if char.isprintable() and char != "\\" else char.encode("unicode_escape").decode()
        for char in text
    )


def _encodable(line: str, encoding: str) -> str:
    return line.encode(encoding, "backslashreplace").decode(encoding)
