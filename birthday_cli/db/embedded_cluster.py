"""The private server's folder: making it, starting the server in it, stopping it."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import time
from pathlib import Path

from birthday_cli.db.embedded_process import (
    Account,
    account_for,
    end_group,
    require_reachable,
    usable_binaries,
)
from birthday_cli.errors import DatabaseUnreachable

DATABASE = "birthday_app"

# sockaddr_un, unix(7): 108 bytes with the final NUL on Linux.
_SOCKET_PATH_LIMIT = 107
# pg_ctl hands it to a shell, and both PostgreSQL and libpq read a comma as the end of a name.
_PLAIN_PATH = re.compile(r"[\w./-]+", re.ASCII)
_SHORT_FOLDER = "/tmp/bdaysched-"  # noqa: S108  # random name, made 0700, owner checked before use
# Means nothing to PostgreSQL: in the arguments of our server, it tells it from other processes.
_MARK = "bdaysched.data"
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": "5432",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "jit": "off",
}
# A postmaster whose postmaster.pid was lost notices, and ends, within a minute.
_PATIENCE = 90.0
_PG_CTL_PATIENCE = "600"
_LOG_LIMIT = 1_000_000
# What the processes of a killed postmaster cause until they have noticed.
_NOT_GONE_YET = ("is still in use", 'lock file "postmaster.pid" already exists')


class Cluster:
    """One data folder and its server. Whoever calls holds the lock for starting and stopping."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.data = root / "data"
        self.run = root / "run"
        self.log = self.data / "server.log"

    def conninfo(self, database: str = DATABASE) -> str:
        """Return libpq's connection string for the database."""
        folder = self.run.resolve()
        # Empty, since libpq prefers a PGHOSTADDR of the environment to the host.
        return f"host={folder} hostaddr='' port=5432 user=postgres dbname={database}"

    def make_ready(self, lock: int) -> str:
        """Start the server unless it runs, make the database unless it is there.

        Returns PostgreSQL's version. Raises DatabaseUnreachable, with the log's last word.
        """
        from psycopg.pq import Ping

        give_up = time.monotonic() + _PATIENCE
        while (answer := self._ping()) != Ping.OK:
            if time.monotonic() > give_up:
                raise DatabaseUnreachable(
                    f"the server in {self.root} runs, but takes no connections yet:"
                    f" see {self.log}, and try again later"
                )
            if answer == Ping.REJECT or self.pid() or not self._start(lock, give_up):
                time.sleep(0.05)
        return self._make_database()

    def pid(self) -> int | None:
        """Return the server's process; None where postmaster.pid names what is not our server.

        After a crash the number may be any other process's. proc(5): its cmdline can be read
        whoever it belongs to, its cwd or exe cannot.
        """
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError, ValueError):
            return None
        return pid if f"{_MARK}={self._identity()}".encode() in arguments else None

    def stop(self, lock: int) -> None:
        """Stop the server, unless it has gone already; DatabaseUnreachable if it does not go."""
        if self.pid():
            account = account_for(self.data)
            binaries, _ = usable_binaries(account, self.root)
            command = ["stop", "-s", "-w", "-t", _PG_CTL_PATIENCE, "-m", "fast", "-D", "data"]
            done = account.run([binaries / "pg_ctl", *command], self.root, lock=lock)
            if done.returncode and (pid := self.pid()):
                raise DatabaseUnreachable(
                    f"the server in {self.root}, process {pid}, does not stop:"
                    f" {_reason(done.stdout)} ({self.log})"
                )
        self._remove_socket_folder()

    def _identity(self) -> str:
        folder = self.data.stat()
        return f"{folder.st_dev}-{folder.st_ino}"

    def _ping(self) -> int:
        from psycopg.pq import PGconn, Ping

        try:
            folder, data = self.run.resolve().stat(), self.data.stat()
        except FileNotFoundError:
            return Ping.NO_RESPONSE
        # A link into /tmp may have outlived the folder, and someone else taken the name.
        if folder.st_uid != data.st_uid or folder.st_mode & 0o077:
            return Ping.NO_RESPONSE
        return PGconn.ping(self.conninfo("postgres").encode())

    def _start(self, lock: int, give_up: float) -> bool:
        """Start the server; False if processes of the one before still have to go."""
        account = account_for(self.data)
        require_reachable(account, self.root)
        binaries, version = usable_binaries(account, self.root)
        if not self.data.exists():
            self._initialise(account, binaries, lock)
        self._require_version(version)
        folder = self._make_socket_folder(account)
        # PostgreSQL would take whatever process has the number for its own server. It finds what
        # is left of that by the shared memory, which belongs to the folder.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        if self._log_size() > _LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))
        before = self._log_size()
        settings = _SETTINGS | {"unix_socket_directories": str(folder), _MARK: self._identity()}
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        command = ["start", "-s", "-w", "-t", _PG_CTL_PATIENCE, "-o", options]
        # Relative, since pg_ctl hands the path to a shell.
        command += ["-D", "data", "-l", "data/server.log"]
        done = account.run(
            [binaries / "pg_ctl", *command], self.root, interrupted=self._wait_for_pid
        )
        if done.returncode == 0:
            return True
        said = self.log.read_bytes()[before:].decode(errors="replace") if self._log_size() else ""
        if any(sign in said for sign in _NOT_GONE_YET) and time.monotonic() < give_up:
            return False
        raise DatabaseUnreachable(
            f"the private PostgreSQL in {self.root} does not start:"
            f" {_reason(said or done.stdout)} ({self.log})"
        )

    def _log_size(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0

    def _wait_for_pid(self, starting: subprocess.Popen[str]) -> None:
        # Only a server that has written its number can be stopped, which the caller does.
        while starting.poll() is None and not self.pid():
            time.sleep(0.01)

    def _initialise(self, account: Account, binaries: Path, lock: int) -> None:
        """Make the data folder: whole, or not at all."""
        unfinished = self.root / "data.unfinished"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        unfinished.mkdir(0o700)
        try:
            account.own(unfinished)
            command = ["-D", unfinished.name, "-U", "postgres", "-E", "UTF8", "--locale=C"]
            command += ["--data-checksums", "--auth=trust", "--no-instructions"]
            # Of the usual kind, some stays in /dev/shm when the server or initdb is killed.
            command += ["--set", "dynamic_shared_memory_type=mmap"]
            done = account.run(
                [binaries / "initdb", *command], self.root, lock=lock, interrupted=end_group
            )
            if done.returncode:
                raise DatabaseUnreachable(
                    f"the private PostgreSQL can't be made in {self.root}: {_reason(done.stdout)}"
                )
            unfinished.rename(self.data)
        except BaseException:
            shutil.rmtree(unfinished)
            raise
        # fsync(2): a new name lasts only once its folder is synced too.
        descriptor = os.open(self.root, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _require_version(self, version: str) -> None:
        made_by = (self.data / "PG_VERSION").read_text().strip()
        if made_by != version.split(".")[0]:
            raise DatabaseUnreachable(
                f"{self.data} was made by PostgreSQL {made_by}, this is {version}: dump it with"
                " that version and load it here, or set DATABASE_URL=embedded:DIR to another folder"
            )

    def _make_database(self) -> str:
        import psycopg
        from psycopg import sql

        try:
            with psycopg.connect(self.conninfo("postgres"), autocommit=True) as connection:
                known = "SELECT FROM pg_database WHERE datname = %s"
                if not connection.execute(known, [DATABASE]).rowcount:
                    create = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE))
                    connection.execute(create)
                major, minor = divmod(connection.info.server_version, 10_000)
        except psycopg.Error as problem:
            raise DatabaseUnreachable(
                f"the server in {self.root} runs, but database {DATABASE} can't be made:"
                f" {_reason(str(problem))} ({self.log})"
            ) from problem
        return f"{major}.{minor}"

    def _make_socket_folder(self, account: Account) -> Path:
        self._remove_socket_folder()
        folder = self.run
        socket = os.fsencode(folder / ".s.PGSQL.5432")
        if len(socket) > _SOCKET_PATH_LIMIT or not _PLAIN_PATH.fullmatch(str(folder)):
            folder = Path(_SHORT_FOLDER + secrets.token_hex(8))
            # The link comes first: who is killed in between leaves a name, not a folder.
            self.run.symlink_to(folder)
        folder.mkdir(0o700)
        account.own(folder)
        return folder

    def _remove_socket_folder(self) -> None:
        if self.run.is_symlink():
            target = self.run.readlink()
            owners = {os.geteuid(), self.data.stat().st_uid}
            if (
                str(target).startswith(_SHORT_FOLDER)
                and target.is_dir()
                and target.lstat().st_uid in owners
            ):
                shutil.rmtree(target)
            self.run.unlink()
        elif self.run.exists():
            shutil.rmtree(self.run)


def _reason(output: str) -> str:
    """Return the line that says what went wrong, without its time and process."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    serious = [line for line in lines if re.search(r"\b(FATAL|PANIC|ERROR|error):", line)]
    return re.sub(r"^.*\[\d+\] ", "", (serious or lines or ["it gave no reason"])[-1])
