"""A machine with only Python: the demo, and the commands on a private server that they share."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.acceptance.conftest import PROGRAM, Program, end
from tests.servers.ordinary import Person
from tests.servers.process import new_folder
from tests.servers.receiver import Receiver


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that any account can get to; pytest's own is closed to others."""
    path = new_folder("test", on_disk=True)
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def servers(folder: Path) -> set[int]:
    """Return the processes that work in folder or below: a PostgreSQL server does in its data."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (entry / "cwd").readlink().is_relative_to(folder):
                found.add(int(entry.name))
    return found


def test_the_demo_does_the_whole_job_and_leaves_nothing(folder: Path) -> None:
    done = subprocess.run(
        [PROGRAM, "demo", "--users", "120", "--json"],
        env={**os.environ, "TMPDIR": str(folder), "DATABASE_URL": "postgresql://127.0.0.1:1/no"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert list(report) == ["day", "zones", "received", "duplicates", "database"]
    assert sum(zone["users"] for zone in report["zones"]) == 120
    planned = sum(zone["planned"] for zone in report["zones"])
    assert planned >= 60
    for name in ("delivered", "on_time"):
        assert sum(zone[name] for zone in report["zones"]) == planned
    assert (report["received"], report["duplicates"]) == (planned, 0)
    sent_at = {zone["first_sent"] for zone in report["zones"]} - {None}
    assert sent_at == {zone["last_sent"] for zone in report["zones"]} - {None} == {"09:00"}
    assert not servers(folder)
    assert list(folder.iterdir()) == []


def test_the_demo_ends_with_the_day_as_pictures_and_all_well(folder: Path) -> None:
    done = subprocess.run(
        [PROGRAM, "demo", "--users", "30", "--keep"],
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "30 users in" in done.stdout
    assert re.search(r"^planned (\d+), delivered \1, on time \1$", done.stdout, re.MULTILINE)
    assert re.search(r"^received \d+, duplicates 0$", done.stdout, re.MULTILINE)
    _, _, ending = done.stdout.partition("duplicates 0\n")
    assert max(map(len, ending.splitlines())) <= 80
    assert "…" not in ending
    assert re.search(r"^\d\d \w{3} \d\dh +█", ending, re.MULTILINE)
    assert "Lagos" in ending
    assert re.search(rf"^{datetime.now(UTC):%Y}-\d\d +█", ending, re.MULTILINE)
    assert "\nALL WELL\n" in ending
    assert ending.rstrip().endswith("not set")
    kept = re.search(r"DATABASE_URL=(\S+)", done.stderr)
    assert kept
    looked = subprocess.run(
        [PROGRAM, "status", "--json"],
        env={**os.environ, "DATABASE_URL": kept[1]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(looked.stdout)["pending_migrations"] == []


async def test_commands_and_worker_share_one_server(folder: Path, receiver: Receiver) -> None:
    program = Program({"DATABASE_URL": f"embedded:{folder / 'data'}", "DELIVERY_URL": receiver.url})
    for command in (["migrate"], ["seed", "--due"]):
        ended = await program.run(*command)
        assert ended.code == 0, ended.err
        assert not servers(folder)
    worker = await program.start("run-worker")
    scheduled = await program.run("schedule")
    assert scheduled.code == 0, scheduled.err
    queued = int(re.search(r"queued (\d+)", scheduled.err)[1])  # type: ignore[index]
    assert queued >= 50
    await asyncio.wait_for(receiver.wait_for(queued), 60)
    started = servers(folder)
    assert len([pid for pid in started if _parent(pid) not in started]) == 1
    worker.terminate()
    ended = await end(worker)
    assert ended.code == 0, ended.err
    assert set(receiver.keys.values()) == {1}
    assert not servers(folder)


async def test_a_command_that_is_told_to_end_stops_its_server(folder: Path) -> None:
    program = Program({"DATABASE_URL": f"embedded:{folder / 'data'}"})
    assert (await program.run("migrate")).code == 0
    staying = await program.start("schedule", "--every", "60s")
    assert staying.stderr
    assert (await staying.stderr.readline()).startswith(b"planned")
    demo = await program.start("demo", "--users", "5000", TMPDIR=str(folder))
    assert demo.stderr
    assert (await demo.stderr.readline()).startswith(b"migrate")
    assert servers(folder)
    for process, code in ((demo, 143), (staying, 0)):
        process.terminate()
        assert (await end(process)).code == code
    assert not servers(folder)
    assert os.listdir(folder) == ["data"]


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_an_ordinary_account_can_do_it_too(ordinary_person: Person, folder: Path) -> None:
    folder.chmod(0o777)
    with ordinary_person.start(
        *("-m", "birthday_cli.cli.main", "demo", "--users", "40"),
        HOME=str(folder),
        TMPDIR=str(folder),
    ) as demo:
        out, err = demo.communicate()
    assert demo.returncode == 0, err
    assert "40 users in" in out
    assert "duplicates 0" in out
    assert not servers(folder)
    assert list(folder.iterdir()) == []
