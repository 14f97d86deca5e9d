"""Who may import whom: cli → pipeline → {db, brokers, channels, archives, telemetry} → domain."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import birthday_cli

PACKAGE = Path(birthday_cli.__file__).parent
BASE = {"config", "errors", "birthday_cli"}
MAY_IMPORT = {
    "config": {"errors", "birthday_cli"},
    "errors": set(),
    "birthday_cli": set(),
    "domain": BASE | {"domain"},
    "db": BASE | {"domain", "db"},
    # The queue of brokers/postgres is the database.
    "brokers": BASE | {"domain", "brokers", "db"},
    "channels": BASE | {"domain", "channels"},
    "archives": BASE | {"domain", "archives"},
    "telemetry": BASE | {"domain", "telemetry"},
    "pipeline": BASE | {"domain", "db", "brokers", "channels", "archives", "telemetry", "pipeline"},
    # What use cases found, in words: for cli and studio, which only lay it out.
    "telling": BASE | {"domain", "pipeline", "telling"},
    # Pages beside the commands, over the same use cases; only its own command knows it.
    "studio": BASE | {"domain", "pipeline", "telling", "studio"},
    # Only values that name choices; the rest goes through use cases.
    "cli": BASE | {"domain", "pipeline", "telemetry", "telling", "studio", "cli"},
}
FILES = sorted(PACKAGE.rglob("*.py"))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _room(path: Path) -> str:
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "birthday_cli" if room == "__init__" else room


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_imports_only_from_the_rooms_below(path: Path) -> None:
    for name in _imports(path):
        parts = name.split(".")
        if parts[0] == "birthday_cli":
            rooms = {file.stem if file.is_file() else file.name for file in PACKAGE.iterdir()}
            room = parts[1] if len(parts) > 1 and parts[1] in rooms else "birthday_cli"
            allowed = MAY_IMPORT[_room(path)]
            assert room in allowed, f"{_room(path)} imports {name}"


@pytest.mark.parametrize("name", ["config", "errors"])
def test_config_and_errors_import_only_the_standard_library(name: str) -> None:
    for imported in _imports(PACKAGE / f"{name}.py"):
        top = imported.split(".")[0]
        assert top in sys.stdlib_module_names | {"birthday_cli"}, imported


def test_only_the_rabbitmq_broker_imports_pika() -> None:
    users = {
        str(path.relative_to(PACKAGE))
        for path in FILES
        if any(name.split(".")[0] == "pika" for name in _imports(path))
    }
    assert {user for user in users if not user.startswith("brokers/rabbitmq")} == set()


def test_only_the_files_of_archives_import_pyarrow_and_fsspec() -> None:
    """They come with an extra, and take a while to import."""
    users = {
        path.relative_to(PACKAGE).parts[0]
        for path in FILES
        if {name.split(".")[0] for name in _imports(path)} & {"pyarrow", "fsspec"}
    }
    assert users == {"archives"}


def test_the_domain_reads_no_clock_and_does_no_io() -> None:
    forbidden = {"now", "today", "time_ns", "open", "print", "connect"}
    pure = {"zones.py"}  # opens the data files of the tzdata package, once
    for path in (PACKAGE / "domain").glob("*.py"):
        if path.name in pure:
            continue
        calls = {
            node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call)
        }
        assert not calls & forbidden, path.name
