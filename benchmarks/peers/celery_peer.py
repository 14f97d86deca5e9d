"""Celery: acknowledged late, a quorum queue, publisher confirms, a prefetch.

Run as a module it turns references into its messages.
"""

from __future__ import annotations

import json
import os
import sys
from uuid import uuid4

from celery import Celery
from kombu import Queue

from benchmarks.peers import in_threads, statements

QUEUE = os.environ["PEER_QUEUE"]

app = Celery("celery_peer", broker=statements.BROKER_URL)
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    task_default_queue=QUEUE,
    task_queues=[Queue(QUEUE, routing_key=QUEUE, queue_arguments={"x-queue-type": "quorum"})],
    broker_transport_options={"confirm_publish": True},
    broker_connection_retry_on_startup=True,
    worker_prefetch_multiplier=int(os.environ.get("PEER_PREFETCH", "4")),
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
)

deliver = app.task(name="deliver")(in_threads.deliver)


def main() -> None:
    """Read references from stdin, one JSON array a line; write the messages in the same way."""
    with app.connection_for_write() as connection:
        app.amqp.queues[QUEUE].bind(connection.default_channel).declare()
    for line in sys.stdin:
        message = app.amqp.as_task_v2(str(uuid4()), "deliver", args=tuple(json.loads(line)))
        properties = {
            "content_type": "application/json",
            "content_encoding": "utf-8",
            "headers": {key: value for key, value in message.headers.items() if value is not None},
            "correlation_id": message.properties["correlation_id"],
            "reply_to": message.properties["reply_to"],
        }
        print(json.dumps({"body": json.dumps(message.body), "properties": properties}))


if __name__ == "__main__":
    main()
