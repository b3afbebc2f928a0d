"""Coupler A of the simulated tool: a Beckhoff BK9050 with the coils of the valve word and a watchdog of its own.

Source of the registers: Beckhoff's documentation of the BK9000 family's Modbus interface.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from simulators.modbus_server import DEVICE_FAILURE, ILLEGAL_ADDRESS, ModbusException, RegisterMap
from simulators.valve_module import Change, ValveModule

_ANY_TELEGRAM = 1
_RESTART = [0xBECF, 0xAFFE]


class CouplerA(ValveModule):
    """The module: coils from 0, watchdog in registers 0x1020 ff. Times are monotonic seconds.

    The watchdog (1000 ms and fed by any telegram until told otherwise) starts with the first write telegram. When it
    expires all outputs fall to 0, register 0x1021 counts, and outputs stay off until 0xBECF, 0xAFFE are written to
    0x1121. What a real module answers to a coil write in that state is not documented: this one refuses it with
    exception 04, and a restart brings no old output back.
    """

    functions = frozenset({1, 2, 3, 4, 5, 6, 15, 16, 23})

    def __init__(self, coils: int = 16, *, tell: Callable[[Change], None] | None = None, quiet: int = 0) -> None:
        super().__init__(coils, tell=tell, quiet=quiet)
        self.trips, self.tripped = 0, False
        self._watchdog_ms, self._kind, self._mode = 1000, _ANY_TELEGRAM, 0
        self._restart: list[int] = []
        self._map = self._registers()

    def _registers(self) -> RegisterMap:
        read: dict[int, Callable[[], int]] = {
            0x1010: lambda: 0,
            0x1011: lambda: 0,
            0x1012: lambda: self.coils,
            0x1013: lambda: 0,
            0x1020: self._left_ms,
            0x1021: lambda: self.trips,
            0x1120: lambda: self._watchdog_ms,
            0x1121: lambda: 0,
            0x1122: lambda: self._kind,
            0x1123: lambda: self._mode,
        }
        write: dict[int, Callable[[int], None]] = {
            0x1120: self._set_time,
            0x1121: self._reset,
            0x1122: self._set_kind,
            0x1123: self._set_mode,
        }
        return RegisterMap(read, write)

    def _expired(self) -> None:
        self.trips, self.tripped = (self.trips + 1) & 0xFFFF, True

    # --- outputs ---------------------------------------------------------------------------------------------------

    def _feed(self, *, by_write: bool) -> None:
        runs = self._expires_s is not None
        starts = by_write and not self.tripped and self._watchdog_ms > 0
        if starts or (runs and self._kind == _ANY_TELEGRAM):
            self._expires_s = self._now_s + self._watchdog_ms / 1000

    def read_coils(self, address: int, count: int) -> int:
        self._feed(by_write=False)
        return self._outputs(address, count)

    def read_discretes(self, address: int, count: int) -> int:
        raise ModbusException(ILLEGAL_ADDRESS)  # there is no input terminal

    def write_coils(self, address: int, count: int, bits: int) -> None:
        if address + count > self.coils:
            raise ModbusException(ILLEGAL_ADDRESS)
        if self.tripped:
            raise ModbusException(DEVICE_FAILURE)
        self._feed(by_write=True)
        self._put(address, count, bits)

    # --- registers -------------------------------------------------------------------------------------------------

    def read_holding(self, address: int, count: int) -> Sequence[int]:
        self._feed(by_write=False)
        return self._map.read(address, count)

    def read_input(self, address: int, count: int) -> Sequence[int]:
        return self.read_holding(address, count)

    def write_registers(self, address: int, values: Sequence[int]) -> None:
        self._map.write(address, values)

    def _left_ms(self) -> int:
        return 0 if self._expires_s is None else max(0, round((self._expires_s - self._now_s) * 1000))

    def _set_time(self, value: int) -> None:
        self._watchdog_ms = value
        if value == 0:
            self._expires_s = None

    def _set_kind(self, value: int) -> None:
        self._kind = value

    def _set_mode(self, value: int) -> None:
        self._mode = value

    def _reset(self, value: int) -> None:
        self._restart = [*self._restart[-1:], value]
        if self._restart == _RESTART:
            self.tripped = False
