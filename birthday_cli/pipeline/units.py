"""systemd units, or a crontab, that run this installation; see systemd.service(5), crontab(5)."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

from birthday_cli.config import Settings
from birthday_cli.errors import ExitCode, UsageError

_FILES = Path(__file__).resolve().parent.parent / "unit_files"
_WORKER_MINUTES = 10
_BEYOND_THE_DRAIN = 30
# What ProtectHome=yes hides.
_HOMES = ("/home", "/root", "/run/user")
_TEMPORARY = ("/tmp/", "/var/tmp/")  # noqa: S108 - where it must not be


@dataclass(frozen=True)
class Installation:
    """Who runs what.

    `notify` is the command for a unit that failed; its name is put after it. `archive` is where
    months are written before they are dropped: a folder, or a URL.
    """

    user: str
    environment_file: Path
    every: int
    ahead: int
    keep: int
    metrics_file: Path
    notify: str
    archive: str | None = None

    @property
    def archive_folder(self) -> Path | None:
        """The archive, if it is a folder of this machine."""
        scheme, separator, rest = (self.archive or "").partition("://")
        if separator:
            return Path(rest) if scheme == "file" else None
        return Path(scheme) if scheme else None


@dataclass(frozen=True)
class _Job:
    """A command that a timer, or cron, runs.

    `calendar` is systemd's, `crontab` cron's. `lines` are its own of the unit's [Service], `limits`
    of its [Unit].
    """

    name: str
    description: str
    arguments: tuple[str, ...]
    calendar: str
    crontab: str
    is_wanted: bool = True
    limits: str = ""
    lines: str = ""
    accuracy: str = "1min"
    delay: str = "0"
    catches_up: bool = False


def _jobs(installation: Installation) -> list[_Job]:
    every = "*" if installation.every == 1 else f"*/{installation.every}"
    minutes = "*" if installation.every == 1 else f"0/{installation.every}"
    # Who comes once a month, or a day, may find a lock that is kept, or a server that restarts.
    again = (
        "Restart=on-failure\nRestartSec=10min\n"
        f"RestartPreventExitStatus={ExitCode.FAILED} {ExitCode.USAGE} {ExitCode.NOT_UP_TO_DATE}\n"
    )
    five_times = "StartLimitIntervalSec=6h\nStartLimitBurst=5\n"
    the_next_run = f"SuccessExitStatus={ExitCode.LOCKED}\n"
    return [
        _Job(
            "schedule",
            "plan, bring back and queue the messages",
            ("schedule", "--wait", "30s"),
            f"*-*-* *:{minutes}:00",
            f"{every} * * * *",
            lines=the_next_run + "TimeoutStartSec=30min\n",
            accuracy="1s",
        ),
        _Job(
            "metrics",
            "the database's figures for Prometheus",
            ("metrics", "--output", str(installation.metrics_file)),
            "*-*-* *:*:30",
            "* * * * *",
            # That the database is away is what the file says, and an alert is made of that.
            lines=f"SuccessExitStatus={ExitCode.DATABASE_UNREACHABLE}\nTimeoutStartSec=2min\n"
            + _writing(installation.metrics_file.parent),
            accuracy="1s",
        ),
        _Job(
            "create-partitions",
            "the months to come",
            ("create-partitions", str(installation.ahead)),
            "*-*-02 03:10:00",
            "10 3 2 * *",
            limits=five_times,
            lines=again + "TimeoutStartSec=30min\n",
            delay="15min",
            catches_up=True,
        ),
        _Job(
            "drop-partitions",
            "the months that are over; deletes them for good",
            (
                *("drop-partitions", str(installation.keep), "--yes"),
                *(("--archive", installation.archive) if installation.archive else ()),
            ),
            # A run detaches; one that comes when the days of grace are over drops.
            "*-*-02,12 03:40:00",
            "40 3 2,12 * *",
            is_wanted=False,
            limits=five_times,
            lines=again + "TimeoutStartSec=6h\n" + _writing(installation.archive_folder),
            delay="15min",
            catches_up=True,
        ),
        _Job(
            "audit",
            "does everyone have exactly one message?",
            ("audit",),
            "*-*-* 13:20:00",
            "20 13 * * *",
            limits=five_times,
            lines=again + "TimeoutStartSec=2h\n",
            catches_up=True,
        ),
    ]


def program() -> list[str]:
    """Return the command that runs this installation from any folder."""
    beside = Path(sys.executable).with_name("bdaysched")
    return [str(beside)] if beside.exists() else [sys.executable, "-m", "birthday_cli.cli.main"]


def caveat() -> str | None:
    """Return why the units would not find this installation, if they would not."""
    path = program()[0]
    if not path.startswith(_TEMPORARY):
        return None
    return (
        f"{path} is in a temporary folder, which a service does not see: install the program"
        " elsewhere, such as in /opt/bdaysched, and write the units from there"
    )


def systemd(installation: Installation, settings: Settings) -> dict[str, str]:
    """Return the units by their file names.

    The time for stopping a worker is longer than its drain, as settings has it. Raises UsageError
    for what no unit can be made of.
    """
    _check(installation)
    if not installation.notify.startswith("/"):
        raise UsageError("--notify needs an absolute path, such as /usr/local/bin/page-somebody")
    units = {
        "bdaysched-worker@.service": _filled(
            "worker.service",
            installation,
            ["run-worker"],
            stop=round(settings.worker_drain_timeout) + _BEYOND_THE_DRAIN,
        ),
        "bdaysched-notify@.service": _filled(
            "notify.service", installation, notify=installation.notify
        ),
    }
    for job in _jobs(installation):
        units[f"bdaysched-{job.name}.service"] = _filled(
            "once.service",
            installation,
            job.arguments,
            description=job.description,
            limits=job.limits,
            lines=job.lines,
        )
        units[f"bdaysched-{job.name}.timer"] = Template(_text("job.timer")).substitute(
            name=job.name,
            description=job.description,
            calendar=job.calendar,
            accuracy=job.accuracy,
            delay=job.delay,
            persistent="yes" if job.catches_up else "no",
        )
    return units


def crontab(installation: Installation) -> str:
    """Return the jobs as a user's crontab.

    cron has no EnvironmentFile; the program reads `.env` in the folder that a job begins in, with
    the same syntax. Raises UsageError for a file of another name.
    """
    _check(installation)
    if installation.environment_file.name != ".env":
        raise UsageError("--environment-file: for cron it must be called .env, such as /etc/x/.env")
    lines = [_text("head.crontab").rstrip("\n")]
    start = ["cd", str(installation.environment_file.parent)]
    for job in _jobs(installation):
        line = f"{job.crontab} {_cron(start)} && {_cron([*program(), *job.arguments, '--json'])}"
        lines += [f"# {job.description}", f"{'' if job.is_wanted else '#'}{line} >/dev/null"]
    worker = ["/usr/bin/timeout", f"{_WORKER_MINUTES}m", *program(), "run-worker"]
    lines += [
        f"# A worker for {_WORKER_MINUTES} minutes, then another; SIGTERM lets it end its work.",
        f"*/{_WORKER_MINUTES} * * * * {_cron(start)} && {_cron(worker)} 2>&1 >/dev/null"
        " | /usr/bin/logger --tag bdaysched-worker",
    ]
    return "\n".join(lines) + "\n"


def next_commands(installation: Installation, folder: str | None, cron: bool) -> list[str]:
    """Return what an operator does with the files, in order; nothing of it is done here."""
    where = folder or "DIR"
    archive = installation.archive_folder
    made = f"install -d -m 700 -o {installation.user} {shlex.quote(str(archive))}"
    first = [made] if archive else []
    if cron:
        return [*first, f"crontab -u {installation.user} {where}/bdaysched.crontab"]
    timers = " ".join(f"bdaysched-{job.name}.timer" for job in _jobs(installation) if job.is_wanted)
    return [
        *first,
        f"install -m 644 {where}/bdaysched-* /etc/systemd/system/",
        "systemctl daemon-reload",
        f"systemctl enable --now {timers} bdaysched-worker@1.service",
        "systemctl enable --now bdaysched-drop-partitions.timer  # deletes old months for good",
    ]


def _check(installation: Installation) -> None:
    words = [
        *program(),
        str(installation.environment_file),
        str(installation.metrics_file),
        installation.archive or "",
    ]
    if any(character in word for word in words for character in "\n\r"):
        raise UsageError("a path with a line break in it cannot be written into a unit")
    paths = (installation.environment_file, installation.metrics_file, installation.archive_folder)
    for path in paths:
        if path and not path.is_absolute():
            raise UsageError(
                f"{path} is not an absolute path: a service begins in a folder of its own"
            )


def _filled(
    name: str, installation: Installation, arguments: Sequence[str] = (), **more: object
) -> str:
    command = [*program(), *arguments]
    is_at_home = any(command[0].startswith(f"{home}/") for home in _HOMES)
    return Template(_text(name)).substitute(
        command=" ".join(map(_unit_word, command)),
        user=installation.user,
        environment=str(installation.environment_file).replace("%", "%%"),
        hardening=_text("hardening.conf")
        .rstrip("\n")
        .replace("ProtectHome=yes", f"ProtectHome={'read-only' if is_at_home else 'yes'}"),
        **more,
    )


def _text(name: str) -> str:
    return (_FILES / name).read_text(encoding="utf-8")


def _writing(folder: Path | None) -> str:
    """Return the line that lets a unit write into folder, once that is there."""
    return f"ReadWritePaths=-{_unit_word(str(folder))}\n" if folder else ""


def _unit_word(word: str) -> str:
    """Return word as one of a unit's command line: no specifier, no variable, one word."""
    escaped = word.replace("\\", "\\\\").replace("%", "%%").replace("$", "$$").replace('"', '\\"')
    return f'"{escaped}"' if set(word) & set(" \t'\"\\;") else escaped


def _cron(command: list[str]) -> str:
    """Return command for the shell, with the percent signs that cron would take for line ends."""
    return shlex.join(command).replace("%", "\\%")
