"""Each finding of `ald check` stands where it is deserved, at its place, and nowhere else; and what refuses refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ald_controller.config import Tool
from ald_controller.foresight import power
from ald_controller.foresight.forecast import unforeseen
from ald_controller.interlocks import thermal_power
from ald_controller.registers import PLANNED, Registers
from simulators.plant import heat
from tests.foresee import SILICON, ahead, codes, cycles, said, text, warm
from tests.recipe_bench import HEAD, chemistry, loaded, plan, problems, shipped, tool

GOOD = cycles(("TMA", "15 ms", "15 s"), ("water", "15 ms", "20 s"))


def rack(registers: Registers, **bottles: str) -> Registers:
    """Other bottles at ports of the reference tool."""
    for port, precursor in bottles.items():
        card = {"label": f"{port}-1", "precursor": precursor, "grams": "25 g"}
        registers = registers.set(f"bottle.{port}", card, PLANNED, "planned", chemistry())
    return registers


def test_a_sound_recipe_has_no_findings() -> None:
    assert codes(ahead(text(GOOD))) == set()


@pytest.mark.parametrize("name", ["alumina-on-lithium.yaml", "ligl-on-lithium.yaml"])
def test_the_first_shipped_recipes_have_no_findings(name) -> None:
    assert codes(ahead(shipped(name), registers=loaded("lithium"))) == set()


# --- doses -----------------------------------------------------------------------------------------------------------


def test_a_dose_that_falls_short_is_said_at_its_line_with_what_saturates() -> None:
    """LiOtBu sticks so little that it takes 95 % only after 272 kL: six seconds at 20 mTorr (Hornsveld 2017)."""
    short = cycles(("LiOtBu", "500 ms", "15 s"), ("glycerol", "1 s", "30 s"))
    bottles = warm(150, LiOtBu=150, glycerol=130)
    told = said(ahead(text(short, prepare=bottles)), "dose")
    assert told.startswith("r.yaml:12:11: red, dose: LiOtBu reaches ")
    assert "are delivered, 95 % takes 271 kL; open for about" in told
    enough = cycles(("LiOtBu", "8 s", "15 s"), ("glycerol", "1 s", "30 s"))
    assert "dose" not in codes(ahead(text(enough, prepare=bottles)))


def test_holes_that_a_dose_does_not_reach_into_are_said_with_what_gordon_asks() -> None:
    """a = 200: 60951 molecules per site, at 4.6e18 sites per m² 137 kL; 15 ms bring 80."""
    head = SILICON.replace("silicon", "{material: silicon, aspect_ratio: 200, area: 20 cm2}")
    told = said(ahead(text(cycles(("TMA", "15 ms", "15 s"), ("water", "100 ms", "30 s")), head=head)), "aspect ratio")
    assert "TMA does not coat holes of aspect ratio 200 to their bottom" in told
    deep = cycles(("TMA", "100 ms", "15 s"), ("water", "100 ms", "30 s"))
    assert "aspect ratio" not in codes(ahead(text(deep, head=head)))


def test_a_sample_of_square_metres_takes_more_than_a_pulse_brings() -> None:
    """2.05 m² take 15.6 µmol of TMA at 4.55e18 sites per m²; 15 ms bring 4.5."""
    head = SILICON.replace("silicon", "{material: silicon, area: 2 m2}")
    found = ahead(text(GOOD, head=head))
    told = next(str(p) for p in found.findings if p.finding.code == "supply")
    assert "2.05 m² of sample and walls take 15.6 µmol of TMA, and the dose brings 4.5 µmol" in told
    assert "about 3 such openings are needed" in told
    shots = GOOD.replace("time: 15 ms}", "time: 15 ms, times: 6, every: 2 s}")
    assert "supply" not in codes(ahead(text(shots, head=head)))


def test_a_headspace_that_does_not_recover_is_said() -> None:
    fast = cycles(("TMA", "500 ms", "1 s"), ("water", "15 ms", "1 s"))
    slow = cycles(("TMA", "500 ms", "5 s"), ("water", "15 ms", "20 s"))
    fed = rack(loaded("silicon"), EG="hydroquinone")
    solid = cycles(("TMA", "15 ms", "2 s"), ("hydroquinone", "4 s", "4 s"))
    assert "headspace" in codes(ahead(text(solid, prepare=warm(150, carrier=1, hydroquinone=120)), registers=fed))
    assert "headspace" not in codes(ahead(text(slow)))
    assert "headspace" not in codes(ahead(text(fast)))


def test_a_bottle_below_the_pressure_of_the_chamber_lets_gas_in_instead() -> None:
    cold = cycles(("TMA", "15 ms", "15 s"), ("ethylene glycol", "500 ms", "60 s"))
    told = said(ahead(text(cold, prepare=warm(120, ethylene_glycol=30))), "back-flow")
    assert "ethylene glycol has 0.137 Torr at 30 °C, and the chamber stands at 0.28" in told
    assert "gas flows back into the bottle" in told
    assert "back-flow" not in codes(ahead(text(cold, prepare=warm(120, ethylene_glycol=70))))


# --- purges ----------------------------------------------------------------------------------------------------------


def test_a_purge_that_leaves_water_is_said_at_the_line_of_the_purge_with_the_growth_it_costs() -> None:
    """At 80 °C the simulated reactor grows 4.7 % too much after 5 s; at 20 s nothing to speak of."""
    cool = warm(80)
    found = ahead(text(cycles(("TMA", "60 ms", "20 s"), ("water", "60 ms", "5 s")), prepare=cool))
    told = said(found, "purge")
    assert told.startswith("r.yaml:15:18: ") and "after 5 s (13 V/S)" in told
    assert found.forecast.cycles[0].excess == pytest.approx(0.047, abs=0.01)
    assert "purge" not in codes(ahead(text(cycles(("TMA", "60 ms", "20 s"), ("water", "60 ms", "20 s")), prepare=cool)))


def test_the_same_purge_is_enough_where_the_walls_are_hot() -> None:
    same = cycles(("TMA", "60 ms", "9 s"), ("water", "60 ms", "9 s"))
    assert "purge" in codes(ahead(text(same, prepare=warm(80))))
    assert "purge" not in codes(ahead(text(same, prepare=warm(170))))


def test_a_purge_below_the_floor_of_the_tool_is_refused_at_its_line() -> None:
    found = problems(text(cycles(("TMA", "15 ms", "200 ms"), ("water", "15 ms", "20 s"))), registers=loaded("silicon"))
    assert [p.split(": ")[0] for p in found] == ["r.yaml:13:18"]
    assert "only 0.2 s between TMA (metal-organic) and water (protic)" in found[0]


# --- temperatures and pressures --------------------------------------------------------------------------------------


def test_a_film_outside_of_its_window_is_said_with_who_says_so() -> None:
    told = said(ahead(text(cycles(("DEZ", "15 ms", "15 s"), ("water", "15 ms", "20 s")), prepare=warm(250)),
                      registers=rack(loaded("silicon"), spare="DEZ")), "window")  # fmt: skip
    assert "ZnO at 250 °C: its process is known to work from 100 to 200 °C (Garcia-Alonso 2015" in told
    assert "window" not in codes(ahead(text(GOOD, prepare=warm(250))))


def test_a_precursor_that_breaks_on_hot_walls_is_said() -> None:
    amide = cycles(("TDMAT", "500 ms", "15 s"), ("water", "15 ms", "20 s"))
    hung = rack(loaded("silicon"), EG="TDMAT")
    hot = ahead(text(amide, prepare=warm(190, TDMAT=70)), registers=hung)
    assert "TDMAT breaks at 180 °C and above, and it meets 190 °C" in said(hot, "decomposition")
    assert "decomposition" not in codes(ahead(text(amide, prepare=warm(150, TDMAT=70)), registers=hung))


def test_vapour_over_half_of_its_saturation_on_the_coldest_wall_condenses() -> None:
    slow = cycles(("TMA", "15 ms", "15 s"), ("glycerol", "5 s", "60 s"))
    cold = ahead(text(slow, prepare=warm(85, carrier=1, glycerol=140)))
    assert "glycerol comes to" in said(cold, "condensation") and "over walls of 85 °C" in said(cold, "condensation")
    assert "condensation" not in codes(ahead(text(slow, prepare=warm(150, carrier=1, glycerol=140))))


def test_a_bottle_that_is_hotter_than_the_walls_is_no_finding_while_its_vapour_stays_thin() -> None:
    """0.03 Torr over walls where 0.6 Torr saturate: it is the pressure that counts, and not which one is hotter."""
    thin = cycles(("TMA", "15 ms", "15 s"), ("ethylene glycol", "15 ms", "60 s"))
    written = text(thin, prepare=warm(120, chamber=50, ethylene_glycol=70))
    assert "condensation" not in codes(ahead(written))
    assert not any("condense" in warning for warning in plan(written, registers=loaded("silicon")).warnings)
    long = text(
        thin.replace("glycol, time: 15 ms", "glycol, time: 5 s"), prepare=warm(120, chamber=25, ethylene_glycol=70)
    )
    assert "over walls of 25 °C" in said(ahead(long), "condensation")


def test_where_nobody_knows_the_vapour_pressure_walls_are_to_be_as_warm_as_the_bottle() -> None:
    salt = cycles(("LiHMDS", "6 s", "15 s"), ("water", "50 ms", "60 s"))
    hung = rack(loaded("silicon"), EG="LiHMDS")
    cold = ahead(text(salt, prepare=warm(120, chamber=60, LiHMDS=85)), registers=hung)
    assert "LiHMDS at 85 °C may condense on walls of 60 °C" in said(cold, "condensation")
    assert "condensation" not in codes(ahead(text(salt, prepare=warm(120, LiHMDS=85)), registers=hung))


def test_ligl_as_shipped_does_not_condense() -> None:
    """The bottle stands at the temperature of the chamber: it is the pressure that counts."""
    assert "condensation" not in codes(ahead(shipped("ligl-on-lithium.yaml"), registers=loaded("lithium")))


def test_a_pressure_beyond_the_gauge_is_said() -> None:
    long = "expose: {precursor: water, pulse: 4 s, hold: 1 s, flow: 5 sccm}\n  - purge: 60 s"
    told = said(
        ahead(text(f"expose: {{precursor: TMA, pulse: 15 ms, hold: 1 s, flow: 5 sccm}}\n  - purge: 9 s\n  - {long}")),
        "gauge",
    )
    assert "are beyond the end of coupler-b.pressure_torr, 10 Torr" in told
    assert "gauge" not in codes(ahead(text(GOOD)))


# --- bottles and films -----------------------------------------------------------------------------------------------


def test_a_run_that_takes_more_than_a_bottle_holds_is_said() -> None:
    card = {"label": "TMA-2", "precursor": "TMA", "grams": "3 mg"}
    little = loaded("silicon").set("bottle.TMA", card, PLANNED, "planned", chemistry())
    told = said(ahead(text(GOOD), registers=little), "bottle")
    assert "the run takes about 3.2" in told and "and 3 mg are left at TMA: it ends after about" in told
    assert "bottle" not in codes(ahead(text(GOOD)))


def test_a_target_that_the_doses_do_not_reach_is_said_with_the_cycles_that_would() -> None:
    head = SILICON + "film: Al2O3\ntarget: 1.31 nm\n"
    large = head.replace("silicon", "{material: silicon, area: 1 m2}")
    told = said(ahead(text(GOOD, head=large)), "target")
    assert "10 cycles of Al2O3 come to about" in told and "cycles would" in told
    assert "target" not in codes(ahead(text(GOOD, head=head)))


def test_slow_nucleation_is_said() -> None:
    head = SILICON.replace("silicon", "CNT sponge")
    assert "nucleation" in codes(ahead(text(GOOD, head=head), registers=loaded("carbon")))
    assert "nucleation" not in codes(ahead(text(GOOD)))


def test_titania_at_a_growth_ten_times_the_tables_is_flagged_with_both_figures() -> None:
    """One review prints 0.8 nm per cycle, and 10 nm: 12.5 cycles."""
    head = SILICON + "film: TiO2\ntarget: 9.6 nm\n"
    doses = cycles(("TDMAT", "500 ms", "15 s"), ("water", "15 ms", "20 s"), times=12)
    hung = rack(loaded("silicon"), EG="TDMAT")
    made = plan(text(doses, head=head, prepare=warm(150, TDMAT=70)), registers=hung)
    told = next(w for w in made.warnings if "12 cycles of TiO2" in w)
    assert told.startswith("r.yaml:5:9: warning: 12 cycles of TiO2 at 150 °C give 0.6 nm, not 9.6 nm")
    assert "that would be 0.8 nm per cycle, and the table has 0.05 nm" in told and "ten times too much" in told
    fair = plan(text(doses, head=head.replace("9.6", "0.6"), prepare=warm(150, TDMAT=70)), registers=hung)
    assert not [w for w in fair.warnings if "nm per cycle" in w]


def test_a_film_that_air_destroys_is_said_to_stay_in_the_glovebox() -> None:
    hung = rack(loaded("silicon"), spare="H2S")
    sulfide = cycles(("LiOtBu", "8 s", "20 s"), ("H2S", "100 ms", "20 s"))
    found = ahead(text(sulfide, prepare=warm(150, LiOtBu=150)), registers=hung)
    assert "Li2S: air and moisture destroy it, keep it in the glovebox" in said(found, "unload")
    assert "unload" not in codes(ahead(text(GOOD)))


# --- refused ---------------------------------------------------------------------------------------------------------


def on_lithium(deposit: str, prepare: str, registers: Registers, at: Tool | None = None) -> list[str]:
    return problems(text(deposit, head=HEAD, prepare=prepare), registers=registers, at=at)


def test_titanium_nitride_is_refused_over_lithium() -> None:
    hung = rack(loaded("lithium"), EG="TiCl4", spare="ammonia")
    found = on_lithium(cycles(("TiCl4", "50 ms", "5 s"), ("ammonia", "50 ms", "5 s")), warm(400, chamber=250), hung)
    assert any(p.startswith("r.yaml:6:23: 400 °C on 'substrate' is above the 150 °C") for p in found)
    assert any(p.startswith("r.yaml:12:18: TiCl4 may not be dosed over lithium") for p in found)
    assert any(p.startswith("r.yaml:14:18: ammonia may not be dosed over lithium") for p in found)


def test_lithium_phosphate_is_refused_over_lithium_hot_and_cool_and_red_below_its_window_elsewhere() -> None:
    hung = rack(loaded("lithium"), EG="trimethyl phosphate")
    doses = cycles(("LiOtBu", "5 s", "8 s"), ("water", "30 ms", "15 s"), ("trimethyl phosphate", "500 ms", "8 s"))
    hot = on_lithium(doses, warm(200, LiOtBu=140), hung)
    assert any(
        "200 °C on 'substrate' is above the 150 °C that any zone which touches lithium may be set to" in p for p in hot
    )
    (cool,) = on_lithium(doses, warm(145, LiOtBu=140), hung)
    assert cool.startswith("r.yaml:12:18: Li3PO4 does not go on lithium: its only published process grows less and")
    cool = ahead(
        text(doses, prepare=warm(150, LiOtBu=140)), registers=rack(loaded("silicon"), EG="trimethyl phosphate")
    )
    assert "Li3PO4 at 150 °C: its process is known to work from 200 to 300 °C (Put 2019" in said(cool, "window")


def test_nitrogen_is_refused_over_lithium_at_the_substrates_line() -> None:
    nitrogen = replace(tool(), config=tool().config.model_copy(update={"inert": "nitrogen"}))
    found = on_lithium(GOOD, warm(120), loaded("lithium"), nitrogen)
    assert found == ["r.yaml:2:12: lithium takes argon alone (it burns in nitrogen), and this tool's gas is nitrogen"]
    assert on_lithium(GOOD, warm(120), loaded("lithium")) == []


def test_water_first_is_refused_on_bare_lithium() -> None:
    found = on_lithium(cycles(("water", "15 ms", "20 s"), ("TMA", "15 ms", "15 s")), warm(120), loaded("lithium"))
    assert found == [
        "r.yaml:12:18: the first dose on bare lithium is water (protic), which attacks it: begin with a metal-organic"
    ]


def test_a_bottle_so_hot_that_its_line_would_pass_its_limit_is_refused() -> None:
    limit = {"lines": tool().config.zones["lines"].model_copy(update={"limit": 160.0})}
    short = replace(tool(), config=tool().config.model_copy(update={"zones": tool().config.zones | limit}))
    doses = cycles(("LiOtBu", "1 s", "20 s"), ("glycerol", "1 s", "30 s"))
    found = on_lithium(doses, warm(150, LiOtBu=150, glycerol=130), loaded("lithium"), short)
    assert found == [
        "r.yaml:6:11: the bottle in 'source-3' at 150 °C needs its line at 165 °C, but 'lines' may go to 160 °C"
    ]


def test_a_dose_below_what_its_valve_can_do_is_refused() -> None:
    slow = tool().config.valves.outputs["TMA"].model_copy(update={"shortest": 0.02})
    outputs = {**tool().config.valves.outputs, "TMA": slow}
    valves = tool().config.valves.model_copy(update={"outputs": outputs})
    stiff = replace(tool(), config=tool().config.model_copy(update={"valves": valves}))
    assert on_lithium(GOOD, warm(120), loaded("lithium"), stiff) == [
        "r.yaml:12:41: 15 ms is too short for the valve of TMA: 20 ms at least"
    ]
    below = on_lithium(cycles(("TMA", "5 ms", "15 s"), ("water", "15 ms", "20 s")), warm(120), loaded("lithium"))
    assert below == ["r.yaml:12:41: '5 ms' is out of range: between 0.01 s and 60 s is expected"]


COLD_WALLS = text(
    "purge: 10 s",
    prepare="""\
