"""What each dose brought: figures over the simulated gas, pulses from edges, medians that get used to no fault."""

from __future__ import annotations

from dataclasses import replace
from math import nan
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ald_controller.interlocks import Quality, Sample
from ald_controller.pulses import Conditions, Counts, Figure, History, Judging, Likeness, Pulse, PulseMeter
from ald_controller.pulses.figure import Usual, least_pa
from ald_controller.pulses.history import figures_of, figures_text, likeness_of, likeness_text
from ald_controller.valves.wire import Edge, Held, SegmentId
from simulators.plant import Plant, Port, Wiring
from simulators.plant.sources import TORR_PA

TMA, H2O, LTB, STOP = 1, 2, 4, 64
ZONES = {"chamber": "chamber", "source-3": "source"}
WIRING = Wiring(
    (Port("TMA", TMA, "TMA"), Port("H2O", H2O, "water"), Port("LTB", LTB, "LiOtBu", "source-3", "pusher")),
    STOP, 128, {"carrier": 100.0, "pusher": 20.0}, ZONES,
)  # fmt: skip
MASKS = {"TMA": TMA, "H2O": H2O, "LTB": LTB}
POLL_S = 0.1


class Bench:
    """The simulated gas with a gauge that is read ten times a second, a meter over it, and the medians it looks up."""

    def __init__(self, *, phase_s: float = 0.0, seed: int = 1) -> None:
        self.plant = Plant(WIRING, at_s=0.0, warm_c={"chamber": 150.0, "source-3": 150.0}, seed=seed)
        self.plant.set_flow("carrier", 20.0, 0.0)
        self.history = History()
        self.meter = PulseMeter(MASKS, STOP, lambda source: Conditions(source), self.history.usual, 0.5e-3 / 1.3e-3)
        self.read_s, self.now_s, self.half, self.word = phase_s, 0.0, 0, 0
        self.gauge: tuple[float, Quality] = (1.0, Quality.GOOD)  # what it multiplies by, and says of itself
        self.silent = False
        self.until(10.0)

    def until(self, at_s: float) -> None:
        """Let time pass; the gauge is read on the way, and the zones stay hot."""
        while self.read_s < at_s:
            for zone in self.plant.heat.zones.values():
                zone.metal_c = 150.0
            if not self.silent:
                times, quality = self.gauge
                value = self.plant.capacitance_torr(self.read_s) * TORR_PA * times
                self.meter.pressure(Sample(value, self.read_s, quality))
            self.meter.look(self.read_s)
            self.read_s += POLL_S
        self.now_s = at_s

    def edge(self, index: int, after_s: float, word: int, *, confirmed: bool = True) -> None:
        self.until(self.now_s + after_s)
        self.word = word
        self.plant.valve_word(self.now_s, word)
        ns = round(self.now_s * 1e9)
        self.meter.edge(Edge(SegmentId("r", 1, self.half), index, word, ns, ns, ns if confirmed else 0))

    def dose(self, source: str, width_s: float = 0.015, purge_s: float = 5.0) -> Pulse:
        """One flowing pulse and its purge; its one Pulse."""
        self.half += 1
        self.edge(0, 0.0, MASKS[source])
        self.edge(1, width_s, 0)
        self.until(self.now_s + purge_s)
        (pulse,) = self.meter.take()
        return pulse

    def exposure(self, source: str = "LTB", width_s: float = 1.0, hold_s: float = 5.0) -> Pulse:
        """One dose into the shut chamber, with the carrier down to 5 sccm through the bottle."""
        self.half += 1
        self.down()
        self.edge(0, 0.0, STOP)
        self.edge(1, 1.0, STOP | MASKS[source])
        self.edge(2, width_s, STOP)
        self.edge(3, hold_s, 0)
        self.flows(20.0, 0.0)
        self.until(self.now_s + 10.0)
        (pulse,) = self.meter.take()
        return pulse

    def down(self) -> None:
        """Before an exposure: the carrier down and through the bottle."""
        self.flows(0.0, 5.0)
        self.until(self.now_s + 2.0)

    def flows(self, carrier: float, pusher: float) -> None:
        self.plant.set_flow("carrier", carrier, self.now_s)
        self.plant.set_flow("pusher", pusher, self.now_s)

    def known(self, pulses: int, source: str = "TMA", *, shut: bool = False) -> float:
        """Let the history learn some healthy pulses; their median."""
        found = [self.exposure(source) if shut else self.dose(source) for _ in range(pulses)]
        for pulse in found:
            self.history.add(pulse, "bottle", 0.0)
        return median(delta(pulse) for pulse in found)


