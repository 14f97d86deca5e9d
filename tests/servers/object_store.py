"""A private S3 server, which is SeaweedFS, and places in it for one test each."""

from __future__ import annotations

import json
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from pyarrow import fs

from tests.servers import process


class ObjectStore:
    """One private server on loopback."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = process.free_port()
        self._key, self._secret = "archivist", secrets.token_hex(8)
        self._others = {name: process.free_port() for name in _PORTS}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What tells programs how to reach it; the names are those of AWS's own tools."""
        return {
            "AWS_ACCESS_KEY_ID": self._key,
            "AWS_SECRET_ACCESS_KEY": self._secret,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._port}",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def start(self) -> None:
        keys = {"accessKey": self._key, "secretKey": self._secret}
        identity = {"name": self._key, "credentials": [keys], "actions": ["Admin"]}
        (self._folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
        ports = [f"-{name}={port}" for name, port in self._others.items()]
        self._process = process.start(
            [
                Path(sys.executable).with_name("weed"),
                *(
                    "server",
                    "-dir=.",
                    "-ip=127.0.0.1",
                    "-ip.bind=127.0.0.1",
                    "-master.telemetry=false",
                ),
                *("-s3.port.iceberg=0", "-s3.port.lance=0"),
                *("-filer", "-s3", "-s3.config=s3.json", f"-s3.port={self._port}", *ports),
                *("-volume.max=100", "-master.volumeSizeLimitMB=64"),
            ],
            cwd=self._folder,
            log=self._folder / "server.log",
            ready=self._is_up,
            account={},
        )

    def stop(self) -> None:
        if self._process:
            process.stop(self._process, signal.SIGKILL)
        # It puts sockets there, whatever TMPDIR is, and leaves them.
        for port in (self._port, *self._others.values()):
            for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108
                path.unlink()

    def url(self, place: str) -> str:
        """Return the URL of a place in it that needs no environment."""
        options = {
            "endpoint_override": f"127.0.0.1:{self._port}",
            "scheme": "http",
            "region": "us-east-1",
            "allow_bucket_creation": "true",
        }
        return f"s3://{self._key}:{self._secret}@archives/{place}?{urlencode(options)}"

    def files(self) -> fs.FileSystem:
        """Return what is in it, without the program's help."""
        return fs.FileSystem.from_uri(self.url(""))[0]

    def _is_up(self) -> bool:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", self._port)):
                return False
        try:
            self.files().create_dir("archives")
        except OSError:
            return False
        return True


_PORTS = [
    *("master.port", "master.port.grpc", "volume.port", "volume.port.grpc"),
    *("filer.port", "filer.port.grpc", "s3.port.grpc"),
]


@pytest.fixture(scope="session")
def object_store() -> Iterator[ObjectStore]:
    with process.folder("s3") as folder:
        server = ObjectStore(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture
def bucket(object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of a place of the test's own; the environment says how to reach it."""
    for name, value in object_store.environment.items():
        monkeypatch.setenv(name, value)
    return f"s3://archives/{secrets.token_hex(4)}"
