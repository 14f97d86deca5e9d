"""Who is to get what when, whether it has been planned or not."""

from __future__ import annotations

from datetime import date

from birthday_cli.config import Settings
from birthday_cli.db import users
from birthday_cli.db.connect import connect
from birthday_cli.db.planning import Previewed
from birthday_cli.domain import rules as ruling
from birthday_cli.errors import BdayschedError
from birthday_cli.pipeline import plan


def preview(settings: Settings, first: date, days: int, who: str | None) -> list[Previewed]:
    """Return who is to get what on so many local dates from first on; of one user, if named.

    Whether it has been planned makes no difference. Raises BdayschedError for an unknown user.
    """
    rules = ruling.of(settings)
    with connect(settings, "bdaysched preview") as connection:
        user = users.find(connection, who) if who else None
        if who and not user:
            raise BdayschedError(f"there is no user {who!r}: see `bdaysched users list`")
        return plan.preview(connection, first, days, rules, user.id if user else None)
