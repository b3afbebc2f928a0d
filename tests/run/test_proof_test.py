"""The proof test on the simulated reactor: what it shows of a sound tool, and that a dead row fails its line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ald_controller import commands as c
from ald_controller import stamp
from ald_controller.interlocks import MATRIX, Guard, Quality, RuleSet, Sample
from ald_controller.proof import tester
from ald_controller.proof.search import search
from ald_controller.records.certificates import Certificates, verdict
from ald_controller.registers import RegisterFile
from simulators.faults import Fault
from tests.recipe_bench import chemistry, loaded
from tests.run.rig import READY_C, Rig, ligl, virtually

QUICK = ["C1", "C15", "G2", "G3", "K2", "K6", "K18", "T1"]  # every reaction, and most ways to trip
DAY_S = 86_400.0


async def _tested(rig: Rig, rows: list[str], *, hands: bool = False, moves: dict[str, str] | None = None) -> Any:
    """The finished progress of a proof test with a person at the tool, who presses and moves what is asked for."""
    await rig.do(c.ProofTest(rows=rows, hands=hands))
    tester = rig.console.proof
    while tester.progress.running:
        await rig.rest(0.5)
        for words, contact in ({"confirm button": "confirm_button"} | (moves or {})).items():
            if words in tester.progress.ask:
                rig.contact(contact, contact == "confirm_button")
        if not tester.progress.ask:
            rig.contact("confirm_button", False)
        for undo, contact in (("Release the E-stop", "estop_ok"), ("Open the argon line", "argon_ok")):
            if undo in tester.progress.ask:
                rig.contact(contact, True)
    return tester.progress


async def _driving(rig: Rig, row: str, until: Callable[[], bool] = lambda: True) -> None:
    """A proof test of one row has begun, and a line of it is driven."""
    await rig.do(c.ProofTest(rows=[row]))
    await rig.until(lambda: rig.console.guard.trial is not None and until(), 60)


def _bad(progress: Any) -> dict[str, str]:
    return {line.what: line.detail for line in progress.results if not line.ok}


@virtually
async def test_a_sound_tool_passes_line_by_line_and_each_line_is_timed_at_the_final_element(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        await rig.proven()
        moved: set[tuple[bool, bool]] = set()
        opened = 0

        def look(now_s: float) -> None:
            nonlocal opened
            moved.add((rig.contactor_closed, rig.stop_shut))
            opened |= rig.sources_open

        rig.console.guard.feeds.append(look)
        progress = await _tested(rig, QUICK)
        assert not progress.ended and not _bad(progress)
        rows = {line.row for line in progress.results}
        assert rows >= set(QUICK)
        aborts = [line for line in progress.results if line.reaction.startswith("ABORT")]
        assert aborts and all(line.took_s is not None and line.took_s <= line.target_s + 0.1 for line in aborts)
        assert moved >= {(True, False), (False, False), (False, True)} and not opened  # they moved, and no source did
        assert rig.state == "IDLE" and not rig.latched and not rig.contactor_closed
        assert rig.console.guard.trial is None and rig.console.status().proof_test == ""
        # some rows prove some rows: the register of the tool is not set by them
        assert rig.console.registers.get("proof").certificate.startswith("none")
        (listed,) = (await rig.do(c.GetProofTests())).data["certificates"]
        assert listed["passed"] and not listed["complete"] and not listed["broken"]
        page = (tmp_path / "records" / "proof-tests" / f"{listed['name']}.md").read_text("utf-8")
        assert "passed:" in page and "T1 substrate 170 °C" in page and "Not tested" in page
        await rig.do(c.Upload(name="test", text=ligl(1)))
        await rig.do(c.Start(name="test"))  # and the tool can be used as before
        await rig.until_open("LTB")


@pytest.mark.long
@pytest.mark.timeout(600)
@virtually
async def test_the_whole_proof_test_passes_on_the_simulated_tool_and_is_signed_for(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        await rig.proven()
        progress = await _tested(rig, [])
        assert not progress.ended and not _bad(progress)
        assert len(progress.results) > 150
        drivable = {h.id for h in MATRIX.values() if h.guard is Guard.RULES} - {
            "K5",
            "K9",
            "G5",
        }  # G5 is the gate's lock
        assert {line.row for line in progress.results} >= drivable
        proof = rig.console.registers.get("proof")
        assert proof.passed and proof.certificate == progress.certificate["name"]
        assert rig.console.registers.entries["proof"].by == "Ann"
        await rig.rest(0.3)
        assert rig.console.tool.samples["register.proof_age_days"].value < 0.1


def _dead(change: Callable[[Rig], None]) -> Callable[[Path], Any]:
    """What a proof test of T1 and C15 says of a tool with this seeded in it."""

    async def run(folder: Path) -> Any:
        async with Rig(folder) as rig:
            await rig.proven()
            change(rig)
            return await _tested(rig, ["C15", "T1"])

    return run


@virtually
async def test_a_limit_that_was_edited_in_the_live_table_fails_its_line_and_the_tables(tmp_path: Path) -> None:
    def edit(rig: Rig) -> None:
        guard = rig.console.guard
        checks = list(guard.rules.checks)
        at = next(n for n, x in enumerate(checks) if x.name == "substrate" and x.levels[0].row == "T1")
        warn, trip = checks[at].levels
        checks[at] = replace(checks[at], levels=(warn, replace(trip, limit=172.0)))
        rules = replace(guard.rules, checks=tuple(checks))
        assert isinstance(rules, RuleSet)
        guard.state = replace(guard.state, rules=rules)

    progress = await _dead(edit)(tmp_path)
    bad = _bad(progress)
    assert "substrate" in bad["the live table"]
    assert bad["T1 substrate 170 °C"] == "the live rule did not trip"
    assert len(bad) == 2 and not progress.certificate["passed"]


@virtually
async def test_a_guard_whose_reaction_is_disconnected_fails_every_line_that_needs_it(tmp_path: Path) -> None:
    def cut(rig: Rig) -> None:
        rig.console.abort = lambda why, ending: None  # type: ignore[method-assign]

    bad = _bad(await _dead(cut)(tmp_path))
    assert "the valve process was not told to rest" in bad["T1 substrate 170 °C"]
    assert "the valve process was not told to rest" in bad["C15 coupler-b.compressed_air_ok 1 for 0.5 s"]
    assert "T1 substrate 160 °C for 2 s" not in bad


@virtually
async def test_an_abort_that_only_rests_and_leaves_the_contactor_closed_fails_its_lines(tmp_path: Path) -> None:
    def hold_only(rig: Rig) -> None:
        tool = rig.console.tool
        tool.valves.abort = tool.valves.hold  # type: ignore[method-assign]
        tool.heaters.forbid = lambda *told, **more: None  # type: ignore[method-assign]

    assert "the contactor reads closed" in _bad(await _dead(hold_only)(tmp_path))["T1 substrate 170 °C"]


@virtually
async def test_a_reaction_that_comes_late_fails_by_its_time(tmp_path: Path) -> None:
    def slow(rig: Rig) -> None:
        guard, scan, held = rig.console.guard, rig.console.guard.scan, []

        def sometimes(reacts: Any, now_s: float) -> None:
            if guard.trial is not None and not held:
                held.append(now_s)
            if guard.trial is None or now_s - held[0] > 0.7:
                held.clear() if guard.trial is None else None
                scan(reacts, now_s)
            else:
                rig.console.tool.valves.beat(0)

        guard.scan = sometimes  # type: ignore[method-assign]

    async with Rig(tmp_path) as rig:
        await rig.proven()
        slow(rig)
        progress = await _tested(rig, ["C1"])
        assert "0.25 s are allowed" in _bad(progress)["C1 valves.word 2"]


@virtually
async def test_a_person_moves_the_real_contacts_and_each_is_timed_from_its_own_sample(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        await rig.proven()
        moves = {"Press the E-stop": "estop_ok", "Shut the argon line": "argon_ok"}
        progress = await _tested(rig, ["G8", "K18"], hands=True, moves=moves)
        assert not progress.ended and not _bad(progress)
        by_hand = {line.row: line for line in progress.results if line.how.startswith("by hand")}
        assert set(by_hand) == {"G8", "K18"} and (by_hand["K18"].took_s or 9) <= 0.4


@virtually
async def test_a_person_who_does_nothing_leaves_the_line_untested(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        await rig.proven()
        with pytest.MonkeyPatch.context() as shorter:
            shorter.setattr(tester, "PERSON_S", 5.0)
            progress = await _tested(rig, ["G8"], hands=True)
        assert [line.row for line in progress.results] == ["K15", "G8"]
        assert "nobody did it" in json.dumps(progress.certificate["not_tested"])


@virtually
async def test_an_abort_ends_the_test_and_a_trip_of_the_tools_own_does_too(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        await rig.proven()
        await rig.do(c.ProofTest(rows=["T4"]))
        await rig.until(lambda: rig.console.guard.trial is not None, 20)
        assert "line" in rig.console.status().proof_test
        await rig.refused(c.Start(name="test"), "no-such-recipe")
        await rig.do(c.Upload(name="test", text=ligl(1)))
        assert "a proof test goes on" in await rig.refused(c.Start(name="test"), "misplaced")
        await rig.do(c.Abort())
        await rig.until(lambda: not rig.console.proof.progress.running, 90)
        assert "aborted by Ann" in rig.console.proof.progress.ended
        assert not rig.contactor_closed and not rig.console.proof.progress.certificate["complete"]
        await rig.until_state("FAULT", 5)
        await rig.rest(12)
        await rig.do(c.Reset())
        await rig.do(c.ProofTest(rows=["T4"]))
        await rig.until(lambda: rig.console.guard.trial is not None, 20)
        rig.contact("compressed_air_ok", False)
        await rig.until(lambda: not rig.console.proof.progress.running, 90)
        assert "the tool has tripped by itself: C15" in rig.console.proof.progress.ended
        assert rig.latched and rig.console.guard.trial is None


@virtually
async def test_an_abort_in_a_proof_test_with_a_dead_carrier_isolates_as_without_the_test(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        await rig.proven()
        await _driving(rig, "T4")
        await rig.do(c.Abort())
        rig.world.faults["carrier"].put(Fault(silent=True))
        await rig.rest(12)
        safing = rig.console.guard.safing
        assert safing is not None and safing.isolates and safing.phase == "SAFE" and rig.stop_shut
        assert "aborted by Ann" in rig.console.proof.progress.ended and rig.state == "FAULT"


@virtually
async def test_a_trip_in_earnest_within_a_line_has_the_first_out_the_sequence_and_the_flows_as_without_the_test(
    tmp_path: Path,
) -> None:
    found = []
    for tested in (False, True):
        async with Rig(tmp_path / str(tested)) as rig:
            await rig.proven()
            await rig.console.tool.set_flow("carrier", 0.0)
            if tested:
                await _driving(rig, "T1", lambda: rig.console.guard.told_abort is not None)  # its own abort stands
            rig.contact("limit_controller_ok", False)
            await rig.rest(20)
            safing = rig.console.guard.safing
            assert safing is not None
            found.append((rig.first_out, safing.kind, safing.phase, safing.why, rig.stop_shut, rig.carrier_sccm()))
            assert rig.latched and rig.state == "FAULT" and rig.console.guard.trial is None
    assert found[0] == found[1] and found[0][:3] == ("T1", "purge", "PURGING")


@virtually
async def test_a_contact_that_opens_for_a_second_while_a_line_pretends_facts_ends_the_test_and_stays_latched(
    tmp_path: Path,
) -> None:
    async with Rig(tmp_path) as rig:
        await rig.proven()
        await _driving(rig, "G2", lambda: rig.console.guard.facts.gate_proven_shut is False)
        rig.contact("compressed_air_ok", False)
        await rig.rest(1.0)
        rig.contact("compressed_air_ok", True)
        await rig.rest(60)
        progress = rig.console.proof.progress
        assert not progress.running and rig.first_out == "C15" and rig.state == "FAULT"
        assert "C15 compressed air is lost" in progress.certificate["ended"]
        assert not progress.certificate["passed"] and not progress.certificate["complete"]


@virtually
async def test_a_line_that_failed_bars_lithium_until_it_passes_and_no_other_line_takes_it_back(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        await rig.proven()
        proof = rig.console.registers.get("proof")
        assert rig.console.guard.may_start and proof.passed
        with pytest.MonkeyPatch.context() as dead:
            dead.setattr(rig.console, "abort", lambda why, ending: None)
            assert "T1 substrate 170 °C" in _bad(await _tested(rig, ["T1"]))
        await rig.rest(1)
        failed = rig.console.registers.get("proof")
        assert "T1 substrate 170 °C" in failed.failed and failed.certificate == proof.certificate
        assert not rig.console.guard.may_start and "has not passed" in rig.console.guard.why_blocked
        for row, barred in (("C15", True), ("T1", False)):
            assert not _bad(await _tested(rig, [row]))
            await rig.rest(1)
            assert rig.console.guard.may_start is not barred
        assert rig.console.registers.get("proof") == proof


@virtually
async def test_a_line_that_cannot_be_driven_without_an_excuse_has_failed(tmp_path: Path) -> None:
    def broken(check: Any, bit: int, scene: Any, hint: int) -> Any:
        if check.levels[bit].row == "T1":
            raise RuntimeError("no such thing")
        return search(check, bit, scene, hint)

    async with Rig(tmp_path) as rig:
        await rig.proven()
        with pytest.MonkeyPatch.context() as wrong:
            wrong.setattr(tester, "search", broken)
            progress = await _tested(rig, ["T1", "C15"])
        bad = _bad(progress)
        assert "no such thing" in bad["T1 substrate 170 °C"] and all(what.startswith("T1") for what in bad)
        assert not progress.certificate["passed"] and not rig.console.guard.may_start


@virtually
async def test_a_proof_test_that_is_cut_shows_at_once_and_after_the_next_start(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        await rig.proven()
        await _driving(rig, "T4")
        (begun,) = Certificates(tmp_path).listed()
        assert begun["rows"] == ["T4"] and "it goes on, or was cut" in verdict(begun)
        # the controller ends with the test in hand: nobody writes a certificate
    async with Rig(tmp_path) as rig:
        (cut,) = (await rig.do(c.GetProofTests())).data["certificates"]
        assert cut["name"].startswith("0001-") and not cut["broken"] and not cut["passed"] and not cut["complete"]
        assert verdict(cut) == "NOT FINISHED: it was cut: the controller ended while it went on"
        assert any("was cut" in note.text for note in rig.console.guard.notes)


@virtually
async def test_the_proof_of_a_simulated_tool_bars_the_same_state_on_a_real_one(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        await rig.proven()
        assert rig.console.guard.may_start
        kept = rig.console.registers
    rig = Rig(tmp_path)  # which lays its own registers there
    RegisterFile(tmp_path / "registers.yaml", chemistry()).save(kept)
    rig.daemon.parts = replace(rig.daemon.parts, simulated=None)
    async with rig:
        await rig.proven()
        assert rig.console.registers.get("proof").simulated and not rig.console.guard.may_start


@virtually
async def test_a_row_that_does_not_exist_is_answered_with_those_that_do(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        text = await rig.refused(c.ProofTest(rows=["T1", "bogus"]), "proof-refused")
        assert "there is no row 'bogus'; there are T1, T2" in text and "K20" in text


@virtually
async def test_a_proof_test_needs_an_owner_and_an_idle_cold_tool_under_vacuum(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=READY_C) as rig:
        await rig.until(lambda: not rig.console.tool.absent, 30)
        text = await rig.refused(c.ProofTest(), "proof-refused")
        assert "reset first" in text and "the chamber is UNKNOWN" in text and "substrate is at 120 °C" in text
        await rig.proven()
        await rig.do(c.Upload(name="test", text=ligl(1)))
        await rig.do(c.Start(name="test"))
        assert "without a run" in await rig.refused(c.ProofTest(), "proof-refused")
    assert c.ProofTest().verb in c.VERBS_OWNER and c.ProofTest().verb not in c.VERBS_REMOTE


@virtually
async def test_a_simulated_input_trips_never_clears_and_blocks_the_start(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        await rig.proven()

        class Healthy:
            """A simulated argon contact that says that all is well."""

            def samples(self, real: Any, now_s: float) -> Any:
                return {**real, "coupler-b.argon_ok": Sample(1.0, now_s, Quality.TEST)}

            def facts(self, real: Any) -> Any:
                return real

        guard = rig.console.guard
        guard.trial = Healthy()
        await rig.rest(0.3)
        assert not guard.may_start and any("under test" in x.detail for x in guard.state.active)
        rig.contact("argon_ok", False)
        guard.trial = None
        await rig.until(lambda: rig.first_out == "G8", 5)
        guard.trial = Healthy()
        await rig.rest(15)
        assert "not yet clear" in await rig.refused(c.Reset(), "reset-refused")
        guard.trial = None
        await rig.rest(3)
        assert "still there" in await rig.refused(c.Reset(), "reset-refused")


# --- overdue ----------------------------------------------------------------------------------------------------------


def _dated(folder: Path, days: float, *, passed: bool = True) -> Rig:
    """A rig whose newest proof test is so old."""
    rig = Rig(folder)
    at = stamp.iso(stamp.utc_now() - days * DAY_S)
    value = {"passed": passed, "certificate": "0001-2031-05-04"}
    registers = loaded("lithium").set("proof", value, "Ann", at, chemistry())
    RegisterFile(folder / "registers.yaml", chemistry()).save(registers)
    return rig


@virtually
async def test_a_proof_test_of_91_days_blocks_a_lithium_run_and_says_what_to_do(tmp_path: Path) -> None:
    async with _dated(tmp_path, 91) as rig:
        await rig.proven()
        await rig.do(c.Upload(name="test", text=ligl(1)))
        assert "91 days old, 90 are the limit: `ald proof-test`" in await rig.refused(c.Start(name="test"), "blocked")


@virtually
async def test_a_failed_proof_test_and_none_at_all_block_lithium(tmp_path: Path) -> None:
    async with _dated(tmp_path / "failed", 1, passed=False) as rig:
        await rig.proven()
        await rig.do(c.Upload(name="test", text=ligl(1)))
        assert "has not passed" in await rig.refused(c.Start(name="test"), "blocked")
    rig = Rig(tmp_path / "none")
    rig.daemon.parts = replace(rig.daemon.parts, simulated=None)  # nobody says that it is simulated
    async with rig:
        await rig.proven()
        assert rig.console.registers.get("proof") is None and not rig.console.guard.may_start


@virtually
async def test_nobody_signs_for_a_proof_test_by_hand(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        request = c.SetRegister(name="proof", value={"passed": True, "certificate": "x"}, by="Ann")
        assert "ald proof-test" in await rig.refused(request, "register-refused")
        assert rig.console.registers.entries["proof"].by == "simulation"


def test_a_certificate_that_was_changed_or_replaced_is_found(tmp_path: Path) -> None:
    kept = Certificates(tmp_path)
    body = {
        "tool": "t", "began": "2031-05-04T12:00:00.000Z", "took_s": 60.0, "by": "Ann", "software": "1", "limits": "x",
        "simulated": True, "rows": [], "complete": True, "ended": "", "passed": True, "lines": [], "not_tested": [],
    }  # fmt: skip
    first, second, third = (kept.write(body) for _ in range(3))
    assert [one["broken"] for one in kept.listed()] == ["", "", ""] and third["previous"] == second["sha256"]
    path = tmp_path / "records" / "proof-tests" / f"{second['name']}.json"
    text = path.read_text("utf-8")
    path.write_text(text.replace('"Ann"', '"Bob"'), "utf-8")
    assert [bool(one["broken"]) for one in kept.listed()] == [False, True, False]
    path.unlink()
    assert [bool(one["broken"]) for one in kept.listed()] == [False, True]
    assert first["number"] == 1
