"""Coupler A as a WAGO 750-352 with 16 digital outputs, and its watchdogs as the manual and an owner describe them.

Sources: WAGO's manuals of the 750-352, 750-880 and 750-882, and public notes of what a 750-352 answered: exception 04
to process data once the watchdog has expired, exception 03 to a trigger value that stands there already.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from simulators.modbus_server import DEVICE_FAILURE, ILLEGAL_ADDRESS, ILLEGAL_VALUE, ModbusException, RegisterMap
from simulators.valve_module import Change, ValveModule

Starter = Literal["trigger", "mask"]
_STOPPED, _RUNNING, _EXPIRED = 0, 1, 2
_ALIAS = 0x0200  # where outputs are read back, and may be written as well
_STEP_S = 0.1


class WagoA(ValveModule):
    """The module: outputs from coil 0 (read back from 0x0200), watchdog registers 0x1000 to 0x100A.

    `starters` are the registers that start a stopped watchdog: the manuals say "trigger", another wording and clients
    say "mask"; state 0x1006 tells. Not documented, and chosen here: writing time or masks while the watchdog runs is
    refused with exception 03, and nothing brings an old output back. Not simulated: 0x1007, 0x1009, 0x100B.
    """

    functions = frozenset({1, 2, 3, 4, 5, 6, 15, 16, 23})

    def __init__(
        self, coils: int = 16, *, tell: Callable[[Change], None] | None = None, quiet: int = 0,
        starters: frozenset[Starter] = frozenset({"trigger", "mask"}), alternative: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(coils, tell=tell, quiet=quiet)
        self.state, self.trigger, self.alternative = _STOPPED, 0, int(alternative)
        self.time, self.masks = 100, [0xFFFF, 0xFFFF]
        self._starters = starters
        self._shortest, self._stopping = 0xFFFF, 0
        self._map = self._registers()

    def _registers(self) -> RegisterMap:
        read: dict[int, Callable[[], int]] = {
            0x1000: lambda: self.time,
            0x1001: lambda: self.masks[0],
            0x1002: lambda: self.masks[1],
            0x1003: lambda: self.trigger,
            0x1004: lambda: self._shortest,
            0x1005: lambda: 0,
            0x1006: lambda: self.state,
            0x1008: lambda: 0,
            0x100A: lambda: self.alternative,
        }
        write: dict[int, Callable[[int], None]] = {
            0x1000: self._set_time,
            0x1001: self._set_mask,
            0x1002: self._set_other_mask,
            0x1003: self._set_trigger,
            0x1005: self._stop_in_two,
            0x1008: self._stop_at_once,
            0x100A: self._set_alternative,
        }
        return RegisterMap(read, write)

    # --- the watchdog ------------------------------------------------------------------------------------------------

    def _expired(self) -> None:
        self.state, self._shortest = _EXPIRED, 0

    def answered(self, function: int, *, done: bool) -> None:
        """Every telegram that was carried out feeds the watchdog if its function code counts."""
        if self.alternative:
            self._run()  # any request, also after it has expired
        elif done and self.state == _RUNNING and self._counts(function):
            self._run()

    def _counts(self, function: int) -> bool:
        low, high = self.masks
        return bool((low | high << 16) >> (function - 1) & 1)

    def _run(self) -> None:
        """Start the timer, or start it anew."""
        if self.state == _RUNNING and self._expires_s is not None:
            self._shortest = min(self._shortest, int((self._expires_s - self._now_s) / _STEP_S))
        if self.time:
            self.state, self._expires_s = _RUNNING, self._now_s + self.time * _STEP_S

    def _stop(self) -> None:
        self.state, self._expires_s = _STOPPED, None

    # --- registers ---------------------------------------------------------------------------------------------------

    def read_holding(self, address: int, count: int) -> Sequence[int]:
        return self._map.read(address, count)

    def read_input(self, address: int, count: int) -> Sequence[int]:
        return self.read_holding(address, count)

    def write_registers(self, address: int, values: Sequence[int]) -> None:
        self._map.write(address, values)

    def _refuse_unless_stopped(self) -> None:
        if self.state != _STOPPED:
            raise ModbusException(ILLEGAL_VALUE)

    def _set_time(self, value: int) -> None:
        self._refuse_unless_stopped()
        self.time = value

    def _set_mask(self, value: int) -> None:
        self._refuse_unless_stopped()
        self.masks[0] = value
        if value and "mask" in self._starters:
            self._run()

    def _set_other_mask(self, value: int) -> None:
        self._refuse_unless_stopped()
        self.masks[1] = value

    def _set_trigger(self, value: int) -> None:
        if value == self.trigger:
            raise ModbusException(ILLEGAL_VALUE)
        self.trigger = value
        if self.state != _STOPPED or (value and "trigger" in self._starters):
            self._run()

    def _stop_in_two(self, value: int) -> None:
        if (self._stopping, value) == (0xAAAA, 0x5555):
            self._stop()
        self._stopping = value

    def _stop_at_once(self, value: int) -> None:
        if value in (0xAA55, 0x55AA):
            self._stop()

    def _set_alternative(self, value: int) -> None:
        self.alternative = value

    # --- process data ------------------------------------------------------------------------------------------------

    def _refuse_if_expired(self) -> None:
        if self.state == _EXPIRED and not self.alternative:
            raise ModbusException(DEVICE_FAILURE)

    def read_coils(self, address: int, count: int) -> int:
        self._refuse_if_expired()
        return self._outputs(address - _ALIAS, count)  # below it lie inputs, and there is no input terminal

    def read_discretes(self, address: int, count: int) -> int:
        return self.read_coils(address, count)

    def write_coils(self, address: int, count: int, bits: int) -> None:
        self._refuse_if_expired()
        if address >= 2 * _ALIAS:
            raise ModbusException(ILLEGAL_ADDRESS)
        self._put(address % _ALIAS, count, bits)
