"""Whether a drill went well: what was to happen, against what did and what was done to it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

_NAMED = 5


class Answer(StrEnum):
    """What became of a request. `gone` is a client that did not wait for its answer."""

    OK = "ok"
    REFUSED = "refused"
    REJECTED = "rejected"
    HUNG_UP = "hung_up"
    SILENT = "silent"
    GONE = "gone"


ORDERS_RETRY = frozenset({Answer.REFUSED, Answer.HUNG_UP, Answer.SILENT})
"""After these the sender has to try again."""


class Request(NamedTuple):
    """One request as the receiver recorded it, by the clock of the drill."""

    key: str
    at: datetime
    answer: Answer
    had_effect: bool


class Row(NamedTuple):
    """A row of message_logs at the end."""

    key: str
    status: str
    due: datetime
    expires_at: datetime
    is_past_lease: bool = False
    error: str | None = None


class Fault(NamedTuple):
    """Something that was done to the fleet.

    `in_flight` is how many requests it may have caused to be repeated, at most: what the processes
    that it hit can have claimed and not recorded.
    """

    at: datetime
    kind: str
    target: str
    seconds: float
    in_flight: int


class Books(NamedTuple):
    """What `bdaysched audit --json` says, over all dates."""

    balanced: bool
    eligible: int
    sent: int
    failed: int
    pending: int


@dataclass
class Judgement:
    """What was wrong, by verdict, in words. The drill went well if there is nothing."""

    messages: int
    requests: int
    effects: int
    extra: int
    extra_bound: int
    lost: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    unbalanced: list[str] = field(default_factory=list)
    tracebacks: list[str] = field(default_factory=list)

    @property
    def problems(self) -> Mapping[str, list[str]]:
        """Every verdict that is not empty."""
        found = {
            "lost": self.lost,
            "unexpected": self.unexpected,
            "duplicates": self.duplicates,
            "extra": self._too_many(),
            "stuck": self.stuck,
            "unbalanced": self.unbalanced,
            "tracebacks": self.tracebacks,
        }
        return {name: problems for name, problems in found.items() if problems}

    @property
    def went_well(self) -> bool:
        """Whether there is nothing to complain about."""
        return not self.problems

    def __str__(self) -> str:
        lines = []
        for name, problems in self.problems.items():
            lines += [f"{name}: {problem}" for problem in problems[:_NAMED]]
            if len(problems) > _NAMED:
                lines.append(f"{name}: … and {len(problems) - _NAMED} more")
        return "\n".join(lines) or "nothing was wrong"

    def _too_many(self) -> list[str]:
        if self.extra <= self.extra_bound:
            return []
        return [f"{self.extra} requests were repeated, at most {self.extra_bound} were in flight"]


def judge(
    expected: Collection[str],
    rows: Sequence[Row],
    requests: Sequence[Request],
    faults: Sequence[Fault],
    books: Books,
    ended_at: datetime,
    tracebacks: Sequence[str] = (),
) -> Judgement:
    """Judge a drill that has come to rest.

    `expected` are the idempotency keys of those who were to get a message, reckoned from the users
    and from nothing that the program wrote. Instants are by the clock of the drill.
    """
    by_key: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_key[row.key].append(row)
    asked: defaultdict[str, list[Request]] = defaultdict(list)
    for request in sorted(requests, key=lambda request: request.at):
        asked[request.key].append(request)
    effects = Counter(request.key for request in requests if request.had_effect)
    done = Judgement(
        messages=len(expected),
        requests=len(requests),
        effects=effects.total(),
        extra=sum(map(_repeated, asked.values())),
        extra_bound=sum(fault.in_flight for fault in faults),
        tracebacks=list(tracebacks),
    )
    for key in expected:
        if key not in by_key:
            done.lost.append(f"{key} was never planned")
    for key, found in by_key.items():
        if key not in expected:
            done.unexpected.append(f"{key} has a row, and nobody was to get it")
        if len(found) > 1:
            times = ", ".join(f"{row.due:%H:%M}" for row in found)
            done.duplicates.append(f"{key} has {len(found)} rows, due at {times}")
        for row in found:
            _judge_row(done, row, asked.get(key, []), effects[key], ended_at)
    for key, count in effects.items():
        if count > 1:
            done.duplicates.append(f"{key} had {count} effects")
    for key, of_key in asked.items():
        _judge_requests(done, key, of_key, by_key.get(key, []))
    _judge_books(done, rows, books)
    return done


def _judge_row(
    done: Judgement, row: Row, asked: Sequence[Request], effects: int, ended_at: datetime
) -> None:
    if row.status == "SENT":
        if not effects:
            done.lost.append(f"{row.key} is SENT, and had no effect")
    elif row.status == "FAILED":
        if effects:
            done.duplicates.append(f"{row.key} is FAILED ({row.error}), and had its effect")
        if any(request.answer is Answer.REJECTED for request in asked):
            return
        if row.expires_at > ended_at:
            done.lost.append(f"{row.key} is FAILED without a permanent reason: {row.error}")
    else:
        done.lost.append(f"{row.key} is still {row.status} ({row.error or 'no error'})")
        if row.status == "QUEUED" or row.is_past_lease:
            done.stuck.append(f"{row.key} is {row.status}, and nobody is at it")


def _judge_requests(
    done: Judgement, key: str, requests: Sequence[Request], rows: Sequence[Row]
) -> None:
    if not rows:
        done.unexpected.append(f"{key} was requested {len(requests)} times, and has no row")
        return
    due = min(row.due for row in rows)
    if requests[0].at < due:
        done.unexpected.append(f"{key} was requested at {requests[0].at}, before it was due: {due}")


def _repeated(requests: Sequence[Request]) -> int:
    """Return how many requests for a key were repeated although the answer ordered no retry."""
    return sum(request.answer not in ORDERS_RETRY for request in requests[:-1])


def _judge_books(done: Judgement, rows: Sequence[Row], books: Books) -> None:
    statuses = Counter(row.status for row in rows)
    if not books.balanced:
        done.unbalanced.append("audit says that the books do not balance")
    if books.eligible != done.messages:
        done.unbalanced.append(f"{done.messages} were to be sent, audit finds {books.eligible}")
    if books.eligible != books.sent + books.failed + books.pending:
        done.unbalanced.append(
            f"{books.eligible} eligible are not {books.sent} sent + {books.failed} failed"
            f" + {books.pending} pending"
        )
    if (books.sent, books.failed) != (statuses["SENT"], statuses["FAILED"]):
        done.unbalanced.append(
            f"audit has {books.sent} sent and {books.failed} failed, the rows"
            f" {statuses['SENT']} and {statuses['FAILED']}"
        )
