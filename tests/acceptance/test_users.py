from __future__ import annotations

import asyncio
import csv
import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from tests.acceptance.conftest import OnTerminal, Program, Query, read, write

ADA = [
    *("--email", "ada@example.com", "--first-name", "Ada", "--last-name", "Lovelace"),
    *("--timezone", "Europe/London", "--birthday", "1815-12-10"),
]
HEADER = (
    "first_name,last_name,email,timezone,birthday_date,anniversary_date,location_city,"
    "location_country\n"
)
LINES = [f"A,B,u{number:05}@example.com,UTC,,,,\n" for number in range(25_000)]
WAITING = "SELECT wait_event_type FROM pg_stat_activity WHERE application_name LIKE '%%import'"


async def test_what_is_exported_can_be_imported_and_is_the_same(
    program: Program, query: Query
) -> None:
    line = '"Zoë ""Z""","O\'Neil, Jr",z@example.com,Asia/Tokyo,02-29,,"São\nPaulo",\n'
    write("people.csv", HEADER + line)
    assert (await program.run("users", "import", "people.csv")).code == 0
    exported = await program.run("users", "export")
    assert (exported.code, exported.err) == (0, "")
    assert (await program.run("users", "export", "copy.csv")).code == 0
    assert read("copy.csv") == exported.out
    again = await program.run("users", "import", "copy.csv", "--json")
    assert json.loads(again.out)["unchanged"] == 1
    assert query("SELECT first_name, location_city, anniversary_date FROM users") == [
        ('Zoë "Z"', "São\nPaulo", None)
    ]
    taken = await program.run("users", "export", "copy.csv")
    assert (taken.code, "copy.csv is there already" in taken.explanation) == (2, True)


async def test_strange_names_go_in_and_out_byte_for_byte(program: Program, query: Query) -> None:
    names = [
        "'O''Neil'; DROP TABLE users; --",
        "{first_name} {0} {{}} %s %(x)s $1",
        "\\N \\. \\n",
        "\\.",
        "👩🏽\u200d🚀 Zoë",
        "\u202e\u05e9\u05dc\u05d5\u05dd\u202c \u200f\u0645\u0631\u062d\u0628\u0627\u200e",
        "e\u0301",
        "\ufeffA",
        "x" * 10_000,
        "🎂" * 10_000,
        # What an export quotes, it quotes as these are.
        '"""Z"""',
        '"O, jr"',
        '"two\r\nlines\ta tab\nand\rmore"',
    ]
    lines = [
        f"{name},{name},{number:02}@example.com,UTC,02-29,,{name},\n"
        for number, name in enumerate(names)
    ]
    write("people.csv", HEADER + "".join(lines))
    assert (await program.run("users", "import", "people.csv")).code == 0
    assert (await program.run("users", "export", "copy.csv")).code == 0
    assert read_bytes("copy.csv") == read_bytes("people.csv")
    again = await program.run("users", "import", "copy.csv", "--json")
    assert json.loads(again.out)["unchanged"] == len(names)
    rows = query("SELECT first_name, last_name, location_city FROM users ORDER BY email")
    bare = [name[1:-1].replace('""', '"') if name[0] == '"' else name for name in names]
    assert rows == [(name, name, name) for name in bare]


async def test_a_nul_is_refused_with_its_line_and_column(program: Program, query: Query) -> None:
    write("people.csv", HEADER + "A,B,a@example.com,UTC,,,,\nC,D\x00,c@example.com,UTC,,,,\n")
    ended = await program.run("users", "import", "people.csv")
    assert (ended.code, ended.err.splitlines()) == (
        1,
        [
            "line 3: last_name 'D\\x00' holds a NUL character",
            "added 1, changed 0, unchanged 0, rejected 1",
        ],
    )
    assert query("SELECT email FROM users") == [("a@example.com",)]


