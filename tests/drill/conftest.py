from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.drill.scene import Scene, scene
from tests.servers.rabbitmq import RabbitNode


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run each test once, on PostgreSQL 15: that others serve too, the other suites show."""
    items[:] = [item for item in items if not _repeats_on_another_server(item)]


def _repeats_on_another_server(item: pytest.Item) -> bool:
    here = item.path.is_relative_to(Path(__file__).parent)
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    return here and parameters.get("postgres_server") == "embedded"


@pytest.fixture(params=["rabbitmq", "postgres"])
async def due(
    request: pytest.FixtureRequest, database: str, tmp_path: Path
) -> AsyncIterator[Scene]:
    """Thirty messages that are due and not planned, with either broker."""
    broker = "postgres:"
    if request.param == "rabbitmq":
        node: RabbitNode = request.getfixturevalue("rabbitmq")
        broker = node.url
    queue = f"test.{secrets.token_hex(6)}"
    async with scene(database, broker, queue, tmp_path, delay=0.02) as made:
        yield made


@pytest.fixture
async def due_on_rabbitmq(
    rabbitmq: RabbitNode, database: str, tmp_path: Path
) -> AsyncIterator[Scene]:
    """The same with RabbitMQ only."""
    queue = f"test.{secrets.token_hex(6)}"
    async with scene(database, rabbitmq.url, queue, tmp_path, delay=0.02) as made:
        yield made


@pytest.fixture
async def due_on_postgres(database: str, tmp_path: Path) -> AsyncIterator[Scene]:
    """The same without a broker."""
    async with scene(database, "postgres:", "none", tmp_path, delay=0.02) as made:
        yield made
