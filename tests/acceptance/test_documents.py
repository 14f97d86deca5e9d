"""Every command in README and docs: run as it stands, or listed here with the reason why not."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg
import pytest

import birthday_cli
from birthday_cli.archives import csv_gzip, formats
from birthday_cli.domain.states import MOVES
from birthday_cli.pipeline import units
from birthday_cli.pipeline.partitions.archive import archive
from tests import commands, documents
from tests.acceptance.conftest import PROGRAM, Program, write
from tests.acceptance.test_units import INSTALLATION
from tests.archiving import NAME, fill, take_away
from tests.integration import test_third_type
from tests.servers import process
from tests.servers.rabbitmq import RabbitNode

CONTAINERS = "there is no container engine here; tests/integration/test_compose.py has the file"
SYSTEMD = "systemd does not run here; tests/acceptance/test_deploy.py has the units' names"
INSTALLS = "changes the machine that the tests run on"
MINUTES = "takes minutes, and is run by hand"
# What `units` says that is to be done with its files.
NEXT = [
    documents.without_comment(line)
    for line in units.next_commands(
        replace(INSTALLATION, archive="/srv/birthdays"), "units", cron=False
    )
]
NOT_RUN = {
    "make demo": "tests/acceptance/test_embedded_default.py runs `bdaysched demo`",
    "make test": "is what runs this",
    "pip install .": "tests/acceptance/test_wheel.py installs it in a clean environment",
    "docker compose up -d": CONTAINERS,
    **dict.fromkeys(
        [
            "apt-get install postgresql rabbitmq-server python3-venv",
            "python3 -m venv /opt/bdaysched",
            "/opt/bdaysched/bin/pip install '.[archive,redis]'",
            "ln -s /opt/bdaysched/bin/bdaysched /usr/local/bin/",
            "sudo -u postgres createuser --createdb --pwprompt birthday_owner",
            "sudo -u postgres createdb --owner birthday_owner birthday_app",
            "rabbitmqctl add_user birthday development",
            "rabbitmqctl set_permissions birthday '.*' '.*' '.*'",
            "useradd --system --home-dir /etc/bdaysched bdaysched",
        ],
        INSTALLS,
    ),
    "ssh -L 4983:127.0.0.1:4983 plan-1.example.com": "there is no such host",
    "make drill": MINUTES,
    ".venv/bin/python -m tests.drill --brokers postgres --messages 2000 --minutes 1.5 --seed 7": (
        MINUTES
    ),
    ".venv/bin/python -m tests.drill --only 'kill worker' --only 'kill scheduler' --json": MINUTES,
    ".venv/bin/python -m tests.drill --brokers cluster --rabbitmq-root DIR": MINUTES,
    ".venv/bin/python -m benchmarks.partitions --rows 20000000": MINUTES,
    **dict.fromkeys(
        [
            *NEXT,
            "systemctl status postgresql",
            "systemctl status rabbitmq-server",
            "systemctl list-timers bdaysched-schedule.timer",
            "systemctl list-timers bdaysched-create-partitions.timer",
            "systemctl list-timers bdaysched-metrics.timer",
            "systemctl enable --now bdaysched-schedule.timer",
            "systemctl restart bdaysched-worker@1.service",
            "systemctl enable --now bdaysched-worker@2.service",
            "journalctl -u bdaysched-schedule --since -15min",
            "journalctl -u bdaysched-schedule --since -30min",
            "journalctl -u bdaysched-metrics --since -15min",
            "journalctl -u bdaysched-metrics --since -30min",
            "journalctl -u bdaysched-worker@1 --since -15min",
            "journalctl -u bdaysched-worker@1 --since -30min",
            "journalctl -u bdaysched-create-partitions --since -40d",
        ],
        SYSTEMD,
    ),
}
TRIED_BY = {
    ("docs/archive.md", "sql"): "tests/integration/test_archive_docs.py",
    ("docs/archive.md", "python"): "tests/integration/test_archive_docs.py",
    ("docs/message-types.md", "sql"): "tests/integration/test_third_type.py",
    ("docs/message-types.md", "toml"): "tests/integration/test_third_type.py",
    ("docs/roles.md", "sql"): "tests/integration/test_roles.py",
}
RUN = [page for page in documents.PAGES if any(b.kind == "sh" for b in documents.blocks(page))]
PEOPLE = """first_name,last_name,email,timezone,birthday_date
Ada,Lovelace,ada@example.com,Europe/London,12-10
Grace,Hopper,grace@example.com,America/New_York,12-09
"""


@dataclass
class World:
    """What a page takes for granted: settings, and what it is called here."""

    environment: dict[str, str]
    instead: dict[str, str] = field(default_factory=dict)
    is_reference: bool = False


@pytest.fixture
def looked_up(program: Program) -> World:
    return World(program.environment, is_reference=True)


@pytest.fixture
def migrated(program: Program) -> World:
    return World(program.environment)


@pytest.fixture
def beginning(program: Program, empty_database: str, rabbitmq: RabbitNode) -> World:
    """A database with nothing in it, a RabbitMQ, and a file of users."""
    write("people.csv", PEOPLE)
    return World(
        {"BROKER_QUEUE": program.environment["BROKER_QUEUE"]},
        {
            "postgresql://postgres:development@127.0.0.1:5432/birthday_app": empty_database,
            "amqp://birthday:development@127.0.0.1:5672/": rabbitmq.url,
        },
    )


@pytest.fixture
def first_steps(beginning: World) -> World:
    """The same, and a port for the receiver."""
    port = {"8025": str(process.free_port())}
    return World(beginning.environment, {**beginning.instead, **port})


@pytest.fixture
def archived(program: Program, monkeypatch: pytest.MonkeyPatch) -> World:
    """A month that was archived as CSV and dropped, with its files here, too."""
    folder = Path("months").absolute()
    url = program.environment["DATABASE_URL"]
    monkeypatch.setattr(formats, "known", lambda: [csv_gzip])
    with psycopg.connect(url, autocommit=True, options="-c TimeZone=UTC") as connection:
        fill(connection)
        file = Path(archive(connection, NAME, str(folder), "me").file)
        take_away(connection)
    shutil.copy(file, file.name)
    return World(program.environment, {"message_logs_2026_03": NAME, "/backup/months": str(folder)})


@pytest.fixture
def with_a_third_type(program: Program, tmp_path: Path) -> World:
    with psycopg.connect(program.environment["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(test_third_type.SCHEMA.encode())
    folder = tmp_path / "bdaysched"
    shutil.copytree(Path(birthday_cli.__file__).parent / "message_types", folder)
    with (folder / "message_types.toml").open("a") as file:
        file.write(test_third_type.DECLARATION)
    (folder / "joined.txt").write_text(test_third_type.WORDING)
    return World(program.environment, {"/etc/bdaysched": str(folder)})


WORLDS = {
    "README.md": "beginning",
    "docs/archive.md": "archived",
    "docs/getting-started.md": "first_steps",
    "docs/message-types.md": "with_a_third_type",
    "docs/runbook.md": "looked_up",
}


@pytest.mark.parametrize("page", RUN)
@pytest.mark.usefixtures("program")
def test_the_commands_of_a_page_run_as_they_stand(
    page: str, request: pytest.FixtureRequest
) -> None:
    world: World = request.getfixturevalue(WORLDS.get(page, "migrated"))
    path = f"{PROGRAM.parent}:/usr/bin:/bin"
    environment = {"PATH": path, **world.environment}
    documents.run(page, environment, world.instead, world.is_reference)


def test_what_is_not_run_is_listed_here_and_nothing_else() -> None:
    typed = {
        line
        for page in documents.PAGES
        for block in documents.blocks(page)
        if block.kind == "console"
        for line in documents.typed(block)
    }
    ours = {line for line in typed if line.startswith("bdaysched ")}
    assert typed - ours == set(NOT_RUN)
    for line in ours:
        commands.parse(line)


def test_a_block_is_of_a_kind_that_somebody_tries() -> None:
    for page in documents.PAGES:
        for block in documents.blocks(page):
            if (page, block.kind) in TRIED_BY:
                tried_by = (documents.ROOT / TRIED_BY[page, block.kind]).read_text()
                assert Path(page).name in tried_by
            else:
                assert block.kind in ("sh", "console", "crontab", "text"), f"{page} {block.line}"
        assert not re.search(r"^\n    \S", documents.read(page), re.MULTILINE), page


def codes() -> Iterator[tuple[str, str]]:
    """Yield each page and command in its text: what begins with the program, or has options."""
    names = {command[0] for command in commands.every()}
    for page in documents.PAGES:
        # What has other tools' options beside ours.
        ours = set() if page == "docs/compared.md" else names
        for code in documents.inline(page):
            first, _, rest = code.partition(" ")
            if (first == "bdaysched" and rest) or (first in ours and " -" in code):
                yield page, code


def test_a_command_in_the_text_has_the_options_that_it_is_given_there() -> None:
    found = list(codes())
    assert len(found) >= 40
    for page, code in found:
        assert commands.unknown_options(code) == set(), f"{page}: {code}"


def test_a_crontab_on_a_page_is_that_of_units() -> None:
    written = {
        line.lstrip("#").split("&&")[0].partition(" cd ")[0]: line
        for line in units.crontab(INSTALLATION).splitlines()
    }
    for page in documents.PAGES:
        for block in documents.blocks(page):
            for line in block.text.splitlines() if block.kind == "crontab" else ():
                *fields, command = line.split(maxsplit=5)
                commands.parse(command)
                assert command.split()[1] in written[" ".join(fields)], f"{page}: {line}"


def test_a_link_leads_to_something_that_is_there() -> None:
    for page in documents.PAGES:
        here = (documents.ROOT / page).parent
        for target in re.findall(r"\]\(([^)\s]+)\)", documents.read(page)):
            path, _, anchor = target.partition("#")
            if "://" in target:
                continue
            assert not path or (here / path).exists(), f"{page}: {target}"
            if anchor:
                other = (here / path).read_text() if path else documents.read(page)
                titles = re.findall(r"^#+ (.*)$", other, re.MULTILINE)
                assert anchor in {title.lower().replace(" ", "-") for title in titles}, target


def test_each_page_is_on_the_list_of_pages() -> None:
    there = {Path(page).name for page in documents.PAGES if page.startswith("docs/")}
    listed = set(re.findall(r"\]\((\S+\.md)\)", documents.read("docs/README.md")))
    assert listed == there - {"README.md"}


def test_the_table_of_states_is_that_of_the_program() -> None:
    rows = re.findall(
        r"^\| ([A-Z]+) \| ?([A-Z, ]*)\|$", documents.read("docs/architecture.md"), re.M
    )
    told = {name: {*filter(None, re.split(r"[, ]+", to))} for name, to in rows}
    assert told == {str(state): {*map(str, moves)} for state, moves in MOVES.items()}


def test_each_picture_is_on_a_page_and_asks_no_other_host() -> None:
    folder = documents.ROOT / "docs" / "screenshots"
    pages = "".join(map(documents.read, documents.PAGES))
    for picture in folder.iterdir():
        assert f"screenshots/{picture.name}" in pages
        if picture.suffix == ".svg":
            assert set(re.findall(r"\w+://[^\s\"'<)]*", picture.read_text())) == {
                "http://www.w3.org/2000/svg"
            }
