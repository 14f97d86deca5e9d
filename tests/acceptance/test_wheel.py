"""What is installed is what was built: the wheel, in an environment of its own, elsewhere."""

from __future__ import annotations

import json
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


@pytest.mark.parametrize("folder", ["unit_files", "studio/templates", "studio/static"])
def test_it_carries_what_is_no_code(wheel: Path, folder: str) -> None:
    there = {str(path.relative_to(ROOT)) for path in (ROOT / "birthday_cli" / folder).iterdir()}
    assert there
    assert there <= set(zipfile.ZipFile(wheel).namelist())


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


def test_studio_comes_with_an_extra(installed: Path) -> None:
    done = subprocess.run([installed, "studio"], capture_output=True, text=True, cwd="/")
    assert done.returncode == 2
    assert done.stderr.startswith("bdaysched: ")
    assert done.stderr.endswith("is not installed: pip install 'bdaysched[studio]'\n")
    assert done.stderr.count("\n") == 1


def test_units_work_from_it(installed: Path) -> None:
    """As if it were in /opt: for a folder under /tmp there are none."""
    code = (
        "import sys\n"
        "from birthday_cli.cli.main import main\n"
        "sys.executable = '/opt/bdaysched/bin/python'\n"
        "sys.argv = ['bdaysched', 'units', '--json']\n"
        "main()\n"
    )
    done = subprocess.run(
        [installed.with_name("python"), "-c", code], capture_output=True, text=True, cwd="/"
    )
    assert done.returncode == 0, done.stderr
    files = json.loads(done.stdout)["files"]
    assert "ExecStart=/opt/bdaysched/" in files["bdaysched-worker@.service"]


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
