"""G1 to G9: the glovebox, its gate, and the argon. Reactions are graded by the gate: proven shut, or not.

Behind a gate that is proven shut nothing here holds, cools or aborts a run: it warns, and keeps the gate and the start
blocked. `register.analyser.NAME` is 1 while the newest test of an analyser is not overdue.
"""

from __future__ import annotations

from dataclasses import replace

from ald_controller.config import pa_per_unit, span_of
from ald_controller.interlocks.glovebox_measures import (
    BothOpen,
    Magnitude,
    OrBeyond,
    StillHours,
    Within,
    one_sided,
    two_sided,
)
from ald_controller.interlocks.measures import Input, NotSet, Rise
from ald_controller.interlocks.setting import (
    Setting,
    always,
    device_of,
    gate_not_released,
    gate_proven_shut,
    gate_released,
    gate_unproven,
    never_commissioned,
    regenerates,
    regenerates_not,
)
from ald_controller.interlocks.table import Blocks, Check, Level, Reaction, Reset

ANALYSER_AGE_S = 10.0
SEVERE_PPM = 50.0
SEVERE_RISE_PPM_PER_S = 10.0
STILL_H = 24.0  # a good box reads a constant near zero, but not to the last digit for a day
COOL_C = 60.0  # what lithium zones may be asked for in bad air
GLOVE_CEILING_C = 120.0  # no file may let a glove meet what is hotter
MBAR_PA = 100.0


def glovebox(setting: Setting) -> list[Check]:
    """Every row of the glovebox whose input this tool has."""
    checks = [check for name, signal in analysers(setting).items() for check in _analyser(setting, name, signal)]
    return [*_gate(setting), *checks, *_box_pressure(setting), *_argon(setting)]


def analysers(setting: Setting) -> dict[str, str]:
    """Gas -> signal of each analyser of the glovebox that this tool has."""
    s = setting.config.signals
    return {gas: signal for gas, signal in (("O2", s.glovebox_o2), ("H2O", s.glovebox_h2o)) if signal is not None}


# --- G1, G2 and G7: the analysers ------------------------------------------------------------------------------------


def _analyser(setting: Setting, gas: str, signal: str) -> list[Check]:
    limits, device = setting.config.limits, device_of(signal)
    source = one_sided(setting.config, signal, ANALYSER_AGE_S)
    block, some = limits.glovebox_block, Blocks.START | Blocks.GATE
    warned = Level(
        "G1", Reaction.WARN, limits.glovebox_warn, 0.8 * limits.glovebox_warn, Reset.AUTO, regenerates_not, 30
    )
    blocked = Level("G1", Reaction.BLOCK, block, 0.8 * block, Reset.AUTO, regenerates_not, 10, some)
    levels = (
        warned,
        blocked,
        replace(blocked, when=regenerates, blocks=Blocks.GATE),  # somebody has said why: a run is none of its business
        Level("G2", Reaction.HOLD, limits.glovebox_trip, block, Reset.L1, gate_unproven, 10),
    )
    severe = Level("G2", Reaction.ABORT_PURGE, SEVERE_PPM, block, Reset.L1, gate_unproven)
    rise = replace(severe, limit=SEVERE_RISE_PPM_PER_S, clear=SEVERE_RISE_PPM_PER_S / 2)
    high = "{name} is at {limit:g} {unit} or above: isolate the purifier"
    rising = "{name} rises by {number:.3g} {unit}: isolate the purifier"
    trip = limits.glovebox_trip
    return [
        Check(signal, Within(source), levels, trip, "G7", "G7", "ppm", device=device, cool_c=COOL_C),
        Check(signal, OrBeyond(source), (severe,), None, "G7", "G7", "ppm", high, device=device),
        Check(signal, Rise(source), (rise,), None, "G7", "G7", "ppm/s", rising, device=device),
        *_suspect(gas, signal, source),
    ]


def _suspect(gas: str, signal: str, source: Input) -> list[Check]:
    """G7 of a reading that stands still, or that nobody has tested for too long: the gate does not open on it."""
    level = Level("G7", Reaction.BLOCK, 1, 0, Reset.AUTO, always, blocks=Blocks.GATE)
    still = replace(level, limit=STILL_H, clear=STILL_H / 2)
    test = Input(f"register.analyser.{gas}", 0, 1)
    stands = f"{signal} has read the same to the last digit for {{number:.0f}} h"
    overdue = f"the test of the {gas} analyser is overdue, or was never signed for (register analyser.{gas})"
    return [
        Check(f"{signal} still", StillHours(source), (still,), None, "G7", "G7", "h", stands, device=device_of(signal)),
        Check(f"test of {signal}", NotSet(test), (level,), 1, "G7", "G7", says=overdue),
    ]


# --- G3 and G4: the gate ---------------------------------------------------------------------------------------------


