"""A database that is not what it should be: each difference in a line, with what to do."""

from __future__ import annotations

from typing import Any, NamedTuple

from birthday_cli.domain.schema import Facts, Key, Kind, Schema
from birthday_cli.domain.schema_diff import Difference, differences
from birthday_cli.domain.schema_sql import Unsupported, alter, create, drop

_LONGEST_STATEMENT = 200
_LONGEST_VALUE = 80
_WORDS = {"expression": "default", "not_null": "NOT NULL"}


class Drift(NamedTuple):
    """What is wrong with one object, and what to do about it."""

    object: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.object} {self.problem}: {self.remedy}"


def drifts(live: Schema, expected: Schema) -> list[Drift]:
    """Return what differs in live from what is expected."""
    return [_drift(found, live, expected) for found in differences(live, expected)]


def _drift(found: Difference, live: Schema, expected: Schema) -> Drift:
    key = found.key
    if found.new is None:
        keep = "or keep it by a migration (`bdaysched generate NAME --empty`)"
        return Drift(str(key), "is not from the migrations", f"{_dropping(live, key)}, {keep}")
    if found.old is None:
        return Drift(str(key), "is missing", _making(expected, key))
    if key.kind is Kind.TRIGGER and _differing(found.old, found.new) == ["state"]:
        return Drift(str(key), f"is {found.old['state']}", _changing(expected, key, found.old))
    if not found.old.get("valid", True):
        return Drift(str(key), "is INVALID", _validating(expected, key))
    problem = ", ".join(
        _told(name, found.old[name], found.new[name]) for name in _differing(found.old, found.new)
    )
    return Drift(str(key), f"differs: {problem}", _changing(expected, key, found.old))


def _differing(old: Facts, new: Facts) -> list[str]:
    return [name for name in new if old[name] != new[name]]


def _told(name: str, is_now: Any, should_be: Any) -> str:
    if "\n" in f"{is_now}{should_be}":
        lines = zip(f"{is_now}\n".splitlines(), f"{should_be}\n".splitlines(), strict=False)
        is_now, should_be = next((pair for pair in lines if pair[0] != pair[1]), ("more", "less"))
    return f"{_WORDS.get(name, name)} is {_value(is_now)} instead of {_value(should_be)}"


def _value(value: Any) -> str:
    text = {True: "on", False: "off", "": "none"}.get(value, " ".join(str(value).split()))
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def _making(expected: Schema, key: Key) -> str:
    if key.kind is Kind.INDEX:
        return _building(expected, key)
    try:
        return _run(create(expected, key))
    except Unsupported:
        return "put it back by hand"


def _building(expected: Schema, key: Key) -> str:
    (statement,) = create(expected, key)
    if expected.is_partitioned(key.relation):
        return f"run {only(statement)}; then `bdaysched migrate` builds it in the partitions"
    return _run([concurrently(statement)])


def _dropping(live: Schema, key: Key) -> str:
    if key.kind is Kind.TABLE:
        return f"run {drop(live, key)[0]} (its rows go, too)"
    try:
        return _run(drop(live, key))
    except Unsupported:
        return "drop it by hand"


def _changing(expected: Schema, key: Key, old: Facts) -> str:
    try:
        statements = alter(expected, key, old)
        if statements is None:
            statements = drop(expected, key) + create(expected, key)
    except Unsupported:
        return "put it right by hand"
    return _run(statements)


def _validating(expected: Schema, key: Key) -> str:
    if expected.is_partitioned(key.relation):
        return "run `bdaysched migrate`, which builds what its partitions lack"
    return f"run REINDEX INDEX CONCURRENTLY {key.name}"


def _run(statements: list[str]) -> str:
    text = "; ".join(statements)
    if "\n" in text or len(text) > _LONGEST_STATEMENT:
        return "make it what it is in sql/schema.sql"
    return f"run {text}"


def concurrently(statement: str) -> str:
    """Return a CREATE INDEX that lets others write meanwhile."""
    return statement.replace("INDEX ", "INDEX CONCURRENTLY ", 1)


def only(statement: str) -> str:
    """Return a CREATE INDEX on a partitioned table that leaves out its partitions."""
    return statement.replace(" ON ", " ON ONLY ", 1)
