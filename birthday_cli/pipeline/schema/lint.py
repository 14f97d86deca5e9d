"""Look for what is dangerous in migrations: squawk's rules, and our own about partitions."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from birthday_cli.db import migrations, queries
from birthday_cli.domain import lint as rules
from birthday_cli.domain.lint import Finding
from birthday_cli.domain.statements import Malformed, Script, Statement, parse, position
from birthday_cli.errors import BdayschedError, UsageError

# The oldest version that the program supports.
_POSTGRESQL = "15.0"
# Squawk asks for it also where PostgreSQL has none, of partitioned tables; ours says what to do.
_ASKS_CONCURRENTLY = "require-concurrent-index-creation"
# Ours finds it in a file of one statement, too.
_BANS_CONCURRENTLY = "ban-concurrent-index-creation-in-transaction"
# In a file, above the statement.
_ALLOW = re.compile(r"^[ \t]*-- lint: allow (?P<rule>\S+?)(?P<reason>: *\S.*)?$", re.MULTILINE)


@dataclass(frozen=True)
class Linted:
    """The files that were looked at, and what was found in them."""

    files: list[str]
    findings: list[Finding]


@dataclass(frozen=True)
class _File:
    name: str
    path: Path
    text: str
    script: Script | Malformed

    @property
    def statements(self) -> list[Statement]:
        if isinstance(self.script, Malformed):
            return []
        return [*self.script.statements, *self.script.checks]

    def statement_at(self, line: int, column: int) -> Statement | None:
        """Return the statement there, or the next one."""
        for statement in self.statements:
            if position(self.text, statement.offset + len(statement.text)) >= (line, column):
                return statement
        return None


def lint(paths: Sequence[Path] = ()) -> Linted:
    """Look at the migrations that the program carries, or at the files at paths.

    Raises UsageError when squawk is not installed or a file can't be read, and BdayschedError for
    one that is not UTF-8.
    """
    program = _squawk()
    configuration = tomllib.loads((queries.directory() / "lint.toml").read_text(encoding="utf-8"))
    folder = migrations.directory()
    carried = [_read(folder / migration.file) for migration in migrations.available()]
    files = [_read(path) for path in paths] or carried
    tables = rules.partitioned_tables(
        statement for file in (*carried, *files) for statement in file.statements
    )
    findings: list[Finding] = []
    for file in files:
        if isinstance(file.script, Malformed):
            mend = "mend that: nothing else of this file was looked at"
            at = (file.script.line, file.script.column)
            findings.append(Finding(file.name, *at, "malformed", file.script.why, mend))
            continue
        ours = list(rules.look(file.name, file.text, file.script, tables))
        off = {*configuration["off"], _BANS_CONCURRENTLY}
        theirs = [
            finding
            for finding in _ask_squawk(program, file, file.script, off)
            if not (
                finding.rule == _ASKS_CONCURRENTLY
                and (statement := file.statement_at(finding.line, finding.column))
                and rules.indexed_table(statement) in tables
            )
        ]
        allowed = _allowed(file) | _allowed_once_applied(file, configuration["applied"])
        findings += _without(file, sorted(ours + theirs), allowed)
    return Linted([file.name for file in files], findings)


def _read(path: Path) -> _File:
    try:
        text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as problem:
        raise BdayschedError(f"{path} is not UTF-8: {problem}") from problem
    except OSError as problem:
        raise UsageError(f"{path} cannot be read: {problem.strerror}") from problem
    script: Script | Malformed
    try:
        script = parse(text)
    except Malformed as problem:
        script = problem
    return _File(os.path.relpath(path), path, text, script)


def _squawk() -> Path:
    try:
        files = metadata.files("squawk-cli") or []
    except metadata.PackageNotFoundError as problem:
        raise UsageError("`schema lint` needs squawk: pip install 'bdaysched[lint]'") from problem
    return next(Path(str(file.locate())) for file in files if file.name in ("squawk", "squawk.exe"))


def _ask_squawk(
    program: Path, file: _File, script: Script, off: Iterable[str]
) -> Iterator[Finding]:
    command = [
        str(program),
        "--reporter=json",
        f"--pg-version={_POSTGRESQL}",
        "--config",
        os.devnull,
    ]
    command += ["--exclude", ",".join(off), "--stdin-filepath", file.name]
    if script.transactional:
        command.append("--assume-in-transaction")
    # It finds things: 1. Without an environment, it takes no settings and annotates nothing.
    done = subprocess.run(  # noqa: S603 - the package's own program
        command, input=file.text.encode(), capture_output=True, env={}, check=False
    )
    if done.returncode not in (0, 1) or done.stderr:
        said = " ".join(done.stderr.decode(errors="replace").split())
        raise BdayschedError(f"squawk failed on {file.name}: {said}")
    lines = file.text.split("\n")
    for found in json.loads(done.stdout):
        # Both from 0; the column in bytes.
        before = lines[found["line"]].encode()[: found["column"]].decode(errors="replace")
        at = (found["line"] + 1, len(before) + 1)
        yield Finding(file.name, *at, found["rule_name"], found["message"], found["help"] or "")


def _allowed(file: _File) -> dict[tuple[Statement | None, str], Finding | None]:
    """Return which rules a file may break in which statement, with what is wrong about that."""
    found: dict[tuple[Statement | None, str], Finding | None] = {}
    for comment in _ALLOW.finditer(file.text):
        at = position(file.text, comment.start("rule"))
        wrong = None
        if not comment["reason"]:
            why, mend = "a rule is broken without a reason", "add one: `-- lint: allow RULE: why`"
            wrong = Finding(file.name, *at, "permission", why, mend)
        found[file.statement_at(*at), comment["rule"]] = wrong
    return found


def _allowed_once_applied(file: _File, applied: dict[str, Any]) -> dict[Any, None]:
    """Return the same from lint.toml, for a file that cannot be edited any more."""
    rules_and_lines = (entry.split(":") for entry in applied.get(file.path.name, {}))
    return {(file.statement_at(int(line), 1), rule): None for rule, line in rules_and_lines}


def _without(
    file: _File,
    findings: Iterable[Finding],
    allowed: dict[tuple[Statement | None, str], Finding | None],
) -> Iterator[Finding]:
    """Yield the findings that are not allowed, and what is wrong about the permissions."""
    unused = set(allowed)
    for finding in findings:
        key = (file.statement_at(finding.line, finding.column), finding.rule)
        unused.discard(key)
        if key not in allowed:
            yield finding
    yield from filter(None, allowed.values())
    for statement, rule in unused:
        at = (statement.line, statement.column) if statement else (1, 1)
        why = f"{rule} is allowed here and not broken"
        yield Finding(file.name, *at, "permission", why, "take the permission away")
