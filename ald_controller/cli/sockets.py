"""Which controller a command speaks to: --socket, else ALD_SOCKET, else the only one that runs here."""

from __future__ import annotations

from pathlib import Path

from ald_controller import doorbell
from ald_controller.doorbell import find_socket

__all__ = ["RUNTIME", "find_socket"]

RUNTIME = Path(doorbell.RUNTIME)
