"""The units and the crontab: what systemd and cron say of them, and each command as it stands.

systemd itself does not run here: its sandbox is judged by systemd-analyze, and not tried.
"""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import socket
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from birthday_cli import config
from birthday_cli.errors import ExitCode, UsageError
from birthday_cli.pipeline import units
from tests.acceptance.conftest import Ended, Program, end

INSTALLATION = units.Installation(
    "bdaysched", Path("/etc/bdaysched/.env"), 1, 12, 24, Path("/var/metrics/b.prom"), "/bin/echo"
)
MOST_EXPOSED = 2.0
SERVICES = "worker@ notify@ schedule metrics create-partitions drop-partitions audit".split()
JOBS = SERVICES[2:]


def made(installation: units.Installation = INSTALLATION) -> dict[str, str]:
    return units.systemd(installation, config.Settings())


def analyze(*arguments: str | Path) -> tuple[int, str]:
    """Return exit code and everything that systemd-analyze says, on either stream."""
    ended = subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, check=False
    )
    return ended.returncode, ended.stderr + ended.stdout


def written(folder: Path, files: dict[str, str]) -> list[Path]:
    for name, text in files.items():
        (folder / name).write_text(text)
    return [folder / name for name in files]


def value(text: str, key: str) -> str:
    found = re.findall(rf"^{key}=(.*)$", text, re.MULTILINE)
    assert len(found) == 1, (key, found)
    return str(found[0])


@pytest.mark.parametrize("every", [1, 5])
def test_systemd_has_nothing_to_say_against_them(tmp_path: Path, every: int) -> None:
    files = made(replace(INSTALLATION, every=every))
    assert set(files) == {f"bdaysched-{name}.service" for name in SERVICES} | {
        f"bdaysched-{name}.timer" for name in JOBS
    }
    assert analyze("verify", "--man=no", *written(tmp_path, files)) == (0, "")


def test_every_service_is_exposed_to_little(tmp_path: Path) -> None:
    services = [path for path in written(tmp_path, made()) if path.suffix == ".service"]
    for path in services:
        code, said = analyze("security", "--offline=true", "--no-pager", path)
        found = re.search(r"exposure level for \S+: ([\d.]+)", said)
        assert code == 0
        assert found, said
        assert float(found[1]) <= MOST_EXPOSED, path.name


def test_every_calendar_is_one() -> None:
    for name, text in made().items():
        if name.endswith(".timer"):
            code, said = analyze("calendar", value(text, "OnCalendar"))
            assert code == 0, said


def test_which_exit_code_is_a_failure_of_which_unit() -> None:
    files = made()
    schedule = files["bdaysched-schedule.service"]
    assert value(schedule, "SuccessExitStatus") == str(int(ExitCode.LOCKED))
    metrics = files["bdaysched-metrics.service"]
    assert value(metrics, "SuccessExitStatus") == str(int(ExitCode.DATABASE_UNREACHABLE))
    for name in "create-partitions", "drop-partitions", "audit":
        text = files[f"bdaysched-{name}.service"]
        assert "SuccessExitStatus" not in text
        # A lock or a server that is away is tried again; what is wrong is told at once.
        assert value(text, "Restart") == "on-failure"
        stays = set(map(int, value(text, "RestartPreventExitStatus").split()))
        assert stays == {ExitCode.FAILED, ExitCode.USAGE, ExitCode.NOT_UP_TO_DATE}
    worker = files["bdaysched-worker@.service"]
    assert value(worker, "RestartPreventExitStatus") == "2 6"
    for name in SERVICES:
        told = "OnFailure=bdaysched-notify@%N.service" in files[f"bdaysched-{name}.service"]
        assert told == (name != "notify@")


def test_a_worker_has_more_time_to_stop_than_its_drain_takes() -> None:
    settings = replace(config.Settings(), worker_drain_timeout=300.0)
    worker = units.systemd(INSTALLATION, settings)["bdaysched-worker@.service"]
    assert int(value(worker, "TimeoutStopSec")) > 300
    assert value(worker, "Type") == "notify"
    assert int(value(worker, "WatchdogSec")) >= 30