def delta(pulse: Pulse) -> float:
    assert pulse.figure is not None, pulse.why
    return pulse.figure.delta_p_pa


# --- the figure ----------------------------------------------------------------------------------------------------


def test_a_pulse_of_15_ms_has_the_same_figure_whenever_the_gauge_is_read() -> None:
    found = [delta(Bench(phase_s=phase / 100.0 + 0.003).dose("H2O")) for phase in range(10)]
    assert max(found) / min(found) < 1.15
    assert median(found) == pytest.approx(0.85 * TORR_PA, rel=0.1)


def test_noise_moves_the_figure_of_a_small_pulse_by_little() -> None:
    found = [delta(Bench(seed=seed).dose("TMA")) for seed in range(1, 9)]
    assert all(0.85 < each / median(found) < 1.15 for each in found)


@pytest.mark.parametrize("width_s", [0.015, 0.5, 2.0, 5.0])
def test_what_noise_makes_of_no_dose_at_all_is_far_below_the_least_that_is_judged(width_s: float) -> None:
    found: list[float] = []
    for seed in range(1, 7):
        bench = Bench(seed=seed)
        bench.plant.empty_bottle("TMA", bench.now_s)
        found += [delta(bench.dose("TMA", width_s, 2.0 * width_s + 4.0)) for _ in range(4)]
    noise = (sum(each**2 for each in found) / len(found)) ** 0.5
    least = least_pa(replace(LIKE, width_ns=round(width_s * 1e9), shut=False))
    assert 3.0 * noise < least < 10.0 * noise


def test_an_exposure_is_told_from_the_carrier_that_fills_the_shut_chamber() -> None:
    bench = Bench()
    bench.exposure()  # a fresh surface takes its share of the first one
    found = [delta(bench.exposure()) for _ in range(4)]
    assert all(0.9 < each / median(found) < 1.1 for each in found)
    bench.plant.empty_bottle("LTB", bench.now_s)
    assert abs(delta(bench.exposure())) < 0.1 * median(found)


def test_a_figure_scales_with_the_dose() -> None:
    bench = Bench()
    once = delta(bench.dose("TMA", 0.015))
    assert delta(bench.dose("TMA", 0.030)) == pytest.approx(2 * once, rel=0.25)


@pytest.mark.parametrize("source", ["TMA", "H2O"])
@pytest.mark.parametrize("fault", ["stick_closed", "empty_bottle"])
def test_a_valve_stuck_closed_and_an_empty_bottle_bring_nothing(source: str, fault: str) -> None:
    bench = Bench()
    usual = bench.known(5, source)
    getattr(bench.plant, fault)(source, bench.now_s)
    assert abs(delta(bench.dose(source))) < 0.1 * usual


def test_a_valve_that_stays_open_shows_at_once_as_more_than_twice_the_usual() -> None:
    bench = Bench()
    usual = bench.known(5)
    bench.half += 1
    bench.edge(0, 0.0, TMA)
    bench.plant.stick_open("TMA", bench.now_s)
    bench.edge(1, 0.015, 0)
    bench.until(bench.now_s + 0.35)
    (pulse,) = bench.meter.take()
    assert delta(pulse) > 2 * usual


def test_a_valve_that_stood_open_before_its_pulse_shows_as_a_rise_too() -> None:
    bench = Bench()
    usual = bench.known(5)
    bench.plant.stick_open("TMA", bench.now_s)
    bench.until(bench.now_s + 5.0)
    assert delta(bench.dose("TMA")) > 2 * usual


def test_a_valve_that_stays_open_in_an_exposure_shows_before_its_hold_is_over() -> None:
    bench = Bench()
    usual = bench.known(5, "LTB", shut=True)
    bench.plant.stick_open("LTB", bench.now_s)
    assert delta(bench.exposure()) > 2 * usual


def test_the_wrong_bottle_is_far_from_the_median() -> None:
    bench = Bench()
    usual = bench.known(5)
    bench.plant.hang_bottle("TMA", "water", bench.now_s)
    assert delta(bench.dose("TMA")) > 2 * usual


