"""The workers that `benchmarks.worker` compares: what starts each, and where its work waits."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import servers
from birthday_cli.domain.message import Reference

QUEUE = "benchmark"
"""Our queue; a peer whose messages have a form of their own has its own beside it."""

_PEERS = Path(__file__).parent / "peers"
_PACKAGE = "benchmarks.peers"
_RUN = ("run-worker", "--until-empty", "--json")
_OURS = (sys.executable, "-m", "birthday_cli.cli.main", *_RUN)
_NOOP = (sys.executable, "-m", "benchmarks.peers.noop", *_RUN)


@dataclass(frozen=True)
class Contender:
    """One way to do the work.

    `form` is that of the messages it reads: `reference` (ours), `postgres` (none: the rows are the
    queue), or the name of the peer in benchmarks/peers that writes them.
    """

    name: str
    commands: Sequence[Sequence[str | Path]]
    form: str = "reference"
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    posts: bool = True
    ends_when_empty: bool = False

    @property
    def queue(self) -> str:
        """The queue it reads."""
        return QUEUE if self.form in ("reference", "postgres") else f"{QUEUE}.{self.form}"

    def steady(self) -> Contender:
        """Return the same, waiting for more when the queue is empty."""
        commands = [[word for word in command if word != _RUN[1]] for command in self.commands]
        return Contender(self.name, commands, self.form, self.environment, self.folder, self.posts)


def ours(environment: Mapping[str, str] | None = None) -> list[Contender]:
    """Return our own worker in its forms; further settings come from our own environment."""
    told = environment or {}

    def make(name: str, command: Sequence[str], count: int = 1, posts: bool = True) -> Contender:
        form = "postgres" if name == "postgres" else "reference"
        return Contender(name, [command] * count, form, told, posts=posts, ends_when_empty=True)

    return [
        make("ours", _OURS),
        make("ours_2", _OURS, 2),
        make("ours_3", _OURS, 3),
        make("postgres", _OURS),
        make("noop", _NOOP, posts=False),
    ]


@dataclass(frozen=True)
class Peers:
    """The environments of the peers; `node` is None where there is no Node."""

    python: Path
    node: Path | None

    def queues(self, threads: tuple[int, int]) -> list[Contender]:
        """Return Celery and Dramatiq, in two processes each of so many threads."""
        return [
            self.celery("celery_2_processes", "threads", 2, threads[0]),
            self.dramatiq(threads[1]),
        ]

    def contenders(self) -> list[Contender]:
        """Return every peer, Celery in each of the ways that may be its best."""
        found = [
            *self.queues((4, 8)),
            self.celery("celery_threads", "threads", 1, 16),
            self.celery("celery_prefork", "prefork", 1, 8),
        ]
        found.append(Contender("aio_pika", [[self.python, "-m", f"{_PACKAGE}.aio_pika_peer"]]))
        if self.node:
            found.append(Contender("node", [["node", "peer.js"]], folder=self.node))
        return found

    def celery(self, name: str, pool: str, processes: int, concurrency: int) -> Contender:
        """Return Celery with a pool of a kind, in so many processes of so much concurrency."""
        command: list[str | Path] = [
            *(
                self.python,
                "-m",
                "celery",
                "-A",
                f"{_PACKAGE}.celery_peer",
                "worker",
                "--loglevel=warning",
            ),
            *(f"--pool={pool}", f"--concurrency={concurrency}"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ]
        return Contender(
            name,
            [[*command, f"--hostname=worker{number}@%h"] for number in range(processes)],
            "celery",
            # A child that was forked does one task at a time.
            _told("celery", 1 if pool == "prefork" else concurrency),
        )

    def dramatiq(self, threads: int) -> Contender:
        """Return Dramatiq in two processes of so many threads."""
        command: list[str | Path] = [
            *(self.python, "-m", "dramatiq", f"{_PACKAGE}.dramatiq_peer"),
            *("--processes", "2", "--threads", str(threads)),
        ]
        told = {**_told("dramatiq", threads), "dramatiq_queue_prefetch": str(max(64, 2 * threads))}
        return Contender("dramatiq", [command], "dramatiq", told)

    def messages(
        self, form: str, references: Sequence[Reference], environment: Mapping[str, str]
    ) -> list[dict[str, object]]:
        """Return what a peer's library makes of references; its queue is there afterwards."""
        lines = [
            json.dumps([str(reference.id), reference.scheduled_send_time.isoformat()])
            for reference in references
        ]
        done = subprocess.run(  # noqa: S603 - the command is ours
            [self.python, "-m", f"{_PACKAGE}.{form}_peer"],
            env={**os.environ, **environment, **_told(form, 1)},
            input="\n".join(lines),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return [json.loads(line) for line in done.stdout.splitlines()]


def _told(form: str, threads: int) -> dict[str, str]:
    return {"PEER_QUEUE": f"{QUEUE}.{form}", "PEER_THREADS": str(threads)}


@contextmanager
def installed_peers() -> Iterator[Peers]:
    """Yield the peers in environments of their own, gone afterwards.

    Raises CalledProcessError where pip cannot get the pinned packages.
    """
    with TemporaryDirectory(prefix="bdaysched-peers-") as name:
        folder = Path(name)
        servers.tell("installing the peers")
        venv.create(folder / "venv", with_pip=True)
        python = folder / "venv" / "bin" / "python"
        _run(
            *(python, "-m", "pip", "install", "-qq", "--disable-pip-version-check"),
            *("--requirement", _PEERS / "requirements.txt"),
        )
        yield Peers(python, _install_node(folder / "node"))


def _install_node(folder: Path) -> Path | None:
    npm = shutil.which("npm")
    if not npm or not shutil.which("node"):
        return None
    shutil.copytree(_PEERS / "node", folder)
    _run(npm, "install", "--silent", "--no-package-lock", "--prefix", folder)
    return folder


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, stdout=sys.stderr)  # noqa: S603 - the commands are ours
