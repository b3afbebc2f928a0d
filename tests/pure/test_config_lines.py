"""Who may share a line, and which lines lead where: one address is one line, and who has none is alone on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ald_controller.config import load_tool
from ald_controller.yamlfile import Problems
from drivers.alicat import AlicatConfig
from tests.recipe_bench import ROOT

TEXT = (ROOT / "deploy" / "tools" / "every-device.yaml").read_text("utf-8")


@pytest.mark.parametrize(
    ("was", "becomes", "told"),
    [
        ("tcp://192.168.10.14:502", "tcp://192.168.10.12:502", "'coupler-c' leads to tcp://192.168.10.12:502 already"),
        ("tcp://192.168.10.14:502", "tcp://192.168.10.11:502", "'coupler-c' leads to tcp://192.168.10.11:502 already"),
        ("usb-flows", "usb-argon", "line 'argon' leads to serial:/dev/serial/by-id/usb-argon already"),
        ("line: heads\n", "line: gauges\n", "'heads' answers to everything on its line: it has no address of its own"),
        ("line: film,", "line: gauge,", "'film' answers to everything on its line"),
        ("line: pump,", "line: gauge,", "'backing' answers to everything on its line"),
        ("line: argon,", "line: gauge,", "'carrier' answers to everything on its line"),
        (
            "line: flows, poll: 100 ms, unit: B, full_scale: 20 sccm",
            "line: flows, poll: 100 ms, unit: B, full_scale: 0 sccm",
            "the full scale of an Alicat is above 0 sccm, not 0",
        ),
    ],
)  # fmt: skip
def test_a_wiring_that_cannot_work_is_refused_by_name(was: str, becomes: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "tool.yaml"
    path.write_text(TEXT.replace(was, becomes), "utf-8")
    with pytest.raises(Problems) as found:
        load_tool(path)
    assert told in "\n".join(map(str, found.value.problems))


def test_two_of_one_node_on_a_line_are_refused(tmp_path: Path) -> None:
    pusher = "{driver: alicat, line: flows, poll: 100 ms, unit: B, full_scale: 20 sccm, gas: Ar}"
    other = "{driver: bronkhorst, line: argon, node: 3, poll: 100 ms, full_scale: 20 sccm, gas: Ar}"
    carrier = "{driver: bronkhorst, line: argon,"
    assert pusher in TEXT and carrier in TEXT
    path = tmp_path / "tool.yaml"
    path.write_text(TEXT.replace(pusher, other).replace(carrier, f"{carrier} node: 3,", 1), "utf-8")
    with pytest.raises(Problems) as found:
        load_tool(path)
    (problem,) = found.value.problems
    assert "'carrier' answers to 3 on line 'argon' already" in str(problem)


def test_a_full_scale_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0 sccm, not nan"):
        AlicatConfig("A", float("nan"), "Ar")
