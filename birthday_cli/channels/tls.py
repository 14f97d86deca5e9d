"""Whom we trust as the delivery service, and who we are towards it."""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path
from typing import NamedTuple

from birthday_cli.config import Settings
from birthday_cli.errors import UsageError


class Papers(NamedTuple):
    """In PEM; empty if not set. Without a `ca` the system's authorities are trusted."""

    ca: str
    certificate: str
    key: str


def load(settings: Settings) -> Papers:
    """Return what DELIVERY_CA, DELIVERY_CERT and DELIVERY_KEY hold, or name the files of.

    Raises UsageError for what cannot be read, is not PEM, or does not fit.
    """
    certificate = _pem("DELIVERY_CERT", settings.delivery_cert, "CERTIFICATE")
    if settings.delivery_key and not certificate:
        raise UsageError("DELIVERY_KEY is set, but not DELIVERY_CERT, whose key it is: set both")
    key = ""
    if certificate and (settings.delivery_key or "PRIVATE KEY-----" not in certificate):
        key = _pem("DELIVERY_KEY", settings.delivery_key, "PRIVATE KEY")
    papers = Papers(_pem("DELIVERY_CA", settings.delivery_ca, "CERTIFICATE"), certificate, key)
    if any(papers):
        context(papers)
    return papers


def context(papers: Papers) -> ssl.SSLContext:
    """Return a context that verifies the server and its name, from TLS 1.2 on.

    Raises UsageError for papers that cannot be used.
    """
    try:
        made = ssl.create_default_context(cadata=papers.ca or None)
    except ssl.SSLError as problem:
        raise UsageError(f"DELIVERY_CA cannot be used: {_reason(problem)}") from problem
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if papers.certificate:
        _introduce(made, papers)
    return made


def _introduce(made: ssl.SSLContext, papers: Papers) -> None:
    def no_password() -> str:
        raise UsageError("DELIVERY_KEY is encrypted: decrypt it, and keep the file to yourself")

    # Python takes a certificate from a file only. This one is ours alone, and for a moment.
    with tempfile.NamedTemporaryFile("w", encoding="ascii") as file:
        file.write(f"{papers.certificate}\n{papers.key}\n")
        file.flush()
        try:
            made.load_cert_chain(file.name, password=no_password)
        except ssl.SSLError as problem:
            if problem.reason == "KEY_VALUES_MISMATCH":
                raise UsageError(
                    "DELIVERY_KEY is not the key of the certificate in DELIVERY_CERT: set the two"
                    " that were made together"
                ) from problem
            raise UsageError(
                f"DELIVERY_CERT and DELIVERY_KEY cannot be used: {_reason(problem)}"
            ) from problem


def _pem(name: str, value: str, kind: str) -> str:
    if not value:
        if name == "DELIVERY_KEY":
            raise UsageError("DELIVERY_CERT is set, but not DELIVERY_KEY, its key: set both")
        return ""
    text, given = value, name
    if "-----BEGIN" not in value:
        # What should be the path of a key may be a key.
        given = name if name == "DELIVERY_KEY" else f"{name}={value}"
        try:
            # Whatever stands around the PEM is for people.
            text = Path(value).read_text(encoding="ascii", errors="ignore")
        except (OSError, ValueError) as problem:
            reason = problem.strerror if isinstance(problem, OSError) else problem
            raise UsageError(f"{given} cannot be read: {reason}") from problem
    if f"{kind}-----" not in text:
        raise UsageError(f"{given} holds no {kind.lower()} in PEM")
    return text


def _reason(problem: ssl.SSLError) -> str:
    return (problem.reason or str(problem)).replace("_", " ").lower()