async def test_bytes_that_are_not_utf_8_are_kept_as_they_are(program: Program) -> None:
    write("people.csv", HEADER.encode() + b"Zo\xeb,B,a@example.com,UTC,,,,\n")
    ended = await program.run("users", "import", "people.csv", "--reject-file", "rejected.csv")
    assert ended.err.splitlines()[0] == "line 2: first_name 'Zo\\udceb' is not UTF-8"
    kept = read_bytes("rejected.csv").splitlines()[1]
    assert kept == b"2,first_name,Zo\xeb,is not UTF-8,Zo\xeb,B,a@example.com,UTC,,,,"


async def test_a_reject_file_is_mended_and_imported(program: Program, query: Query) -> None:
    long = "x" * 200
    write(
        "people.csv",
        "email,timezone,last_name,first_name\n"
        'a@example.com,EST,"Lee, jr",Ann\n'
        'b@example.com,"Mars, or so","Lee, jr",Bob\n'
        'c@example.com,"EST,Lee,Cy\n'
        f"{long},UTC,Lee,Dee\n"
        "e@example.com,UTC,Lee\n"
        "f@example.com,UTC,,Fay\n",
    )
    rejecting = ("--reject-file", "rejected.csv")
    ended = await program.run("users", "import", "people.csv", *rejecting)
    assert ended.code == 1
    assert ended.err.splitlines() == [
        "line 3: timezone 'Mars, or so' is not a time zone",
        "line 4: not CSV: unexpected end of data; look for a quote too many",
        f"line 5: email '{'x' * 80}…' is not an e-mail address",
        "line 6: 3 columns where the header has 4",
        "line 7: last_name is missing",
        "added 1, changed 0, unchanged 0, rejected 5",
    ]
    assert list(csv.reader(read("rejected.csv").splitlines())) == [
        ["line", "column", "value", "reason", "email", "timezone", "last_name", "first_name"],
        [
            *("3", "timezone", "Mars, or so", "is not a time zone"),
            *("b@example.com", "Mars, or so", "Lee, jr", "Bob"),
        ],
        [
            *("4", "", "", "not CSV: unexpected end of data; look for a quote too many"),
            'c@example.com,"EST,Lee,Cy',
        ],
        ["5", "email", long, "is not an e-mail address", long, "UTC", "Lee", "Dee"],
        ["6", "", "", "3 columns where the header has 4", "e@example.com", "UTC", "Lee"],
        ["7", "last_name", "", "is missing", "f@example.com", "UTC", "", "Fay"],
    ]

    overwriting = await program.run("users", "import", "rejected.csv", *rejecting)
    assert (overwriting.code, "rejected.csv is being read" in overwriting.explanation) == (2, True)
    mended = read("rejected.csv").replace("Fay", "").replace("UTC,,", "UTC,Lee,Fay")
    write("rejected.csv", mended.replace('b@example.com,"Mars, or so"', "b@example.com,EST"))
    ended = await program.run("users", "import", "rejected.csv", "--reject-file", "left.csv")
    assert ended.err.splitlines()[-1] == "added 2, changed 0, unchanged 0, rejected 3"
    assert query("SELECT email, last_name, first_name, timezone FROM users ORDER BY email") == [
        ("a@example.com", "Lee, jr", "Ann", "EST"),
        ("b@example.com", "Lee, jr", "Bob", "EST"),
        ("f@example.com", "Lee", "Fay", "UTC"),
    ]
    assert read("left.csv").splitlines()[0] == read("rejected.csv").splitlines()[0]

    ended = await program.run("users", "import", "people.csv", "--dry-run", "--reject-file", "x")
    assert ended.err.splitlines()[-1] == "would take 1, changed 0, unchanged 0, rejected 5"
    write("people.csv", HEADER)
    assert (await program.run("users", "import", "people.csv", "--reject-file", "x")).code == 0
    assert read("x") == ""


