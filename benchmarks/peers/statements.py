"""What every peer does for a message: the two updates and the request that `bdaysched` makes."""

from __future__ import annotations

import json
import os
from typing import Any

DATABASE_URL = os.environ["DATABASE_URL"]
BROKER_URL = os.environ["BROKER_URL"]
DELIVERY_URL = os.environ["DELIVERY_URL"]
TIMEOUT = 10.0
SESSION = "-c TimeZone=UTC"

# Of the ways to write them these cost PostgreSQL least, prepared as psycopg does by itself: a join
# to users a fifth more, a forced generic plan half as much again.
CLAIM = """
UPDATE message_logs AS message
SET status = 'SENDING', lease_expires_at = now() + interval '5 min', updated_at = now()
WHERE id = %s AND scheduled_send_time = %s
  AND (status IN ('SCHEDULED', 'QUEUED', 'RETRYING')) IS TRUE
RETURNING user_id, (SELECT email FROM users WHERE users.id = message.user_id), message_type,
          message_content, delivery_date, idempotency_key
"""

RECORD = """
UPDATE message_logs
SET status = 'SENT', actual_send_time = now(), lease_expires_at = NULL,
    api_response_code = %s, api_response_body = %s, updated_at = now()
WHERE id = %s AND scheduled_send_time = %s AND (status = 'SENDING') IS TRUE
"""


def request(row: Any, send_time: str) -> tuple[dict[str, str], bytes]:
    """Return headers and body of the request for a claimed row."""
    user_id, email, message_type, content, delivery_date, key = row
    event = {
        "type": f"{message_type.lower()}.message",
        "timestamp": send_time,
        "data": {
            "idempotency_key": key,
            "user_id": str(user_id),
            "email": email,
            "message_type": message_type,
            "delivery_date": delivery_date.isoformat(),
            "message": content,
        },
    }
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    return headers, json.dumps(event, separators=(",", ":")).encode()
