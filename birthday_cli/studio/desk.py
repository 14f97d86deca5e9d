"""What every page works with: settings to read and to write by, the clock, the cache."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from birthday_cli.config import Clock, Settings
from birthday_cli.errors import BdayschedError
from birthday_cli.pipeline.looking import browse
from birthday_cli.pipeline.looking.browse import Access


class NotThere(BdayschedError):
    """What was asked for by its address is not there."""


@dataclass
class Desk:
    """What every page works with. `settings` are as configured, and only `write` uses them."""

    settings: Settings
    clock: Clock
    cache: Any
    may_write: bool
    _access: Access | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def now(self) -> datetime:
        """Return the program's instant."""
        return self.clock.now()

    @property
    def access(self) -> Access:
        """Settings for reading only; DatabaseUnreachable until the database answers once."""
        with self._lock:
            if not self._access:
                self._access = browse.read_only(self.settings)
            return self._access

    @property
    def reading(self) -> Settings:
        """Settings by which nothing can be written."""
        return self.access.settings


Query = Mapping[str, str]


class Page(Protocol):
    """A file of pages/: `find` returns what its template shows.

    It raises BdayschedError for what can't be shown. A page that `LIVES` is brought up to date
    while it is open, by its block `live`.
    """

    PATH: str
    TEMPLATE: str
    LIVES: bool

    def find(self, desk: Desk, query: Query) -> dict[str, Any]:
        """Return what the template shows."""
