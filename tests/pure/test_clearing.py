"""The cleared mark: what earns it, what it is lost by, and what it says is still missing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ald_controller import clearing as cl
from tests.recipe_bench import chemistry

NOTHING: frozenset[str] = frozenset()
CLEAR_S = {name: each.clear for name, each in chemistry().precursors.items()}
PURGING = cl.Inputs(
    open=NOTHING, air=False, purging=True, coldest_c=120.0, decay_s=0.385, rise_test_s=None, clear_s=CLEAR_S
)
START_S = 1000.0


class Chamber:
    """A chamber that is looked at ten times a second."""

    def __init__(self, *dosed: str) -> None:
        self.inputs = PURGING
        self.state = cl.boot(START_S, frozenset(dosed))
        self.now_s = START_S

    def wait(self, seconds: float, every_s: float = 0.1, **changes: object) -> cl.Clearing:
        """Let time pass with other inputs; they stay."""
        self.inputs = replace(self.inputs, **changes)  # type: ignore[arg-type]
        for _ in range(round(seconds / every_s)):
            self.now_s += every_s
            self.state = cl.step(self.state, self.inputs, self.now_s)
        return self.state

    def tested(self) -> cl.Clearing:
        """A rise test passes now."""
        return self.wait(0.1, rise_test_s=self.now_s + 0.05)


def cleared() -> Chamber:
    chamber = Chamber("water")
    chamber.wait(601.0)
    assert chamber.tested().cleared
    return chamber


def test_nothing_is_cleared_at_the_start_and_it_says_what_is_missing() -> None:
    state = Chamber("glycerol").wait(0.1)
    assert not state.cleared
    assert state.missing == (
        "sources shut and no air: 0 of 120 s",
        "hot purge after glycerol: 0 of 30 min",
        "no rise test below the tool's leak rate was passed since sources shut and air was out",
    )


@pytest.mark.parametrize(("dosed", "minutes"), [("TMA", 10), ("water", 10), ("glycerol", 30), ("HF-pyridine", 60)])
def test_a_hot_purge_as_long_as_the_worst_precursor_asks_for_and_a_rise_test_earn_it(dosed: str, minutes: int) -> None:
    chamber = Chamber("water", dosed)
    chamber.wait(minutes * 60 - 1)
    chamber.tested()
    assert chamber.state.missing == (f"hot purge after {dosed}: {minutes - 1} of {minutes} min",) or dosed == "TMA"
    assert chamber.wait(1.5).cleared and chamber.state.missing == () and chamber.state.dosed == NOTHING


def test_a_precursor_that_nobody_knows_asks_for_the_longest_purge_there_is() -> None:
    chamber = Chamber("an unnamed precursor")
    chamber.wait(3590.0)
    assert not chamber.tested().cleared
    assert chamber.wait(10.5).cleared
    assert max(CLEAR_S.values()) <= cl.LONGEST_CLEAR_S


def test_half_of_the_purge_is_half() -> None:
    chamber = Chamber("water")
    assert "hot purge after water: 4 of 10 min" in chamber.wait(4.5 * 60).missing


def test_without_a_rise_test_it_is_never_earned() -> None:
    chamber = Chamber("water")
    state = chamber.wait(3600.0, 1.0)
    assert not state.cleared and len(state.missing) == 1 and "rise test" in state.missing[0]


@pytest.mark.parametrize("at_s", [START_S - 1.0, START_S + 1e6])
def test_a_rise_test_of_before_the_last_dose_or_of_the_future_counts_for_nothing(at_s: float) -> None:
    chamber = Chamber("water")
    assert not chamber.wait(700.0, rise_test_s=at_s).cleared


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"purging": False}, "there is no purge flow to a running pump now"),
        ({"coldest_c": 99.9}, "it does not count at 100 °C, 100 °C are needed"),
        ({"coldest_c": 60.0}, "it does not count at 60 °C, 100 °C are needed"),
        ({"coldest_c": None}, "a temperature of the chamber is not known now"),
        ({"decay_s": None}, "V/S has not been commissioned"),
    ],
)
def test_a_purge_that_is_cold_or_no_purge_or_of_an_unknown_volume_earns_nothing(
    change: dict[str, object], says: str
) -> None:
    chamber = Chamber("water")
    chamber.wait(3600.0, 1.0, **change)
    chamber.tested()
    assert not chamber.state.cleared and any(says in line for line in chamber.state.missing)


def test_an_interrupted_purge_goes_on_where_it_was() -> None:
    chamber = Chamber("water")
    chamber.wait(300.0)
    chamber.wait(600.0, purging=False)
    chamber.wait(299.0, purging=True)
    assert not chamber.tested().cleared
    assert chamber.wait(2.0).cleared


def test_a_purge_that_nobody_looked_at_was_not_seen() -> None:
    chamber = Chamber("water")
    chamber.wait(1200.0, 2.0)
    assert not chamber.tested().cleared and "0 of 10 min" in chamber.state.missing[0]


def test_twenty_volumes_are_purged_hot_even_where_nothing_was_dosed() -> None:
    chamber = Chamber()
    chamber.wait(155.0, decay_s=10.0)
    chamber.tested()
    assert chamber.state.missing == ("hot purge: 150 of 200 s",)
    assert chamber.wait(60.0).cleared


def test_two_minutes_shut_are_needed_however_short_the_purge() -> None:
    chamber = Chamber()
    chamber.wait(100.0)
    assert chamber.tested().missing == ("sources shut and no air: 100 of 120 s",)
    assert chamber.wait(20.0).cleared


def test_any_opening_takes_it_and_what_was_opened_is_remembered() -> None:
    chamber = cleared()
    state = chamber.wait(0.1, open=frozenset({"glycerol"}))
    assert not state.cleared and state.missing == ("open, or not known to be shut: glycerol",)
    state = chamber.wait(700.0, open=NOTHING)
    chamber.tested()
    assert chamber.state.dosed == {"glycerol"} and "of 30 min" in chamber.state.missing[0]


def test_an_opening_begins_the_purge_anew() -> None:
    chamber = Chamber("water")
    chamber.wait(590.0)
    chamber.wait(0.1, open=frozenset({"water"}))
    chamber.wait(30.0, open=NOTHING)
    assert "hot purge after water: 0 of 10 min" in chamber.state.missing


def test_air_takes_it_and_needs_a_new_rise_test_but_no_longer_purge_than_twenty_volumes() -> None:
    chamber = cleared()
    assert chamber.wait(60.0, air=True).missing == ("the chamber is open to air, or its gate is not proven shut",)
    state = chamber.wait(130.0, air=False)
    assert not state.cleared and len(state.missing) == 1 and "rise test" in state.missing[0]
    assert chamber.tested().cleared


def test_air_does_not_make_forget_what_was_dosed() -> None:
    chamber = Chamber("glycerol")
    chamber.wait(10.0, air=True)
    assert chamber.wait(1.0, air=False).dosed == {"glycerol"}


def test_it_stays_while_the_chamber_cools_and_is_vented_behind_the_shut_gate() -> None:
    chamber = cleared()
    assert chamber.wait(3600.0, 1.0, purging=False, coldest_c=25.0).cleared


_CHANGES = st.fixed_dictionaries(
    {
        "open": st.sampled_from([NOTHING] * 12 + [frozenset({"TMA"}), frozenset({"glycerol"})]),
        "air": st.sampled_from([False] * 12 + [True]),
        "purging": st.sampled_from([True] * 6 + [False]),
        "coldest_c": st.sampled_from([120.0] * 6 + [99.0, None]),
        "decay_s": st.sampled_from([0.385] * 6 + [None]),
        "test": st.booleans(),
        "seconds": st.sampled_from([1, 30, 130, 650, 2000]),
    }
)


@settings(deadline=None, max_examples=60)
@given(st.lists(_CHANGES, max_size=25), st.sets(st.sampled_from(["TMA", "HF-pyridine", "glycerol"])))
def test_it_is_never_there_sooner_than_two_minutes_and_the_purge_after_an_opening_or_air(
    changes: list[dict[str, object]], before: set[str]
) -> None:
    chamber = Chamber(*before)
    needed, shut_s = set(before), 0.0
    for change in changes:
        seconds = float(str(change.pop("seconds")))
        if change.pop("test"):
            change["rise_test_s"] = chamber.now_s
        state = chamber.wait(seconds, 1.0, **change)
        opened = chamber.inputs.open
        needed |= opened
        shut_s = 0.0 if opened or chamber.inputs.air else shut_s + seconds
        if state.cleared:
            assert shut_s >= max([cl.SHUT_S, *(CLEAR_S[name] for name in needed)])
            needed = set()
        assert state.dosed == needed
        assert state.cleared == (not state.missing)
