"""The judge sees what a broken program does. The others of this kind: judge_drills.py."""

from __future__ import annotations

from tests.drill.scene import BROKEN, IN_FLIGHT, NEVER, NO_GUARD, Scene, kill_in_mid_drain


async def test_acknowledging_before_recording_is_red(due_on_rabbitmq: Scene) -> None:
    due = due_on_rabbitmq
    await kill_in_mid_drain(due, *BROKEN, "--without", "acknowledgements", "--")
    found = await due.finish([due.fault("kill", IN_FLIGHT)], bad_end=["QUEUED"], settings=NEVER)
    assert set(found.problems) == {"lost", "stuck"}
    assert len(found.lost) == len(found.stuck)
    assert "is still QUEUED" in found.lost[0]


async def test_planning_twice_is_red_without_the_guard(due_on_postgres: Scene) -> None:
    due = due_on_postgres
    await due.ask(lambda connection: connection.execute(NO_GUARD).rowcount)
    assert (await due.finish()).went_well
    await due.move_the_punctual()
    found = await due.finish()
    assert set(found.problems) == {"duplicates", "extra", "unbalanced"}
    assert len(found.duplicates) == sum(len(person.keys) for person in due.punctual) > 0
