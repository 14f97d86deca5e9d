"""Deliveries are read from bytes as pika reads them, frame by frame."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some
from pika import frame
from pika.spec import Basic, BasicProperties

from birthday_cli.brokers.rabbitmq_frames import read_delivery

NAMES = some.text(max_size=20)
PROPERTIES = some.builds(
    BasicProperties,
    message_id=NAMES,
    headers=some.none() | some.dictionaries(NAMES.filter(bool), NAMES),
)


def _message(
    method: Basic.Deliver | Basic.Return, properties: BasicProperties, *body: bytes
) -> bytes:
    size = sum(map(len, body))
    frames = frame.Method(1, method), frame.Header(1, size, properties)
    return b"".join(each.marshal() for each in (*frames, *(frame.Body(1, part) for part in body)))


def _deliver(tag: int, consumer: str = "ctag") -> Basic.Deliver:
    return Basic.Deliver(consumer, tag, False, "an exchange", "a key")


@given(some.integers(0, 2**64 - 1), NAMES, PROPERTIES, some.binary(min_size=1), some.binary())
def test_a_delivery_is_read_wherever_it_starts(
    tag: int, consumer: str, properties: BasicProperties, body: bytes, before: bytes
) -> None:
    message = _message(_deliver(tag, consumer), properties, body)
    received = before + message + b"more"
    end = len(before) + len(message)
    assert read_delivery(received, len(before)) == (tag, body, end)


@given(some.data())
def test_less_than_all_of_it_is_none(data: some.DataObject) -> None:
    whole = _message(_deliver(7), BasicProperties(message_id="an id"), b"a body")
    received = whole[: data.draw(some.integers(0, len(whole) - 1))]
    assert read_delivery(received, 0) is None


@given(some.binary(max_size=200), some.integers(0, 220))
def test_anything_else_is_none(received: bytes, start: int) -> None:
    assert read_delivery(received, start) is None


def test_other_messages_and_frames_are_left_to_pika() -> None:
    returned = Basic.Return(312, "NO_ROUTE", "an exchange", "a key")
    nothing, properties = _message(_deliver(1), BasicProperties()), BasicProperties()
    for received in (
        b"",
        _message(returned, properties, b"a body"),
        nothing,
        nothing + _message(_deliver(2), properties, b"the next one's"),
        _message(_deliver(1), properties, b"a body", b" in two frames"),
        frame.Heartbeat().marshal() + _message(_deliver(1), properties, b"a body"),
        frame.Method(1, _deliver(1)).marshal() + frame.Heartbeat().marshal() + b"\0" * 50,
    ):
        assert read_delivery(received, 0) is None


def test_a_frame_without_its_end_is_none() -> None:
    whole = _message(_deliver(7), BasicProperties(), b"a body")
    for at, byte in enumerate(whole):
        if byte == 0xCE:
            assert read_delivery(whole[:at] + b"\xcf" + whole[at + 1 :], 0) is None
