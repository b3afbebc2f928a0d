"""T1 to T8: what is too hot, what heats without being seen, and which sensor cannot be believed."""

from __future__ import annotations

from ald_controller.interlocks.measures import Input, Lost, Value
from ald_controller.interlocks.setting import Setting, device_of, lithium
from ald_controller.interlocks.table import Check, Level, Reaction, Reset

TEMPERATURE_C = (-20.0, 400.0)  # outside of it a thermocouple or its terminal is broken
AGREE_K = 10.0  # two sensors of one zone further apart than this do not confirm each other
LOST_S = 60.0  # as long as one sensor of two may be lost before the run is


def thermal(setting: Setting) -> list[Check]:
    """T1 of every sensor of a zone that may touch lithium, and T7 of each such zone."""
    config = setting.config
    limits, low, high = config.limits, *TEMPERATURE_C
    warn_clear = (limits.lithium_warn + limits.lithium_clear) / 2  # a zone held at the clamp never reaches the trip's
    levels = (
        Level("T1", Reaction.WARN, limits.lithium_warn, warn_clear, Reset.AUTO, lithium, persist_s=2),
        Level("T1", Reaction.ABORT_PURGE, limits.lithium_trip, limits.lithium_clear, Reset.L2, lithium),
    )
    blind = (
        Level("T7", Reaction.HOLD, 1, 0, Reset.L1, lithium),
        Level("T7", Reaction.ABORT_PURGE, 1, 0, Reset.L1, lithium, persist_s=LOST_S),
        Level("T7", Reaction.ABORT_PURGE, 2, 0, Reset.L1, lithium),
    )
    out: list[Check] = []
    for name, zone in config.zones_of("substrate", "chamber").items():
        signals = [f"{zone.device}.temperature_c", *([zone.second] if zone.second else [])]
        inputs = tuple(Input(s, low, high, max_age_s=2) for s in signals)
        for i in inputs:
            check = Check(i.signal, Value(i), levels, None, "T7", unit="°C", zone=name, device=device_of(i.signal))
            out.append(check)
        out.append(Check(name, Lost(inputs, AGREE_K), blind, None, "T7", zone=name, device=device_of(signals[0])))
    return out


def thermal_absent(setting: Setting) -> list[str]:
    """One sentence per row, or part of a row, whose input this tool does not have."""
    zones = setting.config.zones_of("substrate", "chamber")
    out = [] if zones else ["T1: no zone has the role substrate or chamber, so no lithium temperature is guarded."]
    for name in (n for n, z in zones.items() if not z.second):
        out.append(f"T1: zone {name} has no independent second sensor, so losing its sensor aborts at once.")
    out.append(
        "T2-T6: jumps, heating rate, drift between sensors, welded relays and overshoot are not evaluated by the "
        "software."
    )
    out.append("T8: limits of sources and lines bind set-points only; their measured temperatures trip nothing.")
    return out
