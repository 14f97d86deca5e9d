"""How fast due messages get into RabbitMQ: in a window of confirms, against one by one.

All on one quorum queue of one node, with the same client, properties and bodies, in one run:
publishing alone, as `dispatch` does it and with a wait for each confirm; and the whole way from
SCHEDULED to QUEUED, with `dispatch` and message by message. pika's blocking connection, confirming
each, stands beside them.

    python -m benchmarks.dispatch --messages 20000 --rounds 3
"""

from __future__ import annotations

import argparse
import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pika

from benchmarks import servers
from birthday_cli.brokers import rabbitmq, wire
from birthday_cli.config import Settings
from birthday_cli.db import messages
from birthday_cli.db.connect import Connection, connect_async
from birthday_cli.domain.message import Reference
from birthday_cli.pipeline.dispatch import BATCH, dispatch
from birthday_cli.pipeline.plan import plan
from tests.facts import NOW, RULES

_LATER = NOW + timedelta(hours=47)
# Confirmed one by one a part is enough to tell the rate.
_PART = 10


async def publish_in_a_window(settings: Settings, references: list[Reference]) -> None:
    """Publish in batches, each confirmed as a whole."""
    async with rabbitmq.connect(settings) as broker:
        for start in range(0, len(references), BATCH):
            batch = references[start : start + BATCH]
            assert len(await broker.publish(batch)) == len(batch)


async def publish_one_by_one(settings: Settings, references: list[Reference]) -> None:
    """Publish each when the one before it is confirmed."""
    async with rabbitmq.connect(settings) as broker:
        for reference in references:
            assert await broker.publish([reference])


def publish_blocking(settings: Settings, references: list[Reference]) -> None:
    """Publish each with pika's BlockingConnection, which waits for its confirm."""
    with pika.BlockingConnection(pika.URLParameters(settings.broker_url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        properties = pika.BasicProperties(content_type="application/json", delivery_mode=2)
        for reference in references:
            channel.basic_publish(
                "", settings.broker_queue, wire.encode(reference), properties, mandatory=True
            )


async def dispatch_all(settings: Settings, count: int) -> None:
    """Dispatch what is due, as `schedule` does."""
    async with (
        connect_async(settings.database_url, settings) as connection,
        rabbitmq.connect(settings) as broker,
    ):
        assert (await dispatch(connection, broker, settings, _LATER)).queued == count


async def dispatch_one_by_one(settings: Settings, references: list[Reference]) -> None:
    """Publish each, wait for its confirm, and record that."""
    async with (
        connect_async(settings.database_url, settings) as connection,
        rabbitmq.connect(settings) as broker,
    ):
        for reference in references:
            assert await broker.publish([reference])
            await messages.mark_queued(connection, [reference])


def reset(connection: Connection, settings: Settings) -> None:
    """Make everything SCHEDULED again, and empty the queue."""
    connection.execute("UPDATE message_logs SET status = 'SCHEDULED' WHERE status = 'QUEUED'")
    connection.execute("VACUUM ANALYZE message_logs")
    connection.execute("CHECKPOINT")
    asyncio.run(purge(settings))


async def purge(settings: Settings) -> None:
    """Empty the queue."""
    async with rabbitmq.connect(settings) as broker:
        await broker.purge()


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    rates: dict[str, list[float]] = {}
    with (
        servers.postgres_server() as server,
        servers.migrated_database(server, "dispatch") as connection,
        servers.rabbitmq_node() as node,
    ):
        # Whoever is due is due within two days, and for long enough to be dispatched then.
        settings = Settings(
            database_url=server.url("dispatch"),
            broker_url=node.url,
            broker_queue="benchmark",
            max_lateness=7 * 86_400,
            quiet_hours="off",
        )
        servers.add_users(connection, given.messages, given.messages)
        plan(connection, NOW, servers.HORIZON, RULES)
        connection.execute("UPDATE message_logs SET expires_at = 'infinity'")
        rows: list[Any] = connection.execute(
            "SELECT id, scheduled_send_time FROM message_logs"
        ).fetchall()
        planned = [Reference(*row) for row in rows]
        loose = [Reference(uuid4(), reference.scheduled_send_time) for reference in planned]
        part, few = planned[: len(planned) // _PART], loose[: len(loose) // _PART]
        works = {
            "publish_window": (
                len(loose),
                lambda: asyncio.run(publish_in_a_window(settings, loose)),
            ),
            "publish_one_by_one": (
                len(few),
                lambda: asyncio.run(publish_one_by_one(settings, few)),
            ),
            "publish_blocking": (len(few), lambda: publish_blocking(settings, few)),
            "dispatch": (
                len(planned),
                lambda: asyncio.run(dispatch_all(settings, len(planned))),
            ),
            "dispatch_one_by_one": (
                len(part),
                lambda: asyncio.run(dispatch_one_by_one(settings, part)),
            ),
        }
        for number in range(given.rounds):
            for name in sorted(works, reverse=bool(number % 2)):
                count, work = works[name]
                reset(connection, settings)
                rates.setdefault(name, []).append(count / servers.seconds(work))
            servers.tell(
                f"round {number + 1}: "
                + ", ".join(f"{name} {found[-1]:,.0f}/s" for name, found in rates.items())
            )
    servers.report(
        "dispatch",
        messages=given.messages,
        **{f"{name}_per_second": round(servers.median(found)) for name, found in rates.items()},
        publish_ratio=_ratio(rates, "publish_window", "publish_one_by_one"),
        publish_ratio_to_blocking=_ratio(rates, "publish_window", "publish_blocking"),
        dispatch_ratio=_ratio(rates, "dispatch", "dispatch_one_by_one"),
    )


def _ratio(rates: dict[str, list[float]], one: str, other: str) -> float:
    return servers.median([a / b for a, b in zip(rates[one], rates[other], strict=True)])


if __name__ == "__main__":
    main()
