"""What every simulated device shows to a line: bytes in, bytes out, time as an argument, no I/O.

`Bus` puts several on one line; `Paced` gives replies the time that characters and the device itself take.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

SOON_S = 1e-9  # clocks round: what is due within this is due


PACKET_BYTES = 62  # what a full-speed FTDI adapter carries in one USB packet


class Face(Protocol):
    """A device as its line sees it. Times are seconds of any monotonic clock.

    One that never speaks by itself may say so: `mute = True`, and then nobody need ask.
    """

    def hear(self, now_s: float, data: bytes) -> bytes:
        """Take bytes as they came; return what is answered at once."""
        ...

    def next_at(self) -> float | None:
        """When the device will want to speak by itself; None: not by itself."""
        ...

    def speak(self, now_s: float) -> bytes:
        """What is due at `now_s`."""
        ...


class Bus:
    """Several units on one line: all hear everything, replies come in the order of the units."""

    def __init__(self, faces: Sequence[Face]) -> None:
        self._faces = tuple(faces)

    def hear(self, now_s: float, data: bytes) -> bytes:
        return b"".join([face.hear(now_s, data) for face in self._faces])

    def next_at(self) -> float | None:
        first: float | None = None
        for face in self._faces:
            at = face.next_at()
            if at is not None and (first is None or at < first):
                first = at
        return first

    def speak(self, now_s: float) -> bytes:
        return b"".join([face.speak(now_s) for face in self._faces])


class Paced:
    """A face whose replies come after the device's turn-round and after their own characters (10 bits each)."""

    def __init__(self, face: Face, *, baud: int, turn_round_s: float) -> None:
        self._face, self._character_s, self._turn_round_s = face, 10.0 / baud, turn_round_s
        self._pending: list[tuple[float, bytes]] = []
        self._free_s = float("-inf")

    def hear(self, now_s: float, data: bytes) -> bytes:
        reply = self._face.hear(now_s, data)
        if reply:
            heard = now_s + len(data) * self._character_s  # a PTY hands over at once what a line takes time for
            self._queue(heard + self._turn_round_s, reply)
        return b""

    def next_at(self) -> float | None:
        own = self._face.next_at()
        first = self._pending[0][0] if self._pending else None
        return min((at for at in (own, first) if at is not None), default=None)

    def speak(self, now_s: float) -> bytes:
        own = self._face.next_at()
        if own is not None and own <= now_s + SOON_S and (said := self._face.speak(now_s)):
            self._queue(now_s, said)
        due = b""
        while self._pending and self._pending[0][0] <= now_s + SOON_S:
            due += self._pending.pop(0)[1]
        return due

    def _queue(self, from_s: float, reply: bytes) -> None:
        """A long reply comes in the packets of a USB serial adapter, not as a whole at its end."""
        self._free_s = max(self._free_s, from_s)
        for start in range(0, len(reply), PACKET_BYTES):
            packet = reply[start : start + PACKET_BYTES]
            self._free_s += len(packet) * self._character_s
            self._pending.append((self._free_s, packet))
