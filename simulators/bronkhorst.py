"""A Bronkhorst EL-FLOW mass-flow controller, propar protocol, as bytes.

Sources: 9.17.027 "RS232 interface" (protocol), 9.17.023 "Operational instructions for digital multibus instruments"
(parameters), the parameter list of the manufacturer's library. What an instrument answers to a secured parameter that
is still locked, and what it does with a set-point while its source is another one, is not in them: here it says "read
only", and takes the set-point without following it.
"""

from __future__ import annotations

from collections.abc import Callable

from simulators.alicat import FlowPlant
from simulators.propar import READ_ONLY, WRONG_VALUE, ProparPort, Refusal, Slot, Value

FULL, HIGHEST, LOWEST = 32000, 41942, -23593  # of measure: 100 %, 131 %, -74 %
UNITS = {  # cm³/min at 0 °C
    "mln/min": 1.0, "ln/min": 1000.0, "sccm": 1.0, "slm": 1000.0,
    "mls/min": 273.15 / 293.15, "ls/min": 1000.0 * 273.15 / 293.15,
}  # fmt: skip
LOCAL, UNLOCKED, LOCKED = 0x80, 64, 82
BUS, ANALOGUE, CLOSED, FULL_SCALE, PURGE, NOTHING, RS232, SAFE = 0, 1, 3, 7, 8, 12, 18, 22
DMFC = 7
FIRMWARE, MODEL = "V8.14", "F-201CV-100-AAD-00-V"
GAS_C = 21.9


