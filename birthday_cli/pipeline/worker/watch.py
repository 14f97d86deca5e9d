"""What a worker's surroundings are told of it: whether it lives, what it does, whether it may."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import psycopg
from psycopg_pool import PoolTimeout

from birthday_cli.config import Settings
from birthday_cli.db import pausing
from birthday_cli.db.pausing import Pause
from birthday_cli.db.rate_limit import RateLimit
from birthday_cli.pipeline.deliver import Worker
from birthday_cli.telemetry.health import Health, State, judge
from birthday_cli.telemetry.systemd import Notifier

if TYPE_CHECKING:
    from birthday_cli.telemetry.metrics import WorkerMetrics

_BEAT = 0.5
_LOOK = 1.0
# The loop never works on anything for longer, unless the machine is far too small.
_LONGEST_STAND = 5.0
_LONGEST_WITHOUT_DATABASE = 10.0


class Watch:
    """Looks after one worker, while `run` runs."""

    def __init__(self, worker: Worker, limit: RateLimit, notifier: Notifier) -> None:
        self._worker = worker
        self._limit = limit
        self._notifier = notifier
        self._stopping = self._ready = False
        self._beat_at = self._looked_at = time.monotonic()

    def state(self) -> State:
        """Return how the worker is; may be called in any thread."""
        age = time.monotonic() - self._looked_at
        worker = self._worker
        return State(
            in_flight=worker.under_way,
            broker_connected=worker.is_connected,
            database_ok=worker.database.is_there and age < _LONGEST_WITHOUT_DATABASE,
            paused_by_operator=bool(worker.gate.pause),
            receiver_down=worker.gate.receiver_is_down,
            stopping=self._stopping,
            rate_limit=self._limit.scope,
        )

    def health(self) -> Health:
        """Return whether the worker lives and can work; may be called in any thread."""
        return judge(self.state(), time.monotonic() - self._beat_at, _LONGEST_STAND)

    def stop(self) -> None:
        """Stop the worker, and say so."""
        self._stopping = True
        self._worker.stop()
        self._notifier.stopping()

    async def look(self) -> None:
        """Ask the database whether an operator has paused the workers."""
        pause = await self._worker.database.do(pausing.current)
        self._worker.gate.set_pause(_told(pause) if pause else None)
        self._looked_at = time.monotonic()

    @contextmanager
    def serve(self, settings: Settings, metrics: WorkerMetrics) -> Iterator[None]:
        """Answer /healthz, /readyz and /metrics; UsageError when the address cannot be had."""
        from birthday_cli.telemetry.http import serve

        metrics.watch(self.state)
        self._worker.database.on_return = lambda: metrics.reconnected("database")
        host, port = settings.metrics_host, settings.metrics_port
        with serve(host, port, metrics.registry, self.health):
            yield

    async def run(self) -> None:
        """Look and tell, for ever."""
        await asyncio.gather(self._keep_looking(), self._keep_telling())

    async def _keep_looking(self) -> None:
        while True:
            # A database that stays away ends the worker itself, with the reason.
            with suppress(psycopg.Error, PoolTimeout):
                await self.look()
            await asyncio.sleep(_LOOK)

    async def _keep_telling(self) -> None:
        watchdog = self._notifier.watchdog_interval
        beat = min(_BEAT, watchdog) if watchdog else _BEAT
        told = ""
        while True:
            self._beat_at = time.monotonic()
            state = self.state()
            lives = state.database_ok and state.broker_connected
            if lives and not self._ready and not self._stopping:
                self._ready = True
                self._notifier.ready()
            # In the end the connections go; how long that may take, systemd knows.
            if watchdog and (lives or self._stopping):
                self._notifier.watchdog()
            if (text := self._status(state)) != told:
                told = text
                self._notifier.status(text)
            await asyncio.sleep(beat)

    def _status(self, state: State) -> str:
        done = self._worker.delivered
        counts = f"sent {done.sent}, failed {done.failed}, under way {state.in_flight}"
        return f"{self.doing(state)}: {counts}"

    def doing(self, state: State | None = None) -> str:
        """Return what the worker does now, or what it waits for, in a few words."""
        state = state or self.state()
        if self._stopping:
            return "stopping"
        if not state.database_ok:
            return "waiting for the database"
        if not state.broker_connected:
            return "waiting for the broker"
        if self._worker.gate.pause:
            return f"paused {self._worker.gate.pause}"
        if state.receiver_down:
            return "waiting for the receiver, which accepts nothing"
        return "delivering"


def _told(pause: Pause) -> str:
    until = f"until {pause.until:%Y-%m-%d %H:%M:%S}Z" if pause.until else "until resumed"
    return f"by {pause.by} {until}" + (f" ({pause.reason})" if pause.reason else "")
