"""Plans as the server explains them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a plan's nodes, each before those below it."""
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes_of(child)


def reads(found: list[dict[str, Any]], table: str) -> list[dict[str, Any]]:
    """Return the nodes that read a table, or the partitions of one."""
    return [
        node
        for node in found
        if node.get("Relation Name", "").startswith(table) and node["Node Type"] != "ModifyTable"
    ]


def conditions(found: list[dict[str, Any]]) -> str:
    """Return everything by which indexes are searched."""
    return " ".join(node.get("Index Cond", "") for node in found)
