"""What an abort has to reach, step by step: purge with its proofs, isolation where one fails, and plain words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ald_controller.chamber import Chamber, chamber_step
from ald_controller.elements import elements_of
from ald_controller.engineconfig import engine_config
from ald_controller.interlocks import Facts, Quality, Reaction, Sample, abort_reaction
from ald_controller.safing import Safing, begin, news, over, sentence, step
from ald_controller.valves.wire import Abort, State
from tests.engine_rig import Rig, segment
from tests.interlock_bench import CONFIG, CONSTANTS, SETTING
from tests.recipe_bench import chemistry, simulated, tool
from tests.valve_rig import S

STOP, CONTACTOR, SOURCE = CONFIG.valves.mask("stop"), CONFIG.valves.mask("contactor"), CONFIG.valves.word(["LTB"])
SHUT_PATH = {"valves.word": STOP, "carrier.flow_sccm": 0.0, "coupler-b.stop_valve_open": 0}


class Scene:
    """An abort at 100 s on a tool that does what it is told; `values` are read again at every scan."""

    def __init__(self, *, purge: bool = True, constants: object = CONSTANTS, began_s: float = 100.0) -> None:
        self.elements = elements_of(replace(SETTING, constants=constants))
        self.values: dict[str, float] = {
            "valves.word": 0, "carrier.flow_sccm": 20.0, "pusher.flow_sccm": 0.0, "coupler-b.pressure_torr": 0.3,
            "coupler-b.pump_running": 1, "coupler-b.stop_valve_open": 1, "chamber.temperature_c": 150.0,
            **{f"{zone.device}.output_percent": 0.0 for zone in CONFIG.zones.values()},
        }  # fmt: skip
        self.quality: dict[str, Quality] = {}
        self.now_s, self.purge = began_s, purge
        self.samples: dict[str, Sample] = {}
        self.state = begin("a test", began_s, purge=purge)
        self.told: list[str] = []

    def run(self, seconds: float, every_s: float = 0.1) -> Safing:
        end_s = self.now_s + seconds
        while self.now_s < end_s - 1e-9:
            self.now_s += min(every_s, end_s - self.now_s)
            for signal, value in self.values.items():
                self.samples[signal] = Sample(value, self.now_s, self.quality.get(signal, Quality.GOOD))
            before = self.state
            self.state = step(before, self.elements, self.samples, self.now_s, purge=self.purge)
            self.told += [f"{line.what}|{line.at_s}|{line.why}" for line in news(before, self.state)]
        return self.state

    def line(self, key: str):
        return next(line for line in reversed(self.state.lines) if line.key == key)

    def why_isolated(self) -> str:
        assert self.state.isolates, self.state
        return self.line("isolated").what


def test_a_healthy_tool_purges_for_600_s_and_is_then_safe_and_still_pumping() -> None:
    scene = Scene()
    assert scene.run(0.3).phase == "PURGING" and scene.line("sources").at_s == pytest.approx(100.1)
    assert scene.run(599, 1).phase == "PURGING"
    done = scene.run(3)
    assert done.phase == "SAFE" and not done.missing and done.kind == "purge"
    assert scene.line("time").at_s == pytest.approx(700.1, abs=1.1)
    assert scene.line("exchanges").at_s == pytest.approx(100.1 + 20 * 0.5 / 1.3, abs=1.1)
    assert "still pumping and purging. Close the hand valves" in sentence(done, scene.now_s)
    assert len(scene.told) == len(done.lines) == 9  # each is told once


def test_a_purge_is_not_over_while_a_heater_is_not_seen_off() -> None:
    scene = Scene()
    scene.values["chamber.output_percent"] = float("nan")
    assert scene.run(620, 1).phase == "PURGING" and [line.key for line in scene.state.missing] == ["heaters"]
    scene.values["chamber.output_percent"] = 0.0
    assert scene.run(2, 1).phase == "SAFE" and not scene.state.missing


def test_after_half_an_hour_it_ends_and_says_what_was_not_reached() -> None:
    scene = Scene()
    scene.run(1)
    scene.values["coupler-b.pressure_torr"] = 0.6  # it was low enough, and is not any more
    assert scene.run(1798, 1).phase == "PURGING"
    assert scene.run(2, 1).phase == "SAFE" and [line.key for line in scene.state.missing] == ["base"]
    assert "not reached: pressure below 1.2 x base" in sentence(scene.state, scene.now_s)
    assert any("pressure below 1.2 x base|None|it is at 80 Pa" in told for told in scene.told)


def test_a_pressure_that_rises_again_keeps_it_purging() -> None:
    scene = Scene()
    scene.run(1)
    scene.values["coupler-b.pressure_torr"] = 0.5
    assert scene.run(700, 1).phase == "PURGING"
    scene.values["coupler-b.pressure_torr"] = 0.3
    assert scene.run(1).phase == "SAFE"


PROOFS = [
    ({"valves.word": STOP}, "the valve word shuts it"),
    ({"coupler-b.stop_valve_open": 0}, "coupler-b.stop_valve_open is 0"),
    ({"carrier.flow_sccm": 10.0}, "it is at 10 sccm, not above 10 sccm"),
    ({"coupler-b.pump_running": 0}, "coupler-b.pump_running is 0"),
    ({"coupler-b.pressure_torr": 1.0}, "it is at 133 Pa and does not fall"),
    ({"coupler-b.pressure_torr": float("nan")}, "is not a believable number"),
]


@pytest.mark.parametrize(("wrong", "why"), PROOFS)
def test_what_is_not_proven_within_five_seconds_isolates(wrong: dict[str, float], why: str) -> None:
    scene = Scene()
    scene.values |= wrong
    assert not scene.run(4.9).isolates
    scene.run(0.2)
    assert why in scene.why_isolated() and "not within 5 s" in scene.why_isolated()
    scene.values |= SHUT_PATH
    assert scene.run(1).phase == "SAFE" and "isolated, and not purged" in sentence(scene.state, scene.now_s)


@pytest.mark.parametrize(("wrong", "why"), PROOFS[:4])
def test_a_proof_that_is_lost_while_it_purges_isolates_after_a_second(wrong: dict[str, float], why: str) -> None:
    scene = Scene()
    scene.run(60, 1)
    scene.values |= wrong
    assert not scene.run(0.9).isolates
    scene.run(0.3)
    assert why in scene.why_isolated()


def test_a_proof_that_flickers_does_not_isolate() -> None:
    scene = Scene()
    scene.run(60, 1)
    for _ in range(10):
        scene.values["carrier.flow_sccm"] = 0.0
        scene.run(0.8)
        scene.values["carrier.flow_sccm"] = 20.0
        assert not scene.run(0.2).isolates


@pytest.mark.parametrize("signal", ["carrier.flow_sccm", "coupler-b.pump_running", "coupler-b.stop_valve_open"])
def test_a_device_that_falls_silent_proves_nothing(signal: str) -> None:
    scene = Scene()
    scene.run(60, 1)
    del scene.values[signal]
    assert not scene.run(2.5).isolates  # making a line's devices safe holds up its readings
    scene.run(2)
    assert "too old" in scene.why_isolated()


def test_a_reading_from_before_the_abort_confirms_nothing() -> None:
    scene = Scene()
    scene.samples = {s: Sample(v, 99.9) for s, v in scene.values.items()}
    scene.values = {}
    scene.run(2)
    assert all(line.at_s is None for line in scene.state.lines)


def test_a_simulated_input_confirms_nothing() -> None:
    scene = Scene()
    scene.quality = {"valves.word": Quality.TEST}
    scene.run(1)
    assert "under test" in scene.line("sources").why and scene.state.phase == "SECURING"


def test_sources_that_read_back_late_are_told_as_late() -> None:
    scene = Scene()
    scene.values["valves.word"] = SOURCE
    scene.run(0.5)
    assert scene.line("sources").at_s is None
    scene.values["valves.word"] = 0
    scene.run(0.1)
    assert scene.line("sources").why == "later than 0.2 s"


def test_heaters_are_off_when_the_contactor_is_open_and_no_instrument_gives_power() -> None:
    scene = Scene()
    scene.values["valves.word"] = CONTACTOR
    scene.values["source-3.output_percent"] = 30.0
    scene.run(0.2)
    assert "contactor" in scene.line("heaters").why
    scene.values["valves.word"] = 0
    scene.run(0.2)
    assert scene.line("heaters").why == "source-3 has 30 % of its power"
    scene.values["source-3.output_percent"] = 0.0
    scene.values["lines.output_percent"] = 40.0  # lines follow their sources down
    scene.run(0.2)
    assert scene.line("heaters").at_s is not None


def test_it_turns_to_isolation_as_soon_as_purging_is_not_safe_any_more() -> None:
    scene = Scene()
    scene.run(100, 1)
    scene.purge = False
    assert scene.run(0.1).isolates and scene.state.phase == "SECURING"
    scene.purge = True  # the gate is shut again: nothing flows again by itself
    scene.values |= SHUT_PATH
    assert scene.run(20, 1).isolates and scene.state.phase == "SAFE"
    assert scene.line("shut").at_s is not None and scene.line("flows").at_s is not None


def test_also_a_finished_purge_turns_to_isolation() -> None:
    scene = Scene()
    scene.run(700, 1)
    assert scene.state.phase == "SAFE"
    scene.purge = False
    assert scene.run(0.1).isolates


def test_an_isolation_that_is_not_confirmed_is_told_after_five_seconds() -> None:
    scene = Scene(purge=False)
    scene.values |= SHUT_PATH | {"pusher.flow_sccm": 5.0}
    assert scene.run(4.9).phase == "SECURING"
    assert scene.run(0.2).phase == "SAFE"
    assert [line.why for line in scene.state.missing] == ["pusher.flow_sccm is 5"]
    assert "not reached: no gas flowing in" in sentence(scene.state, scene.now_s)
    scene.values["pusher.flow_sccm"] = 0.0
    scene.run(0.2)
    assert not scene.state.missing  # late, and still told
    assert sum("no gas flowing in" in told for told in scene.told) == 2


def test_without_commissioned_constants_only_a_fall_proves_and_half_an_hour_ends_it() -> None:
    never = replace(CONSTANTS, base=None, volume_m3=None)
    scene = Scene(constants=never)
    scene.run(5.2)
    assert "was never commissioned" in scene.why_isolated()
    scene = Scene(constants=never)
    scene.values["coupler-b.pressure_torr"] = 1.0
    scene.run(0.3)
    scene.values["coupler-b.pressure_torr"] = 0.3
    assert scene.run(1.0).phase == "PURGING"
    assert scene.run(1800, 1).phase == "SAFE"
    assert {line.key for line in scene.state.missing} == {"exchanges", "base"}
    assert all("never commissioned" in line.why for line in scene.state.missing)


def test_a_tool_without_contacts_is_proven_by_its_pressure() -> None:
    signals = CONFIG.signals.model_copy(update={"pump_running": None, "stop_valve_open": None})
    scene = Scene()
    scene.elements = elements_of(replace(SETTING, config=CONFIG.model_copy(update={"signals": signals})))
    scene.values |= {"coupler-b.pump_running": 0, "coupler-b.stop_valve_open": 0}
    assert scene.run(0.3).phase == "PURGING"


def test_a_run_that_begins_says_what_was_never_reached() -> None:
    scene = Scene()
    scene.run(42)
    told = over(scene.state, "a run", scene.now_s)
    assert told == "ended by a run 42 s after it began; never reached: 600 s of purge (42 s so far)"


def test_the_same_scans_give_the_same_sequence_at_any_time_of_the_clock() -> None:
    early, late = Scene(), Scene(began_s=1e7)
    for scene in (early, late):
        scene.run(30, 0.5)
        scene.values["carrier.flow_sccm"] = 3.0
        scene.run(5, 0.5)
    shifted = [(line.key, line.at_s and round(line.at_s - 100.0, 3)) for line in early.state.lines]
    assert shifted == [(line.key, line.at_s and round(line.at_s - 1e7, 3)) for line in late.state.lines]


VALUES = st.sampled_from([float("nan"), float("inf"), -1.0, 0.0, 0.3, 1.0, 8.0, 20.0, float(STOP), float(SOURCE)])


@given(
    st.lists(
        st.tuples(
            st.floats(0.05, 400.0),
            st.booleans(),
            st.dictionaries(st.sampled_from(sorted(Scene().values)), VALUES, max_size=3),
        ),
        max_size=25,
    )
)
def test_whatever_the_tool_says_isolation_is_final_lines_stay_and_purge_needs_every_proof(
    scans: list[tuple[float, bool, dict[str, float]]],
) -> None:
    scene = Scene()
    for after_s, purge, values in scans:
        before = scene.state
        scene.purge = purge
        scene.values |= values
        state = scene.run(after_s, after_s)
        assert state.isolates or (purge and not before.isolates)
        assert {line for line in before.lines if line.at_s is not None and line.key != "base"} <= set(state.lines)
        if state.kind == "purge" and state.phase != "SECURING":
            proven = {line.key for line in state.lines if line.at_s is not None}
            assert {"stop", "carrier", "pump", "pressure"} <= proven
        if state.phase == "SAFE" and state.kind == "purge" and scene.now_s - state.began_s < 1800:
            assert not state.missing
        assert scene.now_s - state.began_s <= 1800 or state.phase == "SAFE" or state.isolates


# --- what the valves rest in, by what the chamber is open to ----------------------------------------------------------

PURGED = {"VACUUM", "PUMPING_DOWN"}


@pytest.mark.parametrize("state", list(CONFIG.valves.rest))
@pytest.mark.parametrize("gate", [True, False])
def test_an_abort_purges_behind_a_gate_proven_shut_under_vacuum_and_isolates_everywhere_else(
    state: str, gate: bool
) -> None:
    asked = abort_reaction(Facts(chamber=state, gate_proven_shut=gate))  # type: ignore[arg-type]
    assert (asked is Reaction.ABORT_PURGE) == (gate and state in PURGED)
    rests_shut = bool(CONFIG.valves.word(CONFIG.valves.rest[state]) & STOP)
    assert rests_shut == (state not in PURGED)
    assert not CONFIG.valves.word(CONFIG.valves.rest[state]) & (CONFIG.source_mask | CONTACTOR)


ENGINE = engine_config(tool(), simulated(), chemistry())


def _rested(state: str, how: str) -> int:
    """The word of this tool's engine, in a dose in this state, after an abort, a lost lease or the daemon's death."""
    rig = Rig(ENGINE)
    rig.hear(State(state))
    rest = ENGINE.rest_words[state]
    assert not rig.load(segment((0, rest | SOURCE), (S, rest), length_ns=S))
    rig.run(ENGINE.lead_ns + S // 2)
    assert rig.engine.word & SOURCE
    if how == "abort":
        rig.hear(Abort("a test"))
    elif how == "lease":
        rig.jump(rig.now + ENGINE.lease_ns)
    else:
        rig.engine.rest(rig.now, "end of file")
        rig.turn()
    return rig.engine.word


@pytest.mark.parametrize("state", list(CONFIG.valves.rest))
@pytest.mark.parametrize("how", ["abort", "lease", "end of file"])
def test_the_valves_rest_by_the_state_of_the_chamber_whatever_ends_the_run(state: str, how: str) -> None:
    assert _rested(state, how) == CONFIG.valves.word(CONFIG.valves.rest[state])


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from([None, 5.0, 1e3, 1e5]), st.booleans(), st.floats(0.1, 20.0)),
             min_size=1, max_size=30),
    st.sampled_from(["abort", "lease", "end of file"]),
)  # fmt: skip
def test_however_the_chamber_came_to_its_state_an_open_or_unproven_gate_never_rests_with_the_path_open(
    history: list[tuple[bool, float | None, bool, float]], how: str
) -> None:
    chamber, now_s = Chamber(), 0.0
    for gate, pressure_pa, pumping, after_s in history:
        now_s += after_s
        chamber = chamber_step(
            chamber, gate_proven_shut=gate, pressure_pa=pressure_pa, vacuum_pa=1333.0, pumping=pumping, now_s=now_s
        )
    gate, pressure_pa, pumping, _ = history[-1]
    open_path = not _rested(chamber.state, how) & STOP
    assert not open_path or gate
    assert open_path == (chamber.state in PURGED)
    asked = abort_reaction(Facts(chamber=chamber.state, gate_proven_shut=gate))
    assert open_path == (asked is Reaction.ABORT_PURGE)
