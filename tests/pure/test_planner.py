"""From recipe to plan: words, times and flows; and what load, lithium, rack, zones and registers refuse."""

from __future__ import annotations

import dataclasses

import pytest

from ald_controller.config import Tool
from ald_controller.plan import FlowStep, HeatStep, Plan, PumpStep, RepeatStep, SegmentStep, Step, WaitStep
from ald_controller.registers import Registers
from tests.recipe_bench import (
    HEAD,
    WARM,
    chemistry,
    loaded,
    plan,
    problems,
    recipe,
    shipped,
    simulated,
    tool,
)

TMA = "pulse: {precursor: TMA, time: 15 ms}"
WATER = "pulse: {precursor: water, time: 15 ms}"
SECOND = 1_000_000_000


def only(steps: tuple[Step, ...]) -> Step:
    (step,) = steps
    return step


def segments(steps: tuple[Step, ...]) -> list[SegmentStep]:
    out: list[SegmentStep] = []
    for step in steps:
        if isinstance(step, RepeatStep):
            out += segments(step.steps)
        elif isinstance(step, SegmentStep):
            out.append(step)
    return out


def on_silicon(text: str) -> Plan:
    return plan(text.replace("lithium foil", "silicon"), registers=loaded("silicon"))


def with_inert(gas: str) -> Tool:
    config = tool().config.model_copy(update={"inert": gas})
    return dataclasses.replace(tool(), config=config)


# --- doses as words --------------------------------------------------------------------------------------------------


def test_a_pulse_and_the_purge_after_it_are_one_segment_whose_purge_is_the_rest() -> None:
    step = only(plan(recipe(f"{TMA}\npurge: 20 s")).deposit)
    assert isinstance(step, SegmentStep)
    assert step.edges == ((0, 0b1), (15_000_000, 0))
    assert step.length_ns == 20 * SECOND + 15_000_000
    assert (step.label, step.doses[0].width_ns, step.doses[0].edge) == ("TMA 15 ms, purge 20 s", 15_000_000, 0)
    assert (step.where.line, step.where.column) == (8, 5)


def test_shots_repeat_at_their_period_and_every_opening_is_a_dose() -> None:
    step = only(plan(recipe("pulse: {precursor: TMA, time: 20 ms, times: 3, every: 1 s}\npurge: 2 s")).deposit)
    assert isinstance(step, SegmentStep)
    assert [offset for offset, _ in step.edges] == [0, 20_000_000, SECOND, 1_020_000_000, 2 * SECOND, 2_020_000_000]
    assert [d.edge for d in step.doses] == [0, 2, 4]


def test_a_purge_alone_is_a_segment_without_edges() -> None:
    step = only(plan(recipe("purge: 2 min")).deposit)
    assert isinstance(step, SegmentStep)
    assert (step.edges, step.length_ns, step.label) == ((), 120 * SECOND, "purge 2 min")


def test_an_exposure_shuts_the_stop_valve_waits_for_it_doses_holds_and_opens() -> None:
    text = recipe("repeat: {times: 2, steps: [{expose: {precursor: glycerol, pulse: 1 s, hold: 5 s, flow: 5 sccm}}]}")
    repeat = only(on_silicon(text).deposit)
    assert isinstance(repeat, RepeatStep)
    down, segment, back = repeat.steps
    assert isinstance(down, FlowStep) and isinstance(segment, SegmentStep) and isinstance(back, FlowStep)
    stop, glycerol = 1 << 6, 1 << 3
    assert segment.edges == ((0, stop), (SECOND, stop | glycerol), (2 * SECOND, stop), (7 * SECOND, 0))
    assert segment.doses[0].edge == 1 and segment.doses[0].open_ns == SECOND
    assert (down.flows_sccm, down.settle_s > 0) == ({"carrier": 5.0}, True)
    assert back.flows_sccm == {"carrier": 20.0}


def test_without_a_hold_the_last_close_and_the_opening_of_the_stop_valve_are_one_edge() -> None:
    step = segments(on_silicon(recipe("expose: {precursor: glycerol, pulse: 1 s, hold: 0 s, flow: 5 sccm}")).deposit)[0]
    assert step.edges[-1] == (2 * SECOND, 0)
    assert len(step.edges) == 3
    assert [o for o, _ in step.edges] == sorted({o for o, _ in step.edges})


