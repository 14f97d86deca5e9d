"""What `benchmarks.worker` measures beside throughput: latency, and memory over a long run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from benchmarks import servers
from benchmarks.contenders import Contender
from benchmarks.staging import Stage
from benchmarks.usage import resident_megabytes

_PER_SECOND = 100
_WARM_UP = 300  # messages that are sent, and not counted
_FIRST = 10_000

_QUEUE_ONE = "UPDATE message_logs SET status = 'QUEUED' WHERE id = %s AND scheduled_send_time = %s"
_RECORDED = """
SELECT id, pg_xact_commit_timestamp(xmin) FROM message_logs WHERE status = 'SENT'
"""


def latency(scene: Stage, contender: Contender, count: int) -> list[float]:
    """Feed a contender 100 messages a second; return the milliseconds from due to recorded.

    Due is when the feeder starts to hand a message over: to publish it or, where the rows are the
    queue, to mark it QUEUED. Recorded is the commit, on the same clock.
    """
    in_rows = contender.form == "postgres"
    references = scene.references[: count + _WARM_UP]
    scene.fill(references, "SCHEDULED" if in_rows else "QUEUED")
    letters = [] if in_rows else scene.letters(contender)
    if not in_rows:
        scene.preload(contender.queue, [])
    due: dict[object, float] = {}
    with scene.working(contender.steady()) as workers:
        # The warm-up, the first of which finds the worker still starting, is over by its own count.
        begun = 0.0
        for number, reference in enumerate(references):
            if number == _WARM_UP:
                scene.until_sent(_WARM_UP, workers)
            if number in (0, _WARM_UP):
                begun = time.perf_counter() - number / _PER_SECOND
            time.sleep(max(0.0, begun + number / _PER_SECOND - time.perf_counter()))
            due[reference.id] = time.time()
            if in_rows:
                scene.connection.execute(_QUEUE_ONE, reference)
            else:
                scene.publish(contender.queue, [letters[number]])
        scene.until_sent(len(references), workers)
    rows: list[tuple[Any, datetime]] = scene.connection.execute(_RECORDED).fetchall()  # type: ignore[assignment]
    recorded = {identity: instant.timestamp() for identity, instant in rows}
    return [
        1_000 * (recorded[reference.id] - due[reference.id]) for reference in references[_WARM_UP:]
    ]


def percentiles(samples: Sequence[float]) -> dict[str, float]:
    """Return p50 and p99 in milliseconds."""
    cuts = statistics.quantiles(samples, n=100)
    return {"p50_ms": round(cuts[49], 1), "p99_ms": round(cuts[98], 1)}


def memory(scene: Stage, contender: Contender, deliveries: int) -> dict[str, float]:
    """Let one process deliver so many; return its memory in MB after 10,000 and at the end."""
    letters = scene.letters(contender)
    sizes: list[float] = []
    done, requests = 0, scene.receiver.requests()
    portion = _FIRST
    scene.fill(scene.references[:portion])
    with scene.working(contender.steady()) as workers:
        while done < deliveries:
            if done:
                portion = min(len(scene.references), deliveries - done)
                scene.fill(scene.references[:portion])
            scene.publish(contender.queue, letters[:portion])
            scene.until_sent(portion, workers)
            done += portion
            # The last results are acknowledged just after they are recorded.
            time.sleep(1)
            assert scene.waiting(contender.queue) == 0
            sizes.append(resident_megabytes(workers[0].pid))
            servers.tell(f"{contender.name}: {sizes[-1]} MB after {done:,}")
    requests = scene.receiver.requests() - requests - 1
    assert requests == deliveries, f"{requests} requests for {deliveries}"
    return {
        "deliveries": deliveries,
        "after_10000_mb": sizes[0],
        "at_the_end_mb": sizes[-1],
        "most_mb": max(sizes),
        "ratio": round(sizes[-1] / sizes[0], 3),
    }
