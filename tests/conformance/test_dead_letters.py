"""What was put aside can be looked at as often as anyone likes, until it is discarded."""

from __future__ import annotations

import asyncio

from birthday_cli.brokers.base import Broker, DeadLetter
from birthday_cli.domain.message import Reference
from tests.conformance.benches import Bench, OnMemory, OnRabbitMQ
from tests.conformance.test_brokers import fill
from tests.references import HANG, take

REASONS = ["no such row", "no such user", "not ours"]


async def put_aside(bench: Bench) -> list[Reference]:
    """Put one reference aside for each reason, in that order."""
    async with bench.connect() as broker:
        references = await fill(bench, broker, len(REASONS))
        await broker.consume(10)
        deliveries = {each.reference: each for each in await take(broker, len(REASONS))}
        for reference, reason in zip(references, REASONS, strict=True):
            await broker.reject([deliveries[reference]], reason)
    return references


async def seen(broker: Broker, count: int, limit: int = 10) -> list[DeadLetter]:
    """Return what is seen once so much is: what another connection let go takes a moment."""
    async with asyncio.timeout(HANG):
        while (await broker.depth()).dead < count:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return await broker.dead_letters(limit)


class DeadLetterConformance:
    async def test_what_was_put_aside_is_seen_with_its_reason_the_oldest_first(
        self,
        bench: Bench,
    ) -> None:
        references = await put_aside(bench)
        async with bench.connect() as broker:
            letters = await seen(broker, 3)
        assert [letter.reference for letter in letters] == references
        assert [letter.reason for letter in letters] == REASONS
        assert [letter.message_id for letter in letters] == [str(each.id) for each in references]
        assert all(100 < letter.body_bytes < 150 for letter in letters)

    async def test_there_may_be_nothing_to_look_at(self, bench: Bench) -> None:
        async with bench.connect() as broker:
            assert await broker.dead_letters(10) == []
            await broker.discard([])

    async def test_no_more_than_the_limit_is_looked_at_and_another_look_goes_on(
        self,
        bench: Bench,
    ) -> None:
        references = await put_aside(bench)
        async with bench.connect() as broker:
            assert [each.reference for each in await seen(broker, 3, 2)] == references[:2]
            assert [each.reference for each in await broker.dead_letters(2)] == references[2:]
            assert await broker.dead_letters(2) == []

    async def test_twenty_five_looks_change_nothing(self, bench: Bench) -> None:
        references = await put_aside(bench)
        for _ in range(25):
            async with bench.connect() as broker:
                letters = await seen(broker, 3, 2)
                assert [letter.reference for letter in letters] == references[:2]
                assert [letter.reason for letter in letters] == REASONS[:2]
        async with bench.connect() as broker:
            assert [letter.reference for letter in await seen(broker, 3)] == references

    async def test_what_one_looks_at_is_out_of_sight_of_others(self, bench: Bench) -> None:
        references = await put_aside(bench)
        async with bench.connect() as broker, bench.connect() as other:
            await seen(broker, 3, 1)
            assert [each.reference for each in await other.dead_letters(10)] == references[1:]

    async def test_discarded_is_gone_for_good(self, bench: Bench) -> None:
        references = await put_aside(bench)
        async with bench.connect() as broker:
            letters = await seen(broker, 3)
            await broker.discard(letters[1:])
            await broker.discard(letters[1:2])
        async with bench.connect() as broker:
            assert [letter.reference for letter in await seen(broker, 1)] == references[:1]
            await broker.discard(letters[1:])

    async def test_looking_and_delivering_on_one_connection_do_not_mix(self, bench: Bench) -> None:
        dead = await put_aside(bench)
        async with bench.connect() as broker:
            await fill(bench, broker, 4)
            await broker.consume(2)
            first = await take(broker, 2)
            letters = await seen(broker, 3)
            await broker.acknowledge(first)
            await broker.acknowledge(await take(broker, 2))
            await broker.discard(letters[:1])
        async with bench.connect() as broker:
            assert [letter.reference for letter in await seen(broker, 2)] == dead[1:]
            assert (await broker.depth()).ready == 0


class TestMemory(OnMemory, DeadLetterConformance):
    pass


class TestRabbitMQ(OnRabbitMQ, DeadLetterConformance):
    pass
