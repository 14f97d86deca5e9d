"""libcurl's transfers on the running event loop, by its multi interface; Linux only, for epoll.

pycurl's own AsyncCurlMulti asks the loop anew to watch a kept connection with every request, and
costs about twice the CPU time; see benchmarks/http_clients.py.
"""

from __future__ import annotations

import asyncio
import select
import socket
from contextlib import suppress

import pycurl

_ENDED = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
_EVENTS = {
    pycurl.POLL_IN: select.EPOLLIN | select.EPOLLRDHUP,
    pycurl.POLL_OUT: select.EPOLLOUT | select.EPOLLRDHUP,
    pycurl.POLL_INOUT: select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP,
}


class Transfers:
    """Performs any number of transfers at once, each within `longest` seconds.

    The handles given must outlive it. `connections` are kept open for the next requests.
    """

    def __init__(self, longest: float, connections: int) -> None:
        self._longest = longest
        self._loop = asyncio.get_running_loop()
        self._under_way: dict[pycurl.Curl, tuple[asyncio.Future[None], float]] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._timer: asyncio.Handle | None = None
        self._watched: dict[int, int] = {}
        self._epoll = select.epoll()
        self._loop.add_reader(self._epoll.fileno(), self._on_events)
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, connections)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)

    async def perform(self, curl: pycurl.Curl) -> None:
        """Perform curl's transfer; raises pycurl.error, or TimeoutError when it takes too long.

        Cancelled, or too late, it is broken off at once.
        """
        done = self._loop.create_future()
        deadline = self._loop.time() + self._longest
        self._under_way[curl] = done, deadline
        self._multi.add_handle(curl)
        if self._alarm is None:
            self._alarm = self._loop.call_at(deadline, self._break_off_late)
        try:
            await done
        except asyncio.CancelledError:
            if curl in self._under_way:
                self._end(curl)
            raise

    def close(self) -> None:
        """Break off what is under way, and close all connections."""
        for curl, (done, _) in list(self._under_way.items()):
            done.cancel()
            self._end(curl)
        for handle in (self._alarm, self._timer):
            if handle:
                handle.cancel()
        self._loop.remove_reader(self._epoll.fileno())
        self._multi.close()
        self._epoll.close()

    def _watch(self, what: int, descriptor: int, _: pycurl.CurlMulti, __: object) -> None:
        if what not in _EVENTS:
            # Between two requests epoll goes on watching a kept connection. If it is closed, epoll
            # forgets it.
            self._watched[descriptor] = 0
            return
        known = descriptor in self._watched
        self._watched[descriptor] = what
        if known:
            # libcurl does not tell whether it is still the same file.
            with suppress(FileNotFoundError):
                self._epoll.modify(descriptor, _EVENTS[what])
                return
        self._epoll.register(descriptor, _EVENTS[what])

    def _on_events(self) -> None:
        for descriptor, events in self._epoll.poll(0):
            if not self._watched[descriptor]:
                self._leave(descriptor, bool(events & _ENDED))
                continue
            action = pycurl.CSELECT_OUT if events & select.EPOLLOUT else 0
            if events & ~select.EPOLLOUT:
                action |= pycurl.CSELECT_IN
            self._multi.socket_action(descriptor, action)
        self._end_finished()

    def _leave(self, descriptor: int, ended: bool) -> None:
        with suppress(OSError):
            self._epoll.unregister(descriptor)
            if ended:
                # The other side closed a kept connection. libcurl looks for that once a second at
                # most, and would write a request into it; now it cannot.
                connection = socket.socket(fileno=descriptor)
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                finally:
                    connection.detach()

    def _set_timer(self, milliseconds: int) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if milliseconds == 0:
            self._timer = self._loop.call_soon(self._on_timer)
        elif milliseconds > 0:
            self._timer = self._loop.call_later(milliseconds / 1000, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        self._end_finished()

    def _end_finished(self) -> None:
        _, succeeded, failed = self._multi.info_read()
        for curl in succeeded:
            self._end(curl)
        for curl, code, text in failed:
            self._end(curl, pycurl.error(code, text))

    def _break_off_late(self) -> None:
        now = self._loop.time()
        self._alarm = None
        while self._under_way:
            # All may take equally long, so that the one that began first is the first to be late.
            curl, (_, deadline) = next(iter(self._under_way.items()))
            if deadline > now:
                self._alarm = self._loop.call_at(deadline, self._break_off_late)
                return
            self._end(curl, TimeoutError())

    def _end(self, curl: pycurl.Curl, problem: Exception | None = None) -> None:
        self._multi.remove_handle(curl)
        done, _ = self._under_way.pop(curl)
        if done.done():
            return
        if problem:
            done.set_exception(problem)
        else:
            done.set_result(None)
