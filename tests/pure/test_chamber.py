"""What the chamber is open to: proven, never assumed."""

from __future__ import annotations

from math import inf, nan

import pytest

from ald_controller.chamber import PROOF_S, Chamber, chamber_step

VACUUM_PA = 1333.0


def _step(chamber: Chamber, now_s: float, pa: float | None = 10.0, *, gate: bool = True, pump: bool = False) -> Chamber:
    return chamber_step(chamber, gate_proven_shut=gate, pressure_pa=pa, vacuum_pa=VACUUM_PA, pumping=pump, now_s=now_s)


def _proven() -> Chamber:
    return _step(_step(Chamber(), 0.0), PROOF_S)


def test_vacuum_counts_after_ten_seconds_of_gate_and_pressure_together() -> None:
    chamber = _step(Chamber(), 0.0)
    assert _step(chamber, PROOF_S - 0.1).state == "UNKNOWN"
    assert _step(chamber, PROOF_S).state == "VACUUM"


def test_a_gate_that_is_not_proven_shut_makes_it_unknown_at_once_and_the_proof_begins_again() -> None:
    lost = _step(_proven(), 20.0, gate=False)
    assert lost == Chamber()
    assert _step(_step(lost, 20.1), 29.0).state == "UNKNOWN"


@pytest.mark.parametrize("pa", [None, nan, inf, VACUUM_PA])
def test_a_pressure_that_is_missing_or_no_number_or_too_high_is_no_vacuum(pa: float | None) -> None:
    assert _step(_proven(), 20.0, pa).state == "UNKNOWN"
    assert _step(_step(Chamber(), 0.0, pa), 2 * PROOF_S, pa).state == "UNKNOWN"


def test_a_second_gauge_a_decade_above_bars_the_proof_and_does_not_end_one() -> None:
    def look(chamber: Chamber, now_s: float, pa: float, second_pa: float | None, *, pump: bool = False) -> Chamber:
        return chamber_step(
            chamber, gate_proven_shut=True, pressure_pa=pa, vacuum_pa=VACUUM_PA, pumping=pump, now_s=now_s,
            second_pa=second_pa,
        )  # fmt: skip

    for pa, second_pa, bars in ((0.0, 6000.0, True), (0.0, 1300.0, False), (200.0, 1900.0, False), (40.0, None, False)):
        chamber = look(look(Chamber(), 0.0, pa, second_pa), PROOF_S, pa, second_pa)
        assert (chamber.state == "UNKNOWN") is bars, (pa, second_pa)
    assert look(Chamber(), 0.0, 0.0, 6000.0, pump=True).state == "PUMPING_DOWN"
    assert look(_proven(), 20.0, 0.0, 6000.0).state == "VACUUM"  # one reading of it; row C8 acts when it lasts


def test_pumping_down_is_said_only_while_the_gate_is_proven_and_the_pressure_known() -> None:
    assert _step(Chamber(), 0.0, 1e5, pump=True).state == "PUMPING_DOWN"
    assert _step(Chamber(), 0.0, None, pump=True).state == "UNKNOWN"
    assert _step(Chamber(), 0.0, 1e5, gate=False, pump=True).state == "UNKNOWN"


def test_a_proven_vacuum_stays_one_when_a_pump_down_begins() -> None:
    assert _step(_proven(), 20.0, pump=True).state == "VACUUM"


def test_a_gate_seen_open_at_the_box_s_pressure_is_at_the_box_and_shutting_it_proves_nothing_yet() -> None:
    def look(chamber: Chamber, *, gate: bool, at_box: bool) -> Chamber:
        return chamber_step(
            chamber,
            gate_proven_shut=gate,
            pressure_pa=None,
            vacuum_pa=VACUUM_PA,
            pumping=True,
            now_s=20.0,
            at_box=at_box,
        )

    at_box = look(_proven(), gate=False, at_box=True)
    assert at_box == Chamber("AT_BOX")
    assert look(at_box, gate=False, at_box=False).state == "UNKNOWN"
    assert look(at_box, gate=True, at_box=False).state == "UNKNOWN"
    assert look(_proven(), gate=True, at_box=True).state == "UNKNOWN"  # two contacts that contradict each other
