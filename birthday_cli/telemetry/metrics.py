"""A worker's figures for Prometheus.

Names and units follow https://prometheus.io/docs/practices/naming/. Counting is plain arithmetic in
the worker's own thread, and figures become samples only when somebody reads them: a counter of
prometheus_client takes a lock each time, and its histogram 1.4 µs for each value.
"""

from __future__ import annotations

import platform
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from birthday_cli import __version__
from birthday_cli.domain.retry import OutcomeClass
from birthday_cli.telemetry.health import State

Settled = Literal[
    "sent", "retrying", "failed", "held", "skipped", "unknown", "taken_away", "handed_back"
]
Server = Literal["broker", "database"]

# From what a worker with nothing to wait for takes (milliseconds) to a day: later is too late.
_LATENESS_BUCKETS = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
    *(60.0, 300.0, 900.0, 3_600.0, 14_400.0, 43_200.0, 86_400.0),
)
# Up to a lease.
_PROCESSING_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 300.0)


class _Histogram:
    def __init__(self, buckets: Sequence[float]) -> None:
        self._buckets = buckets
        self._counts = [0] * (len(buckets) + 1)
        self._sum = 0.0

    def observe(self, values: Iterable[float]) -> None:
        for value in values:
            self._counts[bisect_left(self._buckets, value)] += 1
            self._sum += value

    def family(self, name: str, help_text: str) -> Metric:
        bounds = [*map(str, self._buckets), "+Inf"]
        counts = accumulate(list(self._counts))
        return HistogramMetricFamily(
            name, help_text, list(zip(bounds, counts, strict=True)), self._sum
        )


class WorkerMetrics(Collector):
    """The figures of one worker process, in a registry of their own.

    Counting belongs to one thread, the event loop's; `registry` may be read from any.
    """

    def __init__(self) -> None:
        self._state: Callable[[], State] = State
        self._attempts: dict[str, int] = dict.fromkeys(OutcomeClass, 0)
        self._settled: dict[str, int] = dict.fromkeys(get_args(Settled), 0)
        self._reconnects: dict[str, int] = dict.fromkeys(get_args(Server), 0)
        self._leases_renewed = 0
        self._lateness = _Histogram(_LATENESS_BUCKETS)
        self._processing = _Histogram(_PROCESSING_BUCKETS)
        self.registry = CollectorRegistry(auto_describe=True)
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def watch(self, state: Callable[[], State]) -> None:
        """Ask state for the gauges whenever they are read; it runs in the reader's thread."""
        self._state = state

    def attempted(self, outcome: OutcomeClass, number: int = 1) -> None:
        """Count calls to the delivery service that ended so."""
        self._attempts[outcome] += number

    def settled(self, what: Settled, number: int = 1) -> None:
        """Count references that were dealt with, and how."""
        self._settled[what] += number

    def reconnected(self, server: Server) -> None:
        """Count a connection that was lost and made again."""
        self._reconnects[server] += 1

    def renewed(self, number: int) -> None:
        """Count leases that were made longer."""
        self._leases_renewed += number

    def observe_lateness(self, seconds: Iterable[float]) -> None:
        """Note how long after its send time each message of a batch was recorded as SENT."""
        self._lateness.observe(seconds)

    def observe_processing(self, seconds: Iterable[float]) -> None:
        """Note how long after its claim the result of each message of a batch was recorded."""
        self._processing.observe(seconds)

    def collect(self) -> Iterator[Metric]:
        """Yield what there is to tell, for prometheus_client."""
        yield _counter(
            "bdaysched_attempts_total",
            "Calls to the delivery service that ended, by outcome: delivered; transient, which may"
            " succeed later; permanent; ambiguous, the request was written and no answer came.",
            "outcome",
            self._attempts,
        )
        yield _counter(
            "bdaysched_references_settled_total",
            "References from the queue that were dealt with, by result: sent; retrying later;"
            " failed for good; held for a person; skipped, somebody else's or done or not due;"
            " unknown, without a row; taken_away, recorded by another after the lease ran out;"
            " handed_back, claimed and not tried.",
            "result",
            self._settled,
        )
        yield _counter(
            "bdaysched_reconnects_total",
            "Connections that were lost and made again, by server.",
            "server",
            self._reconnects,
        )
        yield CounterMetricFamily(
            "bdaysched_leases_renewed_total",
            "Leases on claimed messages that were made longer because the message was still in"
            " hand.",
            self._leases_renewed,
        )
        yield self._lateness.family(
            "bdaysched_lateness_seconds",
            "Time from a message's scheduled send time until it was recorded as SENT.",
        )
        yield self._processing.family(
            "bdaysched_processing_seconds",
            "Time from the claim of a message until the result of the attempt was recorded.",
        )
        yield from self._gauges(self._state())

    def _gauges(self, state: State) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "bdaysched_requests_in_flight",
            "Calls to the delivery service that are under way.",
            state.in_flight,
        )
        yield GaugeMetricFamily(
            "bdaysched_broker_connected",
            "1 while the worker is connected to the broker, else 0.",
            state.broker_connected,
        )
        yield GaugeMetricFamily(
            "bdaysched_database_up",
            "1 if the worker's last work in the database was done, 0 while it cannot be reached.",
            state.database_ok,
        )
        paused = GaugeMetricFamily(
            "bdaysched_paused",
            "1 while the worker takes no messages for this reason, else 0: operator, who paused"
            " the queue; receiver_down, so many attempts failed in a row that it only probes.",
            labels=["reason"],
        )
        paused.add_metric(["operator"], state.paused_by_operator)
        paused.add_metric(["receiver_down"], state.receiver_down)
        yield paused
        limit = GaugeMetricFamily(
            "bdaysched_rate_limit",
            "1 for whom DELIVERY_RATE holds at present, else 0: none, there is no limit; process,"
            " each worker keeps to it by itself; fleet, all workers share it through Redis.",
            labels=["scope"],
        )
        for scope in ("none", "process", "fleet"):
            limit.add_metric([scope], scope == state.rate_limit)
        yield limit
        yield InfoMetricFamily(
            "bdaysched_build",
            "1; the labels are the versions of the program and of Python.",
            {"version": __version__, "python": platform.python_version()},
        )


def _counter(name: str, help_text: str, label: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, help_text, labels=[label])
    for value, count in counts.items():
        family.add_metric([value], count)
    return family