def test_the_flow_of_an_exposure_is_the_whole_flow_of_which_a_pushed_source_takes_its_share() -> None:
    text = recipe("repeat: {times: 2, steps: [{expose: {precursor: LTB, pulse: 1 s, hold: 5 s, flow: 8 sccm}}]}")
    repeat = only(plan(text).deposit)
    assert isinstance(repeat, RepeatStep)
    down, back = repeat.steps[0], repeat.steps[2]
    assert isinstance(down, FlowStep) and down.flows_sccm == {"carrier": 3.0, "pusher": 5.0}
    assert isinstance(back, FlowStep) and back.flows_sccm == {"carrier": 20.0, "pusher": 0.0}


def test_a_plain_pulse_of_a_pushed_source_is_pushed_while_it_doses_and_not_after() -> None:
    repeat = only(plan(recipe("repeat: {times: 2, steps: [{pulse: {precursor: LiOtBu, time: 1 s}}]}")).deposit)
    assert isinstance(repeat, RepeatStep)
    on, segment, off = repeat.steps
    assert isinstance(on, FlowStep) and on.flows_sccm == {"pusher": 5.0} and on.settle_s > 0
    assert isinstance(segment, SegmentStep) and segment.edges[0] == (0, 1 << 2)
    assert isinstance(off, FlowStep) and off.flows_sccm == {"pusher": 0.0}


def test_a_loose_exposure_is_one_turn_so_that_no_stop_leaves_its_flow_behind() -> None:
    made = on_silicon(recipe("expose: {precursor: glycerol, pulse: 1 s, hold: 5 s, flow: 5 sccm}"))
    assert isinstance(only(made.deposit), RepeatStep)


def test_finish_begins_with_known_flows_because_it_may_follow_half_an_exposure() -> None:
    first = plan(recipe(TMA)).finish[0]
    assert isinstance(first, FlowStep)
    assert first.flows_sccm == {"carrier": 20.0, "pusher": 0.0}


def test_pumping_down_begins_without_the_flow_that_an_earlier_run_left() -> None:
    first, second = plan(shipped("trial-ligl.yaml")).prepare[:2]
    assert isinstance(first, FlowStep) and first.flows_sccm == {"carrier": 0.0}
    assert isinstance(second, PumpStep)


def test_every_segment_of_every_shipped_recipe_begins_and_ends_in_rest_and_opens_one_source() -> None:
    mask = tool().config.source_mask
    for name in ("ligl-on-lithium.yaml", "bilayer-50mld-50ald-on-lithium.yaml", "alumina-on-lithium.yaml"):
        for segment in segments(plan(shipped(name)).deposit):
            offsets = [offset for offset, _ in segment.edges]
            assert offsets == sorted(set(offsets))
            assert not segment.edges or segment.edges[-1][1] == 0
            assert segment.length_ns >= max(offsets, default=0)
            assert all((word & mask).bit_count() <= 1 for _, word in segment.edges)


# --- doses that are refused ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ("pulse: {precursor: TMA, time: 1.5 s}", "8:35: 1.5 s is longer than TMA may be open at once, 1 s"),
        ("pulse: {precursor: TMA, time: 5 ms}", "8:35: '5 ms' is out of range: between 0.01 s and 60 s"),
        ("pulse: {precursor: TMA, time: 1 s, times: 2}", "'times' needs 'every'"),
        ("pulse: {precursor: TMA, time: 1 s, every: 2 s}", "'every' goes with 'times' above 1"),
        ("pulse: {precursor: TMA, time: 1 s, times: 2, every: 1 s}", "must leave the valve shut between shots"),
        ("pulse: {precursor: TDMAT, time: 1 s}", "8:24: no bottle of TDMAT hangs at this tool (there is: TMA at TMA,"),
        ("expose: {precursor: TMA, pulse: 1 s, hold: 5 s}", "'flow' is missing here"),
    ],
)
def test_a_dose_that_the_tool_cannot_or_should_not_give_is_refused(step: str, says: str) -> None:
    found = problems(recipe(step))
    assert len(found) == 1
    assert says in found[0]


def test_published_long_doses_are_accepted() -> None:
    assert problems(recipe("pulse: {precursor: LiOtBu, time: 12 s}")) == []
    assert "longer than LiOtBu may be open" in problems(recipe("pulse: {precursor: LiOtBu, time: 13 s}"))[0]


