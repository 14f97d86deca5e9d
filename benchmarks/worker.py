"""How fast `run-worker` is beside its peers: the same rows, receiver, servers and machine.

Rows of message_logs that are QUEUED, their references preloaded in a queue of RabbitMQ (quorum, on
disk), PostgreSQL on disk with its default durability, nginx as the receiver. Each worker claims,
posts with an Idempotency-Key, records, and then acknowledges. The rate is of the rows recorded
after the first 5 %, which cover the start-up, up to the last, by the instants of their commits. CPU
seconds are of that same time. Contenders take turns, every other round in the reverse order.

    python -m benchmarks.worker --messages 20000 --rounds 3
    python -m benchmarks.worker --only ours,noop
    python -m benchmarks.worker --latency --messages 3000
    python -m benchmarks.worker --memory 1000000
    python -m benchmarks.worker --delay 50

The peers in Python are installed at every run into an environment of their own, from
benchmarks/peers/requirements.txt, and Node's with npm; where there is no Node it is left out.
Settings of our worker (WORKER_CONCURRENCY and so on) are taken from the environment.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import NoReturn

from benchmarks import contenders, servers
from benchmarks.staging import Drained, Stage, stage
from benchmarks.worker_modes import latency, memory, percentiles


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
    parser.add_argument("--latency", action="store_true", help="fed at 100 a second instead")
    parser.add_argument("--seconds", type=int, default=25, help="how long, with --latency")
    parser.add_argument("--memory", type=int, metavar="N", help="of so many deliveries instead")
    parser.add_argument("--delay", type=int, metavar="MS", help="the receiver takes that long")
    given = parser.parse_args()
    with ExitStack() as stack:
        peers, entered = enter(stack, given, parser.error)
        scene = stack.enter_context(stage(given.messages, (given.delay or 0) / 1_000, peers))
        if given.latency:
            result = measure_latency(scene, entered, given.rounds, given.seconds)
        elif given.memory:
            result = {
                contender.name: memory(scene, contender, given.memory) for contender in entered
            }
        else:
            found = compete(scene, entered, given.rounds)
            result = {
                **{name: figures(drains) for name, drains in found.items()},
                "ratios": ratios(found),
            }
    if not given.only and peers and not peers.node:
        result["missing"] = ["node: there is no node or npm"]
    servers.report("worker", messages=given.messages, delay_ms=given.delay or 0, **result)


def enter(
    stack: ExitStack, given: argparse.Namespace, refuse: Callable[[str], NoReturn]
) -> tuple[contenders.Peers | None, list[contenders.Contender]]:
    """Return those who take part, with the peers' environments if any of those does."""
    wanted = set(given.only.split(",")) if given.only else None
    if wanted is None and given.memory:
        wanted = {"ours"}
    if wanted is None and given.latency:
        wanted = {"ours", "postgres", "celery_2_processes", "dramatiq"}
    slow = {"WORKER_CONCURRENCY": "512", "WORKER_PREFETCH": "2000"} if given.delay else None
    own = contenders.ours(slow)
    names = {contender.name for contender in own}
    peers, others = None, []
    if wanted is None or wanted - names:
        peers = stack.enter_context(contenders.installed_peers())
        others = peers.queues((32, 32)) if given.delay else peers.contenders()
    if wanted and (unknown := wanted - names - {other.name for other in others}):
        refuse(f"{', '.join(sorted(unknown))}: not here")
    return peers, [one for one in [*own, *others] if wanted is None or one.name in wanted]


def measure_latency(
    scene: Stage, entered: Sequence[contenders.Contender], rounds: int, seconds: int
) -> dict[str, object]:
    """Let contenders take turns at being fed; return p50 and p99, the medians of the rounds."""
    found: dict[str, list[dict[str, float]]] = {contender.name: [] for contender in entered}
    for number in range(rounds):
        for contender in entered[:: -1 if number % 2 else 1]:
            measured = percentiles(latency(scene, contender, 100 * seconds))
            found[contender.name].append(measured)
            servers.tell(f"round {number + 1}: {contender.name} {measured}")
    return {
        name: {
            key: [servers.median([one[key] for one in measured]), [one[key] for one in measured]]
            for key in measured[0]
        }
        for name, measured in found.items()
    }


def ratios(found: dict[str, list[Drained]]) -> dict[str, float | None]:
    """Return what issue 4 asks for, and how the curve goes on."""
    queues = [name for name in found if name.startswith(("celery", "dramatiq"))]
    return {
        "one_to_best_of_celery_and_dramatiq": ratio(found, "ours", queues),
        "two_to_best_of_celery_and_dramatiq": ratio(found, "ours_2", queues),
        "one_to_noop": ratio(found, "ours", ["noop"]),
        "postgres_to_one": ratio(found, "postgres", ["ours"]),
        "one_to_node": ratio(found, "ours", ["node"]),
        "one_to_aio_pika": ratio(found, "ours", ["aio_pika"]),
        "two_to_one": ratio(found, "ours_2", ["ours"]),
        "three_to_one": ratio(found, "ours_3", ["ours"]),
    }


if __name__ == "__main__":
    main()
