"""What leads from one schema to another, in an order that respects what needs what."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from birthday_cli.domain.schema import Facts, Key, Kind, Schema
from birthday_cli.domain.schema_sql import alter, create, drop

# They can be dropped before anything else happens, since nothing but one of them needs them; what
# holds data or is called goes at the end, when nothing uses it any more.
_DEPENDENT = {
    Kind.TRIGGER,
    Kind.VIEW,
    Kind.CONSTRAINT,
    Kind.INDEX,
    Kind.COMMENT,
    Kind.GRANT,
    Kind.OTHER,
}


class Difference(NamedTuple):
    """An object that two schemas do not have alike; None stands for one that has it not."""

    key: Key
    old: Facts | None
    new: Facts | None


class Action(StrEnum):
    """What a step does with its object."""

    DROP = "drop"
    CREATE = "create"
    ALTER = "alter"


class Step(NamedTuple):
    """Statements that belong together, without semicolons."""

    action: Action
    key: Key
    statements: list[str]


class Loss(NamedTuple):
    """Data that a change takes along."""

    key: Key
    what: str

    def __str__(self) -> str:
        return f"{self.key} loses {self.what}"


def differences(old: Schema, new: Schema) -> list[Difference]:
    """Return what differs; of a table that only one has, the table but not its parts."""
    keys = [key for key in (*old.items, *new.items) if old.items.get(key) != new.items.get(key)]
    alone = {
        key.relation
        for key in keys
        if key.kind in (Kind.TABLE, Kind.VIEW, Kind.DOMAIN, Kind.FUNCTION)
        and not (key in old.items and key in new.items)
    }
    return [
        Difference(key, old.items.get(key), new.items.get(key))
        for key in dict.fromkeys(keys)
        if not key.name or key.relation not in alone
    ]


def steps(old: Schema, new: Schema) -> list[Step]:
    """Return what makes new out of old. Raises Unsupported, naming what no statement can change."""
    removed = old.items.keys() - new.items.keys()
    added = new.items.keys() - old.items.keys()
    altered = {
        key: alter(new, key, old.items[key])
        for key in old.items.keys() & new.items.keys()
        if old.items[key] != new.items[key]
    }
    replaced = _replaced(old, new, {key for key, how in altered.items() if how is None})
    for key in replaced:
        altered.pop(key, None)

    first = replaced | {key for key in removed if key.kind in _DEPENDENT}
    found = [
        Step(Action.DROP, key, drop(old, key))
        for key in reversed(old.ordered(first))
        if not _goes_along(old, key, removed | replaced)
    ]
    # What a domain or table is made with is not to be left out where that exists.
    owners = [key for key in altered if key.kind in (Kind.DOMAIN, Kind.TABLE)]
    found += [Step(Action.ALTER, key, altered[key] or []) for key in sorted(owners)]
    for key in new.ordered((added | replaced | altered.keys()) - set(owners)):
        how = altered.get(key)
        action = Action.CREATE if how is None else Action.ALTER
        found.append(Step(action, key, create(new, key) if how is None else how))
    found += [
        Step(Action.DROP, key, drop(old, key))
        for key in reversed(old.ordered(removed - first))
        if not _goes_along(old, key, removed)
    ]
    return found


def _replaced(old: Schema, new: Schema, anew: set[Key]) -> set[Key]:
    """Return what has to be made anew: `anew`, and what stands in the way of that."""
    retyped = {
        key
        for key, facts in old.items.items()
        if key.kind is Kind.COLUMN
        and key in new.items
        and (facts["type"], facts["collation"])
        != (new.items[key]["type"], new.items[key]["collation"])
    }
    in_the_way = {key for key in old.dependents(anew) if key.kind in _DEPENDENT}
    blocking = {key for key in old.dependents(retyped) if key.kind in (Kind.VIEW, Kind.TRIGGER)}
    in_the_way |= blocking | {key for key in old.dependents(blocking) if key.kind in _DEPENDENT}
    return anew | (in_the_way & new.items.keys())


def _goes_along(schema: Schema, key: Key, gone: set[Key]) -> bool:
    """Whether key disappears by itself when those that are gone do."""
    if key.kind is Kind.CONSTRAINT and schema.items[key]["type"] == "f":
        # It may stand in the way of the table that it refers to.
        return False
    owners = {Key(kind, key.relation) for kind in (Kind.TABLE, Kind.VIEW, Kind.DOMAIN)}
    if key.name and owners & gone:
        return True
    return key.kind in (Kind.COMMENT, Kind.GRANT) and bool(schema.needs.get(key, set()) & gone)


def losses(found: list[Step], old: Schema, new: Schema) -> list[Loss]:
    """Return the data that the steps lose: tables, columns, and parts of values."""
    lost = []
    for step in found:
        facts = old.items.get(step.key)
        if step.key.kind is Kind.TABLE and step.action is Action.DROP:
            lost.append(Loss(step.key, "all of its rows"))
        elif step.key.kind is Kind.COLUMN and facts and not facts["generated"]:
            if step.action is Action.DROP:
                lost.append(Loss(step.key, "all of its values"))
            elif facts["type"] != new.items[step.key]["type"]:
                becomes = new.items[step.key]["type"]
                lost.append(Loss(step.key, f"what of its values {becomes} cannot hold"))
    return lost
