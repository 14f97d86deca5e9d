"""The workers that `benchmarks.worker` compares: what starts each, and where its work waits."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PEERS = Path(__file__).parent / "peers"
_PYTHON = Path(sys.executable)
_OURS = (_PYTHON, "-m", "birthday_cli.cli.main", "run-worker", "--until-empty", "--json")
_NOOP = (_PYTHON, "-m", "benchmarks.peers.noop", "run-worker", "--until-empty", "--json")

Command = Sequence[str | Path]


@dataclass(frozen=True)
class Contender:
    """One way to do the work.

    `kind` says which queue holds its references and in what form: `ours` (also of whoever reads the
    same), `postgres` (the rows are the queue), `celery` or `dramatiq`.
    """

    name: str
    kind: str
    commands: Sequence[Command]
    environment: Mapping[str, str] = field(default_factory=dict)
    posts: bool = True

    @property
    def is_ours(self) -> bool:
        """Whether it ends by itself when the queue is empty."""
        return self.commands[0][2] in (_OURS[2], _NOOP[2])


def ours() -> list[Contender]:
    """Return our own worker in its forms; its settings come from the environment."""
    return [
        Contender("ours", "ours", [_OURS]),
        Contender("ours_2", "ours", [_OURS] * 2),
        Contender("ours_3", "ours", [_OURS] * 3),
        Contender("postgres", "postgres", [_OURS]),
        Contender("noop", "ours", [_NOOP], posts=False),
    ]
