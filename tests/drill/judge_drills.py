"""The judge sees what a broken program does, and finds nothing wrong with a sound one.

`make drill` runs these; the quick ones of the kind are in test_red.py.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from tests.drill.course import Course
from tests.drill.drill import Drill, Finished
from tests.drill.fleet import BDAYSCHED
from tests.drill.scene import BROKEN, IN_FLIGHT, NEVER, NO_GUARD, Scene, kill_in_mid_drain
from tests.drill.stage import stage
from tests.servers.rabbitmq import RabbitNode

MESSAGES = 30


async def test_acknowledging_after_recording_is_green(due_on_rabbitmq: Scene) -> None:
    due = due_on_rabbitmq
    await kill_in_mid_drain(due, *BDAYSCHED)
    found = await due.finish([due.fault("kill", IN_FLIGHT)], settings=NEVER)
    assert found.went_well, str(found)


async def test_leases_that_nobody_ends_are_red(due_on_postgres: Scene) -> None:
    due = due_on_postgres
    await kill_in_mid_drain(due, *BDAYSCHED)
    broken = (*BROKEN, "--without", "leases", "--")
    found = await due.finish([due.fault("kill", IN_FLIGHT)], scheduler=broken, bad_end=["SENDING"])
    assert set(found.problems) == {"lost", "stuck"}
    assert "is SENDING, and nobody is at it" in found.stuck[0]


async def test_planning_twice_is_green_with_the_guard(due_on_postgres: Scene) -> None:
    due = due_on_postgres
    assert (await due.finish()).went_well
    await due.move_the_punctual()
    found = await due.finish()
    assert found.went_well, str(found)


@pytest.mark.parametrize("without", [False, True])
async def test_queued_before_it_is_confirmed_is_red(
    due_on_rabbitmq: Scene, rabbitmq: RabbitNode, without: bool
) -> None:
    due = due_on_rabbitmq
    await due.run(*BDAYSCHED, "schedule", "--recover")
    # A queue must not be killed within half a second of its declaration, or it forgets.
    await asyncio.sleep(3)
    broken = (*BROKEN, "--without", "confirms") if without else BROKEN
    pid = (rabbitmq.folder / "server.pid").read_text().strip()
    code = await due.run(*broken, "--stop", pid, "--", "schedule", BROKER_CONNECT_TIMEOUT="2s")
    assert (code == 0) is without
    assert await due.statuses() == {"QUEUED" if without else "SCHEDULED": MESSAGES}
    await asyncio.to_thread(rabbitmq.kill)
    await asyncio.to_thread(rabbitmq.start)
    fault = due.fault("kill broker")
    found = await due.finish([fault], bad_end=["QUEUED"] if without else (), settings=NEVER)
    if without:
        assert set(found.problems) == {"lost", "stuck"}
        assert len(found.lost) == MESSAGES
    else:
        assert found.went_well, str(found)


def small_drill(folder: Path, course: Course) -> Finished:
    with stage(course.brokers) as servers:
        return asyncio.run(Drill(course, servers, folder).run())


SMALL = Course(
    messages=300,
    seed=3,
    brokers="rabbitmq",
    seconds=12,
    settle=40,
    pause=2,
    concurrency=8,
    lease=2,
    only=frozenset({"kill worker", "kill scheduler", "kill broker"}),
)


def test_a_small_drill_of_the_sound_program_is_green(tmp_path: Path) -> None:
    done = small_drill(tmp_path, SMALL)
    assert done.judgement.went_well, str(done.judgement)


@pytest.mark.parametrize("without", ["acknowledgements", "leases"])
def test_a_small_drill_of_a_broken_program_is_red(tmp_path: Path, without: str) -> None:
    done = small_drill(
        tmp_path,
        replace(
            SMALL,
            program=(*BROKEN, "--without", without, "--"),
            requeue_after=3_600,
            settle=10,
            # So many that some of them hit a worker in the midst of its work.
            only=frozenset({"kill worker"}),
            pause=1,
        ),
    )
    assert done.judgement.lost
    assert done.judgement.stuck


def test_a_small_drill_without_the_guard_is_red(tmp_path: Path) -> None:
    done = small_drill(tmp_path, replace(SMALL, brokers="postgres", prepare=NO_GUARD))
    # Two rows, or a planner that stumbles over what is left of the protection.
    assert done.judgement.duplicates or done.judgement.lost
