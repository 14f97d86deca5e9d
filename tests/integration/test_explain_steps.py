from __future__ import annotations

from datetime import datetime
from typing import Any

import psycopg
import pytest

from birthday_cli.config import Settings
from birthday_cli.pipeline.looking.explain import explain
from tests.told import ada, of_messages, sent_to

STEPS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "missed": (
        {
            "status": "FAILED",
            "error_message": "missed: it was planned at 2027-03-02T10:00Z, when it was too late",
            "created_at": datetime.fromisoformat("2027-03-02T10:00Z"),
            "updated_at": datetime.fromisoformat("2027-03-02T10:00Z"),
        },
        [
            "BIRTHDAY for 2027-02-28: FAILED",
            "   2027-02-28 09:00:00Z  due: 09:00 by the clocks of Europe/London, UTC+00:00;",
            "                         kept in message_logs_2027_02",
            "   2027-03-02 10:00:00Z  planned: “Happy birthday, Ada Lovelace!”",
            "   2027-03-02 10:00:00Z  FAILED for good; missed: it was planned at",
            "                         2027-03-02T10:00Z, when it was too late",
        ],
    ),
    "expired": (
        {
            "status": "FAILED",
            "retry_count": 3,
            "last_retry_at": datetime.fromisoformat("2027-02-28T10:15:30Z"),
            "error_message": "connection refused; expired: due at 2027-02-28T09:00Z and not sent by"
            " 2027-03-01T00:00Z, when it became too late",
            "updated_at": datetime.fromisoformat("2027-03-01T00:00:07Z"),
        },
        [
            "BIRTHDAY for 2027-02-28: FAILED, 3 attempts before",
            "   2027-02-26 09:00:00Z  planned: “Happy birthday, Ada Lovelace!”",
            "   2027-02-28 09:00:00Z  due: 09:00 by the clocks of Europe/London, UTC+00:00;",
            "                         kept in message_logs_2027_02",
            "   2027-02-28 10:15:30Z  the last attempt ended",
            "   2027-03-01 00:00:07Z  FAILED for good; connection refused; expired: due at",
            "                         2027-02-28T09:00Z and not sent by 2027-03-01T00:00Z,",
            "                         when it became too late",
        ],
    ),
    "refused": (
        {"status": "FAILED", "api_response_code": 422, "api_response_body": "no such\nperson"},
        [
            "BIRTHDAY for 2027-02-28: FAILED",
            "   2027-02-26 09:00:00Z  planned: “Happy birthday, Ada Lovelace!”",
            "   2027-02-28 09:00:00Z  due: 09:00 by the clocks of Europe/London, UTC+00:00;",
            "                         kept in message_logs_2027_02",
            "   2027-02-28 09:00:04Z  FAILED for good; answered 422 “no such\\nperson”",
        ],
    ),
    "retrying": (
        {
            "status": "RETRYING",
            "retry_count": 1,
            "next_attempt_at": datetime.fromisoformat("2027-02-28T09:00:09Z"),
            "api_response_code": 503,
            "expires_at": datetime.fromisoformat("2027-03-01T00:00Z"),
        },
        [
            "BIRTHDAY for 2027-02-28: RETRYING, 1 attempt before",
            "   2027-02-26 09:00:00Z  planned: “Happy birthday, Ada Lovelace!”",
            "   2027-02-28 09:00:00Z  due: 09:00 by the clocks of Europe/London, UTC+00:00;",
            "                         kept in message_logs_2027_02",
            "                         attempt 1 ended; answered 503",
            "   2027-02-28 09:00:04Z  RETRYING from then on",
            "   2027-02-28 09:00:09Z  to be queued again by `bdaysched schedule`, not before",
            "   2027-03-01 00:00:00Z  too late from then on",
        ],
    ),
    "tried twice": (
        {
            "status": "RETRYING",
            "retry_count": 2,
            "last_retry_at": datetime.fromisoformat("2027-02-28T09:00:07Z"),
            "attempts": '[{"ended_at": "2027-02-28T09:00:01.250Z", "outcome": "transient",'
            ' "code": 503, "error": "answered 503 Service Unavailable"},'
            ' {"ended_at": "2027-02-28T09:00:07Z", "outcome": "ambiguous", "code": null,'
            ' "error": "no answer within 10 s"}]',
            "error_message": "no answer within 10 s",
        },
        [
            "BIRTHDAY for 2027-02-28: RETRYING, 2 attempts before",
            "   2027-02-26 09:00:00Z  planned: “Happy birthday, Ada Lovelace!”",
            "   2027-02-28 09:00:00Z  due: 09:00 by the clocks of Europe/London, UTC+00:00;",
            "                         kept in message_logs_2027_02",
            "   2027-02-28 09:00:01Z  attempt 1: transient; answered 503 Service Unavailable",
            "   2027-02-28 09:00:07Z  attempt 2: ambiguous; no answer within 10 s",
            "   2027-02-28 09:00:04Z  RETRYING from then on",
        ],
    ),
    "held": (
        {
            "id": "11111111-2222-3333-4444-555555555555",
            "status": "RETRYING",
            "retry_count": 1,
            "next_attempt_at": "infinity",
            "attempts": '[{"ended_at": "2027-02-28T09:00:04Z", "outcome": "ambiguous",'
            ' "code": null, "error": "no answer within 10 s"}]',
            "error_message": "no answer within 10 s; held for a person to decide",
        },
        [
            "BIRTHDAY for 2027-02-28: RETRYING, 1 attempt before",
            "   2027-02-26 09:00:00Z  planned: “Happy birthday, Ada Lovelace!”",
            "   2027-02-28 09:00:00Z  due: 09:00 by the clocks of Europe/London, UTC+00:00;",
            "                         kept in message_logs_2027_02",
            "   2027-02-28 09:00:04Z  attempt 1: ambiguous; no answer within 10 s",
            "   2027-02-28 09:00:04Z  held, until a person decides whether it was delivered",
            "   `bdaysched queue replay --held 11111111-2222-3333-4444-555555555555` tries it",
            "      again with the same key; with --as-sent it is recorded as SENT",
        ],
    ),
    "let be tried again by a person": (
        {
            "status": "RETRYING",
            "attempts": '[{"ended_at": "2027-02-28T09:00:01Z", "outcome": "permanent",'
            ' "code": 401, "error": null}, {"ended_at": "2027-02-28T09:20:00Z", "outcome":'
            ' "tried again", "code": null, "error": null, "by": "ada@desk"}, {"ended_at":'
            ' "2027-02-28T09:21:00Z", "outcome": "transient", "code": 503, "error": null}]',
        },
        [
            "BIRTHDAY for 2027-02-28: RETRYING",
            "   2027-02-26 09:00:00Z  planned: “Happy birthday, Ada Lovelace!”",
            "   2027-02-28 09:00:00Z  due: 09:00 by the clocks of Europe/London, UTC+00:00;",
            "                         kept in message_logs_2027_02",
            "   2027-02-28 09:00:01Z  attempt 1: permanent; answered 401",
            "   2027-02-28 09:20:00Z  tried again by ada@desk",
            "   2027-02-28 09:21:00Z  attempt 1: transient; answered 503",
            "   2027-02-28 09:00:04Z  RETRYING from then on",
        ],
    ),
    "queued again": (
        {
            "status": "QUEUED",
            "retry_count": 2,
            "last_retry_at": datetime.fromisoformat("2027-02-28T09:00:02Z"),
            "error_message": "no answer",
            "lease_expires_at": datetime.fromisoformat("2097-02-28T09:05:04Z"),
        },
        [
            "BIRTHDAY for 2027-02-28: QUEUED, 2 attempts before",
            "   2027-02-26 09:00:00Z  planned: “Happy birthday, Ada Lovelace!”",
            "   2027-02-28 09:00:00Z  due: 09:00 by the clocks of Europe/London, UTC+00:00;",
            "                         kept in message_logs_2027_02",
            "   2027-02-28 09:00:02Z  attempt 2 ended; no answer",
            "   2027-02-28 09:00:04Z  queued: `bdaysched run-worker` sends it; a worker has",
            "                         it in hand until 2097-02-28 09:05:04Z",
        ],
    ),
    "in a worker's hands": (
        {
            "status": "SENDING",
            "lease_expires_at": datetime.fromisoformat("2097-02-28T09:05:04Z"),
        },
        [
            "BIRTHDAY for 2027-02-28: SENDING",
            "   2027-02-26 09:00:00Z  planned: “Happy birthday, Ada Lovelace!”",
            "   2027-02-28 09:00:00Z  due: 09:00 by the clocks of Europe/London, UTC+00:00;",
            "                         kept in message_logs_2027_02",
            "   2027-02-28 09:00:04Z  taken by a worker, to be sent",
            "   2097-02-28 09:05:04Z  the worker's claim ends",
        ],
    ),
    "in a dead worker's hands": (
        {
            "status": "SENDING",
            "lease_expires_at": datetime.fromisoformat("2017-02-28T09:05:04Z"),
        },
        [
            "BIRTHDAY for 2027-02-28: SENDING",
            "   2027-02-26 09:00:00Z  planned: “Happy birthday, Ada Lovelace!”",
            "   2027-02-28 09:00:00Z  due: 09:00 by the clocks of Europe/London, UTC+00:00;",
            "                         kept in message_logs_2027_02",
            "   2027-02-28 09:00:04Z  taken by a worker, to be sent",
            "   2017-02-28 09:05:04Z  the worker's claim ended: the next `bdaysched schedule`",
            "                         takes the message back",
        ],
    ),
    "too late, and nobody noticed": (
        {"status": "SCHEDULED", "expires_at": datetime.fromisoformat("2027-02-28T09:30Z")},
        [
            "BIRTHDAY for 2027-02-28: SCHEDULED",
            "   2027-02-26 09:00:00Z  planned: “Happy birthday, Ada Lovelace!”",
            "   2027-02-28 09:00:00Z  due: 09:00 by the clocks of Europe/London, UTC+00:00;",
            "                         kept in message_logs_2027_02",
            "   2027-02-28 09:00:04Z  corrected, or taken back from the queue",
            "   2027-02-28 09:30:00Z  too late from then on",
            "   it is too late for it: the next `bdaysched schedule` makes it FAILED",
        ],
    ),
    "sent before it was due": (
        {
            "status": "SENT",
            "actual_send_time": datetime.fromisoformat("2027-02-27T23:58:00Z"),
            "updated_at": datetime.fromisoformat("2027-02-27T23:58:01Z"),
        },
        [
            "BIRTHDAY for 2027-02-28: SENT, 9 h 2 min EARLY",
            "   2027-02-26 09:00:00Z  planned: “Happy birthday, Ada Lovelace!”",
            "   2027-02-28 09:00:00Z  due: 09:00 by the clocks of Europe/London, UTC+00:00;",
            "                         kept in message_logs_2027_02",
            "   2027-02-27 23:58:00Z  sent, 9 h 2 min EARLY: 2027-02-27 23:58:00 by their",
            "                         clock",
            "   2027-02-27 23:58:01Z  recorded as SENT",
        ],
    ),
}


@pytest.mark.parametrize("name", STEPS)
def test_every_step_of_a_message(
    march: Settings, connection: psycopg.Connection, name: str
) -> None:
    columns, expected = STEPS[name]
    user = ada(connection)
    # Rows that other programs write expire never.
    values = {"expires_at": "infinity", **columns}
    sent_to(connection, user, "2027-02-28T09:00Z", **values)
    now = datetime.fromisoformat("2027-02-28T10:00Z")
    assert of_messages(explain(march, now, "ada@example.com", 10)) == expected
