from __future__ import annotations

import pytest

from birthday_cli.domain import lint
from birthday_cli.domain.statements import Script, split

BEFORE = """
CREATE TABLE public.messages (
    id uuid,
    due timestamp (3) with time zone NOT NULL,
    PRIMARY KEY (id, due)
) PARTITION BY RANGE (due);
CREATE TABLE guard (day date, who uuid, UNIQUE (day, who)) PARTITION BY RANGE (day);
CREATE TABLE sharded (id uuid PRIMARY KEY) PARTITION BY HASH (id);
CREATE TABLE plain (id uuid PRIMARY KEY, "Due" timestamptz UNIQUE);
"""
TABLES = lint.partitioned_tables(split(BEFORE))


def found(text: str, transactional: bool = False) -> list[tuple[str, int, int]]:
    findings = lint.look("x.sql", text, Script(tuple(split(text)), (), transactional), TABLES)
    return [(finding.rule, finding.line, finding.column) for finding in findings]


def test_what_the_tables_are_partitioned_by_is_read_from_the_migrations() -> None:
    assert lint.partitioned_tables(split(BEFORE)) == {
        "messages": lint.Partitioned(("due",), by_instant=True),
        "guard": lint.Partitioned(("day",), by_instant=False),
        "sharded": lint.Partitioned(("id",), by_instant=False),
    }
    assert found(BEFORE) == []


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX CONCURRENTLY i ON messages (id);",
        "create index concurrently if not exists i on public.messages using hash (id);",
        "CREATE UNIQUE INDEX CONCURRENTLY ON ONLY messages (id, due);",
    ],
)
def test_an_index_of_a_partitioned_table_is_not_built_concurrently(statement: str) -> None:
    assert found(f"-- Why.\n{statement}") == [("partitioned-index-concurrently", 2, 1)]


def test_an_index_of_a_partitioned_table_is_not_built_on_all_partitions_at_once() -> None:
    assert found("CREATE INDEX i ON messages (id);") == [("partitioned-index-at-once", 1, 1)]
    assert found("CREATE INDEX i ON ONLY messages (id);") == []
    assert found("CREATE INDEX CONCURRENTLY i ON messages_2027_01 (id);") == []
    assert found("CREATE INDEX CONCURRENTLY i ON plain (id);") == []


def test_what_works_concurrently_is_no_part_of_a_transaction() -> None:
    for statement in (
        "CREATE INDEX CONCURRENTLY ON plain (id);",
        "DROP INDEX CONCURRENTLY i;",
        "REINDEX INDEX CONCURRENTLY i;",
        "ALTER TABLE messages DETACH PARTITION m CONCURRENTLY;",
    ):
        assert found(statement) == []
        assert found(statement, transactional=True) == [("concurrently-in-transaction", 1, 1)]
    assert found("REFRESH MATERIALIZED VIEW CONCURRENTLY v;", transactional=True) == []


def test_a_new_table_has_no_rows_that_an_index_could_lock() -> None:
    assert (
        found(
            "CREATE TABLE IF NOT EXISTS sharded (id uuid) PARTITION BY HASH (id);"
            "CREATE INDEX ON sharded (id);"
        )
        == []
    )


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE UNIQUE INDEX i ON ONLY messages (id);",
        "CREATE UNIQUE INDEX i ON ONLY messages (id, date_trunc('day', due));",
        "CREATE UNIQUE INDEX i ON ONLY messages (id) INCLUDE (due);",
        "ALTER TABLE messages ADD UNIQUE (id);",
        "ALTER TABLE IF EXISTS ONLY public.messages ADD COLUMN n int, ADD CONSTRAINT u UNIQUE"
        " NULLS NOT DISTINCT (n);",
        "ALTER TABLE messages ADD COLUMN IF NOT EXISTS n int UNIQUE;",
        "ALTER TABLE messages ADD PRIMARY KEY (id);",
        "CREATE TABLE guard (day date, who uuid PRIMARY KEY) PARTITION BY RANGE (day);",
        "CREATE TABLE guard (day date, who uuid, UNIQUE (who)) PARTITION BY RANGE (day);",
    ],
)
def test_what_is_unique_holds_the_partition_key(statement: str) -> None:
    assert [rule for rule, _, _ in found(statement)] == ["unique-without-partition-key"]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE UNIQUE INDEX i ON ONLY messages (id, due);",
        'CREATE UNIQUE INDEX i ON ONLY messages (id, "due" DESC NULLS LAST);',
        "ALTER TABLE messages ADD UNIQUE (DUE, id);",
        "ALTER TABLE messages ADD CONSTRAINT c CHECK (id IN (1, 2)), ADD n int;",
        "ALTER TABLE plain ADD UNIQUE (id);",
    ],
)
def test_what_is_unique_with_the_partition_key_is_fine(statement: str) -> None:
    assert found(statement) == []


def test_a_partition_is_attached_and_not_made_in_place() -> None:
    assert found(
        "CREATE TABLE g PARTITION OF guard FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');"
    ) == [("partition-of", 1, 1)]


@pytest.mark.parametrize("bound", ["2027-01-01", "2027-01-01 00:00", "2027-01-01T00:00:00.000"])
def test_a_bound_that_is_an_instant_has_its_offset(bound: str) -> None:
    text = (
        f"ALTER TABLE messages\n    ATTACH PARTITION m FOR VALUES FROM ('{bound}') TO (MAXVALUE);"
    )
    assert found(text) == [("bound-without-time-zone", 2, 41)]


@pytest.mark.parametrize(
    "bounds",
    [
        "FROM ('2027-01-01T00:00:00+00:00') TO ('2027-02-01 00:00-03')",
        "FROM ('2027-01-01T00:00Z') TO ('2027-02-01 00:00 UTC')",
        "FROM (MINVALUE) TO (MAXVALUE)",
    ],
)
def test_a_bound_with_its_offset_is_fine(bounds: str) -> None:
    assert found(f"ALTER TABLE messages ATTACH PARTITION m FOR VALUES {bounds};") == []


def test_a_bound_that_is_a_date_needs_no_offset() -> None:
    assert (
        found(
            "ALTER TABLE guard ATTACH PARTITION g FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');"
        )
        == []
    )


@pytest.mark.parametrize(
    "text",
    [
        "CREATE;",
        "CREATE TABLE;",
        "CREATE INDEX;",
        "CREATE INDEX i ON;",
        "ALTER TABLE;",
        "ALTER TABLE messages;",
        "ALTER TABLE messages ADD UNIQUE;",
        "CREATE TABLE t PARTITION OF;",
        "CREATE TABLE t () PARTITION BY;",
        "CREATE TABLE t () PARTITION BY RANGE ((due));",
    ],
)
def test_half_a_statement_is_not_stumbled_over(text: str) -> None:
    statements = split(text)
    script = Script(tuple(statements), (), transactional=True)
    list(lint.look("x.sql", text, script, TABLES | lint.partitioned_tables(statements)))
