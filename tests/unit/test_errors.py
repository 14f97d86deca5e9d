from __future__ import annotations

import pytest

from birthday_cli.errors import redact


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://me:pa55@host/db", "postgresql://me:***@host/db"),
        ("to amqps://me:p@a/5:5@host:5671/%2F failed", "to amqps://me:***@host:5671/%2F failed"),
        ("redis://:pa55@host", "redis://:***@host"),
        ("host=h password=pa55 dbname=d", "host=h password=*** dbname=d"),
        ("host=h password = 'pa 55' dbname=d", "host=h password = *** dbname=d"),
        (
            "postgresql://h/d?user=u&password=pa55&sslmode=require",
            "postgresql://h/d?user=u&password=***&sslmode=require",
        ),
        (f"{'x' * 2000}http://me:pa55@host", f"{'x' * 2000}http://me:***@host"),
        ("smtp://mail.example.com:25", "smtp://mail.example.com:25"),
        ("ada@example.com: no such zone", "ada@example.com: no such zone"),
    ],
)
def test_passwords_are_not_shown(text: str, expected: str) -> None:
    assert redact(text) == expected
