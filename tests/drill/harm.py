"""Doing to a fleet what was drawn, and the list of what was done."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from birthday_cli.pipeline.deliver import IN_DOUBT
from tests.drill.course import Course
from tests.drill.faults import Kind, Planned, draw, kinds
from tests.drill.fleet import Unit
from tests.drill.judge import Fault
from tests.drill.record import Receiver
from tests.drill.stage import Stage
from tests.servers.postgres import PostgresServer
from tests.servers.proxy import Proxy
from tests.servers.rabbitmq import RabbitNode

QUEUE = "drill"
_TROUBLE = 0.5  # the share of requests that fail meanwhile


@dataclass(frozen=True)
class Fleet:
    """All that can be hit. `proxies` are those of each worker to the database, and to each node."""

    stage: Stage
    receiver: Receiver
    units: dict[str, list[Unit]] = field(default_factory=dict)
    proxies: dict[str, list[list[Proxy]]] = field(default_factory=dict)

    @property
    def all_units(self) -> list[Unit]:
        """Every process of the program."""
        return [unit for units in self.units.values() for unit in units]


class Harm:
    """The faults of a drill."""

    def __init__(self, course: Course, fleet: Fleet, clock: Callable[[], datetime]) -> None:
        self.faults: list[Fault] = []
        self._course = course
        self._fleet = fleet
        self._clock = clock
        self._busy: dict[str, asyncio.Lock] = {}

    async def run(self, rng: random.Random) -> None:
        """Do what the generator draws, for as long as the course says."""
        course = self._course
        wanted = [
            kind
            for kind in kinds(course.brokers, course.lease)
            if not course.only or kind.name in course.only
        ]
        numbers = {"worker": course.workers, "scheduler": course.schedulers}
        plan = draw(rng, wanted, course.seconds, course.pause, numbers)
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
            in_flight = workers * IN_DOUBT * self._course.concurrency
            self.faults.append(
                Fault(self._clock(), kind.name, target, round(planned.seconds, 1), in_flight)
            )
            self._course.say(f"{kind.name}: {target}, {planned.seconds:.1f} s")
            await self._do(kind, planned.number, planned.seconds)

    async def _do(self, kind: Kind, number: int, seconds: float) -> None:
        fleet, stage = self._fleet, self._fleet.stage
        word, _, where = kind.name.partition(" ")
        if kind.role == "receiver" and where == "down":
            fleet.receiver.tell("down", seconds)
            await asyncio.sleep(seconds)
        elif kind.role == "receiver":
            fleet.receiver.tell("trouble", _TROUBLE)
            await asyncio.sleep(seconds)
            fleet.receiver.tell("trouble", self._course.trouble)
        elif where.startswith("worker-"):
            wires = fleet.proxies[where.removeprefix("worker-")][number]
            for wire in wires:
                if word == "cut":
                    await wire.cut()
                else:
                    wire.go_silent()
            await asyncio.sleep(seconds)
            for wire in wires:
                await wire.recover()
        elif kind.role in fleet.units:
            unit = fleet.units[kind.role][number]
            unit.send(signal.SIGKILL if word == "kill" else signal.SIGSTOP)
            await asyncio.sleep(seconds)
            unit.send(signal.SIGCONT)
        elif word == "freeze":
            node = await asyncio.to_thread(stage.leader, QUEUE)
            node.freeze()
            await asyncio.sleep(seconds)
            node.thaw()
        else:
            server: PostgresServer | RabbitNode = stage.database
            if kind.role == "broker":
                server = await asyncio.to_thread(stage.leader, QUEUE)
            await asyncio.to_thread(server.kill)
            await asyncio.sleep(seconds)
            await asyncio.to_thread(server.start)