# --- what has no figure --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gauge", [(1.0, Quality.BAD), (1.0, Quality.TEST), (nan, Quality.GOOD)])
def test_a_pressure_that_cannot_be_believed_makes_no_figure_and_never_a_zero(gauge: tuple[float, Quality]) -> None:
    bench = Bench()
    bench.half += 1
    bench.edge(0, 0.0, TMA)
    bench.edge(1, 0.015, 0)
    bench.gauge = gauge
    bench.until(bench.now_s + 0.15)
    bench.gauge = (1.0, Quality.UNCERTAIN)
    bench.until(bench.now_s + 5.0)
    (pulse,) = bench.meter.take()
    assert pulse.figure is None and "could not be believed" in pulse.why


def test_a_gauge_that_is_not_read_makes_no_figure_and_the_pulse_is_told_all_the_same() -> None:
    bench = Bench()
    bench.until(bench.now_s + 1.0)
    bench.silent = True
    pulse = bench.dose("TMA")
    assert pulse.figure is None and "was not read" in pulse.why
    bench.silent = False
    bench.until(bench.now_s + 1.1)
    assert bench.dose("TMA").figure is not None


@pytest.mark.parametrize("unconfirmed", [0, 1])
def test_an_edge_that_the_module_never_confirmed_makes_no_figure(unconfirmed: int) -> None:
    bench = Bench()
    bench.edge(0, 0.0, TMA, confirmed=unconfirmed != 0)
    bench.edge(1, 0.015, 0, confirmed=unconfirmed != 1)
    bench.until(bench.now_s + 5.0)
    (pulse,) = bench.meter.take()
    assert pulse.figure is None and "never confirmed" in pulse.why


def test_a_dose_that_a_hold_cut_has_no_figure_and_the_next_one_is_whole() -> None:
    bench = Bench()
    bench.edge(0, 0.0, TMA)
    bench.until(bench.now_s + 0.01)
    bench.plant.valve_word(bench.now_s, 0)
    bench.meter.held(Held("hold: paused", SegmentId("r", 1, 0), round(bench.now_s * 1e9)))
    bench.edge(1, 0.0, 0)
    (pulse,) = bench.meter.take()
    assert pulse.figure is None and "cut short: hold: paused" in pulse.why
    bench.until(bench.now_s + 5.0)
    assert delta(bench.dose("TMA")) > 10.0


def test_two_sources_at_once_have_no_figures_of_their_own() -> None:
    bench = Bench()
    for index, word in enumerate((TMA, TMA | H2O, H2O, 0)):
        bench.edge(index, 0.05, word)
    bench.until(bench.now_s + 5.0)
    assert [(p.source, p.figure, p.why) for p in bench.meter.take()] == [
        (name, None, "another source was open at the same time") for name in ("TMA", "H2O")
    ]


def test_a_stop_valve_that_moves_while_a_source_is_open_makes_no_figure() -> None:
    bench = Bench()
    for index, word in enumerate((TMA, TMA | STOP, STOP, 0)):
        bench.edge(index, 0.2, word)
    bench.until(bench.now_s + 5.0)
    (pulse,) = bench.meter.take()
    assert pulse.figure is None and "stop valve moved" in pulse.why


def test_a_dose_right_after_a_change_of_flow_has_no_figure() -> None:
    bench = Bench()
    bench.flows(60.0, 0.0)
    bench.until(bench.now_s + 0.5)
    pulse = bench.dose("TMA")
    assert pulse.figure is None and "not steady before it" in pulse.why
    bench.until(bench.now_s + 5.0)
    assert delta(bench.dose("TMA")) > 10.0


def test_a_shot_in_the_tail_of_another_has_no_figure_and_the_one_before_it_has() -> None:
    bench = Bench()
    for index, after_s in enumerate((0.0, 0.015, 0.6, 0.015)):
        bench.edge(index, after_s, TMA if index % 2 == 0 else 0)
    bench.until(bench.now_s + 5.0)
    first, second = bench.meter.take()
    assert delta(first) == pytest.approx(delta(Bench().dose("TMA")), rel=0.15)
    assert second.figure is None and "not steady before it" in second.why


def test_a_dose_that_takes_pressure_away_brought_nothing_and_is_no_broken_reading() -> None:
    """Its bottle is colder than the chamber's pressure wants, and the gas streams back into it."""
    assert Usual(20.0, 40.0, 0.0).ratio(Figure(40.0, 40.0, -1.5, 0.0)) == 0.0


