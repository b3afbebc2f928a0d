"""More turns for a run that goes on: what it takes, what refuses it, and what is on record of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ald_controller import commands as c
from ald_controller.consoleparts import CheckRequest
from ald_controller.records.journal import JournalError
from ald_controller.records.record import RunRecord, open_run
from ald_controller.records.report import write_report
from tests.recipe_bench import chemistry
from tests.run.rig import FINISH, HEAD, LIGL_C, PREPARE, Rig, ligl, virtually

CYCLE = """\
        - pulse: {precursor: LiOtBu, time: 1 s}
        - purge: 5 s
        - pulse: {precursor: glycerol, time: 1 s}
        - purge: 6 s
"""
RANGED = (
    HEAD + "parameters: {turns: {default: 2, min: 1, max: 4}}\n" + PREPARE + "deposit:\n  - repeat:\n"
    "      times: $turns\n      name: LiGL\n      steps:\n" + CYCLE + FINISH
)  # fmt: skip
TWICE = (
    HEAD + PREPARE + "deposit:\n  - repeat:\n      times: 2\n      name: first\n      steps:\n" + CYCLE
    + "  - purge: 20 s\n  - repeat:\n      times: 1\n      name: second\n      steps:\n" + CYCLE + FINISH
)  # fmt: skip


def nested(outer: int, inner: int) -> str:
    """A repeat named inner in a repeat named outer."""
    deeper = "".join(f"      {line}\n" for line in CYCLE.splitlines())
    outside = f"deposit:\n  - repeat:\n      times: {outer}\n      name: outer\n      steps:\n"
    inside = f"        - repeat:\n            times: {inner}\n            name: inner\n            steps:\n"
    return HEAD + PREPARE + outside + inside + deeper + FINISH


def extend(rig: Rig, turns: int, of: str = "", run: str = "") -> c.Extend:
    going_on = rig.console.run
    return c.Extend(run=run or (going_on.name if going_on else "none"), turns=turns, of=of)


def deposited(record: RunRecord) -> list[int]:
    """The cycles of the doses, in order."""
    return [intent.cycle for intent in record.intents() for _ in intent.doses]


@virtually
async def test_a_repeat_that_goes_on_takes_more_turns_and_everything_tells_the_new_total(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(2))
        await rig.until_open("GL")
        before = rig.console.run_status()
        reply = await rig.do(extend(rig, 2))
        assert reply.data["times"] == 4 and "'LiGL' goes on to 4 turns: 4 cycles, 8 doses" in reply.text
        after = rig.console.run_status()
        assert before and after and (before.cycles, after.cycles, after.doses_planned) == (2, 4, 8)
        turn_s = (after.duration_s - before.duration_s) / 2
        assert turn_s == pytest.approx(25.0, abs=3.0)  # 11 s of purge, two exposures with their flows
        record = await rig.ended()
    assert record.ending == "completed" and deposited(record) == [1, 1, 2, 2, 3, 3, 4, 4]
    assert (record.summary["cycles"], record.summary["doses"], record.summary["doses_planned"]) == (4, 8, 8)
    header = record.header
    assert (header.cycles, header.doses, header.duration_s) == (4, 8, after.duration_s)
    (told,) = header.extensions
    assert (told.by, told.repeat, told.turns, told.times) == ("Ann", "LiGL", 2, 4)
    assert "2 turns of LiGL more" in write_report(record.folder).read_text("utf-8")


@virtually
async def test_an_extension_is_on_the_disk_before_it_counts(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(2))
        await rig.until_open("LTB")
        job, seen = rig.console._job, []
        assert job is not None

        async def decided(kind: str, **fields: object) -> None:
            seen.append((kind, fields["times"], job.run.plan.cycles))

        job.journal.decided = decided  # type: ignore[method-assign]
        await rig.do(extend(rig, 1))
        assert seen == [("extend", 3, 2), ("extended", 3, 3)] and job.run.plan.cycles == 3

        async def full(kind: str, **fields: object) -> None:
            raise JournalError("the disk is full")

        job.journal.decided = full  # type: ignore[method-assign]
        assert "disk is full" in await rig.refused(extend(rig, 1), "no-record")
        assert job.run.plan.cycles == 3
        record = await rig.ended()
    assert record.summary["cycles"] == 3 and len(record.header.extensions) == 1


@virtually
async def test_who_is_told_that_a_run_goes_on_longer_can_read_it_in_its_header(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(2))
        await rig.until_open("LTB")
        job = rig.console._job
        assert job is not None
        await rig.do(extend(rig, 1))
        header = open_run(job.journal.folder).header  # what a kill would leave now
        assert (header.cycles, header.doses, len(header.extensions)) == (3, 6, 1)
        await rig.ended()


@virtually
async def test_an_extension_that_came_to_nothing_after_it_was_decided_says_so_on_record(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(1, finish=FINISH.replace("5 s", "90 s")))
        await rig.until_open("LTB")
        job = rig.console._job
        assert job is not None
        decided = job.journal.decided

        async def full(kind: str, **fields: object) -> None:
            await decided(kind, **fields)  # a writer keeps what the disk refuses, and tries again
            raise JournalError("the disk is full")

        async def slowly(kind: str, **fields: object) -> None:
            await decided(kind, **fields)
            await asyncio.sleep(40.0)

        job.journal.decided = full  # type: ignore[method-assign]
        await rig.refused(extend(rig, 1), "no-record")
        job.journal.decided = slowly  # type: ignore[method-assign]
        assert "in its finish" in await rig.refused(extend(rig, 2), "misplaced")
        record = await rig.ended()
    assert [e.fields["turns"] for e in record.events("extend")] == [1, 2]
    assert record.header.extensions == () and not record.events("extended")
    dropped = [(e.fields["turns"], e.fields["why"]) for e in record.events("extend dropped")]
    assert [turns for turns, _ in dropped] == [1, 2]
    assert "disk is full" in dropped[0][1] and "in its finish" in dropped[1][1]


@virtually
async def test_a_run_is_extended_within_the_approved_range_of_its_parameter_and_no_further(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(RANGED, turns="3")
        await rig.until_open("LTB")
        why = await rig.refused(extend(rig, 2), "recipe-refused")
        assert "turns: 5 is outside of its approved range, from 1 to 4" in why and why.startswith("test.yaml:")
        await rig.do(extend(rig, 1))
        why = await rig.refused(extend(rig, 1), "recipe-refused")
        assert "turns: 5 is outside" in why  # what was added before counts
        record = await rig.ended()
    assert record.summary["cycles"] == 4


@virtually
async def test_more_turns_are_added_until_the_last_step_of_the_last_turn_is_done(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(1))
        run = rig.console.run
        assert run
        await rig.until(lambda: run.progress.confirmed == 2 and run.progress.step == "purge 6 s", 120)
        await rig.rest(5.5)
        await rig.do(extend(rig, 1))
        record = await rig.ended()
    assert deposited(record) == [1, 1, 2, 2] and record.ending == "completed"


@virtually
async def test_a_run_that_is_paused_after_its_last_turn_goes_on_with_the_turns_that_were_added(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(1))
        await rig.until_open("GL")
        await rig.do(c.Pause())
        await rig.until_state("PAUSED")
        await rig.do(extend(rig, 1))
        await rig.rest(60)
        assert rig.state == "PAUSED" and not rig.sources_open
        await rig.do(c.Resume())
        record = await rig.ended()
    assert deposited(record) == [1, 1, 2, 2]


@virtually
async def test_nothing_is_added_where_no_repeat_of_that_run_goes_on(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        assert "nothing is running" in await rig.refused(extend(rig, 1), "misplaced")
        await rig.start(TWICE)
        await rig.until_open("LTB")
        assert "not another" in await rig.refused(extend(rig, 1, run="another"), "misplaced")
        assert "going on: 'first'" in await rig.refused(extend(rig, 1, of="second"), "misplaced")
        await rig.until_step("purge 20 s")
        assert "none that has a name is" in await rig.refused(extend(rig, 1), "misplaced")
        await rig.until_open("LTB")
        assert "going on: 'second'" in await rig.refused(extend(rig, 1, of="first"), "misplaced")
        await rig.do(extend(rig, 1))
        await rig.until(lambda: rig.console.run and rig.console.run.progress.part == "finish")
        assert "in its finish" in await rig.refused(extend(rig, 1), "misplaced")
        record = await rig.ended()
    assert deposited(record) == [1, 1, 2, 2, 3, 3, 4, 4] and record.header.cycles == 4


@virtually
async def test_a_run_that_is_being_stopped_takes_no_more_turns(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(2))
        await rig.until_open("LTB")
        await rig.do(c.Stop())
        assert "STOPPING" in await rig.refused(extend(rig, 1), "misplaced")
        await rig.do(c.Pause(now=True))
        assert "being stopped" in await rig.refused(extend(rig, 1), "misplaced")
        await rig.do(c.Resume())
        assert (await rig.ended()).ending == "stopped"


@virtually
async def test_a_repeat_that_each_turn_of_another_does_anew_is_not_extended(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(nested(2, 2))
        await rig.until_open("LTB")
        assert "extend 'outer'" in await rig.refused(extend(rig, 1, of="inner"), "misplaced")
        await rig.do(extend(rig, 1))
        record = await rig.ended()
    assert deposited(record) == [1] * 4 + [2] * 4 + [3] * 4


@virtually
async def test_an_inner_repeat_of_a_single_turn_is_extended_by_its_name(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(nested(1, 1))
        await rig.until_open("GL")
        await rig.do(extend(rig, 2, of="inner"))
        record = await rig.ended()
    assert deposited(record) == [1] * 6 and record.summary["cycles"] == 1


@virtually
async def test_a_bottle_that_would_not_last_refuses_more_turns(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(1))
        await rig.until_open("LTB")
        file = rig.console._register_file
        card = {"label": "GL-1", "precursor": "glycerol", "grams": "500 µg"}
        file.save(file.registers.set("bottle.GL", card, "Ann", "2025-05-05T08:00:00Z", chemistry()))
        why = await rig.refused(extend(rig, 5), "bottle-short")
        assert "glycerol" in why and "are left at GL" in why
        assert (await rig.ended()).summary["cycles"] == 1


@virtually
async def test_what_a_recipe_needs_must_still_be_so(tmp_path: Path) -> None:
    needs = "needs: {chamber: {leak: below 5 mTorr/min}}\n"
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(1).replace("prepare:", needs + "prepare:", 1))
        await rig.until_open("LTB")
        file = rig.console._register_file
        file.save(file.registers.set("leak", "9 mTorr/min", "Ann", "2025-05-05T08:00:00Z", chemistry()))
        assert "the leak was measured as 9 mTorr/min" in await rig.refused(extend(rig, 1), "recipe-refused")
        await rig.do(c.Abort())
        await rig.ended()


def with_check(rig: Rig, change: Any) -> None:
    """Every check from now on passes through `change`, which may take its time."""
    desk = rig.console.recipes
    check = desk._check

    async def changed(request: CheckRequest) -> dict[str, Any]:
        return await change(await check(request))  # type: ignore[no-any-return]

    desk._check = changed


@virtually
async def test_a_plan_that_would_be_another_today_is_not_gone_on_with(tmp_path: Path) -> None:
    async def with_another_purge(result: dict[str, Any]) -> dict[str, Any]:
        result["plan"]["finish"][1]["length_ns"] += 1
        return result

    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(1))
        await rig.until_open("LTB")
        with_check(rig, with_another_purge)
        assert "not this run with 1 turn more of 'LiGL'" in await rig.refused(extend(rig, 1), "plan-changed")
        assert (await rig.ended()).summary["cycles"] == 1


@virtually
async def test_an_answer_that_comes_when_the_repeat_has_ended_adds_nothing(tmp_path: Path) -> None:
    async def slowly(result: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(27.0)
        return result

    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(TWICE.replace("times: 2", "times: 1"))
        await rig.until_open("LTB")
        with_check(rig, slowly)
        assert "going on" in await rig.refused(extend(rig, 1), "misplaced")
        assert (await rig.ended()).header.extensions == ()


@virtually
async def test_of_two_extensions_at_once_one_is_refused(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(1))
        await rig.until_open("LTB")

        async def slowly(result: dict[str, Any]) -> dict[str, Any]:
            await asyncio.sleep(1.0)
            return result

        with_check(rig, slowly)
        replies = await asyncio.gather(*(rig.ask(extend(rig, 1)) for _ in range(2)))
        assert sorted(reply.ok for reply in replies) == [False, True]
        assert (await rig.ended()).summary["cycles"] == 2


@virtually
async def test_an_extended_run_that_a_restart_cuts_stays_interrupted_with_its_new_total(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(ligl(1))
        await rig.until_open("LTB")
        await rig.do(extend(rig, 2))
        await rig.until_step("", cycle=2)
        folder = rig.console._job.journal.folder if rig.console._job else tmp_path
        await rig.restart()
        await rig.rest(60)
        last = rig.console.last
        assert rig.console.run is None and rig.state == "IDLE" and not rig.sources_open
        assert last and (last.ending, last.cycles, last.doses_planned) == ("interrupted", 3, 6)
        header = open_run(folder).header
        assert (header.cycles, header.doses) == (3, 6) and header.extensions[0].times == 3


# --- pause and stop in an inner repeat ----------------------------------------------------------------------------


@virtually
async def test_a_pause_acts_at_the_outermost_named_repeat_unless_told(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(nested(2, 2))
        run = rig.console.run
        assert run is not None
        await rig.until_open("LTB")
        await rig.do(c.Pause(at="inner"))
        await rig.until_state("PAUSED")
        assert (run.progress.confirmed, run.progress.cycles_done) == (2, 0)
        await rig.do(c.Resume())
        await rig.until_open("LTB")
        await rig.do(c.Pause())
        await rig.until_state("PAUSED")
        assert (run.progress.confirmed, run.progress.cycles_done) == (4, 1)
        await rig.do(c.Resume())
        await rig.until_open("LTB")
        await rig.do(c.Stop(at="inner"))
        record = await rig.ended()
    assert record.ending == "stopped" and record.summary["doses"] == 6 and record.summary["cycles"] == 1


@virtually
async def test_a_stop_from_a_pause_in_an_inner_repeat_goes_to_the_finish_at_once(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(nested(2, 3))
        await rig.until_open("LTB")
        await rig.do(c.Pause(at="inner"))
        await rig.until_state("PAUSED")
        await rig.do(c.Stop())
        record = await rig.ended()
    assert record.ending == "stopped" and record.summary["doses"] == 2


@virtually
async def test_a_stop_from_a_pause_says_that_it_acts_at_once_and_waits_for_no_other_turn(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(nested(2, 3))
        await rig.until_open("LTB")
        await rig.do(c.Pause(at="inner"))
        await rig.until_state("PAUSED")
        assert "resume first" in await rig.refused(c.Stop(at="outer"), "misplaced") and rig.state == "PAUSED"
        assert (await rig.do(c.Stop())).text == "goes to the recipe's finish at once"
        assert (await rig.ended()).ending == "stopped"


@virtually
async def test_a_stop_that_is_refused_leaves_the_valves_held(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(nested(1, 1))
        await rig.until_open("LTB")
        await rig.do(c.Pause(now=True))
        assert "going on" in await rig.refused(c.Stop(at="middle"), "misplaced")
        await rig.rest(1.0)
        status = rig.console.tool.valves.status
        assert status and status.held and rig.state == "PAUSED"
        await rig.do(c.Stop())
        assert (await rig.ended()).ending == "stopped"


@virtually
async def test_a_pause_in_a_repeat_that_is_not_going_on_is_refused_with_those_that_are(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(nested(1, 1))
        await rig.until_open("LTB")
        assert "going on: 'outer', 'inner'" in await rig.refused(c.Pause(at="middle"), "misplaced")
        assert "going on" in await rig.refused(c.Stop(at="middle"), "misplaced")
        assert "one of them" in await rig.refused(c.Pause(now=True, at="inner"), "bad-request")
        assert rig.state == "EXECUTING"
        assert (await rig.ended()).ending == "completed"


@virtually
async def test_where_the_outermost_repeat_has_no_name_a_pause_acts_in_the_named_one_inside(tmp_path: Path) -> None:
    async with Rig(tmp_path, warm=LIGL_C) as rig:
        await rig.start(nested(1, 3).replace("      name: outer\n", "", 1))
        run = rig.console.run
        assert run is not None
        await rig.until_open("LTB")
        await rig.do(c.Pause())
        await rig.until_state("PAUSED")
        assert run.progress.confirmed == 2
        await rig.do(c.Resume())
        assert (await rig.ended()).summary["doses"] == 6
