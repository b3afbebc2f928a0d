"""Two rules at a time, in every order: exhaustively, through the real core."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from unittest import mock

import pytest

from ald_controller.interlocks import Check, Reaction, core
from tests.interlock_bench import RULES
from tests.long import GOES_ON
from tests.rule_pairs import Explored, explore, pairs, shape, shapes

KEPT = Path(__file__).parents[2] / "long-results" / "pairs.json"
WITHIN_S = 420.0


def _all(chosen: Iterable[tuple[Check, Check]]) -> Explored:
    total = Explored()
    for one, other in chosen:
        found = explore(one, other)
        total.states += found.states
        total.transitions += found.transitions
    return total


def _one_of_each_reaction() -> list[Check]:
    simple = [check for check in shapes(RULES) if len(check.levels) == 1]
    return list({check.levels[0].reaction: check for check in reversed(simple)}.values())


def test_every_check_of_the_table_has_one_of_these_shapes() -> None:
    known = {shape(check) for check in shapes(RULES)}
    assert {shape(check) for check in RULES.checks} == known and 8 <= len(known) <= 60


def test_rules_of_every_two_reactions_keep_their_promises_in_every_order() -> None:
    simple = _one_of_each_reaction()
    assert {check.levels[0].reaction for check in simple} == set(Reaction) - {Reaction.NONE}
    found = _all(pairs(simple))
    assert found.states > 2_000 and found.transitions > 10_000


def test_an_exploration_finds_a_lost_latch() -> None:
    forgets = mock.patch.object(core, "_latch", lambda state, active, facts, samples: ((), None))
    one, other = next(
        p for p in pairs(shapes(RULES)) if all(lv.reaction >= Reaction.HOLD for c in p for lv in c.levels)
    )
    with forgets, pytest.raises(AssertionError):
        explore(one, other)


def test_an_exploration_finds_a_reset_that_asks_nobody() -> None:
    anybody = mock.patch.object(core, "_missing", lambda asked, role, key: "")
    one, other = next(
        p for p in pairs(shapes(RULES)) if all(lv.reaction >= Reaction.HOLD for c in p for lv in c.levels)
    )
    with anybody, pytest.raises(AssertionError):
        explore(one, other)


@pytest.mark.long
@pytest.mark.timeout(560)
def test_every_pair_of_rules_keeps_its_promises_in_every_order() -> None:
    """Some minutes of it at each call, from where the last one stopped."""
    told = repr([shape(check) for check in shapes(RULES)]).encode()  # no function stands in it: they have addresses
    of = hashlib.sha256(told + Path(core.__file__).read_bytes()).hexdigest()[:16]
    kept = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
    if kept.get("of") != of:
        kept = {"of": of, "pairs": 0, "states": 0, "transitions": 0, "seconds": 0.0}
    chosen, began_s, spent_s = list(pairs(shapes(RULES))), time.monotonic(), kept["seconds"]
    for one, other in chosen[kept["pairs"] :]:
        if time.monotonic() - began_s > WITHIN_S:
            left = f"{len(chosen) - kept['pairs']} of {len(chosen)} pairs are left for another call"
            pytest.exit(left, returncode=GOES_ON)
        found = explore(one, other)
        kept |= {"pairs": kept["pairs"] + 1, "states": kept["states"] + found.states}
        kept |= {"transitions": kept["transitions"] + found.transitions}
        kept |= {"seconds": spent_s + time.monotonic() - began_s}
        KEPT.parent.mkdir(exist_ok=True)
        KEPT.write_text(json.dumps(kept), "utf-8")
    figures = (
        f"{len(RULES.checks)} checks of {len(shapes(RULES))} shapes, {len(chosen)} pairs: {kept['states']} states, "
        f"{kept['transitions']} transitions, complete, in {kept['seconds']:.0f} s"
    )
    print(figures)
    if page := os.environ.get("ALD_FIGURES"):
        Path(page).write_text(figures + "\n", "utf-8")
