"""Every path of the real valve path within bounds: what is explored, how, and what is not, says decision 23.

The process, the host, the engine and the driver are the real ones, the module is the simulated coupler, and only the
clock, the link and the daemon are models. Nothing is drawn by lot: within its bounds an exploration is complete.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.explore.bugs import BUGS, Bug
from tests.explore.explorer import Explored, Explorer, fingerprinted
from tests.explore.menu import EVERYTHING, TELLING, Choice, named
from tests.explore.oracle import Broken, Oracle
from tests.explore.scenes import kept
from tests.explore.stage import STAGE, snapshots, staged
from tests.explore.world import World

DOSING, REST, FRESH = "a dose about to begin", "a tool at rest", "a fresh process"
RECOVERED = "a tool that lost its link a moment ago"
HOLD, NO_REQUESTS = "the daemon says Hold", "requests are held back for 8 ticks"
THRICE = named(HOLD, NO_REQUESTS, "the valve process is not woken for 3 ticks")
MET = {
    "Anchored", "Edge", "Ended", "Fault", "Missed", "Refused", "Status", "Wear",
    "held: abort", "held: end of file", "held: fault", "held: hold", "held: lease", "held: permit", "held: state",
    "the module's watchdog", "the module's write",
}  # fmt: skip


@pytest.fixture(autouse=True)
def stage() -> Iterator[None]:
    with staged():
        yield


def explored(scenes: Sequence[str], menu: Sequence[Choice], most: int = 1) -> Explored:
    """What comes of it, which must be nothing: no property broken, and doses again from every state."""
    result = Explorer(kept(*scenes), menu, most).run()
    assert result.found is None, str(result.found)
    assert result.stuck is None, str(result.stuck)
    return result


def test_nothing_that_happens_once_breaks_a_property() -> None:
    STAGE.seen.clear()
    STAGE.busy = 0
    result = explored((FRESH, DOSING, REST), EVERYTHING)
    assert result.states >= 28_000, "there were 34,778: what is it that is not met any more?"
    assert result.taken == set(range(len(EVERYTHING))), "a choice that can never be made is none"
    assert STAGE.seen == MET
    assert STAGE.busy == 0, "the process never spins"


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_mistake_is_found_and_its_shortest_path_told(bug: Bug) -> None:
    scenes = kept(DOSING, REST)
    with bug():
        found = Explorer(scenes, bug.menu).run().found
    assert found is not None and bug.found in found.why
    assert len(found.choices) == 1, "one thing out of turn is enough for each"
    assert found.story[-1].endswith(f"=> {found.why}"), "the path, played again without a pause, ends the same way"


def test_a_story_says_who_said_what_and_when_and_what_the_module_did() -> None:
    (bug,) = (bug for bug in BUGS if bug.name == "a connection ends as TCP ends it, not by a reset")
    scenes = kept(DOSING)
    with bug():
        found = Explorer(scenes, named("requests are held back for 8 ticks")).run().found
    assert str(found).splitlines() == [
        "TMA opened at the module 35 ms after it was due: 20 ms at most",
        "  from a dose about to begin, 9 ticks, with: requests are held back for 8 ticks",
        "      0.0 ms  ! requests are held back for 8 ticks",
        "      5.0 ms    the host sends the word TMA + CONTACTOR",
        "     20.0 ms    the host sends the word CONTACTOR",
        "     25.0 ms    the host drops the connection",
        "     25.0 ms    the valve process reports: a fault: the module did not confirm within 20 ms",
        "     25.0 ms    the valve process reports: held: fault: the module did not confirm within 20 ms",
        "     40.0 ms      what left 35 ms ago arrives",
        "     40.0 ms      the module: TMA + CONTACTOR",
        "     40.0 ms  => TMA opened at the module 35 ms after it was due: 20 ms at most",
    ]


@pytest.mark.parametrize("seed", range(3))
def test_equal_states_have_equal_futures(seed: int) -> None:
    """What a state leaves out decides nothing: a world that goes on and its copy, made anew at each step, agree."""
    chance, copies = random.Random(seed), snapshots()
    world = kept(FRESH)[FRESH]()
    others = [choice for choice in EVERYTHING if "Hold" not in choice.name]
    for tick in range(600):
        steps: list[Callable[[World], object]] = [World.go]
        if tick % 20 == 19:
            steps = [chance.choice(others).do, chance.choice(others).do, World.go]
        for step in steps:
            copy: World = copies.thaw(fingerprinted(copies, world))
            copy.mend()
            for each in (world, copy):
                STAGE.world = each
                step(each)
            assert fingerprinted(copies, copy) == fingerprinted(copies, world)


@pytest.mark.parametrize(
    ("see", "why"),
    [
        (lambda oracle: oracle.left(0, 1), "the first word on a fresh connection was not the safe word but TMA"),
        (lambda oracle: oracle.left(0, 0) and oracle.left(0, 1), "everything was stopped"),
        (lambda oracle: oracle.left(0, 0) and oracle.left(0, 128), "the heaters"),
    ],
)
def test_the_oracle_is_not_blind(see: Callable[[Oracle], object], why: str) -> None:
    with pytest.raises(Broken, match=why):
        see(Oracle())


# --- what it found, and what holds since ------------------------------------------------------------------------------


def test_opposite_kinds_keep_their_distance_when_a_closing_was_held_up() -> None:
    explored((DOSING,), named("the valve process will be held up for 8 ms before it sends an edge"), 2)


def test_a_second_loss_of_the_link_takes_the_heaters_along_as_the_first_did() -> None:
    explored((RECOVERED,), named(HOLD, NO_REQUESTS), 2)


# --- the long ones -------------------------------------------------------------------------------------------------


def told(what: str) -> None:
    if page := os.environ.get("ALD_FIGURES"):
        with Path(page).open("a", encoding="utf-8") as file:
            file.write(what + "\n")


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("menu", "most", "least"), [(TELLING, 2, 900_000), (THRICE, 3, 300_000)], ids=["two", "three"])
def test_nothing_that_happens_twice_or_thrice_breaks_a_property(
    menu: tuple[Choice, ...], most: int, least: int
) -> None:
    result = explored((DOSING,), menu, most)
    told(f"{most} of {len(menu)} choices on a path: {result}")
    assert result.states >= least
