"""G1 to G9: the glovebox, its gate, and the argon. Reactions are graded by the gate: proven shut, or not."""

from __future__ import annotations

from dataclasses import replace

from ald_controller.interlocks.measures import Input, Rise, Value
from ald_controller.interlocks.setting import Setting, always, device_of, gate_unproven
from ald_controller.interlocks.table import Blocks, Check, Level, Reaction, Reset

ANALYSER_PPM = (-20.0, 1100.0)  # NE 43's measured range of a 0-1000 ppm transmitter, and then some
SEVERE_PPM = 50.0
SEVERE_RISE_PPM_PER_S = 10.0


def glovebox(setting: Setting) -> list[Check]:
    """G1, G2 and G7 of each analyser: with the gate proven shut they warn and block, and never touch a run."""
    config = setting.config
    limits = config.limits
    some = Blocks.START | Blocks.GATE
    severe = Level("G2", Reaction.ABORT_PURGE, SEVERE_PPM, limits.glovebox_block, Reset.L1, gate_unproven)
    levels = (
        Level("G1", Reaction.WARN, limits.glovebox_warn, 0.8 * limits.glovebox_warn, Reset.AUTO, always, 30),
        Level("G1", Reaction.BLOCK, limits.glovebox_block, 0.8 * limits.glovebox_block, Reset.AUTO, always, 10, some),
        Level("G2", Reaction.HOLD, limits.glovebox_trip, limits.glovebox_block, Reset.L1, gate_unproven, 10),
        severe,
    )
    rise = replace(severe, limit=SEVERE_RISE_PPM_PER_S, clear=SEVERE_RISE_PPM_PER_S / 2)
    bad_as = min(limits.glovebox_trip, SEVERE_PPM / 2)
    out: list[Check] = []
    for signal in (config.signals.glovebox_o2, config.signals.glovebox_h2o):
        if signal is not None:
            source = Input(signal, *ANALYSER_PPM, max_age_s=10)
            device = device_of(signal)
            out.append(Check(signal, Value(source), levels, bad_as, "G7", unit="ppm", device=device))
            out.append(Check(signal, Rise(source), (rise,), None, "G7", unit="ppm/s", device=device))
    return out


def glovebox_absent(setting: Setting) -> list[str]:
    """One sentence per row, or part of a row, whose input this tool does not have."""
    s, out = setting.config.signals, []
    for gas, signal in (("O2", s.glovebox_o2), ("H2O", s.glovebox_h2o)):
        if signal is None:
            out.append(f"G1, G2, G7: no {gas} analyser is configured, so {gas} in the glovebox is not guarded.")
    if s.gate_shut is None or s.gate_locked is None:
        out.append("G2: the gate lacks its shut or locked contact, is never proven shut, and its stricter limits hold.")
    out.append("G3-G6: opening the gate is left to its lock and its switch; box pressure trips nothing.")
    out.append("G8, G9: argon is left to the hardware.")
    return out
