"""What decides who gets what when, and how often it is tried, besides the users themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from birthday_cli.config import Settings
from birthday_cli.domain import message_types, quiet_hours
from birthday_cli.domain.message_types import MessageType
from birthday_cli.domain.month_day import LeapRule
from birthday_cli.domain.quiet_hours import QuietHours
from birthday_cli.domain.retry import Ambiguous, RetryPolicy
from birthday_cli.errors import UsageError

# The end of a local day is less than a day after any time of that day; the rest is a margin.
_SHORTEST_LOOK_BACK = timedelta(days=3)


@dataclass(frozen=True)
class Rules:
    """The settings of planning and delivering, checked.

    `max_lateness` is None for the end of the user's own day.
    """

    message_types: tuple[MessageType, ...]
    leap_rule: LeapRule
    max_lateness: timedelta | None
    quiet_hours: QuietHours | None
    retry: RetryPolicy

    @property
    def look_back(self) -> timedelta:
        """Return how long after its send time a message can still be of interest, at most."""
        return max(_SHORTEST_LOOK_BACK, (self.max_lateness or timedelta()) + timedelta(days=1))

    def quiet_zones(self, moment: datetime) -> list[str]:
        """Return the zones whose users are not to be disturbed at moment."""
        return self.quiet_hours.zones_at(moment) if self.quiet_hours else []


def of(settings: Settings) -> Rules:
    """Return the rules that the settings make; UsageError, naming the variable, for a wrong one."""
    try:
        leap_rule = LeapRule(settings.leap_day)
    except ValueError as problem:
        raise UsageError(
            f"LEAP_DAY={settings.leap_day!r} is not one of {', '.join(LeapRule)}"
        ) from problem
    try:
        quiet = quiet_hours.parse(settings.quiet_hours)
    except ValueError as problem:
        raise UsageError(f"QUIET_HOURS={problem}") from problem
    types = message_types.load(settings.message_types)
    for kind in types:
        if quiet and quiet.holds(kind.send_at):
            raise UsageError(
                f"{kind.name} is sent at {kind.send_at:%H:%M}, within QUIET_HOURS={quiet}:"
                " change one of them"
            )
    try:
        ambiguous = Ambiguous(settings.ambiguous)
    except ValueError as problem:
        raise UsageError(
            f"AMBIGUOUS={settings.ambiguous!r} is not one of {', '.join(Ambiguous)}"
        ) from problem
    lateness = timedelta(seconds=settings.max_lateness) if settings.max_lateness else None
    policy = RetryPolicy(settings.worker_max_attempts, ambiguous)
    return Rules(types, leap_rule, lateness, quiet, policy)
