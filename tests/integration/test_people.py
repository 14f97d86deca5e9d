from __future__ import annotations

import csv
import io
from datetime import date

import hypothesis
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from birthday_cli.config import Settings
from birthday_cli.domain import zones
from birthday_cli.domain.user import COLUMNS
from birthday_cli.errors import UsageError
from birthday_cli.pipeline.users.people import Imported, Rejected, export, import_csv

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
    assert [line[:4] for line in rejected] == [
        (2, "timezone", "Mars/Olympus", "is not a time zone"),
        (5, "birthday_date", "02-30", "is not a day of the calendar"),
        (6, "email", "d.example.com", "is not an e-mail address"),
        (7, "", "", "3 columns where the header has 6"),
        (9, "first_name", "F\x00", "holds a NUL character"),
        (10, "first_name", "\udcff", "is not UTF-8"),
    ]
    assert rejected[0].header == HEADER.strip().split(",")
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


def test_who_is_unchanged_is_not_written_again(
    settings: Settings, connection: psycopg.Connection
) -> None:
    line = "{}@example.com,U,L,UTC,01-01,\n"
    run(settings, HEADER + line.format("a") + line.format("b"))
    connection.execute("TRUNCATE changed_users")
    kept = "SELECT ctid::text, xmin::text, updated_at FROM users WHERE email LIKE 'a%'"
    before = connection.execute(kept).fetchall()
    done, _ = run(settings, HEADER + line.format("a") + line.format("b").replace("UTC", "EST"))
    assert done == Imported(changed=1, unchanged=1)
    assert connection.execute(kept).fetchall() == before
    noted = "SELECT email, added FROM changed_users JOIN users ON users.id = user_id"
    assert connection.execute(noted).fetchall() == [("b@example.com", False)]


@pytest.mark.parametrize("column", [name for name in COLUMNS if name != "email"])
def test_each_column_is_brought_up_to_date(
    settings: Settings, connection: psycopg.Connection, column: str
) -> None:
    changed = {
        "first_name": "Bea",
        "last_name": "Ray",
        "timezone": "EST",
        "birthday_date": "03-04",
        "anniversary_date": "",
        "location_city": "Rome",
        "location_country": "",
    }
    line = ["Ann", "Lee", "a@example.com", "UTC", "01-02", "02-29", "", "UK"]
    header = ",".join(COLUMNS) + "\n"
    assert run(settings, header + ",".join(line))[0] == Imported(added=1)
    line[COLUMNS.index(column)] = changed[column]
    assert run(settings, header + ",".join(line))[0] == Imported(changed=1)
    rows = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM users").fetchall()
    assert rows == [tuple(value or None for value in line)]


@pytest.mark.parametrize("between", [0, 12_000], ids=["one batch", "two batches"])
def test_of_two_lines_with_one_email_the_later_holds(
    settings: Settings, connection: psycopg.Connection, between: int
) -> None:
    line = "{}@example.com,A,{},UTC,01-01,\n"
    others = "".join(line.format(number, "other") for number in range(between))
    text = HEADER + line.format("a", "first") + others + line.format("a", "second")
    for _ in range(2):
        run(settings, text)
        assert connection.execute(
            "SELECT last_name FROM users WHERE email = 'a@example.com'"
        ).fetchall() == [("second",)]
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (between + 1,)


def test_it_reads_no_further_than_the_batch_that_it_merges_and_tells_what_is_done(
    settings: Settings, connection: psycopg.Connection
) -> None:
    line = "u{:05}@example.com,U,L,UTC,01-01,\n"
    text = HEADER + "wrong\n" + "".join(line.format(number) for number in range(25_000))
    raw = io.BytesIO(text.encode())
    file = io.TextIOWrapper(raw, encoding="utf-8", newline="")
    told = []

    def on_batch(done: Imported) -> None:
        count = connection.execute("SELECT count(*) FROM users").fetchone()
        told.append((done.lines, count, round(raw.tell() / len(text), 1)))

    import_csv(settings, file, lambda _: None, on_batch=on_batch)
    assert told == [
        (10_001, (10_000,), 0.4),
        (20_001, (20_000,), 0.8),
        (25_001, (25_000,), 1.0),
    ]


def test_rejected_lines_can_be_mended_where_they_were_written(
    settings: Settings, connection: psycopg.Connection
) -> None:
    # As the reject file has them, in whatever order a spreadsheet left the columns.
    header = "line,email,column,value,first_name,reason,last_name,timezone\n"
    done, rejected = run(
        settings,
        header
        + "3,a@example.com,timezone,Mars,A,is not a time zone,L,UTC\n"
        + "4,b@example.com,timezone,Mars,A,is not a time zone,L,Mars\n"
        + "5,c@example.com,,,A,too few,L\n",
    )
    assert done == Imported(added=1, rejected=2)
    own = ["email", "first_name", "last_name", "timezone"]
    assert rejected == [
        Rejected(
            3, "timezone", "Mars", "is not a time zone", own, ["b@example.com", "A", "L", "Mars"]
        ),
        Rejected(4, "", "", "7 columns where the header has 8", own, ["c@example.com", "A", "L"]),
    ]
    assert connection.execute("SELECT email FROM users").fetchall() == [("a@example.com",)]


none = st.just("")
dates = st.dates(date(2000, 1, 1), date(2000, 12, 31)).map("{:%m-%d}".format) | none
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1)
names = words.map(str.strip).filter(bool)
others = st.tuples(
    names, names, st.sampled_from(sorted(zones.names())), dates, dates, names | none, names | none
)


@hypothesis.settings(
    max_examples=40, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@given(st.dictionaries(st.emails(), others, max_size=5))
def test_what_is_exported_and_imported_is_unchanged(
    settings: Settings, connection: psycopg.Connection, people: dict[str, tuple[str, ...]]
) -> None:
    given_rows = [(first, last, email, *more) for email, (first, last, *more) in people.items()]
    written = io.StringIO(newline="")
    csv.writer(written).writerows([COLUMNS, *given_rows])
    connection.execute("TRUNCATE users CASCADE")
    assert run(settings, written.getvalue()) == (Imported(added=len(people)), [])
    rows = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM users").fetchall()
    assert {tuple(value or "" for value in row) for row in rows} == set(given_rows)

    once, twice = io.BytesIO(), io.BytesIO()
    export(settings, once)
    assert run(settings, once.getvalue()) == (Imported(unchanged=len(people)), [])
    connection.execute("TRUNCATE users CASCADE")
    assert run(settings, once.getvalue()) == (Imported(added=len(people)), [])
    export(settings, twice)
    assert twice.getvalue() == once.getvalue()


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
