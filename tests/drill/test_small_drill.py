from __future__ import annotations

import asyncio
from pathlib import Path

from tests.drill.course import Course
from tests.drill.drill import Drill
from tests.drill.faults import kinds
from tests.drill.stage import stage

SMALL = Course(
    messages=200,
    brokers="postgres",
    seconds=8,
    settle=60,
    pause=0.6,
    workers=2,
    concurrency=8,
    lease=2,
)


def test_a_small_drill_loses_and_repeats_nothing(tmp_path: Path) -> None:
    with stage("postgres") as servers:
        done = asyncio.run(Drill(SMALL, servers, tmp_path).run())
    assert done.judgement.went_well, str(done.judgement)
    assert {fault.kind for fault in done.faults} == {kind.name for kind in kinds("postgres", 2)}
