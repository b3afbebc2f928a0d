"""The valve self-test without a valve process: the doses it plays, what it makes of edges and stamps, what it says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ald_controller.cli.pulses import (
    CONFIG,
    SEGMENTS_AHEAD,
    SOURCE,
    Dose,
    MissedDose,
    Played,
    cleared,
    judged,
    mean_length_s,
    play,
    segment,
)
from ald_controller.cli.selftest import Options, selftest_command
from ald_controller.cli.selftest_result import (
    BUSY,
    FLOOR_MS,
    FOUND,
    NOT_MEASURED,
    Result,
    as_json,
    bins,
    figures,
    histogram,
    lateness_ms,
    width_errors_ms,
)
from ald_controller.cli.selftest_words import table, text, verdict
from ald_controller.valves.engine import Engine
from ald_controller.valves.inline import InlineValves
from ald_controller.valves.timing import Timing
from ald_controller.valves.wire import (
    Anchored,
    Beat,
    Clear,
    Edge,
    Ended,
    FromEngine,
    Held,
    Load,
    Missed,
    SegmentId,
    ValveError,
)
from simulators.valve_beckhoff import CouplerA
from simulators.virtualtime import run_virtual

MS = 1_000_000
WIDTHS = (5, 15, 100)
MACHINE = {
    "processor": "Test 9000", "processors": 2, "virtual": False, "kernel": "6.1", "preempt": "PREEMPT_RT",
    "python": "3.11.7",
}  # fmt: skip


def dose(width_ms: float, opening_ms: float = 0.03, closing_ms: float = 0.04) -> Dose:
    return Dose(width_ms, opening_ms, closing_ms, opening_ms + 0.02, closing_ms + 0.02)


def result(degraded: bool = False, start: Timing | None = None, **played: Played) -> Result:
    widths_ms = (200, 500) if degraded else WIDTHS
    loads = {name.replace("_", " "): each for name, each in played.items()}
    return Result(1_795_384_800.0, 20.0, widths_ms, degraded, MACHINE, ("0.10", "2.00"), start, loads)


GOOD = Played(tuple(dose(w, 0.03, 0.03 + n * 0.001) for w in WIDTHS for n in range(100)))

# --- what is played ------------------------------------------------------------------------------------------------


def test_every_width_is_exact_and_no_two_pauses_are_alike() -> None:
    edges = [edge for number in range(20) for edge in segment(number, WIDTHS).edges[1:]]
    widths = [closed - opened for (opened, on), (closed, off) in zip(edges[::2], edges[1::2], strict=True) if on > off]
    assert [width / MS for width in widths] == [*WIDTHS] * 20
    pauses = []
    for number in range(20):
        offsets = [at for at, _ in segment(number, WIDTHS).edges]
        pauses += [after - before for before, after in list(pairwise(offsets))[::2]]
    assert len(set(pauses)) == len(pauses) == 60
    assert 10 * MS <= min(pauses) < 13 * MS and 27 * MS < max(pauses) <= 30 * MS


def test_the_engine_takes_the_segments_one_after_the_other() -> None:
    engine = Engine(CONFIG)
    engine.hear(0, Beat(1, SOURCE))
    engine.hear(0, Clear())
    for number in range(3):
        engine.hear(0, Load(segment(number, WIDTHS)))
    assert [type(message) for message in engine.reports()] == [Anchored] * 3


def test_a_segment_takes_as_long_as_is_planned_with() -> None:
    taken_ms = sum(segment(number, WIDTHS).length_ns for number in range(100)) / MS / 100
    assert taken_ms == pytest.approx(mean_length_s(WIDTHS) * 1e3, rel=0.02)


# --- playing, over a module in memory ---------------------------------------------------------------------------------


async def played(
    on_end: Callable[[InlineValves, int], None], count: int = 20, module: CouplerA | None = None
) -> tuple[Played, list[int]]:
    """What becomes of segments when somebody interferes at their ends, and the numbers of those that ended."""
    module, ends = module or CouplerA(), list[int]()
    valves = InlineValves(module)
    await valves.start(CONFIG)

    def told() -> None:
        ends.append(len(ends))
        on_end(valves, len(ends))

    async with cleared(valves):
        seen = await play(valves, (segment(number, WIDTHS) for number in range(count)), told)
    await valves.close()
    words = [(change.at_s, change.word) for change in module.changes]
    return judged(seen, words, WIDTHS), [each.id.half for each in seen if isinstance(each, Ended)]


def test_undisturbed_every_dose_is_given_when_it_is_due_and_as_wide_as_it_is_planned() -> None:
    whole, ended = run_virtual(played(lambda valves, number: None))
    assert len(whole.doses) == 60 and not whole.missed and not whole.holds and not whole.unmeasured
    assert ended == list(range(20))
    assert max(map(abs, lateness_ms(whole))) < 1e-3 and max(width_errors_ms(whole)) < 1e-3


def test_a_hold_loses_what_was_queued_and_the_rest_is_played_after_it() -> None:
    whole, ended = run_virtual(played(lambda valves, number: valves.hold("a test") if number in (5, 6) else None))
    assert whole.holds == ("hold: a test", "hold: a test")
    assert len(ended) == 20 - 2 * SEGMENTS_AHEAD and ended[-1] == 19
    assert len(whole.doses) == 3 * len(ended) and max(width_errors_ms(whole)) < 1e-3


def test_two_reasons_at_once_are_one_hold_to_go_on_after() -> None:
    def twice(valves: InlineValves, number: int) -> None:
        if number == 5:
            valves.hold("one")
            valves.hold("other")

    whole, ended = run_virtual(played(twice))
    assert whole.holds == ("hold: one", "hold: other") and len(ended) == 20 - SEGMENTS_AHEAD and ended[-1] == 19


def test_an_engine_whose_module_takes_nothing_any_more_is_given_up_with_its_reason() -> None:
    module = CouplerA()

    def trip(valves: InlineValves, number: int) -> None:
        module.tripped = True

    with pytest.raises(ValveError, match="the valve engine stays held: fault: the module refused"):
        run_virtual(played(trip, module=module))


def test_an_engine_that_holds_again_and_again_is_given_up() -> None:
    with pytest.raises(ValveError, match=r"held \d+ times, the last time because of 'hold: a test'"):
        run_virtual(played(lambda valves, number: valves.hold("a test"), count=100))


def test_a_hold_in_the_middle_of_a_dose_leaves_it_out_of_every_figure() -> None:
    def later(valves: InlineValves, number: int) -> None:
        if number == 5:  # the dose of 100 ms of the following segment is open by then
            asyncio.get_running_loop().call_later(0.13, valves.hold, "a test")

    whole, ended = run_virtual(played(later))
    assert whole.unmeasured == 1 and len(ended) == 20 - SEGMENTS_AHEAD
    assert max(width_errors_ms(whole)) < 1e-3


# --- what became of it -----------------------------------------------------------------------------------------------


def edge(index: int, at_ms: float, word: int, *, confirmed: bool = True, half: int = 0) -> Edge:
    due_ns = round(at_ms * MS)
    return Edge(SegmentId("r", half + 1, half), index, word, due_ns, due_ns + 50_000, confirmed * (due_ns + 300_000))


def pulse(index: int, at_ms: float, width_ms: float) -> list[FromEngine]:
    return [edge(index, at_ms, SOURCE), edge(index + 1, at_ms + width_ms, 0)]


def stamps(*at_ms: tuple[float, int]) -> list[tuple[float, int]]:
    return [(at / 1e3, word) for at, word in at_ms]


def test_a_dose_is_measured_by_the_stamps_of_the_module() -> None:
    seen = [*pulse(1, 100.0, 5.0), *pulse(3, 200.0, 15.0), Ended(SegmentId("r", 1, 0), 0)]
    played = judged(seen, stamps((100.02, 1), (105.05, 0), (200.1, 1), (215.04, 0)), WIDTHS)
    assert [each.width_ms for each in played.doses] == [5.0, 15.0]
    assert [round(each.opening_late_ms, 6) for each in played.doses] == [0.02, 0.1]
    assert [round(each.width_error_ms, 6) for each in played.doses] == [0.03, -0.06]
    assert [round(each.opening_sent_ms, 6) for each in played.doses] == [0.05, 0.05]
    assert not played.missed and not played.holds and not played.unmeasured


def test_bits_that_are_no_source_are_no_dose() -> None:
    words = stamps((99.0, 256), (100.02, 257), (101.0, 1), (105.05, 256), (106.0, 0))
    assert [round(d.width_error_ms, 6) for d in judged(pulse(1, 100.0, 5.0), words, WIDTHS).doses] == [0.03]


def test_a_missed_dose_has_its_width_and_its_lateness_and_shifts_no_other() -> None:
    seen = [*pulse(1, 100.0, 5.0), Missed(SegmentId("r", 1, 0), 3, 7_200_000), *pulse(5, 300.0, 100.0)]
    played = judged(seen, stamps((100.0, 1), (105.0, 0), (300.0, 1), (400.0, 0)), WIDTHS)
    assert [each.width_ms for each in played.doses] == [5.0, 100.0]
    assert played.missed == (MissedDose(15, 7.2),)


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ([edge(1, 100.0, 1), edge(2, 103.1, 0)], stamps((100.0, 1), (103.1, 0))),  # cut
        ([edge(1, 100.0, 1), edge(2, 105.0, 0, confirmed=False)], stamps((100.0, 1), (105.0, 0))),
        (pulse(1, 100.0, 5.0), stamps((100.0, 1), (150.0, 0))),  # the module closed by itself
        (pulse(1, 100.0, 5.0), stamps()),
        (pulse(1, 100.0, 5.0), stamps((98.0, 1), (105.0, 0))),  # open before anybody asked
        (pulse(1, 100.0, 5.0), stamps((103.0, 1), (105.0, 0))),  # open after it had confirmed
    ],
)
def test_what_is_not_what_was_planned_is_counted_and_never_measured(
    seen: list[FromEngine], words: list[tuple[float, int]]
) -> None:
    following = [(0.2, 1), (0.215, 0)]
    played = judged([*seen, *pulse(3, 200.0, 15.0)], [*words, *following], WIDTHS)
    assert played.unmeasured == 1
    assert [(each.width_ms, round(each.width_error_ms, 6)) for each in played.doses] == [(15.0, 0.0)]


def test_parts_of_a_measurement_add_up() -> None:
    held = judged([Held("lease", None, 5)], [], WIDTHS)
    assert held.holds == ("lease",)
    whole = Played((dose(5), dose(15)), (MissedDose(5, 6.0),)) + held
    assert (len(whole.doses), len(whole.of(5).doses), len(whole.of(5).missed), whole.of(15).missed) == (2, 1, 1, ())
    assert whole.holds == ("lease",)


# --- figures -------------------------------------------------------------------------------------------------------


def test_quantiles_are_values_that_were_measured_and_few_values_have_no_p99() -> None:
    hundred = figures([float(n) for n in range(100, 0, -1)])
    assert (hundred.n, hundred.p50, hundred.p99, hundred.max) == (100, 50.0, 99.0, 100.0)
    assert figures([1.0] * 99).p99 is None and figures([1.0] * 100).p99 == 1.0
    assert figures([]).max is None


def test_a_histogram_loses_no_value() -> None:
    values = [-0.05, 0.0, FLOOR_MS, 0.0999, 0.1, 4.99, 5.0, 5.01, 12.3, 47.0]
    edges = bins(values, 5.0)
    counts = histogram(values, edges)
    assert sum(counts) == len(values) and counts[0] == 3 and counts[-1] == 1
    assert edges[0] == FLOOR_MS and edges[-2] <= 47.0 < edges[-1]
    assert all(low <= value < high for value in values[3:] for low, high in [next_bin(value, edges)])
    assert bins([], 5.0)[-1] >= 10.0 > bins([], 5.0)[-2]
    assert bins([0.02], 5.0) == bins([], 5.0) == bins([9.8], 5.0), "the limit has its place, and some room behind it"


def next_bin(value: float, edges: list[float]) -> tuple[float, float]:
    alone = histogram([value], edges).index(1)
    return edges[alone] * (1 - 1e-9), edges[alone + 1] * (1 + 1e-9)


# --- what it says --------------------------------------------------------------------------------------------------


def test_a_good_computer_is_told_in_two_sentences() -> None:
    told = verdict(result(as_found=GOOD, busy=GOOD))
    assert told == [
        "No edge of 600 doses was later than 0.13 ms; an opening that is 5 ms late is not given",
        "99 of 100 doses of 5 ms are right to 0.10 ms (2.0 %)",
    ]


def test_the_width_is_judged_under_the_load_where_it_is_worst() -> None:
    worse = Played(tuple(dose(5, 0.0, n * 0.01) for n in range(100)))
    assert "99 of 100 doses of 5 ms are right to 0.98 ms (19.6 %)" in verdict(result(as_found=GOOD, busy=worse))
    few = Played((dose(5, 0.0, 0.5),))
    assert "All doses of 5 ms were right to 0.50 ms (10.0 %)" in verdict(result(as_found=few))


def test_missed_doses_come_first_and_a_late_computer_is_told_what_helps() -> None:
    bad = GOOD + Played((dose(5, 1.2, 1.9),) * 10, (MissedDose(15, 7.26), MissedDose(5, 5.5)))
    told = verdict(result(as_found=GOOD, busy=bad))
    assert told[0] == "2 of 612 doses came more than 5 ms late, up to 7.3 ms, and were not given"
    assert told[-2].startswith("THIS COMPUTER WAKES LATE (busy: p99 1.9 ms, worst 7.3 ms): doses may be missed")
    assert told[-1].startswith("What helps: ") and "PREEMPT_RT" in told[-1]


def test_degraded_timing_is_said_and_judged_by_its_own_limit() -> None:
    slow = Played(tuple(dose(w, 6.0, 9.0) for w in (200, 500)))
    told = verdict(result(degraded=True, as_found=slow))
    assert told[0].startswith("DEGRADED TIMING: this account may not take real-time priority")
    assert told[1] == "No edge of 2 doses was later than 9.0 ms; an opening that is 50 ms late is not given"
    assert not any("WAKES LATE" in line for line in told)
    assert "DEGRADED TIMING" in text(result(degraded=True, as_found=slow)).splitlines()[1]


def test_holds_and_doses_that_are_in_no_figure_are_told() -> None:
    told = verdict(result(as_found=GOOD + Played(holds=("lease", "lease"), unmeasured=3)))
    assert "The engine held 2 times, and no dose was given meanwhile: lease" in told
    assert "3 doses were cut short or never confirmed, and are in no figure" in told
    assert verdict(result(as_found=Played(unmeasured=1)))[0] == "No dose was measured"


def test_one_is_told_as_one() -> None:
    one = GOOD + Played((), (MissedDose(5, 6.0),), ("lease",))
    told = verdict(result(as_found=one))
    assert told[0] == "1 of 301 doses came more than 5 ms late, up to 6.0 ms, and was not given"
    assert "The engine held once, and no dose was given meanwhile: lease" in told
    wrong = Played((dose(5, 0.0, 300.0),))
    assert "All doses of 5 ms were right to 300 ms (6000 %)" in verdict(result(as_found=wrong))


def test_the_table_has_every_load_and_width_with_a_dash_for_what_is_not_known() -> None:
    some = GOOD + Played((), (MissedDose(15, 7.2),)) + Played((dose(5, 0.2, 14.0),))
    lines = table(result(as_found=some, busy=Played((dose(5),)))).splitlines()
    assert [line[:18].split() for line in lines[2:]] == [
        ["as", "found", "5", "ms"], ["as", "found", "15", "ms"], ["as", "found", "100", "ms"], ["as", "found", "all"],
        ["busy", "5", "ms"], ["busy", "15", "ms"], ["busy", "100", "ms"], ["busy", "all"],
    ]  # fmt: skip
    assert lines[3].split() == [
        "as",
        "found",
        "15",
        "ms",
        "100",
        "1",
        "0.030",
        "0.127",
        "0.129",
        "0.049",
        "0.098",
        "0.099",
    ]
    assert lines[2].split()[-4:] == ["14.0", "0.050", "0.099", "13.8"]
    assert lines[7].split() == ["busy", "15", "ms", "0", "0", "–", "–", "–", "–", "–", "–"]


def test_the_text_says_what_was_measured_on_and_what_was_not_measured() -> None:
    told = text(result(start=Timing(100, 0.001, 0.094, 0.3), as_found=GOOD))
    assert told.startswith("Valve timing of this computer, 2026-11-22 ")
    assert "computer with 2 × Test 9000, Linux 6.1 (PREEMPT_RT), Python 3.11.7, real-time priority" in told
    assert "valve timing at start: p99 0.09 ms, worst 0.30 ms" in told
    assert "the module's own cycle" in " ".join(told.split())


def small() -> Result:
    """Two doses and a missed one, as found."""
    missed = (MissedDose(15, 7.26012),)
    return result(
        start=Timing(100, 0.001, 0.094, 0.3), as_found=Played((dose(5), dose(100, 0.1, 0.02)), missed, ("lease",), 1)
    )


def _quantiles(n: int, p50: float | None, most: float | None) -> dict[str, Any]:
    return {"n": n, "p50": p50, "p99": None, "max": most}


SMALL = {
    "format": 1, "date": "2026-11-22T22:00:00.000Z", "machine": MACHINE, "real_time": True,
    "load_average": {"before": "0.10", "after": "2.00"}, "seconds": 20.0, "widths_ms": [5, 15, 100], "limit_ms": 5.0,
    "start": {"n": 100, "p50_ms": 0.001, "p99_ms": 0.094, "max_ms": 0.3}, "verdict": ["a verdict"],
    "not_measured": NOT_MEASURED,
    "columns": [
        "width_ms", "opening_late_ms", "closing_late_ms", "opening_sent_ms", "closing_sent_ms", "width_error_ms",
    ],
    "loads": {
        "as found": {
            "quantiles": {
                "5 ms": {
                    "doses": 1, "missed": 0, "edge_late_ms": _quantiles(2, 0.03, 0.04),
                    "width_error_ms": _quantiles(1, 0.01, 0.01),
                },
                "15 ms": {
                    "doses": 0, "missed": 1, "edge_late_ms": _quantiles(0, None, None),
                    "width_error_ms": _quantiles(0, None, None),
                },
                "100 ms": {
                    "doses": 1, "missed": 0, "edge_late_ms": _quantiles(2, 0.02, 0.1),
                    "width_error_ms": _quantiles(1, 0.08, 0.08),
                },
                "all": {
                    "doses": 2, "missed": 1, "edge_late_ms": _quantiles(4, 0.03, 0.1),
                    "width_error_ms": _quantiles(2, 0.01, 0.08),
                },
            },
            "missed": [{"width_ms": 15, "late_ms": 7.2601}], "holds": ["lease"], "unmeasured": 1,
            "doses": [[5.0, 0.03, 0.04, 0.05, 0.06, 0.01], [100.0, 0.1, 0.02, 0.12, 0.04, -0.08]],
        }
    },
}  # fmt: skip


def test_the_table_is_aligned() -> None:
    assert table(small()).splitlines() == [
        "                                   edge late by, ms           width off by, ms",
        "load      dose     doses  missed        p50     p99     max        p50     p99     max",
        "as found  5 ms         1       0      0.030       –   0.040      0.010       –   0.010",
        "as found  15 ms        0       1          –       –       –          –       –       –",
        "as found  100 ms       1       0      0.020       –   0.100      0.080       –   0.080",
        "as found  all          2       1      0.030       –   0.100      0.010       –   0.080",
    ]


def test_the_json_holds_every_dose_and_the_quantiles_of_the_table() -> None:
    found = GOOD + Played((), (MissedDose(15, 7.2),), ("lease",), 1)
    whole = result(start=Timing(100, 0.001, 0.094, 0.3), as_found=found, busy=GOOD)
    told = json.loads(json.dumps(as_json(whole, verdict(whole), values=True)))
    assert json.loads(json.dumps(as_json(small(), ["a verdict"], values=True))) == SMALL
    load = told["loads"][FOUND]
    assert told["columns"][0] == "width_ms" and len(load["doses"]) == 300
    late = [row[told["columns"].index("closing_late_ms")] for row in load["doses"]]
    assert max(late) == load["quantiles"]["all"]["edge_late_ms"]["max"] == 0.129
    assert load["quantiles"]["15 ms"]["missed"] == 1 and load["missed"] == [{"width_ms": 15, "late_ms": 7.2}]
    assert load["holds"] == ["lease"] and load["unmeasured"] == 1
    assert told["real_time"] is True and told["start"]["p99_ms"] == 0.094 and told["verdict"] == verdict(whole)
    assert as_json(result(as_found=found), [], values=False)["start"] is None
    assert "doses" not in as_json(whole, verdict(whole), values=False)["loads"][BUSY]


def test_what_cannot_be_written_is_said_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert selftest_command(Options(1.0, False, tmp_path / "file" / "x", False, str(tmp_path / "no.sock"))) == 1
    assert capsys.readouterr() == ("", f"ald valves selftest: --out {tmp_path}/file/x: Not a directory\n")


def test_every_dose_has_two_edges_and_one_width() -> None:
    assert lateness_ms(Played((dose(5, 0.1, 0.3),))) == [0.1, 0.3]
    assert width_errors_ms(Played((dose(5, 0.3, 0.1),))) == [pytest.approx(0.2)]
