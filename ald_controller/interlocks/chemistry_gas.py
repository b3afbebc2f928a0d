"""C2, C3, C8, C10 and C11 by the gauges: what the pressure should be, and is not."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from ald_controller.config import ToolConfig, end_of, pa_per_unit
from ald_controller.interlocks.chemistry_gauge import (
    APART,
    APART_S,
    MEAGRE,
    MEAGRE_S,
    STILL,
    Apart,
    Meagre,
    Readable,
    Still,
    depositing,
    untrusted,
)
from ald_controller.interlocks.chemistry_measures import (
    FAITHFUL,
    MBAR_PA,
    USUAL,
    Exposed,
    Filling,
    Gas,
    Lingering,
    Pumped,
    Purged,
    Resting,
)
from ald_controller.interlocks.measures import Input, Measure, Scaled
from ald_controller.interlocks.setting import Setting, always, device_of, never_commissioned, under_vacuum
from ald_controller.interlocks.table import Blocks, Check, Facts, Level, Reaction, Reset

PUMPED_MBAR, FILLING_MBAR_S, EXPOSED, PUMPED_S = 10.0, 0.5, 1.5, 0.2  # C8; an exposure: times what was predicted
PURGED, PURGE_WARN_S, PURGE_HOLD_S = 3.0, 1.0, 30.0  # C2, times p0
OVER_BOX_MBAR, ATMOSPHERE_MBAR, OVER_S = 30.0, 900.0, 0.2  # C10
CONTRADICTS_MBAR = 100.0  # where the gauge for decisions says that it is vacuum
RESTING, RESTING_S = 2.0, 10.0  # C11, times p0
LEAST_PA = 1.0  # a gauge that states no error is compared with another one from here on
GAUGE_PA = 200_000.0  # beyond it a gauge or its terminal is broken
BELOW_ZERO_PA = -200.0

TOTAL = Input("asked.total_sccm", 0, inf)
QUIET = Input("asked.quiet_s", 0, inf)
STOP = Input("asked.stop_shut", 0, 1)
SHUT = Input("valves.shut_s", 0, inf)

_CONSTANTS = {
    "base": "the settled pressure p0", "volume": "the volume of the chamber", "pumping": "the pumping speed",
    "stop": "the travel of the stop valve", "leak": "the largest leak", "settling": "how long a flow needs to settle",
}  # fmt: skip


def dosing(facts: Facts) -> bool:
    """Sources may be opened in this part of a run, and the chamber is under vacuum for it."""
    return facts.part == "deposit" and facts.chamber == "VACUUM"


def meant_for_vacuum(facts: Facts) -> bool:
    """Under vacuum, or it was until the pressure rose: nobody vents in the middle of a deposition."""
    return facts.chamber == "VACUUM" or (facts.part == "deposit" and facts.chamber == "UNKNOWN")


def pyrophoric(facts: Facts) -> bool:
    return facts.pyrophoric


def resting_with_pyrophoric(facts: Facts) -> bool:
    """What burns in air hangs there, and the chamber is where it should have its base pressure."""
    return facts.pyrophoric and facts.chamber == "VACUUM" and facts.step != "pump"


def lacking(setting: Setting, row: str, *constants: str) -> list[Check]:
    """A block for each constant that this row computes with and nobody has commissioned; `settling` = of every flow."""
    known = setting.constants
    found = {
        "base": known.base, "volume": known.volume_m3, "pumping": known.pumping_m3_s, "stop": known.stop_s,
        "leak": known.leak_pa_m3_s, **{f"settling.{d}": known.settling_s.get(d) for d in controllers(setting)},
    }  # fmt: skip
    names = (c for name in constants for c in found if c == name or c.startswith(f"{name}."))
    return [
        never_commissioned(row, f"constant.{c}", _CONSTANTS[c.partition(".")[0]]) for c in names if found[c] is None
    ]


def controllers(setting: Setting) -> list[str]:
    """What lets gas into the chamber by a set-point."""
    pushers = (port.push.device for port in setting.config.ports.values() if port.push is not None)
    return list(dict.fromkeys([setting.config.carrier, *pushers]))


@dataclass(frozen=True, slots=True)
class Pressures:
    """The rows of one reactor that read its gauges."""

    setting: Setting

    def checks(self) -> list[Check]:
        """In the order in which one explains the next."""
        return [*self._gauges(), *self._pumped(), *self._over(), *self._settled(), *self._leak()]

    @property
    def signal(self) -> str:
        return self.setting.config.signals.pressure

    @property
    def pressure(self) -> Input:
        return _gauge(self.signal, BELOW_ZERO_PA)

    @property
    def pa(self) -> float:
        return pa_per_unit(self.signal)

    @property
    def error_pa(self) -> float:
        return _error(self.setting.config, self.signal) * self.pa

    @property
    def settle_s(self) -> float:
        """Flows and stop valve have arrived by then; asked for where every constant of it is there."""
        constants = self.setting.constants
        return max([constants.stop_s or 0.0, *(constants.settling_s.get(d, 0.0) for d in controllers(self.setting))])

    @property
    def wall(self) -> Input | None:
        """The sensor of the chamber's wall; None on a tool without one."""
        zones = self.setting.config.zones_of("chamber")
        return next((Input(f"{zone.device}.temperature_c", -20, 400, 2) for zone in zones.values()), None)

    def _check(
        self, name: str, measure: Measure, levels: tuple[Level, ...], bad_as: float | None, says: str, unit: str = ""
    ) -> Check:
        row, device = levels[0].row, device_of(self.signal)
        return Check(name, measure, levels, bad_as, row, unit=unit, says=says, device=device)

    # --- C8: the gauges themselves ---

    def _gauges(self) -> list[Check]:
        """What cannot be believed of the gauge for decisions, before whatever is decided by it."""
        still = Level("C8", Reaction.HOLD, STILL, 0, Reset.L1, depositing)
        return [
            self._check("gauge", Readable(self.pressure), untrusted(1, 0), 1, "the gauge cannot be believed"),
            *self._apart(),
            self._check(
                "gauge that stands still", Still((self.pressure, SHUT)), (still,), None,
                "through {number:.0f} doses the gauge has not moved by a digit",
            ),
        ]  # fmt: skip

    def _apart(self) -> list[Check]:
        second, end = self.setting.config.signals.atmosphere, end_of(self.setting.config, self.signal)
        if second is None or second == self.signal:
            return []
        floor_pa = max(FAITHFUL * self.error_pa, LEAST_PA)
        inputs = (self.pressure, _gauge(second, -GAUGE_PA))
        measure = Apart(inputs, self.pa, pa_per_unit(second), floor_pa, end)
        says = f"the gauges contradict each other: {second} is {{number:.3g}} times above {self.signal}"
        return [self._check("two gauges", measure, untrusted(APART, 5, APART_S), None, says)]

    # --- C8 and C10: too much ---

    def _pumped(self) -> list[Check]:
        """C8 through the open stop valve and behind the shut one."""
        volume_m3 = self.setting.constants.volume_m3
        missing = lacking(self.setting, "C8", "volume", "settling", "stop")
        if missing or volume_m3 is None:
            return missing
        limit = Level("C8", Reaction.ABORT_ISOLATE, PUMPED_MBAR, 5, Reset.L2, meant_for_vacuum, PUMPED_S)
        rise = Level("C8", Reaction.ABORT_ISOLATE, FILLING_MBAR_S, 0.25, Reset.L2, under_vacuum, PUMPED_S)
        pumped = Pumped((self.pressure, STOP), self.pa, PUMPED_MBAR, end_of(self.setting.config, self.signal))
        filling = Filling((self.pressure, STOP, SHUT, QUIET), self.pa, self.settle_s)
        return [
            # a gauge that cannot be believed is the first check's
            self._check(
                "chamber pressure", pumped, (limit,), None,
                "the chamber is at {number:.3g} {unit}, the limit is {limit:g} {unit}", "mbar",
            ),
            self._check(
                "chamber filling", filling, (rise,), FILLING_MBAR_S,
                "the chamber fills at {number:.2g} {unit} with every source shut", "mbar/s",
            ),
            *self._exposed(volume_m3),
        ]  # fmt: skip

    def _exposed(self, volume_m3: float) -> list[Check]:
        if self.wall is None:
            return []
        level = Level("C8", Reaction.ABORT_ISOLATE, EXPOSED, 1.2, Reset.L2, dosing, PUMPED_S)
        measure = Exposed((self.pressure, TOTAL, STOP, SHUT), self.pa, self.error_pa, volume_m3, self.wall)
        says = "behind the shut stop valve stands {number:.2g} times the pressure that was to be expected"
        return [self._check("exposure", measure, (level,), None, says)]

    def _over(self) -> list[Check]:
        """C10: against the box at any time, against nothing under vacuum.

        The gauge that reads up to atmosphere is the second one under vacuum: lost, or in contradiction to the first, it
        bars what would raise the pressure and ends nothing.
        """
        s, isolate = self.setting.config.signals, Reaction.ABORT_ISOLATE
        box = Level("C10", isolate, OVER_BOX_MBAR, 10, Reset.L2, always, OVER_S)
        absolute = (
            Level("C10", Reaction.BLOCK, CONTRADICTS_MBAR, 50, Reset.AUTO, meant_for_vacuum),
            Level("C10", isolate, ATMOSPHERE_MBAR, CONTRADICTS_MBAR, Reset.L2, meant_for_vacuum, OVER_S),
        )
        out = []
        for signal, levels, what in ((s.delta_p, (box,), "above the glovebox"), (s.atmosphere, absolute, "absolute")):
            if signal is not None:
                measure = Scaled(_gauge(signal, -GAUGE_PA), pa_per_unit(signal) / MBAR_PA)
                says = f"the chamber is at {{number:.4g}} mbar {what}, the limit is {{limit:g}} mbar"
                bad_as, device = levels[0].limit, device_of(signal)
                out.append(Check(signal, measure, levels, bad_as, "C10", says=says, device=device))
        return out

    # --- C2, C3 and C11: not down to its base ---

    def _settled(self) -> list[Check]:
        """C2 and C3 by p0, and C8 far below it."""
        base, decay_s, wall = self.setting.constants.base, self.setting.constants.decay_s, self.wall
        if wall is None:
            return []
        missing = [
            *lacking(self.setting, "C2", "base", "settling", "stop"),
            *lacking(self.setting, "C3", "volume", "pumping"),
        ]
        if missing or base is None or decay_s is None:
            return missing
        gas = Gas(self.pa, self.error_pa, base, wall)
        inputs = (self.pressure, TOTAL, STOP, SHUT, QUIET)
        lingers = Level("C3", Reaction.ABORT_PURGE, USUAL, 1.2, Reset.L2, under_vacuum)
        unpurged = (
            Level("C2", Reaction.WARN, PURGED, 2, Reset.AUTO, dosing, PURGE_WARN_S),
            Level("C2", Reaction.HOLD, PURGED, 2, Reset.L1, dosing, PURGE_HOLD_S),
        )
        stays = "long after the sources shut the pressure stays at {number:.2g} times its base, {limit:g} is the limit"
        purge = "the chamber is not purged down: {number:.2g} times its base, {limit:g} is the limit"
        meagre = untrusted(MEAGRE, 2, MEAGRE_S)
        says = "the gauge reads less than 1/{limit:g} of what the flows make of a pumped chamber"
        return [
            self._check("least pressure", Meagre(inputs, gas, self.settle_s), meagre, None, says),
            self._check("decay", Lingering(inputs, gas, self.settle_s, decay_s), (lingers,), USUAL, stays),
            self._check("purge", Purged(inputs, gas, self.settle_s), unpurged, PURGED, purge),
        ]

    def _leak(self) -> list[Check]:
        """C11: the leak as it was measured last, and the pressure at rest."""
        volume_m3, most = self.setting.constants.volume_m3, self.setting.constants.leak_pa_m3_s
        missing = lacking(self.setting, "C11", "leak", "volume")
        if missing or volume_m3 is None or most is None:
            return missing
        source = Input("register.leak_pa_per_s", 0, inf)
        # nothing latches: a leak that was measured anew, and signed for, is the way out
        level = Level("C11", Reaction.BLOCK, 1, 0.999, Reset.AUTO, pyrophoric, blocks=Blocks.START)
        measure, says = Scaled(source, volume_m3 / most), "the leak is {number:.3g} times the most that is allowed"
        return [
            Check(source.signal, measure, (level,), inf, "C11", "C11", says=says),
            *self._resting(),
        ]

    def _resting(self) -> list[Check]:
        base, wall = self.setting.constants.base, self.wall
        missing = lacking(self.setting, "C11", "base")
        if missing or base is None or wall is None:
            return missing if wall else []
        level = Level("C11", Reaction.ABORT_PURGE, RESTING, 1.5, Reset.L1, resting_with_pyrophoric, RESTING_S)
        gas = Gas(self.pa, self.error_pa, base, wall)
        measure = Resting((self.pressure, TOTAL, STOP, SHUT, QUIET), gas, self.settle_s)
        says = "the chamber rests at {number:.2g} times its base pressure, {limit:g} is the limit"
        return [self._check("base pressure", measure, (level,), RESTING, says)]


def _gauge(signal: str, low_pa: float) -> Input:
    return Input(signal, low_pa / pa_per_unit(signal), GAUGE_PA / pa_per_unit(signal))


def _error(config: ToolConfig, signal: str) -> float:
    """The error of a channel as the tool file has it, in its unit; 0 where it has none, which is the stricter."""
    device, _, channel = signal.partition(".")
    body = config.devices.get(device)
    wired = (body if isinstance(body, dict) else {}).get("analogue", ())
    return next((float(one["error"]) for one in wired if one["channel"] == channel), 0.0)
