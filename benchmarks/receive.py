"""What a reference costs a worker's process to take from RabbitMQ and to acknowledge.

Publishes references, then receives and acknowledges them in batches, as the worker does. CPU time
is that of this process alone, in microseconds for each reference; the node has its own.

    python -m benchmarks.receive --references 100000 --rounds 5
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import sys
import time
import uuid
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

from benchmarks import servers
from birthday_cli.brokers.base import Broker, connect
from birthday_cli.config import Settings
from birthday_cli.domain.message import Reference

_BATCH = 200
_PREFETCH = 400


async def _fill(broker: Broker, count: int) -> None:
    now = datetime.now(UTC)
    references = [Reference(uuid.uuid4(), now + timedelta(microseconds=n)) for n in range(count)]
    assert len(await broker.publish(references)) == count


async def _drain(broker: Broker, count: int) -> None:
    await broker.consume(_PREFETCH)
    left = count
    while left:
        deliveries = await broker.receive(_BATCH, 30)
        assert deliveries
        await broker.acknowledge(deliveries)
        left -= len(deliveries)
    assert await broker.depth() == (0, 0)


async def _round(settings: Settings, count: int, profile: cProfile.Profile | None) -> list[float]:
    async with connect(settings, "") as publisher:
        await _fill(publisher, count)
    async with connect(settings, "") as broker:
        started = time.process_time(), time.perf_counter()
        with profile or nullcontext():
            await _drain(broker, count)
        return [time.process_time() - started[0], time.perf_counter() - started[1]]


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--references", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", action="store_true", help="show where the time goes instead")
    given = parser.parse_args()
    profile = cProfile.Profile() if given.profile else None
    with servers.rabbitmq_node() as node:
        settings = Settings(broker_url=node.url, broker_connect_timeout=60.0)
        rounds = [
            asyncio.run(_round(settings, given.references, profile))
            for _ in range(1 if profile else given.rounds)
        ]
    if profile:
        pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(25)
        return
    cpu, wall = (servers.median(column) for column in zip(*rounds, strict=True))
    servers.report(
        "receive",
        references=given.references,
        microseconds=round(cpu / given.references * 1e6, 1),
        a_second_on_one_core=round(given.references / cpu),
        a_second_beside_the_node=round(given.references / wall),
    )


if __name__ == "__main__":
    main()