def test_opposite_kinds_without_time_between_them_are_refused_at_the_purge() -> None:
    found = problems(recipe(f"{TMA}\npurge: 500 ms\n{WATER}\npurge: 5 s"))
    assert found == [
        "r.yaml:9:12: only 0.5 s between TMA (metal-organic) and water (protic): they react, and this tool keeps every "
        "source shut for at least 1 s between them; purge for longer"
    ]
    assert "r.yaml:9:12: only 0 s between TMA" in problems(recipe(f"{TMA}\n{WATER}"))[0]


def test_opposite_kinds_meet_at_the_seam_between_two_turns_of_a_repeat_too() -> None:
    text = recipe(f"repeat: {{times: 2, steps: [{{{TMA}}}, {{purge: 5 s}}, {{{WATER}}}, {{purge: 100 ms}}]}}")
    assert ["only 0.1 s between water" in p for p in problems(text)] == [True]
    assert problems(text.replace("times: 2", "times: 1")) == []


def test_doses_of_the_same_kind_may_follow_each_other_at_once() -> None:
    assert problems(recipe(f"{TMA}\npulse: {{precursor: LiOtBu, time: 1 s}}\n{TMA}")) == []


def test_one_source_that_never_shuts_is_refused_however_it_is_written() -> None:
    (said,) = problems(recipe(f"{TMA}\n{TMA}"))
    assert said.endswith("TMA is opened again as soon as it has shut, which makes one long dose of two: "
                         "put a purge between them, or use times and every")  # fmt: skip
    assert len(problems(recipe("repeat: {times: 100, steps: [{pulse: {precursor: TMA, time: 1 s}}]}"))) == 1
    assert problems(recipe(f"{TMA}\npurge: 10 ms\n{TMA}")) == []


def test_a_dose_without_carrier_is_refused() -> None:
    text = recipe(TMA, prepare="prepare: []\n")
    assert "no carrier flows at this dose" in problems(text)[0]


def test_finish_opens_no_source_because_it_also_runs_after_a_stop() -> None:
    text = recipe(TMA, finish=f"finish: [{{{TMA}}}]\n")
    assert "finish runs after a stop and after an expired hold too" in problems(text)[0]


def test_a_repeat_must_end_as_it_began() -> None:
    text = recipe("repeat: {times: 2, steps: [{flow: {carrier: 10 sccm}}, {purge: 1 s}]}")
    assert "a repeat must end with the carrier flow and the temperatures" in problems(text)[0]
    assert problems(text.replace("times: 2", "times: 1")) == []


def test_a_precursor_at_two_ports_is_refused_because_it_is_not_clear_which_doses() -> None:
    two = loaded("lithium").set("bottle.spare", "{label: x, precursor: TMA}", "Ann", "now", chemistry())
    assert "TMA hangs at TMA and spare: which one doses is not clear" in problems(recipe(TMA), registers=two)[0]


# --- lithium ---------------------------------------------------------------------------------------------------------


def test_165_degrees_are_refused_over_lithium_and_accepted_over_silicon() -> None:
    hot = WARM.replace("substrate: 120 °C", "substrate: 165 °C")
    found = problems(recipe(TMA, prepare=hot))
    assert found == [
        "r.yaml:6:23: 165 °C on 'substrate' is above the 150 °C that any zone which touches lithium may be set to "
        "(lithium melts at 180.5 °C)"
    ]
    head = HEAD.replace("lithium foil", "silicon")
    assert problems(recipe(TMA, prepare=hot, head=head), registers=loaded("silicon")) == []


def test_sodium_and_potassium_have_their_own_lower_limits() -> None:
    head = HEAD.replace("lithium foil", "sodium foil")
    assert (
        "120 °C on 'substrate' is above the 70 °C that sodium stands (melts at 97.8 °C)"
        in problems(recipe(TMA, head=head), registers=loaded("Na"))[0]
    )


def test_a_recipe_may_lower_the_limit_of_its_substrate_but_never_raise_it() -> None:
    head = HEAD.replace("lithium foil", "{material: lithium foil, limit: 100 °C}")
    assert (
        "120 °C on 'substrate' is above the 100 °C that the recipe itself states" in problems(recipe(TMA, head=head))[0]
    )
    head = HEAD.replace("lithium foil", "{material: lithium foil, limit: 300 °C}")
    hot = WARM.replace("120 °C", "160 °C")
    assert len(problems(recipe(TMA, head=head, prepare=hot))) == 2


def test_lithium_takes_argon_alone() -> None:
    found = problems(recipe(TMA), at=with_inert("nitrogen"))
    assert "lithium takes argon alone" in found[0]
    head = HEAD.replace("lithium foil", "silicon")
    assert problems(recipe(TMA, head=head), at=with_inert("nitrogen"), registers=loaded("silicon")) == []


