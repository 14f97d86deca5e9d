from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as some

from birthday_cli.brokers.wire import decode, encode
from birthday_cli.domain.message import Reference

OFFSETS = some.timedeltas(timedelta(hours=-14), timedelta(hours=14)).map(timezone)


@given(
    some.uuids(),
    some.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30), timezones=OFFSETS),  # noqa: DTZ001
)
def test_a_reference_comes_back_as_it_was_in_utc(identity: UUID, instant: datetime) -> None:
    reference = Reference(identity, instant)
    found = decode(encode(reference))
    assert found == reference
    assert found.scheduled_send_time.tzinfo is UTC


@given(some.binary(max_size=200) | some.text().map(str.encode))
def test_anything_else_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        decode(body)
