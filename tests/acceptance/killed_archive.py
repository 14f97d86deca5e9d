"""Archiving and restoring, killed with SIGKILL before the step that is named by its number.

Each line of its input is `STEP archive PARTITION FOLDER` or `STEP restore MANIFEST`; it is
answered, when that has ended, by a line with the number of the signal. A step is each statement,
and whatever changes a file or makes it last. Wrapped from outside. A fork of a process that has
imported everything saves most of the time.
"""

from __future__ import annotations

import gzip
import os
import signal
import sys
from functools import wraps
from pathlib import Path
from typing import Any

import psycopg

from birthday_cli import config
from birthday_cli.archives import formats, store
from birthday_cli.db.connect import connect
from birthday_cli.pipeline.partitions import archive, restore

_left = 0


def _before(owner: Any, name: str) -> None:
    work = getattr(owner, name)

    @wraps(work)
    def first(*args: Any, **kwargs: Any) -> Any:
        global _left
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        _left -= 1
        return work(*args, **kwargs)

    setattr(owner, name, first)


def main() -> None:
    """Wrap, then do in a fork what each line says."""
    # As if there were no pyarrow, whose threads no fork has.
    vars(formats)["find_spec"] = lambda _: None
    for line in sys.stdin:
        step, *what = line.split()
        child = os.fork()
        if not child:
            _run(int(step), what)
            os._exit(0)
        print(os.waitpid(child, 0)[1], flush=True)


def _run(step: int, what: list[str]) -> None:
    global _left
    _left = step
    settings = config.load()
    _before(psycopg.Connection, "execute")
    _before(psycopg.Cursor, "copy")
    _before(psycopg.Copy, "write_row")
    _before(psycopg.Transaction, "__exit__")
    _before(gzip.GzipFile, "close")
    _before(store, "_keep")
    _before(Path, "replace")
    match what:
        case ["archive", partition, folder]:
            with connect(settings) as connection:
                archive.archive(connection, partition, folder, "me")
        case ["restore", manifest]:
            restore.restore(settings, manifest)


if __name__ == "__main__":
    main()
