"""Work in the database that outlives lost connections and short absences of the server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Concatenate, ParamSpec, TypeVar

import psycopg
from psycopg_pool import PoolTimeout

from birthday_cli.db.connect import AsyncConnection, Pool, within

log = logging.getLogger(__name__)

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
# A batch takes milliseconds; without an answer for so long the network is silent, not slow.
_LONGEST_STATEMENT = 30.0

# Planning a statement over all months takes longer than doing it for a batch of rows, so it is done
# once; and what was planned while the table was empty must not read all of it when it is full.
SESSION = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}

T = TypeVar("T")
P = ParamSpec("P")


class PatientDatabase:
    """A pool whose work is done again on another connection when one is lost.

    `is_there` tells whether the last piece of work was done; `on_return` is called whenever the
    database is there again.
    """

    def __init__(self, pool: Pool, patience: float) -> None:
        self.is_there = True
        self.on_return: Callable[[], None] = lambda: None
        self._pool = pool
        self._patience = patience

    async def do(
        self,
        work: Callable[Concatenate[AsyncConnection, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Return what work returns, for at most `patience` seconds of trying.

        It may run twice, when the answer to a commit was lost: it has to compare before it sets.
        Raises psycopg.OperationalError or PoolTimeout when the database stays away, and at once
        what is no matter of the connection.
        """
        give_up = asyncio.get_running_loop().time() + self._patience
        pause = _FIRST_PAUSE
        while True:
            try:
                async with (
                    self._pool.connection() as connection,
                    within(connection, _LONGEST_STATEMENT),
                ):
                    done = await work(connection, *args, **kwargs)
            except (psycopg.OperationalError, PoolTimeout) as problem:
                if self.is_there:
                    log.warning("lost the database, trying again", extra={"error": str(problem)})
                self.is_there = False
                if asyncio.get_running_loop().time() >= give_up:
                    raise
            else:
                if not self.is_there:
                    log.warning("the database is there again")
                    self.on_return()
                self.is_there = True
                return done
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
