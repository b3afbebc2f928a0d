"""An INFICON SQM-160 thin-film monitor as bytes.

Sources: SQM-160 manual PN 074-511 chapter 8 as published by two libraries that speak to it, with frames from real
instruments (`!0AMON Ver 4.13Uw`, `!*A 0.00 [d`); SQC-310 manual PN 074-550 p. 4-28, same frames. `!` begins a message
and appears nowhere else. Reading commands are answered in the units of the display mode, here Å/s and Å.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

SYNC = ord("!")
LONGEST = 255
UNCHECKED = b"\x00\x00"  # instead of a checksum: do not check
OK, RESET, UNKNOWN, BAD_DATA = "A", "B", "C", "D"
ANGSTROM = 10.0  # per nm
NEW_HZ, USED_UP_HZ = 6.0e6, 5.0e6


class FilmPlant(Protocol):
    """What grows on the crystals, by sensor from 1."""

    def film_nm(self, sensor: int, at_s: float) -> float: ...
    def film_nm_s(self, sensor: int, at_s: float) -> float: ...
    def crystal_hz(self, sensor: int, at_s: float) -> float: ...


def check(body: bytes) -> bytes:
    """Two characters: 14 bits of CRC, begun with ones, in halves, each plus 34."""
    register = 0b11_1111_1111_1111
    for character in body:
        register ^= character
        for _ in range(8):
            carry = register & 1
            register >>= 1
            if carry:
                register ^= 0x2001
    return bytes([register % 128 + 34, register // 128 % 128 + 34])


class SqmFace:
    """One instrument with 2 or 6 sensors. `failed` are sensors without a working crystal.

    `power_up` is the reset flag as after switching on; `length_offset` what a reply's length byte adds to the count of
    characters, status included; `status` is answered instead of A; `zero_nm` by sensor is where its thickness begins.
    """

    def __init__(self, plant: FilmPlant, *, sensors: int = 6, version: str = "MON Ver 4.13") -> None:
        self._plant, self.sensors, self.version = plant, sensors, version
        self.failed: set[int] = set()
        self.power_up = True
        self.length_offset = 35
        self.status = OK
        self.zero_nm = dict.fromkeys(range(1, sensors + 1), 0.0)
        self._time_from_s = 0.0
        self._now, self._buffer = 0.0, b""
        self._commands: dict[str, Callable[[], str]] = {
            "@": lambda: self.version,
            "J": lambda: str(self.sensors),
            "M": lambda: f" {self._average(self._rate):.2f} ",
            "O": lambda: f" {self._average(self._thickness):.3f} ",
            "W": self._all,
            "S": self._zero,
            "T": self._zero_time,
            "Y": self._reset_flag,
            "Z": lambda: "",  # film and system parameters go back to the factory's; none is modelled
        }
        self._of_sensor: dict[str, Callable[[int], str]] = {
            "L": lambda n: f" {self._rate(n):.2f} ",
            "N": lambda n: f" {self._thickness(n):.3f} ",
            "P": lambda n: f"{self._hz(n):.3f}",
            "R": lambda n: f" {self._life(n):.1f} ",
        }

    def hear(self, now_s: float, data: bytes) -> bytes:
        """Every `!` begins anew; a message with a wrong checksum is not answered."""
        self._now, said = now_s, b""
        for byte in data:
            self._buffer = bytes((byte,)) if byte == SYNC else (self._buffer + bytes((byte,)))[-LONGEST:]
            said += self._message()
        return said

    def next_at(self) -> float | None:
        return None

    def speak(self, now_s: float) -> bytes:
        return b""

    def power_cycle(self, now_s: float) -> None:
        """Its power went off and on: the reset flag is set, and every thickness begins anew."""
        self._now, self._buffer, self.power_up = now_s, b"", True
        self._zero()
        self._zero_time()

    def _message(self) -> bytes:
        """The reply once the buffer holds a whole message."""
        got = self._buffer
        if len(got) < 5 or got[0] != SYNC or len(got) != got[1] - 34 + 4:
            return b""
        self._buffer = b""
        if got[-2:] not in (check(got[1:-2]), UNCHECKED):
            return b""
        status, text = self._answer(got[2:-2].decode("latin-1"))
        body = f"{status}{text}".encode("latin-1")
        body = bytes((len(body) + self.length_offset,)) + body
        return bytes((SYNC,)) + body + check(body)

    def _answer(self, command: str) -> tuple[str, str]:
        if self.status != OK:
            return self.status, ""
        if command in self._commands:
            return OK, self._commands[command]()
        act = self._of_sensor.get(command[:1])
        number = command[1:].removesuffix("?")
        if act is None:
            return UNKNOWN, ""
        if not number.isdecimal() or not 1 <= int(number) <= self.sensors:
            return BAD_DATA, ""
        return OK, act(int(number))

    # --- what it measures ---

    def _rate(self, sensor: int) -> float:
        return 0.0 if sensor in self.failed else self._plant.film_nm_s(sensor, self._now) * ANGSTROM

    def _thickness(self, sensor: int) -> float:
        if sensor in self.failed:
            return 0.0
        return (self._plant.film_nm(sensor, self._now) - self.zero_nm[sensor]) * ANGSTROM

    def _hz(self, sensor: int) -> float:
        return 0.0 if sensor in self.failed else self._plant.crystal_hz(sensor, self._now)

    def _life(self, sensor: int) -> float:
        """Percent of the way from a new crystal to one that is used up still left."""
        return min(max((self._hz(sensor) - USED_UP_HZ) / (NEW_HZ - USED_UP_HZ), 0.0), 1.0) * 100.0

    def _average(self, of: Callable[[int], float]) -> float:
        working = [n for n in range(1, self.sensors + 1) if n not in self.failed]
        return sum(of(n) for n in working) / len(working) if working else 0.0

    def _all(self) -> str:
        """A number that means nothing, then rate, thickness and frequency of each sensor."""
        parts = (f"{self._rate(n):05.2f} {self._thickness(n):06.3f} {self._hz(n):.3f}" for n in self.zero_nm)
        return " ".join(("00.00", *parts))

    # --- what it does ---

    def _zero(self) -> str:
        self.zero_nm = {n: self._plant.film_nm(n, self._now) for n in self.zero_nm}
        return ""

    def _zero_time(self) -> str:
        self._time_from_s = self._now
        return ""

    def _reset_flag(self) -> str:
        """Set after switching on, and taken back by being read."""
        flag, self.power_up = self.power_up, False
        return "1" if flag else "0"
