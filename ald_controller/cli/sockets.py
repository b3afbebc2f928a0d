"""Which controller a command speaks to: --socket, else ALD_SOCKET, else the only one that runs here."""

from __future__ import annotations

import os
from pathlib import Path

from ald_controller.doorbell import NoDoor

RUNTIME = Path("/run/ald-controller")


def find_socket(option: str | None) -> Path:
    """The socket of the controller to speak to; raises NoDoor with a sentence."""
    if option or os.environ.get("ALD_SOCKET"):
        return Path(option or os.environ["ALD_SOCKET"])
    found = sorted(RUNTIME.glob("*/ald.sock"))
    if len(found) == 1:
        return found[0]
    if not found:
        raise NoDoor("no controller runs here as a service; name its socket with --socket or ALD_SOCKET")
    raise NoDoor(f"several controllers run here; name one with --socket: {', '.join(map(str, found))}")
