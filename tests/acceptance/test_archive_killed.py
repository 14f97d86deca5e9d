"""SIGKILL before every step of archiving and restoring: the next run goes on; no row is lost."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import psycopg
import pytest

from birthday_cli.archives import formats
from birthday_cli.config import Settings
from birthday_cli.errors import BdayschedError
from birthday_cli.pipeline.partitions.archive import archive, verify
from birthday_cli.pipeline.partitions.restore import restore
from tests.archiving import NAME, differences, keep_copy, take_away
from tests.facts import add_message


@pytest.fixture
def connection(database: str) -> Any:
    with psycopg.connect(database, autocommit=True, options="-c TimeZone=UTC") as connection:
        for _ in range(3):
            add_message(connection, status="SENT")
        keep_copy(connection)
        yield connection


@pytest.fixture(autouse=True)
def _csv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "find_spec", lambda _: None)


Kill: TypeAlias = Callable[..., bool]


@pytest.fixture
def kill(database: str) -> Iterator[Kill]:
    """Do something up to a step, and be killed there; false once there is nothing to kill."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.acceptance.killed_archive"],
        cwd=Path(__file__).parents[2],
        env={"DATABASE_URL": database, "PATH": "/usr/bin:/bin"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def before(step: int, *what: str) -> bool:
        assert process.stdin
        assert process.stdout
        print(step, *what, file=process.stdin, flush=True)
        status = int(process.stdout.readline())
        assert status in (0, signal.SIGKILL)
        return status != 0

    with process:
        yield before


def test_archiving_leaves_nothing_that_looks_whole_and_goes_on(
    kill: Kill, connection: psycopg.Connection, tmp_path: Path
) -> None:
    step = 0
    while kill(step, "archive", NAME, str(tmp_path / str(step))):
        folder = tmp_path / str(step)
        assert differences(connection) == 0
        manifest = folder / f"{NAME}.manifest.json"
        if manifest.exists():
            assert verify(str(manifest)).rows == 3
        else:
            with pytest.raises(BdayschedError):
                verify(str(manifest))
        done = archive(connection, NAME, str(folder), "me")
        assert verify(done.manifest).rows == 3
        assert len(list(folder.iterdir())) == 2
        step += 1
    assert step > 10


def test_restoring_goes_on_wherever_it_was(
    settings: Settings, kill: Kill, connection: psycopg.Connection, tmp_path: Path
) -> None:
    done = archive(connection, NAME, str(tmp_path), "me")
    take_away(connection)
    guarded = connection.execute("SELECT * FROM message_guard ORDER BY 2").fetchall()
    step = 0
    while kill(step, "restore", done.manifest):
        assert verify(done.manifest).rows == 3
        restore(settings, done.manifest)
        assert differences(connection) == 0
        assert connection.execute("SELECT count(*) FROM message_logs").fetchone() == (3,)
        assert connection.execute("SELECT * FROM message_guard ORDER BY 2").fetchall() == guarded
        events = connection.execute(
            "DELETE FROM partition_events WHERE event = 'restored' RETURNING rows"
        ).fetchall()
        assert events == [({"SENT": 3},)]
        take_away(connection)
        step += 1
    assert step > 20
