"""What a check of `doctor` comes to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from birthday_cli.config import Settings
from birthday_cli.db.connect import Connection
from birthday_cli.errors import ExitCode

BUG = "report it: this is a fault of the program's"
"""What is to be done about what no check has foreseen."""


class Verdict(StrEnum):
    """What is to be said of something, the worst first.

    WARNING is for what harms nobody yet, or is meant to be so for a while.
    """

    WRONG = "wrong"
    WARNING = "warning"
    NOT_KNOWN = "not known"
    OK = "ok"


@dataclass(frozen=True)
class Finding:
    """A verdict, its evidence in one line, and the command that mends it or tells more.

    `exit_code` is what a run ends with of which this is all that is wrong.
    """

    verdict: Verdict
    evidence: str
    command: str = ""
    exit_code: ExitCode = ExitCode.DONE


@dataclass(frozen=True)
class Patient:
    """What the checks of the database look at; now is the program's instant."""

    settings: Settings
    now: datetime
    conninfo: str
    connection: Connection


def ok(evidence: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(Verdict.OK, evidence)


def warning(evidence: str, command: str) -> Finding:
    """Return that something should be looked at."""
    return Finding(Verdict.WARNING, evidence, command)


def wrong(evidence: str, command: str, exit_code: ExitCode = ExitCode.FAILED) -> Finding:
    """Return that something is wrong."""
    return Finding(Verdict.WRONG, evidence, command, exit_code)


def not_known(evidence: str, command: str = "") -> Finding:
    """Return that something could not be found out, and why."""
    return Finding(Verdict.NOT_KNOWN, evidence, command)


def counted(names: list[str]) -> str:
    """Return the first of names, and how many there are more."""
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
