from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.drill import people
from tests.drill.faults import draw, kinds
from tests.drill.judge import Answer, Books, Fault, Judgement, Request, Row, judge

DUE = datetime(2027, 3, 1, 9, tzinfo=UTC)
END = DUE + timedelta(hours=1)
NOTHING = Fault(DUE, "kill broker", "broker-0", 0, in_flight=0)
KILL = Fault(DUE, "kill worker", "worker-0", 0, in_flight=2)


def row(key: str, status: str = "SENT", due: datetime = DUE, **more: Any) -> Row:
    return Row(key, status, due, due + timedelta(hours=15))._replace(**more)


def asked(key: str, answer: Answer = Answer.OK, effect: bool = True, after: float = 1) -> Request:
    return Request(key, DUE + timedelta(seconds=after), answer, effect)


def judged(
    rows: Sequence[Row],
    requests: Sequence[Request],
    expected: str = "ab",
    faults: Sequence[Fault] = (NOTHING,),
    books: Books | None = None,
) -> Judgement:
    sent, failed = (sum(each.status == name for each in rows) for name in ("SENT", "FAILED"))
    pending = len(expected) - sent - failed
    books = books or Books(True, len(expected), sent, failed, pending)
    return judge(set(expected), rows, requests, faults, books, END)


def verdicts(judgement: Judgement) -> list[str]:
    return sorted(judgement.problems)


def test_all_sent_once_is_well() -> None:
    found = judged([row("a"), row("b")], [asked("a"), asked("b")])
    assert found.went_well
    assert (found.messages, found.requests, found.effects, found.extra) == (2, 2, 2, 0)
    assert str(found) == "nothing was wrong"


def test_sent_without_a_request_is_lost() -> None:
    found = judged([row("a"), row("b")], [asked("a")])
    assert verdicts(found) == ["lost"]
    assert "b is SENT, and had no effect" in str(found)


def test_sent_after_refusals_alone_is_lost() -> None:
    refused = asked("b", Answer.REFUSED, effect=False)
    assert verdicts(judged([row("a"), row("b")], [asked("a"), refused])) == ["lost"]


def test_a_message_without_a_row_is_lost() -> None:
    found = judged([row("a")], [asked("a")], books=Books(True, 2, 1, 0, 1))
    assert found.lost == ["b was never planned"]


def test_a_message_that_waits_at_the_end_is_lost_and_a_queued_one_is_stuck_too() -> None:
    found = judged([row("a", "RETRYING"), row("b", "QUEUED")], [])
    assert len(found.lost) == 2
    assert found.stuck == ["b is QUEUED, and nobody is at it"]


def test_a_claim_past_its_lease_is_stuck() -> None:
    sending = row("b", "SENDING")
    assert not judged([row("a"), sending], [asked("a")]).stuck
    assert judged([row("a"), sending._replace(is_past_lease=True)], [asked("a")]).stuck


def test_failed_is_well_when_the_receiver_rejected_it_or_it_was_too_late() -> None:
    rejected = asked("b", Answer.REJECTED, effect=False)
    assert judged([row("a"), row("b", "FAILED")], [asked("a"), rejected]).went_well
    expired = row("b", "FAILED", expires_at=DUE + timedelta(minutes=1))
    assert judged([row("a"), expired], [asked("a")]).went_well


def test_failed_for_another_reason_is_lost() -> None:
    found = judged([row("a"), row("b", "FAILED", error="given up")], [asked("a")])
    assert found.lost == ["b is FAILED without a permanent reason: given up"]


def test_failed_after_its_effect_is_a_duplicate_of_what_a_person_will_do() -> None:
    found = judged(
        [row("a"), row("b", "FAILED")],
        [asked("a"), asked("b", Answer.GONE), asked("b", Answer.REJECTED, False, after=2)],
        faults=[KILL],
    )
    assert verdicts(found) == ["duplicates"]


def test_two_effects_of_a_key_are_duplicates() -> None:
    found = judged(
        [row("a"), row("b")], [asked("a"), asked("b"), asked("b", after=2)], faults=[KILL]
    )
    assert found.duplicates == ["b had 2 effects"]


