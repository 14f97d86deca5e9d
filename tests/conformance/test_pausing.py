"""A worker that pauses stops consuming, and consumes again on the same connection."""

from __future__ import annotations

from tests.conformance.benches import Bench, OnMemory, OnPostgres, OnRabbitMQ
from tests.conformance.test_brokers import fill, wait_for_ready
from tests.references import MOMENT, of, take


class PausingConformance:
    async def test_consuming_again_gets_what_stopping_has_released(self, bench: Bench) -> None:
        async with bench.connect() as broker:
            references = await fill(bench, broker, 10)
            await broker.consume(8)
            mine = await take(broker, 3)
            await broker.stop_consuming()
            await wait_for_ready(broker, 7)
            assert await broker.receive(10, 0) == []
            await broker.consume(20)
            rest = await take(broker, 7)
            assert of(mine) | of(rest) == set(references)
            await broker.acknowledge([*rest[:4], *mine, *rest[4:]])
            assert await broker.receive(10, MOMENT) == []
            assert await broker.depth() == (0, 0)

    async def test_what_stopping_has_released_is_anyone_s_meanwhile(self, bench: Bench) -> None:
        async with bench.connect() as broker, bench.connect() as other:
            references = await fill(bench, broker, 10)
            await broker.consume(10)
            mine = await take(broker, 2)
            await broker.stop_consuming()
            await other.consume(5)
            theirs = await take(other, 5)
            await broker.consume(10)
            rest = await take(broker, 3)
            assert of(mine) | of(theirs) | of(rest) == set(references)

    async def test_a_probe_takes_one_at_a_time(self, bench: Bench) -> None:
        async with bench.connect() as broker:
            await fill(bench, broker, 5)
            await broker.consume(5)
            await broker.acknowledge(await take(broker, 1))
            await broker.stop_consuming()
            await wait_for_ready(broker, 4)
            await broker.consume(1)
            for left in (3, 2):
                probe = await take(broker, 1)
                assert await broker.receive(5, MOMENT) == []
                await wait_for_ready(broker, left)
                await broker.acknowledge(probe)
            await broker.stop_consuming()
            await broker.consume(5)
            assert len(await take(broker, 2)) == 2

    async def test_stopping_twice_or_before_consuming_does_nothing(self, bench: Bench) -> None:
        async with bench.connect() as broker:
            await broker.stop_consuming()
            await fill(bench, broker, 1)
            await broker.consume(5)
            await broker.stop_consuming()
            await broker.stop_consuming()
            await wait_for_ready(broker, 1)


class TestMemory(OnMemory, PausingConformance):
    pass


class TestRabbitMQ(OnRabbitMQ, PausingConformance):
    pass


class TestPostgres(OnPostgres, PausingConformance):
    pass
