"""The report: complete where the record is complete, honest where it is not, and never in need of anything else."""

from __future__ import annotations

import math
import re
import sqlite3
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ald_controller.interlocks import Quality, Sample
from ald_controller.records import scales
from ald_controller.records.charts import LABEL_GAP, spread_out
from ald_controller.records.digest import Digest, digest, pulse_heights
from ald_controller.records.folder import ZoneFacts
from ald_controller.records.record import open_run
from ald_controller.records.report import page, write_report
from tests.pure.test_records import crash
from tests.synthetic_run import CYCLE, START_S, begin, exposure, write_run


async def finished(root: Path, cycles: int = 6, **changes: object) -> Digest:
    return digest(open_run(await write_run(root, cycles, 0.5, **changes)))


async def test_a_report_needs_nothing_but_itself(tmp_path: Path) -> None:
    html = write_report(await write_run(tmp_path, 4, 0.5)).read_text("utf-8")
    without_namespace = html.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"https?:|src=|<link|@import|url\(", without_namespace)
    drawings = re.findall(r"<svg.*?</svg>", html, re.S)
    assert len(drawings) == 4
    for drawing in drawings:
        root = ElementTree.fromstring(drawing)
        assert root.attrib["role"] == "img" and root.attrib["aria-label"]
        assert "nan" not in drawing.lower()


async def test_a_finished_run_tells_its_ending_its_doses_and_what_is_missing_from_them(tmp_path: Path) -> None:
    html = page(await finished(tmp_path))
    assert "The recipe ran to its end; 5 of 6 cycles were given whole." in html
    assert ">completed</div>" in html
    assert '<dd>23<small> / 24</small><span class="sub">confirmed, 1 missed</span>' in html
    assert "an opening 7.3 ms late was not given" in html
    assert "No real tool took part" in html
    assert "Li trip 170" in html and "warning 1" in html
    assert "h:mm" in html and "Chamber pressure" in html


async def test_thickness_counts_only_cycles_that_were_given_whole(tmp_path: Path) -> None:
    html = page(await finished(tmp_path, 10))
    assert "2.4<small> nm</small>" in html  # nine of ten at 0.27 nm
    assert "predicted so far if cycles are alike, of 2.7 nm" in html


async def test_the_thickness_of_a_part_of_several_films_is_not_guessed_from_the_number_of_cycles(
    tmp_path: Path,
) -> None:
    html = page(await finished(tmp_path, 10, film="AlEG + Al2O3", thickness_nm=31.7))
    assert "of 31.7 nm predicted; which of its films are there is not worked out" in html


async def test_a_trip_is_the_first_thing_that_the_report_says(tmp_path: Path) -> None:
    run = await begin(tmp_path, 12, 0.5, simulated=None, degraded_timing=True)
    await run.cycle(1)
    await run.segment(exposure(), 2, cut_s=1.6)
    run.journal.event("trip", row="T1", text="substrate 171.2 °C is above 170 °C")
    await run.journal.close("tripped", {})
    html = page(digest(open_run(run.journal.folder)))
    assert "T1: substrate 171.2 °C is above 170 °C. The last segment on record is ‘LiOtBu exposure’ in cycle 2" in html
    assert "Degraded timing" in html and "does not say whether a real tool took part" in html
    assert "◐ cut" in html


async def test_an_aborted_run_gives_the_reason_of_whoever_aborted_it(tmp_path: Path) -> None:
    run = await begin(tmp_path, 12, 0.5)
    await run.cycle(1)
    run.journal.event("held", why="abort", at_ns=1, half=None)
    run.journal.event("abort", why="mara: smell of solvent")
    await run.journal.close("aborted", {})
    html = page(digest(open_run(run.journal.folder)))
    assert "Mara: smell of solvent. The last segment on record" in html


