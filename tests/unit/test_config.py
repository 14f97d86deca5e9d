from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from birthday_cli import config
from birthday_cli.config import Settings
from birthday_cli.errors import UsageError


def test_without_anything_the_defaults_hold(tmp_path: Path) -> None:
    assert config.load({}, tmp_path / ".env") == Settings()


def test_the_environment_wins_over_dotenv_and_files_carry_secrets(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("whsec_abc\n")
    dotenv = tmp_path / ".env"
    dotenv.write_text(
        "# a comment\n\nexport DATABASE_URL='postgresql://a'\nBROKER_URL=amqp://b\n"
        f"DELIVERY_SECRET_FILE={secret}\n"
    )
    loaded = config.load({"BROKER_URL": "amqp://c"}, dotenv)
    assert loaded.database_url == "postgresql://a"
    assert loaded.broker_url == "amqp://c"
    assert loaded.delivery_secret == "whsec_abc"


def test_a_secret_file_in_the_environment_wins_over_a_value_in_dotenv(tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("postgresql://file")
    dotenv = tmp_path / ".env"
    dotenv.write_text("DATABASE_URL=postgresql://dotenv")
    loaded = config.load({"DATABASE_URL_FILE": str(secret)}, dotenv)
    assert loaded.database_url == "postgresql://file"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_POOL_MAX", "many"),
        ("DATABASE_POOL_MAX", "0"),
        ("DATABASE_POOL_MAX", "2.5"),
        ("WORKER_LEASE", "soon"),
        ("WORKER_LEASE", "-5s"),
        ("DELIVERY_SECRET_FILE", "/nowhere/at/all"),
    ],
)
def test_a_wrong_value_is_named(name: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        config.load({name: value}, tmp_path / ".env")
    assert name in str(refused.value)
    assert value in str(refused.value)


def test_a_line_of_dotenv_that_is_none_is_named(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("A=1\nDATABASE_URL\n")
    with pytest.raises(UsageError, match="line 2"):
        config.load({}, dotenv)


@pytest.mark.parametrize(
    ("text", "expected"), [("90", 90), ("90s", 90), ("1.5m", 90), ("48h", 172_800), ("7d", 604_800)]
)
def test_times_may_have_units(text: str, expected: float, tmp_path: Path) -> None:
    assert config.load({"WORKER_LEASE": text}, tmp_path / ".env").worker_lease == expected


def test_the_clock_starts_where_it_is_told_and_runs_on() -> None:
    clock = config.clock(replace(Settings(), bdaysched_now="2027-03-01T10:00:00+01:00"))
    first, second = clock.now(), clock.now()
    start = datetime(2027, 3, 1, 9, tzinfo=UTC)
    assert start <= first <= second < start + timedelta(minutes=5)


@pytest.mark.parametrize("text", ["tomorrow", "2027-03-01T10:00:00"])
def test_a_clock_needs_an_instant(text: str) -> None:
    with pytest.raises(UsageError, match="BDAYSCHED_NOW"):
        config.clock(replace(Settings(), bdaysched_now=text))
