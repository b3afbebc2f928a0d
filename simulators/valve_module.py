"""What every simulated module of the valve word shares: outputs, their changes, connections, and a watchdog.

`ValveModule` is the module without I/O; on virtual time it is used as it is, and `coupler.py` makes a computer of it.
A module is a subclass in a file of its own; `valve_modules.py` lists them. Times are monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from simulators.modbus_server import ILLEGAL_ADDRESS, ModbusException, ModbusServer, TcpFace, Unit


@dataclass(frozen=True, slots=True)
class Change:
    """The outputs became `word` at `at_s`, by a write or by the module's own watchdog."""

    at_s: float
    word: int
    cause: str  # write | watchdog


class ValveModule(Unit):
    """Outputs that fall to 0 when `_expires_s` has come. Changes of bits within `quiet` alone are not told."""

    def __init__(self, coils: int = 16, *, tell: Callable[[Change], None] | None = None, quiet: int = 0) -> None:
        self.coils, self.word = coils, 0
        self.changes: list[Change] = []
        self.writes = 0  # coil writes that were executed
        self._tell, self._quiet = tell or self.changes.append, quiet
        self._now_s = 0.0
        self._expires_s: float | None = None
        self._server = _Server(self)
        self._line = self._server.tcp()

    # --- the face on a line ----------------------------------------------------------------------------------------

    def connection(self) -> TcpFace:
        """A framer of its own for one more TCP connection; call `at` before each use of it."""
        return self._server.tcp()

    def at(self, now_s: float) -> None:
        """Time has come this far: a watchdog that expired meanwhile has acted when it did."""
        self._now_s = now_s
        if self._expires_s is not None and now_s >= self._expires_s:
            expired_s, self._expires_s = self._expires_s, None
            self._expired()
            self._become(0, expired_s, "watchdog")

    def hear(self, now_s: float, data: bytes) -> bytes:
        """Take bytes of the one connection that this face stands for and return the replies."""
        self.at(now_s)
        return self._line.hear(now_s, data)

    def next_at(self) -> float | None:
        return self._expires_s

    def speak(self, now_s: float) -> bytes:
        self.at(now_s)
        return b""

    # --- what a module makes of it -----------------------------------------------------------------------------------

    def answered(self, function: int, *, done: bool) -> None:
        """A telegram with this function code was answered; `done` unless with an exception."""

    def _expired(self) -> None:
        """The watchdog has acted: what the module remembers of it."""

    def _become(self, word: int, at_s: float, cause: str) -> None:
        changed, self.word = word ^ self.word, word
        if changed & ~self._quiet:
            self._tell(Change(at_s, word, cause))

    def _outputs(self, first: int, count: int) -> int:
        """The outputs from `first` on."""
        self._expect(first, count)
        return self.word >> first & (1 << count) - 1

    def _put(self, first: int, count: int, bits: int) -> None:
        """A write of the outputs from `first` on."""
        self._expect(first, count)
        self.writes += 1
        others = self.word & ~((1 << count) - 1 << first)
        self._become(others | bits << first, self._now_s, "write")

    def _expect(self, first: int, count: int) -> None:
        """Raises ModbusException where there are no such outputs."""
        if first < 0 or first + count > self.coils:
            raise ModbusException(ILLEGAL_ADDRESS)


class _Server(ModbusServer):
    """Tells the module of each telegram, whose function code its unit does not see otherwise."""

    def __init__(self, module: ValveModule) -> None:
        super().__init__({1: module})
        self._module = module

    def answer(self, unit: int, pdu: bytes) -> bytes:
        reply = super().answer(unit, pdu)
        self._module.answered(pdu[0], done=not reply[0] & 0x80)
        return reply
