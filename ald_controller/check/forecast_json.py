"""The forecast as JSON; docs/check.md tells every key."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ald_controller import stamp
from ald_controller.check.outlook import Outlook, Placed
from ald_controller.foresight.forecast import CycleForecast, Forecast, HalfForecast


def forecast_data(made: Outlook) -> dict[str, Any]:
    """Everything that the text says, and every kind of cycle; units are in the names."""
    found = made.forecast
    return {
        "ends_utc": stamp.iso(made.ends_utc_s),
        "thickness_nm": found.nm, "thickness_low_nm": found.low_nm, "thickness_high_nm": found.high_nm,
        "layers": [asdict(layer) for layer in found.layers],
        "cycles": [_cycle(cycle, found) for cycle in found.cycles],
        "cycles_not_modelled": found.not_modelled,
        "bottles": [asdict(bottle) for bottle in found.bottles],
        "facts": [asdict(fact) for fact in found.facts],
        "unverified_share": round(found.unverified, 4),
        "unverified_nm": found.unverified_nm,
        "equal_exposure": _elsewhere(made),
        "chamber": {
            "volume_m3": found.vessel.volume_m3, "pumping_m3_s": found.vessel.pumping_m3_s,
            "wall_m2": found.vessel.wall_m2, "sample_m2": found.vessel.sample_m2, "aspect": found.vessel.aspect,
            "assumed": list(found.vessel.assumed),
        },
    }  # fmt: skip


def _elsewhere(made: Outlook) -> dict[str, Any] | None:
    other = made.elsewhere
    return None if other is None else {"tool": other.tool, "why": other.why, "halves": [asdict(e) for e in other.equal]}


def findings_data(made: Outlook) -> list[dict[str, Any]]:
    return [_finding(placed) for placed in made.findings]


def _finding(placed: Placed) -> dict[str, Any]:
    mark, finding = placed.mark, placed.finding
    return {
        "level": finding.level, "code": finding.code, "file": mark.file, "line": mark.line, "column": mark.column,
        "message": finding.message,
    }  # fmt: skip


def _cycle(one: CycleForecast, made: Forecast) -> dict[str, Any]:
    return {
        "film": one.cycle.film, "times": one.times, "seconds": one.cycle.seconds, "surface_c": one.cycle.surface_c,
        "wall_c": one.cycle.wall_c, "growth": one.growth, "saturated": one.saturated, "excess": one.excess,
        "halves": [_half(half, made) for half in one.halves],
    }  # fmt: skip


def _half(one: HalfForecast, made: Forecast) -> dict[str, Any]:
    half = one.half
    return {
        "precursor": half.precursor, "port": half.port, "line": half.where.line, "column": half.where.column,
        "shots": half.shots, "opening_s": half.width_s, "hold_s": half.hold_s, "purge_s": half.after_s,
        "purge_in_decays": half.after_s / made.vessel.decay_s,
        "exposure_l": one.exposure_l, "needed_flat_l": one.flat_l, "needed_l": one.deep_l, "coverage": one.coverage,
        "excess": one.excess, "left_of_peak": one.left, "peak_pa": one.peak_pa, "highest_pa": one.highest_pa,
        "end_pa": one.end_pa, "before_pa": one.base_pa, "grams": one.grams, "given_mol": one.given_mol,
        "supply_mol": one.supply_mol, "headspace": one.filled, "bottle_c": one.bottle_c, "bottle_pa": one.bottle_pa,
    }  # fmt: skip
