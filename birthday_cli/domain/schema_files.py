"""The difference of two schemas as migrations that let others read and write meanwhile."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum

from birthday_cli.domain.schema import Facts, Key, Kind, Schema
from birthday_cli.domain.schema_diff import Action, Step, steps
from birthday_cli.domain.schema_drift import concurrently, only
from birthday_cli.domain.schema_sql import Unsupported
from birthday_cli.domain.statements import NO_TRANSACTION

_UNIQUE = re.compile(
    r"(?P<kind>UNIQUE|PRIMARY KEY)(?P<nulls> NULLS NOT DISTINCT)? (?P<columns>\([^)]*\)"
    r"(?: INCLUDE \([^)]*\))?)(?P<rest>.*)"
)


class Stage(IntEnum):
    """When a statement is due. What stands in one stage is one file, except at those of indexes."""

    QUICK = 0
    BUILD = 1
    AFTER_BUILDING = 2
    VALIDATE = 3
    DROP_INDEX = 4
    FINISH = 5


_TITLES = {
    Stage.QUICK: "",
    Stage.AFTER_BUILDING: "use",
    Stage.VALIDATE: "validate",
    Stage.FINISH: "finish",
}
_WHY = {
    Stage.VALIDATE: "-- Others read and write while this looks at every row.\n",
}


@dataclass(frozen=True)
class Draft:
    """A migration that is to be written: what its name says besides the given one, and its text."""

    title: str
    text: str


@dataclass
class _Plan:
    stages: dict[Stage, list[str]] = field(default_factory=dict)
    builds: list[tuple[str, str]] = field(default_factory=list)
    drops: list[tuple[str, str]] = field(default_factory=list)
    stage_of: dict[Key, Stage] = field(default_factory=dict)

    def add(self, stage: Stage, *statements: str) -> None:
        self.stages.setdefault(stage, []).extend(statements)


def drafts(old: Schema, new: Schema, renames: Iterable[str] = ()) -> list[Draft]:
    """Return the migrations from old to new, in order; renames are statements that come first.

    old is the schema after those. An index on a table that exists is built CONCURRENTLY in a file
    of its own; on a partitioned table it is made ON ONLY that, and `migrate` builds the rest. CHECK
    and FOREIGN KEY are added NOT VALID and validated in a later file where PostgreSQL allows it, a
    UNIQUE constraint uses an index that was built before, and NOT NULL follows a validated CHECK.
    Raises Unsupported.
    """
    plan = _Plan()
    plan.add(Stage.QUICK, *renames)
    for step in steps(old, new):
        _place(plan, step, old, new)
    return list(_files(plan))


def _place(plan: _Plan, step: Step, old: Schema, new: Schema) -> None:
    key = step.key
    lives = (
        Key(Kind.TABLE, key.relation) in old.items and Key(Kind.TABLE, key.relation) in new.items
    )
    if step.action is Action.DROP:
        _place_drop(plan, step, old, new, lives)
        return
    needed = [plan.stage_of.get(need, Stage.QUICK) for need in new.needs.get(key, ())]
    earliest = max([*needed, Stage.QUICK])
    if earliest is Stage.BUILD:
        earliest = Stage.AFTER_BUILDING
    stage = earliest
    if key.kind is Kind.INDEX and step.action is Action.CREATE and lives:
        stage = Stage.BUILD
        (statement,) = step.statements
        if new.is_partitioned(key.relation):
            plan.builds.append((key.name, _in_partitions(statement)))
        else:
            plan.builds.append((key.name, _alone(concurrently(statement))))
    elif key.kind is Kind.CONSTRAINT and step.action is Action.CREATE:
        stage = _place_constraint(plan, step, new, earliest, lives)
    elif key.kind is Kind.COLUMN:
        _place_column(plan, step, new, earliest)
    else:
        plan.add(earliest, *step.statements)
    plan.stage_of[key] = stage


def _place_drop(plan: _Plan, step: Step, old: Schema, new: Schema, lives: bool) -> None:
    key = step.key
    if key.kind is Kind.INDEX and lives:
        name = key.name
        if key in new.items:
            # The old one serves until the new one is there.
            name = _suffixed(name, "_old")
            rename = f"ALTER INDEX {key.name} RENAME TO {name}"
            plan.add(Stage.QUICK, _permitted("renaming-object", "no client names an index", rename))
        if old.is_partitioned(key.relation):
            plan.add(
                Stage.FINISH,
                _permitted(
                    "require-concurrent-index-deletion",
                    "PostgreSQL drops none of a partitioned table CONCURRENTLY",
                    f"DROP INDEX IF EXISTS {name}",
                ),
            )
        else:
            plan.drops.append((name, _alone(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")))
        return
    holds = key.kind in (Kind.COLUMN, Kind.TABLE, Kind.FUNCTION, Kind.DOMAIN)
    plan.add(Stage.FINISH if holds and key not in new.items else Stage.QUICK, *step.statements)


def _place_constraint(plan: _Plan, step: Step, new: Schema, earliest: Stage, lives: bool) -> Stage:
    key = step.key
    facts = new.items[key]
    (statement,) = step.statements
    is_domain = Key(Kind.DOMAIN, key.relation) in new.items
    partitioned = new.is_partitioned(key.relation)
    if not lives and not is_domain:
        plan.add(earliest, statement)
        return earliest
    if facts["type"] in ("c", "f") and not (facts["type"] == "f" and partitioned):
        if facts["definition"].endswith("NOT VALID"):
            plan.add(earliest, statement)
            return earliest
        plan.add(earliest, f"{statement} NOT VALID")
        relation = f"{'DOMAIN' if is_domain else 'TABLE'} {key.relation}"
        plan.add(Stage.VALIDATE, f"ALTER {relation} VALIDATE CONSTRAINT {key.name}")
        return earliest
    parts = _UNIQUE.fullmatch(facts["definition"])
    if parts and not partitioned:
        index = (
            f"CREATE UNIQUE INDEX CONCURRENTLY {key.name} ON {key.relation} {parts['columns']}"
            f"{parts['nulls'] or ''}"
        )
        plan.builds.append((key.name, _alone(index)))
        plan.add(
            Stage.AFTER_BUILDING,
            f"ALTER TABLE {key.relation} ADD CONSTRAINT {key.name} {parts['kind']} USING INDEX"
            f" {key.name}{parts['rest']}",
        )
        return Stage.AFTER_BUILDING
    plan.add(earliest, statement)
    return earliest


def _place_column(plan: _Plan, step: Step, new: Schema, earliest: Stage) -> None:
    key, facts = step.key, new.items[step.key]
    if step.action is Action.CREATE and facts["not_null"] and not _has_value(facts):
        raise Unsupported(
            f"{key}: it is NOT NULL and has no DEFAULT, which no row that is there can obey. Give"
            " it a DEFAULT, or add it without NOT NULL first"
        )
    for statement in step.statements:
        if step.action is Action.CREATE or not statement.endswith("SET NOT NULL"):
            plan.add(earliest, statement)
            continue
        # With the validated CHECK, SET NOT NULL need not look at the rows under its lock.
        table, check = f"ALTER TABLE {key.relation}", _suffixed(key.name, "_is_set")
        plan.add(
            earliest, f"{table} ADD CONSTRAINT {check} CHECK ({key.name} IS NOT NULL) NOT VALID"
        )
        plan.add(Stage.VALIDATE, f"{table} VALIDATE CONSTRAINT {check}")
        plan.add(
            Stage.FINISH,
            _permitted("adding-not-nullable-field", f"{check} was validated", statement),
            _permitted(
                "ban-drop-constraint", "NOT NULL says the same", f"{table} DROP CONSTRAINT {check}"
            ),
        )


def _permitted(rule: str, why: str, statement: str) -> str:
    """Return a statement that tells `schema lint` why it may break a rule."""
    return f"-- lint: allow {rule}: {why}\n{statement}"


def _has_value(facts: Facts) -> bool:
    return bool(facts["expression"] or facts["identity"])


def _suffixed(name: str, suffix: str) -> str:
    if name.startswith('"'):
        return f'"{name[1:-1][: 63 - len(suffix)]}{suffix}"'
    return name[: 63 - len(suffix)] + suffix


def _in_partitions(statement: str) -> str:
    return (
        "-- `migrate` then builds it in every partition that is there, CONCURRENTLY.\n"
        f"{only(statement)};\n"
    )


def _alone(statement: str) -> str:
    return f"{NO_TRANSACTION}\n{statement};\n"


def _files(plan: _Plan) -> Iterable[Draft]:
    title, text, last = "", "", None
    for stage in Stage:
        if stage in (Stage.BUILD, Stage.DROP_INDEX):
            alone = plan.builds if stage is Stage.BUILD else plan.drops
            if alone and text:
                yield Draft(title, text)
                text = ""
            verb = "build" if stage is Stage.BUILD else "drop"
            for name, content in alone:
                yield Draft(f"{verb}_{re.sub('[^a-z0-9]+', '_', name.lower()).strip('_')}", content)
        elif statements := plan.stages.get(stage):
            # What looks at every row is not to do so under the locks of what was done before.
            if text and Stage.VALIDATE in (stage, last):
                yield Draft(title, text)
                text = ""
            title = title if text else _TITLES[stage]
            text += _WHY.get(stage, "") * (not text) + "".join(f"{one};\n" for one in statements)
            last = stage
    if text:
        yield Draft(title, text)
