"""Messages and reports as a story has them."""

from __future__ import annotations

from ald_controller.valves.wire import (
    Anchored,
    Aux,
    Beat,
    Clear,
    Fault,
    FromEngine,
    Held,
    Load,
    Missed,
    Refused,
    Segment,
    SegmentId,
    State,
    ToEngine,
    Trim,
)
from tests.explore.setting import CONTACTOR, FILL, H2O, LTB, MS, STOP, TEA, TMA

NAMES = {TMA: "TMA", H2O: "H2O", LTB: "LTB", FILL: "LTB (fill)", TEA: "TEA", STOP: "STOP", CONTACTOR: "CONTACTOR"}


def names(word: int) -> str:
    """A word for people; the alive bit is none of their business."""
    return " + ".join(name for mask, name in NAMES.items() if word & mask) or "all shut"


def said(message: ToEngine) -> str:
    """What the daemon says."""
    match message:
        case Load(segment):
            return f"Load {_segment(segment)}"
        case Beat(_, permit):
            return f"Beat with permit for {names(permit)}" if permit else "Beat without any permit"
        case Aux(_, bits):
            return f"heaters {'on' if bits else 'off'}"
        case State(chamber):
            return f"State {chamber}"
        case Trim(id, last):
            return f"Trim {_id(id)}{', its last dose' if last else ''}"
        case Clear():
            return "Clear"
    return type(message).__name__


def reported(message: FromEngine, now_ns: int) -> str:
    """What the valve process reports, or "" for what is no news in a story."""
    match message:
        case Anchored(id, at_ns):
            return f"{_id(id)} is accepted and begins in {(at_ns - now_ns) / MS:g} ms"
        case Refused(id, why):
            return f"{_id(id) if id else 'that'} is refused: {why}"
        case Missed(id, _, late_ns):
            return f"a dose of {_id(id)} is missed, {late_ns / MS:g} ms late"
        case Held(why):
            return f"held: {why}"
        case Fault(what):
            return f"a fault: {what}"
    return ""


def _id(id: SegmentId) -> str:
    return f"segment {id.run}/{id.half}"


def _segment(segment: Segment) -> str:
    edges = ", ".join(f"{names(word)} at {at_ns / MS:g} ms" for at_ns, word in segment.edges)
    return f"{_id(segment.id)}: {edges}; {segment.length_ns / MS:g} ms in all"
