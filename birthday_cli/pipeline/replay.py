"""What waits for a person: dead letters, held messages and failed ones; seen, and brought back."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from birthday_cli.brokers.base import Broker, DeadLetter
from birthday_cli.brokers.base import connect as connect_broker
from birthday_cli.config import Settings
from birthday_cli.db import queue as rows
from birthday_cli.db.connect import AsyncConnection, connect, connect_async, database
from birthday_cli.db.queue import HeldMessage
from birthday_cli.domain import rules as ruling
from birthday_cli.domain.message import Reference
from birthday_cli.domain.states import FINAL, Status
from birthday_cli.errors import BdayschedError
from birthday_cli.pipeline.queue import ask_broker, person

_NO_ROW = "no row"
_UNFINISHED = frozenset(Status) - FINAL
_SAMPLE = 5


class Letter(NamedTuple):
    """A dead letter, and the state of its row now: a Status, or `no row`.

    `id` is the message's, or what the letter has in its place if it holds no reference.
    """

    id: str
    scheduled_send_time: datetime | None
    state: str
    body_bytes: int
    reason: str


@dataclass(frozen=True)
class Waiting:
    """What waits for a person, up to a limit, and how much there is in all.

    `dead` and `dead_in_all` are None when the broker did not tell, and `problem` is why.
    """

    dead: list[Letter] | None
    dead_in_all: int | None
    held: list[HeldMessage]
    held_in_all: int
    problem: str | None


@dataclass(frozen=True)
class Replayed:
    """What became of the dead letters.

    `queued` went back into the queue, `unconfirmed` would have; `kept` and `discarded` are those
    that no row waits for, by the state of the row. `sample` is the first few.
    """

    queued: int
    unconfirmed: int
    kept: dict[str, int]
    discarded: dict[str, int]
    sample: list[Letter]


def waiting(settings: Settings, limit: int) -> tuple[Waiting, BdayschedError | None]:
    """Return what waits for a person, and what kept the broker from telling, if anything did."""
    with database(settings) as conninfo:
        return asyncio.run(_waiting(settings, conninfo, limit))


async def _waiting(
    settings: Settings, conninfo: str, limit: int
) -> tuple[Waiting, BdayschedError | None]:
    async with connect_async(conninfo, settings, "bdaysched queue dead") as connection:

        async def ask(broker: Broker) -> tuple[list[Letter], int]:
            in_all = (await broker.depth()).dead
            found = await broker.dead_letters(min(limit, in_all))
            return await _look_up(connection, found), in_all

        held_in_all = (await rows.under_way(connection)).held
        held = await rows.held(connection, limit)
        told, problem = await ask_broker(settings, conninfo, ask)
        dead, dead_in_all = told or (None, None)
        text = str(problem) if problem else None
        return Waiting(dead, dead_in_all, held, held_in_all, text), problem


def replay(settings: Settings, discard: bool = False, dry_run: bool = False) -> Replayed:
    """Put dead letters back into the queue that a row waits for; remove the others if `discard`.

    A letter goes once the broker has confirmed its reference in the queue, so that a run that is
    killed in between leaves both, and the worker finds the second one done. Two runs at once share
    the letters: none sees those that the other has in hand.
    """
    with database(settings) as conninfo:
        return asyncio.run(_replay(settings, conninfo, discard, dry_run))


async def _replay(settings: Settings, conninfo: str, discard: bool, dry_run: bool) -> Replayed:
    async with (
        connect_async(conninfo, settings, "bdaysched queue replay") as connection,
        connect_broker(settings, conninfo) as broker,
    ):
        dead = await broker.dead_letters((await broker.depth()).dead)
        letters = await _look_up(connection, dead)
        back: dict[Reference, list[DeadLetter]] = {}
        others: list[DeadLetter] = []
        states: Counter[str] = Counter()
        for each, letter in zip(dead, letters, strict=True):
            if each.reference and letter.state in _UNFINISHED:
                back.setdefault(each.reference, []).append(each)
            else:
                others.append(each)
                states[letter.state] += 1
        confirmed = list(back)
        if not dry_run:
            confirmed = await broker.publish(confirmed) if back else []
            done = [each for reference in confirmed for each in back[reference]]
            if gone := done + others if discard else done:
                await broker.discard(gone)
        queued = sum(len(back[reference]) for reference in confirmed)
        return Replayed(
            queued=queued,
            unconfirmed=len(dead) - len(others) - queued,
            kept={} if discard else dict(states),
            discarded=dict(states) if discard else {},
            sample=letters[:_SAMPLE],
        )


async def _look_up(connection: AsyncConnection, dead: Sequence[DeadLetter]) -> list[Letter]:
    references = [each.reference for each in dead if each.reference]
    states = await rows.states(connection, references)
    return [
        Letter(
            str(each.reference.id) if each.reference else each.message_id,
            each.reference.scheduled_send_time if each.reference else None,
            states.get(each.reference, _NO_ROW) if each.reference else _NO_ROW,
            each.body_bytes,
            each.reason,
        )
        for each in dead
    ]


def release_held(settings: Settings, ids: Sequence[UUID], dry_run: bool = False) -> list[UUID]:
    """Let held messages be tried again with the same key, those with ids or all without any.

    Returns which those were: without those that are not held, or are not any more.
    """
    with (
        connect(settings, "bdaysched queue replay") as connection,
        connection.transaction(force_rollback=dry_run),
    ):
        return rows.release_held(connection, ids or None, person())


def record_as_sent(settings: Settings, ids: Sequence[UUID], dry_run: bool = False) -> list[UUID]:
    """Record held messages as SENT, for a person who knows that they were delivered.

    Those with ids, or all without any. Returns which those were: without those that are not held,
    or are not any more.
    """
    with (
        connect(settings, "bdaysched queue replay") as connection,
        connection.transaction(force_rollback=dry_run),
    ):
        return rows.record_as_sent(connection, ids or None, person())


def retry_failed(
    settings: Settings, now: datetime, ids: Sequence[UUID], dry_run: bool = False
) -> list[UUID]:
    """Let FAILED messages be tried again that may still be sent at now, with all attempts anew.

    Those with ids, or all without any. Returns which those were: without those that have not
    FAILED, are too late, or whose user was deleted.
    """
    since = now - ruling.of(settings).look_back
    with (
        connect(settings, "bdaysched queue replay") as connection,
        connection.transaction(force_rollback=dry_run),
    ):
        return rows.retry_failed(connection, ids or None, person(), now, since)
