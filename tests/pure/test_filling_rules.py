"""Filling to a pressure: what a recipe may ask for, when the watch ends it, and what the record counts."""

from __future__ import annotations

import pytest

from ald_controller.acts import FillWatch
from ald_controller.plan import PLAN, Dose, SegmentStep
from ald_controller.records.doses import EdgeRow, Intent, dose_table
from ald_controller.walk import walk
from tests.recipe_bench import plan, problems, recipe

DOSE = (
    "expose: {precursor: TMA, pulse: 15 ms, times: 20, every: 2 s, to: 900 mTorr, hold: 10 s, flow: 2 sccm, else: hold}"
)


def asked(old: str, new: str) -> str:
    assert old in DOSE
    return recipe(f"{DOSE.replace(old, new)}\npurge: 20 s")


def test_the_plan_holds_the_most_shots_and_the_pressure_that_ends_them() -> None:
    made = plan(recipe(f"{DOSE}\npurge: 20 s"))
    step = next(leaf for _, leaf in walk(made, "deposit") if isinstance(leaf, SegmentStep))
    assert step.until is not None and step.until.otherwise == "hold" and round(step.until.to_pa, 1) == 120.0
    assert len(step.doses) == made.doses == 20 and step.label == "TMA exposure to 900 mTorr"
    assert PLAN.validate_json(PLAN.dump_json(made)) == made


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (", else: hold", "", "'to' and 'else' go together, for example to: 500 mTorr, else: hold"),
        ("to: 900 mTorr, ", "", "'to' and 'else' go together"),
        ("900 mTorr", "12 Torr", "12 Torr are not below the 10 Torr that count as vacuum"),
        ("900 mTorr", "20 mTorr", "2 sccm alone hold this chamber at"),
        ("900 mTorr", "900", "'900' has no unit"),
        ("times: 20", "times: 128", "one step gives at most 127 shots of TMA: put the rest into a repeat"),
    ],
)
def test_a_filling_that_cannot_be_is_refused_at_its_place(old: str, new: str, says: str) -> None:
    (problem,) = problems(asked(old, new))
    assert says in problem and problem.startswith("r.yaml:8:")


def test_carrier_that_reaches_the_pressure_by_itself_is_a_warning() -> None:
    (warning,) = [w for w in plan(asked("flow: 2 sccm", "flow: 5 sccm")).warnings if "alone" in w]
    assert "5 sccm alone bring the shut chamber to about" in warning and "0.9 Torr end them" in warning
    assert not [w for w in plan(asked("2 sccm", "0 sccm")).warnings if "alone" in w]


def test_more_shots_than_the_engine_takes_at_once_are_refused_for_a_pulse_too() -> None:
    (problem,) = problems(recipe("pulse: {precursor: TMA, time: 15 ms, times: 500, every: 1 s}\npurge: 5 s"))
    assert "one step gives at most 127 shots of TMA" in problem
    assert not problems(recipe("pulse: {precursor: TMA, time: 15 ms, times: 127, every: 1 s}\npurge: 5 s"))


# --- the watch -------------------------------------------------------------------------------------------------------


def test_nothing_ends_a_filling_before_its_first_shot_and_nothing_ends_it_twice() -> None:
    watch = FillWatch(100.0)
    assert not watch.ends(0, 150.0, 0.0)
    assert watch.ends(1, 100.0, 0.1) and watch.reached
    assert not watch.ends(1, 150.0, 0.2) and watch.reached


def test_a_gauge_that_is_blind_for_half_a_second_ends_a_filling_unreached() -> None:
    watch = FillWatch(100.0)
    assert not watch.ends(1, None, 1.0) and not watch.ends(1, None, 1.4)
    assert not watch.ends(1, 50.0, 1.45), "one reading that can be believed begins the time anew"
    assert not watch.ends(1, None, 1.5) and not watch.ends(1, None, 1.99)
    assert watch.ends(1, None, 2.0) and not watch.reached
    assert watch.why == "the gauge could not be believed, so no further shot was given"


def test_a_filling_whose_shots_were_all_given_says_what_the_gauge_shows() -> None:
    watch = FillWatch(100.0)
    assert not watch.ends(1, 13.332, 0.0)
    assert watch.why == "after all of its shots the gauge shows 100 mTorr"


# --- the record ------------------------------------------------------------------------------------------------------


def test_shots_that_a_filled_chamber_did_not_need_are_told_from_those_that_were_not_given() -> None:
    doses = tuple(Dose("TMA", "TMA", 2 * i + 1, i * 10**9, 10**7) for i in range(3))
    intents = [Intent(i, 0.0, i, i + 1, "deposit", "fill", doses) for i in range(2)]
    edges = [
        EdgeRow(half, edge, half + 1, 0, 1000 * edge, 1000 * edge, 1000 * edge, "TMA" * on, "TMA" * (not on), "TMA")
        for half in range(2)
        for edge, on in ((1, True), (2, False))
    ]
    rows = dose_table(intents, edges, set(), {}, filled=frozenset({1}))
    assert [row.state for row in rows] == ["confirmed", "not given", "not given", "confirmed"] + ["not needed"] * 2
