from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

from birthday_cli.domain.months import Month


def test_a_month_is_that_of_the_instant_in_utc() -> None:
    tokyo = timezone(timedelta(hours=9))
    assert Month.of(datetime(2026, 3, 1, 8, 59, tzinfo=tokyo)) == Month(2026, 2)
    assert Month.of(datetime(2026, 3, 1, 9, 0, tzinfo=tokyo)) == Month(2026, 3)
    assert Month.of(date(2026, 3, 1)) == Month(2026, 3)


def test_months_count_over_the_turn_of_the_year() -> None:
    november = Month(2026, 11)
    assert november.plus(2) == Month(2027, 1)
    assert november.plus(-11) == Month(2025, 12)
    assert [str(month) for month in november.until(Month(2027, 1))] == [
        "2026-11",
        "2026-12",
        "2027-01",
    ]
    assert Month(2027, 1).months_after(november) == 2
    assert november.partition_of("message_logs") == "message_logs_2026_11"
    assert november.plus(1).start == datetime(2026, 12, 1, tzinfo=UTC)
