"""Write sql/schema.sql: the whole schema, as the migrations build it."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from birthday_cli.config import Settings
from birthday_cli.db.connect import database
from birthday_cli.domain import schema_sql
from birthday_cli.errors import BdayschedError
from birthday_cli.pipeline.schema import build


@dataclass(frozen=True)
class Dumped:
    """The file, and how it differed from what the migrations build; empty if it did not."""

    path: str
    difference: str


def dump(settings: Settings, dry_run: bool = False) -> Dumped:
    """Write sql/schema.sql, unless it says the same already.

    Raises what making a scratch database raises, and BdayschedError when the file can't be written.
    """
    with database(settings) as conninfo:
        text = schema_sql.dump(build.from_migrations(settings, conninfo))
    path = build.schema_file()
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    lines = difflib.unified_diff(
        before.splitlines(), text.splitlines(), path.name, "what the migrations build", lineterm=""
    )
    if not dry_run and before != text:
        write(text)
    return Dumped(str(path), "\n".join(lines))


def write(text: str) -> None:
    """Write sql/schema.sql, whole or not at all."""
    path = build.schema_file()
    beside = path.with_suffix(".new")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError as problem:
        raise BdayschedError(f"{path} cannot be written: {problem}") from problem