def _gate(setting: Setting) -> list[Check]:
    """G3 of a gate that was forced, or is open at a start, and G4: gate and stop valve open at once."""
    s = setting.config.signals
    if s.gate_shut is None:
        return []
    shut, device = Input(s.gate_shut, 0, 1), device_of(s.gate_shut)
    levels = (
        Level("G3", Reaction.ESTOP, 1, 0, Reset.L2, gate_not_released),
        Level("G3", Reaction.BLOCK, 1, 0, Reset.AUTO, gate_released, blocks=Blocks.START),
    )
    forced = Check(s.gate_shut, NotSet(shut), levels, None, "G3", says="{name} reads open", device=device)
    return [forced, *_gate_and_stop(setting, shut, device)]


def _gate_and_stop(setting: Setting, shut: Input, device: str) -> list[Check]:
    """G4: the hardware keeps the stop valve shut; where it does not, the software isolates once the valve had time."""
    stop, travel_s = setting.config.signals.stop_valve_open, setting.constants.stop_s
    if stop is None:
        return []
    if travel_s is None:
        return [never_commissioned("G4", "constant.stop", "how long the stop valve travels")]
    level = Level("G4", Reaction.ABORT_ISOLATE, 1, 0, Reset.L2, gate_unproven, travel_s)
    both = BothOpen((shut, Input(stop, 0, 1)))
    says = f"the gate is open and the stop valve still is after {travel_s:g} s"
    return [Check("gate and stop valve", both, (level,), 1, "G4", says=says, device=device)]


# --- G6: the pressure of the box -------------------------------------------------------------------------------------


def _box_pressure(setting: Setting) -> list[Check]:
    """G6 to either side; with the gate not proven shut nothing flows anyway, and the run is held."""
    signal, limits = setting.config.signals.box_pressure, setting.config.limits
    if signal is None:
        return []
    warn, trip = limits.box_pressure_warn / MBAR_PA, limits.box_pressure_trip / MBAR_PA
    blocked = Level("G6", Reaction.BLOCK, trip, warn, Reset.AUTO, gate_proven_shut, 2, Blocks.GATE)
    levels = (
        Level("G6", Reaction.WARN, warn, 0.9 * warn, Reset.AUTO, always, 2),
        blocked,
        replace(blocked, reaction=Reaction.HOLD, reset=Reset.L1, when=gate_unproven, blocks=Blocks.ALL),
    )
    measure = Magnitude(two_sided(setting.config, signal, 1.0), pa_per_unit(signal) / MBAR_PA)
    says = "{name} is {number:.3g} {unit} from the room's, the limit is {limit:g} {unit} to either side"
    return [Check(signal, measure, levels, trip, "G6", unit="mbar", says=says, device=device_of(signal))]


# --- G8 and G9: argon, and air to breathe ----------------------------------------------------------------------------


def _argon(setting: Setting) -> list[Check]:
    s = setting.config.signals
    line = Level("G8", Reaction.ABORT_ISOLATE, 1, 0, Reset.L1, always, 2)
    room = Level("G9", Reaction.ABORT_ISOLATE, 1, 0, Reset.L3, always)
    lost = "the contact {name} says that the argon line has lost its pressure"
    faint = "the contact {name} says that oxygen in the room is low: leave the room"
    return [
        Check(signal, NotSet(Input(signal, 0, 1)), (level,), 1, level.row, says=says, device=device_of(signal))
        for signal, level, says in ((s.argon, line, lost), (s.room_oxygen, room, faint)) if signal is not None
    ]  # fmt: skip


def glovebox_absent(setting: Setting) -> list[str]:
    """One sentence per row, or part of a row, whose input this tool does not have."""
    return [*_air_absent(setting), *_gate_absent(setting), *_supply_absent(setting)]


def _air_absent(setting: Setting) -> list[str]:
    out, here = [], analysers(setting)
    for gas in ("O2", "H2O"):
        span = span_of(setting.config, here[gas]) if gas in here else None
        if gas not in here:
            missing = f"{gas} in the glovebox is not guarded and the gate stays locked"
            out.append(f"G1, G2, G7: no {gas} analyser is configured, so {missing}.")
        elif span is None:
            out.append(f"G7: nothing says where the range of {here[gas]} ends, so a saturated one is not recognised.")
    if setting.config.signals.box_pressure is None:
        out.append("G6: no pressure of the glovebox is configured, so none is guarded and the gate stays locked.")
    return out


def _gate_absent(setting: Setting) -> list[str]:
    s, out = setting.config.signals, []
    if s.gate_shut is None or s.gate_locked is None:
        out.append("G2: the gate lacks its shut or locked contact, is never proven shut, and its stricter limits hold.")
    if s.gate_shut is None:
        out.append("G3, G4: no contact tells that the gate is open: a forced one is not seen, and the lock stays.")
    elif s.stop_valve_open is None:
        out.append("G4: no contact of the stop valve is configured: with the gate open its switch guards alone.")
    if s.delta_p is None:
        out.append("G5: no pressure between chamber and box is configured, so the gate stays locked.")
    return out


def _supply_absent(setting: Setting) -> list[str]:
    s = setting.config.signals
    out = [] if s.argon else ["G8: no contact of the argon line is configured, so its loss trips nothing."]
    out.append("G8: no pressure of the argon bottle is measured, so a bottle that runs low is not announced.")
    if s.room_oxygen is None:
        out.append("G9: oxygen in the room is left to its fixed monitor; no contact tells the software of it.")
    return out
