"""How fast `run-worker` is beside its peers: the same rows, receiver, servers and machine.

Rows of message_logs that are QUEUED, their references preloaded in a queue of RabbitMQ (quorum, on
disk), PostgreSQL on disk with its default durability, nginx as the receiver. Each worker claims,
posts with an Idempotency-Key, records, and then acknowledges. The rate is of the rows recorded
after the first 5 %, which cover the start-up, up to the last, by the instants of their commits. CPU
seconds are of that same time. Contenders take turns, every other round in the reverse order.

    python -m benchmarks.worker --messages 20000 --rounds 3
    python -m benchmarks.worker --only ours,noop
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence

from benchmarks import contenders, servers
from benchmarks.staging import Drained, Stage, stage


def compete(
    scene: Stage, entered: Sequence[contenders.Contender], rounds: int
) -> dict[str, list[Drained]]:
    """Let contenders take turns."""
    found: dict[str, list[Drained]] = {contender.name: [] for contender in entered}
    for number in range(rounds):
        for contender in entered[:: -1 if number % 2 else 1]:
            drained = scene.drain(contender)
            found[contender.name].append(drained)
            costs = ", ".join(f"{name} {cost:.3f}" for name, cost in drained.seconds.items())
            servers.tell(
                f"round {number + 1}: {contender.name} {drained.rate:,.0f}/s,"
                f" CPU seconds for 1,000: {costs}; {drained.cores:.2f} cores busy"
            )
    return found


def figures(drains: Sequence[Drained]) -> dict[str, object]:
    """Return medians, with the range of the rate."""
    rates = [drained.rate for drained in drains]
    return {
        "per_second": round(statistics.median(rates)),
        "range": [round(min(rates)), round(max(rates))],
        "cpu_seconds_per_1000": {
            name: servers.median([drained.seconds[name] for drained in drains])
            for name in drains[0].seconds
        },
        "cores_busy": servers.median([drained.cores for drained in drains]),
    }


def ratio(found: dict[str, list[Drained]], one: str, others: Sequence[str]) -> float | None:
    """Return the median over the rounds of one's rate to the best of the others in that round."""
    there = [found[other] for other in others if found.get(other)]
    if not found.get(one) or not there:
        return None
    return servers.median(
        [
            drained.rate / max(other[place].rate for other in there)
            for place, drained in enumerate(found[one])
        ]
    )


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", metavar="NAME,…", help="some of the contenders")
    given = parser.parse_args()
    entered = contenders.ours()
    if given.only:
        names = given.only.split(",")
        if unknown := set(names) - {contender.name for contender in entered}:
            parser.error(f"{sorted(unknown)}: there are {[c.name for c in entered]}")
        entered = [contender for contender in entered if contender.name in names]
    with stage(given.messages) as scene:
        found = compete(scene, entered, given.rounds)
    servers.report(
        "worker",
        messages=given.messages,
        **{name: figures(drains) for name, drains in found.items()},
        ratios={
            "one_to_noop": ratio(found, "ours", ["noop"]),
            "postgres_to_one": ratio(found, "postgres", ["ours"]),
            "two_to_one": ratio(found, "ours_2", ["ours"]),
            "three_to_one": ratio(found, "ours_3", ["ours"]),
        },
    )


if __name__ == "__main__":
    main()
