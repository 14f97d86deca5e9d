"""What is recorded of an attempt, and what the log says of one that did not deliver."""

from __future__ import annotations

import json
import logging
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from birthday_cli.db.messages import Claim, Result
from birthday_cli.domain.retry import Outcome, OutcomeClass, RetryPolicy
from birthday_cli.domain.states import Status

log = logging.getLogger(__name__)


def result_of(
    claim: Claim, outcome: Outcome, now: datetime, policy: RetryPolicy, rng: random.Random
) -> Result:
    """Return what is to be recorded of an attempt that ended at now; log it unless it delivered."""
    if outcome.kind is OutcomeClass.DELIVERED:
        return Result(claim, Status.SENT, sent_at=now, code=outcome.code, body=outcome.body)
    message = claim.message
    attempt = message.retry_count + 1
    expires = message.expires_at
    seconds_left = (expires - now).total_seconds() if expires else float("inf")
    verdict = policy.judge(outcome, attempt, seconds_left, rng)
    pause = None if verdict.pause is None or verdict.is_held else timedelta(seconds=verdict.pause)
    error = "; ".join(filter(None, (outcome.error, verdict.remark)))
    log.log(
        logging.WARNING if verdict.status is Status.FAILED else logging.INFO,
        "not delivered",
        extra={
            **about(claim),
            "attempt": attempt,
            "outcome": outcome.kind,
            "code": outcome.code,
            "error": error,
            "status": verdict.status,
            "pause_seconds": round(pause.total_seconds(), 1) if pause else None,
        },
    )
    trace = {
        "ended_at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "outcome": outcome.kind,
        "code": outcome.code,
        "error": outcome.error,
    }
    return Result(
        claim,
        verdict.status,
        pause=pause,
        is_held=verdict.is_held,
        code=outcome.code,
        body=outcome.body,
        error=error or None,
        attempt=json.dumps(trace),
    )


def about(claim: Claim) -> dict[str, Any]:
    """Return by what a message is found in the log; nothing of it is personal."""
    message = claim.message
    return {"message_id": message.id, "user_id": message.user_id, "type": message.message_type}
