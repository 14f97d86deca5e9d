"""The program's processes, each started again whenever it ends, as systemd would."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from datetime import datetime
from pathlib import Path

from birthday_cli.config import Settings
from tests.drill.record import ROOT

BDAYSCHED = (sys.executable, "-m", "birthday_cli.cli.main")
_RESTART_AFTER = 0.5
_DRAIN = 60.0


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return our own environment with these settings, and no others of the program."""
    ours = {field.name.upper() for field in fields(Settings)}
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.removesuffix("_FILE") not in ours and not name.startswith("PG")
    }
    return {**kept, **settings, "PYTHONPATH": str(ROOT)}


class Unit:
    """One process that always runs, except while it is being started again."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        settings: Mapping[str, str],
        clock: Callable[[], datetime],
        folder: Path,
    ) -> None:
        self.name = name
        self.exits: Counter[int] = Counter()
        self.log = folder / f"{name}.log"
        self._command = command
        self._settings = settings
        self._clock = clock
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        self._is_wanted = True
        self._task = asyncio.create_task(self._keep_running())

    def send(self, name: signal.Signals) -> None:
        """Send a signal to the process, if there is one."""
        if self._process:
            with suppress(ProcessLookupError):
                self._process.send_signal(name)

    async def stop(self) -> int:
        """Stop it in order, for good; return its exit code."""
        self._is_wanted = False
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        try:
            async with asyncio.timeout(_DRAIN):
                await self._task
        except TimeoutError:
            self.send(signal.SIGKILL)
        return self._process.returncode or 0 if self._process else 0

    async def kill(self) -> None:
        """End it at once, for good."""
        self._is_wanted = False
        self.send(signal.SIGKILL)
        await self._task

    async def _keep_running(self) -> None:
        while self._is_wanted:
            with self.log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command,
                    env=environment({**self._settings, "BDAYSCHED_NOW": self._clock().isoformat()}),
                    cwd=self._folder,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            code = await self._process.wait()
            if self._is_wanted:
                self.exits[code] += 1
                await asyncio.sleep(_RESTART_AFTER)
