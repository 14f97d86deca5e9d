"""The statements that make, change and drop what a schema consists of."""

from __future__ import annotations

from birthday_cli.domain.schema import Facts, Key, Kind, Schema
from birthday_cli.errors import BdayschedError

_HEADER = """\
-- The whole schema, as the migrations build it. Change it here and run `bdaysched generate NAME`,
-- which writes the migration. `bdaysched schema dump` writes this file.
"""
_STATES = {
    "enabled": "ENABLE",
    "disabled": "DISABLE",
    "enabled replica": "ENABLE REPLICA",
    "enabled always": "ENABLE ALWAYS",
}


class Unsupported(BdayschedError):
    """A change for which the program has no statement; a migration by hand has to make it."""


def dump(schema: Schema) -> str:
    """Return SQL that makes schema in an empty database: the same text for the same schema."""
    text, last = _HEADER, None
    for key in schema.ordered(schema.items):
        for statement in create(schema, key):
            kind = (key.kind, key.relation, "\n" in statement)
            # Statements of one line that belong together stay together.
            text += ("" if kind == last and not kind[2] else "\n") + statement + ";\n"
            last = kind
    return text


def create(schema: Schema, key: Key) -> list[str]:
    """Return the statements, without semicolons, that make what key names.

    A table or domain comes with its parts. Raises Unsupported.
    """
    facts, on = schema.items[key], key.relation
    match key.kind:
        case Kind.TABLE if facts["type"] != "foreign table" and not facts["row_security"]:
            return [_table(schema, key)]
        case Kind.DOMAIN:
            parts = [
                f"CREATE DOMAIN {on} AS {facts['type']}{_default(facts)}{_not_null(facts)}",
                *(f"    {_constraint(schema, part)}" for part in schema.parts(key)),
            ]
            return ["\n".join(parts)]
        case Kind.COLUMN:
            return [f"ALTER TABLE {on} ADD COLUMN {key.name} {facts['type']}{_column(facts)}"]
        case Kind.CONSTRAINT:
            return [f"{_alter(schema, on)} ADD {_constraint(schema, key)}"]
        case Kind.INDEX | Kind.FUNCTION:
            return [facts["definition"]]
        case Kind.TRIGGER:
            state = [] if facts["state"] == "enabled" else [_trigger_state(key, facts)]
            return [facts["definition"], *state]
        case Kind.VIEW:
            options = f" WITH ({facts['options']})" if facts["options"] else ""
            return [f"CREATE {facts['type']} {on}{options} AS\n{facts['definition']}"]
        case Kind.COMMENT:
            return [f"COMMENT ON {key.name} IS {facts['text']}"]
        case Kind.GRANT:
            return _grant(key, facts)
    raise Unsupported(
        f"{key}: the program has no words for it. Write that part by hand, with"
        " `bdaysched generate --empty`"
    )


def drop(schema: Schema, key: Key) -> list[str]:
    """Return the statements that drop what key names, with what is part of it."""
    facts, on = schema.items[key], key.relation
    match key.kind:
        case Kind.TABLE:
            return [f"DROP {'FOREIGN ' * (facts['type'] == 'foreign table')}TABLE {on}"]
        case Kind.DOMAIN:
            return [f"DROP DOMAIN {on}"]
        case Kind.COLUMN:
            return [f"ALTER TABLE {on} DROP COLUMN {key.name}"]
        case Kind.CONSTRAINT:
            return [f"{_alter(schema, on)} DROP CONSTRAINT {key.name}"]
        case Kind.INDEX:
            return [f"DROP INDEX {key.name}"]
        case Kind.FUNCTION:
            return [f"DROP ROUTINE {on}"]
        case Kind.TRIGGER:
            return [f"DROP TRIGGER {key.name} ON {on}"]
        case Kind.VIEW:
            return [f"DROP {facts['type']} {on}"]
        case Kind.COMMENT:
            return [f"COMMENT ON {key.name} IS NULL"]
        case Kind.GRANT:
            return _revoke(key, facts)
    raise Unsupported(f"{key}: the program does not know how to drop it; do that by hand")


