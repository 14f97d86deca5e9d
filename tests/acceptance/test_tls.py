"""TLS to the database: what is accepted; and one line on which certificate is not, and why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from tests.acceptance.conftest import Ended, Program
from tests.servers.certificates import Authority, Certificate
from tests.servers.postgres import TlsServer


@pytest.fixture
def presenting(tls_postgres: TlsServer, authority: Authority) -> Iterator[TlsServer]:
    """The server, which may be given another certificate."""
    yield tls_postgres
    tls_postgres.present(authority.server("localhost", "127.0.0.1"))


def _url(server: TlsServer, authority: Authority, **parameters: str) -> str:
    return make_conninfo(
        server.url(), **{"sslmode": "verify-full", "sslrootcert": str(authority.ca), **parameters}
    )


def _certified(server: TlsServer, authority: Authority, **parameters: str) -> str:
    return _url(server, authority, user="certified", password="", **parameters)


def _with(certificate: Certificate) -> dict[str, str]:
    return {"sslcert": str(certificate.chain), "sslkey": str(certificate.key)}


async def _run(url: str, *command: str) -> Ended:
    return await Program({"DATABASE_URL": url, "DELIVERY_URL": "console:"}).run(*command)


async def _refused(url: str, code: int = 3) -> str:
    """Return what the program says; a command and the worker, on its loop, say the same."""
    command, worker = await _run(url, "status"), await _run(url, "run-worker", "--until-empty")
    assert command.code == worker.code == code
    assert worker.err.splitlines()[-1] == command.explanation
    assert "SSL error" not in command.explanation
    return command.explanation


async def test_a_server_that_is_verified_and_that_verifies_us(
    tls_postgres: TlsServer, authority: Authority
) -> None:
    migrated = await _run(_url(tls_postgres, authority), "migrate")
    assert migrated.code == 0, migrated.err
    mine = _with(authority.client("certified"))
    # It is let in, and may not read: the tables are another's.
    ended = await _run(_certified(tls_postgres, authority, **mine), "users", "list")
    assert ended.code == 1
    assert "permission denied" in ended.explanation


async def test_a_server_whose_certificate_a_stranger_signed(
    tls_postgres: TlsServer, authority: Authority, stranger: Authority
) -> None:
    said = await _refused(_url(tls_postgres, authority, sslrootcert=str(stranger.ca)))
    assert "its certificate is refused: self-signed certificate in certificate chain" in said
    assert f"sslrootcert={stranger.ca}" in said
    assert tls_postgres.password not in said


async def test_a_server_whose_certificate_has_expired(
    presenting: TlsServer, authority: Authority
) -> None:
    presenting.present(authority.server("localhost", "127.0.0.1", expired=True))
    said = await _refused(_url(presenting, authority))
    assert "its certificate is refused: certificate has expired. Check the server's" in said


async def test_a_server_whose_certificate_is_another_host_s(
    presenting: TlsServer, authority: Authority
) -> None:
    presenting.present(authority.server("db.example.com"))
    said = await _refused(_url(presenting, authority, host="localhost"))
    assert '"db.example.com" does not match host name "localhost"' in said
    assert "Check the host in DATABASE_URL" in said


async def test_a_server_without_tls(database: str) -> None:
    said = await _refused(make_conninfo(database, sslmode="require"))
    assert "server does not support SSL, but SSL was required" in said


async def test_a_server_that_wants_our_certificate(
    tls_postgres: TlsServer, authority: Authority
) -> None:
    said = await _refused(_certified(tls_postgres, authority))
    assert "requires a valid client certificate. Set sslcert and sslkey in DATABASE_URL" in said


async def test_a_server_that_refuses_our_certificate(
    tls_postgres: TlsServer, authority: Authority, stranger: Authority
) -> None:
    for ours, why in {
        authority.client("certified", expired=True): "certificate expired",
        stranger.client("certified"): "unknown ca",
    }.items():
        said = await _refused(_certified(tls_postgres, authority, **_with(ours)))
        assert f"it refuses our certificate: {why}. Check sslcert={ours.chain}" in said


async def test_our_certificate_is_another_user_s(
    tls_postgres: TlsServer, authority: Authority
) -> None:
    ours = authority.client("somebody")
    said = await _refused(_certified(tls_postgres, authority, **_with(ours)))
    assert 'failed for user "certified": our certificate is another user\'s' in said
    assert f"sslcert={ours.chain}" in said


@pytest.mark.parametrize("name", ["sslrootcert", "sslcert", "sslkey", "sslcrl"])
async def test_a_file_that_is_missing(
    tls_postgres: TlsServer, authority: Authority, name: str
) -> None:
    files = {**_with(authority.client("certified")), name: "/nowhere/file.pem"}
    said = await _refused(_certified(tls_postgres, authority, **files), code=2)
    assert f"{name}=/nowhere/file.pem in DATABASE_URL cannot be read" in said
    assert "No such file or directory" in said


async def test_a_key_that_others_can_read(tls_postgres: TlsServer, authority: Authority) -> None:
    ours = authority.client("certified")
    ours.key.chmod(0o644)
    said = await _refused(_certified(tls_postgres, authority, **_with(ours)), code=2)
    assert f'private key file "{ours.key}" has group or world access' in said
    assert "(0600)" in said


async def test_a_key_that_is_not_the_certificate_s(
    tls_postgres: TlsServer, authority: Authority
) -> None:
    files = {**_with(authority.client("certified")), "sslkey": str(authority.client("x").key)}
    said = await _refused(_certified(tls_postgres, authority, **files), code=2)
    assert f'could not load private key file "{files["sslkey"]}": key values mismatch' in said


async def test_a_file_that_holds_no_certificate(
    tls_postgres: TlsServer, authority: Authority, tmp_path: Path
) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nonsense")
    nonsense.chmod(0o600)
    for name in ("sslrootcert", "sslcert", "sslkey"):
        files = {**_with(authority.client("certified")), name: str(nonsense)}
        said = await _refused(_certified(tls_postgres, authority, **files), code=2)
        assert f'file "{nonsense}": ' in said
        assert "Check sslrootcert, sslcert and sslkey" in said


async def test_no_authority_is_named(tls_postgres: TlsServer, tmp_path: Path) -> None:
    url = make_conninfo(tls_postgres.url(), sslmode="verify-full")
    ended = await Program({"DATABASE_URL": url, "HOME": str(tmp_path)}).run("status")
    assert ended.code == 2
    assert "root.crt" in ended.explanation
    assert "does not exist. Check sslrootcert" in ended.explanation


async def test_libpq_s_own_variables_count_as_well(
    tls_postgres: TlsServer, stranger: Authority
) -> None:
    variables = {"PGSSLMODE": "verify-ca", "PGSSLROOTCERT": str(stranger.ca)}
    ended = await Program({"DATABASE_URL": tls_postgres.url(), **variables}).run("status")
    assert ended.code == 3
    assert "self-signed certificate in certificate chain. Check the server's" in ended.explanation
    assert f"sslrootcert={stranger.ca}" in ended.explanation
