"""How a source delivers, from the tool file over the plan to what the valve engine takes and writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from ald_controller.config import Tool, load_tool
from ald_controller.engineconfig import engine_config
from ald_controller.plan import Plan, SegmentStep
from ald_controller.records.doses import EdgeRow, Intent, dose_table
from ald_controller.valves.engine import Engine
from ald_controller.valves.wire import Anchored, Beat, Clear, Ended, Load, Refused, Segment, SegmentId, State
from ald_controller.walk import walk
from ald_controller.yamlfile import Problems
from tests import recipe_bench
from tests.recipe_bench import HEAD, ROOT, chemistry, loaded, problems

MS, S = 1_000_000, 1_000_000_000
TMA, GL, EG, SPARE, STOP = 1, 8, 16, 32, 64
COIL = "at_zero: closed, at_power_loss: closed}"


def tool_with(tmp_path: Path, *changes: tuple[str, str]) -> Tool:
    """The reference tool with some of its lines written otherwise."""
    text = (ROOT / "deploy" / "tool.yaml").read_text("utf-8")
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = tmp_path / "tool.yaml"
    path.write_text(text, "utf-8")
    return load_tool(path)


GL_PORT = "GL:    {outputs: [GL],"
NO_SPARE = ("  spare: {outputs: [spare]}\n", "")
FILLED = (GL_PORT, f"{GL_PORT} delivery: filled, fill: {{outputs: [spare], time: 2 s}},")
BY_PASS = (
    "spare:           {coil: 5, role: source, energised: opens, at_zero: closed, at_power_loss: closed}",
    "spare:           {coil: 5, role: by-pass, energised: closes, at_zero: open, at_power_loss: open}",
)
BUBBLED = (GL_PORT, "GL:    {outputs: [GL, EG, spare], delivery: bubbled,")
NO_EG = ("  EG:    {outputs: [EG], zone: source-5}\n", "")
SLOW_TMA = ("TMA:             {coil: 0,", "TMA:             {opening: 12 ms, closing: 5 ms, shortest: 20 ms, coil: 0,")
FAST_TMA = ("TMA:             {coil: 0,", "TMA:             {opening: 5 ms, closing: 9 ms, coil: 0,")


def recipe(deposit: str) -> str:
    """A small recipe on silicon."""
    return recipe_bench.recipe(deposit, head=HEAD.replace("lithium foil", "silicon"))


def plan(text: str, *, at: Tool) -> Plan:
    return recipe_bench.plan(text, at=at, registers=loaded("silicon"))


def segments(made: Plan) -> list[SegmentStep]:
    return [leaf for _, leaf in walk(made, "deposit") if isinstance(leaf, SegmentStep)]


def written(tool: Tool, made: Plan) -> list[tuple[int, int]]:
    """What the real engine writes for this plan: (ns since the first word, word); every segment is taken."""
    engine = Engine(engine_config(tool, loaded("silicon"), chemistry()))
    words, now, beats, told = [], 0, 0, []
    engine.hear(0, State("VACUUM"))
    engine.hear(0, Beat(0, 0xFF))
    engine.hear(0, Clear())
    for half, step in enumerate(segments(made)):
        engine.hear(0, Load(Segment(SegmentId("r", 1, half), step.edges, step.length_ns)))
        told += engine.reports()
    assert not [each for each in told if isinstance(each, Refused)]
    assert [each for each in told if isinstance(each, Anchored)]
    while engine.running is not None:
        while (write := engine.step(now)) is not None:
            words.append((now, write.word))
            write.settled = True
        told += engine.reports()
        now = min(engine.next_edge_at() or now, now + 100 * MS)
        beats += 1
        engine.hear(now, Beat(beats, 0xFF))
    assert len([each for each in told if isinstance(each, Ended)]) == len(segments(made))
    return [(at_ns - words[0][0], word) for at_ns, word in words]


def test_a_filled_source_fills_its_volume_shuts_it_and_lets_it_out(tmp_path: Path) -> None:
    tool = tool_with(tmp_path, NO_SPARE, FILLED)
    made = plan(recipe("pulse: {precursor: glycerol, time: 1 s}\npurge: 20 s"), at=tool)
    assert written(tool, made) == [
        (0, SPARE), (2 * S, 0), (2 * S + 100 * MS, GL), (3 * S + 100 * MS, 0),
    ]  # fmt: skip
    (dose,) = segments(made)[0].doses
    assert (dose.edge, dose.open_ns, dose.width_ns) == (2, 2 * S + 200 * MS, S)
    assert segments(made)[0].length_ns == 23 * S + 200 * MS


def test_an_exposure_of_a_filled_source_fills_behind_the_shut_stop_valve_before_each_shot(tmp_path: Path) -> None:
    tool = tool_with(tmp_path, NO_SPARE, FILLED)
    step = "expose: {precursor: glycerol, pulse: 500 ms, times: 2, every: 3 s, hold: 0 s, flow: 5 sccm}"
    words = written(tool, plan(recipe(step), at=tool))
    assert [word for _, word in words] == [
        STOP, STOP | SPARE, STOP, STOP | GL, STOP, STOP | SPARE, STOP, STOP | GL, 0,
    ]  # fmt: skip
    assert words[5][0] - words[1][0] == 3 * S


def test_shots_of_a_filled_source_leave_time_to_fill(tmp_path: Path) -> None:
    tool = tool_with(tmp_path, NO_SPARE, FILLED)
    said = problems(
        recipe("pulse: {precursor: glycerol, time: 500 ms, times: 2, every: 2 s}"), at=tool, registers=loaded("silicon")
    )
    assert said == [
        "r.yaml:8:65: each shot from GL fills its volume for 2 s first: 2.7 s at least from one to the next"
    ]


def test_a_bubbled_source_opens_inlet_and_outlet_and_shuts_its_by_pass(tmp_path: Path) -> None:
    tool = tool_with(tmp_path, NO_SPARE, NO_EG, BY_PASS, BUBBLED)
    made = plan(recipe("pulse: {precursor: glycerol, time: 1 s}\npurge: 5 s"), at=tool)
    assert written(tool, made) == [(0, GL | EG | SPARE), (S, 0)]


def test_the_dose_of_a_bubbled_source_is_found_in_the_record_by_its_outputs(tmp_path: Path) -> None:
    tool = tool_with(tmp_path, NO_SPARE, NO_EG, BY_PASS, BUBBLED)
    (step,) = segments(plan(recipe("pulse: {precursor: glycerol, time: 1 s}\npurge: 5 s"), at=tool))
    edges = [
        EdgeRow(0, 0, 1, 56, 0, 10, 20, "GL, EG, spare", "", "glycerol"),
        EdgeRow(0, 1, 1, 0, S, S + 10, S + 20, "", "GL, EG, spare", ""),
    ]
    (row,) = dose_table([Intent(0, 0.0, 0, 1, "deposit", step.label, step.doses)], edges, set(), {})
    assert row.state == "confirmed" and row.sent_width_s == 1.0


# --- facts of valves -------------------------------------------------------------------------------------------------


def test_a_slow_valve_is_energised_for_longer_and_never_earlier(tmp_path: Path) -> None:
    tool = tool_with(tmp_path, SLOW_TMA)
    made = plan(recipe("pulse: {precursor: TMA, time: 15 ms}\npurge: 20 s"), at=tool)
    assert written(tool, made) == [(0, TMA), (22 * MS, 0)]
    (dose,) = segments(made)[0].doses
    assert (dose.width_ns, dose.compensation_ns) == (15 * MS, 7 * MS)
    assert segments(made)[0].length_ns == 20 * S + 22 * MS, "the purge begins when the output is off"


def test_a_valve_that_shuts_more_slowly_than_it_opens_is_energised_for_less(tmp_path: Path) -> None:
    tool = tool_with(tmp_path, FAST_TMA)
    made = plan(recipe("pulse: {precursor: TMA, time: 15 ms}\npurge: 20 s"), at=tool)
    assert written(tool, made) == [(0, TMA), (11 * MS, 0)]
    assert segments(made)[0].length_ns == 20 * S + 15 * MS, "the purge begins when the dose is over"
    assert made.shortest_dose_ns == 11 * MS, "what degraded timing judges is what the output gets"


def test_shots_keep_their_period_whatever_the_valve_needs(tmp_path: Path) -> None:
    tool = tool_with(tmp_path, SLOW_TMA)
    words = written(tool, plan(recipe("pulse: {precursor: TMA, time: 15 ms, times: 3, every: 1 s}"), at=tool))
    assert [offset for offset, word in words if word] == [0, S, 2 * S]


def test_the_longest_dose_of_a_precursor_may_be_given_with_a_slow_valve(tmp_path: Path) -> None:
    tool = tool_with(tmp_path, SLOW_TMA)
    made = plan(recipe("pulse: {precursor: TMA, time: 1 s}\npurge: 20 s"), at=tool)
    assert written(tool, made) == [(0, TMA), (S + 7 * MS, 0)]


def test_a_dose_that_its_valve_cannot_give_is_refused_at_its_time(tmp_path: Path) -> None:
    tool = tool_with(tmp_path, SLOW_TMA)
    said = problems(recipe("pulse: {precursor: TMA, time: 12 ms}"), at=tool, registers=loaded("silicon"))
    assert said == ["r.yaml:8:35: 12 ms is too short for the valve of TMA: 13 ms at least"]


def test_shots_of_a_slow_valve_leave_it_time_to_shut(tmp_path: Path) -> None:
    tool = tool_with(tmp_path, SLOW_TMA)
    text = recipe("pulse: {precursor: TMA, time: 15 ms, times: 2, every: 25 ms}")
    (said,) = problems(text, at=tool, registers=loaded("silicon"))
    assert said.endswith("its valve is energised for 22 ms and shut between shots: 32 ms at least from one to the next")


def test_a_dose_for_which_its_valve_would_not_be_energised_at_all_is_refused(tmp_path: Path) -> None:
    tool = tool_with(tmp_path, ("TMA:             {coil: 0,", "TMA:             {closing: 15 ms, coil: 0,"))
    (said,) = problems(recipe("pulse: {precursor: TMA, time: 15 ms}"), at=tool, registers=loaded("silicon"))
    assert said.endswith("15 ms is too short for the valve of TMA: 16 ms at least")


def test_a_filled_source_is_pulsed_again_without_a_purge_and_fills_after_it_has_shut(tmp_path: Path) -> None:
    tool = tool_with(tmp_path, NO_SPARE, FILLED)
    twice = "\n".join(["pulse: {precursor: glycerol, time: 1 s}"] * 2)
    words = written(tool, plan(recipe(twice), at=tool))
    assert [word for _, word in words] == [SPARE, 0, GL, 0, SPARE, 0, GL, 0]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            ((GL_PORT, f"{GL_PORT} delivery: filled,"),),
            "filled' goes with 'fill",
        ),
        (
            ((GL_PORT, f"{GL_PORT} fill: {{outputs: [spare], time: 2 s}},"),),
            "goes with 'fill",
        ),
        ((FILLED,), "'spare' belongs to port 'GL' already: each output opens one bottle"),
        (
            ((GL_PORT, f"{GL_PORT} delivery: bubbled,"),),
            "an inlet and an outlet",
        ),
        (
            (
                (
                    GL_PORT,
                    f"{GL_PORT} delivery: filled, fill: {{outputs: [stop], time: 2 s}},",
                ),
            ),
            "'stop' is not a source output of the valve module",
        ),
        ((("TMA:             {coil: 0,", "TMA:             {opening: 12, coil: 0,"),), "has no unit"),
        ((("TMA:             {coil: 0,", "TMA:             {opening: 200 ms, coil: 0,"),), "0.1"),
        ((("coil: 5, role: source,", "coil: 5, role: by-pass,"),), "a by-pass must be open at output 0"),
    ],
)
def test_a_source_that_contradicts_itself_is_refused(
    tmp_path: Path, changes: tuple[tuple[str, str], ...], says: str
) -> None:
    with pytest.raises(Problems, match=says):
        tool_with(tmp_path, *changes)
