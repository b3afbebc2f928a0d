"""What a valve self-test found: its quantiles, its JSON, its histograms. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ald_controller.cli.pulses import CONFIG, Dose, Played
from ald_controller.records.scales import quantile
from ald_controller.stamp import iso
from ald_controller.valves.timing import Timing

FOUND, BUSY = "as found", "busy"
ENOUGH = 100  # fewer values have no p99
NOT_MEASURED = (
    "the network between this computer and the module, the module's own cycle (milliseconds), the pilot, and the valve "
    "(5 to 10 ms each): a real module and real valves come on top of every figure here"
)


@dataclass(frozen=True, slots=True)
class Result:
    """What one self-test found; `played` is by load, `start` is what the valve process measured when it started."""

    date_s: float
    seconds: float
    widths_ms: tuple[int, ...]
    degraded: bool
    machine: Mapping[str, Any]
    load_average: tuple[str, str]
    start: Timing | None
    played: Mapping[str, Played]

    @property
    def date(self) -> str:
        """The minute of its beginning, UTC."""
        return iso(self.date_s)[:16].replace("T", " ") + " UTC"

    @property
    def name(self) -> str:
        """What its files are called."""
        return f"valve-selftest-{iso(self.date_s)[:19].replace('T', '-').replace(':', '')}"

    @property
    def limit_ms(self) -> float:
        """How late an opening may be; one that is later is not given."""
        return (CONFIG.late_degraded_ns if self.degraded else CONFIG.late_ns) / 1e6

    @property
    def missed(self) -> int:
        """How many doses were not given because they came late."""
        return sum(len(played.missed) for played in self.played.values())

    @property
    def timing(self) -> str:
        """Whether it took real-time priority, in words."""
        return "DEGRADED TIMING: no real-time priority" if self.degraded else "real-time priority"


@dataclass(frozen=True, slots=True)
class Figures:
    """Quantiles in ms; None where there is no value, or are too few for one."""

    n: int
    p50: float | None
    p99: float | None
    max: float | None


def figures(values: Sequence[float]) -> Figures:
    """Quantiles by nearest rank."""
    ordered = sorted(values)
    if not ordered:
        return Figures(0, None, None, None)
    p99 = quantile(ordered, 0.99) if len(ordered) >= ENOUGH else None
    return Figures(len(ordered), quantile(ordered, 0.5), p99, ordered[-1])


def lateness_ms(played: Played) -> list[float]:
    """How late edges reached the module: two for each dose that was executed."""
    return [late for dose in played.doses for late in (dose.opening_late_ms, dose.closing_late_ms)]


def width_errors_ms(played: Played) -> list[float]:
    """By how much doses were too long or too short, without the sign."""
    return [abs(dose.width_error_ms) for dose in played.doses]


def parts(result: Result, played: Played) -> dict[str, Played]:
    """The doses of one load by width, and all of them."""
    return {f"{width_ms} ms": played.of(width_ms) for width_ms in result.widths_ms} | {"all": played}


def overall(played: Played) -> Timing | None:
    """The edges of one load as the valve process's own test at its start puts them; missed ones count."""
    late = figures([*lateness_ms(played), *(dose.late_ms for dose in played.missed)])
    if late.p50 is None or late.max is None:
        return None
    return Timing(late.n, late.p50, late.max if late.p99 is None else late.p99, late.max)


# --- for programs --------------------------------------------------------------------------------------------------

COLUMNS = (
    "width_ms", "opening_late_ms", "closing_late_ms", "opening_sent_ms", "closing_sent_ms", "width_error_ms",
)  # fmt: skip


def as_json(result: Result, verdict: Sequence[str], *, values: bool) -> dict[str, Any]:
    """Everything, with every single dose where `values` is set."""
    before, after = result.load_average
    return {
        "format": 1,
        "date": iso(result.date_s),
        "machine": dict(result.machine),
        "real_time": not result.degraded,
        "load_average": {"before": before, "after": after},
        "seconds": result.seconds,
        "widths_ms": list(result.widths_ms),
        "limit_ms": result.limit_ms,
        "start": None if result.start is None else _start(result.start),
        "verdict": list(verdict),
        "not_measured": NOT_MEASURED,
        "columns": list(COLUMNS),
        "loads": {load: _load(result, played, values) for load, played in result.played.items()},
    }


def _start(start: Timing) -> dict[str, Any]:
    return {"n": start.n, "p50_ms": start.p50_ms, "p99_ms": start.p99_ms, "max_ms": start.max_ms}


def _load(result: Result, played: Played, values: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "quantiles": {
            name: {
                "doses": len(part.doses), "missed": len(part.missed),
                "edge_late_ms": _quantiles(lateness_ms(part)), "width_error_ms": _quantiles(width_errors_ms(part)),
            }
            for name, part in parts(result, played).items()
        },
        "missed": [{"width_ms": dose.width_ms, "late_ms": round(dose.late_ms, 4)} for dose in played.missed],
        "holds": list(played.holds),
        "unmeasured": played.unmeasured,
    }  # fmt: skip
    return told | ({"doses": [_row(dose) for dose in played.doses]} if values else {})


def _quantiles(values: Sequence[float]) -> dict[str, Any]:
    told = figures(values)
    given = {"p50": told.p50, "p99": told.p99, "max": told.max}
    return {"n": told.n} | {name: None if value is None else round(value, 4) for name, value in given.items()}


def _row(dose: Dose) -> list[float]:
    return [round(float(getattr(dose, name)), 4) for name in COLUMNS]


# --- for the picture -----------------------------------------------------------------------------------------------

FLOOR_MS = 0.01  # the instrument's own error: what is below lies in the first bin
PER_DECADE = 15


def bins(values: Sequence[float], limit_ms: float) -> list[float]:
    """Edges of bins in ms, equal on a logarithmic axis, from the floor to beyond the largest value and the limit."""
    top = max(2 * limit_ms, *(value * 1.01 for value in values)) if values else 2 * limit_ms
    count = math.ceil(math.log10(top / FLOOR_MS) * PER_DECADE)
    return [FLOOR_MS * 10 ** (i / PER_DECADE) for i in range(count + 1)]


def histogram(values: Sequence[float], edges: Sequence[float]) -> list[int]:
    """How many values lie in each bin; what lies below the first edge counts in the first."""
    counts = [0] * (len(edges) - 1)
    for value in values:
        at = int(math.log10(max(value, edges[0]) / edges[0]) * PER_DECADE + 1e-9)
        counts[min(at, len(counts) - 1)] += 1
    return counts