def test_the_first_dose_on_bare_lithium_is_no_protic_one() -> None:
    text = recipe(f"{WATER}\npurge: 20 s\n{TMA}\npurge: 20 s")
    assert "r.yaml:8:12: the first dose on bare lithium is water (protic)" in problems(text)[0]
    assert problems(text.replace("lithium foil", "silicon"), registers=loaded("silicon")) == []


def test_what_attacks_lithium_is_refused_over_it() -> None:
    rack = loaded("lithium").set("bottle.spare", "{label: x, precursor: NH3}", "Ann", "now", chemistry())
    text = recipe(f"{TMA}\npurge: 20 s\npulse: {{precursor: ammonia, time: 100 ms}}\npurge: 20 s")
    assert "ammonia may not be dosed over lithium" in problems(text, registers=rack)[0]


# --- heat ------------------------------------------------------------------------------------------------------------


def heats(made: Plan) -> list[HeatStep]:
    return [s for s in (*made.prepare, *made.finish) if isinstance(s, HeatStep)]


def test_the_line_follows_the_hottest_bottle_first_on_the_way_up_and_last_on_the_way_down() -> None:
    up, _, down = heats(plan(shipped("ligl-on-lithium.yaml")))
    assert list(up.targets_c.items()) == [("lines", 165.0), ("source-3", 150.0), ("source-4", 130.0)]
    assert list(down.targets_c)[-1] == "lines"
    assert down.targets_c["lines"] == 55.0


def test_a_line_cannot_be_set_and_cannot_be_driven_above_its_limit() -> None:
    line = WARM.replace("chamber: 120 °C", "lines: 100 °C")
    assert "'lines' follows the hottest bottle by 15 K by itself" in problems(recipe(TMA, prepare=line))[0]
    zones = dict(tool().config.zones)
    zones["lines"] = zones["lines"].model_copy(update={"limit": 140.0})
    cold = dataclasses.replace(tool(), config=tool().config.model_copy(update={"zones": zones}))
    hot = WARM.replace("chamber: 120 °C", "LiOtBu: 130 °C")
    assert "needs its line at 145 °C, but 'lines' may go to 140 °C" in problems(recipe(TMA, prepare=hot), at=cold)[0]


def test_when_the_last_bottle_is_off_the_line_is_off() -> None:
    finish = "finish: [{heat: {sources: off, substrate: off, chamber: standby}}]\n"
    down = heats(
        plan(recipe(TMA, prepare=WARM.replace("chamber: 120", "LiOtBu: 140 °C, chamber: 140"), finish=finish))
    )[-1]
    assert down.targets_c == {"source-3": None, "substrate": None, "chamber": 50.0, "lines": None}


@pytest.mark.parametrize(
    ("heat", "says"),
    [
        ("{TMA: 30 °C}", "TMA hangs at port TMA, which has no heater: write 'room'"),
        ("{lid: 30 °C}", "'lid' is neither a zone nor a precursor at this tool"),
        ("{LiOtBu: 181 °C}", "181 °C is above the limit of 'source-3', 180 °C"),
        ("{glycerol: 165 °C}", "above what a bottle of glycerol may be set to, 160 °C"),
        ("{substrate: 100 °C, ramp: 30 K/min}", "'substrate' may change by at most 6 K/min"),
        ("{source-3: 100 °C, LiOtBu: 110 °C}", "the zone 'source-3' gets two targets in one step"),
        ("{ramp: 3 K/min}", "nothing to heat"),
        ("{substrate: warm}", "'warm' is not a temperature"),
        ("{DEZ: 30 °C}", "no bottle of DEZ hangs at this tool"),
    ],
)
def test_a_target_that_the_tool_does_not_have_or_stand_is_refused(heat: str, says: str) -> None:
    found = problems(recipe(TMA, prepare=WARM + f"  - heat: {heat}\n"))
    assert len(found) == 1
    assert says in found[0]


def test_waiting_knows_the_zones_it_waits_for() -> None:
    wait = next(s for s in plan(shipped("trial-ligl.yaml")).prepare if isinstance(s, WaitStep))
    assert set(wait.zones) == {"substrate", "chamber", "source-3", "source-4", "lines"}
    assert (wait.within_k, wait.stay_s, wait.below_c) == (1.0, 5.0, None)


