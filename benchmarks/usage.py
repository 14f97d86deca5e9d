"""Who spent the processor's time: groups of processes, children included, sampled as they work."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple

import psutil

_INTERVAL = 0.1


class _Sample(NamedTuple):
    instant: float
    seconds: dict[str, float]


class Meter:
    """Samples groups of processes, by the pids of their first ones, until it is left."""

    def __init__(self, groups: Mapping[str, Iterable[int]]) -> None:
        self._groups = {name: list(pids) for name, pids in groups.items()}
        self._samples: list[_Sample] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Meter:
        self._sample()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def spent(self, start: float, end: float) -> dict[str, float]:
        """Return the CPU seconds of each group between two instants (seconds of the epoch)."""
        return {
            name: round(self._at(name, end) - self._at(name, start), 4) for name in self._groups
        }

    def _run(self) -> None:
        while not self._stop.wait(_INTERVAL):
            self._sample()

    def _sample(self) -> None:
        # A process that has ended keeps what it had spent.
        last = self._samples[-1].seconds if self._samples else {}
        seconds = {
            name: max(cpu_seconds(pids), last.get(name, 0.0)) for name, pids in self._groups.items()
        }
        self._samples.append(_Sample(time.time(), seconds))

    def _at(self, name: str, instant: float) -> float:
        before = self._samples[0]
        for sample in self._samples:
            if sample.instant >= instant:
                span = sample.instant - before.instant
                share = (
                    (instant - before.instant) / span if span and instant > before.instant else 0
                )
                return before.seconds[name] + share * (sample.seconds[name] - before.seconds[name])
            before = sample
        return before.seconds[name]


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return what processes and their children have spent, those that were waited for included."""
    total = 0.0
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            first = psutil.Process(pid)
            for process in (first, *first.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):
                    times = process.cpu_times()
                    total += times.user + times.system
                    total += times.children_user + times.children_system
    return total


def resident_megabytes(pid: int) -> float:
    """Return how much memory a process holds."""
    return float(round(psutil.Process(pid).memory_info().rss / 2**20, 1))
