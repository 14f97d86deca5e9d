"""`bdaysched migrate` over the migrations of a folder; killed at a place that may be named.

    python -m tests.acceptance.killed_migrate SQL_FOLDER [FILE PLACE]

PLACE is the number of FILE's statements that were run by then, all of them: before the record.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from birthday_cli.cli.main import main as run
from birthday_cli.db import migrations_apply, queries
from birthday_cli.db.migrations import Migration


def main() -> None:
    """Wrap from outside, then run the program."""
    folder, *place = sys.argv[1:]
    vars(queries)["directory"] = lambda: Path(folder)
    if place:
        kill(place[0], int(place[1]))
    sys.argv = ["bdaysched", "migrate", "--wait", "60s"]
    run()


def kill(file: str, place: int) -> None:
    """Let the process end at a place, before anything that comes there."""
    passed = 0
    wrapped = {name: vars(migrations_apply)[name] for name in ("execute", "_record")}

    def before(name: str) -> Any:
        def first(connection: Any, migration: Migration, *rest: Any) -> Any:
            nonlocal passed
            if migration.file == file:
                if passed == place:
                    os.kill(os.getpid(), signal.SIGKILL)
                passed += 1
            return wrapped[name](connection, migration, *rest)

        return first

    for name in wrapped:
        vars(migrations_apply)[name] = before(name)


if __name__ == "__main__":
    main()
