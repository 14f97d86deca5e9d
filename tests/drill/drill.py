"""One drill: people are added, the program works, things are killed; then all comes to rest."""

from __future__ import annotations

import asyncio
import json
import random
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from tests.drill import people
from tests.drill.faults import Kind, Planned, draw, kinds
from tests.drill.fleet import BDAYSCHED, Unit, environment
from tests.drill.judge import Books, Fault, Judgement, Request, Row, judge
from tests.drill.record import Receiver, receiving
from tests.drill.stage import Stage
from tests.servers.proxy import Proxy, proxy

_ROWS = """
SELECT idempotency_key, status, scheduled_send_time, expires_at,
       status = 'SENDING' AND lease_expires_at <= now(),
       concat_ws('; ', error_message, 'since ' || updated_at)
FROM message_logs
"""
_OVERDUE = """
SELECT coalesce(max(extract(epoch FROM now() - lease_expires_at))
                FILTER (WHERE status = 'SENDING'), 0)::float
FROM message_logs
"""
# A queue must not be killed within half a second of its declaration, or it forgets.
_AFTER_DECLARING = 3.0


@dataclass(frozen=True)
class Course:
    """What a drill is to be. Times are seconds.

    `program` runs the program's commands; a test of the judge puts a broken one there.
    """

    messages: int = 20_000
    seed: int = 1
    brokers: str = "rabbitmq"
    seconds: float = 360.0
    settle: float = 300.0
    pause: float = 5.0
    workers: int = 3
    schedulers: int = 2
    concurrency: int = 16
    lease: float = 5.0
    trouble: float = 0.03
    rejected: float = 0.002
    requeue_after: float = 10.0
    only: frozenset[str] = frozenset()
    program: tuple[str, ...] = BDAYSCHED
    say: Callable[[str], None] = field(default=lambda _: None)


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
        self.faults: list[Fault] = []
        self.worst_overdue = 0.0
        self._course = course
        self._stage = stage
        self._folder = folder
        self._random = random.Random(course.seed)
        self._morning = people.morning_after(datetime.now(UTC))
        self._crowd = people.crowd(course.messages, self._morning, self._random)
        start = self._morning - timedelta(seconds=course.seconds / 6)
        self._ahead = start - datetime.now(UTC)
        self._due: dict[str, datetime] = {}
        self._units: dict[str, list[Unit]] = {}
        self._proxies: dict[str, list[Proxy]] = {"database": [], "broker": []}
        self._busy: dict[str, asyncio.Lock] = {}
        self._receiver: Receiver

    def clock(self) -> datetime:
        """Return the time as the program is told it."""
        return datetime.now(UTC) + self._ahead

    async def run(self) -> Finished:
        """Run the drill to its end, and judge it."""
        began = asyncio.get_running_loop().time()
        course = self._course
        delay = 0.7 * course.workers * course.concurrency * course.seconds / course.messages
        async with AsyncExitStack() as open_things:
            await self._prepare()
            self._receiver = await open_things.enter_async_context(
                receiving(
                    self._folder,
                    seed=course.seed,
                    delay=min(delay, 1.0),
                    trouble=course.trouble,
                    rejected=course.rejected,
                )
            )
            await self._start_units(open_things)
            watching = asyncio.create_task(self._watch())
            try:
                await asyncio.gather(self._add_people(), self._do_harm())
                settled_after = await self._settle()
            finally:
                watching.cancel()
            for unit in self._all_units():
                code = await unit.stop()
                if code:
                    course.say(f"{unit.name} ended with {code} when it was stopped in order")
        return await self._finish(settled_after, began)

    def _settings(self, worker: int | None = None) -> dict[str, str]:
        course, database = self._course, self._stage.database
        url, broker = database.url(), "postgres:"
        if nodes := self._stage.nodes:
            broker = nodes[(worker or 0) % len(nodes)].url
        if worker is not None:
            url = url.replace(f":{database.port}/", f":{self._proxies['database'][worker].port}/")
            if nodes:
                port = nodes[worker % len(nodes)].port
                broker = broker.replace(f":{port}/", f":{self._proxies['broker'][worker].port}/")
        return {
            "DATABASE_URL": url,
            "BROKER_URL": broker,
            "BROKER_QUEUE": "drill",
            "DELIVERY_URL": getattr(getattr(self, "_receiver", None), "url", "console:"),
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

    async def _command(self, *arguments: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *(*BDAYSCHED, *arguments),
            env=environment({**self._settings(), "BDAYSCHED_NOW": self.clock().isoformat()}),
            cwd=self._folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode() or err.decode()

    async def _prepare(self) -> None:
        for command in "migrate", "schedule":
            code, said = await self._command(command)
            assert code == 0, said
        if self._stage.nodes:
            await asyncio.sleep(_AFTER_DECLARING)

    async def _start_units(self, open_things: AsyncExitStack) -> None:
        course, nodes = self._course, self._stage.nodes
        for number in range(course.workers):
            made = await open_things.enter_async_context(proxy(self._stage.database.port))
            self._proxies["database"].append(made)
            if nodes:
                port = nodes[number % len(nodes)].port
                made = await open_things.enter_async_context(proxy(port))
                self._proxies["broker"].append(made)
        for role, count, arguments in (
            ("scheduler", course.schedulers, ("schedule", "--every", "1s")),
            ("worker", course.workers, ("run-worker",)),
        ):
            self._units[role] = [
                Unit(
                    f"{role}-{number}",
                    (*course.program, *arguments),
                    self._settings(number if role == "worker" else None),
                    self.clock,
                    self._folder,
                )
                for number in range(count)
            ]
        for unit in self._all_units():
            open_things.push_async_callback(unit.kill)

    def _all_units(self) -> list[Unit]:
        return [unit for units in self._units.values() for unit in units]

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
            for person in moving[: len(moving) // 2 + 1]:
                await self._with_database(people.move, person.id, crowd.move[person.id])
            moving = moving[len(moving) // 2 + 1 :]
            moving += [person for person in batch if person.id in crowd.move]
            await asyncio.sleep(1)
        for person in moving:
            await self._with_database(people.move, person.id, crowd.move[person.id])

    async def _with_database(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Do work over a connection of the drill's own, as soon as the database is there."""

        def do() -> Any:
            with psycopg.connect(
                self._stage.database.url(), autocommit=True, connect_timeout=5
            ) as connection:
                return work(connection, *arguments)

        while True:
            try:
                return await asyncio.to_thread(do)
            except psycopg.OperationalError:
                await asyncio.sleep(0.2)

    async def _do_harm(self) -> None:
        course = self._course
        wanted = [
            kind
            for kind in kinds(course.brokers, course.lease)
            if not course.only or kind.name in course.only
        ]
        numbers = {"worker": course.workers, "scheduler": course.schedulers}
        numbers["broker"] = len(self._stage.nodes) or 1
        plan = draw(self._random, wanted, course.seconds, course.pause, numbers)
        started = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as tasks:
            for planned in plan:
                now = asyncio.get_running_loop().time()
                await asyncio.sleep(max(0.0, started + planned.at - now))
                tasks.create_task(self._hit(planned))
            await asyncio.sleep(
                max(0.0, started + course.seconds - asyncio.get_running_loop().time())
            )

    async def _hit(self, planned: Planned) -> None:
        kind = planned.kind
        target = f"{kind.role}-{planned.number}"
        async with self._busy.setdefault(target, asyncio.Lock()):
            workers = {"none": 0, "one": 1, "all": self._course.workers}[kind.workers_in_flight]
            in_flight = workers * 2 * self._course.concurrency
            self.faults.append(
                Fault(self.clock(), kind.name, target, round(planned.seconds, 1), in_flight)
            )
            self._course.say(f"{kind.name}: {target}, {planned.seconds:.1f} s")
            await self._do(kind, planned.number, planned.seconds)

    async def _do(self, kind: Kind, number: int, seconds: float) -> None:
        word, _, where = kind.name.partition(" ")
        if kind.role == "receiver":
            if where == "down":
                self._receiver.tell("down", seconds)
                await asyncio.sleep(seconds)
            else:
                self._receiver.tell("trouble", 0.5)
                await asyncio.sleep(seconds)
                self._receiver.tell("trouble", self._course.trouble)
        elif where.startswith("worker-"):
            wire = self._proxies[where.removeprefix("worker-")][number]
            if word == "cut":
                await wire.cut()
            else:
                wire.go_silent()
            await asyncio.sleep(seconds)
            await wire.recover()
        elif kind.role in self._units:
            unit = self._units[kind.role][number]
            unit.send(signal.SIGKILL if word == "kill" else signal.SIGSTOP)
            await asyncio.sleep(seconds)
            unit.send(signal.SIGCONT)
        else:
            server = self._stage.nodes[number] if kind.role == "broker" else self._stage.database
            if word == "freeze":
                self._stage.nodes[number].freeze()
                await asyncio.sleep(seconds)
                self._stage.nodes[number].thaw()
            else:
                await asyncio.to_thread(server.kill)
                await asyncio.sleep(seconds)
                await asyncio.to_thread(server.start)

    async def _watch(self) -> None:
        while True:
            overdue, statuses = await self._with_database(_look)
            self.worst_overdue = max(self.worst_overdue, overdue)
            shown = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
            self._course.say(f"{self.clock():%H:%M:%S} {shown}")
            await asyncio.sleep(5)

    async def _settle(self) -> float | None:
        """Wait until every message has its end; return how long that took, None for too long."""
        self._receiver.tell("trouble", 0)
        self._course.say("no more faults")
        started = asyncio.get_running_loop().time()
        while (waited := asyncio.get_running_loop().time() - started) < self._course.settle:
            _, statuses = await self._with_database(_look)
            if statuses.keys() <= {"SENT", "FAILED"} and statuses.total() >= len(self._due):
                return waited
            await asyncio.sleep(0.5)
        return None

    async def _finish(self, settled_after: float | None, began: float) -> Finished:
        days = sorted({person.day for person in (*self._crowd.punctual, *self._crowd.late)})
        _, said = await self._command(
            "audit", "--json", "--from", f"{days[0]}", "--to", f"{days[-1]}"
        )
        report = json.loads(said)
        totals = [sum(day[name] for day in report["days"]) for name in Books._fields[1:]]
        books = Books(report["balanced"], *totals)
        rows = await self._with_database(_rows)
        requests = self._receiver.requests(self._ahead)
        judgement = judge(
            self._due.keys(), rows, requests, self.faults, books, self.clock(), self._tracebacks()
        )
        return Finished(
            course=self._course,
            judgement=judgement,
            books=books,
            faults=self.faults,
            statuses=Counter(row.status for row in rows),
            lateness=self._lateness(requests),
            exits={unit.name: unit.exits for unit in self._all_units()},
            worst_overdue=self.worst_overdue,
            settled_after=settled_after,
            seconds=asyncio.get_running_loop().time() - began,
        )

    def _tracebacks(self) -> list[str]:
        return [
            f"{unit.name}: {line}"
            for unit in self._all_units()
            for line in unit.log.read_text(errors="replace").splitlines()
            if line.startswith("Traceback")
        ]

    def _lateness(self, requests: list[Request]) -> list[float]:
        """Return the seconds from due, or added, to the first request of each key."""
        first: dict[str, datetime] = {}
        for request in requests:
            if request.key in self._due:
                first.setdefault(request.key, request.at)
        return sorted((at - self._due[key]).total_seconds() for key, at in first.items())


def _look(connection: psycopg.Connection) -> tuple[float, Counter[str]]:
    row: Any = connection.execute(_OVERDUE).fetchone()
    counted = connection.execute("SELECT status, count(*) FROM message_logs GROUP BY 1").fetchall()
    return row[0], Counter(dict(counted))


def _rows(connection: psycopg.Connection) -> list[Row]:
    return [Row(*row) for row in connection.execute(_ROWS.encode()).fetchall()]
