"""The tool file: read whole, contradictions refused at their place, limits bounded by the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from ald_controller.config import Tool, load_tool
from ald_controller.yamlfile import Problems
from tests.recipe_bench import ROOT, tool

TEXT = (ROOT / "deploy" / "tool.yaml").read_text("utf-8")


def load(text: str, tmp_path: Path) -> Tool:
    path = tmp_path / "tool.yaml"
    path.write_text(text, "utf-8")
    return load_tool(path)


def refused(text: str, tmp_path: Path) -> list[str]:
    with pytest.raises(Problems) as error:
        load(text, tmp_path)
    return [str(p).removeprefix(str(tmp_path) + "/") for p in error.value.problems]


def test_the_shipped_tool_loads_with_its_drivers_settings_in_fixed_units() -> None:
    config = tool().config
    assert config.valves.word(["LTB", "stop"]) == 0b1000100
    assert config.source_mask == 0b111111
    assert config.valves.mask("stop") == 1 << 6
    assert tool().devices["carrier"].settings.full_scale_sccm == 100.0
    assert tool().devices["pirani"].poll_s == 0.05
    assert set(config.zones_of("substrate", "chamber")) == {"substrate", "chamber"}
    assert tool().port_of_output("GL") == "GL"
    assert tool().port_of_output("stop") is None


# ▸ stands where the error must point
MISTAKES = [
    ("lithium_trip: 170 °C", "lithium_trip: ▸175 °C", "170"),
    ("lithium_warn: 160 °C", "lithium_warn: ▸166 °C", "165"),
    ("margin: 15 K", "margin: ▸15", "'15' has no unit"),
    ("watchdog: 500 ms", "watchdog: ▸2 s", "less than or equal to 1"),
    ("inert: argon", "inert: ▸helium", "'argon' or 'nitrogen'"),
    ("carrier: carrier\n", "carrier: ▸carier\n", "there is no device 'carier'"),
    ("{stop: stop,", "{stop: ▸stopp,", "there is no output 'stopp'"),
    ("GL:    {outputs: [GL],", "GL:    {outputs: [▸stop],", "'stop' is not a source output of the valve module"),
    ("GL], zone: source-4", "GL], zone: ▸source-9", "there is no zone 'source-9'"),
    ("spare: {outputs: [spare]}", "spare: ▸{outputs: [spare], delivery: pushed}", "'delivery: pushed' goes with 'push"),
    ("pirani:  {driver: mks_925, line: gauge", "pirani:  {driver: mks_925, line: ▸gauges", "there is no line 'gauges'"),
    ("driver: mks_925", "driver: ▸mks_926", "'driver' must name one of: alicat, beckhoff_io,"),
    ("unit: A, full_scale: 100 sccm", "unit: A, full_scale: ▸100", "'100' has no unit"),
    ("unit: A, full_scale: 100 sccm", "unit: A, full_scale: 100 sccm, ▸fullscale: 1", "unknown key 'fullscale'"),
    ("pressure:        coupler-b.pressure_torr", "pressure:        ▸coupler-c.pressure_torr", "no device 'coupler-c'"),
    ("chamber:   {device: chamber, ", "chamber:   {device: ▸chambre, ", "there is no device 'chambre'"),
    ("role: line,      limit: 200 °C", "role: line,      limit: ▸2000 °C", "400"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "says"), MISTAKES)
def test_one_mistake_gives_one_error_at_its_place(old: str, new: str, says: str, tmp_path: Path) -> None:
    assert old in TEXT
    marked = TEXT.replace(old, new, 1)
    before = marked[: marked.index("▸")]
    found = refused(marked.replace("▸", ""), tmp_path)
    assert len(found) == 1, found
    assert found[0].startswith(f"tool.yaml:{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}: "), found
    assert says in found[0]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("coil: 0, role: source, energised: opens", "coil: 0, role: source, energised: closes", "is open at output 0"),
        ("1, role: source, energised: opens, at_zero: closed", "1, role: source, energised: opens, at_zero: open",
         "a source must be closed at output 0 and closed without 24 V"),
        ("coil: 6, role: stop, energised: closes", "coil: 6, role: stop, energised: opens", "stop: 'energised: opens'"),
        ("coil: 6, role: stop, energised: closes", "coil: 6, role: stop, energised: closes, through: inverting relay",
         "stop: 'energised: closes' through 'inverting relay' is closed at output 0, not open"),
        ("coil: 3, role", "coil: 2, role", "coil 2 is wired twice"),
        ("UNKNOWN: [stop]", "UNKNOWN: [TMA]", "UNKNOWN names 'TMA', which is not a stop valve"),
        ("    UNKNOWN: [stop]\n", "", "a rest word is needed for every chamber state; missing: UNKNOWN"),
        ("coil: 8, role: alive", "coil: 16, role: alive", "there is no coil 16, the module has 16 from 0"),
        ("line: coupler-a\n", "line: flows\n", "may not share the valve module's line"),
    ],
)  # fmt: skip
def test_a_tool_that_contradicts_itself_is_refused(old: str, new: str, says: str, tmp_path: Path) -> None:
    assert old in TEXT
    found = refused(TEXT.replace(old, new, 1), tmp_path)
    assert any(says in p for p in found), found


def test_everything_wrong_in_a_tool_file_is_said_at_once(tmp_path: Path) -> None:
    text = TEXT.replace("inert: argon", "inert: helium").replace("driver: mks_925", "driver: mks_926")
    text = text.replace("unit: A, full_scale: 100 sccm", "unit: A, full_scale: 100")
    assert len(refused(text, tmp_path)) == 3


def test_addresses_from_outside_replace_those_of_the_lines(tmp_path: Path) -> None:
    path = tmp_path / "tool.yaml"
    path.write_text(TEXT, "utf-8")
    moved = load_tool(path, {"valves": "tcp://127.0.0.1:1502", "carrier": "tcp://127.0.0.1:1503"})
    assert moved.config.lines["coupler-a"].address == "tcp://127.0.0.1:1502"
    assert moved.config.lines["flows"].address == "tcp://127.0.0.1:1503"
    with pytest.raises(Problems, match="this tool has no device 'carier'"):
        load_tool(path, {"carier": "tcp://127.0.0.1:1"})


def test_the_highest_role_counts_and_strangers_have_none() -> None:
    config = tool().config
    assert config.role_of("operator", "mqtt") == "operator"
    assert config.role_of("operator", "unix") is None
    assert config.role_of("@daemon", "unix") == "owner"
