"""Kill what can be killed while the program delivers, and judge what came of it.

python -m tests.drill --messages 20000 --brokers rabbitmq --minutes 6 --seed 1
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from tests.drill import report
from tests.drill.course import Course
from tests.drill.drill import Drill
from tests.drill.stage import BROKERS, stage


def main() -> None:
    """Run one drill; the exit code is 1 when it was judged red."""
    parser = argparse.ArgumentParser(prog="tests.drill", description=__doc__.partition("\n")[0])
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--brokers", choices=BROKERS, default="rabbitmq")
    parser.add_argument("--minutes", type=float, default=6.0, help="how long faults go on")
    parser.add_argument(
        "--settle", type=float, default=5.0, help="minutes to come to rest, at most"
    )
    parser.add_argument("--pause", type=float, default=5.0, help="mean seconds between two faults")
    parser.add_argument("--only", action="append", default=[], help="a kind of fault; repeatable")
    parser.add_argument("--rabbitmq-root", type=Path, help="a file system with another RabbitMQ")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--keep", type=Path, help="an existing folder for logs and the record")
    given = parser.parse_args()
    # A terminated drill stops its servers, as an interrupted one does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    course = Course(
        messages=given.messages,
        seed=given.seed,
        brokers=given.brokers,
        seconds=given.minutes * 60,
        settle=given.settle * 60,
        pause=given.pause,
        only=frozenset(given.only),
        say=lambda line: print(f"{datetime.now(UTC):%H:%M:%S} {line}", file=sys.stderr, flush=True),
    )
    with (
        tempfile.TemporaryDirectory(prefix="bdaysched-drill-") as folder,
        stage(course.brokers, given.rabbitmq_root) as servers,
    ):
        done = asyncio.run(Drill(course, servers, given.keep or Path(folder)).run())
    print(json.dumps(report.as_dict(done), indent=2) if given.json else report.as_text(done))
    sys.exit(0 if done.judgement.went_well else 1)


if __name__ == "__main__":
    main()