def test_a_wait_that_can_never_end_is_refused() -> None:
    never = WARM + "  - wait: {for: substrate, below: 60 °C, timeout: 1 h, else: hold}\n"
    assert "held at 120 °C, so it never falls below 60 °C" in problems(recipe(TMA, prepare=never))[0]
    wait = "wait: {for: temperatures, within: 1 K, stay: 1 s, timeout: 1 h, else: hold}"
    cold = f"prepare:\n  - flow: {{carrier: 20 sccm}}\n  - {wait}\n"
    assert "no zone has a target yet" in problems(recipe(TMA, prepare=cold))[0]


# --- needs, films, figures -------------------------------------------------------------------------------------------


def test_a_need_that_nobody_has_recorded_is_not_met_and_says_what_to_do() -> None:
    nothing = Registers().set("load", "{material: lithium}", "Ann", "now", chemistry())
    found = problems(shipped("ligl-on-lithium.yaml"), registers=nothing)
    says = "\n".join(found)
    assert "the leak rate is not known; measure it, then: ald register set leak '2 mTorr/min' --by YOU" in says
    assert "the chamber is not recorded as seasoned" in says
    assert "no bottle of LiOtBu hangs at this tool (there is: nothing)" in says


def test_a_need_that_is_not_met_is_refused_with_both_figures() -> None:
    worse = loaded("lithium").set("leak", "6 mTorr/min", "Ann", "now", chemistry())
    worse = worse.set("bottle.LTB", "{label: x, precursor: LTB, grams: 500 mg}", "Ann", "now", chemistry())
    found = problems(shipped("ligl-on-lithium.yaml"), registers=worse)
    assert "the leak was measured as 6 mTorr/min, not below 5 mTorr/min" in found[0]
    assert "0.5 g of LiOtBu are left at LTB, the recipe needs 1 g" in found[1]


def test_a_target_that_the_cycles_miss_by_more_than_a_tenth_is_a_warning() -> None:
    ligl = shipped("ligl-on-lithium.yaml")
    assert not any("cycles of LiGL" in w for w in plan(ligl).warnings)
    assert any(
        "50 cycles of LiGL at 150 °C give 135 nm, not 162 nm" in w
        for w in plan(ligl, parameters={"cycles": "50"}).warnings
    )


def test_the_stack_is_proven_from_the_steps_and_two_readings_are_both_shown() -> None:
    text = shipped("bilayer-50mld-50ald-on-lithium.yaml")
    made = plan(text)
    assert [(layer.film, layer.cycles, layer.at_c) for layer in made.layers] == [
        ("Al2O3", 50, 120.0),
        ("AlEG", 50, 120.0),
    ]
    assert made.layers[0].readings[0].nm == pytest.approx(6.69, abs=0.01)
    assert [r.nm for r in made.layers[1].readings] == pytest.approx([8.17, 25.0], abs=0.01)
    assert made.thickness_nm == pytest.approx(31.69, abs=0.01)
    assert any("8.17 nm" in w and "25 nm" in w for w in made.warnings)
    swapped = (
        text.replace("film: Al2O3", "film: X").replace("film: AlEG", "film: Al2O3").replace("film: X", "film: AlEG")
    )
    assert "from the substrate upwards: Al2O3, AlEG" in problems(swapped)[0]


def test_a_laminate_is_counted_film_by_film() -> None:
    inner = f"[{{repeat: {{times: 2, steps: [{{{TMA}}}, {{purge: 9 s}}, {{{WATER}}}, {{purge: 9 s}}]}}}}, "
    glycol = "{pulse: {precursor: EG, time: 1 s}}"
    inner += f"{{repeat: {{times: 3, steps: [{{{TMA}}}, {{purge: 9 s}}, {glycol}, {{purge: 9 s}}]}}}}]"
    made = plan(recipe(f"repeat: {{times: 4, name: super, steps: {inner}}}"))
    assert [(layer.film, layer.cycles) for layer in made.layers] == [("Al2O3", 2), ("AlEG", 3)] * 4
    assert (made.cycles, made.doses) == (4, 4 * 2 * 5)


def test_the_figures_of_the_plan_are_those_of_the_recipe() -> None:
    made = plan(shipped("ligl-on-lithium.yaml"))
    assert (made.cycles, made.doses, made.shortest_dose_ns, made.thickness_nm) == (60, 120, SECOND, 162.0)
    assert made.lithium and made.lithium_zones_max_c == 150.0
    assert made.rack["LTB"] == "LiOtBu"
    assert made.parameters == {"cycles": "60", "li_dose": "1 s", "gl_dose": "1 s", "soak": "5 s"}
    cycle_s = 2 + 7 + 20 + 2 + 7 + 30
    assert 60 * cycle_s + 600 + 1800 < made.duration_s < 60 * cycle_s + 600 + 1800 + 3 * 3600


