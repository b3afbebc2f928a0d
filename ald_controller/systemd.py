"""What the service manager is told: sd_notify(3) over its datagram socket, and nothing without one."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


class Notifier:
    """Tells systemd READY, WATCHDOG, STATUS and STOPPING; silent where NOTIFY_SOCKET is not set.

    Each call is one non-blocking datagram and answers whether it went out. READY: only when the outputs are verified
    safe. WATCHDOG: only from the guard, after a scan that met its deadline. Protocol: sd_notify(3).
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        # systemd names the process that it expects to hear from: a child that inherits the variables stays silent
        mine = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_s: float | None = (
            int(environment["WATCHDOG_USEC"]) / 1e6 if mine and "WATCHDOG_USEC" in environment else None
        )
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)

    def _tell(self, line: str) -> bool:
        if not self._address:
            return False
        try:
            self._socket.sendto(line.encode(), self._address)
        except OSError:  # a full or vanished manager may never stop the tool; the caller sees False
            return False
        return True

    def ready(self) -> bool:
        return self._tell("READY=1")

    def watchdog(self) -> bool:
        return self._tell("WATCHDOG=1")

    def status(self, text: str) -> bool:
        """One line for `systemctl status`; line ends would be read as further fields."""
        return self._tell("STATUS=" + " ".join(text.split()))

    def stopping(self) -> bool:
        return self._tell("STOPPING=1")

    def close(self) -> None:
        self._socket.close()
