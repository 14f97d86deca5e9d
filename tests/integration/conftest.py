from __future__ import annotations

import os
from collections.abc import Iterator

import psycopg
import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.geteuid() != 0:
        items[:] = [item for item in items if not item.get_closest_marker("needs_root")]


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    """A connection to the database of the test, in autocommit mode and in UTC."""
    with psycopg.connect(database, autocommit=True, options="-c TimeZone=UTC") as connection:
        yield connection
