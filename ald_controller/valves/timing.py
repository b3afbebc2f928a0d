"""What a computer's lateness means for doses: the self-test at the valve process's start, judged and in words. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ald_controller.valves.wire import EngineConfig, Lateness

P99_SHARE = 5  # a p99 beyond this part of what an opening may be late leaves no room for a busy hour


@dataclass(frozen=True)
class Timing:
    """How late the valve process was woken at its start, in ms; `warning` is for a person, "" where all is well."""

    n: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    warning: str = ""

    @property
    def sentence(self) -> str:
        """The figures for people, for example "p99 0.09 ms, worst 0.30 ms"."""
        return f"p99 {in_ms(self.p99_ms)}, worst {in_ms(self.max_ms)}"


def timing_of(lateness: Lateness | None, config: EngineConfig, *, degraded: bool) -> Timing | None:
    """The self-test judged by how late an opening may be in this timing; None on the twin, which is never late."""
    if lateness is None:
        return None
    p50_ms, p99_ms, max_ms = (round(ns / 1e6, 4) for ns in (lateness.p50_ns, lateness.p99_ns, lateness.max_ns))
    limit_ms = (config.late_degraded_ns if degraded else config.late_ns) / 1e6
    figures = Timing(lateness.n, p50_ms, p99_ms, max_ms)
    return Timing(lateness.n, p50_ms, p99_ms, max_ms, warning(figures, limit_ms))


def warning(timing: Timing, limit_ms: float) -> str:
    """What a person should know of a computer that wakes late, or "": `limit_ms` is how late an opening may be."""
    if timing.p99_ms <= limit_ms / P99_SHARE and timing.max_ms <= limit_ms:
        return ""
    return f"this computer wakes late ({timing.sentence}): doses may be missed; see `ald valves selftest`"


def in_ms(value: float) -> str:
    """0.001 → "under 0.01 ms", 0.094 → "0.09 ms", 7.31 → "7.3 ms", 120.4 → "120 ms"."""
    if 0 <= value < 0.005:
        return "under 0.01 ms"
    return f"{value:.{2 if abs(value) < 1 else 1 if abs(value) < 100 else 0}f} ms"
