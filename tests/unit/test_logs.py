from __future__ import annotations

import json
import logging
import os
import pty
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from birthday_cli.domain.retry import OutcomeClass
from birthday_cli.errors import ExitCode, UsageError
from birthday_cli.telemetry import logs

MESSAGE = UUID("0192d3a4-7e1c-7a68-9d4e-0a2b3c4d5e6f")
NOON = 1_796_000_000.25  # 2026-11-30T00:53:20.250Z
HOSTILE = "a\nb\r\x1b[31mc\x9b1md\u2028e\x85f\u202eg\ud800h\x00"
texts = st.text(max_size=12) | st.just(HOSTILE)

log = logging.getLogger("birthday_cli.pipeline.deliver")


@pytest.fixture(autouse=True)
def our_logger() -> Iterator[None]:
    logger = logging.getLogger("birthday_cli")
    handlers, level = logger.handlers, logger.level
    yield
    logger.handlers = handlers
    logger.setLevel(level)


@contextmanager
def stderr_to(stream: TextIO) -> Iterator[None]:
    # Within a test: between a fixture and its test pytest puts its own stderr there again.
    with stream, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", stream)
        yield


@pytest.fixture
def file(tmp_path: Path) -> TextIO:
    return (tmp_path / "stderr").open("w+", encoding="utf-8", newline="\n")


def lines(file: TextIO) -> list[str]:
    """Return what was written, by the newline alone."""
    file.seek(0)
    return file.read().removesuffix("\n").split("\n")


def on_a_terminal(level: str, tell: Callable[[], None]) -> str:
    """Return what tell makes a terminal show."""
    screen, end = pty.openpty()
    with open(screen, "rb", buffering=0) as shown, stderr_to(open(end, "w", encoding="utf-8")):
        logs.configure(level)
        tell()
        sys.stderr.write("the end\n")
        sys.stderr.flush()
        text = b""
        while not text.endswith(b"the end\r\n"):
            text += shown.read(1000)
    return text.decode().replace("\r\n", "\n").removesuffix("the end\n")


def record(event: str = "not delivered", /, **extra: Any) -> Any:
    made = logging.makeLogRecord(
        {
            "name": "birthday_cli.pipeline.deliver",
            "msg": event,
            "levelno": logging.INFO,
            "levelname": "INFO",
        }
    )
    made.created = NOON
    vars(made).update(extra)
    return made


def as_json(**extra: Any) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(logs.JsonFormatter().format(record(**extra)))
    return parsed


def as_line(**extra: Any) -> str:
    return logs.TerminalFormatter(in_colour=False).format(record(**extra))


def test_off_a_terminal_a_line_is_a_json_object(file: TextIO) -> None:
    with stderr_to(file):
        logs.configure("info")
        log.info("sent to %s", "ada", extra={"message_id": MESSAGE, "code": 200})
        log.debug("too small to tell")
        (line,) = lines(file)
    found = json.loads(line)
    assert list(found) == ["time", "level", "logger", "event", "message_id", "code"]
    assert found["level"] == "info"
    assert found["logger"] == "birthday_cli.pipeline.deliver"
    assert found["event"] == "sent to ada"
    assert found["message_id"] == str(MESSAGE)
    assert found["code"] == 200


def test_time_is_utc_with_milliseconds() -> None:
    assert as_json()["time"] == "2026-11-30T00:53:20.250Z"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (MESSAGE, str(MESSAGE)),
        (datetime(2027, 3, 1, 9, tzinfo=UTC), "2027-03-01T09:00:00.000Z"),
        (datetime.fromisoformat("2027-03-01T09:00+05:45"), "2027-03-01T03:15:00.000Z"),
        (date(2027, 3, 1), "2027-03-01"),
        (timedelta(minutes=1, milliseconds=5), 60.005),
        (Decimal("1.10"), "1.10"),
        (OutcomeClass.TRANSIENT, "transient"),
        (ExitCode.LOCKED, 75),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
        (None, None),
        (True, True),
        ([MESSAGE, 1], [str(MESSAGE), 1]),
        ({"at": date(2027, 3, 1)}, {"at": "2027-03-01"}),
        (Path("/a/b"), "/a/b"),
        (ValueError("bad\nthing"), "ValueError: bad thing"),
        (UsageError("no such flag"), "no such flag"),
    ],
)
def test_values_are_written_as_a_reader_expects_them(value: object, expected: object) -> None:
    def no_constant(name: str) -> None:
        pytest.fail(f"{name} is not JSON")

    line = logs.JsonFormatter().format(record(value=value))
    assert json.loads(line, parse_constant=no_constant)["value"] == expected


