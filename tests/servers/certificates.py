"""Certificates of an authority that the suite makes, as files for its servers and the program."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from tests.servers import process


@dataclass(frozen=True)
class Certificate:
    """A certificate with its chain, and its key, which only its owner can read."""

    chain: Path
    key: Path


class Authority:
    """Signs certificates; `ca` is the file that makes others trust them."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder / name
        self._folder.mkdir()
        self._folder.chmod(0o755)
        self._signer = trustme.CA(organization_unit_name=name)
        self._issued = 0
        self.ca = self._folder / "ca.pem"
        self._signer.cert_pem.write_to_path(self.ca)

    def server(self, *names: str, expired: bool = False) -> Certificate:
        """Return one for hosts of these names or addresses; the servers' account owns the key."""
        return self._issue(names, names[0], expired, process.account())

    def client(self, name: str, expired: bool = False) -> Certificate:
        """Return one whose common name is name; we own the key."""
        return self._issue((name,), name, expired, None)

    def _issue(
        self, names: tuple[str, ...], common: str, expired: bool, owner: pwd.struct_passwd | None
    ) -> Certificate:
        ended = datetime.now(UTC) - timedelta(days=1)
        issued = self._signer.issue_cert(
            *names,
            common_name=common,
            not_before=ended - timedelta(days=90) if expired else None,
            not_after=ended if expired else None,
        )
        self._issued += 1
        made = Certificate(
            self._folder / f"{self._issued}.pem", self._folder / f"{self._issued}.key"
        )
        made.chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        made.key.touch(0o600)
        made.key.write_bytes(issued.private_key_pem.bytes())
        if owner:
            os.chown(made.key, owner.pw_uid, owner.pw_gid)
        return made


@pytest.fixture(scope="session")
def authority() -> Iterator[Authority]:
    """Return the authority that the suite's servers and programs trust."""
    with process.folder("certificates") as folder:
        yield Authority(folder, "ours")


@pytest.fixture(scope="session")
def stranger() -> Iterator[Authority]:
    """Return an authority that nobody trusts."""
    with process.folder("certificates") as folder:
        yield Authority(folder, "stranger")
