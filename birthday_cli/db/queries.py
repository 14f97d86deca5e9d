"""The SQL files: one query per file, loaded by name."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, LiteralString, cast

from psycopg import sql

_PACKAGE = Path(__file__).resolve().parent.parent


@cache
def directory() -> Path:
    """Return the folder of the SQL files: in the installed package, or beside it in a checkout."""
    inside = _PACKAGE / "sql"
    return inside if inside.is_dir() else _PACKAGE.parent / "sql"


@cache
def query(name: str) -> LiteralString:
    """Return the text of `sql/NAME.sql`. The files are ours, hence as good as literals."""
    text: Any = (directory() / f"{name}.sql").read_text(encoding="utf-8")
    return cast("LiteralString", text)


def compose(name: str, **parts: sql.Composable) -> sql.Composed:
    """Return the query with its `{placeholders}` filled in, for names that can't be parameters."""
    return sql.SQL(query(name)).format(**parts)
