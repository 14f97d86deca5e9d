"""What docs/archive.md says of reading an archive in SQL and Python works as it stands there.

Its shell commands are run with those of all pages: tests/acceptance/test_documents.py.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from birthday_cli.archives import csv_gzip, formats, parquet
from birthday_cli.domain.manifest import Manifest
from birthday_cli.pipeline.partitions.archive import archive, verify
from tests.archiving import NAME, fill

DOCS = Path(__file__).parents[2] / "docs" / "archive.md"
BLOCKS: list[tuple[str, str]] = re.findall(r"```(\w+)\n(.*?)```", DOCS.read_text(), re.DOTALL)


def blocks(language: str, word: str) -> list[str]:
    """Return the blocks of a language that hold word, about our month."""
    found = [text for kind, text in BLOCKS if kind == language and word in text]
    assert found
    return [text.replace("message_logs_2026_03", NAME) for text in found]


@pytest.fixture
def manifest(
    connection: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Manifest:
    """The manifest of one of two archives of the same month, in the folder of the test."""
    fill(connection)
    for form in (csv_gzip, parquet):
        monkeypatch.setattr(formats, "known", lambda form=form: [form])
        done = archive(connection, NAME, str(tmp_path / form.NAME), "me")
        Path(done.file).rename(tmp_path / Path(done.file).name)
        Path(done.file).symlink_to(tmp_path / Path(done.file).name)
    return verify(done.manifest)


def test_duckdb_reads_both_formats_alike(manifest: Manifest) -> None:
    with duckdb.connect() as reader:
        reader.execute("SET TimeZone = 'UTC'")
        answers = [sorted(reader.execute(text).fetchall()) for text in blocks("sql", "FROM '")]
        assert len(answers) == 2
        assert answers[0] == answers[1]
        assert {status: count for status, count, _ in answers[0]} == manifest.rows_by_status
        last = f"SELECT max(expires_at)::text, min(expires_at)::text FROM '{NAME}.parquet'"
        assert reader.execute(last).fetchone() == ("infinity", "-infinity")


def test_python_reads_parquet(manifest: Manifest) -> None:
    names: dict[str, Any] = {}
    for text in blocks("python", "parquet"):
        exec(text, names)  # noqa: S102
    assert names["rows"] == manifest.rows


def test_the_manifest_has_what_the_text_names(manifest: Manifest) -> None:
    text = DOCS.read_text().partition("## The manifest")[2].partition("The hash of a row")[0]
    assert set(re.findall(r"`(\w+)`", text)) == {*vars(manifest), "checksum"}
