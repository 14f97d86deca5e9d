"""How long `bdaysched --help` takes, against a Typer program of two commands, in one run.

Both run in turn, in the environment of this interpreter; the ratio is of the medians.

    python benchmarks/startup.py --rounds 40
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TWO_COMMANDS = """
import typer

app = typer.Typer()


@app.command()
def hello(name: str = "world") -> None:
    "Say hello."
    print(f"hello {name}")


@app.command()
def goodbye(name: str = "world") -> None:
    "Say goodbye."
    print(f"goodbye {name}")


app()
"""


def seconds(command: list[str]) -> float:
    """Return how long one run of command takes, in seconds."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    return time.perf_counter() - started


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        peer = Path(folder, "two_commands.py")
        peer.write_text(TWO_COMMANDS)
        ours = [sys.executable, "-m", "birthday_cli.cli.main", "--help"]
        theirs = [sys.executable, str(peer), "--help"]
        for command in (ours, theirs):
            seconds(command)
        pairs = [(seconds(ours), seconds(theirs)) for _ in range(rounds)]
    own, peer_time = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(
        json.dumps(
            {
                "benchmark": "startup",
                "rounds": rounds,
                "help_ms": round(own * 1000, 1),
                "two_command_typer_ms": round(peer_time * 1000, 1),
                "ratio": round(own / peer_time, 3),
            }
        )
    )


if __name__ == "__main__":
    main()
