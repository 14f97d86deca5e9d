"""One drill: people are added, the program works, things are killed; then all comes to rest."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from tests.drill import evidence, people
from tests.drill.course import Course
from tests.drill.fleet import BDAYSCHED, Unit, environment
from tests.drill.harm import QUEUE, Fleet, Harm
from tests.drill.judge import Books, Fault, Judgement, Request, judge
from tests.drill.record import receiving
from tests.drill.stage import Stage
from tests.servers.proxy import proxy

# A queue must not be killed within half a second of its declaration, or it forgets.
_AFTER_DECLARING = 3.0


@dataclass(frozen=True)
class Finished:
    """A drill that is over, with all that is to be reported of it."""

    course: Course
    judgement: Judgement
    books: Books
    faults: list[Fault]
    statuses: Counter[str]
    lateness: list[float]
    exits: dict[str, Counter[int]]
    worst_overdue: float
    settled_after: float | None
    seconds: float


class Drill:
    """The state of a drill that is under way."""

    def __init__(self, course: Course, stage: Stage, folder: Path) -> None:
        self._course = course
        self._stage = stage
        self._folder = folder
        self._random = random.Random(course.seed)
        self._morning = people.morning_after(datetime.now(UTC))
        self._crowd = people.crowd(course.messages, self._morning, self._random)
        start = self._morning - timedelta(seconds=course.seconds / 6)
        self._ahead = start - datetime.now(UTC)
        self._due: dict[str, datetime] = {}
        self._worst_overdue = 0.0

    def clock(self) -> datetime:
        """Return the time as the program is told it."""
        return datetime.now(UTC) + self._ahead

    async def run(self) -> Finished:
        """Run the drill to its end, and judge it."""
        began = _now()
        course = self._course
        # So slow that the workers are busy most of the time.
        delay = 0.5 * course.workers * course.concurrency * course.seconds / course.messages
        await self._prepare()
        async with AsyncExitStack() as open_things:
            receiver = await open_things.enter_async_context(
                receiving(
                    self._folder,
                    seed=course.seed,
                    delay=min(delay, 1.0),
                    trouble=course.trouble,
                    rejected=course.rejected,
                )
            )
            fleet = Fleet(self._stage, receiver)
            await self._start_units(fleet, open_things)
            harm = Harm(course, fleet, self.clock)
            watching = asyncio.create_task(self._watch())
            try:
                await asyncio.gather(self._add_people(), harm.run(self._random))
                receiver.tell("trouble", 0)
                course.say("no more faults")
                settled_after = await self._settle()
            finally:
                watching.cancel()
            codes = await asyncio.gather(*(unit.stop() for unit in fleet.all_units))
            course.say(f"stopped in order, with the exit codes {codes}")
            return await self._finish(fleet, harm.faults, settled_after, began)

    def _settings(self) -> dict[str, str]:
        course, stage = self._course, self._stage
        broker = stage.nodes[0].url if stage.nodes else "postgres:"
        return {
            "DATABASE_URL": stage.database.url(),
            "BROKER_URL": stage.cluster.url if stage.cluster else broker,
            "BROKER_QUEUE": QUEUE,
            "DELIVERY_TIMEOUT": "3s",
            "DATABASE_CONNECT_TIMEOUT": "3",
            "BROKER_CONNECT_TIMEOUT": "3s",
            "WORKER_CONCURRENCY": str(course.concurrency),
            "WORKER_PREFETCH": str(4 * course.concurrency),
            "WORKER_LEASE": f"{course.lease}s",
            # None may fail for good only because the drill was hard on it.
            "WORKER_MAX_ATTEMPTS": "1000",
            "RECOVER_QUEUED_AFTER": f"{course.requeue_after}s",
        }

    async def _prepare(self) -> None:
        course = self._course
        for command in "migrate", "schedule":
            process = await asyncio.create_subprocess_exec(
                *(*BDAYSCHED, command),
                env=environment({**self._settings(), "BDAYSCHED_NOW": self.clock().isoformat()}),
                cwd=self._folder,
            )
            assert await process.wait() == 0
        if course.prepare:
            await self._with_database(lambda connection: connection.execute(course.prepare) and 0)
        if self._stage.nodes:
            await asyncio.sleep(_AFTER_DECLARING)

    async def _start_units(self, fleet: Fleet, open_things: AsyncExitStack) -> None:
        """Start the schedulers, and the workers, which reach everything through proxies."""
        course = self._course
        common = {**self._settings(), "DELIVERY_URL": fleet.receiver.url}
        started: dict[str, list[Unit]] = {"scheduler": [], "worker": []}
        for number in range(course.schedulers):
            command = (*course.program, "schedule", "--every", "1s")
            started["scheduler"].append(self._unit(f"scheduler-{number}", command, common))
        for number in range(course.workers):
            own = dict(common)
            for what, variable, ports in (
                ("database", "DATABASE_URL", [self._stage.database.port]),
                ("broker", "BROKER_URL", [node.port for node in self._stage.nodes]),
            ):
                wires = [await open_things.enter_async_context(proxy(port)) for port in ports]
                fleet.proxies.setdefault(what, []).append(wires)
                for port, wire in zip(ports, wires, strict=True):
                    own[variable] = own[variable].replace(f":{port}", f":{wire.port}")
            command = (*course.program, "run-worker")
            started["worker"].append(self._unit(f"worker-{number}", command, own))
        fleet.units.update(started)
        for unit in fleet.all_units:
            open_things.push_async_callback(unit.kill)

    def _unit(self, name: str, command: tuple[str, ...], settings: dict[str, str]) -> Unit:
        return Unit(name, command, settings, self.clock, self._folder)

    async def _add_people(self) -> None:
        """Add those of nine o'clock at once, the others over most of the time; some move."""
        crowd = self._crowd
        await self._with_database(people.add, crowd.punctual)
        for person in crowd.punctual:
            self._due |= dict.fromkeys(person.keys, self._morning)
        steps = max(1, round(self._course.seconds * 0.75))
        moving: list[people.Person] = []
        for step in range(steps):
            batch = crowd.late[step::steps]
            await self._with_database(people.add, batch)
            for person in batch:
                self._due |= dict.fromkeys(person.keys, self.clock())
            half = len(moving) // 2 + 1
            for person in moving[:half]:
                await self._with_database(people.move, person.id, crowd.move[person.id])
            moving = moving[half:] + [person for person in batch if person.id in crowd.move]
            await asyncio.sleep(1)
        for person in moving:
            await self._with_database(people.move, person.id, crowd.move[person.id])

    async def _with_database(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Do work over a connection of the drill's own, as soon as the database is there."""

        def do() -> Any:
            url = self._stage.database.url()
            with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
                return work(connection, *arguments)

        while True:
            try:
                return await asyncio.to_thread(do)
            except psycopg.OperationalError:
                await asyncio.sleep(0.2)

    async def _watch(self) -> None:
        while True:
            self._worst_overdue = max(
                self._worst_overdue, await self._with_database(evidence.overdue)
            )
            statuses = await self._with_database(evidence.statuses)
            shown = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
            self._course.say(f"{self.clock():%H:%M:%S} {shown}")
            await asyncio.sleep(5)

    async def _settle(self) -> float | None:
        """Wait until every message has its end; return how long that took, None for too long."""
        started = _now()
        while (waited := _now() - started) < self._course.settle:
            unplanned = await self._with_database(evidence.unplanned)
            statuses = await self._with_database(evidence.statuses)
            is_over = statuses.keys() <= {"SENT", "FAILED"}
            if is_over and not unplanned and statuses.total() >= len(self._due):
                return waited
            await asyncio.sleep(0.5)
        return None

    async def _finish(
        self, fleet: Fleet, faults: list[Fault], settled_after: float | None, began: float
    ) -> Finished:
        days = [person.day for person in (*self._crowd.punctual, *self._crowd.late)]
        books = await asyncio.to_thread(
            evidence.books, self._stage.database.url(), self._ahead, min(days), max(days)
        )
        rows = await self._with_database(evidence.rows)
        requests = fleet.receiver.requests(self._ahead)
        tracebacks = [
            f"{unit.name}: {line}"
            for unit in fleet.all_units
            for line in unit.log.read_text(errors="replace").splitlines()
            if line.startswith("Traceback")
        ]
        judgement = judge(self._due.keys(), rows, requests, faults, books, self.clock(), tracebacks)
        return Finished(
            course=self._course,
            judgement=judgement,
            books=books,
            faults=faults,
            statuses=Counter(row.status for row in rows),
            lateness=self._lateness(requests),
            exits={unit.name: unit.exits for unit in fleet.all_units},
            worst_overdue=self._worst_overdue,
            settled_after=settled_after,
            seconds=_now() - began,
        )

    def _lateness(self, requests: list[Request]) -> list[float]:
        """Return the seconds from due, or added, to the first request of each key."""
        first: dict[str, datetime] = {}
        for request in requests:
            if request.key in self._due:
                first.setdefault(request.key, request.at)
        return sorted((at - self._due[key]).total_seconds() for key, at in first.items())


def _now() -> float:
    return asyncio.get_running_loop().time()
