"""docs/message-types.md, followed to the letter."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest

import birthday_cli
from birthday_cli.config import Settings
from birthday_cli.domain import rules
from birthday_cli.errors import UsageError
from birthday_cli.pipeline.partitions import months
from birthday_cli.pipeline.plan import plan
from tests.facts import add_user, planned

DOCUMENT = (Path(__file__).parents[2] / "docs" / "message-types.md").read_text()
SCHEMA, CHANGE = re.findall(r"```sql\n(.*?)```", DOCUMENT, re.DOTALL)
[DECLARATION] = re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL)
[WORDING] = re.findall(r"```text\n(.*?)```", DOCUMENT, re.DOTALL)
NOW = datetime(2027, 2, 27, 12, tzinfo=UTC)


@pytest.fixture
def declared(tmp_path: Path) -> Settings:
    folder = tmp_path / "types"
    shutil.copytree(Path(birthday_cli.__file__).parent / "message_types", folder)
    with (folder / "message_types.toml").open("a") as file:
        file.write(DECLARATION)
    (folder / "joined.txt").write_text(WORDING)
    return Settings(message_types=str(folder / "message_types.toml"))


def test_a_third_type(connection: psycopg.Connection, declared: Settings) -> None:
    months.create_locked(connection, NOW, 1)
    connection.execute(SCHEMA)
    user = add_user(connection, "Asia/Kathmandu", None, first_name="Ada", email="ada@example.com")
    connection.execute("UPDATE users SET location_city = 'Lalitpur' WHERE id = %s", (user,))
    plan(connection, NOW, timedelta(hours=48), rules.of(declared))
    connection.execute(CHANGE)
    done = plan(connection, NOW, timedelta(hours=48), rules.of(declared))
    assert done.new == {"BIRTHDAY": 0, "ANNIVERSARY": 0, "JOINED": 1}
    at = datetime.combine(date(2027, 2, 28), time(16, 30), ZoneInfo("Asia/Kathmandu"))
    assert planned(connection) == [
        (date(2027, 2, 28), at, "Ada, it is good to have you with us in Lalitpur.")
    ]


def test_the_index_is_the_one_that_planning_uses(
    connection: psycopg.Connection, declared: Settings
) -> None:
    connection.execute(SCHEMA)
    columns = {kind.date_column for kind in rules.of(declared).message_types}
    rows = connection.execute(
        "SELECT indexdef FROM pg_indexes WHERE tablename = 'users'"
    ).fetchall()
    for column in columns:
        assert any(f"({column}, timezone) WHERE (deleted_at IS NULL)" in row[0] for row in rows)


def _no_column(connection: psycopg.Connection) -> None:
    connection.execute("SELECT")


def _no_constraint(connection: psycopg.Connection) -> None:
    connection.execute(SCHEMA.partition("ALTER TABLE message_logs")[0])


@pytest.mark.parametrize(
    ("prepare", "said"),
    [(_no_column, "no column 'joined_date'"), (_no_constraint, "check_message_type")],
)
def test_a_type_that_the_database_was_not_prepared_for(
    connection: psycopg.Connection,
    declared: Settings,
    prepare: Callable[[psycopg.Connection], None],
    said: str,
) -> None:
    prepare(connection)
    months.create_locked(connection, NOW, 1)
    user = add_user(connection, birthday=None)
    if prepare is _no_constraint:
        connection.execute("UPDATE users SET joined_date = '02-28' WHERE id = %s", (user,))
    with pytest.raises(UsageError, match=f"JOINED.*{said}.*docs/message-types.md"):
        plan(connection, NOW, timedelta(hours=48), rules.of(declared))


def test_a_send_time_in_quiet_hours_is_refused(declared: Settings) -> None:
    with pytest.raises(
        UsageError, match=r"JOINED is sent at 16:30, within QUIET_HOURS=16:00-17:00"
    ):
        rules.of(replace(declared, quiet_hours="16:00-17:00"))
