from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import psycopg
import pytest

from birthday_cli.config import Settings
from birthday_cli.db import queries
from birthday_cli.pipeline import deliver
from birthday_cli.pipeline.partitions import months
from tests.servers.receiver import Receiver
from tests.told import MARCH
from tests.working import Brokers


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "needs_node: compares with Node's ICU; not collected where there is no Node"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    lacking = {"needs_root": os.geteuid() != 0, "needs_node": not shutil.which("node")}
    for marker in (name for name, lacks in lacking.items() if lacks):
        items[:] = [item for item in items if not item.get_closest_marker(marker)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    """A connection to the database of the test, in autocommit mode and in UTC."""
    with psycopg.connect(database, autocommit=True, options="-c TimeZone=UTC") as connection:
        yield connection


@pytest.fixture
def march(settings: Settings, connection: psycopg.Connection) -> Settings:
    """Settings whose database has the months around March 2027."""
    months.create_locked(connection, MARCH, 12, months_back=2)
    return settings


@pytest.fixture
def brokers(monkeypatch: pytest.MonkeyPatch) -> Brokers:
    found = Brokers()
    monkeypatch.setattr(deliver, "connect_broker", found.connect)
    return found


@pytest.fixture
def worker_settings(settings: Settings, receiver: Receiver) -> Settings:
    return replace(settings, delivery_url=receiver.url, worker_concurrency=8)


@pytest.fixture
def sql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of sql/ that a test may change."""
    copy = tmp_path / "sql"
    shutil.copytree(queries.directory(), copy)
    monkeypatch.setattr(queries, "directory", lambda: copy)
    return copy


Edit: TypeAlias = Callable[[str, str], None]


@pytest.fixture
def edit(sql: Path) -> Edit:
    """Put new in the place of old in sql/schema.sql; or at its end, if old is empty."""

    def change(old: str, new: str) -> None:
        path = sql / "schema.sql"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1) if old else text + new)

    return change