def alter(schema: Schema, key: Key, old: Facts) -> list[str] | None:
    """Return the statements that change what key names from old; None if it has to be made anew.

    Raises Unsupported for what can be neither.
    """
    new, on = schema.items[key], key.relation
    differing = {name for name in new if old[name] != new[name]}
    match key.kind:
        case Kind.FUNCTION if differing == {"definition"}:
            return [new["definition"]]
        case Kind.COMMENT:
            return create(schema, key)
        case Kind.GRANT:
            return _revoke(key, old) + _grant(key, new)
        case Kind.TRIGGER if differing == {"state"}:
            return [_trigger_state(key, new)]
        case Kind.CONSTRAINT if old["definition"] == f"{new['definition']} NOT VALID":
            return [f"{_alter(schema, on)} VALIDATE CONSTRAINT {key.name}"]
        case Kind.INDEX if differing == {"valid"}:
            return [f"REINDEX INDEX {key.name}"]
        case Kind.DOMAIN if "type" not in differing:
            return [f"ALTER DOMAIN {on} {change}" for change in _value_changes(old, new)]
        case Kind.COLUMN if "generated" not in differing and not new["generated"]:
            return [
                f"ALTER TABLE {on} ALTER COLUMN {key.name} {change}"
                for change in _type_changes(key, old, new) + _value_changes(old, new)
            ]
        case Kind.TABLE if differing == {"unlogged"}:
            return [f"ALTER TABLE {on} SET {'UNLOGGED' if new['unlogged'] else 'LOGGED'}"]
        case Kind.TABLE | Kind.DOMAIN | Kind.OTHER:
            raise Unsupported(
                f"{key}: {', '.join(sorted(differing))} cannot be changed by itself. Write that"
                " part by hand, with `bdaysched generate --empty`"
            )
    return None


def _table(schema: Schema, table: Key) -> str:
    facts = schema.items[table]
    parts = schema.parts(table)
    columns = [part for part in parts if part.kind is Kind.COLUMN]
    names = max((len(key.name) for key in columns), default=0)
    types = max((len(schema.items[key]["type"]) for key in columns), default=0)
    lines = []
    for part in parts:
        if part.kind is Kind.COLUMN:
            column = schema.items[part]
            aligned = f"{part.name:{names}}  {column['type']:{types}}{_column(column)}"
            lines.append(f"    {aligned.rstrip()}")
        else:
            lines.append(f"    {_constraint(schema, part)}")
    by = f" PARTITION BY {facts['partition_key']}" if facts["partition_key"] else ""
    options = f" WITH ({facts['options']})" if facts["options"] else ""
    unlogged = "UNLOGGED " if facts["unlogged"] else ""
    body = ",\n".join(lines)
    return f"CREATE {unlogged}TABLE {table.relation} (\n{body}\n){by}{options}"


def _column(facts: Facts) -> str:
    collation = f" COLLATE {facts['collation']}" if facts["collation"] else ""
    if facts["generated"]:
        stored = "STORED" if facts["generated"] == "s" else "VIRTUAL"
        value = f" GENERATED ALWAYS AS ({facts['expression']}) {stored}"
    else:
        value = _default(facts)
    return f"{collation}{value}{_identity(facts)}{_not_null(facts)}"


def _default(facts: Facts) -> str:
    return f" DEFAULT {facts['expression']}" if facts["expression"] else ""


def _not_null(facts: Facts) -> str:
    return " NOT NULL" if facts["not_null"] else ""


def _identity(facts: Facts) -> str:
    how = {"a": "ALWAYS", "d": "BY DEFAULT"}.get(facts["identity"])
    return f" GENERATED {how} AS IDENTITY" if how else ""


def _constraint(schema: Schema, key: Key) -> str:
    return f"CONSTRAINT {key.name} {schema.items[key]['definition']}"


def _alter(schema: Schema, relation: str) -> str:
    return f"ALTER {'DOMAIN' if Key(Kind.DOMAIN, relation) in schema.items else 'TABLE'} {relation}"


def _trigger_state(key: Key, facts: Facts) -> str:
    return f"ALTER TABLE {key.relation} {_STATES[facts['state']]} TRIGGER {key.name}"


def _grant(key: Key, facts: Facts) -> list[str]:
    if facts["privileges"] == "none":
        return [f"REVOKE EXECUTE ON {facts['target']} FROM PUBLIC"]
    return [f"GRANT {facts['privileges']} ON {facts['target']} TO {key.name}"]


def _revoke(key: Key, facts: Facts) -> list[str]:
    if facts["privileges"] == "none":
        return [f"GRANT EXECUTE ON {facts['target']} TO PUBLIC"]
    return [f"REVOKE {facts['privileges']} ON {facts['target']} FROM {key.name}"]


def _type_changes(key: Key, old: Facts, new: Facts) -> list[str]:
    if (old["type"], old["collation"]) == (new["type"], new["collation"]):
        return []
    collation = f" COLLATE {new['collation']}" if new["collation"] else ""
    # A default of the old type may have no cast to the new one; the right one is set afterwards.
    default = ["DROP DEFAULT"] if old["expression"] else []
    return [*default, f"TYPE {new['type']}{collation} USING {key.name}::{new['type']}"]


def _value_changes(old: Facts, new: Facts) -> list[str]:
    changes = []
    if old["expression"] != new["expression"] or (new["expression"] and old["type"] != new["type"]):
        changes.append(f"SET DEFAULT {new['expression']}" if new["expression"] else "DROP DEFAULT")
    if old.get("identity") != new.get("identity"):
        changes += ["DROP IDENTITY"] if old["identity"] else []
        changes += [f"ADD{_identity(new)}"] if new["identity"] else []
    if old["not_null"] != new["not_null"]:
        changes.append(f"{'SET' if new['not_null'] else 'DROP'} NOT NULL")
    return changes
