"""docker-compose.yml, as Compose itself reads it; no engine runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_FILE = _ROOT / "docker-compose.yml"
_URL = re.compile(r"\b((?:DATABASE|BROKER|REDIS)_URL)=['\"]?([a-z]+://[^\s'\"]*)")


def _unpacked() -> Path:
    """Return where tests/servers/install.sh leaves the program if it had to get one."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache, "bdaysched", "docker-compose")


def _compose() -> Sequence[str]:
    for command in (["docker", "compose"], ["docker-compose"], [str(_unpacked())]):
        try:
            version = subprocess.run(
                [*command, "version", "--short"], capture_output=True, text=True, check=True
            ).stdout
        except (OSError, subprocess.CalledProcessError):
            continue
        if tuple(int(part) for part in re.findall(r"\d+", version)[:3]) >= (2, 23, 1):
            return command
    pytest.fail("Docker Compose 2.23.1 or newer is missing: `make test` gets it", pytrace=False)


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    done = subprocess.run(
        [*_compose(), "--file", _FILE, "config", "--format", "json"],
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    read: dict[str, Any] = json.loads(done.stdout)
    return read


@pytest.mark.parametrize(
    ("service", "image"),
    [
        ("postgres", "postgres:15"),
        ("rabbitmq", "rabbitmq:3.13-management"),
        ("redis", "redis:7"),
        ("pgadmin", "dpage/pgadmin4:9"),
    ],
)
def test_images_are_of_the_promised_versions(
    compose: dict[str, Any], service: str, image: str
) -> None:
    assert compose["services"][service]["image"] == image


def test_every_port_is_on_loopback(compose: dict[str, Any]) -> None:
    published = {
        (port["host_ip"], int(port["published"]))
        for service in compose["services"].values()
        for port in service["ports"]
    }
    assert published == {("127.0.0.1", port) for port in (5432, 5672, 15672, 6379, 5050)}


def test_every_service_says_whether_it_is_healthy(compose: dict[str, Any]) -> None:
    assert all(service["healthcheck"]["test"] for service in compose["services"].values())


def test_whoever_waits_for_a_service_waits_until_it_is_healthy(compose: dict[str, Any]) -> None:
    conditions = [
        needed["condition"]
        for service in compose["services"].values()
        for needed in service.get("depends_on", {}).values()
    ]
    assert conditions == ["service_healthy"]


def test_all_data_are_in_named_volumes(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert [volume["type"] for volume in service["volumes"]] == ["volume"]
        assert service["volumes"][0]["source"] in compose["volumes"]


def test_pgadmin_knows_the_server_and_its_password(compose: dict[str, Any]) -> None:
    pgadmin = compose["services"]["pgadmin"]["environment"]
    postgres = compose["services"]["postgres"]["environment"]
    assert pgadmin["PGADMIN_DEFAULT_EMAIL"] == "admin@birthday-app.local"
    assert "'local'" in pgadmin["PGADMIN_CONFIG_ALLOW_SPECIAL_EMAIL_DOMAINS"]
    files = {
        mounted["target"]: compose["configs"][mounted["source"]]["content"]
        for mounted in compose["services"]["pgadmin"]["configs"]
    }
    (server,) = json.loads(files["/pgadmin4/servers.json"])["Servers"].values()
    assert (server["Host"], server["Port"]) == ("postgres", 5432)
    assert (server["MaintenanceDB"], server["Username"]) == ("birthday_app", "postgres")
    assert server["MaintenanceDB"] == postgres["POSTGRES_DB"]
    host, port, _, user, password = files[pgadmin["PGPASS_FILE"]].strip().split(":")
    assert (host, int(port), user) == (server["Host"], server["Port"], server["Username"])
    assert password == postgres["POSTGRES_PASSWORD"]


def test_the_urls_that_we_give_reach_these_services(compose: dict[str, Any]) -> None:
    postgres = compose["services"]["postgres"]["environment"]
    rabbitmq = compose["services"]["rabbitmq"]["environment"]
    database = "postgresql://{POSTGRES_USER}:{POSTGRES_PASSWORD}@127.0.0.1:5432/{POSTGRES_DB}"
    broker = "amqp://{RABBITMQ_DEFAULT_USER}:{RABBITMQ_DEFAULT_PASS}@127.0.0.1:5672/"
    right = {
        "DATABASE_URL": database.format(**postgres),
        "BROKER_URL": broker.format(**rabbitmq),
        "REDIS_URL": "redis://127.0.0.1:6379/0",
    }
    assert dict(_URL.findall(_FILE.read_text())) == right
    for name, url in _URL.findall((_ROOT / "README.md").read_text()):
        if "127.0.0.1" in url or "localhost" in url:
            assert url == right[name]
