"""Every check there is, each with its evidence and what to do; nothing is changed.

A check costs no other: what one cannot find out is its own finding, and why.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime

import psycopg
from psycopg import errors

from birthday_cli.config import Settings
from birthday_cli.db.connect import database
from birthday_cli.db.examining import connect_briefly
from birthday_cli.errors import BdayschedError, ExitCode, NotUpToDate, described, redact
from birthday_cli.pipeline.doctor import schema, server, work
from birthday_cli.pipeline.doctor.around import look_around
from birthday_cli.pipeline.doctor.finding import BUG, Patient, not_known, wrong
from birthday_cli.pipeline.doctor.finding import Finding as Finding
from birthday_cli.pipeline.doctor.finding import Verdict as Verdict

LONGEST = 60.0
"""Seconds after which nothing more is asked of the database."""

_LOST = "the connection to the database was lost"

CHECKS: dict[str, Callable[[Patient], Finding]] = {
    **server.CHECKS,
    **schema.CHECKS,
    **work.CHECKS,
}
"""The checks that need the database, by name, in the order in which they are made."""


def examine(settings: Settings, now: datetime) -> dict[str, Finding]:
    """Return what every check finds, by its name.

    A broker or database that is away is a finding, too. Nothing is written but a scratch database,
    made to find drift and dropped again, where the role may make one.
    """
    around = asyncio.run(look_around(settings))
    of_database: dict[str, Finding] = {}
    try:
        with (
            database(settings) as conninfo,
            connect_briefly(conninfo, settings) as connection,
        ):
            patient = Patient(settings, now, conninfo, connection)
            give_up = time.monotonic() + LONGEST
            for name, check in CHECKS.items():
                of_database[name] = _made(check, patient, give_up)
            if connection.closed:
                of_database["connection"] = wrong(
                    _LOST, "bdaysched doctor", ExitCode.DATABASE_UNREACHABLE
                )
    except BdayschedError as problem:
        of_database = _without_database(problem) | of_database
    return {**of_database, **around}


def exit_code(found: dict[str, Finding]) -> ExitCode:
    """Return what a run ends with.

    0 when nothing is wrong; 3 or 4 when the database or the broker cannot be reached; else the code
    that all agree on of what is wrong, such as 6 when that is all about the schema; else 1.
    """
    codes = {each.exit_code for each in found.values() if each.verdict is Verdict.WRONG}
    for code in (ExitCode.DATABASE_UNREACHABLE, ExitCode.BROKER_UNREACHABLE):
        if code in codes:
            return code
    return ExitCode.FAILED if len(codes) > 1 else next(iter(codes), ExitCode.DONE)


def _without_database(problem: BdayschedError) -> dict[str, Finding]:
    what, _, remedy = str(problem).partition(". Check ")
    mend = f"check {remedy}" if remedy else "mend DATABASE_URL"
    unknown = not_known("the database cannot be reached")
    return {**dict.fromkeys(CHECKS, unknown), "connection": wrong(what, mend, problem.exit_code)}


def _made(check: Callable[[Patient], Finding], patient: Patient, give_up: float) -> Finding:
    if patient.connection.closed:
        return not_known(_LOST)
    if time.monotonic() > give_up:
        return not_known("the other checks took too long", "bdaysched monitor locks")
    try:
        return check(patient)
    except (errors.UndefinedTable, errors.UndefinedColumn, errors.UndefinedFunction):
        return not_known("the schema is not up to date", "bdaysched migrate")
    except errors.InsufficientPrivilege as problem:
        return not_known(f"{_said(problem)}", "connect as a role that may, see docs/roles.md")
    except OSError as problem:
        return not_known(described(problem))
    except (errors.QueryCanceled, errors.LockNotAvailable) as problem:
        return not_known(_said(problem), "bdaysched monitor locks")
    except psycopg.OperationalError as problem:
        return not_known(_said(problem))
    except NotUpToDate as problem:
        return not_known(str(problem).partition(": ")[0], "bdaysched migrate")
    except BdayschedError as problem:
        return not_known(str(problem))
    except Exception as problem:
        return not_known(redact(described(problem)), BUG)


def _said(problem: psycopg.Error) -> str:
    said = problem.diag.message_primary or str(problem)
    return redact(said).strip().partition("\n")[0]
