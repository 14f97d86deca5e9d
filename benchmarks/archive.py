"""How fast a month is archived and restored, in how much memory, and how large its file is.

Each in a process of its own, in both formats; memory is the most that was resident at any time, as
the operating system counted it. The rate is of archiving with its reading back, in rows a second.

    python -m benchmarks.archive --rows 1000000
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import servers
from birthday_cli.db.connect import Connection
from birthday_cli.db.partitions import MESSAGES
from birthday_cli.domain.months import Month
from tests.facts import NOW

NAME = Month.of(NOW).partition_of(MESSAGES)

_FILL = """
INSERT INTO message_logs (
    user_id, message_type, message_content, delivery_date, scheduled_send_time, actual_send_time,
    expires_at, status, api_response_code, api_response_body
)
SELECT
    id, 'BIRTHDAY', 'Happy birthday, ' || first_name || '!', due::date, due,
    due + interval '1 second' * random(), due + interval '15 hours',
    CASE WHEN random() < 0.01 THEN 'FAILED' ELSE 'SENT' END, 200,
    '{"id": "' || gen_random_uuid() || '"}'
FROM users
CROSS JOIN LATERAL (
    SELECT %(start)s + interval '1 hour' * floor(random() * 600)
) AS instant (due)
"""

_MEASURED = r"""
import json, re, sys, time
from pathlib import Path
from birthday_cli import config
from birthday_cli.archives import csv_gzip, formats, parquet
from birthday_cli.db.connect import connect
from birthday_cli.pipeline.partitions import archive, restore
what, form, place, name = sys.argv[1:]
vars(formats)["known"] = lambda: [{"csv": csv_gzip, "parquet": parquet}[form]]
settings = config.load()
started = time.perf_counter()
if what == "archive":
    with connect(settings) as connection:
        size = archive.archive(connection, name, place, "me").bytes
else:
    restore.restore(settings, place, beside=True)
    size = 0
seconds = time.perf_counter() - started
# Not what getrusage has, which begins with the memory of the process that started this one.
peak = int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])
print(json.dumps({"seconds": seconds, "bytes": size, "peak_kb": peak}))
"""


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    found: dict[str, Any] = {"rows": rows}
    with (
        servers.postgres_server() as server,
        servers.migrated_database(server, "archive") as connection,
    ):
        servers.add_users(connection, rows, rows, noted=True)
        _fill(connection, rows)
        for form in ("csv", "parquet"):
            with tempfile.TemporaryDirectory() as folder:
                found[form] = _measure(server.url("archive"), form, folder, rows)
            connection.execute(f"DROP TABLE {NAME}_restored".encode())
            servers.tell(f"{form}: {found[form]}")
    servers.report("archive", **found)


def _fill(connection: Connection, rows: int) -> None:
    connection.execute(_FILL.encode(), {"start": Month.of(NOW).start})
    connection.execute("ANALYZE message_logs")
    assert servers.count(connection, NAME) == rows


def _measure(url: str, form: str, folder: str, rows: int) -> dict[str, Any]:
    written = _run(url, "archive", form, folder)
    manifest = Path(folder) / f"{NAME}.manifest.json"
    read = _run(url, "restore", form, str(manifest))
    return {
        "archived_rows_a_second": round(rows / written["seconds"]),
        "restored_rows_a_second": round(rows / read["seconds"]),
        "archive_megabytes_of_memory": round(written["peak_kb"] * 1024 / 1e6, 1),
        "restore_megabytes_of_memory": round(read["peak_kb"] * 1024 / 1e6, 1),
        "file_megabytes": round(written["bytes"] / 1e6, 1),
    }


def _run(url: str, what: str, form: str, place: str) -> dict[str, Any]:
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", _MEASURED, what, form, place, NAME],
        env={**os.environ, "DATABASE_URL": url},
        check=True,
        stdout=subprocess.PIPE,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
