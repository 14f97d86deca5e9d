"""An ordinary account for what must not need root, with a Python that it can run."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.servers.process import new_folder

CHECKOUT = Path(__file__).parents[2]
_PACKAGES = Path(psycopg.__file__).parents[1]


@dataclass(frozen=True)
class Person:
    """An account, and how it runs the program: an interpreter and its PYTHONPATH."""

    uid: int
    gid: int
    python: str
    path: str
    libraries: str = ""

    def start(self, *arguments: str | Path, **environment: str) -> subprocess.Popen[str]:
        """Run the interpreter with arguments, as the account; all three streams are pipes.

        `first` goes to the front of the PYTHONPATH; other keywords are variables.
        """
        other = self.uid != os.geteuid()
        path = ":".join(filter(None, (environment.pop("first", ""), self.path)))
        return subprocess.Popen(
            [self.python, *arguments],
            cwd="/",
            env={
                **os.environ,
                "PYTHONPATH": path,
                **({"LD_LIBRARY_PATH": self.libraries} if self.libraries else {}),
                **environment,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            user=self.uid if other else None,
            group=self.gid if other else None,
            extra_groups=() if other else None,
        )

    def can_run(self) -> bool:
        with suppress(OSError), self.start("-c", "import birthday_cli, psycopg, aiohttp") as tried:
            tried.communicate()
            return tried.returncode == 0
        return False


def ourselves() -> Person:
    """Return the account that runs the suite."""
    return Person(os.geteuid(), os.getegid(), sys.executable, f"{CHECKOUT}:{_PACKAGES}")


@pytest.fixture(scope="session")
def ordinary_person() -> Iterator[Person]:
    """Return an account without root's rights: our own, or `nobody`.

    What `nobody` cannot read, because it lies in root's closed home, is copied for the session,
    with what is compiled, or every start would compile it.
    """
    if os.geteuid() != 0:
        yield ourselves()
        return
    nobody = pwd.getpwnam("nobody")
    person = Person(nobody.pw_uid, nobody.pw_gid, sys.executable, f"{CHECKOUT}:{_PACKAGES}")
    if person.can_run():
        yield person
        return
    folder = new_folder("ordinary", on_disk=True)
    try:
        folder.chmod(0o755)
        python, path = _copy_python(folder), _copy_code(folder)
        libraries = str(python.parents[1] / "lib")
        person = Person(nobody.pw_uid, nobody.pw_gid, str(python), path, libraries)
        assert person.can_run()
        yield person
    finally:
        shutil.rmtree(folder)


def _copy_python(folder: Path) -> Path:
    version = f"python{sysconfig.get_python_version()}"
    library = Path(sysconfig.get_path("stdlib"))
    python = folder / "python" / "bin" / version
    python.parent.mkdir(parents=True)
    shutil.copy(Path(sys.executable).resolve(), python)
    # Without the standard library's own tests, which are most of it.
    shutil.copytree(
        library,
        folder / "python" / "lib" / version,
        symlinks=True,
        ignore=shutil.ignore_patterns(
            "site-packages", "dist-packages", "test", "idlelib", "config-*"
        ),
    )
    for shared in library.parent.glob("libpython*.so*"):
        shutil.copy(shared, folder / "python" / "lib", follow_symlinks=False)
    return python


def _copy_code(folder: Path) -> str:
    for name in ("birthday_cli", "sql"):
        shutil.copytree(CHECKOUT / name, folder / "code" / name)
    shutil.copytree(
        _PACKAGES,
        folder / "packages",
        symlinks=True,
        ignore=shutil.ignore_patterns("mypy*", "ruff*", "pip"),
    )
    return f"{folder / 'code'}:{folder / 'packages'}"
