"""Conditions on the chamber's pressure in a plan: what they come to as numbers, and which make no sense."""

from __future__ import annotations

import math

import pytest

from ald_controller.plan import FlowStep, RepeatStep, RiseStep, SegmentStep, SettleStep
from ald_controller.registers import Registers
from ald_controller.risetest import Rise
from tests.recipe_bench import WARM, loaded, plan, problems, recipe

TMA = "pulse: {precursor: TMA, time: 15 ms}"
UNTIL = "purge: {time: 20 s, and: pressure below BELOW, timeout: 5 min, else: finish}"
LEAK = "{for: leak, below: 5 mTorr/min, timeout: 12 h, else: finish}"
SECOND = 1_000_000_000


def until(below: str) -> str:
    return UNTIL.replace("BELOW", below)


def without_base() -> Registers:
    entries = {name: entry for name, entry in loaded("lithium").entries.items() if name != "constant.base"}
    return Registers(entries, simulated=True)


def test_a_purge_with_a_condition_stays_with_its_dose_and_waits_behind_it() -> None:
    segment, settle = plan(recipe(f"{TMA}\n{until('40 Pa')}")).deposit
    assert isinstance(segment, SegmentStep) and segment.length_ns == 20 * SECOND + 15_000_000
    assert isinstance(settle, SettleStep)
    assert (settle.below_pa, settle.timeout_s, settle.otherwise, settle.where.line) == (40.0, 300.0, "finish", 9)


def test_a_purge_alone_waits_behind_itself_and_so_does_one_in_a_repeat() -> None:
    (repeat,) = plan(recipe(f"repeat: {{times: 3, steps: [{until('40 Pa')}]}}")).deposit
    assert isinstance(repeat, RepeatStep)
    assert [type(step) for step in repeat.steps] == [SegmentStep, SettleStep]


def test_times_base_is_the_commissioned_pressure_of_this_flow_at_the_temperature_of_the_walls() -> None:
    (_, settle) = plan(recipe(until("1.05 base"))).deposit
    base = loaded("lithium").constants.base
    assert base is not None and isinstance(settle, SettleStep)
    assert settle.below_pa == round(1.05 * base.pa(20.0, 120.0), 3) and 37 < base.pa(20.0, 120.0) < 38
    (_, colder) = plan(recipe(until("1.05 base"), prepare=WARM.replace(", chamber: 120 °C", ""))).deposit
    assert isinstance(colder, SettleStep) and colder.below_pa == round(1.05 * base.pa(20.0, 50.0), 3)  # its standby


@pytest.mark.parametrize(("below", "says"), [
    ("1 base", "'1' times the base pressure is not between 1.01 and 10"),
    ("1.005 base", "'1.005' times the base pressure is not between 1.01 and 10"),
    ("11 base", "'11' times the base pressure is not between 1.01 and 10"),
    ("-2 base", "'-2' times the base pressure is not between 1.01 and 10"),
    ("nan base", "'nan' times the base pressure is not between 1.01 and 10"),
    ("base", "'base' is not a pressure: write a number and a unit, for example '100 mTorr'"),
    ("3", "'3' has no unit: write one of Pa, mbar, hPa, bar, Torr, mTorr, for example '100 mTorr'"),
    ("30 Pa", "30 Pa are never reached: 20 sccm alone hold this chamber at 37.5 Pa"),
])  # fmt: skip
def test_a_condition_that_says_nothing_or_cannot_come_true_is_refused(below: str, says: str) -> None:
    (found,) = problems(recipe(until(below)))
    assert found.endswith(says), found


def test_a_condition_needs_a_timeout_and_what_then() -> None:
    (found,) = problems(recipe("purge: {time: 20 s, and: pressure below 40 Pa, timeout: 5 min}"))
    assert found.startswith("r.yaml:8:12: 'and', 'timeout' and 'else' go together")
    (found,) = problems(recipe("purge: {time: 20 s, and: temperature below 40 °C, timeout: 5 min, else: hold}"))
    assert found.endswith("'pressure below 1.05 base' or 'pressure below 300 mTorr' is expected")


