"""SQL text taken apart, and what a migration may not say."""

from __future__ import annotations

import pytest

from birthday_cli.domain.statements import Malformed, Statement, parse, split

ONE = {
    "a string": "SELECT 'a;b''c;--';",
    "a backslash in a standard string": r"SELECT '\', ';';",
    "an escape string": r"SELECT E'a\';b', e'\\';",
    "an escape string that goes on in the next line": "SELECT E'a' -- why\n  'b\\';c';",
    "a name that ends in e": r"SELECT date'2026-01-01\', ';';",
    "other strings": r"SELECT B'1', x'1F', N'\', U&'\003B;', ';';",
    "a quoted name": 'SELECT 1 AS "a;""b;", U&"\\003B;" FROM "t";',
    "a dollar quote": "DO $$ BEGIN PERFORM 1; END $$;",
    "a dollar quote with a tag": "DO $a$ $$;$b$;$ab$;$a$;",
    "a tag behind another's end": "SELECT $a$ x$b$a$ || ';';",
    "a name with dollars": "SELECT a$$ FROM t$1$;",
    "a parameter": "PREPARE p AS SELECT $1 + $2;",
    "a tag of letters beyond ASCII": "SELECT $é$;$é$;",
    "a comment": "SELECT -- it's; $$ \" /*\n1;",
    "nested comments": "SELECT /* ; /* ; */ ' ; */ 1;",
    "a comment after an operator": "SELECT 1 +-- ;\n1;",
    "parentheses": "CREATE RULE r AS ON INSERT TO t DO (DELETE FROM a; DELETE FROM b);",
    "a body in SQL": (
        "CREATE OR REPLACE FUNCTION f(end_at int DEFAULT (1)) RETURNS int LANGUAGE sql\n"
        "BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 1 AS end; SELECT t.end FROM t;"
        " SELECT (CASE 1 WHEN 1 THEN 2 END); END;"
    ),
    "a procedure's body in SQL": "create procedure p() begin atomic select 1; end;",
    "a function that is called begin": "CREATE FUNCTION begin() RETURNS int RETURN 1;",
}


@pytest.mark.parametrize("text", ONE.values(), ids=ONE.keys())
def test_one_statement_stays_one(text: str) -> None:
    whole = text.removesuffix(";")
    found = [statement.text for statement in split(f"{whole}\n;\nSELECT 'next';")]
    assert found == [whole, "SELECT 'next'"]


def test_each_statement_knows_where_it_begins() -> None:
    text = "-- first\n  SELECT 1;;\n\nSELECT\n 2 ; /* é */ SELECT 'ß;' ;\n"
    found = split(text)
    assert [(one.text, one.line, one.column) for one in found] == [
        ("SELECT 1", 2, 3),
        ("SELECT\n 2", 4, 1),
        ("SELECT 'ß;'", 5, 14),
    ]
    for statement in found:
        assert text[statement.offset :].startswith(statement.text)


def test_tokens_are_as_they_are_written_without_comments() -> None:
    (statement,) = split('create /* x */ index CONCURRENTLY "My ""i"  -- y\n on s.t(a, $$b$$);')
    assert " ".join(statement.tokens) == 'create index CONCURRENTLY "My ""i" on s . t ( a , $$b$$ )'
    assert statement.begins("CREATE", "INDEX")
    assert not statement.begins("CREATE", "UNIQUE")


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("SELECT 1;\nSELECT 'a", (2, 8), "quoted text that begins here has no end"),
        ("SELECT 'a'';", (1, 8), "quoted text that begins here has no end"),
        (r"SELECT E'a\';", (1, 8), "quoted text that begins here has no end"),
        ("SELECT 'a'\n 'b;", (2, 2), "quoted text that goes on here has no end"),
        ('SELECT "a;', (1, 8), "quoted name that begins here has no end"),
        ("DO $x$ BEGIN $$;", (1, 4), r"text in \$x\$ that begins here has no end"),
        ("SELECT 1; /* /* */", (1, 11), "comment that begins here has no end"),
        ("CREATE TABLE t (\n a int;\nSELECT 1;", (1, 16), "parenthesis that opens here is not"),
        ("SELECT 1;\n  CREATE TABLE t (a int)\n", (2, 3), "does not end with a semicolon"),
        ("CREATE FUNCTION f() BEGIN ATOMIC SELECT 1;", (1, 1), "does not end with a semicolon"),
    ],
)
def test_a_half_written_text_is_refused_at_its_place(
    text: str, place: tuple[int, int], why: str
) -> None:
    with pytest.raises(Malformed, match=why) as refused:
        split(text)
    assert (refused.value.line, refused.value.column) == place


