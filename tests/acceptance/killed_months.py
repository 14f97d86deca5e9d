"""`bdaysched`, killed with SIGKILL after a number of steps that change months or their record.

    python -m tests.acceptance.killed_months PLACE COMMAND…

PLACE counts from 1, statements and files of an archive that come to be there; a transaction that
such a statement is in is not committed by then.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from birthday_cli.cli.main import main as run

_CHANGES = re.compile(
    r"(AT|DE)TACH PARTITION|CREATE TABLE|DROP (TABLE|CONSTRAINT|TRIGGER)|ADD CONSTRAINT"
    r"|INSERT INTO (partition_events|message_logs_moving)|VALIDATE"
)


def main() -> None:
    """Wrap from outside, then run the program."""
    place, *arguments = sys.argv[1:]
    execute, move = psycopg.Connection.execute, Path.replace
    passed = 0

    def count() -> None:
        nonlocal passed
        passed += 1
        if passed == int(place):
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(self: Any, query: Any, *rest: Any, **options: Any) -> Any:
        done = execute(self, query, *rest, **options)
        text = query.as_string(self) if isinstance(query, sql.Composable) else str(query)
        if _CHANGES.search(text):
            count()
        return done

    def moved(self: Path, target: Any) -> Any:
        done = move(self, target)
        count()
        return done

    vars_of: Any = psycopg.Connection
    vars_of.execute = counted
    of_paths: Any = Path
    of_paths.replace = moved
    sys.argv = ["bdaysched", *arguments]
    run()


if __name__ == "__main__":
    main()
