"""docs/deviations.md names whatever the schema has that the specification does not."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "deviations.md").read_text()
SCHEMA = (ROOT / "sql" / "schema.sql").read_text()
RECORD = (ROOT / "sql" / "schema" / "create_record.sql").read_text()
SPECIFIED = set(
    """
    users message_logs
    id first_name last_name email timezone birthday_date anniversary_date location_city
    location_country created_at updated_at deleted_at
    user_id message_type message_content scheduled_send_time actual_send_time status retry_count
    last_retry_at api_response_code api_response_body error_message idempotency_key
    idx_users_birthday_date idx_users_anniversary_date idx_users_birthday_timezone
    idx_users_email_unique idx_message_logs_user_id idx_message_logs_status
    idx_message_logs_scheduled_time idx_message_logs_scheduler idx_message_logs_recovery
    idx_message_logs_idempotency
    """.split()
)


def test_what_goes_beyond_the_specification_is_named() -> None:
    kinds = r"^CREATE (?:OR REPLACE |UNIQUE )?(?:TABLE|INDEX|TRIGGER|FUNCTION|DOMAIN)"
    there = set(re.findall(rf"{kinds}(?: IF NOT EXISTS)? (\w+)", SCHEMA + RECORD, re.MULTILINE))
    for table in ("users", "message_logs"):
        body = SCHEMA.partition(f"CREATE TABLE {table} (")[2].partition("\n)")[0]
        there |= set(re.findall(r"^    ([a-z]\w+) ", body, re.MULTILINE))
    assert there >= SPECIFIED
    named = set(re.findall(r"\w+", " ".join(re.findall(r"`[^`]+`", DOCUMENT))))
    assert there - SPECIFIED - named == set()


def test_each_migration_that_makes_a_table_is_named() -> None:
    rows = dict(re.findall(r"^\| `(.*)` \| .* \| (\d{4}) \|$", DOCUMENT, re.MULTILINE))
    for path in (ROOT / "sql" / "migrations").iterdir():
        made = re.findall(r"^CREATE TABLE (\w+)", path.read_text(), re.MULTILINE)
        for table in set(made) - SPECIFIED:
            (version,) = (number for names, number in rows.items() if table in names)
            assert path.name.startswith(version), table
