"""Looking at users, at messages, and at what does not move: a page at a time, and reading only."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from typing import NamedTuple
from uuid import UUID

from birthday_cli.config import Settings
from birthday_cli.db import browsing, partitions
from birthday_cli.db.browsing import Message as Message
from birthday_cli.db.browsing import Stuck as Stuck
from birthday_cli.db.browsing import User as User
from birthday_cli.db.browsing import Wanted as Wanted
from birthday_cli.db.browsing import WantedUsers as WantedUsers
from birthday_cli.db.connect import connect
from birthday_cli.domain import rules as ruling
from birthday_cli.domain.message import Reference

PAGE = 50
"""How many lines a page has."""


class Access(NamedTuple):
    """Settings with which nothing can be written, and whether a role sees to that as well."""

    settings: Settings
    by_role: bool


class Attention(NamedTuple):
    """What does not move, and what FAILED within the time in which a message can still be sent.

    A page of each; `failed_since` is where that time begins.
    """

    stuck: list[Stuck]
    failed: list[Message]
    failed_since: datetime


def read_only(settings: Settings) -> Access:
    """Return settings like these whose sessions only read; their database_url must be a URL.

    Every transaction is read-only, and has 10 s. Where an administrator has made the role
    `bdaysched_reader`, and the user may act as it, the sessions have no right but SELECT besides.
    """
    with connect(settings, "bdaysched studio") as connection:
        by_role = browsing.may_be_reader(connection)
    url = browsing.read_only(settings.database_url, as_reader=by_role)
    return Access(replace(settings, database_url=url), by_role)


def users(
    settings: Settings, wanted: WantedUsers, after: str | None = None
) -> tuple[list[User], bool]:
    """Return a page of users by e-mail, and whether there are more; deleted ones are left out.

    From after the e-mail `after` on. A text that is somebody's e-mail finds them at once, among
    however many; any other is looked for in everyone's name and e-mail.
    """
    with connect(settings, "bdaysched studio") as connection:
        partitions.require_table(connection)
        if wanted.text and "@" in wanted.text:
            whole = wanted._replace(email=wanted.text, text=None)
            if found := browsing.users(connection, whole, None, 1):
                return found, False
        found = browsing.users(connection, wanted, after, PAGE + 1)
    return found[:PAGE], len(found) > PAGE


def messages(
    settings: Settings, wanted: Wanted, now: datetime, after: Reference | None = None
) -> tuple[list[Message], bool]:
    """Return a page of messages in the order of sending, and whether there are more."""
    with connect(settings, "bdaysched studio") as connection:
        partitions.require_table(connection)
        found = browsing.messages(connection, wanted, after, now, PAGE + 1)
    return found[:PAGE], len(found) > PAGE


def attention(settings: Settings, now: datetime) -> Attention:
    """Return what a person may have to do something about."""
    since = now - ruling.of(settings).look_back
    failed = Wanted(since, now + timedelta(seconds=settings.schedule_horizon), "FAILED")
    with connect(settings, "bdaysched studio") as connection:
        partitions.require_table(connection)
        return Attention(
            browsing.stuck(connection, now, settings.recover_queued_after, PAGE),
            browsing.messages(connection, failed, None, now, PAGE),
            since,
        )


def day_of(moment: datetime) -> datetime:
    """Return the midnight in UTC with which moment's day begins."""
    return datetime.combine(moment.astimezone(UTC).date(), clock_time(), UTC)


def reference(text: str) -> Reference:
    """Return what `written` wrote; ValueError for anything else."""
    instant, _, identity = text.partition("_")
    moment = datetime.fromisoformat(instant)
    if moment.tzinfo is None:
        raise ValueError(f"{instant!r} has no offset")
    return Reference(UUID(identity), moment)


def written(message: Message) -> str:
    """Return a message's place in the order of sending, as text for a link."""
    return f"{message.scheduled_send_time.astimezone(UTC).isoformat()}_{message.id}"
