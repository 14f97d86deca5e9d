"""The months: how full, how large, and what became of them."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from birthday_cli.pipeline.partitions import survey
from birthday_cli.pipeline.partitions.survey import MonthSeen
from birthday_cli.studio import charts
from birthday_cli.studio.desk import Desk, Query

PATH = "/months"
TEMPLATE = "months.html"
LIVES = False


def find(desk: Desk, query: Query) -> dict[str, Any]:  # noqa: ARG001 - as all pages
    """Return the months by year, and how far they reach."""
    now = desk.now()
    seen = survey.survey(desk.reading, now)
    longest = max((sum(month.by_status.values()) for month in seen), default=0)
    return {
        "years": [
            (year or "without bounds", [(month, _bars(month, longest)) for month in months])
            for year, months in groupby(seen, key=lambda month: (month.month or "")[:4])
        ],
        "runway": survey.runway_of(desk.reading, now),
        "is_estimate": any(month.is_estimate for month in seen),
        "total_bytes": sum(month.total_bytes for month in seen),
    }


def _bars(month: MonthSeen, longest: int) -> list[charts.Bar]:
    return charts.shares(month.by_status, longest)
