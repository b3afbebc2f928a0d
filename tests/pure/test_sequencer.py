"""The parts of the sequencer that need no tool: what is left of a cut segment, and what a screen calls a step."""

from __future__ import annotations

import pytest

from ald_controller.acts import leaf_label
from ald_controller.plan import Dose, FlowStep, HeatStep, Leaf, PumpStep, SegmentStep, WaitStep, Where
from ald_controller.segments import again

HERE = Where(1, 1)
S = 1_000_000_000
# stop shut, two shots, stop open: as an exposure with two shots is
SHOTS = SegmentStep(
    "segment", HERE, "exposure", ((0, 64), (1 * S, 65), (2 * S, 64), (3 * S, 65), (4 * S, 64), (9 * S, 0)), 10 * S,
    (Dose("TMA", "TMA", 1, 1 * S, 1 * S), Dose("TMA", "TMA", 3, 3 * S, 1 * S)),
)  # fmt: skip


@pytest.mark.parametrize("edges_done", [0, 1, 2, 3, 4])
def test_a_half_cycle_that_misses_a_dose_is_done_again_as_a_whole(edges_done: int) -> None:
    assert again(SHOTS, edges_done) is SHOTS


@pytest.mark.parametrize("edges_done", [5, 6])
def test_when_every_dose_is_in_only_its_purge_is_done_again(edges_done: int) -> None:
    rest = again(SHOTS, edges_done)
    assert not rest.edges and not rest.doses and rest.length_ns == 1 * S and "again" in rest.label


def test_a_purge_that_was_cut_is_done_again_as_a_whole() -> None:
    purge = SegmentStep("segment", HERE, "purge", (), 20 * S)
    assert again(purge, 0) is purge


@pytest.mark.parametrize(
    ("leaf", "label"),
    [
        (SHOTS, "exposure"),
        (FlowStep("flow", HERE, {"carrier": 20.0}), "flow carrier 20 sccm"),
        (HeatStep("heat", HERE, {"substrate": None, "chamber": 50.0}), "heat substrate off, chamber 50 °C"),
        (PumpStep("pump", HERE, 13.3322, None, 60.0, "hold"), "pump to 13.3 Pa"),
        (WaitStep("wait", HERE, ("substrate",), 1.0, None, 0.0, 60.0, "hold"), "wait for substrate"),
    ],
)
def test_a_step_has_a_name_for_screens(leaf: Leaf, label: str) -> None:
    assert leaf_label(leaf) == label
