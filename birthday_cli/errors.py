"""Exit codes, and the errors that carry one. A message is one line: what is wrong, what to do."""

from __future__ import annotations

import re
from enum import IntEnum


class ExitCode(IntEnum):
    """What every command answers to the shell; the same meaning everywhere."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    DATABASE_UNREACHABLE = 3
    BROKER_UNREACHABLE = 4
    DELIVERIES_FAILED = 5
    NOT_UP_TO_DATE = 6
    LOCKED = 75


class BdayschedError(Exception):
    """A failure with an explanation that an operator can act on."""

    exit_code = ExitCode.FAILED
    # Lines that help to understand it, such as a difference; shown before the explanation.
    detail = ""


class UsageError(BdayschedError):
    """A setting, flag or argument is wrong."""

    exit_code = ExitCode.USAGE


class DatabaseUnreachable(BdayschedError):
    """The database cannot be connected to, or the connection was lost."""

    exit_code = ExitCode.DATABASE_UNREACHABLE


class BrokerUnreachable(BdayschedError):
    """The broker cannot be connected to, or the connection was lost."""

    exit_code = ExitCode.BROKER_UNREACHABLE


class NotUpToDate(BdayschedError):
    """The schema is older than the program, or is not what the migrations made."""

    exit_code = ExitCode.NOT_UP_TO_DATE


class Locked(BdayschedError):
    """Another run holds the lock, or a table stayed locked for longer than we may wait."""

    exit_code = ExitCode.LOCKED


class MissingPartition(BdayschedError):
    """A month that a row belongs to has no partition."""


# Greedy up to the last "@": a password may itself hold "@" or "/". A scheme is short: without the
# bound, a word of 2,000 letters would take 0.1 s.
_URL_PASSWORD = re.compile(r"(?P<head>[a-z][a-z0-9+.-]{0,20}://[^\s:/@]*):\S*@", re.IGNORECASE)
_KEY_PASSWORD = re.compile(
    r"(?P<head>\b\w*(?:password|secret|token)\s*=\s*)('[^']*'|[^\s&]+)", re.I
)


def redact(text: str) -> str:
    """Return text with the password of every URL and key=value pair in it replaced by `***`."""
    return _KEY_PASSWORD.sub(r"\g<head>***", _URL_PASSWORD.sub(r"\g<head>:***@", text))


def described(problem: BaseException) -> str:
    """Return what an unexpected error says, in one line that may be logged.

    Of an error of the database only the message: its detail quotes the row, and a row holds names.
    """
    said = getattr(getattr(problem, "diag", None), "message_primary", None) or str(problem)
    return f"{type(problem).__name__}: {' '.join(said.split())}"