prepare:
  - heat: {substrate: 140 °C}
  - wait: {for: temperatures, within: 1 K, stay: 10 min, timeout: 3 h, else: finish}
""",
)


def test_a_zone_that_holds_with_nearly_all_of_its_power_is_said_at_the_line_that_heats_it() -> None:
    """Beside walls at 50 °C the wafer loses 0.4 × 115 + 1.5 × 90 = 181 W, and its heater has 150 W."""
    found = said(ahead(COLD_WALLS), "heater")
    assert found.startswith("r.yaml:5:5: red, heater: 'substrate' takes about 121% of its power to hold 140 °C beside")
    assert "'chamber' at 50 °C" in found and "row T2" in found


def test_a_zone_with_power_to_spare_is_no_finding_and_one_with_little_is_amber() -> None:
    def at(substrate: float, chamber: float) -> str:
        return said(ahead(text(GOOD, prepare=warm(substrate, chamber=chamber))), "heater")

    assert at(150, 150) == "" and at(200, 172) == ""
    assert "amber" in at(202, 172) and "red" in at(205, 172)


def test_zones_heated_one_after_the_other_are_judged_when_both_have_their_goal() -> None:
    together = "prepare:\n  - heat: {substrate: 150 °C}\n  - heat: {chamber: 150 °C}\n  - flow: {carrier: 20 sccm}\n"
    assert "heater" not in codes(ahead(text(GOOD, prepare=together)))


def test_without_power_in_the_tool_file_the_commissioned_rise_says_what_a_zone_has_left() -> None:
    """0.16 K/s at 25 °C and 0.06 K/s at 150 °C: a straight line leaves a fifth of it at 185 °C."""
    zones = {name: zone.model_copy(update={"heater": None}) for name, zone in tool().config.zones.items()}
    bare = replace(tool(), config=tool().config.model_copy(update={"zones": zones}))
    hot = said(ahead(text(GOOD, prepare=warm(190)), at=bare), "heater")
    assert "'chamber' takes about 82% of its power to hold 190 °C (its rise at full power, commissioned)" in hot
    assert "heater" not in codes(ahead(text(GOOD, prepare=warm(150)), at=bare))


def test_power_and_losses_of_the_reference_tool_are_those_of_the_reactor_that_it_is_tried_on() -> None:
    for name, zone in tool().config.zones.items():
        if zone.heater is not None:
            build = heat.BUILDS[zone.role]
            assert (zone.heater.power, zone.heater.loss) == (build.watts, build.loss_w_k)
            assert all(heat.BETWEEN_W_K[name, other] == w_k for other, w_k in zone.heater.beside.items())


def test_the_share_above_which_a_heater_is_said_to_trip_is_that_of_the_rule() -> None:
    assert power.FULL * 100 == thermal_power.FULL_PERCENT


def test_lihmds_with_water_is_checked_without_a_film_and_says_that_its_growth_does_not_limit_itself() -> None:
    """The negative test of Pieters 2024: no growth per cycle is published, and none is made up."""
    salt = cycles(("LiHMDS", "6 s", "15 s"), ("water", "50 ms", "60 s"))
    hung = rack(loaded("silicon"), EG="LiHMDS")
    found = ahead(text(salt, prepare=warm(120, LiHMDS=85)), registers=hung).forecast
    assert found.nm is None and {cycle.cycle.film for cycle in found.cycles} == {None}
    assert unforeseen(found) == ["nothing is known of what LiHMDS, water would grow"]
    told = "growth with water does not limit itself (Pieters 2024)"
    lithium = plan(
        text(salt, head="recipe: t\nsubstrate: lithium foil\nprovenance: read\n", prepare=warm(120, LiHMDS=85)),
        registers=rack(loaded("lithium"), EG="LiHMDS"),
    )
    assert any(told in warning for warning in lithium.warnings)


def test_openings_that_are_needed_are_counted_in_figures_that_one_reads_and_not_where_nothing_comes() -> None:
    sponge = ahead(text(GOOD, head=SILICON.replace("silicon", "{material: silicon, area: 10000 m2}")))
    told = next(str(placed) for placed in sponge.findings if placed.finding.code == "supply")
    assert "10,000 m² of sample and walls take 76,200 µmol of TMA" in told and "about 16,900 such openings" in told
    dead = cycles(("TMA", "15 ms", "10 s"), ("ethylene glycol", "100 ms", "10 s"))
    found = codes(ahead(text(dead, prepare=warm(120, carrier=60, ethylene_glycol=21))))
    assert "back-flow" in found and "supply" not in found
