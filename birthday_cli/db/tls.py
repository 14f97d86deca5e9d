"""Why TLS with the database failed: whose certificate it was, which file, and what to do.

TLS itself is libpq's, by sslmode, sslrootcert, sslcert and sslkey in DATABASE_URL or PGSSLMODE and
so on in the environment.
"""

from __future__ import annotations

import re
import socket
import ssl
import struct
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from psycopg import pq
from psycopg.conninfo import conninfo_to_dict

from birthday_cli.errors import BdayschedError, DatabaseUnreachable, UsageError, redact

_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
# How a client asks a server for TLS (PostgreSQL's protocol, SSLRequest).
_SSL_REQUEST = struct.pack("!II", 8, 80877103)
_PATIENCE = 3.0

_ADDRESS = re.compile(r'.*connection to server at "(?P<host>[^"]+)".*, port (?P<port>\d+) failed: ')
_FILE_REFUSED = re.compile(r'\b(certificate|private key) file "')
_ALERT = re.compile(
    r"SSL error: .*\balert (?P<why>(?:bad |unsupported |unknown )?(?:certificate|ca).*)"
)


def check_files(parameters: Mapping[str, Any]) -> None:
    """Raise UsageError for a file that the connection string names and that cannot be read.

    libpq takes a certificate that is missing for none at all, and the server's answer tells little.
    """
    for name in _FILES:
        path = parameters.get(name)
        if path and path != "system":
            try:
                Path(path).open("rb").close()
            except OSError as problem:
                raise UsageError(
                    f"{name}={path} in DATABASE_URL cannot be read ({problem.strerror}):"
                    " give the path of a PEM file that this account may read"
                ) from problem


def explain(text: str, conninfo: str) -> BdayschedError | None:
    """Return the error for libpq's text if it is about TLS, else None.

    Files are a matter of settings, so UsageError; certificates that one side refuses are
    DatabaseUnreachable. libpq does not tell why it refuses the server's certificate: another
    handshake does, and takes 3 s at most.
    """
    address = _ADDRESS.match(text)
    if not address:
        return None
    said = text[address.end() :]
    if _FILE_REFUSED.search(said):
        return UsageError(
            f"TLS with the database cannot be set up: {said}."
            " Check sslrootcert, sslcert and sslkey in DATABASE_URL"
        )
    parameters = _parameters(conninfo)
    ours = parameters.get("sslcert") or "~/.postgresql/postgresql.crt"
    if "certificate verify failed" in said:
        trusted = _trusted(parameters)
        reason = _ask_why(address["host"], int(address["port"]), parameters) or said
        why = f"its certificate is refused: {reason}"
        advice = f"Check the server's certificate, and who signed it: sslrootcert={trusted}"
    elif said.startswith("server certificate for "):
        why = said
        advice = "Check the host in DATABASE_URL, and the names in the server's certificate"
    elif alert := _ALERT.search(said):
        why = f"it refuses our certificate: {alert['why']}"
        advice = f"Check sslcert={ours}, and that the server trusts who signed it"
    elif "certificate authentication failed" in said:
        why = f"{said}: our certificate is another user's"
        advice = f"Check the common name in sslcert={ours}, and the user in DATABASE_URL"
    elif "requires a valid client certificate" in said:
        why = said
        advice = "Set sslcert and sslkey in DATABASE_URL"
    else:
        return None
    return DatabaseUnreachable(f"cannot reach the database at {redact(conninfo)}: {why}. {advice}")


def _parameters(conninfo: str) -> dict[str, str]:
    defaults = {
        option.keyword.decode(): option.val.decode()
        for option in pq.Conninfo.get_defaults()
        if option.val
    }
    return {**defaults, **{name: str(value) for name, value in conninfo_to_dict(conninfo).items()}}


def _trusted(parameters: Mapping[str, str]) -> str:
    return parameters.get("sslrootcert") or str(Path("~/.postgresql/root.crt").expanduser())


def _ask_why(host: str, port: int, parameters: Mapping[str, str]) -> str | None:
    """Return OpenSSL's reason for refusing the server's certificate, None if there is none."""
    with suppress(OSError):  # as an ssl.SSLError is
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        trusted = _trusted(parameters)
        if trusted == "system":
            context.set_default_verify_paths()
        else:
            context.load_verify_locations(trusted)
        if revoked := parameters.get("sslcrl"):
            context.load_verify_locations(revoked)
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
        with socket.create_connection((host, port), _PATIENCE) as plain:
            if parameters.get("sslnegotiation") == "direct":
                context.set_alpn_protocols(["postgresql"])
            else:
                plain.sendall(_SSL_REQUEST)
                plain.recv(1)
            try:
                context.wrap_socket(plain).close()
            except ssl.SSLCertVerificationError as problem:
                return problem.verify_message
    return None