def test_strings_are_read_as_the_session_is_told_to() -> None:
    text = r"SELECT 'a\';b';"
    assert len(split(text, standard_conforming_strings=False)) == 1
    assert len(split(f"SET standard_conforming_strings = off; {text}")) == 2
    assert len(split("SET standard_conforming_strings TO 'on'; SELECT '\\'; SELECT 1;")) == 3
    for told in ("SET SESSION standard_conforming_strings TO 'on'; ", ""):
        with pytest.raises(Malformed):
            split(told + text)


def texts(statements: tuple[Statement, ...]) -> list[str]:
    return [statement.text for statement in statements]


def test_a_migration_has_statements_and_a_verify_part() -> None:
    script = parse(
        "CREATE TABLE t (a int);\nSELECT 1;\n-- verify\n-- why\nSELECT true;\nTABLE t;\n"
    )
    assert texts(script.statements) == ["CREATE TABLE t (a int)", "SELECT 1"]
    assert texts(script.checks) == ["SELECT true", "TABLE t"]
    assert script.transactional


def test_the_first_line_may_say_that_a_file_is_no_transaction() -> None:
    script = parse("-- bdaysched: no-transaction\nVACUUM;\n-- verify\nSELECT true;\n")
    assert texts(script.statements) == ["VACUUM"]
    assert texts(script.checks) == ["SELECT true"]
    assert not script.transactional


def test_a_verify_line_within_a_literal_is_part_of_it() -> None:
    script = parse("SELECT '\n-- verify\n', $$\n-- verify\n$$ /*\n-- verify\n*/;\n")
    assert len(script.statements) == 1
    assert script.checks == ()


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("", 1, "there is no statement"),
        ("-- to be written\n", 1, "there is no statement"),
        ("-- verify\nSELECT true;\n", 1, "there is no statement"),
        ("SELECT 1;\n-- bdaysched: no-transaction\n", 2, "only the first line may be"),
        ("-- bdaysched: notransaction\nVACUUM;\n", 1, "only the first line may be"),
        ("-- bdaysched: no-transaction\nVACUUM;\nANALYZE;\n", 3, "holds one statement only"),
        ("SELECT 1;\n--verify\nSELECT true;\n", 2, "write this line as `-- verify`"),
        ("SELECT 1;\n  -- verify\nSELECT true;\n", 2, "write this line as `-- verify`"),
        ("SELECT 1;\n-- Verify:\nSELECT true;\n", 2, "write this line as `-- verify`"),
        ("SELECT 1;\nINSERT INTO t\n-- verify\nSELECT true;\n", 2, "does not end with a semicolon"),
        ("SELECT 1;\n-- verify\nSELECT true\n", 3, "does not end with a semicolon"),
    ],
)
def test_what_is_no_migration_is_refused_at_its_place(text: str, line: int, why: str) -> None:
    with pytest.raises(Malformed, match=why) as refused:
        parse(text)
    assert refused.value.line == line


@pytest.mark.parametrize(
    "statement",
    ["BEGIN", "START TRANSACTION", "commit", "END", "ROLLBACK", "ABORT", "PREPARE TRANSACTION 'a'"],
)
def test_a_file_cannot_end_its_own_transaction(statement: str) -> None:
    for text in (f"SELECT 1;\n{statement};\n", f"SELECT 1;\n-- verify\n{statement};\n"):
        with pytest.raises(Malformed, match="has no place in a migration"):
            parse(text)


def test_savepoints_are_a_files_own_affair() -> None:
    assert len(parse("SAVEPOINT a; ROLLBACK TO a; ROLLBACK WORK TO SAVEPOINT a;").statements) == 3


@pytest.mark.parametrize("rest", ["FROM stdin", "(a) FROM STDIN WITH (FORMAT csv)", "TO STDOUT"])
def test_there_is_no_client_to_copy_from_or_to(rest: str) -> None:
    with pytest.raises(Malformed, match="COPY from or to the client"):
        parse(f"COPY t {rest};")
    assert parse("COPY t FROM '/a/file';").statements
