"""What simulated bus couplers share, whoever made them: what hangs on their terminals, and their connections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from simulators.modbus_server import TcpFace


class OutputPlant(Protocol):
    """What the outputs switch and the inputs report."""

    def output(self, name: str, on: bool, at_s: float) -> None: ...
    def contacts_at(self, at_s: float) -> Mapping[str, bool]: ...


class Coupler(Protocol):
    """A coupler whose watchdog acts by itself."""

    def at(self, now_s: float) -> None: ...
    def next_at(self) -> float | None: ...
    def trip(self, now_s: float) -> None: ...
    def power_cycle(self, now_s: float) -> None: ...


C = TypeVar("C", bound=Coupler)


class CouplerFace(Generic[C]):
    """One TCP connection to a coupler; several share it."""

    def __init__(self, coupler: C, tcp: TcpFace) -> None:
        self.coupler = coupler
        self._tcp = tcp

    def hear(self, now_s: float, data: bytes) -> bytes:
        self.coupler.at(now_s)
        return self._tcp.hear(now_s, data)

    def next_at(self) -> float | None:
        return self.coupler.next_at()

    def speak(self, now_s: float) -> bytes:
        self.coupler.at(now_s)
        return b""

    def trip(self, now_s: float) -> None:
        self.coupler.trip(now_s)

    def power_cycle(self, now_s: float) -> None:
        self.coupler.power_cycle(now_s)


def bits_of(wired: Mapping[int, str]) -> int:
    """How many bits of the image there are: terminals have eight each."""
    return (max(wired, default=-1) + 8) // 8 * 8


def words_of(bits: int, count: int) -> list[int]:
    """`count` bits of an image in its registers, sixteen in each."""
    return [bits >> at & 0xFFFF for at in range(0, count, 16)]


def bits_in(words: Sequence[int]) -> int:
    """The bits of registers in a row."""
    return sum(word << 16 * i for i, word in enumerate(words))


def contact_bits(contacts: Mapping[int, str], closed: Mapping[str, bool]) -> int:
    """The bits of the input terminals: which contact hangs on which, and which of them are closed."""
    bits = 0
    for number, name in contacts.items():
        if closed[name]:
            bits |= 1 << number
    return bits
