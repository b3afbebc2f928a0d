"""How often each output was energised and for how long, as the valve engine counts it."""

from __future__ import annotations

from ald_controller.valves.wear import WearCount
from ald_controller.valves.wire import Aux, Wear
from tests.engine_rig import Rig
from tests.valve_rig import CONTACTOR, LTB, MS, STOP, S, dose


def test_every_output_up_to_the_highest_one_has_its_counts() -> None:
    assert WearCount(0b100).told(7) == Wear(7, (0, 0, 0), (0, 0, 0))


def test_an_output_is_counted_when_it_is_energised_and_timed_until_it_is_not() -> None:
    wear = WearCount(0b111)
    wear.move(S, 0, 0b101)
    wear.move(2 * S, 0b101, 0b100)
    wear.move(4 * S, 0b100, 0b001)
    wear.move(8 * S, 0b001, 0)
    assert wear.told(9 * S) == Wear(9 * S, (2, 0, 1), (5 * S, 0, 3 * S))


def test_an_output_that_is_on_is_older_each_time_it_is_told_of_and_is_not_counted_twice() -> None:
    wear = WearCount(0b1)
    assert not wear.grows
    wear.move(S, 0, 1)
    assert wear.grows
    assert wear.told(3 * S).on_ns == (2 * S,)
    assert wear.told(4 * S).on_ns == (3 * S,)
    wear.move(5 * S, 1, 0)
    assert not wear.grows and wear.told(9 * S) == Wear(9 * S, (1,), (4 * S,))
    wear.move(10 * S, 0, 1)
    assert wear.told(12 * S) == Wear(12 * S, (2,), (6 * S,))


def test_what_moved_is_known_until_it_is_told() -> None:
    wear = WearCount(0b1)
    assert wear.moved is False
    wear.move(S, 0, 1)
    assert wear.moved is True
    wear.told(S)
    assert wear.moved is False


def test_an_output_of_somebody_else_is_not_counted() -> None:
    wear = WearCount(0b01)
    wear.move(S, 0, 0b10)
    wear.move(2 * S, 0b10, 0b01)
    assert wear.moved and wear.told(3 * S) == Wear(3 * S, (1,), (S,))


def test_the_engine_counts_what_it_writes_sources_stop_valve_and_contactor_alike() -> None:
    rig = Rig()
    rig.hear(Aux(CONTACTOR, CONTACTOR))
    rig.load(dose(0, LTB | STOP, 50 * MS, S))
    rig.run(2 * S)
    assert rig.engine.wear.told(2 * S) == Wear(
        2 * S, (0, 0, 1, 0, 0, 0, 1, 1), (0, 0, 50 * MS, 0, 0, 0, 50 * MS, 2 * S)
    )
