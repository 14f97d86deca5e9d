"""What is installed is what was built: the wheel, in an environment of its own, elsewhere."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import psycopg
import pytest

from tests.acceptance.conftest import Program

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        check=True,
        capture_output=True,
    )
    return next(folder.glob("*.whl"))


def test_it_carries_every_sql_file(wheel: Path) -> None:
    carried = {
        name.removeprefix("birthday_cli/")
        for name in zipfile.ZipFile(wheel).namelist()
        if name.endswith(".sql")
    }
    assert carried == {str(path.relative_to(ROOT)) for path in (ROOT / "sql").rglob("*.sql")}


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    environment = tmp_path_factory.mktemp("environment")
    # A pip of its own, and compiling what is never run, would take most of the time.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    constraints = ROOT / ".ci" / "constraints.txt"
    pip: list[str | Path] = [sys.executable, "-m", "pip"]
    pip += ["--python", environment / "bin" / "python"]
    subprocess.run(
        [*pip, "install", "--quiet", "--no-compile", "--constraint", constraints, wheel],
        check=True,
    )
    return environment / "bin" / "bdaysched"


def test_the_formats_of_archives_come_with_an_extra(installed: Path) -> None:
    (packages,) = (installed.parents[1] / "lib").glob("python*/site-packages")
    assert not {path.name for path in packages.iterdir()} & {"pyarrow", "fsspec"}


async def test_installed_in_a_clean_environment_it_works_from_another_folder(
    installed: Path, empty_database: str
) -> None:
    program = Program(
        {"DATABASE_URL": empty_database, "PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": ""}, installed
    )
    for command in (["migrate"], ["seed"], ["schedule"], ["status"]):
        ended = await program.run(*command)
        assert ended.code == 0, ended.err
    with psycopg.connect(empty_database) as connection:
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (100,)
