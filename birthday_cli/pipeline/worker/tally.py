"""What became of the references that a worker received: counted for its report, and for metrics."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from birthday_cli.db.messages import Result
from birthday_cli.domain.retry import OutcomeClass
from birthday_cli.domain.states import Status
from birthday_cli.pipeline.worker import in_hand
from birthday_cli.pipeline.worker.in_hand import Held
from birthday_cli.pipeline.worker.results import about

if TYPE_CHECKING:
    from birthday_cli.telemetry.metrics import Settled, WorkerMetrics

log = logging.getLogger(__name__)

_TOLD_AS: dict[Status, Settled] = {
    Status.SENT: "sent",
    Status.RETRYING: "retrying",
    Status.FAILED: "failed",
}


@dataclass
class Delivered:
    """What became of the references that a worker received.

    `held` wait for a person; `handed_back` were claimed and not tried; `skipped` were somebody
    else's, done, or not due; `unknown` have no row; `taken_away` were tried, but their lease had
    run out and another recorded first.
    """

    sent: int = 0
    retrying: int = 0
    held: int = 0
    failed: int = 0
    handed_back: int = 0
    skipped: int = 0
    unknown: int = 0
    taken_away: int = 0

    @property
    def total(self) -> int:
        """How many references that makes."""
        return sum(astuple(self))


class Tally:
    """Counts, for the report at the end and, where there is somebody to read them, for metrics."""

    def __init__(self, metrics: WorkerMetrics | None) -> None:
        self.delivered = Delivered()
        self._metrics = metrics

    def add(self, what: Settled, number: int = 1) -> None:
        """Count references."""
        setattr(self.delivered, what, getattr(self.delivered, what) + number)
        if self._metrics:
            self._metrics.settled(what, number)

    def attempted(self, kind: OutcomeClass) -> None:
        """Count an attempt."""
        if self._metrics:
            self._metrics.attempted(kind)

    def renewed(self, number: int) -> None:
        """Count leases that were made longer."""
        if self._metrics:
            self._metrics.renewed(number)

    def reconnected(self) -> None:
        """Count a broker that was lost and found again."""
        if self._metrics:
            self._metrics.reconnected("broker")

    def recorded(
        self, tried: Sequence[Held], results: Sequence[Result], written: set[UUID], now: datetime
    ) -> None:
        """Count the results of a batch, of which those with the ids in `written` were recorded."""
        for result in results:
            if result.claim.message.id not in written:
                log.warning("not recorded: the lease ran out", extra=about(result.claim))
                self.add("taken_away")
            else:
                self.add("held" if result.is_held else _TOLD_AS[result.status])
        if self._metrics:
            moment = in_hand.now()
            self._metrics.observe_processing(moment - held.lease.began for held in tried)
            self._metrics.observe_lateness(
                (now - result.claim.message.scheduled_send_time).total_seconds()
                for result in results
                if result.status is Status.SENT
            )
