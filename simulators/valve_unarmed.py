"""Coupler A as a module whose watchdog is set on the module itself: Moxa ioLogik E1211, Advantech ADAM-6256.

Both zero their outputs when no telegram has come for the host-idle time. That time is given when the module is made,
as an owner sets it with the maker's page or program; nothing on the wire reads or changes it.
Sources: Moxa's default address map of the ioLogik E1200 series; Advantech's ADAM-6000 manual, as far as it is public.
"""

from __future__ import annotations

from collections.abc import Callable

from simulators.modbus_server import ILLEGAL_ADDRESS, ModbusException
from simulators.valve_module import Change, ValveModule

IDLE_S = 1.0


class _Idle(ValveModule):
    """A module whose watchdog runs from the first telegram on, and is fed by any."""

    functions = frozenset({1, 2, 3, 4, 5, 6, 15, 16})

    def __init__(
        self, coils: int = 16, *, tell: Callable[[Change], None] | None = None, quiet: int = 0, idle_s: float = IDLE_S
    ) -> None:
        super().__init__(coils, tell=tell, quiet=quiet)
        self.idle_s = idle_s

    def answered(self, function: int, *, done: bool) -> None:
        self._expires_s = self._now_s + self.idle_s

    def read_discretes(self, address: int, count: int) -> int:
        raise ModbusException(ILLEGAL_ADDRESS)  # nothing hangs on its inputs here


class AdamA(_Idle):
    """Outputs from coil 16 on. Nothing tells that its watchdog has acted; the next write is carried out as ever."""

    def read_coils(self, address: int, count: int) -> int:
        return self._outputs(address - 16, count)

    def write_coils(self, address: int, count: int, bits: int) -> None:
        self._put(address - 16, count, bits)


class MoxaA(_Idle):
    """Outputs from coil 0 on, the watchdog's flag at coil 0x1030, which a write of 1 clears.

    While the flag is set the outputs stay at their safe values. Whether a real one then refuses a write or swallows it
    is not documented: this one swallows it, as that is what only a read-back finds. It has no pulse outputs.
    """

    FLAG = 0x1030

    def __init__(
        self, coils: int = 16, *, tell: Callable[[Change], None] | None = None, quiet: int = 0, idle_s: float = IDLE_S
    ) -> None:
        super().__init__(coils, tell=tell, quiet=quiet, idle_s=idle_s)
        self.tripped = False

    def _expired(self) -> None:
        self.tripped = True

    def read_coils(self, address: int, count: int) -> int:
        if (address, count) == (self.FLAG, 1):
            return int(self.tripped)
        return self._outputs(address, count)

    def write_coils(self, address: int, count: int, bits: int) -> None:
        if address == self.FLAG and count == 1:
            self.tripped &= not bits
        elif not self.tripped:
            self._put(address, count, bits)
