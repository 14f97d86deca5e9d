"""An index ON ONLY a partitioned table is built in its partitions while others write."""

from __future__ import annotations

import psycopg
from psycopg import sql

from birthday_cli.config import Settings
from birthday_cli.db.connect import connect_to
from birthday_cli.db.partition_indexes import build_missing
from birthday_cli.db.partitions import MESSAGES, existing
from tests.facts import add_message

STATES = """
    SELECT its.indexrelid::regclass::text, its.indisvalid AND parents.indisvalid
    FROM pg_index AS parents
    JOIN pg_inherits ON inhparent = parents.indexrelid
    JOIN pg_index AS its ON its.indexrelid = inhrelid
    WHERE parents.indexrelid = 'latest'::regclass
    ORDER BY 1
"""


def build(settings: Settings) -> list[str]:
    with connect_to(settings.database_url, settings) as connection:
        return build_missing(connection)


def test_it_is_built_in_every_partition_and_a_rerun_does_nothing(
    settings: Settings, connection: psycopg.Connection
) -> None:
    add_message(connection)
    connection.execute(
        "CREATE UNIQUE INDEX latest ON ONLY message_logs (lower(status), id, scheduled_send_time)"
        " INCLUDE (retry_count) WHERE status <> 'SENT'"
    )
    parts = [f"{leaf.name}_latest" for leaf in existing(connection, MESSAGES)]
    assert build(settings) == parts
    assert connection.execute(STATES).fetchall() == [(part, True) for part in parts]
    assert build(settings) == []


def test_what_an_interrupted_run_left_is_built_again_or_attached(
    settings: Settings, connection: psycopg.Connection
) -> None:
    leaves = [leaf.name for leaf in existing(connection, MESSAGES)]
    connection.execute("CREATE INDEX latest ON ONLY message_logs (status)")
    for leaf in leaves[:3]:
        connection.execute(f"CREATE INDEX {leaf}_latest ON {leaf} (status)".encode())
    connection.execute(f"ALTER INDEX latest ATTACH PARTITION {leaves[0]}_latest".encode())
    # As SIGKILL leaves it in the midst of CREATE INDEX CONCURRENTLY.
    connection.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass",
        (f"{leaves[1]}_latest",),
    )
    assert build(settings) == [f"{leaf}_latest" for leaf in leaves[1:]]
    assert connection.execute(STATES).fetchall() == [(f"{leaf}_latest", True) for leaf in leaves]


def test_a_long_name_is_cut_and_stays_one_of_its_own(
    settings: Settings, connection: psycopg.Connection
) -> None:
    long = sql.Identifier("i" * 60)
    connection.execute(sql.SQL("CREATE INDEX {} ON ONLY message_logs (status)").format(long))
    built = build(settings)
    assert len(set(built)) == len(existing(connection, MESSAGES))
    assert {len(name) for name in built} == {63}
