from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    """A connection to the database of the test, in autocommit mode and in UTC."""
    with psycopg.connect(database, autocommit=True, options="-c TimeZone=UTC") as connection:
        yield connection
