"""What months are worth: a table of twelve against one without partitions.

Both have the same rows, indexes, foreign key and triggers. Measured are: getting rid of
the oldest month (DETACH CONCURRENTLY and DROP, against DELETE and the VACUUM that it needs), the
dispatch query, an insert, the sizes; then `many_months`: planning and locks.

    python -m benchmarks.partitions --rows 20000000

The server is on a disk, with fsync off, which favours DELETE: it writes a log and DROP does not.
The tables take 18 GB for 20 million rows; all is gone afterwards.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from benchmarks import many_months, servers
from birthday_cli.db.connect import Connection
from birthday_cli.db.partitions import GUARD, MESSAGES, create_month, existing
from birthday_cli.db.queries import query
from birthday_cli.domain.months import Month

MONTHS = [Month(2026, number) for number in range(1, 13)]
NOW = datetime(2026, 12, 29, 12, tzinfo=UTC)
LATEST = MONTHS[-1].partition_of(MESSAGES)
PLAIN = "plain_messages"
_REPEATS = 21

# What is new is written once and not logged: wal_level allows that, and no row of a figure is new.
_CONFIGURATION = """
autovacuum = off
fsync = off
wal_level = minimal
max_wal_senders = 0
maintenance_work_mem = 512MB
max_connections = 110
"""

_COLUMNS = """
    id, user_id, message_type, message_content, delivery_date, scheduled_send_time, expires_at,
    actual_send_time, status, api_response_code, api_response_body, created_at, updated_at
"""
# In the order of their send times, 24 instants a day; nobody has two of one type on a date. All are
# sent, one in a thousand failed, but for what is due since three hours and what comes.
_FILL = f"""
INSERT INTO {{table}} ({_COLUMNS})
SELECT
    gen_random_uuid(), md5('other' || 1 + n %% (%(users)s - 1))::uuid,
    CASE WHEN n / %(users)s %% 2 = 0 THEN 'BIRTHDAY' ELSE 'ANNIVERSARY' END,
    'Happy birthday, Ada other' || n || ' Lovelace!',
    due::date, due, due + interval '15 hours',
    CASE WHEN status = 'SENT' THEN due + interval '3 s' END, status,
    CASE status WHEN 'SENT' THEN 200 WHEN 'FAILED' THEN 503 END,
    CASE WHEN status <> 'SCHEDULED' THEN '{{{{"accepted":true}}}}' END,
    due - interval '48 hours', due + interval '3 s'
FROM generate_series(1::bigint, %(rows)s::bigint) AS n
CROSS JOIN LATERAL (
    SELECT %(start)s + interval '1 hour' * ((n - 1) * %(hours)s / %(rows)s) AS due
) AS instant
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN due > %(sent_until)s THEN 'SCHEDULED' WHEN n %% 1000 = 0 THEN 'FAILED' ELSE 'SENT'
    END AS status
) AS state
"""

_LIKE = """
    LIKE message_logs
        INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED INCLUDING STORAGE
"""

_INSERT = """
INSERT INTO {table} (
    user_id, message_type, message_content, delivery_date, scheduled_send_time, status
)
SELECT
    md5('other' || n)::uuid, 'BIRTHDAY', 'Happy birthday, Ada other' || n || ' Lovelace!',
    %(now)s::date, %(now)s + interval '1 minute', 'SCHEDULED'
FROM generate_series(1, %(rows)s) AS n
"""

_INDEXES = """
SELECT pg_get_indexdef(indexrelid), indisprimary, relname
FROM pg_index
JOIN pg_class ON pg_class.oid = indexrelid
WHERE indrelid = 'message_logs'::regclass
"""

_HEAP = """
SELECT sum(pg_table_size(relid)) FROM pg_partition_tree(%(table)s) WHERE isleaf
"""

_SIZES = """
SELECT
    regexp_replace(
        coalesce(parent.relname, index.relname), '^(plain_messages|message_logs)_', ''
    ) AS name,
    sum(pg_relation_size(index.oid))::bigint AS bytes
FROM pg_index
JOIN pg_class AS index ON index.oid = indexrelid
LEFT JOIN pg_inherits ON inhrelid = index.oid
LEFT JOIN pg_class AS parent ON parent.oid = inhparent
WHERE indrelid = %(table)s::regclass
   OR indrelid IN (SELECT relid FROM pg_partition_tree(%(table)s) WHERE isleaf)
