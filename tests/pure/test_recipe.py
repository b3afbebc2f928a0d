"""The recipe language: what it takes, and what it refuses, with file, line and column."""

from __future__ import annotations

import pytest

from ald_controller.recipe import load_blocks
from ald_controller.yamlfile import Problems, parse
from tests.recipe_bench import HEAD, SHIPPED, loaded, plan, problems, recipe, shipped, simulated

LIGL = shipped("ligl-on-lithium.yaml")
TMA = "pulse: {precursor: TMA, time: 15 ms}"
WATER = "pulse: {precursor: water, time: 15 ms}"


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_recipe_plans_without_a_problem(name: str) -> None:
    assert problems(shipped(name)) == []


# ▸ stands where the error must point
MISTAKES = [
    ("substrate: 150 °C", "substrate: ▸165 °C", "165 °C on 'substrate' is above the 150 °C"),
    ("chamber: 150 °C", "chamber: ▸151 °C", "151 °C on 'chamber' is above the 150 °C"),
    ("purge: 20 s", "purge: ▸20", "'20' has no unit: write one of s, ms, min, h, for example '20 s'"),
    ("times: $cycles", "times: ▸010", "a whole number is expected, without leading zeros"),
    ("times: $cycles", "times: ▸1:30", "a whole number is expected"),
    ("times: $cycles", "times: ▸NO", "a whole number is expected"),
    ("times: $cycles", "times: ▸.nan", "a whole number is expected"),
    ("times: $cycles", "times: ▸0", "0 is out of range: a whole number from 1 to 100000"),
    ("times: $cycles", "times: ▸$cycle", "there is no parameter 'cycle'; this recipe has: cycles, "),
    ("times: $cycles", "times: ▸$soak", "a whole number is expected"),
    ("purge: 30 s", "purge: ▸1:30", "'1:30' is not a time: write a number and a unit"),
    ("purge: 30 s", "purge: ▸.inf", "'.inf' is not a time"),
    ("purge: 30 s", "purge: ▸-3 s", "'-3 s' is out of range"),
    ("purge: 30 s", "purge: ▸2e1 s", "'2e1 s' is not a time"),
    ("purge: 30 s", "purge: ▸1+1 s", "'1+1 s' is not a time"),
    ("purge: 30 s", "purge: ▸30 sccm", "'sccm' is not a unit of time"),
    ("purge: 30 s", "▸purg: 30 s", "'purg' is not a verb; recipes know: pump, flow, heat"),
    ("purge: 10 min", "▸vent: {with: argon}", "'vent' belongs to procedures and is no verb of a recipe"),
    ("purge: 10 min", "▸pulse out: {}", "'pulse out' belongs to procedures"),
    ("purge: 10 min", "purge: {time: 1 s, and: ▸x, timeout: 1 s, else: hold}", "'pressure below 1.05 base' or"),
    ("purge: 10 min", "▸{purge: 10 min, flow: {}}", "one step is expected"),
    ("stay: 30 min", "stay: 30 min, ▸stays: 1 s", "unknown key 'stays'"),
    ("else: alarm", "else: ▸alarms", "'alarms' is not one of: hold, finish, alarm"),
    ("{for: substrate, below: 60 °C, timeout: 6 h, else: alarm}", "▸{for: substrate, below: 60 °C, timeout: 6 h}",
     "'else' is missing here"),
    ("{for: substrate", "▸{for: pressure", "a recipe waits for a pressure with 'pump'"),
    ("for: substrate", "for: ▸lid", "there is nothing called 'lid' to wait for; there are: temperatures"),
    ("carrier: 20 sccm", "carrier: ▸200 sccm", "above the carrier controller's full scale, 100 sccm"),
    ("glycerol, pulse", "▸glycerine_, pulse", "no precursor 'glycerine_'; did you mean 'glycerine'?"),
    ("glycerol: 130 °C", "glycerol: ▸170 °C", "170 °C is above what a bottle of glycerol may be set to, 160 °C"),
    ("film: LiGL", "film: ▸Al2O3", "the steps deposit LiGL, not Al2O3"),
    ("substrate: lithium foil", "substrate: ▸lithum", "not in the table of materials; did you mean"),
    ("name: LiGL", "name: ▸[LiGL]", "text is expected"),
    ("name: LiGL", 'name: ▸"a\\e[2J"', "'a\\x1b[2J' is no name that can be typed after --at"),
    ("name: LiGL", 'name: ▸"  "', "'  ' is no name that can be typed after --at"),
    ("- purge: 20 s", "- ▸&a purge: 20 s", "anchors and aliases (& and *) are not allowed"),
    ("{default: 60,", "▸{default: 600,", "the default 600 is not between min 1 and max 200"),
    ("{default: 60,", "▸{default: 60 s,", "default, min and max are whole numbers, or quantities"),
    ("provenance:", "▸provenence:", "unknown key 'provenence'"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "says"), MISTAKES)
