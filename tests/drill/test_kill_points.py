"""SIGKILL at every point of a message's way where something is done and not yet known of."""

from __future__ import annotations

import asyncio

import pytest

from tests.drill.fleet import BDAYSCHED
from tests.drill.judge import Judgement
from tests.drill.scene import IN_FLIGHT, KILLED, Scene

MESSAGES = 30
# The claims of the killed worker end soon; of the one after it they must not, on a slow machine.
SHORT, LONG = "1s", "60s"


async def killed(due: Scene, point: str, command: str, after: int = 1) -> None:
    code = await due.run(
        *KILLED, "--at", point, "--after", str(after), "--", command, WORKER_LEASE=SHORT
    )
    assert code == -9


async def goes_on(due: Scene, point: str, in_flight: int) -> Judgement:
    judgement = await due.finish(
        [due.fault(f"kill at {point}", in_flight)], settings={"WORKER_LEASE": LONG}
    )
    assert judgement.went_well, str(judgement)
    assert judgement.effects == MESSAGES
    return judgement


@pytest.mark.parametrize("point", ["plan commit", "publish", "confirm"])
async def test_a_scheduler_killed_there_loses_and_repeats_nothing(due: Scene, point: str) -> None:
    await killed(due, point, "schedule")
    on_rabbitmq = "amqp" in due.broker
    marked = point == "confirm" and not on_rabbitmq
    assert await due.statuses() == {"QUEUED" if marked else "SCHEDULED": MESSAGES}
    published = point != "plan commit" and on_rabbitmq
    await due.until_waiting(MESSAGES if published or marked else 0)
    judgement = await goes_on(due, point, in_flight=0)
    assert judgement.extra == 0


@pytest.mark.parametrize("point", ["sending commit", "response", "sent commit", "acknowledge"])
async def test_a_worker_killed_there_loses_nothing_and_repeats_what_was_in_flight(
    due: Scene, point: str
) -> None:
    await due.run(*BDAYSCHED, "schedule")
    await killed(due, point, "run-worker")
    rows = await due.statuses()
    requests = len(due.requests())
    if point == "sending commit":
        assert rows.keys() == {"SENDING", "QUEUED"}
        assert requests == 0
    elif point == "response":
        assert rows.keys() == {"SENDING", "QUEUED"}
        assert requests >= 1
    else:
        assert rows["SENT"] >= 1
        if "amqp" in due.broker:
            # None was acknowledged.
            await due.until_waiting(MESSAGES)
    judgement = await goes_on(due, point, IN_FLIGHT)
    # What was recorded is known, acknowledged or not.
    assert judgement.requests - MESSAGES == judgement.extra <= rows["SENDING"]


async def test_a_worker_killed_after_a_request_was_written_repeats_what_was_in_flight(
    due: Scene,
) -> None:
    await due.run(*BDAYSCHED, "schedule")
    worker = await due.start(*BDAYSCHED, "run-worker", WORKER_LEASE=SHORT)
    due.receiver.tell("kill", worker.pid, MESSAGES // 3)
    assert await asyncio.wait_for(worker.wait(), 60) == -9
    rows = await due.statuses()
    judgement = await goes_on(due, "request", IN_FLIGHT)
    assert 1 <= judgement.extra <= rows["SENDING"]