def test_without_a_commissioned_base_only_a_pressure_may_be_written() -> None:
    (found,) = problems(recipe(until("1.05 base")), registers=without_base())
    assert "was never commissioned (constant.base): write 'pressure below 300 mTorr'" in found
    assert not problems(recipe(until("30 Pa")), registers=without_base())


def test_a_wait_for_the_leak_is_a_rise_behind_the_shut_stop_valve() -> None:
    (step,) = plan(recipe("wait: {for: leak, below: 5 mTorr/min, timeout: 12 h, else: finish}")).deposit
    assert isinstance(step, RiseStep)
    (shut_ns, word), (open_ns, rest) = step.edges
    assert (shut_ns, rest, step.length_ns) == (0, 0, open_ns) and open_ns == 61 * SECOND and word.bit_count() == 1
    assert math.isclose(step.below_pa_per_s, 5 * 101_325 / 760 / 60_000)
    assert (step.timeout_s, step.otherwise) == (43_200.0, "finish")


def test_what_an_earlier_run_left_flowing_is_no_leak() -> None:
    text = recipe("flow: {carrier: 20 sccm}", prepare=f"prepare: [{{wait: {LEAK}}}]\n")
    off, test = plan(text).prepare
    assert isinstance(off, FlowStep) and off.flows_sccm == {"carrier": 0.0} and isinstance(test, RiseStep)


@pytest.mark.parametrize(("body", "says"), [
    ("{for: leak, timeout: 1 h, else: hold}", "'below' is missing here"),
    ("{for: leak, below: 5 Pa, timeout: 1 h, else: hold}", "'Pa' is not a unit of pressure rate"),
    ("{for: leak, below: 0 mTorr/min, timeout: 1 h, else: hold}", "'0 mTorr/min' is out of range"),
    ("{for: leak, below: 5 mTorr/min, stay: 1 s, timeout: 1 h, else: hold}", "unknown key 'stay'"),
    ("{for: pressure, below: 5 °C, timeout: 1 h, else: hold}", "waits for a pressure with 'pump', or at the end of a"),
])  # fmt: skip
def test_a_wait_for_something_else_is_refused(body: str, says: str) -> None:
    (found,) = problems(recipe(f"wait: {body}"))
    assert says in found


# --- the slope -------------------------------------------------------------------------------------------------------


def test_a_straight_rise_is_found_to_the_digit_and_noise_around_it_cancels() -> None:
    rise, noisy = Rise(), Rise()
    for i in range(240):
        rise.look(100.0 + i / 4, 0.2 + 0.03 * i / 4)
        noisy.look(100.0 + i / 4, 0.2 + 0.03 * i / 4 + (0.4 if i % 2 else -0.4))
    assert rise.pa_per_s() == pytest.approx(0.03, rel=1e-9)
    assert noisy.pa_per_s() == pytest.approx(0.03, rel=0.01)


def test_a_short_look_is_no_rise_and_a_reading_that_is_lost_begins_anew() -> None:
    rise = Rise()
    assert rise.pa_per_s() is None
    for i in range(80):
        rise.look(i / 4, 1.0)
    assert rise.pa_per_s() is None  # 19.75 s
    rise.look(20.0, 1.0)
    assert rise.pa_per_s() == 0.0
    rise.look(20.25, None)
    assert rise.pa_per_s() is None


def test_the_plan_crosses_a_process_border() -> None:
    from ald_controller.plan import PLAN

    made = plan(recipe(f"{until('40 Pa')}\nwait: {{for: leak, below: 5 mTorr/min, timeout: 12 h, else: finish}}"))
    assert PLAN.validate_json(PLAN.dump_json(made)) == made
