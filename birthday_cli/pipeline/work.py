"""A worker process: what `deliver` needs around it."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict

from birthday_cli.brokers.base import connect as connect_broker
from birthday_cli.channels.base import connect as connect_channel
from birthday_cli.config import Clock, Settings
from birthday_cli.db import patience, rate_limit
from birthday_cli.db.connect import database, open_pool
from birthday_cli.errors import Locked, redact
from birthday_cli.pipeline.beating import beating
from birthday_cli.pipeline.deliver import Worker
from birthday_cli.pipeline.worker.tally import Delivered
from birthday_cli.pipeline.worker.watch import Watch
from birthday_cli.telemetry.systemd import Notifier

log = logging.getLogger(__name__)


def work(settings: Settings, clock: Clock, until_empty: bool = False) -> Delivered:
    """Deliver until SIGTERM or SIGINT, or until the queue is empty; see Worker.run.

    A signal lets what is under way end, within worker_drain_timeout; a second one raises SystemExit
    with 128 and its number, and what was under way comes back when its leases end. With until_empty
    a pause raises Locked. Raises UsageError without a DELIVERY_URL, and what connecting raises.
    """
    import uvloop

    notifier = Notifier()
    # What was made until now stays until the end, and what comes and goes are batches: looking
    # through them all the time would cost 5 % of the worker.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    with database(settings) as conninfo:
        return uvloop.run(_work(settings, conninfo, clock, until_empty, notifier))


def look(settings: Settings) -> int:
    """Return how many references wait; raises what `work` would raise before it takes any."""

    async def ask(conninfo: str) -> int:
        async with (
            connect_channel(settings),
            open_pool(conninfo, settings, "bdaysched run-worker"),
            connect_broker(settings, conninfo) as broker,
        ):
            return (await broker.depth()).ready

    with database(settings) as conninfo:
        return asyncio.run(ask(conninfo))


async def _work(
    settings: Settings, conninfo: str, clock: Clock, until_empty: bool, notifier: Notifier
) -> Delivered:
    async with (
        connect_channel(settings) as channel,
        rate_limit.connect(settings) as limit,
        open_pool(conninfo, settings, "bdaysched run-worker", patience.SESSION) as pool,
    ):
        metrics = None
        if settings.metrics_port:
            from birthday_cli.telemetry.metrics import WorkerMetrics

            metrics = WorkerMetrics()
        worker = Worker(settings, conninfo, pool, channel, clock, limit, metrics)
        watch = Watch(worker, limit, notifier)
        with nullcontext() if metrics is None else watch.serve(settings, metrics), _signals(watch):
            # Before anything is taken: it may be paused.
            await watch.look()
            log.info(
                "started",
                extra={
                    "broker": redact(settings.broker_url).partition("?")[0],
                    "receiver": redact(settings.delivery_url).partition("?")[0],
                },
            )
            watching = asyncio.create_task(watch.run())
            try:
                async with beating(pool, lambda: worker.delivered, watch.doing):
                    delivered = await worker.run(until_empty)
            finally:
                watching.cancel()
        log.info("stopped", extra=asdict(delivered))
        if until_empty and worker.gate.pause:
            raise Locked(f"delivery is paused {worker.gate.pause}: see `bdaysched queue resume`")
        return delivered


@contextmanager
def _signals(watch: Watch) -> Iterator[None]:
    """Let SIGTERM and SIGINT stop the worker, and a second one of them quit."""
    loop, main = asyncio.get_running_loop(), asyncio.current_task()
    assert main  # noqa: S101 - a coroutine runs in a task
    seen: list[int] = []

    def on_signal(number: signal.Signals) -> None:
        seen.append(number)
        if len(seen) == 1:
            log.info("stopping", extra={"signal": number.name})
            watch.stop()
        else:
            main.cancel()

    names = (signal.SIGTERM, signal.SIGINT)
    for name in names:
        loop.add_signal_handler(name, on_signal, name)
    try:
        yield
    except asyncio.CancelledError:
        if len(seen) < 2:
            raise
        log.warning("quitting: what is under way comes back when its leases end")
        raise SystemExit(128 + seen[-1]) from None
    finally:
        for name in names:
            loop.remove_signal_handler(name)