async def test_kill_9_leaves_whole_batches_and_a_second_run_adds_the_rest(
    program: Program, query: Query, database: str
) -> None:
    write("people.csv", HEADER + "".join(LINES))
    with psycopg.connect(database) as other:
        # The second batch has to wait in the middle of its merge, and is killed there.
        other.execute(
            "INSERT INTO users (first_name, last_name, email, timezone)"
            " VALUES ('A', 'B', 'u15000@example.com', 'UTC')"
        )
        running = await program.start("users", "import", "people.csv")
        await until(lambda: query(WAITING) == [("Lock",)])
        running.kill()
        await running.wait()
        other.rollback()
    await until(lambda: query(WAITING) == [])
    assert query("SELECT count(*), max(email) FROM users") == [(10_000, "u09999@example.com")]
    ended = await program.run("users", "import", "people.csv", "--json")
    assert json.loads(ended.out) == {
        "added": 15_000,
        "changed": 0,
        "unchanged": 10_000,
        "rejected": 0,
    }


def test_a_terminal_shows_how_far_it_is(on_terminal: OnTerminal) -> None:
    write("people.csv", HEADER + "wrong\n" + "".join(LINES))
    shown = on_terminal("users", "import", "people.csv")
    bars = re.findall(r"(\d+)% .*?([\d,]+) lines, ([\d,]+)/s", re.sub(r"\x1b\[[\d;]*m", "", shown))
    assert {int(percent) for percent, _, _ in bars} >= {40, 80}
    assert {lines for _, lines, _ in bars} >= {"10,001", "20,001"}
    assert all(int(rate.replace(",", "")) > 100 for _, _, rate in bars)
    assert shown.count("line 2: 1 columns where the header has 8") == 1
    assert shown.endswith("added 25000, changed 0, unchanged 0, rejected 1\r\n")

    assert json.loads(on_terminal("users", "import", "people.csv", "--json").split("\n", 1)[1])
    write("people.csv", "")
    assert "the header lacks first_name" in on_terminal("users", "import", "people.csv")


def test_where_the_size_is_not_known_there_is_no_percentage(on_terminal: OnTerminal) -> None:
    typed = HEADER + "A,B,a@example.com,UTC,,,,\n"
    shown = on_terminal("users", "import", "-", answer=f"{typed}\x04")
    assert "1 lines, " in shown
    assert "%" not in shown
    assert shown.endswith("added 1, changed 0, unchanged 0, rejected 0\r\n")


async def test_one_is_added_listed_and_deleted(program: Program, query: Query) -> None:
    tried = await program.run("users", "add", *ADA, "--dry-run")
    assert (tried.code, query("SELECT count(*) FROM users")) == (0, [(0,)])
    added = await program.run("users", "add", *ADA, "--json")
    assert query("SELECT id::text, birthday_date FROM users") == [
        (json.loads(added.out)["id"], "12-10")
    ]
    twice = await program.run("users", "add", *ADA)
    assert (twice.code, "ada@example.com is there already" in twice.explanation) == (1, True)

    listed = await program.run("users", "list", "LOVE", "--json")
    assert [user["email"] for user in json.loads(listed.out)] == ["ada@example.com"]
    assert (await program.run("users", "list", "%")).out.count("\n") == 1

    refused = await program.run("users", "delete", "ada@example.com")
    assert (refused.code, "--yes" in refused.explanation) == (2, True)
    for options in (["--dry-run"], ["--yes"]):
        assert query("SELECT count(*) FROM users WHERE deleted_at IS NULL") == [(1,)]
        assert (await program.run("users", "delete", "ada@example.com", *options)).code == 0
    assert query("SELECT count(*) FROM users WHERE deleted_at IS NULL") == [(0,)]
    gone = await program.run("users", "delete", "ada@example.com", "--yes")
    assert (gone.code, "there is no user" in gone.explanation) == (1, True)


async def test_a_wrong_value_is_named(program: Program) -> None:
    wrong = [*ADA[:-4], "--timezone", "Mars/Olympus"]
    ended = await program.run("users", "add", *wrong)
    assert (ended.code, "timezone 'Mars/Olympus'" in ended.explanation) == (2, True)


async def until(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < give_up
        await asyncio.sleep(0.05)


def read_bytes(name: str) -> bytes:
    return Path(name).read_bytes()
