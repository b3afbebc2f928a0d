"""Edges of the measures of gas that no other sentence walks: found by changes of the code that nobody had noticed."""

from __future__ import annotations

from ald_controller.interlocks.chemistry_measures import Known, Lingering
from tests.pure.test_interlocks_chemistry_measures import LINGERING, MEAGRE, PURGED, RESTING, gas


def test_a_purge_is_looked_at_at_once_after_a_dose_and_at_the_smallest_flow() -> None:
    assert PURGED.take(None, gas(p=1000, shut=0.1), 10.0).number == 2.5
    assert PURGED.take(None, gas(p=1000, flow=0.5), 10.0).number == 20.0  # p0 counts as what the gauge can tell
    assert MEAGRE.take(None, gas(flow=0.5), 10.0).memory == (Known(0.5, 100.0, 5.0), 0.0)


def test_a_wall_that_moved_by_half_a_kelvin_changes_no_settled_pressure() -> None:
    known = Known(20.0, 100.0, 40.0)
    warmer = gas(wall=100.5)
    assert PURGED.take((known, 1.0), warmer, 10.0).memory[0] is known
    assert RESTING.take(known, warmer, 10.0).memory is known
    assert MEAGRE.take((known, 1.0), warmer, 10.0).memory[0] is known
    lingered = LINGERING.take(None, gas(), 10.0).memory
    assert LINGERING.take(lingered, gas(wall=100.5, shut=100.1, quiet=100.1), 10.0).memory.known is lingered.known


def test_a_peak_begins_anew_where_no_time_has_passed_since_something_moved() -> None:
    first = LINGERING.take(None, gas(p=900, shut=0.2, quiet=50), 10.0).memory
    assert LINGERING.take(first, gas(p=700, shut=0.2, quiet=50), 10.0).memory.peak_pa == 70.0
    assert LINGERING.take(first, gas(p=700, shut=0.3, quiet=50), 10.0).memory.peak_pa == 90.0


def test_a_chamber_that_is_pumped_quickly_is_looked_at_within_a_second() -> None:
    quick = Lingering(LINGERING.inputs, LINGERING.gas, 3.0, 0.1)
    assert quick.take(None, gas(p=700, shut=0.5, quiet=50), 10.0).number == 1.75
