"""Renames, which no difference shows: they have to be told."""

from __future__ import annotations

import re

from birthday_cli.domain.schema import Key, Kind, Schema
from birthday_cli.errors import UsageError

_RENAME = re.compile(r"(?:(?P<table>\w+)\.)?(?P<old>\w+)=(?P<new>\w+)")


def rename(schema: Schema, told: str) -> str:
    """Return the statement for what was told as `old=new`, or `table.old=new` for parts of a table.

    Raises UsageError unless old is one table, view, domain, column, constraint, index or trigger.
    """
    match = _RENAME.fullmatch(told)
    if not match:
        raise UsageError(f"--rename {told}: write it like old_table=new_table or table.old=new")
    table, old, new = match["table"], match["old"], match["new"]
    found = [key for key in schema.items if _is_called(key, table, old)]
    if not found:
        raise UsageError(f"--rename {told}: the migrations build nothing of that name")
    if len(found) > 1:
        raise UsageError(f"--rename {told}: that may be {' or '.join(map(str, found))}")
    key = found[0]
    match key.kind:
        case Kind.COLUMN | Kind.CONSTRAINT:
            what = f"{key.kind.upper()} {key.name}"
            owner = "DOMAIN" if Key(Kind.DOMAIN, key.relation) in schema.items else "TABLE"
            return f"ALTER {owner} {key.relation} RENAME {what} TO {new}"
        case Kind.TRIGGER:
            return f"ALTER TRIGGER {key.name} ON {key.relation} RENAME TO {new}"
        case Kind.INDEX:
            return f"ALTER INDEX {key.name} RENAME TO {new}"
        case Kind.VIEW:
            return f"ALTER {schema.items[key]['type']} {key.relation} RENAME TO {new}"
    return f"ALTER {key.kind.upper()} {key.relation} RENAME TO {new}"


def _is_called(key: Key, table: str | None, name: str) -> bool:
    if key.kind in (Kind.TABLE, Kind.VIEW, Kind.DOMAIN):
        return table is None and key.relation == name
    parts = (Kind.COLUMN, Kind.CONSTRAINT, Kind.INDEX, Kind.TRIGGER)
    # A column's name says little without its table.
    qualified = key.relation == table or (table is None and key.kind is not Kind.COLUMN)
    return key.kind in parts and key.name == name and qualified