def test_the_estimate_of_time_takes_the_temperatures_of_now() -> None:
    from ald_controller.planner import make_plan
    from ald_controller.yamlfile import parse
    from tests.recipe_bench import blocks

    warm = {"substrate": 150.0, "chamber": 150.0, "source-3": 150.0, "source-4": 130.0, "lines": 165.0}
    document = parse(shipped("trial-ligl.yaml"), "t.yaml")
    made = make_plan(document, tool(), loaded("lithium"), {}, chemistry(), blocks(), temperatures_c=warm)
    assert 180 < made.duration_s < 300
    assert "zones start as measured" in made.assumptions


def test_a_recipe_that_would_take_years_is_refused() -> None:
    text = recipe("repeat: {times: 100000, steps: [{purge: 1 h}]}")
    assert "at most 60 are accepted" in problems(text)[0]


def test_what_was_assumed_is_said() -> None:
    assert plan(recipe(TMA)).assumptions[0] == "load: lithium (by Ann, 2025-05-05T08:00:00Z)"
    made = plan(recipe(TMA), registers=simulated())
    assert made.assumptions[0] == "load: not recorded, so lithium limits apply"
    assert "simulated" in made.assumptions[1]


def test_area_and_aspect_ratio_of_the_substrate_reach_the_plan() -> None:
    written = "substrate: {material: silicon, area: 20 cm2, aspect_ratio: 34.3}"
    made = plan(recipe(f"{TMA}\npurge: 20 s").replace("substrate: lithium foil", written), registers=loaded("silicon"))
    assert (made.substrate, made.substrate_area_m2, made.substrate_aspect_ratio) == ("silicon", 20e-4, 34.3)
    plain = plan(recipe(f"{TMA}\npurge: 20 s"))
    assert plain.substrate_area_m2 is None and plain.substrate_aspect_ratio is None


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("area: 0 m2", "between 1e-06 m2 and 1e+04 m2"), ("area: -2 m2", "between"), ("aspect_ratio: 0", "at least 1"),
        ("aspect_ratio: 200000", "at most 100000"), ("aspect_ratio: 2 m2", "a number is expected"),
    ],
)  # fmt: skip
def test_an_area_or_aspect_ratio_that_nothing_has_is_refused(written: str, says: str) -> None:
    text = recipe(f"{TMA}\npurge: 20 s").replace("lithium foil", f"{{material: lithium foil, {written}}}")
    (problem,) = problems(text)
    assert problem.startswith("r.yaml:2:") and says in problem


def test_a_step_that_says_where_its_figures_come_from_is_in_the_plan_once() -> None:
    purge = 'purge: {time: 20 s, provenance: "Groner 2004, 102 °C"}'
    made = plan(recipe(f"{TMA}\n{purge}\nrepeat: {{times: 9, steps: [{{{TMA}}}, {{{purge}}}]}}"))
    assert [(s.where.line, s.verb, s.provenance) for s in made.stated] == [
        (9, "purge", "Groner 2004, 102 °C"), (10, "purge", "Groner 2004, 102 °C"),
    ]  # fmt: skip


def test_a_block_heats_with_the_ramp_that_its_user_writes_and_refuses_targets_that_it_does_not_take() -> None:
    warm = "prepare: [{use: {block: standard heat-up, with: {substrate: 120 °C, chamber: 120 °C, ramp: 3 K/min}}}]\n"
    heats = [s for s in plan(recipe(f"{TMA}\npurge: 20 s", prepare=warm)).prepare if isinstance(s, HeatStep)]
    assert [round(s.ramp_k_per_s or 0, 3) for s in heats] == [0.05]
    problem, *_ = problems(recipe(f"{TMA}\npurge: 5 s", prepare=warm.replace("3 K/min", "30 K/min")))
    assert "in block 'standard heat-up': 'chamber' may change by at most" in problem
    cold = "finish: [{use: {block: standard cool-down, with: {substrate: 20 °C}}}]\n"
    (problem,) = problems(recipe(f"{TMA}\npurge: 5 s", finish=cold))
    assert problem == "r.yaml:10:44: the block 'standard cool-down' heats to its own targets: leave 'with' out"