def test_two_rows_of_a_key_are_duplicates() -> None:
    twice = row("b", due=DUE + timedelta(hours=1))
    found = judged(
        [row("a"), row("b"), twice], [asked("a"), asked("b")], books=Books(True, 2, 3, 0, -1)
    )
    assert verdicts(found) == ["duplicates"]
    assert "due at 09:00, 10:00" in str(found)


def test_a_request_or_a_row_that_nobody_expects_is_unexpected() -> None:
    found = judged([row("a"), row("b")], [asked("a"), asked("b"), asked("c")])
    assert found.unexpected == ["c was requested 1 times, and has no row"]
    found = judged(
        [row("a"), row("b"), row("c")],
        [asked("a"), asked("b"), asked("c")],
        books=Books(True, 2, 3, 0, -1),
    )
    assert found.unexpected == ["c has a row, and nobody was to get it"]


def test_a_request_before_the_due_time_is_unexpected() -> None:
    found = judged([row("a"), row("b")], [asked("a"), asked("b", after=-1)])
    assert verdicts(found) == ["unexpected"]


def test_repeated_requests_are_held_against_what_was_in_flight() -> None:
    again = [asked("a", Answer.GONE), asked("a", effect=False, after=2), asked("b")]
    more = [asked("b", effect=False, after=2), asked("b", effect=False, after=3)]
    rows = [row("a"), row("b")]
    assert verdicts(judged(rows, again)) == ["extra"]
    assert judged(rows, again, faults=[KILL]).went_well
    found = judged(rows, again + more, faults=[KILL])
    assert found.problems == {"extra": ["3 requests were repeated, at most 2 were in flight"]}
    assert judged(rows, again + more, faults=[KILL, KILL]).went_well


def test_an_answer_that_orders_a_retry_excuses_the_next_request_only() -> None:
    for answer in Answer.REFUSED, Answer.HUNG_UP, Answer.SILENT:
        ordered = [asked("b", answer, effect=False), asked("b", after=2)]
        assert judged([row("a"), row("b")], [asked("a"), *ordered]).extra == 0
        again = asked("b", effect=False, after=3)
        assert judged([row("a"), row("b")], [asked("a"), *ordered, again]).extra == 1


def test_books_that_do_not_balance_or_do_not_agree_are_red() -> None:
    rows, requests = [row("a"), row("b")], [asked("a"), asked("b")]
    for books in (
        Books(False, 2, 2, 0, 0),
        Books(True, 3, 2, 0, 1),
        Books(True, 2, 2, 0, 1),
        Books(True, 2, 1, 0, 1),
    ):
        assert verdicts(judged(rows, requests, books=books)) == ["unbalanced"]


def test_a_traceback_is_red() -> None:
    books = Books(True, 0, 0, 0, 0)
    found = judge(set(), [], [], [], books, END, tracebacks=["worker-1: Traceback"])
    assert verdicts(found) == ["tracebacks"]


def test_faults_are_the_same_for_a_seed_and_every_kind_comes() -> None:
    offered = kinds("rabbitmq", lease=5)
    numbers = {"worker": 3, "scheduler": 2}
    drawn = draw(random.Random(7), offered, 120, 5, numbers)
    assert drawn == draw(random.Random(7), offered, 120, 5, numbers)
    assert drawn != draw(random.Random(8), offered, 120, 5, numbers)
    assert {planned.kind.name for planned in drawn} == {kind.name for kind in offered}
    assert all(planned.at < 120 for planned in drawn)


def test_a_crowd_has_so_many_messages_and_all_are_due_on_the_morning() -> None:
    morning = people.morning_after(DUE)
    crowd = people.crowd(500, morning, random.Random(1))
    everyone = [*crowd.punctual, *crowd.late]
    assert len({key for person in everyone for key in person.keys}) == 500
    assert crowd.move.keys() <= {person.id for person in crowd.late}
    assert crowd.move
