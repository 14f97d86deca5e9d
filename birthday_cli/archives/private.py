"""Files that nobody else may read: they hold what was written to people."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO


class DoesNotFit(Exception):
    """A format has no place for a value."""


def create(path: Path) -> BinaryIO:
    """Return a new file of mode 0600, in the place of what an interrupted run may have left."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
