"""The tool that is explored, in small: every time is a few ticks of 5 ms, in the order in which real ones stand.

confirm < round < lease and watchdog; a scenario from reset over load, opening, fault and closing to
recovery is some sixty ticks. What neither the configuration nor the module carries is shortened in `SHORTENED`.
"""

from __future__ import annotations

from ald_controller.valves import engine, host, process
from ald_controller.valves.wire import EngineConfig, Position, Segment, SegmentId, Source

MS = 1_000_000
TICK_NS = 5 * MS
TMA, H2O, LTB, FILL, TEA, STOP, CONTACTOR, ALIVE = 1, 2, 4, 8, 16, 64, 128, 256
SOURCES = TMA | H2O | LTB | FILL | TEA
VALVES = SOURCES | STOP

CONFIG = EngineConfig(
    sources=(
        Source("TMA", TMA, "metal-organic", 30 * MS),
        Source("H2O", H2O, "protic", 30 * MS),
        Source("LTB", LTB, "metal-organic", 30 * MS, positions=(Position("fill", FILL, 30 * MS),)),
        Source("TEA", TEA, "metal-organic", 30 * MS),
    ),
    segment_mask=VALVES,
    aux_mask=CONTACTOR,
    alive_mask=ALIVE,
    rest_words={"VACUUM": 0, "AT_BOX": STOP, "UNKNOWN": STOP},
    min_closed_ns=40 * MS,
    compatible=(("TMA", "LTB"),),
    lease_ns=110 * MS,
    lead_ns=10 * MS,
    late_ns=5 * MS,
    confirm_ns=20 * MS,
)
WATCHDOG_MS = 200  # so that a round is 40 ms
SHORTENED = {
    (host, "RETRY_MODULE_NS"): 40 * MS,
    (host, "TELL_AGAIN_NS"): 150 * MS,
    (host, "TRIPS_EVERY"): 2,
    (engine, "DOUBT_NS"): 100 * MS,
    (process, "FAREWELL_NS"): 60 * MS,
}


def _segment(length_ms: int, *edges: tuple[int, int]) -> tuple[tuple[tuple[int, int], ...], int]:
    return tuple((at_ms * MS, word) for at_ms, word in edges), length_ms * MS


DOSES = (_segment(60, (0, 0), (5, TMA), (20, 0)), _segment(60, (0, 0), (5, H2O), (25, 0)))  # in turn, for ever
OTHERS = {
    "both opposite kinds at once": _segment(60, (0, 0), (5, TMA | H2O), (20, 0)),
    "two sources that may not be open together": _segment(60, (0, 0), (5, TMA | TEA), (20, 0)),
    "two sources that may be open together": _segment(60, (0, 0), (5, LTB), (10, TMA | LTB), (20, TMA), (25, 0)),
    "an opposite kind too soon within itself": _segment(80, (0, 0), (5, TMA), (20, 0), (45, H2O), (60, 0)),
    "both kinds, one after the other": _segment(120, (0, 0), (5, LTB), (20, 0), (65, H2O), (80, 0)),
    "a source again at once": _segment(60, (5, TMA), (10, 0), (15, TMA), (20, 0)),
    "an opening that is too long": _segment(60, (0, 0), (5, TMA), (40, 0)),
    "no closing at its end": _segment(60, (0, 0), (5, TMA)),
    "a foreign bit": _segment(60, (0, 0), (5, TMA | CONTACTOR), (20, 0)),
    "H2O at once": _segment(30, (0, H2O), (15, 0)),
    "an exposure behind the stop valve": _segment(60, (0, STOP), (10, STOP | H2O), (25, STOP), (40, 0)),
    "a source that is filled and lets out": _segment(120, (5, FILL), (20, 0), (70, LTB), (85, 0)),
    "a source that is let out while it fills": _segment(60, (5, FILL), (20, LTB), (30, 0)),
}


def segment(id: SegmentId, what: tuple[tuple[tuple[int, int], ...], int]) -> Segment:
    """A segment of the menu under this number."""
    return Segment(id, *what)
