"""What a proof test has to show, which inputs show it, and how its lines are judged."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from ald_controller.feeds.signed import DAY_S, RegisterFeeds
from ald_controller.interlocks import (
    MATRIX,
    Blocks,
    Facts,
    Guard,
    Hung,
    Quality,
    Reaction,
    Reset,
    RuleSet,
    Sample,
    may_start,
    permit,
)
from ald_controller.interlocks import step as scan
from ald_controller.interlocks.core import boot
from ald_controller.proof.drive import Drive, Scene, Shape, silence, together
from ald_controller.proof.lines import (
    Effect,
    Item,
    Seen,
    by_hand,
    differs,
    effect,
    first_trip,
    hands,
    items,
    judged,
    needs_button,
    not_tested,
    of_table,
    reading,
    why_not,
)
from ald_controller.proof.search import search
from ald_controller.proof.simulated import simulated_proof
from ald_controller.registers import Registers
from tests.interlock_bench import CHAMBER, CONFIG, HEALTHY, SECOND, SUBSTRATE, Bench, rules
from tests.recipe_bench import chemistry, simulated

BOTTLES = {port: Hung(port, pyrophoric=port == "TMA") for port in CONFIG.ports}
RULES = rules(bottles=BOTTLES)
IDLE = Facts("IDLE", "VACUUM", lithium=True, gate_proven_shut=True, pyrophoric=True)
NOW_S = 1000.0


def _scene() -> Scene:
    """The reference tool, idle and cold."""
    values = dict(HEALTHY) | {SUBSTRATE: 25.0, SECOND: 25.4, CHAMBER: 25.0, "valves.sequence": 55.0}
    for zone in CONFIG.zones.values():
        values[f"{zone.device}.temperature_c"] = 25.0
        values[f"{zone.device}.output_percent"] = 0.0
    values |= {f"link.{device}.bad": 0.0 for device in CONFIG.devices}
    values |= {f"register.confirmed.{port}": 1.0 for port in CONFIG.ports}
    cold = {s: v for s, v in values.items() if not (s.startswith("asked.") and s.endswith("_c"))}
    return Scene({s: Sample(v, NOW_S) for s, v in cold.items()}, IDLE, NOW_S)


SCENE = _scene()


@cache
def _drives() -> dict[Item, Drive | None]:
    """Every level of the table with what trips it, or None."""
    found: dict[Item, Drive | None] = {}
    hints: dict[object, int] = {}
    for item in items(RULES):
        kind = (type(item.check.measure), item.bit)
        found[item] = None
        for number, drive in search(item.check, item.bit, SCENE, hints.get(kind, 0)):
            if drive is not None:
                hints[kind], found[item] = number, drive
    return found


def _item(row: str, name: str, reaction: Reaction) -> Item:
    return next(i for i in items(RULES, [row]) if i.check.name == name and i.level.reaction is reaction)


def test_every_level_of_the_reference_tool_is_driven_but_those_that_take_a_day() -> None:
    left = {item.key for item, drive in _drives().items() if drive is None}
    assert left == {"G7 coupler-b.o2_ppm still 24 h", "G7 coupler-b.h2o_ppm still 24 h"}
    assert len(_drives()) > 160


def test_what_needs_a_pumped_chamber_is_driven_also_while_the_stop_valve_is_shut() -> None:
    shut = {**SCENE.samples, "asked.stop_shut": Sample(1.0, NOW_S), "asked.total_sccm": Sample(0.0, NOW_S)}
    low = [item for item in items(RULES, ["C8"]) if item.check.name == "least pressure"]
    for item in low:
        found = search(item.check, item.bit, replace(SCENE, samples=shut))
        assert any(drive is not None for _, drive in found)
    assert low


def test_every_row_that_the_rules_guard_has_a_line_or_says_why_not() -> None:
    lines = {item.row for item in items(RULES)}
    told = dict(not_tested(RULES))
    assert lines | set(told) == set(MATRIX) and not lines & set(told)
    assert all(told.values())
    rest = {row for row in told if MATRIX[row].guard is Guard.RULES}
    assert rest == {"G5", "K5", "K9", "K14"}  # the gate's lock, the start, no broker, and every row's old values


def test_a_drive_trips_its_own_level_at_its_own_time_and_none_that_asks_for_more() -> None:
    for item, drive in _drives().items():
        if drive is None:
            continue
        at = {}
        for after_s, state in SCENE.run((item.check,), drive, drive.should_s + 0.5):
            for bit, level in enumerate(item.check.levels):
                if state.watches[0].standing >> bit & 1:
                    at.setdefault((bit, level.reaction, level.limit), after_s)
        own = (item.bit, item.level.reaction, item.level.limit)
        assert at[own] == drive.should_s, item.key
        graver = [k for k in at if k[1] > item.level.reaction and k[2] > item.level.limit and at[k] <= drive.should_s]
        assert not graver, item.key


def test_a_limit_that_is_driven_by_one_value_is_driven_just_beyond_it() -> None:
    drives = {item.key: drive for item, drive in _drives().items()}
    values = {key: drive.shapes[0][1].value for key, drive in drives.items() if drive and len(drive.shapes) == 1}
    assert values["T1 chamber 170 °C"] == pytest.approx(170 - 1 + 0.5)  # the hottest place is 1 K hotter
    assert values["G2 coupler-b.o2_ppm 50 ppm"] == pytest.approx(50.25)
    assert values["G6 coupler-b.box_pressure_mbar 12 mbar for 2 s"] == pytest.approx(12.06)
    assert values["K8 machine.free_mib 524 MiB"] == pytest.approx(1024 - 524, abs=3)
    assert values["K15 register.proof_age_days 90 days"] == pytest.approx(90, abs=1)
    assert values["C1 valves.word 2"] == 3


def test_another_limit_in_the_live_table_is_not_tripped_by_the_drive_of_the_right_one() -> None:
    item = _item("T1", "substrate", Reaction.ABORT_PURGE)
    drive = _drives()[item]
    assert drive is not None
    warn, trip = item.check.levels
    edited = replace(item.check, levels=(warn, replace(trip, limit=172.0)))
    assert differs(item.check, edited) and not differs(item.check, replace(item.check))
    states = [state for _, state in SCENE.run((edited,), drive, 5)]
    assert states and not any(state.watches[0].standing >> 1 & 1 for state in states)


def test_everything_that_is_simulated_is_marked_and_nothing_else_is_touched() -> None:
    for drive in filter(None, _drives().values()):
        over = drive.over(SCENE.samples, NOW_S, NOW_S + 1)
        driven = {signal for signal, _ in drive.shapes}
        assert driven and all(over[signal].quality is Quality.TEST for signal in driven)
        assert all(over[s] is sample for s, sample in SCENE.samples.items() if s not in driven)


def test_a_simulated_value_never_clears_a_latched_row() -> None:
    item = _item("T1", "substrate", Reaction.ABORT_PURGE)
    checks = (item.check,)
    state = boot(RuleSet(checks, {}), NOW_S)
    for n in range(300):
        now_s = NOW_S + n / 10
        hot = 175.0 if n < 10 else 25.0
        quality = Quality.GOOD if n < 10 else Quality.TEST
        state = scan(state, {SUBSTRATE: Sample(hot, now_s, quality), SECOND: Sample(hot, now_s, quality)}, IDLE, now_s)
    assert state.watches[0].clear_since is None


def test_lines_that_are_alike_are_driven_at_once_only_where_each_trips_at_its_own_time() -> None:
    alike = [i for i in _drives() if i.row == "T7" and i.level.reaction is Reaction.HOLD]
    batch = [(i.check, i.bit, d) for i in alike if (d := _drives()[i]) is not None]
    assert together(batch, SCENE) == batch and len(batch) == len(CONFIG.zones)
    first = batch[0]
    assert together([first, first], SCENE) == [first]  # the same signal twice
    other = (*first[:2], replace(first[2], facts=(("part", "deposit"),)))
    assert together([first, other], SCENE) == [first]  # not in the same state of the tool


def test_a_level_that_stands_already_or_takes_too_long_is_not_driven() -> None:
    item = _item("T1", "substrate", Reaction.ABORT_PURGE)
    hot = replace(SCENE, samples={**SCENE.samples, SUBSTRATE: Sample(175.0, NOW_S)})
    assert [drive for _, drive in search(item.check, item.bit, hot) if drive] == []
    slow = replace(item.check, levels=(replace(item.level, persist_s=3600.0),))
    assert list(search(slow, 0, SCENE)) == []


@pytest.mark.parametrize(
    ("device", "row"), [("substrate", "K14"), ("coupler-b", "K3"), ("valves", "K2"), ("carrier", "K14")]
)
def test_a_device_that_falls_silent_is_a_line_of_its_own(device: str, row: str) -> None:
    of = reading(RULES, device)
    drive = silence([check for _, check in of], device, SCENE)
    assert drive is not None
    run = SCENE.run(tuple(check for _, check in of), drive, 40)
    found = next(item for _, state in run if (item := first_trip(of, state, device)) is not None)
    assert found.row == row and RULES.checks[found.index] is found.check
    assert silence([], device, SCENE) is None


# --- what has to follow ----------------------------------------------------------------------------------------------

SAFE = Seen(held=True, sources=False, contactor=False, stop_shut=False, blocked=Blocks.ALL)


@pytest.mark.parametrize(
    ("reaction", "gate", "wanted"),
    [
        (Reaction.WARN, True, Effect()),
        (Reaction.HOLD, True, Effect(held=True, blocks=Blocks.ALL)),
        (Reaction.ABORT_PURGE, True, Effect(True, False, False, Blocks.ALL)),
        (Reaction.ABORT_PURGE, False, Effect(True, False, True, Blocks.ALL)),
        (Reaction.ABORT_ISOLATE, True, Effect(True, False, True, Blocks.ALL)),
        (Reaction.ESTOP, True, Effect(True, False, True, Blocks.ALL)),
    ],
)
def test_what_a_reaction_does_to_the_tool(reaction: Reaction, gate: bool, wanted: Effect) -> None:
    level = replace(_item("T1", "substrate", Reaction.ABORT_PURGE).level, reaction=reaction)
    assert effect(level, replace(IDLE, gate_proven_shut=gate)) == wanted


def test_a_block_blocks_what_its_level_names() -> None:
    level = _item("G6", "coupler-b.box_pressure_mbar", Reaction.BLOCK).level
    assert effect(level, IDLE) == Effect(blocks=Blocks.GATE)
    assert "the gate is not blocked" in effect(level, IDLE).missing(replace(SAFE, blocked=Blocks.START))


@pytest.mark.parametrize(
    ("seen", "what"),
    [
        (replace(SAFE, held=False), "was not told to rest"),
        (replace(SAFE, sources=True), "a source reads open"),
        (replace(SAFE, contactor=True), "the contactor reads closed"),
        (replace(SAFE, stop_shut=True), "the stop valve reads shut"),
        (replace(SAFE, blocked=Blocks.START), "the next pulse, the gate is not blocked"),
        (SAFE, ""),
    ],
)
def test_a_final_element_that_is_not_as_it_has_to_be_is_named(seen: Seen, what: str) -> None:
    told = Effect(True, False, False, Blocks.ALL).missing(seen)
    assert what in told and bool(told) == bool(what)


@pytest.mark.parametrize(
    ("measured_s", "wrong", "ok", "detail"),
    [
        (2.0, "", True, ""),
        (12.0, "", True, ""),
        (12.2, "", False, "it took 2.20 s, 2 s are allowed"),
        (None, "the live rule did not trip", False, "the live rule did not trip"),
        (11.0, "a source reads open", False, "a source reads open"),
    ],
)
def test_a_line_passes_when_its_elements_read_right_in_time(
    measured_s: float | None, wrong: str, ok: bool, detail: str
) -> None:
    item = _item("T1", "substrate", Reaction.ABORT_PURGE)  # 2 s are its target
    result = judged(item, "x", 10.0, measured_s, wrong)
    assert (result.ok, result.detail) == (ok, detail)
    assert result.took_s == (None if measured_s is None else max(0.0, measured_s - 10.0))
    assert result.shown()["ok"] is ok and result.shown()["target_s"] == 2.0


def test_a_row_without_a_clock_still_has_to_act() -> None:
    item = _item("C11", "base pressure", Reaction.ABORT_PURGE)
    assert judged(item, "x", 0.0, 5.0, "").ok and not judged(item, "x", 0.0, 5.2, "").ok


def test_the_line_of_the_table_fails_with_what_differs() -> None:
    assert of_table("").ok and not of_table("another: T1").ok


def test_what_warns_comes_first_and_what_needs_the_button_can_be_told() -> None:
    order = [item.level.reaction >= Reaction.HOLD for item in items(RULES)]
    assert order == sorted(order)
    assert {item.row for item in items(RULES) if needs_button(item)} == {"K18", "T1"}
    assert {item.row for item in items(RULES, ["K18", "G8"])} == {"K18", "G8"}
    assert all(item.level.reset is Reset.L3 for item in items(RULES) if needs_button(item))


def test_contacts_that_a_person_can_move_are_those_of_this_tool() -> None:
    found = {item.row: hand.signal for item in items(RULES) if (hand := by_hand(item, CONFIG)) is not None}
    assert found == {
        "K18": "coupler-b.estop_ok", "T1": "coupler-b.limit_controller_ok", "G8": "coupler-b.argon_ok",
        "C15": "coupler-b.compressed_air_ok", "K6": "coupler-b.mains_ok", "C8": "coupler-b.pump_running",
    }  # fmt: skip
    without = CONFIG.model_copy(update={"signals": CONFIG.signals.model_copy(update={"argon": None})})
    assert len(hands(without)) == len(hands(CONFIG)) - 1


def test_nothing_hot_or_asked_to_be_is_tested() -> None:
    cold = dict.fromkeys(CONFIG.zones, 25.0)
    assert why_not(CONFIG, cold, dict.fromkeys(CONFIG.zones)) == []
    assert why_not(CONFIG, {**cold, "lines": 150.0}, dict.fromkeys(CONFIG.zones)) == []  # it never touches lithium
    (told,) = why_not(CONFIG, {**cold, "substrate": 60.0}, dict.fromkeys(CONFIG.zones))
    assert "substrate is at 60 °C" in told
    (told,) = why_not(CONFIG, {**cold, "chamber": None}, dict.fromkeys(CONFIG.zones))
    assert "chamber is not known" in told
    (told,) = why_not(CONFIG, cold, {"lines": 165.0})
    assert "switch it off" in told


def test_a_drive_says_what_it_does() -> None:
    drive = Drive(
        (("a.b", Shape(1.5)), ("c.d", Shape(2, rate=0.5)), ("e.f", Shape(0, old=True))), (("part", "deposit"),)
    )
    assert str(drive) == "a.b = 1.5; c.d = 2 +0.5/s; e.f is no longer read; part deposit"
    assert drive.pretend(IDLE).part == "deposit"


# --- how old the newest one is ----------------------------------------------------------------------------------------


def _fed(registers: Registers, now_s: float = 100.0, simulated: bool | None = None) -> dict[str, Sample]:
    samples: dict[str, Sample] = {}
    RegisterFeeds(samples, (), lambda: registers, 1.9e9, simulated).look(now_s)
    return samples


def _signed(at: str, *, passed: bool = True) -> Registers:
    return simulated().set("proof", {"passed": passed, "certificate": "0001"}, "Ann", at, chemistry())


def test_the_age_of_a_proof_test_goes_by_the_loops_clock() -> None:
    value, by, at = simulated_proof(1.9e9)
    registers = simulated().set("proof", value, by, at, chemistry())
    assert by == "simulation" and "simulated" in str(value["certificate"])
    assert _fed(registers)["register.proof_age_days"].value == pytest.approx(100 / DAY_S)
    assert _fed(registers, now_s=31 * DAY_S)["register.proof_age_days"].value == pytest.approx(31)
    assert _fed(registers, simulated=True)["register.proof_passed"] == Sample(1.0, 100.0)


@pytest.mark.parametrize("real", [None, False])
def test_what_was_proven_on_simulated_wires_opens_no_real_tool(real: bool | None) -> None:
    value, by, at = simulated_proof(1.9e9)
    by_hand = {"passed": True, "certificate": "0001", "simulated": True}
    for registers in (simulated().set("proof", v, by, at, chemistry()) for v in (value, by_hand)):
        assert _fed(registers, simulated=True)["register.proof_passed"].value == 1
        assert _fed(registers, simulated=real)["register.proof_passed"].value == 0
    assert _fed(_signed("2030-03-17T17:46:40Z"), simulated=real)["register.proof_passed"].value == 1


def test_no_proof_test_a_failed_one_and_one_without_a_time_are_no_good_news() -> None:
    none = simulated().without("proof")
    fed = _fed(none)
    assert fed["register.proof_passed"] == Sample(0.0, 100.0) and "register.proof_age_days" not in fed
    assert _fed(_signed("2030-03-17T17:46:40Z", passed=False))["register.proof_passed"].value == 0
    assert "register.proof_age_days" not in _fed(_signed("some day"))


@pytest.mark.parametrize(
    ("days", "passed", "lithium", "reaction", "may_begin"),
    [
        (29.0, 1, True, None, True),
        (31.0, 1, True, Reaction.WARN, True),
        (89.9, 1, True, Reaction.WARN, True),
        (91.0, 1, True, Reaction.BLOCK, False),
        (91.0, 1, False, Reaction.WARN, True),
        (-3.0, 1, True, Reaction.BLOCK, False),  # dated in the future: it is no date
        (None, 1, True, Reaction.BLOCK, False),
        (1.0, 0, True, Reaction.BLOCK, False),
        (1.0, 0, False, Reaction.WARN, True),
    ],
)
def test_31_days_warn_and_91_block_lithium_and_lithium_alone(
    days: float | None, passed: int, lithium: bool, reaction: Reaction | None, may_begin: bool
) -> None:
    bench = Bench(facts=replace(IDLE, lithium=lithium))
    bench.values["register.proof_passed"] = passed
    if days is None:
        bench.stopped.add("register.proof_age_days")
        bench.samples.pop("register.proof_age_days")
    else:
        bench.values["register.proof_age_days"] = days
    bench.run(1)
    causes = [x for x in bench.state.active if x.name.startswith("register.proof")]
    assert max((x.reaction for x in causes), default=None) == reaction
    assert all(x.row == "K15" and x.reset is Reset.AUTO for x in causes) and not bench.state.latched
    assert may_start(bench.state) is may_begin and permit(bench.state)  # a run that goes on is none of its business
