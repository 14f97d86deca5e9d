"""Whether a worker lives, and whether it can do its work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class State:
    """A worker at one moment; what metrics, health and systemd's status are made of.

    `in_flight` counts requests under way. `rate_limit` is whom DELIVERY_RATE holds for at present:
    `none`, `process` or `fleet`.
    """

    in_flight: int = 0
    broker_connected: bool = False
    database_ok: bool = False
    paused_by_operator: bool = False
    receiver_down: bool = False
    stopping: bool = False
    rate_limit: str = "none"


class Health(NamedTuple):
    """`live`: its loop turns; `ready`: it can do its work. `reason` is one line, `ok` if both."""

    live: bool
    ready: bool
    reason: str


def judge(state: State, beat_age: float, patience: float) -> Health:
    """Return the health of a worker whose loop last turned beat_age seconds ago.

    It is live until the loop has stood for more than patience seconds: whoever is not live is to
    be restarted. It is ready with the database, and with the broker or a pause. A pause, by an
    operator or because the receiver is down, is the worker at its best: restarting it, or holding
    a roll-out back, would help nobody. Who stops is not ready any more.
    """
    if beat_age > patience:
        return Health(False, False, f"the event loop has stood for {beat_age:.0f} s")
    reasons = []
    if state.stopping:
        reasons.append("stopping")
    if not state.database_ok:
        reasons.append("the database is away")
    if not (state.broker_connected or state.paused_by_operator or state.receiver_down):
        reasons.append("the broker is away")
    return Health(True, not reasons, "; ".join(reasons) or "ok")
