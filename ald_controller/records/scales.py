"""Numbers on paper: scales, ticks, quantiles, thinning, and how a quantity is written for people. Pure."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

UNITS = {
    "_torr": "Torr", "_pa": "Pa", "_mbar": "mbar", "_ppm": "ppm", "_sccm": "sccm", "_c": "°C", "_percent": "%",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scale:
    """Values `lo`…`hi` on pixels `start`…`end`; `log` needs lo > 0."""

    lo: float
    hi: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The pixel of `value`, kept within the scale."""
        value = min(max(value, self.lo), self.hi)
        if self.log:
            share = math.log(value / self.lo) / math.log(self.hi / self.lo)
        else:
            share = (value - self.lo) / (self.hi - self.lo)
        return self.start + share * (self.end - self.start)

    def ticks(self, about: int = 5) -> list[float]:
        """Round values within the scale, about so many."""
        return log_ticks(self.lo, self.hi) if self.log else linear_ticks(self.lo, self.hi, about)


def linear_ticks(lo: float, hi: float, about: int = 5) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten between `lo` and `hi`."""
    raw = (hi - lo) / max(about, 1)
    if raw <= 0 or not math.isfinite(raw):
        return [lo]
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw * 0.999)
    first = math.ceil(lo / step - 1e-9)
    return [round(i * step, 12) for i in range(first, math.floor(hi / step + 1e-9) + 1)]


def log_ticks(lo: float, hi: float) -> list[float]:
    """Powers of ten, with 2 and 5 between them where there are few."""
    decades = math.log10(hi / lo)
    factors = (1, 2, 5) if decades <= 3 else (1,)
    powers = range(math.floor(math.log10(lo)), math.ceil(math.log10(hi)) + 1)
    return [f * 10.0**p for p in powers for f in factors if lo * 0.999 <= f * 10.0**p <= hi * 1.001]


def time_ticks(seconds: float, about: int = 8) -> list[float]:
    """Ticks in seconds from 0 at steps that a clock has."""
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400)
    step = next((s for s in steps if seconds / s <= about), 86_400 * math.ceil(seconds / 86_400 / about))
    return [float(i * step) for i in range(int(seconds / step) + 1)]


def scale_for(values: Sequence[float], start: float, end: float, *, log: bool | None = None) -> Scale:
    """A scale with a little air around finite `values`; logarithmic by itself where they span more than 30 to 1."""
    lo, hi = (min(values), max(values)) if values else (0.0, 1.0)
    if log is None:
        log = lo > 0 and hi / lo > 30
    if log:
        return Scale(lo / 1.15, hi * 1.15, start, end, True)
    air = (hi - lo) * 0.06 or abs(hi) * 0.1 or 1.0
    return Scale(max(0.0, lo - air) if lo >= 0 else lo - air, hi + air, start, end)


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which `share` of an ordered, non-empty sequence lies (nearest rank)."""
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))]


def thin(times: Sequence[float], values: Sequence[float], pixels: int) -> list[tuple[float, float]]:
    """At most 2 x `pixels` points with every extreme kept: the lowest and highest of each pixel, in order of time."""
    n = len(times)
    if n <= 2 * pixels:
        return list(zip(times, values, strict=True))
    points: list[tuple[float, float]] = []
    first, width = times[0], (times[-1] - times[0]) / pixels
    a = 0
    for i in range(pixels):
        b = n if i == pixels - 1 else bisect_left(times, first + (i + 1) * width, a)
        if b > a:
            points += _extremes(times, values, a, b)
        a = b
    return points


def _extremes(times: Sequence[float], values: Sequence[float], a: int, b: int) -> list[tuple[float, float]]:
    part = values[a:b]
    low, high = min(part), max(part)
    if low == high:
        return [(times[a], low)]
    order = (low, high) if part.index(low) < part.index(high) else (high, low)
    return [(times[a], order[0]), (times[(a + b) // 2], order[1])]


def unit_of(channel: str) -> str:
    """The unit that a channel's name ends in; empty where it names none."""
    return next((unit for suffix, unit in UNITS.items() if channel.endswith(suffix)), "")


def number(value: float) -> str:
    """Up to four significant figures, without an exponent where a person would not write one."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "–"
    size = math.floor(math.log10(abs(value)))
    if not -4 < size < 6:
        mantissa = f"{value / 10.0**size:.3g}"
        return f"{mantissa}·10{str(size).translate(_SUPERSCRIPT)}"
    return (
        f"{value:.{max(0, 3 - size)}f}".rstrip("0").rstrip(".") if size < 3 else f"{value:,.0f}".replace(",", "\u202f")
    )


_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def short_time(seconds: float) -> str:
    """A technical time to three figures in its own unit: 28 µs, 15 ms, 1.2 s."""
    size = abs(seconds)
    for factor, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if size >= factor * 0.9995:
            return f"{seconds / factor:.3g} {unit}"
    return f"{seconds * 1e6:.2g} µs" if seconds else "0 µs"


def duration(seconds: float) -> str:
    """A length of time as people say it: 42 s, 12 min 30 s, 1 h 40 min, 2 d 3 h."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, s = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {s} s" if s else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def clock(seconds: float) -> str:
    """Time since the start as h:mm:ss."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
