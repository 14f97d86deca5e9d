"""Rules about partitioned tables in migrations, where PostgreSQL locks more than one expects.

What is known of a table is what the migrations say: no database is asked.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from birthday_cli.domain.statements import NO_TRANSACTION, Script, Statement, position

INDEX_CONCURRENTLY = "partitioned-index-concurrently"
INDEX_AT_ONCE = "partitioned-index-at-once"
UNIQUE_WITHOUT_KEY = "unique-without-partition-key"
PARTITION_OF = "partition-of"
BARE_BOUND = "bound-without-time-zone"
IN_TRANSACTION = "concurrently-in-transaction"

_ON_ONLY = (
    "CREATE INDEX … ON ONLY the table: `migrate` then builds it in each partition, CONCURRENTLY,"
    " and attaches it"
)
# PostgreSQL: CREATE INDEX, "Building Indexes Concurrently"; Table Partitioning, "Limitations" and
# "Partition Maintenance".
_REASONS = {
    INDEX_CONCURRENTLY: (
        "PostgreSQL builds no index of a partitioned table CONCURRENTLY",
        _ON_ONLY,
    ),
    INDEX_AT_ONCE: (
        "building it on all partitions in one transaction keeps every writer out until the last"
        " one is done",
        _ON_ONLY,
    ),
    UNIQUE_WITHOUT_KEY: (
        "PostgreSQL promises nothing across partitions, so that it must hold the partition key",
        "add the partition key; what has to be unique without it needs a table of its own, as"
        " message_guard is",
    ),
    PARTITION_OF: (
        "PARTITION OF locks the partitioned table against reading and writing",
        "CREATE TABLE … (LIKE … INCLUDING ALL) with a CHECK of the bounds, then ALTER TABLE …"
        " ATTACH PARTITION, as create-partitions does",
    ),
    BARE_BOUND: (
        "an instant without its offset means another one in every session's time zone",
        "write it with the offset, like '2027-01-01T00:00:00+00:00'",
    ),
    IN_TRANSACTION: (
        "a file is one transaction, and PostgreSQL does this outside of one only",
        f"give it a file of its own that begins with the line `{NO_TRANSACTION}`",
    ),
}
RULES = frozenset(_REASONS)

_HAS_OFFSET = re.compile(r"(?::[\d.]+ ?[+-]\d{1,2}(?::?\d{2})*|\dZ|\bUTC|\bGMT)'$", re.IGNORECASE)

_BEFORE_COLUMN = ("ADD", "COLUMN", "IF", "NOT", "EXISTS")


class Finding(NamedTuple):
    """What is wrong where, by which rule, why, and what to do instead; line and column from 1."""

    file: str
    line: int
    column: int
    rule: str
    reason: str
    instead: str


@dataclass(frozen=True)
class Partitioned:
    """The columns that a table is partitioned by, and whether the first is an instant.

    A key that is an expression counts as a column that no index has.
    """

    key: tuple[str, ...]
    by_instant: bool


def partitioned_tables(statements: Iterable[Statement]) -> dict[str, Partitioned]:
    """Return the tables that statements make as partitioned ones."""
    found: dict[str, Partitioned] = {}
    for statement in statements:
        tokens = statement.tokens
        name = _created_table(tokens)
        if name and (at := _after(tokens, "PARTITION", "BY")):
            key = _columns(tokens, at)
            first = [part for part in _body(tokens) if _plain(part[0]) in key[:1]]
            found[name] = Partitioned(key, any(_is_instant(part[1:]) for part in first))
    return found


def look(
    file: str, text: str, script: Script, tables: Mapping[str, Partitioned]
) -> Iterator[Finding]:
    """Yield what the rules find in a file; tables are those of all files."""
    new = {_created_table(statement.tokens) for statement in script.statements}
    for statement in script.statements:
        broken = [*_look_at(statement, tables, new)]
        if script.transactional and _is_concurrent(statement):
            broken.append((IN_TRANSACTION, 0))
        for rule, offset in broken:
            line, column = position(text, statement.offset + offset)
            yield Finding(file, line, column, rule, *_REASONS[rule])


def _look_at(
    statement: Statement, tables: Mapping[str, Partitioned], new: Collection[str]
) -> Iterator[tuple[str, int]]:
    """Yield rules, with how far into the statement they were broken."""
    tokens = statement.tokens
    if indexed := indexed_table(statement):
        yield from _look_at_index(tokens, indexed, tables, new)
    elif name := _created_table(tokens):
        if parent := _after(tokens, "PARTITION", "OF"):
            yield PARTITION_OF, 0
            yield from _look_at_bounds(statement, tables.get(_name(tokens, parent)))
        elif name in tables:
            yield from _look_at_constraints(_body(tokens), tables[name])
    elif statement.begins("ALTER", "TABLE"):
        at = 2 + sum(word in ("IF", "EXISTS", "ONLY") for word in _upper(tokens[2:5]))
        if table := tables.get(_name(tokens, at)):
            while tokens[at + 1 : at + 2] == (".",):
                at += 2
            yield from _look_at_constraints(_parts(tokens[at + 1 :]), table)
            if _after(tokens, "ATTACH", "PARTITION"):
                yield from _look_at_bounds(statement, table)


def _is_concurrent(statement: Statement) -> bool:
    # Of the statements with that word, REFRESH MATERIALIZED VIEW may be part of a transaction.
    return not statement.begins("REFRESH") and bool(_after(statement.tokens, "CONCURRENTLY"))


def indexed_table(statement: Statement) -> str:
    """Return the name of the table that a statement makes an index of; nothing if it makes none."""
    tokens = statement.tokens
    if not statement.begins("CREATE") or "INDEX" not in _upper(tokens[1:3]):
        return ""
    at = _after(tokens, "ON")
    return _name(tokens, at + (_upper(tokens[at : at + 1]) == ("ONLY",)))


def _look_at_index(
    tokens: Sequence[str], name: str, tables: Mapping[str, Partitioned], new: Collection[str]
) -> Iterator[tuple[str, int]]:
    if name not in tables:
        return
    at = _after(tokens, "ON")
    only = _upper(tokens[at : at + 1]) == ("ONLY",)
    if "CONCURRENTLY" in _upper(tokens[2:4]):
        yield INDEX_CONCURRENTLY, 0
    elif not only and name not in new:
        yield INDEX_AT_ONCE, 0
    if tokens[1].upper() == "UNIQUE" and not {*tables[name].key} <= {*_columns(tokens, at)}:
        yield UNIQUE_WITHOUT_KEY, 0


def _look_at_constraints(
    parts: Iterable[Sequence[str]], table: Partitioned
) -> Iterator[tuple[str, int]]:
    """Look at the parts of a table's body, or at what an ALTER TABLE does."""
    for part in parts:
        at = _after(part, "UNIQUE") or _after(part, "PRIMARY", "KEY")
        if not at or _upper(part[at : at + 1]) == ("USING",):
            continue
        while _upper(part[at : at + 1]) in (("NULLS",), ("NOT",), ("DISTINCT",)):
            at += 1
        named = next(word for word in part if word.upper() not in _BEFORE_COLUMN)
        columns = _columns(part, at) if part[at : at + 1] == ("(",) else (_plain(named),)
        if not {*table.key} <= {*columns}:
            yield UNIQUE_WITHOUT_KEY, 0


