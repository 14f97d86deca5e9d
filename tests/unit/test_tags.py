from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from birthday_cli.brokers.tags import Batch, Confirms, Unsettled


def test_one_word_of_the_broker_settles_all_up_to_it() -> None:
    confirms, one, two = Confirms(), Batch(), Batch()
    assert [confirms.expect(one, place) for place in range(3)] == [1, 2, 3]
    assert confirms.expect(two, 0) == 4
    confirms.settle(2, multiple=False, durable=True)
    assert (one.confirmed, one.open, len(confirms)) == ([1], 2, 3)
    confirms.settle(3, multiple=True, durable=True)
    assert (one.confirmed, one.open, len(confirms)) == ([1, 0, 2], 0, 1)
    assert (two.confirmed, two.open) == ([], 1)


def test_neither_refused_nor_returned_is_confirmed() -> None:
    confirms, batch = Confirms(), Batch()
    for place in range(4):
        confirms.expect(batch, place)
    confirms.returned(2)
    confirms.settle(3, multiple=True, durable=True)
    confirms.settle(4, multiple=True, durable=False)
    assert (batch.confirmed, batch.open, len(confirms)) == ([0, 2], 0, 0)


@given(some.sets(some.integers(1, 8)), some.sets(some.integers(1, 8)))
def test_one_acknowledgement_reaches_only_what_it_is_meant_for(
    earlier: set[int], wanted: set[int]
) -> None:
    unsettled = Unsettled()
    for tag in range(1, 9):
        unsettled.add(tag)
    unsettled.settle(earlier)
    last = unsettled.settle_first(wanted)
    assert set(range(1, last + 1)) <= earlier | wanted
    assert last == 0 or last in wanted
    rest = unsettled.settle(wanted)
    # What is left could not have been reached by a later tag.
    assert all(set(range(last + 1, tag + 1)) - earlier - wanted for tag in rest)
    assert [tag for tag in range(1, 9) if tag in unsettled] == sorted(
        set(range(1, 9)) - earlier - wanted
    )


def test_a_delivery_is_settled_once() -> None:
    unsettled = Unsettled()
    unsettled.add(1)
    assert unsettled.settle([1, 2]) == [1]
    assert unsettled.settle([1]) == []
    assert unsettled.settle_first([1]) == 0
