"""What the other side said, and what went wrong, in a form that can be recorded."""

from __future__ import annotations

import re

from birthday_cli.errors import redact

_LONGEST_ERROR = 300
_BREAKS_A_LINE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\ud800-\udfff]+")


def recorded(raw: bytes, limit: int) -> str:
    """Return raw as text of at most limit characters.

    Bytes that are not UTF-8 are replaced, and NUL is left out: PostgreSQL text cannot hold it.
    """
    return raw.decode("utf-8", "replace").replace("\0", "")[:limit]


def one_line(text: str) -> str:
    """Return text as one redacted line of at most 300 characters, without control characters."""
    return _BREAKS_A_LINE.sub(" ", redact(text)).strip()[:_LONGEST_ERROR]
