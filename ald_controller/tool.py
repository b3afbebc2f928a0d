"""The live tool: devices by role, polled; flow and valves as move-to-state verbs; and one way to safety."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ald_controller.aio import every, uncancellable
from ald_controller.chamber import Chamber, chamber_step
from ald_controller.config import ChamberState, DeviceConfig, LineConfig, end_of, pa_per_unit
from ald_controller.config import Tool as ToolFile
from ald_controller.heaters import SOURCE_CONTACTOR, Heaters
from ald_controller.interlocks import Quality, Sample
from ald_controller.presence import Absent, Health, accept_others, recognise
from ald_controller.quality import quality
from ald_controller.valves import wire
from ald_controller.valves.alone import what_closes
from drivers.base import Device, DeviceFault, DriverError, FlowController, Outputs, Reading, Refused
from drivers.catalogue import CATALOGUE
from drivers.turns import makes_safe
from drivers.valve_modules import MODULES

DEAD_AFTER = 3  # failed polls in a row
BELIEVED_S = 2.0  # a value older than this is none
PROBE_S = 10.0  # how often a dead device is asked whether it is back
SAFE_DEVICE_S = 1.5  # how long one device may take to confirm its safe state

GATE_LOCK = "gate lock"


class Valves(Protocol):
    """The valve engine's host as the tool sees it: the child process, or its twin on the loop's clock."""

    lateness: wire.Lateness | None

    @property
    def status(self) -> wire.Status | None: ...

    async def start(self, config: wire.EngineConfig) -> wire.Status: ...
    async def load(self, segment: wire.Segment) -> None: ...
    def beat(self, permit: int) -> None: ...
    def hold(self, why: str) -> None: ...
    def abort(self, why: str) -> None: ...
    def clear(self) -> None: ...
    def configure(self, config: wire.EngineConfig) -> None: ...
    def state(self, chamber: str) -> None: ...
    def aux(self, mask: int, bits: int) -> None: ...
    def trim(self, id: wire.SegmentId, *, last: bool = False) -> None: ...
    def events(self) -> Any: ...
    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Confirmed:
    """One line of a safe report: what was to be made safe, whether it said so, and after how long."""

    what: str
    ok: bool
    after_s: float
    detail: str = ""


OnReadings = Callable[[Mapping[str, Sample]], None]  # what came at once, by signal


class Tool:
    """One reactor, live. Raises nothing while polling: a device that fails grows old, and the interlocks see it."""

    def __init__(self, file: ToolFile, open_line: Callable[[str, LineConfig], Any], valves: Valves) -> None:
        self.file, self.config, self.valves = file, file.config, valves
        self._clock = asyncio.get_running_loop().time
        used = {d.line for d in file.devices.values()}
        self._lines = {name: open_line(name, line) for name, line in file.config.lines.items() if name in used}
        self.devices: dict[str, Any] = {name: self._build(d) for name, d in file.devices.items()}
        for device in file.devices.values():
            if device.pace_s:
                self._lines[device.line].paces_s[device.name] = device.pace_s
        self._pressure = self.config.signals.pressure
        self._pa_per_unit = pa_per_unit(self._pressure)
        self._second, self._delta = self.config.signals.atmosphere, self.config.signals.delta_p
        self._second_pa_per_unit = pa_per_unit(self._second) if self._second else 1.0
        self._delta_pa_per_unit = pa_per_unit(self._delta) if self._delta else 1.0
        end_pa = end_of(self.config, self._pressure) * self._pa_per_unit  # at its end a gauge proves nothing
        self._vacuum_pa = min(self.config.limits.vacuum, end_pa)
        self._temperature = {name: f"{zone.device}.temperature_c" for name, zone in self.config.zones.items()}
        self.samples: dict[str, Sample] = {}
        self.chamber = Chamber()
        self.pumping = False
        self.on_readings: OnReadings | None = None
        self.on_pressure: Callable[[Sample], None] | None = None  # every reading of the gauge for decisions
        self._health = {name: Health() for name in file.devices}
        self._counts = {name: self._lines[device.line].counts for name, device in file.devices.items()}
        self._misplaced = {name: self._lines[device.line].misplaced for name, device in file.devices.items()}
        self._signals = {name: _Signals(name) for name in file.devices}
        couplers, self._locks = _with_output(file, SOURCE_CONTACTOR), _with_output(file, GATE_LOCK)
        self._switching = frozenset((*couplers, *self._locks))  # devices with an output that polls look after
        self.heaters = Heaters(self.config, self.devices, valves, couplers, self.temperature_c, self._clock)
        self._lock_wanted = self._lock_told = False  # whether the gate's lock is energised, which releases it
        self.asked_sccm: dict[str, float] = {}  # what each flow controller was last told, and confirmed
        self._isolate = False  # an interlock wants the chamber isolated, whatever it is open to
        rest, stop = self.config.valves.rest, self.config.valves.mask("stop")
        self._shut_in = {state: bool(self.config.valves.word(names) & stop) for state, names in rest.items()}
        self._rests_as: ChamberState = self.chamber.state
        self._waiting_sccm: dict[str, float] = {}  # flows that are cut while the chamber is isolated
        self._free = {line: asyncio.Event() for line in used}  # lines that are not busy being made safe
        for free in self._free.values():
            free.set()

    def _build(self, device: DeviceConfig) -> Any:
        return CATALOGUE[device.driver].driver(device.name, self._lines[device.line], device.settings)

    # --- presence --------------------------------------------------------------------------------------------------

    @property
    def absent(self) -> list[Absent]:
        return [Absent(name, h.error) for name, h in self._health.items() if not h.present]

    def look_again(self) -> None:
        """An operator's reset: a device whose output watchdog has acted is identified, and so armed, anew."""
        for name, health in self._health.items():
            trips = self.samples.get(f"{name}.watchdog_trips")
            if trips is not None and trips.value > 0:
                health.present, health.error = False, "its output watchdog has acted; it is being armed anew"

    def accept_others(self) -> str:
        """An operator's reset: whoever answers instead of a device known before is the one meant; "" = nobody does."""
        return accept_others(self._health)

    async def poll_forever(self) -> None:
        """One task per device; ends only by cancellation."""
        async with asyncio.TaskGroup() as group:
            for name, device in self.file.devices.items():
                group.create_task(self._poll_device(name, device.poll_s), name=f"poll {name}")

    async def _poll_device(self, name: str, period_s: float) -> None:
        health, free = self._health[name], self._free[self.file.devices[name].line]
        async for _ in every(period_s):
            if not free.is_set():
                await free.wait()
            if health.failures >= DEAD_AFTER and self._clock() < health.probe_at_s:
                continue
            try:
                await self._turn(name, health)
            except DeviceFault as fault:
                self._disown(name, health, fault, self._clock())
            except DriverError as error:
                self._failed(health, error, self._clock())
            else:
                health.failures = 0

    async def _turn(self, name: str, health: Health) -> None:
        device: Device = self.devices[name]
        if health.other is not None:
            raise DeviceFault(name, health.instead)
        losses = 0 if name in self._switching else self._counts[name].lost
        if not health.present or losses != health.losses:  # identifying a coupler would switch its outputs off
            recognise(name, health, await device.identify())
            health.losses = losses
            self._lock_told = self._lock_told and name not in self._locks  # its outputs are off now
            health.present, health.error = True, ""
        readings = await device.poll()
        self._take(name, readings)
        if "setpoint_sccm" in readings:
            await self._keep_shut(name, readings["setpoint_sccm"].value)
        if name in self.heaters.zone_of:
            await self.heaters.refresh(name)
        if name in self._switching:
            await self._keep_gate(name)
            await self.heaters.keep_sources_cut(name)

    def _disown(self, name: str, health: Health, fault: DeviceFault, now_s: float) -> None:
        """The device answers and says that it is broken: none of its values can be believed from now on."""
        health.failures, health.present, health.error = 0, False, str(fault)
        for signal, sample in self.samples.items():
            if signal.startswith(f"{name}."):
                self.samples[signal] = Sample(sample.value, now_s, Quality.BAD)

    def _failed(self, health: Health, error: DriverError, now_s: float) -> None:
        health.failures += 1
        health.error = str(error)
        if health.failures >= DEAD_AFTER:
            health.present = False
            health.probe_at_s = now_s + PROBE_S

    def _take(self, name: str, readings: dict[str, Reading]) -> None:
        signals = self._signals[name]
        taken = {signals[channel]: Sample(r.value, r.at_s, quality(r)) for channel, r in readings.items()}
        self.samples.update(taken)
        if self.on_readings is not None:
            self.on_readings(taken)
        if self.on_pressure is not None and self._pressure in taken:
            self.on_pressure(taken[self._pressure])

    # --- what interlocks and screens read --------------------------------------------------------------------------

    def good(self, signal: str | None) -> float | None:
        """The value of a signal, or None when it is absent, bad or older than `BELIEVED_S`."""
        sample = self.samples.get(signal or "")
        if sample is None or sample.quality not in _BELIEVED:
            return None
        return None if self._clock() - sample.at_s > BELIEVED_S else sample.value

    def temperature_c(self, zone: str) -> float | None:
        return self.good(self._temperature[zone])

    def pressure_pa(self) -> float | None:
        """The pressure for decisions: the capacitance gauge, in Pa."""
        value = self.good(self._pressure)
        return None if value is None else value * self._pa_per_unit

    def second_pa(self) -> float | None:
        """What the gauge that reads up to atmosphere says, in Pa; None for a tool without one."""
        value = self.good(self._second)
        return None if value is None else value * self._second_pa_per_unit

    def follow_chamber(self, now_s: float, gate_proven_shut: bool) -> None:
        """Bring the chamber state up to date and tell the valve engine where to rest."""
        self.chamber = chamber_step(
            self.chamber, gate_proven_shut=gate_proven_shut, pressure_pa=self.pressure_pa(),
            vacuum_pa=self._vacuum_pa, pumping=self.pumping, now_s=now_s, at_box=self._open_to_box(),
            second_pa=self.second_pa(),
        )  # fmt: skip
        self._rest()

    def _open_to_box(self) -> bool:
        """The gate is seen open and chamber and box are at one pressure."""
        if self.good(self.config.signals.gate_shut) != 0:
            return False
        delta = self.good(self._delta)
        return delta is not None and abs(delta * self._delta_pa_per_unit) <= self.config.limits.gate_delta_p

    def isolate(self, wanted: bool) -> None:
        """Rest as in a chamber of unknown state: stop valve shut, nothing flowing, for as long as it is wanted."""
        self._isolate = wanted
        self._rest()

    def _rest(self) -> None:
        """Tell the valve engine when it has to rest in another word."""
        rests_as: ChamberState = "UNKNOWN" if self._isolate else self.chamber.state
        if rests_as != self._rests_as:
            self._rests_as = rests_as
            self.valves.state(rests_as)

    # --- verbs -----------------------------------------------------------------------------------------------------

    async def set_flow(self, device: str, sccm: float) -> None:
        """Move one flow controller to a set-point in sccm, read back. Raises DriverError.

        While the chamber is isolated nothing may flow into it: the set-point then waits for the pump path.
        """
        controller: FlowController = self.devices[device]
        if self.isolated:
            self._waiting_sccm[device] = sccm
            sccm = 0.0
        else:
            self._waiting_sccm.pop(device, None)
        await controller.set_flow(sccm)
        self.asked_sccm[device] = sccm

    @property
    def isolated(self) -> bool:
        """Whether the valves rest with the stop valve shut, by what the chamber is open to."""
        return self._shut_in[self._rests_as]

    async def _keep_shut(self, device: str, setpoint_sccm: float) -> None:
        """Argon against a shut stop valve fills the chamber in minutes: what flowed is cut, and comes back after it."""
        if self.isolated:
            if setpoint_sccm > 0:
                await self.set_flow(device, setpoint_sccm)
        elif device in self._waiting_sccm:
            await self.set_flow(device, self._waiting_sccm[device])

    # --- the gate --------------------------------------------------------------------------------------------------

    def release_gate(self, wanted: bool) -> None:
        """Have the gate's lock released, or locked, from the next poll of its coupler on; its contact tells whether."""
        self._lock_wanted = wanted

    async def _keep_gate(self, device: str) -> None:
        """Write the lock where it is not as it is wanted; a coupler that refuses has dropped it by itself."""
        if self._lock_wanted == self._lock_told or device not in self._locks:
            return
        with contextlib.suppress(Refused, DeviceFault):
            wanted = self._lock_wanted
            await self.devices[device].set_output(GATE_LOCK, wanted)
            self._lock_told = wanted

    # --- the one way to safety -------------------------------------------------------------------------------------

    async def safe(self, why: str, *, purge: bool) -> list[Confirmed]:
        """Valves first, then polls pause so that buses are free, then every device at once; cannot be cancelled.

        `purge` keeps the carrier at purge flow and the pump path open; otherwise the chamber is isolated and the
        carrier shut. Lithium-contact zones and sources go off; lines follow their sources down. Returns who
        confirmed, in at most two seconds.
        """
        return await uncancellable(self._safe(why, purge))

    async def _safe(self, why: str, purge: bool) -> list[Confirmed]:
        valves = self._shut_valves(why)
        self.heaters.let_go(uncommanded=not purge)
        self._waiting_sccm.clear()
        confirmed = await asyncio.gather(*(self._line_safe(line, purge) for line in self._free))
        return [valves or self._valves_confirmed(), *(one for line in confirmed for one in line)]

    async def _line_safe(self, line: str, purge: bool) -> list[Confirmed]:
        """One line's devices; its polls wait so long and no other line's, whose readings would grow old for nothing."""
        names = [name for name, device in self.file.devices.items() if device.line == line]
        self._free[line].clear()
        try:
            with makes_safe():
                return await asyncio.gather(*(self._confirm(name, self._safe_act(name, purge)) for name in names))
        finally:
            self._free[line].set()

    def _shut_valves(self, why: str) -> Confirmed | None:
        """Ask for it before anything else; a dead valve process is a line of the report, never the end of it."""
        try:
            self.valves.abort(why)
        except wire.ValveError as error:
            return Confirmed("valves", False, 0.0, f"{error}; {self._what_closes}")
        return None

    def _valves_confirmed(self) -> Confirmed:
        status = self.valves.status
        shut = status is not None and status.connected and not status.word & self.config.source_mask
        return Confirmed("valves", shut, 0.0, "" if shut else f"the module has not confirmed; {self._what_closes}")

    @property
    def _what_closes(self) -> str:
        return what_closes(armed=MODULES[self.config.valves.driver].armed)

    async def _safe_act(self, name: str, purge: bool) -> None:
        if name == self.config.carrier and purge:
            await self.set_flow(name, self.config.purge_flow)
        elif self.heaters.follows_down(name):
            await self.heaters.refresh(name)
        elif hasattr(self.file.devices[name].settings, "outputs"):
            await self._outputs_off(name)
        else:
            await self.devices[name].safe()
            if name in self.asked_sccm:
                self.asked_sccm[name] = 0.0  # what nobody asks for any more is not missed either (row C7)

    async def _outputs_off(self, name: str) -> None:
        """Everything off but the power of lines that still have a hot source behind them."""
        keep = self.heaters.lines_need_power
        outputs: Outputs = self.devices[name]
        for output in self.file.devices[name].settings.outputs:
            if not (keep and output.name == SOURCE_CONTACTOR):
                await outputs.set_output(output.name, False)
                self._lock_told = self._lock_told and output.name != GATE_LOCK

    async def _confirm(self, name: str, act: Awaitable[None]) -> Confirmed:
        start_s = self._clock()
        try:
            async with asyncio.timeout(SAFE_DEVICE_S):
                await act
        except (DriverError, TimeoutError) as error:
            return Confirmed(name, False, self._clock() - start_s, str(error) or f"no answer in {SAFE_DEVICE_S} s")
        return Confirmed(name, True, self._clock() - start_s)

    def misplaced(self) -> dict[str, int]:
        """By device: how many replies were no answer to what was asked, since the start."""
        return {name: counted.get(name, 0) for name, counted in self._misplaced.items()}

    @property
    def transactions(self) -> int:
        """Requests on all lines since the start."""
        return sum(line.counts.asked for line in self._lines.values())

    async def close(self) -> None:
        """End the valve host and close every line."""
        await self.valves.close()
        for line in self._lines.values():
            await line.close()


class _Signals(dict[str, str]):
    """The signals of one device by channel, named when a channel first comes."""

    def __init__(self, device: str) -> None:
        super().__init__()
        self._device = device

    def __missing__(self, channel: str) -> str:
        signal = self[channel] = f"{self._device}.{channel}"
        return signal


def _with_output(file: ToolFile, output: str) -> tuple[str, ...]:
    """The devices that have an output of this name."""
    with_outputs = ((name, getattr(device.settings, "outputs", ())) for name, device in file.devices.items())
    return tuple(name for name, outputs in with_outputs if any(one.name == output for one in outputs))


_BELIEVED = (Quality.GOOD, Quality.UNCERTAIN)
