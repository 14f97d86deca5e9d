"""The suite itself, in several processes: what each of them needs is its own, and ends with it."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import process
from tests.servers.embedded import until
from tests.servers.ordinary import CHECKOUT

DIES = """
import os, signal
from tests.servers import process

def start(folder, **env):
    command, log = ["sleep", "600"], folder / "log"
    return process.start(command, cwd=folder, log=log, ready=lambda: True, env=env).pid

def test_that_kills_its_process():
    with process.folder("dying") as folder:
        # Known by the environment, and by where it works.
        pids = start(folder), start(folder, **{{process.RUN_MARK: ""}})
        open({told!r}, "w").write(f"{{folder}} {{pids[0]}} {{pids[1]}}")
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_of_the_suite_has_left_is_ended_and_removed(tmp_path: Path) -> None:
    told = tmp_path / "told"
    (tmp_path / "test_dies.py").write_text(DIES.format(told=str(told)))
    (tmp_path / "pytest.ini").touch()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "--numprocesses=1", "--max-worker-restart=0"),
            *("-p", "xdist", "-p", "tests.conftest", tmp_path),
        ],
        cwd=CHECKOUT,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "crashed while running" in done.stdout
    folder, *servers = told.read_text().split()
    for server in servers:
        assert f"\n{server} sleep 600" in done.stdout
        until(lambda: not Path("/proc", server).exists())  # noqa: B023 - it is called at once
    assert not Path(folder).exists()


def test_a_port_is_given_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    given = process.free_port()
    numbers = iter([given, *range(20_000, 32_000)])
    monkeypatch.setattr(random, "randrange", lambda *_: next(numbers))
    assert process.free_port() != given
