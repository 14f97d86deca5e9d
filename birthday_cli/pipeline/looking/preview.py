"""Who is to get what when, whether it has been planned or not."""

from __future__ import annotations

from datetime import date, timedelta

from birthday_cli.config import Settings
from birthday_cli.db import planning, users
from birthday_cli.db.connect import connect
from birthday_cli.db.planning import Previewed
from birthday_cli.domain import calendar
from birthday_cli.domain import rules as ruling
from birthday_cli.errors import BdayschedError

_DAYS_AT_ONCE = 14


def preview(settings: Settings, first: date, days: int, who: str | None) -> list[Previewed]:
    """Return who is to get what on so many local dates from first on; of one user, if named.

    In the order of sending. Whether it has been planned makes no difference. Raises BdayschedError
    for an unknown user.
    """
    rules = ruling.of(settings)
    with connect(settings, "bdaysched preview") as connection:
        user = users.find(connection, who) if who else None
        if who and not user:
            raise BdayschedError(f"there is no user {who!r}: see `bdaysched users list`")
        found: list[Previewed] = []
        for start in range(0, days, _DAYS_AT_ONCE):
            count = min(_DAYS_AT_ONCE, days - start)
            dates = [first + timedelta(days=start + number) for number in range(count)]
            for message_type in rules.message_types:
                lines = list(calendar.lines(message_type, dates, rules))
                found += planning.preview(
                    connection, message_type, lines, user.id if user else None
                )
    return sorted(found, key=lambda message: (message.scheduled_send_time, message.email))
