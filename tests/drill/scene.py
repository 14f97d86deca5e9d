"""A small drill that is told what happens: messages that are due, and processes one by one."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import psycopg

from birthday_cli.brokers.base import connect as connect_broker
from birthday_cli.config import Settings
from birthday_cli.pipeline.deliver import IN_DOUBT
from tests.drill import evidence, people
from tests.drill.fleet import BDAYSCHED, Unit, environment
from tests.drill.judge import Fault, Judgement, Request, judge
from tests.drill.record import Receiver, receiving

T = TypeVar("T")

KILLED = (sys.executable, "-m", "tests.drill.killed")
BROKEN = (sys.executable, "-m", "tests.drill.broken")
# So few that a worker has not claimed all of the thirty messages when it is killed.
CONCURRENCY = 2
IN_FLIGHT = IN_DOUBT * CONCURRENCY
"""The most that one worker can have posted and not recorded."""

NEVER = {"RECOVER_QUEUED_AFTER": "1h"}
"""What recovers a lost reference is not to hide that it was lost."""
_UNTIL_HOPELESS = 2.0
_HANG = 60.0
_ENDED_BEFORE_IT_RAN = 128 + signal.SIGTERM
NO_GUARD = "DROP FUNCTION take_message_guard CASCADE"
_ELSEWHERE = "Atlantic/South_Georgia"


class Scene:
    """A database, a broker, a receiver, and people whose messages are all due."""

    def __init__(
        self,
        database: str,
        broker: str,
        queue: str,
        receiver: Receiver,
        folder: Path,
        messages: int,
    ) -> None:
        morning = people.morning_after(datetime.now(UTC))
        crowd = people.crowd(messages, morning, random.Random(1))
        self.punctual = crowd.punctual
        self.people = [*crowd.punctual, *crowd.late]
        self.receiver = receiver
        self.database = database
        self.broker = broker
        self._folder = folder
        self._ahead = morning + timedelta(minutes=1) - datetime.now(UTC)
        self._settings = {
            "DATABASE_URL": database,
            "BROKER_URL": broker,
            "BROKER_QUEUE": queue,
            "BROKER_CONNECT_TIMEOUT": "5s",
            "DELIVERY_URL": receiver.url,
            "WORKER_CONCURRENCY": str(CONCURRENCY),
            "RECOVER_QUEUED_AFTER": "1s",
        }

    def clock(self) -> datetime:
        """Return the time as the program is told it."""
        return datetime.now(UTC) + self._ahead

    async def ask(self, work: Callable[..., T], *arguments: Any) -> T:
        """Do work over a connection to the database."""

        def do() -> T:
            with psycopg.connect(self.database, autocommit=True) as connection:
                return work(connection, *arguments)

        return await asyncio.to_thread(do)

    async def statuses(self) -> dict[str, int]:
        """Return how many rows have each status."""
        return dict(await self.ask(evidence.statuses))

    async def move_the_punctual(self) -> None:
        """Let those whose nine o'clock has just been move to where it has been for a while."""
        for person in self.punctual:
            await self.ask(people.move, person.id, _ELSEWHERE)

    async def until_waiting(self, count: int) -> None:
        """Return when the broker would deliver so many references; a minute is a hang."""
        settings = Settings(broker_url=self.broker, broker_queue=self._settings["BROKER_QUEUE"])
        async with asyncio.timeout(60), connect_broker(settings, self.database) as broker:
            while True:
                if (await broker.depth()).ready == count:
                    return
                await asyncio.sleep(0.05)

    async def start(self, *command: str, **settings: str) -> asyncio.subprocess.Process:
        """Start a process with the settings of the scene, and further ones."""
        with (self._folder / "once.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *command,
                env=environment(
                    {**self._settings, "BDAYSCHED_NOW": self.clock().isoformat(), **settings}
                ),
                cwd=self._folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    async def run(self, *command: str, **settings: str) -> int:
        """Run a process to its end; return its exit code."""
        process = await self.start(*command, **settings)
        return await asyncio.wait_for(process.wait(), 60)

    async def finish(
        self,
        faults: Sequence[Fault] = (),
        scheduler: Sequence[str] = BDAYSCHED,
        bad_end: Collection[str] = (),
        settings: Mapping[str, str] | None = None,
    ) -> Judgement:
        """Let a scheduler and a worker do the rest; judge.

        With a `bad_end` there will be messages for ever that have one of these statuses.
        """
        units = [
            Unit(
                command[0],
                (*program, *command),
                {**self._settings, **(settings or {})},
                self.clock,
                self._folder,
            )
            for program, command in (
                (scheduler, ("schedule", "--every", "0.2s")),
                (BDAYSCHED, ("run-worker",)),
            )
        ]
        try:
            await self._settle({"SENT", "FAILED", *bad_end}, _UNTIL_HOPELESS if bad_end else 0)
        finally:
            codes = await asyncio.gather(*(unit.stop() for unit in units))
        assert set(codes) <= {0, _ENDED_BEFORE_IT_RAN}
        days = [person.day for person in self.people]
        books = await asyncio.to_thread(
            evidence.books, self.database, self._ahead, min(days), max(days)
        )
        return judge(
            {key for person in self.people for key in person.keys},
            await self.ask(evidence.rows),
            self.requests(),
            faults,
            books,
            self.clock(),
        )

    async def _settle(self, ends: Collection[str], at_least: float) -> None:
        expected = sum(len(person.keys) for person in self.people)
        await asyncio.sleep(at_least)
        # Whether it came to rest is for the judge to say.
        with suppress(TimeoutError):
            async with asyncio.timeout(_HANG):
                while True:
                    found = await self.ask(evidence.statuses)
                    planned = not await self.ask(evidence.unplanned)
                    if planned and found.keys() <= set(ends) and found.total() >= expected:
                        return
                    await asyncio.sleep(0.1)

    def requests(self) -> list[Request]:
        """Return what was received so far."""
        return self.receiver.requests(self._ahead)

    def fault(self, kind: str, in_flight: int = 0) -> Fault:
        """Return something that was done to a process just now."""
        return Fault(self.clock(), kind, "it", 0, in_flight)


@asynccontextmanager
async def scene(
    database: str, broker: str, queue: str, folder: Path, messages: int = 30, **receiver: float
) -> AsyncIterator[Scene]:
    """Yield a scene whose people have been added, and nothing been planned."""
    async with receiving(folder, **receiver) as running:
        made = Scene(database, broker, queue, running, folder, messages)
        await made.ask(people.add, made.people)
        yield made


async def kill_in_mid_drain(due: Scene, *program: str) -> None:
    """Queue everything, and kill a worker when a third has been requested."""
    assert await due.run(*BDAYSCHED, "schedule") == 0
    worker = await due.start(*program, "run-worker", WORKER_LEASE="1s")
    third = sum(len(person.keys) for person in due.people) // 3
    due.receiver.tell("kill", worker.pid, third)
    assert await asyncio.wait_for(worker.wait(), 60) == -signal.SIGKILL