def test_one_mistake_gives_one_error_at_its_place(old: str, new: str, says: str) -> None:
    assert old in LIGL
    marked = LIGL.replace(old, new, 1)
    before = marked[: marked.index("▸")]
    found = [p for p in problems(marked.replace("▸", "")) if "'provenance' is missing" not in p]
    assert len(found) == 1, found
    assert found[0].startswith(f"r.yaml:{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}: "), found
    assert says in found[0]


def test_a_list_of_precursors_is_refused_because_at_most_one_source_may_be_open() -> None:
    text = recipe("pulse: {precursor: [TMA, water], time: 15 ms}")
    assert problems(text) == [
        "r.yaml:8:24: one precursor is expected: at most one source may be open at any time, so doses come in turn"
    ]


def test_everything_wrong_in_one_file_is_said_at_once_in_the_order_of_the_file() -> None:
    text = LIGL
    for old, new in (
        ("substrate: 150 °C", "substrate: 165 °C"),
        ("times: $cycles", "times: 010"),
        ("purge: 20 s", "purge: 20"),
        ("precursor: glycerol", "precursor: [glycerol, water]"),
        ("precursor: LiOtBu", "precursor: LiOtBuu"),
        ("substrate: lithium foil", "substrate: silicon"),
    ):
        assert old in text
        text = text.replace(old, new, 1)
    found = problems(text)
    lines = [int(p.split(":")[1]) for p in found]
    assert lines == sorted(lines)
    says = ["the recipe is for silicon, but the load register says lithium (by Ann", "165 °C", "got '010'"]
    says += ["no precursor 'LiOtBuu'", "'20' has no unit", "one precursor is expected"]
    assert len(found) == len(says)
    for sentence, problem in zip(says, found, strict=True):
        assert sentence in problem


def test_a_substrate_that_disagrees_with_the_load_register_is_refused_at_its_line() -> None:
    found = problems(LIGL, registers=loaded("silicon"))
    assert found == [
        "r.yaml:7:12: the recipe is for lithium, but the load register says silicon (by Ann, 2025-05-05T08:00:00Z)"
    ]


def test_an_unknown_load_counts_as_lithium() -> None:
    assert problems(LIGL, registers=simulated()) == []
    text = LIGL.replace("substrate: lithium foil", "substrate: silicon").replace("chamber: 150", "chamber: 200")
    found = problems(text, registers=simulated())
    assert "unknown counts as lithium: ald register set load '{material: silicon}' --by YOU" in found[0]
    assert "200 °C on 'chamber' is above the 150 °C" in found[1]


def test_a_parameter_given_at_the_start_stays_in_the_approved_range() -> None:
    assert plan(LIGL, parameters={"cycles": "75"}).cycles == 75
    assert plan(LIGL, parameters={"li_dose": "250 ms"}).shortest_dose_ns == 250_000_000
    assert (
        "cycles: 201 is outside of its approved range, from 1 to 200" in problems(LIGL, parameters={"cycles": "201"})[0]
    )
    assert "'2' has no unit" in problems(LIGL, parameters={"li_dose": "2"})[0]
    assert "'60 s' is not a whole number" in problems(LIGL, parameters={"cycles": "60 s"})[0]
    assert "there is no parameter 'cycls'" in problems(LIGL, parameters={"cycls": "6"})[0]


def test_a_parameter_that_is_wrong_is_said_once_and_not_again_where_it_is_used() -> None:
    text = LIGL.replace("{default: 5 s, min: 0 s,   max: 30 s}", "{default: 5, min: 0 s, max: 30 s}")
    assert text != LIGL
    found = problems(text)
    assert len(found) == 1
    assert "default, min and max are whole numbers, or quantities of one kind" in found[0]


def test_a_parameter_that_no_step_uses_is_a_warning() -> None:
    text = LIGL.replace("hold: $soak", "hold: 5 s")
    assert any("no step uses the parameter 'soak'" in w for w in plan(text).warnings)


def test_a_procedure_is_no_recipe() -> None:
    assert "this is a procedure, not a recipe" in problems("procedure: change-bottle\nsteps: []\n")[0]


