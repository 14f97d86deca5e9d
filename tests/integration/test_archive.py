"""A month becomes a file and a manifest that hold all of it, in either format and in any place."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import psycopg
import pytest

from birthday_cli.archives import csv_gzip, formats, parquet
from birthday_cli.db import partition_events
from birthday_cli.domain.manifest import Damaged
from birthday_cli.errors import BdayschedError, UsageError
from birthday_cli.pipeline.partitions.archive import archive, verify
from tests.archiving import MONTH, NAME, TEXTS, fill
from tests.facts import add_message
from tests.servers.object_store import ObjectStore

MANIFEST = f"{NAME}.manifest.json"
Use: TypeAlias = Callable[[Any], None]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    """Let there be only one format."""

    def only(form: Any) -> None:
        monkeypatch.setattr(formats, "known", lambda: [form])

    return only


@pytest.fixture(params=[csv_gzip, parquet], ids=["csv", "parquet"])
def form(request: pytest.FixtureRequest, use: Use) -> Any:
    use(request.param)
    return request.param


@pytest.fixture
def filled(connection: psycopg.Connection) -> psycopg.Connection:
    fill(connection)
    return connection


def archived_events(connection: psycopg.Connection) -> list[partition_events.Event]:
    return [event for event in partition_events.of(connection, NAME) if event.event == "archived"]


def manifest_in(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
    return found


def test_every_value_is_in_the_file_as_the_database_writes_it(
    filled: psycopg.Connection, form: Any, tmp_path: Path
) -> None:
    done = archive(filled, NAME, str(tmp_path), "me")
    manifest = verify(done.manifest)
    texts = ", ".join(f"{column.name}::text" for column in manifest.columns)
    in_database = filled.execute(f"SELECT {texts} FROM {NAME} ORDER BY id".encode()).fetchall()
    in_file = sorted(map(tuple, form.rows(Path(done.file), manifest.columns)))
    assert in_file == in_database
    assert len(in_file) == len(TEXTS)
    assert "idempotency_key" in [column.name for column in manifest.columns if column.is_generated]


def test_the_manifest_says_what_there_is(
    filled: psycopg.Connection, form: Any, tmp_path: Path
) -> None:
    done = archive(filled, NAME, str(tmp_path), "ada")
    data = Path(done.file).read_bytes()
    manifest = manifest_in(tmp_path)
    assert manifest["table"] == "message_logs"
    assert (manifest["partition"], manifest["starts_at"]) == (NAME, MONTH.start.isoformat())
    assert manifest["ends_at"] == MONTH.plus(1).start.isoformat()
    assert manifest["rows_by_status"] == {"SENT": 12, "FAILED": 7} == done.rows
    assert manifest["rows"] == 19
    assert manifest["hash_by_status"].keys() == {"SENT", "FAILED"}
    assert (manifest["file"], manifest["format"]) == (f"{NAME}.{form.NAME}", form.NAME)
    assert (manifest["bytes"], manifest["sha256"]) == (
        len(data),
        hashlib.sha256(data).hexdigest(),
    )
    assert {"name": "attempts", "type": "jsonb", "is_generated": False} in manifest["columns"]
    assert manifest["schema_version"] >= "0006"
    assert manifest["archived_by"] == "ada"


def test_both_formats_have_the_same_hashes(
    filled: psycopg.Connection, use: Use, tmp_path: Path
) -> None:
    hashes = []
    for each in (csv_gzip, parquet):
        use(each)
        archive(filled, NAME, str(tmp_path / each.NAME), "me")
        hashes.append(manifest_in(tmp_path / each.NAME)["hash_by_status"])
    assert hashes[0] == hashes[1]


def test_an_empty_month_is_archived(
    connection: psycopg.Connection, form: Any, tmp_path: Path
) -> None:
    done = archive(connection, NAME, str(tmp_path), "me")
    assert done.rows == {}
    assert list(form.rows(Path(done.file), verify(done.manifest).columns)) == []


def test_parquet_is_preferred_and_csv_takes_what_it_cannot(
    filled: psycopg.Connection, tmp_path: Path
) -> None:
    assert archive(filled, NAME, str(tmp_path / "a"), "me").file.endswith(".parquet")
    for year in ("10000-01-01", "0044-03-15 BC"):
        add_message(filled, status="SENT", expires_at=year)
        done = archive(filled, NAME, str(tmp_path / year), "me")
        assert done.file.endswith(".csv.gz")
        names = {path.name for path in (tmp_path / year).iterdir()}
        assert names == {MANIFEST, f"{NAME}.csv.gz"}


@pytest.mark.usefixtures("form")
def test_only_its_owner_may_read_what_was_written_to_people(
    filled: psycopg.Connection, tmp_path: Path
) -> None:
    before = os.umask(0)
    try:
        archive(filled, NAME, str(tmp_path / "new" / "folder"), "me")
    finally:
        os.umask(before)
    folder = tmp_path / "new" / "folder"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_what_is_archived_is_noted_once(filled: psycopg.Connection, tmp_path: Path) -> None:
    first = archive(filled, NAME, str(tmp_path), "ada")
    again = archive(filled, NAME, str(tmp_path), "bob")
    assert (first.is_new, again.is_new) == (True, False)
    (event,) = archived_events(filled)
    assert (event.done_by, event.rows) == ("ada", {"SENT": 12, "FAILED": 7})
    assert event.archive == str(tmp_path / MANIFEST) == first.manifest


def test_an_archive_that_is_there_and_whole_is_not_written_again(
    filled: psycopg.Connection, tmp_path: Path
) -> None:
    done = archive(filled, NAME, str(tmp_path), "me")
    before = Path(done.file).stat()
    archive(filled, NAME, str(tmp_path), "me")
    assert Path(done.file).stat() == before


def test_a_damaged_archive_of_the_same_rows_is_replaced(
    filled: psycopg.Connection, tmp_path: Path
) -> None:
    done = archive(filled, NAME, str(tmp_path), "me")
    Path(done.file).write_bytes(b"x")
    with pytest.raises(Damaged):
        verify(done.manifest)
    assert archive(filled, NAME, str(tmp_path), "me").is_new
    verify(done.manifest)


def test_an_archive_of_other_rows_is_never_replaced(
    filled: psycopg.Connection, tmp_path: Path
) -> None:
    done = archive(filled, NAME, str(tmp_path), "me")
    before = verify(done.manifest)
    filled.execute(f"UPDATE {NAME} SET error_message = 'x' WHERE retry_count = 1".encode())
    with pytest.raises(
        BdayschedError, match=r"an archive of other rows or values .* another place"
    ):
        archive(filled, NAME, str(tmp_path), "me")
    filled.execute(f"DELETE FROM {NAME}".encode())
    with pytest.raises(BdayschedError, match=r"12 SENT; now there are no rows"):
        archive(filled, NAME, str(tmp_path), "me")
    assert verify(done.manifest) == before


def test_what_another_run_left_half_written_is_replaced(
    filled: psycopg.Connection, tmp_path: Path
) -> None:
    (tmp_path / f"{NAME}.parquet").write_bytes(b"half")
    (tmp_path / f".{NAME}.parquet.part").write_bytes(b"a quarter")
    archive(filled, NAME, str(tmp_path), "me")
    verify(str(tmp_path / f"{NAME}.parquet"))
    assert {path.name for path in tmp_path.iterdir()} == {MANIFEST, f"{NAME}.parquet"}


def test_what_was_stored_badly_is_not_noted(
    filled: psycopg.Connection, form: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = form.rows

    def rows(*given: Any) -> Any:
        yield from list(whole(*given))[1:]

    monkeypatch.setattr(form, "rows", rows)
    with pytest.raises(Damaged, match="and its manifest says"):
        archive(filled, NAME, str(tmp_path), "me")
    assert not (tmp_path / MANIFEST).exists()
    assert archived_events(filled) == []


def test_a_place_that_cannot_be_written_to_is_named(
    filled: psycopg.Connection, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BdayschedError, match=f"{tmp_path}/file/{NAME}.*: "):
        archive(filled, NAME, str(tmp_path / "file"), "me")


def test_rows_that_are_written_meanwhile_are_not_half_of_it(
    filled: psycopg.Connection, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from birthday_cli.db import archiving

    copy_out = archiving.copy_out

    def after_another(*given: Any) -> Any:
        with psycopg.connect(database) as other:
            add_message(other, status="SENT")
        return copy_out(*given)

    monkeypatch.setattr(archiving, "copy_out", after_another)
    assert sum(archive(filled, NAME, str(tmp_path), "me").rows.values()) == len(TEXTS)


def test_without_the_extra_a_folder_gets_csv_and_a_url_is_refused(
    filled: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setattr(formats, "find_spec", lambda _: None)
    done = archive(filled, NAME, str(tmp_path), "me")
    assert done.file.endswith(".csv.gz")
    with gzip.open(done.file, "rt", newline="\n") as lines:
        assert next(lines).startswith("id,user_id,message_type,")
    with pytest.raises(UsageError, match=r"pip install 'bdaysched\[archive\]'"):
        archive(filled, NAME, "s3://bucket/months", "me")


@pytest.mark.usefixtures("form")
def test_an_object_store_keeps_archives(filled: psycopg.Connection, bucket: str) -> None:
    done = archive(filled, NAME, bucket, "me")
    assert done.manifest == f"{bucket}/{MANIFEST}"
    assert verify(done.manifest).rows == len(TEXTS)
    assert verify(done.file).rows == len(TEXTS)
    assert not archive(filled, NAME, bucket, "me").is_new
    (event,) = archived_events(filled)
    assert event.archive == done.manifest


def test_what_an_object_store_lost_is_noticed(
    filled: psycopg.Connection, bucket: str, object_store: ObjectStore
) -> None:
    done = archive(filled, NAME, bucket, "me")
    files, path = object_store.files(), done.file.removeprefix("s3://")
    with files.open_input_stream(path) as stream:
        data = bytearray(stream.read())
    data[len(data) // 2] ^= 1
    with files.open_output_stream(path) as stream:
        stream.write(bytes(data))
    with pytest.raises(Damaged, match="SHA-256"):
        verify(done.manifest)
    files.delete_file(path)
    with pytest.raises(BdayschedError, match=f"{done.file}: "):
        verify(done.manifest)


def test_a_password_in_a_url_is_not_noted(
    filled: psycopg.Connection, object_store: ObjectStore, tmp_path: Path
) -> None:
    secret = object_store.environment["AWS_SECRET_ACCESS_KEY"]
    done = archive(filled, NAME, object_store.url(tmp_path.name), "me")
    assert secret not in done.manifest
    assert "***" in str(archived_events(filled)[0].archive)


def test_what_else_fsspec_knows_keeps_archives(filled: psycopg.Connection, tmp_path: Path) -> None:
    done = archive(filled, NAME, f"memory:/{tmp_path}", "me")
    assert verify(done.manifest).rows == len(TEXTS)