def _look_at_bounds(statement: Statement, table: Partitioned | None) -> Iterator[tuple[str, int]]:
    at = _after(statement.tokens, "FOR", "VALUES")
    if not table or not table.by_instant or not at:
        return
    for token in statement.tokens[at:]:
        if token.endswith("'") and not _HAS_OFFSET.search(token):
            yield BARE_BOUND, statement.text.index(token)


def _created_table(tokens: Sequence[str]) -> str:
    """Return the name of the table that a statement makes; nothing if it makes none."""
    words = _upper(tokens[:7])
    if not words or words[0] != "CREATE" or "TABLE" not in words[1:4]:
        return ""
    at = words.index("TABLE") + 1
    return _name(tokens, at + 3 * (words[at : at + 3] == ("IF", "NOT", "EXISTS")))


def _name(tokens: Sequence[str], at: int) -> str:
    """Return the name that stands there, without its schema."""
    while tokens[at + 1 : at + 2] == (".",):
        at += 2
    return _plain(tokens[at]) if at < len(tokens) else ""


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def _after(tokens: Sequence[str], *words: str) -> int:
    """Return where it goes on after the words, outside of parentheses; 0 if they are not there."""
    depth = 0
    for at, word in enumerate(tokens):
        depth += (word == "(") - (word == ")")
        if not depth and _upper(tokens[at : at + len(words)]) == words:
            return at + len(words)
    return 0


def _upper(tokens: Sequence[str]) -> tuple[str, ...]:
    return tuple(token.upper() for token in tokens)


def _body(tokens: Sequence[str]) -> list[tuple[str, ...]]:
    return _inside(tokens, 0)


def _columns(tokens: Sequence[str], at: int) -> tuple[str, ...]:
    """Return the names in the parentheses that come next; an expression is none of a column."""
    return tuple(
        _plain(part[0]) if len(part) == 1 or part[1] != "(" else "" for part in _inside(tokens, at)
    )


def _inside(tokens: Sequence[str], at: int) -> list[tuple[str, ...]]:
    """Return what the commas part in the parentheses that come next, if any do."""
    if "(" not in tokens[at:]:
        return []
    start = tokens.index("(", at) + 1
    depth = 1
    for end in range(start, len(tokens)):
        depth += (tokens[end] == "(") - (tokens[end] == ")")
        if not depth:
            return _parts(tokens[start:end])
    return []


def _parts(tokens: Sequence[str]) -> list[tuple[str, ...]]:
    """Return what the commas outside of parentheses part."""
    parts: list[list[str]] = [[]]
    depth = 0
    for word in tokens:
        depth += (word == "(") - (word == ")")
        if word == "," and not depth:
            parts.append([])
        else:
            parts[-1].append(word)
    return [tuple(part) for part in parts if part]


def _is_instant(type_and_more: Sequence[str]) -> bool:
    words = _upper(type_and_more)
    return words[:1] == ("TIMESTAMPTZ",) or (
        words[:1] == ("TIMESTAMP",) and "WITH" in words[1:5] and "WITHOUT" not in words[1:5]
    )
