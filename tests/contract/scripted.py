"""A peer in memory that plays a script: this request, then these bytes so much later. For drivers, byte by byte."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from drivers.line import Line, memory_line


@dataclass(frozen=True)
class Say:
    """Bytes that come `after_s` seconds after the request."""

    after_s: float
    data: bytes


Answer = bytes | Say | tuple[Say, ...]


class Peer:
    """A line's face: answers the script in order, by `always` what is out of turn; other requests fail the test.

    So does a request of the script that nobody makes: `conftest.py` looks at `left` when a test has ended.
    """

    def __init__(self, *script: tuple[bytes, Answer], always: dict[bytes, Answer] | None = None) -> None:
        self._script, self._always = list(script), always or {}
        self._pending: list[tuple[float, bytes]] = []
        self._unforeseen: list[bytes] = []
        self.heard: list[tuple[float, bytes]] = []
        PEERS.append(self)

    def hear(self, now_s: float, data: bytes) -> bytes:
        self.heard.append((now_s, data))
        answer = self._answer(data)
        if isinstance(answer, bytes):
            return answer
        for say in (answer,) if isinstance(answer, Say) else answer:
            self._pending.append((now_s + say.after_s, say.data))
        self._pending.sort()
        return b""

    def next_at(self) -> float | None:
        return self._pending[0][0] if self._pending else None

    def speak(self, now_s: float) -> bytes:
        said = b""
        while self._pending and self._pending[0][0] <= now_s:
            said += self._pending.pop(0)[1]
        return said

    def say(self, at_s: float, data: bytes) -> None:
        """Unasked, at a time of the clock; noticed when the line is next used or already waits for something."""
        self._pending.append((at_s, data))
        self._pending.sort()

    @property
    def requests(self) -> list[bytes]:
        return [data for _, data in self.heard]

    @property
    def left(self) -> list[str]:
        """What differs from the script: its requests that nobody made, and those that it does not hold."""
        never = [f"never asked: {request!r}" for request, _ in self._script]
        return never + [f"not in the script: {request!r}" for request in self._unforeseen]

    def _answer(self, data: bytes) -> Answer:
        if self._script and self._script[0][0] == data:
            return self._script.pop(0)[1]
        if data not in self._always:
            self._unforeseen.append(data)
            raise AssertionError(f"{self._script[:1] or 'nothing'} expected, {data!r} sent")
        return self._always[data]


PEERS: list[Peer] = []  # those of the test that runs


def to(peer: Peer, name: str = "test") -> Line:
    return memory_line(name, peer)


def now_s() -> float:
    return asyncio.get_running_loop().time()
