from __future__ import annotations

import json
import shutil
from importlib import metadata
from pathlib import Path

import pytest
from typer.testing import CliRunner

from birthday_cli.cli.main import app
from birthday_cli.db import queries
from birthday_cli.errors import BdayschedError, ExitCode, UsageError
from birthday_cli.pipeline.schema.lint import lint

# Nothing is wrong with it.
FINE = "CREATE TABLE wishes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, wish text);\n"


def rules(text: str, name: str = "0900_wishes.sql") -> list[str]:
    Path(name).write_text(text)
    return [finding.rule for finding in lint([Path(name)]).findings]


def test_the_migrations_have_nothing_dangerous_in_them() -> None:
    done = lint()
    assert len(done.files) == len(list((queries.directory() / "migrations").glob("*.sql")))
    assert done.findings == []


def test_a_file_without_danger_is_found_so() -> None:
    assert rules(FINE) == []


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("ALTER TABLE users DROP COLUMN email;", "ban-drop-column"),
        ("ALTER TABLE users RENAME COLUMN email TO mail;", "renaming-column"),
        ("ALTER TABLE users ALTER COLUMN email TYPE varchar(9);", "changing-column-type"),
        ("ALTER TABLE users ALTER COLUMN location_city SET NOT NULL;", "adding-not-nullable-field"),
        ("ALTER TABLE users ADD CONSTRAINT c CHECK (email <> '');", "constraint-missing-not-valid"),
        ("CREATE INDEX i ON users (email);", "require-concurrent-index-creation"),
        ("CREATE INDEX i ON message_logs (id);", "partitioned-index-at-once"),
        ("CREATE UNIQUE INDEX i ON ONLY message_logs (id);", "unique-without-partition-key"),
        ("SELECT 1 FROM;", "syntax-error"),
    ],
)
def test_each_danger_is_found_by_its_name(statement: str, rule: str) -> None:
    assert rule in rules(statement)


def test_what_is_better_known_is_not_said_twice() -> None:
    assert rules("CREATE INDEX i ON message_logs (id);") == ["partitioned-index-at-once"]


def test_what_is_done_in_safe_steps_is_found_so() -> None:
    for text in (
        "CREATE INDEX i ON ONLY message_logs (id);",
        "ALTER TABLE users ADD CONSTRAINT c CHECK (email <> '') NOT VALID;",
        "ALTER TABLE users VALIDATE CONSTRAINT c;",
        "ALTER TABLE users ADD CONSTRAINT u UNIQUE USING INDEX i;",
        "-- bdaysched: no-transaction\nDROP INDEX CONCURRENTLY i;",
        "ALTER TABLE users ADD COLUMN nickname text;",
    ):
        assert rules(text) == [], text


def test_concurrently_is_right_only_in_a_file_that_is_no_transaction() -> None:
    index = "CREATE INDEX CONCURRENTLY i ON users (email);\n"
    assert rules(index) == ["concurrently-in-transaction"]
    assert rules(index + FINE) == ["concurrently-in-transaction"]
    assert rules(f"-- bdaysched: no-transaction\n{index}") == []


def test_a_place_counts_characters_from_one() -> None:
    Path("x.sql").write_text("-- É\n\nALTER TABLE\n    users /* ÉÉ */ DROP COLUMN email;\n")
    (finding,) = lint([Path("x.sql")]).findings
    assert (finding.file, finding.line, finding.column) == ("x.sql", 4, 20)


def test_a_rule_may_be_broken_where_it_says_why() -> None:
    drop = "ALTER TABLE users DROP COLUMN email;\n"
    assert rules(f"-- lint: allow ban-drop-column: nobody has read it since 0007\n{drop}") == []
    why = "-- lint: allow partitioned-index-at-once: there are no rows yet\n"
    assert rules(f"{FINE}{why}CREATE INDEX i ON message_logs (id);\n") == []


def test_a_permission_without_a_reason_or_for_nothing_is_a_finding() -> None:
    drop = "ALTER TABLE users DROP COLUMN email;\n"
    assert rules(f"-- lint: allow ban-drop-column\n{drop}") == ["permission"]
    assert rules(f"-- lint: allow ban-drop-table: it is empty\n{FINE}") == ["permission"]
    other = f"-- lint: allow ban-drop-column: nobody reads it\n{FINE}{drop}"
    assert sorted(rules(other)) == ["ban-drop-column", "permission"]


def test_what_applied_files_are_allowed_is_looked_at_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "sql"
    shutil.copytree(queries.directory(), copy)
    monkeypatch.setattr(queries, "directory", lambda: copy)
    with (copy / "lint.toml").open("a") as file:
        file.write('[applied."0005_worker.sql"]\n"ban-drop-table:3" = "it does not"\n')
    assert [(finding.rule, finding.line) for finding in lint().findings] == [("permission", 3)]


def test_a_half_written_file_is_a_finding_of_its_own() -> None:
    assert rules("CREATE TABLE wishes (id bigint") == ["malformed"]
    assert rules("CREATE TABLE wishes ();\nCOMMIT;\n") == ["malformed"]


def test_what_cannot_be_read_is_said_in_one_line() -> None:
    with pytest.raises(UsageError, match=r"nothing\.sql cannot be read: No such file"):
        lint([Path("nothing.sql")])
    Path("latin1.sql").write_bytes("-- Zoë\n".encode("latin-1"))
    with pytest.raises(BdayschedError, match=r"latin1\.sql is not UTF-8"):
        lint([Path("latin1.sql")])


def test_without_squawk_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "files", missing)
    with pytest.raises(UsageError, match=r"pip install 'bdaysched\[lint\]'"):
        lint()


def test_squawks_own_settings_of_a_folder_do_not_count() -> None:
    Path(".squawk.toml").write_text('excluded_rules = ["ban-drop-column"]\n')
    assert rules("ALTER TABLE users DROP COLUMN email;") == ["ban-drop-column"]


def test_the_command_prints_places_and_ends_with_1() -> None:
    Path("x.sql").write_text("ALTER TABLE users DROP COLUMN email;\n")
    done = CliRunner().invoke(app, ["schema", "lint", "x.sql"])
    assert done.exit_code == ExitCode.FAILED
    assert done.stdout.startswith("x.sql:1:19: ban-drop-column: ")
    found = json.loads(CliRunner().invoke(app, ["schema", "lint", "x.sql", "--json"]).stdout)
    assert found["files"] == ["x.sql"]
    assert set(found["findings"][0]) == {"file", "line", "column", "rule", "reason", "instead"}
    Path("x.sql").write_text(FINE)
    fine = CliRunner().invoke(app, ["schema", "lint", "x.sql"])
    assert (fine.exit_code, fine.stdout) == (ExitCode.DONE, "")