def test_an_extra_cannot_take_the_place_of_what_every_line_has() -> None:
    found = as_json(event="forged", time="never")
    assert found["event"] == "not delivered"
    assert found["time"] == "2026-11-30T00:53:20.250Z"
    assert (found["event_"], found["time_"]) == ("forged", "never")


def test_an_exception_is_one_string_without_a_traceback() -> None:
    problem = ConnectionError("refused\nby postgresql://me:pa55@host/db")
    found = as_json(exc_info=(ConnectionError, problem, None))
    assert found["error"] == "ConnectionError: refused by postgresql://me:***@host/db"
    line = as_line(exc_info=(ConnectionError, problem, None))
    assert line.endswith("error='ConnectionError: refused by postgresql://me:***@host/db'")
    assert "\n" not in line


def test_debugging_shows_tracebacks_that_cannot_pass_for_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BDAYSCHED_DEBUG", "1")
    try:
        raise ValueError("first\n12:00:00 error   forged password=pa55")
    except ValueError:
        caught = sys.exc_info()
    error = as_json(exc_info=caught)["error"]
    assert "Traceback" in error
    assert "test_logs.py" in error
    first, *others = as_line(exc_info=caught).split("\n")
    assert first.endswith("password=***'")
    assert any("test_logs.py" in line for line in others)
    assert all(line.startswith("    ") for line in others)
    assert "pa55" not in error + "".join(others)


@pytest.mark.parametrize("write", [logs.JsonFormatter().format, lambda made: as_line_of(made)])
def test_passwords_are_nowhere(write: Callable[[logging.LogRecord], str]) -> None:
    line = write(
        record(
            "to postgresql://me:pa55@host/db",
            error="amqp://me:pa55@host refused",
            delivery_secret="pa55",
            several=["password=pa55", {"password": "pa55"}],
        )
    )
    assert "pa55" not in line
    assert line.count("***") == 5


def as_line_of(made: logging.LogRecord) -> str:
    return logs.TerminalFormatter(in_colour=False).format(made)


def test_a_fencing_token_is_no_secret() -> None:
    assert as_json(token=7)["token"] == 7


@settings(max_examples=40)
@given(texts, texts)
def test_no_value_breaks_or_forges_a_line(value: str, key: str) -> None:
    extra = {"value": value, "several": [value], f"k{key}": value}
    line = logs.JsonFormatter().format(record(value, **extra))
    assert line.isascii()
    assert line.isprintable()
    json.loads(line)
    assert as_line_of(record(value, **extra)).isprintable()


def test_a_value_cannot_pass_for_another_extra() -> None:
    assert as_line(error="x code=200").endswith("error='x code=200'")
    assert as_line(error="").endswith("error=''")


def test_on_a_terminal_a_line_is_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    extra = {"error": "connection refused", "code": 320, "pause": None}
    shown = on_a_terminal("info", lambda: log.warning("lost the broker", extra=extra))
    clock, _, rest = shown.partition(" ")
    assert datetime.strptime(clock, "%H:%M:%S").replace(tzinfo=UTC)
    assert rest == "\x1b[33mwarning\x1b[0m lost the broker error='connection refused' code=320\n"


def test_no_color_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    shown = on_a_terminal("info", lambda: log.error("failed"))
    assert shown.endswith(" error   failed\n")
    assert shown.isascii()
    assert "\x1b" not in shown


def test_the_journal_gets_priorities(file: TextIO, monkeypatch: pytest.MonkeyPatch) -> None:
    status = os.fstat(file.fileno())
    monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
    with stderr_to(file):
        logs.configure("info")
        log.warning("lost the broker")
        log.info("connected")
        first, second = lines(file)
    assert first.startswith('<4>{"time"')
    assert second.startswith('<6>{"time"')


def test_a_file_gets_none_though_the_service_is_systemds(
    file: TextIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "8:12345")
    with stderr_to(file):
        logs.configure("info")
        log.warning("lost the broker")
        assert lines(file)[0].startswith("{")


def test_the_last_configuration_holds(file: TextIO) -> None:
    with stderr_to(file):
        logs.configure("debug")
        logs.configure("WARNING")
        log.info("not told")
        log.warning("told once")
        (line,) = lines(file)
    assert json.loads(line)["event"] == "told once"


def test_loggers_of_libraries_stay_as_they_are() -> None:
    before = [(logger.handlers, logger.level) for logger in _libraries()]
    logs.configure("debug")
    assert [(logger.handlers, logger.level) for logger in _libraries()] == before


def _libraries() -> list[logging.Logger]:
    return [logging.getLogger(name) for name in (None, "pika", "psycopg.pool")]


def test_a_level_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match=r"LOG_LEVEL='loud' is not one of debug, info, warning"):
        logs.configure("loud")
