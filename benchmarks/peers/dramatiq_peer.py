"""Dramatiq: a quorum queue, publisher confirms; a message is acknowledged when its actor is done.

Run as a module it turns references into its messages.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker

from benchmarks.peers import in_threads, statements

QUEUE = os.environ["PEER_QUEUE"]


def _quorum(broker: RabbitmqBroker) -> RabbitmqBroker:
    # Dramatiq has no setting for the type of its queues: a policy may not change it either.
    build = broker._build_queue_arguments

    def build_quorum(name: str) -> dict[str, Any]:
        return {**build(name), "x-queue-type": "quorum"}

    broker._build_queue_arguments = build_quorum
    return broker


broker = _quorum(RabbitmqBroker(url=statements.BROKER_URL, confirm_delivery=True))
dramatiq.set_broker(broker)
deliver = dramatiq.actor(in_threads.deliver, queue_name=QUEUE, max_retries=8)


def main() -> None:
    """Read references from stdin, one JSON array a line; write the messages in the same way."""
    broker.declare_queue(QUEUE, ensure=True)
    for line in sys.stdin:
        message = deliver.message(*json.loads(line))
        print(json.dumps({"body": message.encode().decode(), "properties": {}}))


if __name__ == "__main__":
    main()