async def test_an_interrupted_run_says_where_its_record_ends(tmp_path: Path) -> None:
    run = await begin(tmp_path, 12, 0.5)
    await run.cycle(1)
    html = write_report(crash(run)).read_text("utf-8")
    assert ">interrupted</div>" in html
    assert "The record stops without an ending" in html and "in cycle 1 of 12" in html


async def test_a_run_that_goes_on_is_reported_as_far_as_it_is(tmp_path: Path) -> None:
    run = await begin(tmp_path, 12, 0.5)
    await run.cycle(1)
    assert ">running</div>" in page(digest(open_run(run.journal.folder)))
    await run.journal.close("stopped", {})


async def test_a_run_that_never_began_says_so_in_every_section(tmp_path: Path) -> None:
    run = await begin(tmp_path, 12, zones={}, signals={}, limits={}, film="", thickness_nm=None, rack={}, parameters={})
    await run.journal.close("aborted", {"why": "operator: smell of burning"})
    html = page(digest(open_run(run.journal.folder)))
    for words in (
        "Operator: smell of burning. No segment had been loaded.",
        "No cycle of the deposit is on record.",
        "Neither valves nor pressures nor temperatures are on record.",
        "No dose is on record.",
        "no prediction for this film",
    ):
        assert words in html


async def test_a_run_without_its_journal_still_has_a_report(tmp_path: Path) -> None:
    folder = await write_run(tmp_path, 2, 0.2)
    (folder / "journal.db").unlink()
    (folder / "recipe.yaml").unlink()
    html = write_report(folder).read_text("utf-8")
    assert "journal.db is missing" in html
    assert "recipe.yaml is missing in the run folder" in html


async def test_a_damaged_block_costs_its_channel_and_nothing_else(tmp_path: Path) -> None:
    folder = await write_run(tmp_path, 2, 0.2)
    con = sqlite3.connect(folder / "journal.db")
    con.execute("UPDATE readings SET block = x'00' WHERE channel = 'coupler-b.pressure_torr'")
    con.commit()
    con.close()
    d = digest(open_run(folder))
    html = page(d)
    assert "a block of coupler-b.pressure_torr is damaged" in html
    assert d.pressure is None and "There are no pressure readings in this record." in html
    assert "Temperatures" in html


async def test_bad_readings_are_left_out_and_counted(tmp_path: Path) -> None:
    run = await begin(tmp_path, 1, 0.5)
    await run.cycle(1)
    run.journal.readings({"coupler-b.pressure_torr": Sample(math.nan, run.clock.now, Quality.BAD)})
    run.journal.readings({"coupler-b.pressure_torr": Sample(math.inf, run.clock.now)})
    await run.journal.close("stopped", {})
    d = digest(open_run(run.journal.folder))
    assert d.pressure is not None and d.pressure.bad == 2
    assert "Bad readings left out: 2 of coupler-b.pressure_torr." in page(d)


async def test_names_from_outside_cannot_break_the_page(tmp_path: Path) -> None:
    run = await begin(tmp_path, 1, 0.5, title="<script>alert(1)</script>", who='x"><b>', film="A & B")
    run.journal.event("alarm", row="<i>", text="</td><script>")
    await run.cycle(1)
    await run.journal.close("stopped", {})
    html = page(digest(open_run(run.journal.folder)))
    assert html.count("<script>") == 1
    assert "&lt;script&gt;alert(1)" in html and "A &amp; B" in html and "<i>" not in html


async def test_a_long_run_stays_a_small_file(tmp_path: Path) -> None:
    html = page(await finished(tmp_path, 200))
    assert len(html.encode()) < 2_000_000
    assert "81 of 200 cycles, evenly chosen," in html


async def test_pulse_heights_are_the_rise_over_the_second_before(tmp_path: Path) -> None:
    d = await finished(tmp_path, 2)
    heights = pulse_heights(d)
    assert [h.precursor for h in heights[:2]] == ["LiOtBu", "TMA"]  # the water dose of cycle 1 was missed
    assert all(0.05 < h.rise < 0.3 for h in heights if h.precursor == "TMA")
    assert d.cycles[1].end - d.cycles[1].begin == pytest.approx(sum(s.length_ns for s in CYCLE) / 1e9)


