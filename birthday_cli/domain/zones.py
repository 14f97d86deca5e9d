"""Time zones as the tzdata package knows them, so that every host reckons alike.

`zoneinfo.ZoneInfo(key)` prefers the operating system's files, which differ from host to host.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from zoneinfo import ZoneInfo


def version() -> str:
    """Return the release of the IANA data in use, such as `2026f`."""
    with _data().joinpath("tzdata.zi").open(encoding="ascii") as data:
        return data.readline().removeprefix("# version ").strip()


@cache
def names() -> frozenset[str]:
    """Return every zone name that is known."""
    return frozenset(resources.files("tzdata").joinpath("zones").read_text("ascii").split())


@cache
def load(name: str) -> ZoneInfo:
    """Return the zone called name; KeyError when there is none."""
    if name not in names():
        raise KeyError(name)
    with _data().joinpath(*name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=name)


@cache
def _data() -> Traversable:
    # To find it takes as long as to read a zone, and planning reads all 600.
    return resources.files("tzdata.zoneinfo")
