from __future__ import annotations

import json

from tests.acceptance.conftest import Program, Query, read, write

ADA = [
    *("--email", "ada@example.com", "--first-name", "Ada", "--last-name", "Lovelace"),
    *("--timezone", "Europe/London", "--birthday", "1815-12-10"),
]
HEADER = (
    "first_name,last_name,email,timezone,birthday_date,anniversary_date,location_city,"
    "location_country\n"
)


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
