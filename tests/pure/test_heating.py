"""Set-points over time: ramps, and the order of heat between lines and their sources."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ald_controller.heating import Ramp, order_of
from tests.recipe_bench import tool

CONFIG = tool().config
ORDER = order_of(CONFIG)
MARGIN = CONFIG.limits.margin
SOURCES, LINE = ("source-3", "source-4", "source-5"), "lines"
CELSIUS = st.floats(20.0, 200.0)


def _hold(goal_c: float | None) -> Ramp:
    return Ramp(goal_c, 20.0, 0.0, 1e9)


def test_a_ramp_rises_at_its_rate_and_stops_at_its_goal() -> None:
    ramp = Ramp(100.0, 20.0, 50.0, 2.0)
    assert [ramp.at(t) for t in (50.0, 60.0, 90.0, 1000.0)] == [20.0, 40.0, 100.0, 100.0]


def test_a_goal_below_is_set_at_once_because_cooling_needs_no_heat() -> None:
    assert Ramp(40.0, 150.0, 0.0, 0.1).at(0.0) == 40.0


def test_off_is_off() -> None:
    assert Ramp(None, 150.0, 0.0, 0.1).at(10.0) is None


def test_a_source_waits_for_a_cold_line() -> None:
    out = ORDER.setpoints({"source-3": _hold(150.0), LINE: _hold(165.0)}, {"source-3": 25.0, LINE: 60.0}.get, 1.0)
    assert out == {"source-3": 60.0 - MARGIN, LINE: 165.0}


def test_a_source_whose_line_cannot_be_read_stays_off() -> None:
    out = ORDER.setpoints({"source-3": _hold(150.0), LINE: _hold(165.0)}, {"source-3": 25.0, LINE: None}.get, 1.0)
    assert out["source-3"] is None


def test_a_line_that_was_switched_off_follows_its_source_down_and_lets_go_when_that_is_cold() -> None:
    ramps = {"source-3": _hold(None), LINE: _hold(None)}
    hot = ORDER.setpoints(ramps, {"source-3": 120.0, LINE: 140.0}.get, 1.0)
    assert hot["source-3"] is None and hot[LINE] is not None and hot[LINE] > 120.0 + MARGIN
    assert ORDER.setpoints(ramps, {"source-3": 40.0, LINE: 60.0}.get, 1.0)[LINE] is None


def test_a_zone_that_nobody_commanded_gets_no_setpoint() -> None:
    assert ORDER.setpoints({"substrate": _hold(120.0)}, {"source-3": 150.0, LINE: 160.0}.get, 1.0) == {
        "substrate": 120.0
    }


@given(
    goals=st.tuples(*[st.none() | CELSIUS] * 3),
    line_goal=st.none() | CELSIUS,
    measured=st.tuples(*[st.none() | CELSIUS] * 4),
)
def test_no_source_is_sent_above_its_line_nor_a_line_below_its_hottest_source_alone_or_with_all(
    goals: tuple[float | None, ...], line_goal: float | None, measured: tuple[float | None, ...]
) -> None:
    ramps = {s: _hold(g) for s, g in zip(SOURCES, goals, strict=True)} | {LINE: _hold(line_goal)}
    now = dict(zip((*SOURCES, LINE), measured, strict=True))
    out = ORDER.setpoints(ramps, now.get, 1.0)
    line_c = now[LINE]
    for source, goal in zip(SOURCES, goals, strict=True):
        sent = out[source]
        assert sent is None or (line_c is not None and goal is not None and sent <= min(goal, line_c - MARGIN))
    hottest = max((t for s in SOURCES if (t := now[s]) is not None), default=0.0)
    if hottest > 45.0:
        sent = out[LINE]
        assert sent is not None and sent >= min(hottest + MARGIN, CONFIG.zones[LINE].limit)
    assert {zone: ORDER.setpoint(zone, ramp, now.get, 1.0) for zone, ramp in ramps.items()} == out
