"""Which devices of a tool file are read first on their line: those that interlocks judge by."""

from __future__ import annotations

from pathlib import Path

import pytest

from ald_controller.cli.serve import lines_of
from ald_controller.config import LineConfig, load_tool

FILE = load_tool(Path(__file__).parents[2] / "deploy" / "tools" / "every-device.yaml")


@pytest.mark.parametrize("device", ["coupler-b", "analysers", "pirani", "substrate", "chamber", "source-3", "lines"])
def test_a_device_that_interlocks_judge_by_is_read_first(device: str) -> None:
    assert device in lines_of(FILE)("heaters", FILE.config.lines["heaters"]).safety


@pytest.mark.parametrize("device", ["film", "backing", "heads"])
def test_others_wait_for_it(device: str) -> None:
    assert device not in lines_of(FILE)("heaters", FILE.config.lines["heaters"]).safety


def test_a_line_may_say_that_its_port_turns_the_direction_of_rs_485() -> None:
    assert LineConfig(address="serial:/dev/ttyS0", rs485=True).rs485
    assert not FILE.config.lines["heaters"].rs485
