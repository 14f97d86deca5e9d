"""One suite that every broker passes: what the pipeline relies on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from birthday_cli.brokers import postgres
from birthday_cli.brokers.base import Broker
from birthday_cli.domain.message import Reference
from tests.conformance.benches import Bench, OnMemory, OnPostgres, OnRabbitMQ, PostgresBench
from tests.references import HANG, MOMENT, of, take


async def fill(bench: Bench, broker: Broker, count: int) -> list[Reference]:
    """Put count new references into the queue, as the dispatcher does."""
    references = bench.references(count)
    assert await broker.publish(references) == references
    bench.mark_queued(references)
    return references


async def wait_for_ready(broker: Broker, ready: int) -> None:
    """Return when that many references wait: what goes back takes a moment to be counted."""
    async with asyncio.timeout(HANG):
        while (await broker.depth()).ready != ready:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


class BrokerConformance:
    @pytest_asyncio.fixture
    async def broker(self, bench: Bench) -> AsyncIterator[Broker]:
        async with bench.connect() as broker:
            yield broker

    async def test_every_reference_arrives_exactly_once(self, bench: Bench, broker: Broker) -> None:
        references = await fill(bench, broker, 10_000)
        await broker.consume(400)
        arrived: list[Reference] = []
        while len(arrived) < len(references):
            deliveries = await broker.receive(200, HANG)
            assert 0 < len(deliveries) <= 200
            arrived += [delivery.reference for delivery in deliveries]
            await broker.acknowledge(deliveries)
        assert sorted(arrived) == sorted(references)
        assert await broker.receive(1, MOMENT) == []
        assert await broker.depth() == (0, 0)

    async def test_no_more_than_the_prefetch_is_in_hand(self, bench: Bench, broker: Broker) -> None:
        references = await fill(bench, broker, 10)
        await broker.consume(4)
        first = await take(broker, 4)
        assert await broker.receive(10, MOMENT) == []
        assert (await broker.depth()).ready == 6
        await broker.acknowledge(first[1:2])
        second = await take(broker, 1)
        assert await broker.receive(10, MOMENT) == []
        assert (await broker.depth()).ready == 5
        assert len(of(first + second) & set(references)) == 5

    async def test_a_waiting_consumer_goes_on_when_another_task_makes_room(
        self, bench: Bench, broker: Broker
    ) -> None:
        await fill(bench, broker, 2)
        await broker.consume(1)
        first = await take(broker, 1)
        waiting = asyncio.create_task(broker.receive(1, HANG))
        await asyncio.sleep(0)
        await broker.acknowledge(first)
        assert len(await waiting) == 1

    async def test_acknowledged_in_any_order_is_gone_and_the_rest_comes_again(
        self, bench: Bench, broker: Broker
    ) -> None:
        await fill(bench, broker, 6)
        await broker.consume(10)
        first = await take(broker, 6)
        await broker.acknowledge([first[4]])
        await broker.acknowledge([first[2], first[0], first[1]])
        # The acknowledgements have arrived when a later call is answered.
        await broker.depth()
        await bench.sever()
        async with bench.connect() as other:
            await wait_for_ready(other, 2)
            await other.consume(10)
            assert of(await take(other, 2)) == of([first[3], first[5]])
            assert await other.receive(10, MOMENT) == []

    async def test_what_is_in_hand_when_a_consumer_leaves_comes_again(self, bench: Bench) -> None:
        async with bench.connect() as broker:
            references = await fill(bench, broker, 3)
            await broker.consume(2)
            await take(broker, 2)
        async with bench.connect() as other:
            await other.consume(10)
            assert of(await take(other, 3)) == set(references)

    async def test_released_comes_again(self, bench: Bench, broker: Broker) -> None:
        references = await fill(bench, broker, 4)
        await broker.consume(10)
        first = await take(broker, 4)
        await broker.release(first[1:3])
        again = await take(broker, 2)
        assert of(again) == of(first[1:3])
        await broker.acknowledge([again[0], first[0], again[1], first[3]])
        assert of(first) == set(references)
        assert await broker.receive(10, MOMENT) == []
        assert await broker.depth() == (0, 0)

    async def test_settling_twice_changes_nothing(self, bench: Bench, broker: Broker) -> None:
        await fill(bench, broker, 2)
        await broker.consume(10)
        first, second = await take(broker, 2)
        await broker.acknowledge([first])
        await broker.acknowledge([first])
        await broker.release([first])
        await broker.reject([first], "no longer ours")
        assert await broker.depth() == (0, 0)
        assert bench.dead() == {}
        await broker.release([second])
        assert of(await take(broker, 1)) == {second.reference}

    async def test_rejected_is_put_aside_with_the_reason(
        self, bench: Bench, broker: Broker
    ) -> None:
        await fill(bench, broker, 3)
        await broker.consume(10)
        good, bad, worse = await take(broker, 3)
        await broker.reject([worse], "no such row")
        await broker.reject([bad], "no such user")
        await broker.acknowledge([good])
        await broker.depth()
        await bench.sever()
        async with bench.connect() as other:
            await other.consume(10)
            assert await other.receive(10, MOMENT) == []
        assert bench.dead() == {bad.reference: "no such user", worse.reference: "no such row"}

    async def test_after_stopping_only_what_was_handed_out_is_in_hand(
        self, bench: Bench, broker: Broker
    ) -> None:
        references = await fill(bench, broker, 10)
        await broker.consume(8)
        mine = await take(broker, 3)
        await broker.stop_consuming()
        await wait_for_ready(broker, 7)
        assert await broker.receive(10, MOMENT) == []
        async with bench.connect() as other:
            await other.consume(10)
            theirs = await take(other, 7)
            assert of(mine) | of(theirs) == set(references)
            await broker.acknowledge(mine)
            assert await other.receive(10, MOMENT) == []

    async def test_two_consumers_share_without_overlap(self, bench: Bench, broker: Broker) -> None:
        async with bench.connect() as other:
            await broker.consume(50)
            await other.consume(50)
            references = await fill(bench, broker, 100)
            mine, theirs = await asyncio.gather(take(broker, 50), take(other, 50))
            assert of(mine) | of(theirs) == set(references)

    async def test_depth_and_purge_count_what_waits(self, bench: Bench, broker: Broker) -> None:
        assert await broker.depth() == (0, 0)
        references = await fill(bench, broker, 7)
        assert await broker.depth() == (7, 0)
        await broker.consume(2)
        in_hand = await take(broker, 2)
        await broker.stop_consuming()
        assert await broker.purge() == 5
        assert await broker.purge() == 0
        assert await broker.depth() == (0, 0)
        await broker.release(in_hand)
        await broker.consume(10)
        assert of(await take(broker, 2)) == of(in_hand) < set(references)

    async def test_receiving_from_an_empty_queue_takes_the_time_that_was_given(
        self, broker: Broker
    ) -> None:
        await broker.consume(10)
        loop = asyncio.get_running_loop()
        before = loop.time()
        assert await broker.receive(10, 0.3) == []
        assert loop.time() - before > 0.29
        assert await broker.receive(10, 0) == []

    async def test_a_waiting_consumer_gets_what_is_published(
        self, bench: Bench, broker: Broker
    ) -> None:
        await broker.consume(10)
        waiting = asyncio.create_task(broker.receive(10, HANG))
        await asyncio.sleep(MOMENT)
        async with bench.connect() as other:
            references = await fill(bench, other, 1)
        assert [delivery.reference for delivery in await waiting] == references

    async def test_publishing_nothing_confirms_nothing(self, broker: Broker) -> None:
        assert await broker.publish([]) == []

    async def test_every_call_over_a_lost_connection_says_so(
        self, bench: Bench, broker: Broker
    ) -> None:
        await fill(bench, broker, 1)
        await broker.consume(10)
        in_hand = await take(broker, 1)
        waiting = asyncio.create_task(broker.receive(10, HANG))
        await asyncio.sleep(0)
        await bench.sever()
        with pytest.raises(bench.lost):
            await waiting
        for call in (
            broker.receive(1, 0),
            broker.acknowledge(in_hand),
            broker.release(in_hand),
            broker.reject(in_hand, "for a reason"),
            broker.depth(),
            broker.purge(),
        ):
            with pytest.raises(bench.lost, match=r"\S"):
                await call
        async with bench.connect() as other:
            await other.consume(10)
            assert of(await take(other, 1)) == of(in_hand)

    async def test_a_connection_that_was_closed_says_so(self, bench: Bench) -> None:
        async with bench.connect() as broker:
            await broker.consume(1)
        for call in broker.depth(), broker.receive(1, HANG), broker.purge():
            with pytest.raises(bench.lost):
                await call


class TestMemory(OnMemory, BrokerConformance):
    pass


class TestRabbitMQ(OnRabbitMQ, BrokerConformance):
    pass


class TestPostgres(OnPostgres, BrokerConformance):
    async def test_a_lease_that_ended_is_a_delivery_to_anyone(self, database: str) -> None:
        bench = PostgresBench(database, worker_lease=0.05)
        async with bench.connect() as broker, bench.connect() as other:
            references = await fill(bench, broker, 1)
            await broker.consume(10)
            await other.consume(10)
            late = await take(broker, 1)
            again = await take(other, 1)
            assert of(late) == of(again) == set(references)
            # What the first consumer does is now nobody's business.
            await broker.reject(late, "too late to say so")
            assert bench.dead() == {}

    async def test_room_is_used_without_waiting_for_the_next_look(
        self, bench: PostgresBench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(postgres, "_FIRST_PAUSE", 2 * HANG)
        async with bench.connect() as broker, asyncio.timeout(HANG):
            await fill(bench, broker, 2)
            await broker.consume(1)
            first = await take(broker, 1)
            waiting = asyncio.create_task(broker.receive(1, 2 * HANG))
            await asyncio.sleep(0)
            await broker.acknowledge(first)
            assert len(await waiting) == 1

    async def test_what_was_leased_ahead_from_a_backlog_goes_back(
        self, bench: PostgresBench
    ) -> None:
        leased = "SELECT count(lease_expires_at) FROM message_logs"
        async with bench.connect() as broker, bench.connect() as other:
            references = await fill(bench, broker, 6)
            await broker.consume(4)
            first = await take(broker, 2)
            async with asyncio.timeout(HANG):
                while bench.execute(leased) != [(4,)]:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            await broker.stop_consuming()
            await other.consume(10)
            assert set(of(first + await take(other, 4))) == set(references)
        assert bench.execute(leased) == [(0,)]

    async def test_settling_leaves_a_row_alone_that_was_claimed(
        self, bench: PostgresBench, broker: Broker
    ) -> None:
        references = await fill(bench, broker, 3)
        await broker.consume(10)
        first, second, third = await take(broker, 3)
        bench.execute("UPDATE message_logs SET status = 'SENDING' RETURNING 1")
        await broker.acknowledge([first])
        await broker.release([second])
        await broker.reject([third], "not seen")
        assert bench.statuses(references) == ["SENDING"] * 3
        leases = bench.execute(
            "SELECT count(lease_expires_at), count(error_message) FROM message_logs"
        )
        assert leases == [(3, 0)]

    async def test_what_leaves_the_queue_unclaimed_is_dispatched_again(
        self, bench: PostgresBench, broker: Broker
    ) -> None:
        references = await fill(bench, broker, 3)
        bench.execute(
            "UPDATE message_logs SET retry_count = 1 WHERE id = %s RETURNING 1", references[2].id
        )
        await broker.consume(1)
        await broker.acknowledge(await take(broker, 1))
        await broker.stop_consuming()
        assert await broker.purge() == 2
        assert bench.statuses(references) == ["SCHEDULED", "SCHEDULED", "RETRYING"]

    async def test_what_was_put_aside_is_a_failed_row_and_no_letter(
        self, bench: PostgresBench, broker: Broker
    ) -> None:
        references = await fill(bench, broker, 1)
        await broker.consume(1)
        await broker.reject(await take(broker, 1), "no such user")
        assert await broker.dead_letters(10) == []
        await broker.discard([])
        assert bench.statuses(references) == ["FAILED"]