async def test_a_hold_ends_the_bar_of_the_valve_that_it_closed(tmp_path: Path) -> None:
    run = await begin(tmp_path, 1, 0.5)
    await run.segment(exposure(), 1, cut_s=1.6)
    run.read_until(START_S + 60)
    await run.journal.close("aborted", {})
    ((opened, shut),) = digest(open_run(run.journal.folder)).open_times["LTB"]
    assert (opened, shut) == (pytest.approx(1.0, abs=1e-3), pytest.approx(1.6, abs=1e-3))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=400), st.integers(1, 50))
def test_thinning_keeps_every_extreme_and_never_grows(values: list[float], pixels: int) -> None:
    times = [float(i) for i in range(len(values))]
    points = scales.thin(times, values, pixels)
    assert min(v for _, v in points) == min(values) and max(v for _, v in points) == max(values)
    assert len(points) <= max(2 * pixels, len(values))
    assert [t for t, _ in points] == sorted(t for t, _ in points)


@given(st.lists(st.floats(0, 200), max_size=10))
def test_labels_never_cover_each_other(places: list[float]) -> None:
    out = spread_out(sorted(places), LABEL_GAP, 0.0, 300.0)
    assert all(b - a >= LABEL_GAP - 1e-9 for a, b in pairwise(out))


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e9))
def test_ticks_lie_within_their_scale_and_are_few(lo: float, width: float) -> None:
    ticks = scales.linear_ticks(lo, lo + width, 5)
    assert len(ticks) <= 8
    assert all(lo - width * 1e-3 - 1e-9 <= t <= lo + width * 1.001 + abs(lo) * 1e-9 for t in ticks)


def test_quantities_read_as_people_write_them() -> None:
    assert [scales.short_time(s) for s in (0, 28e-6, 15e-3, 1.0, -52.14e-6)] == [
        "0 µs",
        "28 µs",
        "15 ms",
        "1 s",
        "-52.1 µs",
    ]
    assert [scales.duration(s) for s in (42, 120, 750, 6000, 200_000)] == [
        "42 s", "2 min", "12 min 30 s", "1 h 40 min", "2 d 7 h"
    ]  # fmt: skip
    assert [scales.number(v) for v in (0, 0.3125, 170.0, 14_998, 2.5e-7)] == [
        "0",
        "0.3125",
        "170",
        "14\u202f998",
        "2.5·10⁻⁷",
    ]
    assert scales.clock(3725.2) == "1:02:05"
    assert scales.unit_of("coupler-b.pressure_torr") == "Torr" and scales.unit_of("x.status") == ""
    assert scales.log_ticks(0.1, 10) == pytest.approx([0.1, 0.2, 0.5, 1, 2, 5, 10])
    assert scales.time_ticks(90, 10) == [float(t) for t in range(0, 91, 10)]


async def test_a_second_sensor_is_drawn_beside_its_zone_and_named_where_it_went_away(tmp_path: Path) -> None:
    zones = {"substrate": ZoneFacts("substrate", "substrate", 300.0, "coupler-b.substrate_2_c")}
    for drift_k, named in ((0.4, False), (21.0, True)):
        run = await begin(tmp_path / str(named), 2, zones=zones)
        await run.prepare(100)
        for n in range(50):
            second, first = Sample(150.0 + drift_k, run.clock.now + n), Sample(150.0, run.clock.now + n)
            run.journal.readings({"coupler-b.substrate_2_c": second, "substrate.temperature_c": first})
        await run.journal.close("completed", {})
        html = write_report(run.journal.folder).read_text("utf-8")
        assert "a second sensor dotted" in html and "substrate, second sensor" in html
        assert ("substrate 2nd 171" in html) is named