GROUP BY 1
ORDER BY 1
"""


def add_rows(connection: Connection, table: str, month: Month, users: int, rows: int) -> None:
    """Add a month's rows to a table that has no index yet."""
    days = (month.plus(1).start - month.start).days
    connection.execute(
        _FILL.format(table=table).encode(),
        {
            "users": users,
            "rows": rows,
            "start": month.start,
            "hours": 24 * days,
            "sent_until": NOW - timedelta(hours=3),
        },
    )


def add_indexes(connection: Connection, table: str) -> None:
    """Give table the indexes of message_logs."""
    rows: list[Any] = connection.execute(_INDEXES).fetchall()
    for definition, is_primary, name in rows:
        if is_primary:
            key = f"ALTER TABLE {table} ADD PRIMARY KEY (id, scheduled_send_time)"
            connection.execute(key.encode())
            continue
        statement = definition.replace("ON ONLY public.message_logs", f"ON {table}")
        connection.execute(statement.replace(name, f"{table}_{name}", 1).encode())


def build(connection: Connection, users: int, rows: int) -> None:
    """Make both tables. Each month is filled apart, and attached as it is."""
    for partition in existing(connection, MESSAGES):
        connection.execute(f"DROP TABLE {partition.name}".encode())
    there = {partition.month for partition in existing(connection, GUARD)}
    for month in MONTHS:
        if month not in there:
            create_month(connection, GUARD, month)
        name = month.partition_of(MESSAGES)
        bounds = f"'{month.start}'", f"'{month.plus(1).start}'"
        check = "scheduled_send_time >= {} AND scheduled_send_time < {}".format(*bounds)
        with connection.transaction():
            connection.execute(f"CREATE TABLE {name} ({_LIKE}, CHECK ({check}))".encode())
            add_rows(connection, name, month, users, rows // len(MONTHS))
            add_indexes(connection, name)
        attach = "ALTER TABLE message_logs ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})"
        connection.execute(attach.format(name, *bounds).encode())
        servers.tell(f"{name} is there")
    with connection.transaction():
        connection.execute(f"CREATE TABLE {PLAIN} ({_LIKE})".encode())
        copy = f"INSERT INTO {PLAIN} ({_COLUMNS}) SELECT {_COLUMNS} FROM message_logs"
        connection.execute(copy.encode())
        servers.tell(f"{PLAIN} is filled")
        add_indexes(connection, PLAIN)
    key = f"ALTER TABLE {PLAIN} ADD FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE"
    connection.execute(key.encode())
    for name in (PLAIN, *(month.partition_of(MESSAGES) for month in MONTHS)):
        connection.execute(f"SELECT guard_message_table('{name}')".encode())
    connection.execute("VACUUM ANALYZE")
    connection.execute("CHECKPOINT")


def sizes(connection: Connection, rows: int) -> dict[str, Any]:
    """Return bytes: of a row, and of each index over all months and in one."""
    found: dict[str, Any] = {}
    for name, table in (("one_table", PLAIN), ("months", MESSAGES), ("a_month", LATEST)):
        indexes: list[Any] = connection.execute(_SIZES, {"table": table}).fetchall()
        found[f"index_bytes_{name}"] = dict(indexes)
        found[f"all_index_bytes_{name}"] = sum(size for _, size in indexes)
    found["heap_bytes_per_row"] = round(_number(connection, _HEAP, {"table": MESSAGES}) / rows, 1)
    found["index_bytes_per_row"] = round(found["all_index_bytes_months"] / rows, 1)
    return found


def dispatch(connection: Connection) -> dict[str, Any]:
    """Return the milliseconds and pages of `dispatch`'s query: for a full batch, and for none."""
    found: dict[str, Any] = {}
    for what, now in (("full", NOW), ("nothing", NOW - timedelta(hours=4))):
        parameters = many_months.due_parameters(now)
        texts = {
            "months": query("messages/list_due"),
            "one_table": query("messages/list_due").replace(MESSAGES, PLAIN),
        }
        times: dict[str, list[float]] = {name: [] for name in texts}
        for _ in range(_REPEATS):
            for name, text in texts.items():
                run = partial(connection.execute, text.encode(), parameters, prepare=False)
                times[name].append(servers.seconds(run) * 1_000)
        for name, text in texts.items():
            explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {text}".encode()
            row: Any = connection.execute(explain, parameters, prepare=False).fetchone()
            explained = row[0][0]
            plan = explained["Plan"]
            found[f"dispatch_{what}_{name}"] = {
                "ms": servers.median(times[name]),
                "planning_ms": explained["Planning Time"],
                "rows": plan["Actual Rows"],
                "pages": plan["Shared Hit Blocks"] + plan["Shared Read Blocks"],
            }
    servers.tell(f"{found}")
    return found


def insert(connection: Connection, rows: int) -> dict[str, float]:
    """Return the rows a second of an INSERT of new messages, which is rolled back."""
    rates: dict[str, list[float]] = {MESSAGES: [], PLAIN: []}
    for _ in range(3):
        for table, found in rates.items():
            connection.execute("CHECKPOINT")
            with connection.transaction(force_rollback=True):
                run = partial(
                    connection.execute,
                    _INSERT.format(table=table).encode(),
                    {"rows": rows, "now": NOW},
                )
                found.append(rows / servers.seconds(run))
    connection.execute(f"VACUUM {PLAIN}, {LATEST}".encode())
    return {
        "insert_rows_per_second_months": round(servers.median(rates[MESSAGES])),
        "insert_rows_per_second_one_table": round(servers.median(rates[PLAIN])),
    }


def get_rid(connection: Connection) -> dict[str, Any]:
    """Return what it takes to be rid of a month, in three ways: seconds, and bytes of log."""
    first, second = MONTHS[0], MONTHS[1]
    name = first.partition_of(MESSAGES)
    ways = {
        "detach_and_drop": (
            f"ALTER TABLE message_logs DETACH PARTITION {name} CONCURRENTLY",
            f"DROP TABLE {name}",
        ),
        "delete_in_one_table": (_delete(PLAIN, first), f"VACUUM {PLAIN}"),
        "delete_in_a_month": (
            _delete(MESSAGES, second),
            f"VACUUM {second.partition_of(MESSAGES)}",
        ),
    }
    found: dict[str, Any] = {}
    for way, statements in ways.items():
        connection.execute("CHECKPOINT")
        logged, size = _logged(connection), _total(connection)
        times = [servers.seconds(partial(connection.execute, text.encode())) for text in statements]
        found[way] = {
            "seconds": [round(each, 3) for each in times],
            "bytes_logged": _logged(connection) - logged,
            "bytes_freed": size - _total(connection),
        }
        servers.tell(f"{way}: {found[way]}")
    return found


def _delete(table: str, month: Month) -> str:
    return (
        f"DELETE FROM {table} WHERE scheduled_send_time >= '{month.start}'"
        f" AND scheduled_send_time < '{month.plus(1).start}'"
    )


def _logged(connection: Connection) -> int:
    return int(_number(connection, "SELECT pg_current_wal_insert_lsn() - '0/0'"))


def _total(connection: Connection) -> int:
    return int(_number(connection, "SELECT pg_database_size(current_database())"))


def _number(connection: Connection, statement: str, parameters: Any = None) -> float:
    row: Any = connection.execute(statement.encode(), parameters).fetchone()
    return float(row[0])


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--insert", type=int, default=20_000, help="rows of the INSERT")
    given = parser.parse_args()
    rows = given.rows // len(MONTHS) * len(MONTHS)
    # Nobody has more than a message of each type in a month.
    users = max(rows // 20, 1_000)
    with servers.postgres_server(_CONFIGURATION, durable=True) as server:
        with servers.migrated_database(server, "rows") as connection:
            servers.add_users(connection, users, 1)
            took = servers.seconds(partial(build, connection, users, rows))
            servers.tell(f"loaded in {took:.0f} s")
            found = {
                **sizes(connection, rows),
                **dispatch(connection),
                **insert(connection, min(given.insert, users - 1)),
                **get_rid(connection),
            }
        found["by_months"] = many_months.measure(server)
    servers.report("partitions", rows=rows, months=len(MONTHS), users=users, **found)


if __name__ == "__main__":
    main()