def test_shots_into_the_shut_chamber_have_a_figure_each_and_a_fuller_chamber_takes_less() -> None:
    bench = Bench()
    bench.down()
    bench.edge(0, 0.0, STOP)
    for index in range(1, 7):
        bench.edge(index, 1.0, STOP | LTB if index % 2 == 1 else STOP)
    bench.edge(7, 4.0, 0)
    shots = bench.meter.take()
    assert [shot.likeness.shot for shot in shots] == [1, 2, 3]
    found = [delta(shot) for shot in shots]
    assert found == sorted(found, reverse=True) and found[2] > 0.5 * found[0] > 5.0


def test_an_exposure_without_a_hold_has_no_line_to_compare_with() -> None:
    pulse = Bench().exposure(hold_s=0.2)
    assert pulse.figure is None and "too short" in pulse.why


def test_readings_do_not_pile_up_while_nothing_is_dosed_nor_under_a_dose_that_never_ends() -> None:
    bench = Bench()
    bench.until(100.0)
    assert len(bench.meter._readings) < 30
    bench.edge(0, 0.0, TMA)
    for i in range(10_000):
        bench.meter.pressure(Sample(30.0, 100.0 + i * 0.1))
    assert len(bench.meter._readings) <= 4000


# --- what is alike -------------------------------------------------------------------------------------------------


def test_shots_of_one_segment_are_numbered_and_know_how_far_apart_they_are() -> None:
    bench = Bench()
    for index in range(6):
        bench.edge(index, 0.3, TMA if index % 2 == 0 else 0)
    bench.until(bench.now_s + 5.0)
    found = [(p.likeness.shot, p.likeness.apart_ns, p.edge) for p in bench.meter.take()]
    assert found == [(1, 0, 0), (2, 300_000_000, 2), (3, 300_000_000, 4)]


def test_an_exposure_is_not_like_a_flowing_pulse_nor_a_trimmed_dose_like_a_whole_one() -> None:
    bench = Bench()
    whole, trimmed = bench.dose("LTB", 1.0), bench.dose("LTB", 0.7)
    exposed = bench.exposure("LTB", 1.0)
    assert exposed.likeness.shut and not whole.likeness.shut
    assert len({whole.likeness, trimmed.likeness, exposed.likeness}) == 3


@settings(deadline=None)
@given(
    st.builds(
        Likeness,
        st.builds(Conditions, st.text(), *[st.none() | st.floats(-300, 400)] * 2, *[st.none() | st.floats(0, 100)] * 2),
        st.integers(1, 10**11), st.booleans(), st.integers(1, 99), st.integers(0, 10**9),
    )
)  # fmt: skip
def test_a_likeness_survives_the_file(likeness: Likeness) -> None:
    assert likeness_of(likeness_text(likeness)) == likeness


# --- medians and judging -------------------------------------------------------------------------------------------

LIKE = Likeness(Conditions("TMA"), 15_000_000, shut=False, shot=1, apart_ns=0)
HOUR_S = 3600.0


def made(delta_pa: float | None, likeness: Likeness = LIKE) -> Pulse:
    figure = None if delta_pa is None else Figure(40.0, 40.0 + delta_pa, delta_pa, 0.0)
    return Pulse("TMA", SegmentId("r", 1, 0), 0, likeness, 0.0, 0.015, figure, "" if figure else "no gauge")


def taught(*deltas_pa: float) -> History:
    """A history with these pulses, a minute apart."""
    history = History()
    for i, each in enumerate(deltas_pa):
        history.add(made(each), "card", i * 60.0)
    return history


def test_the_first_five_pulses_of_a_bottle_are_recorded_only_and_the_sixth_is_judged() -> None:
    history = History()
    found = [history.add(made(20.0 + i), "card", i * 60.0) for i in range(6)]
    assert [v.judged for v in found] == [False] * 5 + [True]
    assert all(v.ratio is None for v in found[:5]) and found[5].ratio == pytest.approx(25.0 / 22.0)
    assert "number 5 of the first 5 from this bottle" in found[4].why
    assert [v.counts.number for v in found] == [1, 2, 3, 4, 5, 6]


def test_after_a_new_bottle_pulses_are_compared_and_not_judged_five_times() -> None:
    history = taught(*[20.0] * 8)
    found = [history.add(made(30.0), "another card", 1000.0 + i) for i in range(6)]
    assert [v.judged for v in found] == [False] * 5 + [True]
    assert found[0].ratio == 1.5 and found[0].counts.since_install == 1 and found[0].counts.number == 9


