"""BROKER_URL as pika wants it: one set of parameters for each host, with TLS.

Several hosts are the nodes of one cluster: `amqp://user:password@host1:5672,host2:5672/vhost`. The
query parameters of TLS are RabbitMQ's own (its documentation: "URI query parameters").
"""

from __future__ import annotations

import ssl
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from pika import SSLOptions, URLParameters

from birthday_cli.config import Settings
from birthday_cli.errors import UsageError, redact

_HEARTBEAT = 20  # seconds; RabbitMQ's documentation recommends 5 to 20
_TLS = "cacertfile", "certfile", "keyfile", "verify", "server_name_indication"


def shown(settings: Settings) -> str:
    """Return BROKER_URL as it may be seen: without the password and the options."""
    return redact(settings.broker_url).partition("?")[0]


def read(settings: Settings) -> list[URLParameters]:
    """Return the parameters of each host, in their order in BROKER_URL.

    Raises UsageError if it cannot be read, or a file of a certificate or key that it names.
    """
    try:
        parts = urlsplit(settings.broker_url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        tls = {name: options.pop(name) for name in _TLS if name in options}
        if "ssl_options" in options:
            raise ValueError("pika's way to say what the others say")
        login, at, hosts = parts.netloc.rpartition("@")
        if "," in hosts and not all(hosts.split(",")):
            raise ValueError("a host without a name would be localhost")
        found = [
            URLParameters(_url_of(parts, f"{login}{at}{host}", options))
            for host in hosts.split(",")
        ]
    except (ValueError, TypeError, SyntaxError):
        # The reason is left out: it may quote a part of the password.
        raise UsageError(
            f"BROKER_URL={shown(settings)!r} cannot be read: write it like"
            " amqp://user:password@host:5672/vhost, with any of :/?#@% in the password as %XX,"
            f" and options that pika knows, or {', '.join(_TLS)}"
        ) from None
    context = _tls_context(parts.scheme, tls)
    for parameters in found:
        if context:
            name = tls.get("server_name_indication") or parameters.host
            parameters.ssl_options = SSLOptions(context, name)
        if parameters.heartbeat is None:
            parameters.heartbeat = _HEARTBEAT
        # There is one time-out, and it is ours.
        parameters.socket_timeout = parameters.stack_timeout = None
        parameters.client_properties = parameters.client_properties or {
            "connection_name": "bdaysched"
        }
    return found


def _url_of(parts: SplitResult, netloc: str, options: dict[str, str]) -> str:
    return parts._replace(netloc=netloc, query=urlencode(options)).geturl()


def _tls_context(scheme: str, tls: dict[str, str]) -> ssl.SSLContext | None:
    if scheme != "amqps":
        if tls:
            raise UsageError(f"{next(iter(tls))} in BROKER_URL is about TLS: write amqps://")
        return None
    verify = tls.get("verify", "verify_peer")
    if verify not in ("verify_peer", "verify_none"):
        raise UsageError(f"verify={verify} in BROKER_URL is neither verify_peer nor verify_none")
    authorities, certificate, key = (
        tls.get(name) for name in ("cacertfile", "certfile", "keyfile")
    )
    for name in ("cacertfile", "certfile", "keyfile"):
        if path := tls.get(name):
            _check_readable(name, path)
    try:
        context = ssl.create_default_context(cafile=authorities)
    except ssl.SSLError as problem:
        raise UsageError(
            f"cacertfile={authorities} in BROKER_URL is not a PEM file of certificates"
            f" ({problem.reason})"
        ) from problem
    if verify == "verify_none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if key and not certificate:
        raise UsageError("keyfile in BROKER_URL needs certfile, the certificate that it belongs to")
    if certificate:
        _load(context, certificate, key)
    return context


def _check_readable(name: str, path: str) -> None:
    try:
        Path(path).open("rb").close()
    except OSError as problem:
        raise UsageError(
            f"{name}={path} in BROKER_URL cannot be read ({problem.strerror}):"
            " give the path of a PEM file that this account may read"
        ) from problem


def _load(context: ssl.SSLContext, certificate: str, key: str | None) -> None:
    where = f"keyfile={key}" if key else f"certfile={certificate}"
    encrypted: list[bool] = []

    def no_password() -> str:
        # OpenSSL would ask at the terminal.
        encrypted.append(True)
        return ""

    try:
        context.load_cert_chain(certificate, key, no_password)
    except ssl.SSLError as problem:
        if encrypted:
            why = f"the key in {where} has a password: remove it"
        elif problem.reason == "KEY_VALUES_MISMATCH":
            why = f"the key in {where} does not fit the certificate in certfile={certificate}"
        else:
            files = f"certfile={certificate}" + (f" and keyfile={key}" if key else "")
            why = f"{files} must be PEM, of a certificate and of its key"
        raise UsageError(f"BROKER_URL cannot be used: {why}") from problem
