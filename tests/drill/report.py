"""What a drill says at its end."""

from __future__ import annotations

import statistics
from collections import Counter
from typing import Any

from tests.drill.drill import Finished


def as_dict(done: Finished) -> dict[str, Any]:
    """Return the report as one JSON document."""
    course, judgement = done.course, done.judgement
    return {
        "went_well": judgement.went_well,
        "brokers": course.brokers,
        "messages": judgement.messages,
        "seed": course.seed,
        "faults": dict(sorted(Counter(fault.kind for fault in done.faults).items())),
        "requests": judgement.requests,
        "effects": judgement.effects,
        "lost": len(judgement.lost),
        "unexpected": len(judgement.unexpected),
        "duplicates": len(judgement.duplicates),
        "extra_requests": judgement.extra,
        "extra_requests_bound": judgement.extra_bound,
        "stuck": len(judgement.stuck),
        "rows": dict(sorted(done.statuses.items())),
        "longest_past_lease_seconds": round(done.worst_overdue, 1),
        "audit": done.books._asdict(),
        "settled_after_seconds": done.settled_after and round(done.settled_after, 1),
        "duration_seconds": round(done.seconds, 1),
        "lateness_p50_seconds": _percentile(done.lateness, 50),
        "lateness_p99_seconds": _percentile(done.lateness, 99),
        "exits": {
            name: {str(code): count for code, count in sorted(exits.items())}
            for name, exits in done.exits.items()
        },
        "problems": {name: problems[:100] for name, problems in judgement.problems.items()},
    }


def as_text(done: Finished) -> str:
    """Return the report for a person: one fact a line, the verdict last."""
    report = as_dict(done)
    lines = [f"{name.replace('_', ' '):28}{_shown(value)}" for name, value in report.items()]
    return "\n".join(
        [*lines[1:-1], str(done.judgement), "RED" if done.judgement.problems else "GREEN"]
    )


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{_shown(count)} {name}" for name, count in value.items()) or "none"
    return "no" if value is None else str(value)


def _percentile(values: list[float], percent: int) -> float | None:
    if len(values) < 2:
        return None
    return round(statistics.quantiles(values, n=100, method="inclusive")[percent - 1], 2)
