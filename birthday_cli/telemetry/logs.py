"""The log on stderr: one JSON object a line for machines, a readable line on a terminal.

Everybody logs with `logging.getLogger(__name__)`, and says what it is about with `extra={…}`.
"""

from __future__ import annotations

import json
import logging
import math
import os
import re
import sys
import time
import traceback
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import Any, TextIO

from birthday_cli.errors import BdayschedError, UsageError, described, redact

LEVELS = ("debug", "info", "warning", "error")

_ROOT = "birthday_cli"
# What every record has, so that the rest is `extra`. Formatters of others add the last two.
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_COLOURS = {
    logging.DEBUG: "2",
    logging.INFO: "32",
    logging.WARNING: "33",
    logging.ERROR: "31",
    logging.CRITICAL: "1;31",
}
# sd-daemon(3): `<N>` before a line is its syslog priority.
_PRIORITIES = {
    logging.DEBUG: 7,
    logging.INFO: 6,
    logging.WARNING: 4,
    logging.ERROR: 3,
    logging.CRITICAL: 2,
}
_SECRET = re.compile(r"\w*(?:password|secret)", re.IGNORECASE)
_NEEDS_NO_QUOTES = re.compile(r"[^\s\"'=\\]+")


def configure(level: str) -> None:
    """Write what our own loggers say, from level on, to stderr; the last call holds.

    Loggers of libraries stay as they are. Raises UsageError for a level that is none.
    """
    if level.lower() not in LEVELS:
        raise UsageError(f"LOG_LEVEL={level!r} is not one of {', '.join(LEVELS)}")
    handler = logging.StreamHandler(sys.stderr)
    if sys.stderr.isatty():
        handler.setFormatter(TerminalFormatter(in_colour=not os.environ.get("NO_COLOR")))
    else:
        handler.setFormatter(JsonFormatter(with_priority=_is_journal(sys.stderr)))
    logger = logging.getLogger(_ROOT)
    logger.handlers = [handler]
    logger.setLevel(level.upper())


def _is_journal(stream: TextIO) -> bool:
    # systemd.exec(5): a stream that was sent elsewhere is another file than $JOURNAL_STREAM names.
    try:
        status = os.fstat(stream.fileno())
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


class JsonFormatter(logging.Formatter):
    """One JSON object a line, in ASCII: time, level, logger, event, then the extras.

    An exception is the string `error`. An extra with the name of one of these gets a `_` behind it.
    """

    def __init__(self, with_priority: bool = False) -> None:
        super().__init__()
        self._with_priority = with_priority

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": _instant(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": redact(record.getMessage()),
        }
        if problem := _problem(record):
            line["error"] = redact(f"{problem}\n{trace}" if (trace := _trace(record)) else problem)
        for key, value in _extras(record).items():
            line[f"{key}_" if key in line else key] = value
        # Only ASCII: no line or paragraph separator, and no control sequence, gets through as such.
        text = json.dumps(line)
        return f"<{_PRIORITIES.get(record.levelno, 6)}>{text}" if self._with_priority else text


class TerminalFormatter(logging.Formatter):
    """A line for people: the local time, level, event, and key=value of the extras.

    A value with blanks or anything unprintable is quoted, and escaped as Python would.
    """

    def __init__(self, in_colour: bool) -> None:
        super().__init__()
        self._in_colour = in_colour

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; below it, with BDAYSCHED_DEBUG, the traceback."""
        level = f"{record.levelname.lower():7}"
        if self._in_colour:
            level = f"\033[{_COLOURS.get(record.levelno, '0')}m{level}\033[0m"
        words = [
            time.strftime("%H:%M:%S", time.localtime(record.created)),
            level,
            _printable(redact(record.getMessage())),
        ]
        extras = _extras(record)
        if problem := _problem(record):
            extras["error"] = redact(problem)
        words += [
            f"{_printable(key)}={_word(value)}"
            for key, value in extras.items()
            if value is not None
        ]
        # Indented, so that no line of it passes for one of the log.
        trace = [f"    {_printable(redact(line))}" for line in _trace(record).splitlines()]
        return "\n".join([" ".join(words), *trace])


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    extras: dict[str, Any] = _plain(
        {key: value for key, value in vars(record).items() if key not in _OWN}
    )
    return extras


def _problem(record: logging.LogRecord) -> str:
    problem = record.exc_info[1] if record.exc_info else None
    return _describe(problem) if problem else ""


def _describe(problem: BaseException) -> str:
    if isinstance(problem, BdayschedError):
        return " ".join(str(problem).split())
    return described(problem)


def _trace(record: logging.LogRecord) -> str:
    problem = record.exc_info[1] if record.exc_info else None
    if problem is None or not os.environ.get("BDAYSCHED_DEBUG"):
        return ""
    return "".join(traceback.format_exception(problem)).rstrip()


def _plain(value: Any) -> Any:
    """Return value as JSON knows it: times as seconds, what it does not know as text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {
            str(key): "***" if _SECRET.fullmatch(str(key)) else _plain(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return _instant(value.astimezone(UTC))
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, BaseException):
        return redact(_describe(value))
    return redact(str(value))


def _instant(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _word(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if text.isprintable() and (not isinstance(value, str) or _NEEDS_NO_QUOTES.fullmatch(text)):
        return text
    return repr(text)


def _printable(text: str) -> str:
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
