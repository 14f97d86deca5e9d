from __future__ import annotations

import pytest

from birthday_cli.telemetry.health import Health, State, judge

GOOD = State(broker_connected=True, database_ok=True)


def test_a_worker_with_its_servers_is_ready() -> None:
    assert judge(GOOD, beat_age=1.0, patience=10.0) == Health(True, True, "ok")


def test_a_loop_that_stands_is_not_alive_whatever_else_is_said() -> None:
    health = judge(GOOD, beat_age=31.4, patience=10.0)
    assert health == Health(False, False, "the event loop has stood for 31 s")


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (State(broker_connected=True), "the database is away"),
        (State(database_ok=True), "the broker is away"),
        (State(), "the database is away; the broker is away"),
        (State(broker_connected=True, database_ok=True, stopping=True), "stopping"),
        (State(paused_by_operator=True), "the database is away"),
    ],
)
def test_without_what_it_needs_it_lives_and_is_not_ready(state: State, reason: str) -> None:
    assert judge(state, beat_age=0.0, patience=10.0) == Health(True, False, reason)


@pytest.mark.parametrize(
    "state",
    [
        State(database_ok=True, paused_by_operator=True),
        State(database_ok=True, receiver_down=True),
        State(database_ok=True, broker_connected=True, paused_by_operator=True),
    ],
)
def test_a_pause_is_no_illness(state: State) -> None:
    assert judge(state, beat_age=0.0, patience=10.0).ready