def test_a_define_is_unfolded_and_a_define_that_contains_itself_is_refused() -> None:
    head = HEAD + f"define:\n  half: [{{{TMA}}}, {{purge: 10 s}}, {{{WATER}}}, {{purge: 20 s}}]\n"
    assert plan(recipe("repeat: {times: 3, steps: half}", head=head)).doses == 6
    head = HEAD + "define:\n  a: [{repeat: {times: 2, steps: b}}]\n  b: [{repeat: {times: 2, steps: a}}]\n"
    assert "'a' contains itself" in problems(recipe("repeat: {times: 2, steps: a}", head=head))[0]
    assert (
        "or the name of one of the recipe's defines (there are: none)"
        in problems(recipe("repeat: {times: 2, steps: a}"))[0]
    )


def test_a_repeat_has_another_name_than_those_around_it_and_may_have_that_of_one_beside_it() -> None:
    def named(inner: str) -> str:
        return f"repeat: {{times: 1, name: {inner}, steps: [{{purge: 5 s}}]}}"

    assert problems(recipe(f"{named('a')}\n{named('a')}")) == []
    (problem,) = problems(recipe(f"repeat: {{times: 2, name: a, steps: [{{{named('b')}}}, {{{named('a')}}}]}}"))
    assert "a repeat around this one is 'a' too" in problem and "rename one" in problem


def test_defines_cannot_unfold_into_more_than_can_be_checked() -> None:
    levels = "".join(f"  d{i}: [{', '.join([f'{{repeat: {{times: 2, steps: d{i + 1}}}}}'] * 8)}]\n" for i in range(8))
    head = HEAD + f"define:\n{levels}  d8: [{{purge: 1 s}}]\n"
    assert any(
        "unfolds into more than 50000 steps" in p for p in problems(recipe("repeat: {times: 1, steps: d0}", head=head))
    )


def test_what_is_wrong_in_a_block_names_the_line_that_uses_it() -> None:
    text = LIGL.replace("- purge: 10 min", "- use: {block: standard heat-up, with: {substrate: 165 °C, lid: 20 °C}}")
    line = text[: text.index("- use")].count("\n") + 1
    found = problems(text)
    assert found[0].startswith(f"r.yaml:{line}:54: in block 'standard heat-up': 165 °C on 'substrate'")
    assert "'lid' is neither a zone nor a precursor" in found[1]
    assert len(found) == 2
    assert (
        "no block 'standard'; there are: standard cool-down, standard heat-up"
        in problems(LIGL.replace("- purge: 10 min", "- use: {block: standard}"))[0]
    )


def test_a_mistake_of_the_block_itself_is_said_at_the_use(tmp_path: object) -> None:
    broken = parse("block: b\nsteps: [{purge: 5}, {use: {block: b}}]", "b.yaml")
    text = LIGL.replace("- purge: 10 min", "- use: {block: b}")
    line = text[: text.index("- use")].count("\n") + 1
    found = problems(text, extra={"b": broken})
    assert found[0] == f"r.yaml:{line}:5: in block 'b': '5' has no unit: write one of s, ms, min, h, for example '20 s'"
    assert any("'block b' contains itself" in p for p in found)


def test_two_blocks_of_one_name_are_refused(tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    for name in ("one", "two"):
        (folder / f"{name}.yaml").write_text("block: same\nsteps: [{purge: 5 s}]\n", "utf-8")
    with pytest.raises(Problems, match="there are two blocks 'same'"):
        load_blocks(folder)


def test_an_override_of_provenance_is_kept_with_its_value() -> None:
    assert problems(recipe(f"{TMA}\npurge: {{time: 20 s, provenance: measured here}}")) == []


def test_a_key_without_a_value_is_not_taken_for_one_that_was_left_out() -> None:
    for old, new in (
        ("{precursor: TMA, time: 15 ms}", "{precursor: TMA, time: 15 ms, every: }"),
        ("time: 15 ms", "time: ~"),
    ):
        text = recipe("pulse: {precursor: TMA, time: 15 ms}\npurge: 20 s").replace(old, new)
        (problem,) = problems(text)
        assert problem.startswith("r.yaml:8:") and "nothing stands here: write a value, or leave the key out" in problem
    (problem,) = problems(recipe("purge: 5 s", head="recipe: t\ntitle:\nsubstrate: lithium foil\nprovenance: none\n"))
    assert problem == "r.yaml:2:7: nothing stands here: write a value, or leave the key out"
    (problem,) = problems(recipe("purge: 5 s", finish="finish: [{use: {block: standard cool-down, with: }}]\n"))
    assert "nothing stands here" in problem
