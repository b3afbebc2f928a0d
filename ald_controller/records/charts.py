"""SVG by hand: one function per mark, every number in CSS pixels of the drawing, colours only by class. Pure.

A colour never stands alone: every line has its name at its end, every state its sign.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from ald_controller.records.scales import Scale, number, thin

WIDTH = 1040.0
LEFT, RIGHT = 58.0, 916.0  # of every plot, so that all time axes of the page line up
LABEL_GAP = 14.0

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Panel:
    """One plot within a drawing: its scales and its place."""

    x: Scale
    y: Scale

    @property
    def top(self) -> float:
        return self.y.end

    @property
    def bottom(self) -> float:
        return self.y.start


def svg(height: float, title: str, description: str, parts: Iterable[str]) -> str:
    """A whole drawing that says to a screen reader what it shows."""
    return (
        f'<svg viewBox="0 0 {WIDTH:g} {height:g}" role="img" aria-label="{escape(f"{title}. {description}")}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


def text(x: float, y: float, words: str, style: str = "", anchor: str = "start") -> str:
    """Words at a place; `anchor` start | middle | end."""
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{style}" text-anchor="{anchor}">{escape(words)}</text>'


def short(name: str, most: int = 14) -> str:
    """A name that fits its place beside a plot."""
    return name if len(name) <= most else name[: most - 1] + "…"


def rule(x1: float, y1: float, x2: float, y2: float, style: str = "grid") -> str:
    """A straight line."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{style}"/>'


def polyline(points: Points, style: str, title: str = "") -> str:
    """A line through pixels; `title` is its tooltip."""
    if not points:
        return ""
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    tip = f"<title>{escape(title)}</title>" if title else ""
    return f'<path d="{path}" class="line {style}">{tip}</path>'


def curve(panel: Panel, times: Sequence[float], values: Sequence[float], style: str, title: str = "") -> str:
    """A trace thinned to the panel's pixels with every extreme kept; broken where no reading came for long."""
    if not times:
        return ""
    pixels = max(int(panel.x(times[-1]) - panel.x(times[0])), 2)
    points = thin(times, values, pixels)
    longest = 12 * (times[-1] - times[0]) / max(len(points) - 1, 1)
    pieces: list[list[tuple[float, float]]] = [[]]
    for i, (t, v) in enumerate(points):
        if i and t - points[i - 1][0] > longest:
            pieces.append([])
        pieces[-1].append((panel.x(t), panel.y(v)))
    return "".join(polyline(piece, style, title) for piece in pieces)


def y_axis(panel: Panel, about: int = 4) -> str:
    """Hairlines with numbers at the left."""
    out = []
    for value in panel.y.ticks(about):
        y = panel.y(value)
        out.append(rule(panel.x.start, y, panel.x.end, y))
        out.append(text(panel.x.start - 8, y + 4, number(value), "tick", "end"))
    return "".join(out)


def x_axis(panel: Panel, ticks: Iterable[tuple[float, str]], title: str, top: float | None = None) -> str:
    """Ticks with words below the panel and hairlines up to `top`; `title` at the right end."""
    y = panel.bottom
    out = [rule(panel.x.start, y, panel.x.end, y, "axis")]
    for value, words in ticks:
        x = panel.x(value)
        out.append(rule(x, panel.top if top is None else top, x, y))
        out.append(rule(x, y, x, y + 5, "axis"))
        out.append(text(x, y + 19, words, "tick", "middle"))
    out.append(text(panel.x.end + 14, y + 19, title, "tick"))
    return "".join(out)


def heading(panel: Panel, words: str, unit: str = "", left: float = 0.0) -> str:
    """The panel's name above it at `left`, with the unit."""
    unit_part = f' <tspan class="unit">{escape(unit)}</tspan>' if unit else ""
    return f'<text x="{left:.1f}" y="{panel.top - 12:.1f}" class="heading">{escape(words)}{unit_part}</text>'


def end_labels(panel: Panel, labels: Sequence[tuple[float, str, str]]) -> str:
    """Names at the right ends of lines (value, words, style), moved apart so that none covers another."""
    wanted = sorted(((panel.y(value), words, style) for value, words, style in labels), key=lambda item: item[0])
    places = spread_out([y for y, _, _ in wanted], LABEL_GAP, panel.top + 4, panel.bottom)
    x = panel.x.end + 14
    named = zip(places, wanted, strict=True)
    return "".join(text(x, y + 4, words, f"label {style}") for y, (_, words, style) in named)


def spread_out(places: Sequence[float], gap: float, top: float, bottom: float) -> list[float]:
    """Ordered places moved as little as a simple pass can so that neighbours are `gap` apart, within the bounds."""
    out: list[float] = []
    for place in places:
        out.append(max(place, top, out[-1] + gap if out else top))
    limit = bottom
    for i in range(len(out) - 1, -1, -1):
        out[i] = min(out[i], limit)
        limit = out[i] - gap
    return out


def limit_line(panel: Panel, value: float, style: str = "limit") -> str:
    """A limit across the panel, when it lies within the scale; its name belongs to the end labels."""
    if not panel.y.lo <= value <= panel.y.hi:
        return ""
    return rule(panel.x.start, panel.y(value), panel.x.end, panel.y(value), style)


def bars(panel: Panel, spans: Iterable[tuple[float, float]], style: str, least: float = 1.0) -> str:
    """Spans of x as bars of the panel's full height, at least `least` pixels wide; neighbours that touch are joined."""
    joined: list[list[float]] = []
    for begin, end in spans:
        left = panel.x(begin)
        right = max(panel.x(end), left + least)
        if joined and left <= joined[-1][1] + 0.3:
            joined[-1][1] = max(joined[-1][1], right)
        else:
            joined.append([left, right])
    height = panel.bottom - panel.top
    path = "".join(f"M{a:.1f} {panel.top:.1f}h{b - a:.1f}v{height:.1f}h{a - b:.1f}z" for a, b in joined)
    return f'<path d="{path}" class="fill {style}"/>' if path else ""


def dots(points: Points, style: str) -> str:
    """Round dots in one path."""
    return f'<path d="{"".join(f"M{x:.1f} {y:.1f}h0" for x, y in points)}" class="dots {style}"/>' if points else ""


def sign(x: float, y: float, kind: str, title: str) -> str:
    """The sign of a state, 10 px: a shape of its own for each, so that it reads without colour."""
    shapes = {
        "trip": "M0-6L6 5H-6Z",
        "alarm": "M0-6L6 0L0 6L-6 0Z",
        "missed": "M-5-5L5 5M5-5L-5 5",
        "abort": "M-5 0L0-5L5 0L0 5ZM-5 0H5",
        "held": "M-3-5V5M3-5V5",
        "command": "M-4-5L5 0L-4 5Z",
    }
    shape = shapes.get(kind, "M-4-4H4V4H-4Z")
    return (
        f'<path d="{shape}" transform="translate({x:.1f} {y:.1f})" class="sign sign-{kind}">'
        f"<title>{escape(title)}</title></path>"
    )
