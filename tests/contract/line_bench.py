"""What is asked of a line in its tests: requests of a few letters, replies that end with a semicolon."""

from __future__ import annotations

from drivers.base import BadReply
from drivers.line import Framer, Line


def to_semicolon(buffer: bytes) -> int | None:
    if buffer[:1] == b"!":
        raise BadReply("test", "nonsense", reply=buffer)
    return buffer.find(b";") + 1 or None


async def ask(
    line: Line,
    request: bytes,
    device: str = "a",
    *,
    framer: Framer | None = to_semicolon,
    tagged: bool = False,
    timeout_s: float = 0.2,
) -> bytes:
    return await line.ask(request, framer, timeout_s=timeout_s, device=device, quiet_s=0.1, tagged=tagged)
