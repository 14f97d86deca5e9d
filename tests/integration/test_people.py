from __future__ import annotations

import io

import psycopg
import pytest

from birthday_cli.config import Settings
from birthday_cli.errors import UsageError
from birthday_cli.pipeline.people import Imported, Rejected, import_csv

HEADER = "email,first_name,last_name,timezone,birthday_date,anniversary_date\n"


def source(text: str | bytes) -> io.TextIOWrapper:
    raw = text.encode() if isinstance(text, str) else text
    return io.TextIOWrapper(
        io.BytesIO(raw), encoding="utf-8-sig", errors="surrogateescape", newline=""
    )


def run(
    settings: Settings, text: str | bytes, dry_run: bool = False
) -> tuple[Imported, list[Rejected]]:
    rejected: list[Rejected] = []
    return import_csv(settings, source(text), rejected.append, dry_run), rejected


def test_columns_in_any_order_and_dates_in_three_forms(
    settings: Settings, connection: psycopg.Connection
) -> None:
    done, rejected = run(
        settings,
        "\ufeff" + HEADER + "a@example.com,Ann,Lee,Asia/Tokyo,02-29,1999-12-30\n"
        '"b@example.com","Bob ""B"" ","L\nL",UTC,--03-01,\n',
    )
    assert (done, rejected) == (Imported(added=2), [])
    rows = connection.execute(
        "SELECT email, first_name, last_name, timezone, birthday_date, anniversary_date,"
        " location_city FROM users ORDER BY email"
    ).fetchall()
    assert rows == [
        ("a@example.com", "Ann", "Lee", "Asia/Tokyo", "02-29", "12-30", None),
        ("b@example.com", 'Bob "B"', "L\nL", "UTC", "03-01", None, None),
    ]


def test_wrong_lines_are_named_and_the_rest_is_taken(
    settings: Settings, connection: psycopg.Connection
) -> None:
    done, rejected = run(
        settings,
        (
            HEADER + "a@example.com,A,L,Mars/Olympus,01-01,\n"
            '"b@example.com",B,"two\nlines",UTC,01-01,\n'
            "c@example.com,C,L,UTC,02-30,\n"
            "d.example.com,D,L,UTC,01-01,\n"
            "e@example.com,E,L\n"
            "\n"
            "f@example.com,F\x00,L,UTC,01-01,\n"
        ).encode()
        + b"g@example.com,\xff,L,UTC,01-01,\n"
        + b"h@example.com,H,L,UTC,01-01,\n",
    )
    assert done == Imported(added=2, rejected=6)
    assert [(line.line, line.reason) for line in rejected] == [
        (2, "timezone 'Mars/Olympus' is not a time zone"),
        (5, "birthday_date '02-30' is not a day of the calendar"),
        (6, "email 'd.example.com' is not an e-mail address"),
        (7, "3 columns where the header has 6"),
        (9, "first_name 'F\\x00' holds a NUL character"),
        (10, "first_name '\\udcff' is not UTF-8"),
    ]
    assert rejected[0].cells == ["a@example.com", "A", "L", "Mars/Olympus", "01-01", ""]
    rows = connection.execute("SELECT email FROM users ORDER BY email").fetchall()
    assert rows == [("b@example.com",), ("h@example.com",)]


def test_a_second_run_changes_nothing_and_a_changed_line_changes_its_user(
    settings: Settings, connection: psycopg.Connection
) -> None:
    lines = [f"u{number}@example.com,U,{number},UTC,01-01,\n" for number in range(25_000)]
    assert run(settings, HEADER + "".join(lines))[0] == Imported(added=25_000)
    lines[17] = "u17@example.com,U,new,Asia/Tokyo,01-01,\n"
    assert run(settings, HEADER + "".join(lines))[0] == Imported(changed=1, unchanged=24_999)
    row = connection.execute(
        "SELECT last_name, timezone FROM users WHERE email = 'u17@example.com'"
    ).fetchone()
    assert row == ("new", "Asia/Tokyo")
    assert connection.execute("SELECT count(*) FROM users").fetchone() == (25_000,)


def test_of_two_lines_with_one_email_the_later_holds(
    settings: Settings, connection: psycopg.Connection
) -> None:
    line = "a@example.com,A,{},UTC,01-01,\n"
    run(settings, HEADER + line.format("first") + line.format("second"))
    assert connection.execute("SELECT last_name FROM users").fetchall() == [("second",)]


def test_a_deleted_user_with_the_same_email_stays_deleted(
    settings: Settings, connection: psycopg.Connection
) -> None:
    line = HEADER + "a@example.com,A,L,UTC,01-01,\n"
    run(settings, line)
    connection.execute("UPDATE users SET deleted_at = now()")
    assert run(settings, line)[0] == Imported(added=1)
    rows = connection.execute("SELECT deleted_at IS NULL FROM users ORDER BY 1").fetchall()
    assert rows == [(False,), (True,)]


def test_a_dry_run_checks_and_takes_nothing(
    settings: Settings, connection: psycopg.Connection
) -> None:
    done, rejected = run(settings, HEADER + "a@example.com,A,L,UTC,,\nb,B,L,UTC,,\n", dry_run=True)
    assert (done.added, done.rejected, len(rejected)) == (1, 1, 1)
    assert connection.execute("SELECT count(*) FROM users").fetchone() == (0,)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "first_name"),
        ("email,first_name,last_name\n", "timezone"),
        (HEADER.replace("\n", ",shoe_size\n"), "shoe_size"),
        (HEADER.replace("\n", ",email\n"), "twice"),
    ],
)
def test_a_wrong_header_is_refused_as_a_whole(settings: Settings, text: str, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        run(settings, text)
