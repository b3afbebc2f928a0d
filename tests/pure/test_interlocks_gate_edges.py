"""Edges of the gate and of the glovebox's ranges that no other sentence walks."""

from __future__ import annotations

from dataclasses import replace

from ald_controller.interlocks import Facts, Sample
from ald_controller.interlocks.gate import Permissive, permissive_of, why_shut
from ald_controller.interlocks.glovebox_measures import one_sided, two_sided
from ald_controller.interlocks.measures import Input
from tests.interlock_bench import CONFIG, GATE, SETTING, Bench
from tests.pure.test_interlocks_glovebox_measures import BOX, samples

FACTS = Facts("IDLE", "AT_BOX", lithium=True, gate_proven_shut=True)


def why(permissive: Permissive, bench: Bench, **changed: float | None) -> tuple[str, ...]:
    """Why a gate stays shut that nothing of the interlocks keeps so."""
    return why_shut(permissive, bench.state, samples(bench.state.at_s, **changed), FACTS, 0.0)


def test_ranges_are_taken_from_where_they_begin_and_keep_their_age() -> None:
    assert one_sided(CONFIG, "coupler-b.substrate_2_c", 1.0).low == -136.75  # -100 to 1370
    assert two_sided(CONFIG, BOX, 3.0).max_age_s == 3.0


def test_what_a_gate_reads_is_found_anew_for_each_setting() -> None:
    seen = permissive_of(SETTING)
    assert seen.shut == Input(GATE[0], 0, 1) and seen.stop_open == Input("coupler-b.stop_valve_open", 0, 1)
    assert seen.delta_p is not None and seen.delta_p.max_age_s == 1.0
    sensors = ("substrate.temperature_c", "coupler-b.substrate_2_c", "chamber.temperature_c")
    assert seen.surfaces == tuple((Input(name, -20, 400, 2), 1.0) for name in sensors)


def test_a_flow_may_be_two_seconds_old() -> None:
    bench = Bench()
    bench.run(200)
    fresh, at_s = samples(bench.state.at_s), bench.state.at_s
    aged = {name: Sample(sample.value, at_s - 1.5) for name, sample in fresh.items() if name.startswith("pusher")}
    assert why_shut(permissive_of(SETTING), bench.state, fresh | aged, FACTS, 0.0) == ()


def test_what_only_bars_a_start_does_not_keep_the_gate_shut() -> None:
    bench = Bench()
    bench.values["machine.free_mib"] = 400
    bench.run(200)
    assert [cause.row for cause in bench.state.active if cause.reaction > 1] == ["K8"]
    assert why(permissive_of(SETTING), bench) == ()


def test_a_chamber_a_little_above_the_box_is_above_it() -> None:
    bench = Bench()
    bench.run(200)
    narrow = replace(permissive_of(SETTING), delta_mbar=0.5)
    (sentence,) = why(narrow, bench, **{"coupler_b.delta_p_mbar": 0.8})
    assert sentence == "the chamber is 0.8 mbar above the box, 0.5 mbar are the limit (G5)"
