"""What holds for every test: the suite's own servers, and nothing of the developer's."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import hypothesis
import pytest

from birthday_cli.config import Settings
from tests.servers import process

# How long an example takes says nothing on a busy machine; every run tries the same examples.
hypothesis.settings.register_profile("suite", deadline=None, derandomize=True)
hypothesis.settings.load_profile("suite")

pytest_plugins = [
    # The one that another imports comes before it.
    "tests.servers.ordinary",
    "tests.servers.embedded",
    "tests.servers.certificates",
    "tests.servers.postgres",
    "tests.servers.pgbouncer",
    "tests.servers.rabbitmq",
    "tests.servers.redis",
    "tests.servers.object_store",
    "tests.servers.receiver",
    "tests.examined",
]
# A terminated suite stops its servers, as an interrupted one does. One that is started in the
# background ignores interrupts, and so would the programs that the tests interrupt.
for number in signal.SIGTERM, signal.SIGINT:
    signal.signal(number, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Mark what this process starts, as a part of the run's if the run is parallel."""
    own = getattr(config, "workerinput", {}).get("workerid")
    run = os.environ[process.RUN_MARK] + own if own else secrets.token_hex(4)
    os.environ[process.RUN_MARK] = f"{run}-"


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """End and remove what is left of a process that died in a parallel run."""
    if hasattr(session.config, "workerinput"):
        return
    factory: pytest.TempPathFactory = session.config._tmp_path_factory  # type: ignore[attr-defined]
    if left := process.end_survivors(factory.getbasetemp(), grace=0):
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
        print("\nthe suite left these behind, and ended them:", *left, sep="\n")
    process.remove_folders()


@pytest.fixture(scope="session", autouse=True)
def own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing that is set for the developer's own databases and brokers reaches a test.

    At the end, nothing that the session started may still run.
    """
    ours = {setting.name.upper() for setting in fields(Settings)}
    private = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as environment:
        for name in os.environ:
            if name.removesuffix("_FILE") in ours or name.startswith("PG"):
                environment.delenv(name)
        for name in ("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"):
            environment.setenv(name, str(private))
        yield
        assert process.end_survivors(tmp_path_factory.getbasetemp()) == []


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No `.env` of a checkout is read, and nothing is written into one."""
    monkeypatch.chdir(tmp_path)