def test_dropping_is_not_enabled_with_the_rest() -> None:
    enabling = [line for line in units.next_commands(INSTALLATION, "d", False) if "enable" in line]
    assert "drop" not in enabling[0]
    assert "create" in enabling[0]
    assert "drop" in enabling[1]
    crontab = units.crontab(INSTALLATION)
    assert [line[0] for line in crontab.splitlines() if " drop-partitions " in line] == ["#"]


@pytest.mark.parametrize(
    "changed",
    [
        {"environment_file": Path("/etc/my bdays 100%/.env")},
        {"metrics_file": Path("/var/lib/node exporter/100%.prom")},
        {"archive": "/backup/all months 100%"},
    ],
)
def test_spaces_and_percent_signs_are_taken_as_they_are(
    tmp_path: Path, changed: dict[str, Any]
) -> None:
    installation = replace(INSTALLATION, **changed)
    assert analyze("verify", "--man=no", *written(tmp_path, made(installation))) == (0, "")
    crontab = tmp_path / "crontab"
    crontab.write_text(units.crontab(installation))
    checked = subprocess.run(["crontab", "-n", crontab], capture_output=True, check=False)
    assert checked.returncode == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"environment_file": Path("here/.env")},
        {"metrics_file": Path("here")},
        {"environment_file": Path("/a\nb/.env")},
        {"notify": "tell"},
    ],
)
def test_what_no_unit_can_hold_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        made(replace(INSTALLATION, **changed))


def test_dropping_may_archive_first_and_may_write_there_then() -> None:
    service = "bdaysched-drop-partitions.service"
    assert "--archive" not in made()[service]
    assert "ReadWritePaths" not in made()[service]
    for archive, folder in [("/backup/months", "/backup/months"), ("file:///backup", "/backup")]:
        installation = replace(INSTALLATION, archive=archive)
        text = made(installation)[service]
        assert value(text, "ExecStart").endswith(f"drop-partitions 24 --yes --archive {archive}")
        assert value(text, "ReadWritePaths") == f"-{folder}"
        assert "install -d -m 700 -o bdaysched " + folder in units.next_commands(
            installation, None, cron=False
        )
    bucket = made(replace(INSTALLATION, archive="s3://bucket/months"))[service]
    assert "--archive s3://bucket/months" in bucket
    assert "ReadWritePaths" not in bucket
    with pytest.raises(UsageError, match="not an absolute path"):
        made(replace(INSTALLATION, archive="months"))


def test_cron_reads_the_crontab(tmp_path: Path) -> None:
    """By cron's own parser, which finds the fault that is then made."""
    crontab = tmp_path / "crontab"
    for every in (1, 5):
        crontab.write_text(units.crontab(replace(INSTALLATION, every=every)))
        subprocess.run(["crontab", "-n", crontab], check=True, capture_output=True)
    crontab.write_text(units.crontab(INSTALLATION).replace("20 13 * * *", "20 25 * * *"))
    broken = subprocess.run(["crontab", "-n", crontab], capture_output=True, check=False)
    assert broken.returncode != 0


def test_cron_wants_the_settings_in_a_file_that_the_program_reads() -> None:
    with pytest.raises(UsageError, match=r"\.env"):
        units.crontab(replace(INSTALLATION, environment_file=Path("/etc/bdaysched/environment")))


@pytest.fixture
async def made_here(program: Program, tmp_path: Path) -> Path:
    """Units that `bdaysched units` has written for a folder of this test."""
    folder = tmp_path / "units"
    ended = await program.run(
        "units",
        "--output",
        str(folder),
        "--environment-file",
        str(tmp_path / ".env"),
        "--metrics-file",
        str(tmp_path / "bdaysched.prom"),
        "--archive",
        str(tmp_path / "months"),
    )
    assert ended.code == 0, ended.err
    assert "systemctl enable --now" in ended.err
    return folder


def _environment(program: Program) -> dict[str, str]:
    """Return what a service has: the program's settings, and nothing of the suite's own."""
    return {"PATH": "/usr/bin:/bin", **program.environment}


