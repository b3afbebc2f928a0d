"""T1 to T8: what is too hot, what heats without being seen, and which sensor cannot be believed.

| sample              | value                                                          |
| DEVICE.temperature_c, the zone's `second` | its sensors                              |
| DEVICE.output_percent                     | the power that its instrument gives      |
| asked.ZONE_c        | the set-point that its instrument is sent now; -273.15 = off   |
| asked.contactor     | 1 while the valve word holds the lithium zones' contactor shut |
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log

from ald_controller.commissioned import Heater
from ald_controller.config import Zone
from ald_controller.interlocks.measures import Input, Measure, NotSet, Value
from ald_controller.interlocks.setting import Setting, always, device_of, lithium
from ald_controller.interlocks.table import Blocks, Check, Level, Reaction, Reset
from ald_controller.interlocks.thermal_measures import Apart, Blind, Cold, Frozen, Hottest, Jump, Uncommissioned
from ald_controller.interlocks.thermal_power import WARMING_S, Above, Behind, Steep, Unheated, Warming
from ald_controller.interlocks.thermal_trip import trip_for

TEMPERATURE_C = (-20.0, 400.0)  # outside of it a thermocouple or its terminal is broken
ASKED_C = (-274.0, 1000.0)
READ_S = 2.0  # the greatest age of a temperature
AGREE_K = 10.0  # two sensors of one zone further apart than this do not confirm each other
LOST_S = 60.0  # as long as one sensor of two may be lost before the run is
JUMP_K = 5.0
BEHIND_K_S = 120.0
STILL_S = 60.0
APART_WARN_K, APART_TRIP_K = 5.0, 10.0
WARMING_K_PER_MIN, WELDED_S = 2.0, 30.0
OVER_WARN_K, OVER_TRIP_K = 5.0, 15.0
STEEP_WARN_K_S, STEEP_TRIP_K_S = 10.0 / 60.0, 1.0
HOTTER_K, HOT_S, COLD_S = 10.0, 5.0, 60.0  # T8: how far above its maximum an abort is, and how long it takes to count

LITHIUM_ROLES = ("substrate", "chamber")
# Heat comes to a zone of this role from zones of those, too.
_NEIGHBOURS = {
    "substrate": ("substrate", "chamber"),
    "chamber": ("substrate", "chamber"),
    "source": ("line",),
    "line": ("source", "line", "chamber"),
}


def thermal(setting: Setting) -> list[Check]:
    """Every row of every heated zone; those of one zone in the order in which one of them explains the next."""
    zones = setting.config.zones
    return [*_limit_controller(setting), *(check for name in zones for check in _Zone(setting, name).checks())]


def _limit_controller(setting: Setting) -> list[Check]:
    signal = setting.config.signals.limit_controller
    if signal is None:
        return []
    level = Level("T1", Reaction.ABORT_PURGE, 1, 0, Reset.L3, always)
    says = "the hardware limit controller has opened the heaters' contactors"
    source = Input(signal, 0, 1)
    return [Check(signal, NotSet(source), (level,), 1, "T1", says=says, device=device_of(signal))]


@dataclass(frozen=True, slots=True)
class _Zone:
    """The rows of one zone of a reactor."""

    setting: Setting
    name: str

    @property
    def zone(self) -> Zone:
        return self.setting.config.zones[self.name]

    @property
    def heater(self) -> Heater | None:
        return self.setting.constants.heaters.get(self.name)

    @property
    def touches_lithium(self) -> bool:
        return self.zone.role in LITHIUM_ROLES

    @property
    def control(self) -> Input:
        return _temperature(f"{self.zone.device}.temperature_c")

    @property
    def sensors(self) -> tuple[Input, ...]:
        return (self.control, *([_temperature(self.zone.second)] if self.zone.second else []))

    @property
    def duty(self) -> Input:
        return Input(f"{self.zone.device}.output_percent", 0, 100, READ_S)

    @property
    def asked(self) -> Input:
        return Input(f"asked.{self.name}_c", *ASKED_C)

    def checks(self) -> list[Check]:
        own = [*self._too_hot(), *self._blind(), *self._jumps(), *self._power()]
        return [*own, *self._still(), *self._apart(), *self._over()]

    def _check(self, name: str, measure: Measure, levels: tuple[Level, ...], says: str, unit: str = "K") -> Check:
        """A check of this zone that says nothing of its own of an input that cannot be believed: T7 does."""
        row = levels[0].row
        device = self.zone.device
        return Check(name, measure, levels, None, row, unit=unit, says=says, zone=self.name, device=device)

    # --- T1 and T8: too hot, too cold ---

    def _too_hot(self) -> list[Check]:
        return self._lithium_limit() if self.touches_lithium else self._precursor_limit()

    def _lithium_limit(self) -> list[Check]:
        limits, trip = self.setting.config.limits, trip_for(self.setting.config.limits.lithium_trip, self.heater)
        warn_clear = (limits.lithium_warn + limits.lithium_clear) / 2  # the clamp never reaches the trip's clear value
        levels = (
            Level("T1", Reaction.WARN, limits.lithium_warn, warn_clear, Reset.AUTO, lithium, persist_s=2),
            Level("T1", Reaction.ABORT_PURGE, trip.at_c, limits.lithium_clear, Reset.L2, lithium),
        )
        more_k = self.heater.hottest_k if self.heater else 0.0
        says = "{name} is at {number:.4g} {unit}, the limit is {limit:g} {unit}"
        out = [self._check(self.name, Hottest(self.sensors, more_k), levels, says, "°C")]
        if trip.refused:
            no_start = Level("T1", Reaction.BLOCK, 1, 0, Reset.AUTO, always, blocks=Blocks.START)
            out.append(
                self._check(f"heater of {self.name}", Uncommissioned(), (no_start,), f"{{name}}: {trip.refused}")
            )
        return out

    def _precursor_limit(self) -> list[Check]:
        hung = [bottle for port, bottle in self.setting.bottles.items() if self._heats(port)]
        most_c = min([self.zone.limit, *(b.max_c for b in hung if b.max_c is not None)])
        some = Blocks.PULSE | Blocks.START
        hot = (
            Level("T8", Reaction.BLOCK, most_c, most_c - 1, Reset.AUTO, always, HOT_S, some, fixed=True),
            Level("T8", Reaction.ABORT_PURGE, most_c + HOTTER_K, most_c, Reset.L1, always, fixed=True),
        )
        says = "{name} is at {number:.4g} {unit}, its limit is {limit:g} {unit}"
        out = [self._check(self.name, Value(self.control), hot, says, "°C")]
        for least_c in [b.min_c for b in hung if b.min_c is not None]:
            cold = Level("T8", Reaction.BLOCK, 0, -1, Reset.AUTO, always, COLD_S, some)
            says = f"{{name}} is {{number:.3g}} K below the {least_c:g} °C that its bottle needs"
            out.append(self._check(self.name, Cold(self.control, least_c), (cold,), says))
        return out

    def _heats(self, port: str) -> bool:
        ports = self.setting.config.ports
        return port in ports and ports[port].zone == self.name

    # --- T7: not seen ---

    def _blind(self) -> list[Check]:
        """Lithium without any sensor aborts at once; one lost sensor of two, or any of a source, holds."""
        hold = Level("T7", Reaction.HOLD, 1, 0, Reset.L1, always)
        late = Level("T7", Reaction.ABORT_PURGE, 1, 0, Reset.L1, always, persist_s=LOST_S)
        levels = (hold, late, Level("T7", Reaction.ABORT_PURGE, 2, 0, Reset.L1, always))
        measure = Blind(self.sensors, self.duty, AGREE_K)
        acting = levels if self.touches_lithium else (hold,)
        return [self._check(self.name, measure, acting, "{name} is not seen", "sensors lost")]

    # --- T2: the heater does not do what it should ---

    def _jumps(self) -> list[Check]:
        abort = Level("T2", Reaction.ABORT_PURGE, JUMP_K, JUMP_K - 1, Reset.L1, always)
        hold = Level("T2", Reaction.HOLD, JUMP_K, JUMP_K - 1, Reset.L1, always)
        late = Level("T2", Reaction.ABORT_PURGE, JUMP_K, JUMP_K - 1, Reset.L1, always, persist_s=LOST_S)
        out = []
        for sensor in self.sensors:
            witness = next((one for one in self.sensors if one != sensor), None)
            levels = (hold, late) if witness else (abort,)
            says = "{name} jumped by {number:.3g} {unit} within a second, {limit:g} {unit} is the limit"
            out.append(self._check(sensor.signal, Jump(sensor, witness, JUMP_K, AGREE_K), levels, says))
        return out

    def _power(self) -> list[Check]:
        """T2 and T5: power without heat, heat without power."""
        slope = self.heater.slope_k_per_s if self.heater else None
        behind = Level("T2", Reaction.ABORT_PURGE, BEHIND_K_S, BEHIND_K_S / 2, Reset.L1, always)
        unheated = Level("T2", Reaction.ABORT_PURGE, 0, -0.5, Reset.L1, always)
        welded = Level("T5", Reaction.ABORT_PURGE, WARMING_K_PER_MIN, 1, Reset.L2, always, self._welded_s())
        contactor = Input("asked.contactor", 0, 1) if self.touches_lithium else None
        warming = Warming(self.control, self.duty, contactor, self._neighbours())
        little = "{name} rose {number:.2g} {unit} less in a minute than a third of what was commissioned"
        return [
            self._check(
                self.name, Behind(self.control, self.asked, slope), (behind,),
                "{name} has been below its set-point and not rising for {number:.0f} {unit}, the limit is {limit:g}",
                "K s",
            ),
            self._check(f"{self.name} at full power", Unheated(self.control, self.duty, slope), (unheated,), little),
            self._check(self.name, warming, (welded,), "{name} rises by {number:.2g} {unit} without power", "K/min"),
        ]  # fmt: skip

    def _neighbours(self) -> tuple[Input, ...]:
        others = self.setting.config.zones_of(*_NEIGHBOURS[self.zone.role])
        return tuple(_temperature(f"{z.device}.temperature_c") for n, z in others.items() if n != self.name)

    def _welded_s(self) -> float:
        """How long heat without power must last: longer than a sensor that lags still rises after full power."""
        if self.heater is None:
            return WELDED_S - WARMING_S
        rest_k = _steepest(self.heater) * self.heater.lag_s * (exp(WARMING_S / self.heater.lag_s) - 1.0)
        least_k = WARMING_K_PER_MIN * WARMING_S / 60.0
        return max(WELDED_S, self.heater.lag_s * log(max(rest_k / least_k, 1.0)) + WARMING_S) - WARMING_S

    # --- T3, T4 and T6: still, apart, over ---

    def _still(self) -> list[Check]:
        level = Level("T3", Reaction.WARN, STILL_S, STILL_S / 2, Reset.AUTO, always)
        says = "{name} has not changed for {number:.0f} {unit} although its power has"
        return [self._check(s.signal, Frozen(s, self.duty), (level,), says, "s") for s in self.sensors]

    def _apart(self) -> list[Check]:
        if self.zone.second is None:
            return []
        levels = (
            Level("T4", Reaction.WARN, APART_WARN_K, APART_WARN_K - 1, Reset.AUTO, always, persist_s=60),
            Level("T4", Reaction.ABORT_PURGE, APART_TRIP_K, APART_WARN_K, Reset.L2, always, persist_s=10),
        )
        says = "the sensors of {name} are {number:.3g} {unit} from what was commissioned, {limit:g} {unit} is the limit"
        measure = Apart(self.control, _temperature(self.zone.second), *_lag(self.heater))
        return [self._check(self.name, measure, levels, says)]

    def _over(self) -> list[Check]:
        over = (
            Level("T6", Reaction.WARN, OVER_WARN_K, OVER_WARN_K - 1, Reset.AUTO, always),
            Level("T6", Reaction.HOLD, OVER_TRIP_K, OVER_WARN_K, Reset.L1, always),
        )
        steep = (
            Level("T6", Reaction.WARN, STEEP_WARN_K_S, STEEP_WARN_K_S / 2, Reset.AUTO, always, persist_s=2),
            Level("T6", Reaction.HOLD, STEEP_TRIP_K_S, STEEP_WARN_K_S, Reset.L1, always),
        )
        rises = "{name} rises by {number:.3g} {unit} above its set-point, {limit:.2g} {unit} is the limit"
        return [
            self._check(self.name, Above(self.control, self.asked), over,
                        "{name} rises, {number:.3g} {unit} above its set-point, {limit:g} {unit} is the limit"),
            self._check(f"slope of {self.name}", Steep(self.control, self.asked), steep, rises, "K/s"),
        ]  # fmt: skip


def _steepest(heater: Heater) -> float:
    """The steepest commissioned slope in K/s."""
    return max(slope for _, slope in heater.slope_k_per_s)


def _lag(heater: Heater | None) -> tuple[float, float, float]:
    """How a second sensor differs as commissioned: K more, s later, and the K that full power makes of that lag."""
    if heater is None:
        return 0.0, 0.0, 0.0
    return heater.second_k, heater.second_later_s, abs(heater.second_later_s) * _steepest(heater)


def _temperature(signal: str) -> Input:
    return Input(signal, *TEMPERATURE_C, max_age_s=READ_S)


def thermal_absent(setting: Setting) -> list[str]:
    """One sentence per row, or part of a row, whose input this tool does not have."""
    config = setting.config
    zones = config.zones_of(*LITHIUM_ROLES)
    out = [] if zones else ["T1: no zone has the role substrate or chamber, so no lithium temperature is guarded."]
    if config.signals.limit_controller is None:
        out.append(
            "T1: no contact of a hardware limit controller is configured: this software alone opens a contactor."
        )
    for name in (n for n, z in zones.items() if not z.second):
        out.append(
            f"T1, T3, T4: zone {name} has no independent second sensor: losing its sensor aborts at once, and a "
            "reading that drifts is not noticed."
        )
    for name, zone in config.zones.items():
        if name not in setting.constants.heaters and zone.role not in LITHIUM_ROLES:
            out.append(f"T2: the heater of {name} was never commissioned: only a rise below 1 K/min is too little.")
    if config.zones:
        out.append("T5: no current of a heater is measured: a relay that has welded is seen by the heat that it makes.")
    for name, port in config.ports.items():
        if port.zone is None:
            out.append(
                f"T8: the bottle at port {name} stands in the room and has no sensor: too hot or cold is not seen."
            )
    return out
