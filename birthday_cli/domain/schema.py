"""A database's schema as plain values, and the order in which its objects can be made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple


class Kind(StrEnum):
    """The kinds of objects that are compared; OTHER is what the program has no words for."""

    DOMAIN = "domain"
    TABLE = "table"
    COLUMN = "column"
    CONSTRAINT = "constraint"
    INDEX = "index"
    TRIGGER = "trigger"
    VIEW = "view"
    FUNCTION = "function"
    COMMENT = "comment"
    GRANT = "grant"
    OTHER = "other"


class Key(NamedTuple):
    """What an object is known by, quoted where SQL wants it.

    `relation` is the table, view, domain or function that it is or belongs to.
    """

    kind: Kind
    relation: str
    name: str = ""

    def __str__(self) -> str:
        if self.kind is Kind.COMMENT:
            return f"comment on {self.name}"
        if self.kind is Kind.GRANT:
            return f"rights of {self.name} on {self.relation}"
        if self.kind is Kind.OTHER:
            return self.name
        if self.kind is Kind.COLUMN:
            return f"column {self.relation}.{self.name}"
        return (
            f"{self.kind} {self.name} on {self.relation}"
            if self.name
            else (f"{self.kind} {self.relation}")
        )


# What is compared of an object, as the catalog's own functions tell it.
Facts = Mapping[str, Any]

# What stands before what where nothing needs the other. A function comes earlier when a table needs
# it, and its text may name any table.
_BLOCKS = {Kind.DOMAIN: 0, Kind.TABLE: 1, Kind.VIEW: 2, Kind.FUNCTION: 3}


@dataclass(frozen=True)
class Schema:
    """Everything in a schema, and what needs what; columns are in the order of their table."""

    items: dict[Key, Facts] = field(default_factory=dict)
    needs: dict[Key, set[Key]] = field(default_factory=dict)

    def of(self, kind: Kind, relation: str) -> list[Key]:
        """Return the objects of a kind that belong to relation."""
        return [key for key in self.items if key.kind is kind and key.relation == relation]

    def is_partitioned(self, relation: str) -> bool:
        """Whether relation is a partitioned table."""
        facts = self.items.get(Key(Kind.TABLE, relation), {})
        return bool(facts.get("type") == "partitioned table")

    def owner(self, key: Key) -> Key:
        """Return the table or domain that key is made together with, else key itself.

        That is so for columns and for constraints but foreign keys, since two of those may cross.
        """
        inline = key.kind is Kind.COLUMN or (
            key.kind is Kind.CONSTRAINT and self.items[key]["type"] != "f"
        )
        for kind in (Kind.TABLE, Kind.DOMAIN):
            if inline and Key(kind, key.relation) in self.items:
                return Key(kind, key.relation)
        return key

    def parts(self, owner: Key) -> list[Key]:
        """Return what is made together with a table or domain: columns, then constraints."""
        constraints = [
            key for key in self.of(Kind.CONSTRAINT, owner.relation) if self.owner(key) == owner
        ]
        constraints.sort(key=lambda key: ("pucxn".index(self.items[key]["type"]), key.name))
        return self.of(Kind.COLUMN, owner.relation) + constraints

    def ordered(self, keys: Iterable[Key]) -> list[Key]:
        """Return keys so that each comes after those that it needs; beside that, to be read.

        What is made together with a table or domain that is among them is left out.
        """
        wanted = set(keys)

        def whole(key: Key) -> Key:
            owner = self.owner(key)
            return owner if owner in wanted else key

        needs: dict[Key, set[Key]] = {}
        for key in self.items:
            table = {Key(Kind.TABLE, key.relation)} if key.kind is Kind.COLUMN else set()
            needs.setdefault(whole(key), set()).update(
                whole(need) for need in self.needs.get(key, set()) | table
            )
        order = self._reading_order()
        found: list[Key] = []
        seen: set[Key] = set()

        def visit(key: Key) -> None:
            if key in seen:
                return
            seen.add(key)
            for need in sorted(needs[key], key=order):
                visit(need)
            if key in wanted:
                found.append(key)

        for key in sorted({whole(key) for key in wanted}, key=order):
            visit(key)
        return found

    def dependents(self, keys: Iterable[Key]) -> set[Key]:
        """Return everything that needs one of keys, directly or not."""
        found: set[Key] = set()
        waiting = set(keys)
        while waiting:
            waiting = {
                key for key, needed in self.needs.items() if needed & waiting and key not in found
            }
            found |= waiting
        return found

    def _reading_order(self) -> Callable[[Key], Any]:
        blocks = {key.relation: _BLOCKS[key.kind] for key in self.items if key.kind in _BLOCKS}
        place = {key: number for number, key in enumerate(self.items)}
        kinds = list(Kind)

        def order(key: Key) -> Any:
            column = place[key] if key.kind is Kind.COLUMN else 0
            block = blocks.get(key.relation, len(_BLOCKS))
            return block, key.relation, kinds.index(key.kind), column, key.name

        return order