class BronkhorstFace:
    """One controller on the plant's flow `name`; the plant's sccm are at 0 °C.

    `mode` is where the set-point comes from (0 bus, 1 analogue input, 18 RS232, 3 closed, 8 open …), `analogue` the
    input's share of full scale, `alarm` the alarm info byte, `kind` the device type. With node 128 it is alone at its
    cable and its number on a bus is `address`; with another it shares the line.
    """

    def __init__(
        self,
        plant: FlowPlant,
        name: str,
        *,
        full_scale_sccm: float,
        gas: str = "Ar",
        node: int = LOCAL,
        address: int = 3,
        unit: str = "mln/min",
    ) -> None:
        self._plant, self._name, self._full_sccm = plant, name, full_scale_sccm
        self.unit, self.fluid, self.fluid_set = unit, gas, 0
        self.setpoint, self.mode, self.analogue, self.slope = 0, BUS, 0.0, 0
        self.alarm, self.kind, self.user_tag, self.lock = 0, "DMFC", name.upper(), LOCKED
        self.address = node if node < LOCAL else address
        self.serial = f"M{15200000 + self.address}A"
        self.winks = 0
        self._now = 0.0
        self._port = ProparPort(self._table(), frozenset({node, self.address}), local=node == LOCAL)

    def hear(self, now_s: float, data: bytes) -> bytes:
        """Answer every message that `data` completes."""
        self._now = now_s
        return self._port.hear(data)

    def next_at(self) -> float | None:
        return None

    def speak(self, now_s: float) -> bytes:
        return b""

    def power_cycle(self, now_s: float) -> None:
        """Its power went off and on: the set-point is 0 and secured parameters are locked; the rest is kept."""
        self._now, self.setpoint, self.lock = now_s, 0, LOCKED
        self._move()

    # --- what it measures and does ---

    @property
    def capacity(self) -> float:
        """Full scale in the capacity unit."""
        return self._full_sccm / UNITS[self.unit]

    def switch(self, mode: int) -> None:
        """Let the set-point come from elsewhere, as somebody at a bus or a button does."""
        self.mode = mode
        self._move()

    def _share(self) -> float:
        """The flow as a share of full scale."""
        return self._plant.flow_sccm(self._name, self._now) / self._full_sccm

    def _measure(self) -> int:
        return min(max(round(self._share() * FULL), LOWEST), HIGHEST) & 0xFFFF

    def _move(self) -> None:
        """Give the valve its target."""
        fixed = {ANALOGUE: self.analogue, CLOSED: 0.0, NOTHING: 0.0, SAFE: 0.0, FULL_SCALE: 1.0, PURGE: HIGHEST / FULL}
        share = fixed.get(self.mode, self.setpoint / FULL)
        self._plant.set_flow(self._name, share * self._full_sccm, self._now)

    # --- what may be written ---

    def _put_setpoint(self, value: Value) -> None:
        self.setpoint = int(_within(value, 0, FULL))
        self._move()

    def _put_fsetpoint(self, value: Value) -> None:
        self._put_setpoint(round(float(value) / self.capacity * FULL))

    def _put_mode(self, value: Value) -> None:
        self.switch(int(_within(value, 0, 24)))

    def _put_fluid_set(self, value: Value) -> None:
        self.fluid_set = int(_within(value, 0, 0))  # one fluid is calibrated

    def _put_slope(self, value: Value) -> None:
        self.slope = int(_within(value, 0, 30000))

    def _put_lock(self, value: Value) -> None:
        if value not in (UNLOCKED, LOCKED):
            raise Refusal(WRONG_VALUE)
        self.lock = int(value)

    def _put_tag(self, value: Value) -> None:
        self.user_tag = str(value)[:16]

    def _put_wink(self, value: Value) -> None:
        self.winks += 1

    def _put_unit(self, value: Value) -> None:
        if value not in UNITS:
            raise Refusal(WRONG_VALUE)
        self.unit = str(value)

    def _put_capacity(self, value: Value) -> None:
        self._full_sccm = _within(value, 1e-9, 1e9) * UNITS[self.unit]

    def _put_fluid(self, value: Value) -> None:
        self.fluid = str(value)

    def _secured(self, put: Callable[[Value], None]) -> Callable[[Value], None]:
        """Only after init reset was set to 64."""

        def guarded(value: Value) -> None:
            if self.lock != UNLOCKED:
                raise Refusal(READ_ONLY)
            put(value)

        return guarded

    def _table(self) -> dict[tuple[int, int], Slot]:
        """Everything that can be asked for, by process and number."""
        return {
            (0, 0): Slot("string", lambda: f"{chr(DMFC)}  {self.serial}", self._put_wink),
            (0, 1): Slot("int8", lambda: self.address),
            (0, 2): Slot("int8", lambda: 0),
            (0, 3): Slot("int8", lambda: 0),
            (0, 10): Slot("int8", lambda: self.lock, self._put_lock),
            (0, 18): Slot("int8", lambda: 1),
            (1, 0): Slot("int16", self._measure),
            (1, 1): Slot("int16", lambda: self.setpoint, self._put_setpoint),
            (1, 2): Slot("int16", lambda: self.slope, self._put_slope),
            (1, 3): Slot("int16", lambda: round(self.analogue * FULL)),
            (1, 4): Slot("int8", lambda: self.mode, self._put_mode),
            (1, 13): Slot("float", lambda: self.capacity, self._secured(self._put_capacity)),
            (1, 16): Slot("int8", lambda: self.fluid_set, self._put_fluid_set),
            (1, 17): Slot("string", lambda: self.fluid, self._secured(self._put_fluid)),
            (1, 20): Slot("int8", lambda: self.alarm),
            (1, 31): Slot("string", lambda: self.unit, self._secured(self._put_unit)),
            (33, 0): Slot("float", lambda: self._share() * self.capacity),
            (33, 3): Slot("float", lambda: self.setpoint / FULL * self.capacity, self._put_fsetpoint),
            (33, 7): Slot("float", lambda: GAS_C),
            (33, 8): Slot("float", lambda: self._plant.supply_pa(self._now) / 100.0),
            (33, 22): Slot("float", lambda: 0.0),
            (113, 1): Slot("string", lambda: self.kind),
            (113, 2): Slot("string", lambda: MODEL),
            (113, 3): Slot("string", lambda: self.serial),
            (113, 4): Slot("string", lambda: ""),
            (113, 5): Slot("string", lambda: FIRMWARE),
            (113, 6): Slot("string", lambda: self.user_tag, self._put_tag),
            (113, 12): Slot("int8", lambda: DMFC),
        }


def _within(value: Value, low: float, high: float) -> float:
    number = float(value)
    if not low <= number <= high:
        raise Refusal(WRONG_VALUE)
    return number