@pytest.mark.parametrize(("rest_s", "judged"), [(8 * HOUR_S - 60, True), (8 * HOUR_S, False), (-60.0, False)])
def test_after_eight_hours_of_rest_or_a_clock_that_was_set_back_five_are_recorded_only(
    rest_s: float, judged: bool
) -> None:
    history = taught(*[20.0] * 8)
    last_s = history.counts["TMA"].at
    assert history.add(made(20.0), "card", last_s + rest_s).judged is judged
    found = [history.add(made(20.0), "card", last_s + rest_s + i).judged for i in range(1, 6)]
    assert found == ([True] * 5 if judged else [False] * 4 + [True])


def test_a_pulse_without_a_figure_counts_as_an_opening_and_moves_no_median() -> None:
    history = taught(*[20.0] * 6)
    before = history.usual("TMA", LIKE)
    verdict = history.add(made(None), "card", 400.0)
    assert not verdict.judged and verdict.ratio is None and verdict.why == "no gauge" and verdict.counts.number == 7
    assert history.usual("TMA", LIKE) == before


def test_a_fault_never_becomes_the_usual_thing_by_itself() -> None:
    history = taught(*[20.0] * 8)
    ratios = [history.add(made(1.0), "card", 500.0 + i).ratio for i in range(100)]
    assert ratios == [0.05] * 100
    assert [history.add(made(100.0), "card", 700.0 + i).ratio for i in range(100)] == [5.0] * 100


def test_an_owner_lets_a_source_learn_anew() -> None:
    history = taught(*[20.0] * 8)
    history.forget("TMA")
    found = [history.add(made(60.0), "card", 500.0 + i) for i in range(6)]
    assert [v.judged for v in found] == [False] * 5 + [True] and found[5].ratio == 1.0


def test_a_slow_change_is_followed_over_the_newest_twenty() -> None:
    history = taught(*[20.0] * 30)
    for i in range(30):
        verdict = history.add(made(20.0 * 0.99**i), "card", 2000.0 + i)
        assert verdict.ratio is not None and 0.85 < verdict.ratio <= 1.0


def test_other_conditions_are_other_medians() -> None:
    history = taught(*[20.0] * 8)
    hotter = replace(LIKE, conditions=Conditions("TMA", bottle_c=40.0))
    verdict = history.add(made(50.0, hotter), "card", 500.0)
    assert verdict.ratio is None and "fewer than 5 pulses like it" in verdict.why


def test_pulses_that_drown_in_noise_are_not_judged_and_give_way_to_real_ones() -> None:
    history = taught(*[0.2] * 8)
    verdict = history.add(made(20.0), "card", 500.0)
    assert verdict.ratio is None and "too small" in verdict.why
    found = [history.add(made(20.0), "card", 600.0 + i) for i in range(20)]
    assert found[-1].ratio == 1.0 and found[-1].judged


def test_likenesses_that_are_not_used_any_more_are_forgotten() -> None:
    history = History(Judging(likenesses=3))
    likes = [replace(LIKE, width_ns=n) for n in range(1, 6)]
    for i, like in enumerate([*likes, likes[2], replace(LIKE, width_ns=9)]):
        history.add(made(20.0, like), "card", float(i))
    assert [key[1].width_ns for key in history.figures] == [5, 3, 9]


@settings(deadline=None)
@given(st.lists(st.floats(-1e5, 1e5), max_size=60), st.lists(st.sampled_from(["a", "b"]), min_size=60, max_size=60))
def test_whatever_comes_numbers_grow_by_one_and_at_most_twenty_figures_are_kept(
    deltas: list[float], bottles: list[str]
) -> None:
    history = History()
    for i, (each, bottle) in enumerate(zip(deltas, bottles, strict=False)):
        verdict = history.add(made(each), bottle, float(i))
        assert verdict.counts.number == i + 1 and 1 <= verdict.counts.since_install <= i + 1
        assert not verdict.judged or (verdict.ratio is not None and verdict.counts.since_install > 5)
        assert len(history.figures.get(("TMA", LIKE), ())) <= 20


def test_figures_survive_the_file_to_a_millipascal() -> None:
    figures = (Figure(40.1234, 60.0, 20.0005, 0.0), Figure(1.0, 2.0, -3.0, 4.0))
    assert figures_of(figures_text(figures)) == (Figure(40.123, 60.0, 20.0, 0.0), figures[1])
    assert Counts("card", 1, 1, 1, 0.0).number == 1