async def _start(line: str, program: Program, **more: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *shlex.split(line),
        cwd="/",
        env={**_environment(program), **more},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize("name", JOBS)
async def test_a_job_runs_as_its_unit_says(
    program: Program, made_here: Path, tmp_path: Path, name: str
) -> None:
    line = value((made_here / f"bdaysched-{name}.service").read_text(), "ExecStart")
    assert line.startswith("/")
    ended = await end(await _start(line, program))
    assert ended.code == 0, ended.err
    if name == "metrics":
        assert "bdaysched_database_up 1" in (tmp_path / "bdaysched.prom").read_text()


async def test_a_worker_runs_as_its_unit_says(
    program: Program, made_here: Path, tmp_path: Path
) -> None:
    """Until systemd has heard READY and the watchdog; then KillSignal ends it in order."""
    unit = (made_here / "bdaysched-worker@.service").read_text()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        worker = await _start(
            value(unit, "ExecStart"),
            program,
            NOTIFY_SOCKET=str(tmp_path / "notify"),
            WATCHDOG_USEC="1000000",
        )
        heard = ""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(60):
            while "READY=1" not in heard or "WATCHDOG=1" not in heard:
                heard += (await loop.sock_recv(manager, 4096)).decode()
        assert value(unit, "KillSignal") == "SIGTERM"
        worker.terminate()
        assert (await end(worker)).code == 0


async def test_the_notify_unit_runs_the_operators_command(program: Program, tmp_path: Path) -> None:
    page = tmp_path / "page"
    page.write_text('#!/bin/sh\necho "$@" >' + shlex.quote(str(tmp_path / "told")))
    page.chmod(0o755)
    line = value(
        made(replace(INSTALLATION, notify=f"{page} --to me"))["bdaysched-notify@.service"],
        "ExecStart",
    )
    ended = await end(await _start(line.replace("%i", "bdaysched-worker@1"), program))
    assert ended.code == 0
    assert (tmp_path / "told").read_text() == "--to me bdaysched-worker@1\n"


async def test_every_line_of_the_crontab_runs_in_crons_surroundings(
    program: Program, tmp_path: Path
) -> None:
    """As cron does it: by sh, with the crontab's own variables and its percent signs."""
    settings = "".join(f"{name}={value}\n" for name, value in program.environment.items())
    (tmp_path / ".env").write_text(settings)
    arguments = ["--environment-file", tmp_path / ".env", "--metrics-file", tmp_path / "m.prom"]
    ended: Ended = await program.run("units", "--cron", *map(str, arguments))
    lines = [
        line.lstrip("#").split(maxsplit=5)[5].replace("\\%", "%")
        for line in ended.out.splitlines()
        if re.match(r"#?[\d*]", line)
    ]
    assert len(lines) == len(JOBS) + 1
    for line in lines:
        # The worker for a second instead of minutes, and its log to nobody.
        command = line.replace("timeout 10m", "timeout 1s").partition(" 2>&1 ")[0]
        process = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            command,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        ended = await end(process)
        is_worker = "run-worker" in line
        assert ended.code == (124 if is_worker else 0), (line, ended.err)
        # What is printed is mailed: of the audit its verdict, once a day.
        assert is_worker or "audit" in line or (ended.out, ended.err) == ("", "")


async def test_as_json_and_dry_it_writes_nothing(program: Program, tmp_path: Path) -> None:
    folder = tmp_path / "units"
    ended = await program.run("units", "--output", str(folder), "--dry-run", "--json")
    document = json.loads(ended.out)
    assert document["dry_run"]
    assert "bdaysched-schedule.timer" in document["files"]
    assert not folder.exists()


async def test_a_folder_that_cannot_be_written_is_named(program: Program, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = await program.run("units", "--output", str(tmp_path / "file" / "units"))
    assert ended.code == ExitCode.USAGE
    assert "cannot write into" in ended.explanation


@pytest.mark.parametrize(("path", "is_hidden"), [("/tmp/venv/bin", True), ("/opt/tmp/bin", False)])  # noqa: S108
def test_a_program_that_a_service_would_not_see_is_named(
    monkeypatch: pytest.MonkeyPatch, path: str, is_hidden: bool
) -> None:
    monkeypatch.setattr(units, "program", lambda: [f"{path}/bdaysched"])
    said = units.caveat()
    assert (said is not None and path in said) is is_hidden
