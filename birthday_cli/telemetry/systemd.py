"""Notifications to systemd; see sd_notify(3) and sd_watchdog_enabled(3)."""

from __future__ import annotations

import logging
import os
import socket

from birthday_cli.errors import redact

log = logging.getLogger(__name__)

# systemd throws a datagram of more than 4096 bytes away.
_LONGEST_STATUS = 500
# systemd always reads. Should it not, the worker goes on.
_PATIENCE = 0.5


class Notifier:
    """Tells systemd how the service is; without systemd, nobody.

    Made before anything else is started: it takes the variables away from the environment, so that
    no child, such as a private PostgreSQL, says READY in our name. Nothing that fails here is
    raised. `watchdog_interval` is how often to call `watchdog`, in seconds: half of what the unit's
    WatchdogSec= allows, None without one.
    """

    def __init__(self) -> None:
        self._address = _address(os.environ.pop("NOTIFY_SOCKET", ""))
        self.watchdog_interval = _half(
            os.environ.pop("WATCHDOG_USEC", ""), os.environ.pop("WATCHDOG_PID", "")
        )
        self._warned = False

    def ready(self) -> None:
        """Say that starting is over, and has worked."""
        self._send("READY=1")

    def status(self, text: str) -> None:
        """Say in one line what the service is doing; `systemctl status` shows it."""
        self._send(f"STATUS={' '.join(redact(text).split())[:_LONGEST_STATUS]}")

    def watchdog(self) -> None:
        """Say that the service is alive; without it for WatchdogSec=, systemd restarts it."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        try:
            # A new one each time: systemd may have been restarted.
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(_PATIENCE)
                sender.sendto(text.encode(errors="replace"), self._address)
        except OSError as problem:
            if not self._warned:
                log.warning("systemd cannot be told anything", extra={"error": str(problem)})
            self._warned = True


def _address(name: str) -> str:
    """Return the socket's address: `@` stands for the zero byte of an abstract one."""
    if name.startswith("@"):
        return f"\0{name[1:]}"
    return name if name.startswith("/") else ""


def _half(microseconds: str, pid: str) -> float | None:
    """Return half of the time that the watchdog allows us, in seconds; None if it is not for us."""
    if not microseconds.isdecimal() or pid not in ("", str(os.getpid())):
        return None
    return int(microseconds) / 2e6 or None
