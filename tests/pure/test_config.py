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


# ▸ stands where the error must point
MISTAKES = [
    ("AT_BOX: [stop]", "AT_BOX: ▸[]", "AT_BOX rests with the stop valve open, and the pump would empty the glovebox"),
    ("UNKNOWN: [stop]", "UNKNOWN: ▸[]", "UNKNOWN rests with the stop valve open"),
    ("lithium_trip: 170 °C", "lithium_trip: ▸175 °C", "'175 °C' is out of range: at most 170 °C is expected"),
    ("lithium_warn: 160 °C", "lithium_warn: ▸166 °C", "at most 165 °C is expected"),
    ("margin: 15 K", "margin: ▸15", "'15' has no unit"),
    ("watchdog: 500 ms", "watchdog: ▸2 s", "'2 s' is out of range: at most 1 s is expected"),
    ("watchdog: 500 ms", "watchdog: ▸1500 ms", "'1500 ms' is out of range: at most 1 (this is 1.5) is expected"),
    ("watchdog: 500 ms", "watchdog: ▸0.05 s", "'0.05 s' is out of range: at least 0.1 s is expected"),
    ("inert: argon", "inert: ▸helium", "'argon' or 'nitrogen' is expected; got 'helium'"),
    ("carrier: carrier\n", "carrier: ▸carier\n", "there is no device 'carier'"),
    ("{stop: stop,", "{stop: ▸stopp,", "there is no output 'stopp'"),
    ("GL:    {outputs: [GL],", "GL:    {outputs: [▸stop],", "'stop' is not a source output of the valve module"),
    ("GL], zone: source-4", "GL], zone: ▸source-9", "there is no zone 'source-9'"),
    ("beside: {chamber: 1.5", "beside: {wall: ▸1.5", "there is no other zone 'wall'"),
    ("power: 150 W", "power: ▸150", "'150' has no unit: write one of W, kW, for example '150 W'"),
    ("spare: {outputs: [spare]}", "spare: ▸{outputs: [spare], delivery: pushed}", "'delivery: pushed' goes with 'push"),
    ("pirani:  {driver: mks_925, line: gauge", "pirani:  {driver: mks_925, line: ▸gauges", "there is no line 'gauges'"),
    ("driver: mks_925", "driver: ▸mks_926", "'driver' must name one of: alicat, analogue_io, beckhoff_io,"),
    ("unit: A, full_scale: 100 sccm", "unit: A, full_scale: ▸100", "'100' has no unit"),
    ("unit: A, full_scale: 100 sccm", "unit: A, full_scale: 100 sccm, ▸fullscale: 1", "unknown key 'fullscale'"),
    ("pressure:        coupler-b.pressure_torr", "pressure:        ▸coupler-c.pressure_torr", "no device 'coupler-c'"),
    ("chamber:   {device: chamber, ", "chamber:   {device: ▸chambre, ", "there is no device 'chambre'"),
    ("role: line,      limit: 200 °C", "role: line,      limit: ▸2000 °C", "at most 400 °C is expected"),
    ("glovebox_o2:     coupler-b.o2_ppm", "glovebox_o2:     ▸coupler-b.o3_ppm",
     "'coupler-b' has no channel 'o3_ppm'; it has: argon_ok, box_pressure_mbar,"),
    ("gate_shut:       coupler-b.gate_shut", "gate_shut:       ▸coupler-b.gate shut", "has no channel 'gate shut'"),
    ("pressure:        coupler-b.pressure_torr", "pressure:        ▸pirani.pressure_torr",
     "'pirani' has no channel 'pressure_torr'; it has: pressure_pa"),
    ("pressure:        coupler-b.pressure_torr", "pressure:        ▸carrier.pressure",
     "it has: flow_sccm, pressure_pa, setpoint_sccm, temperature_c"),
    ("pressure:        coupler-b.pressure_torr", "pressure:        ▸substrate.pressure",
     "it has: output_percent, status, temperature_c, working_setpoint_c"),
    ("pressure:        coupler-b.pressure_torr", "pressure:        ▸pirani",
     "'pirani' is no signal: write device.channel"),
    ("pressure:        coupler-b.pressure_torr", "pressure:        ▸carrier.flow_sccm",
     "a channel whose name ends in _pa or _torr or _mbar is expected"),
    ("glovebox_h2o:    coupler-b.h2o_ppm", "glovebox_h2o:    ▸coupler-b.pressure_torr", "ends in _ppm is expected"),
    ("second: coupler-b.substrate_2_c", "second: ▸coupler-c.substrate_2_c", "there is no device 'coupler-c'"),
    ("second: coupler-b.substrate_2_c", "second: ▸coupler-b.substrate_3_c", "has no channel 'substrate_3_c'"),
    ("second: coupler-b.substrate_2_c", "second: ▸coupler-b.o2_ppm", "ends in _c is expected"),
    ("second: coupler-b.substrate_2_c", "second: ▸substrate.temperature_c",
     "'substrate.temperature_c' is zones.substrate.device (line "),
    ("second: coupler-b.substrate_2_c", "second: ▸chamber.temperature_c", "is zones.chamber.device (line "),
    ("second: coupler-b.substrate_2_c", "second: ▸chamber.working_setpoint_c", "is no sensor: an independent second"),
    ("gate_locked:     coupler-b.gate_locked", "gate_locked:     ▸coupler-b.gate_shut",
     "'coupler-b.gate_shut' is signals.gate_shut (line "),
    ("estop:           coupler-b.estop_ok", "estop:           ▸coupler-b.o2_ppm",
     "'coupler-b.o2_ppm' is no contact: a digital input is expected; there are: coupler-b.argon_ok,"),
    ("estop:           coupler-b.estop_ok", "estop:           ▸carrier.flow_sccm", "there are: none of 'carrier'"),
    ("argon:           coupler-b.argon_ok", "argon:           ▸coupler-b.estop_ok",
     "is signals.estop (line "),
    ("atmosphere:      pirani.pressure_pa", "atmosphere:      ▸coupler-b.pressure_torr",
     "is signals.pressure (line "),
    ("atmosphere:      pirani.pressure_pa", "atmosphere:      ▸carrier.flow_sccm", "ends in _pa or _torr or _mbar is"),
    ("unit: 1, safe_local: 20 °C", "unit: 1, safe_local: ▸160 °C",
     "160 °C is too hot: at most 150 °C, as its zone touches lithium, and it goes there by itself"),
    ("unit: 2, safe_local: 20 °C", "unit: 2, safe_local: ▸151 °C", "151 °C is too hot"),
    ("unit: 2, safe_local: 20 °C", "unit: ▸1, safe_local: 20 °C", "'substrate' answers to 1 on line 'heaters' already"),
    ("watchdog: 1 s\n    analogue", "watchdog: ▸10 s\n    analogue",
     "10 s is too long: at most 1 s, rows K3 and K6 promise that its outputs are off by then"),
    ("gate_locked,         input: 1}", "gate_locked,         input: ▸0}", "input 0 is wired already: each has one of"),
    ("name: buzzer,           coil: 3}", "name: buzzer,           coil: ▸1}", "coil 1 is wired already"),
    ("carrier: carrier\n", "carrier: ▸pirani\n",
     "'pirani' (mks_925) is no flow controller; there are: carrier, pusher"),
    ("push: {device: pusher", "push: {device: ▸chamber", "'chamber' (eurotherm_3216) is no flow controller"),
    ("push: {device: pusher", "push: {device: ▸pusha", "there is no device 'pusha'"),
    ("lines:     {device: lines, ", "lines:     {device: ▸pusher, ",
     "'pusher' (alicat) is no temperature loop; there are: chamber, lines, source-3,"),
    ("lines:     {device: lines, ", "lines:     {device: ▸chamber, ", "'chamber' heats zone 'chamber' already"),
    ("GL:    {outputs: [GL],", "GL:    {outputs: [▸LTB],", "'LTB' belongs to port 'LTB' already: each output"),
    ("GL:    {outputs: [GL],", "GL:    {outputs: [GL, ▸TMA],", "'TMA' belongs to port 'TMA' already"),
    ("GL:    {outputs: [GL],", "GL:    {outputs: [GL, ▸GL],", "'GL' belongs to port 'GL' already"),
    ("glovebox_warn: 1 ppm\n  glovebox_block: 5 ppm", "glovebox_warn: 5 ppm\n  glovebox_block: ▸5 ppm",
     "glovebox_block is 5 ppm: above glovebox_warn, 5 ppm, is expected"),
    ("glovebox_trip: 10 ppm", "glovebox_trip: ▸4 ppm", "glovebox_trip is 4 ppm: above glovebox_block, 5 ppm, is"),
    ("lithium_trip: 170 °C", "lithium_trip: ▸160 °C", "lithium_trip is 160 °C: above lithium_warn, 160 °C, is"),
    ("  lithium_warn: 160 °C\n  lithium_trip: 170 °C\n  lithium_clear: 150 °C",
     "  lithium_trip: 170 °C\n  lithium_clear: ▸160 °C", "lithium_warn is 160 °C: above lithium_clear, 160 °C, is"),
    ("at_high: 100, error: 0.4}", "at_high: 1000, error: ▸3}",
     "an error of 3 ppm cannot tell glovebox_warn, 1 ppm, from zero: 0.5 ppm at most carries these limits"),
    ("at_low: -20, at_high: 20,  error: 0.2}", "at_low: -20, at_high: 20,  error: ▸2.1}",
     "an error of 2.1 mbar cannot tell box_pressure_trip, 12 mbar, from box_pressure_warn: 2 mbar at most carries"),
    ("at_low: -50, at_high: 50,  error: 0.3}", "at_low: -50, at_high: 50,  error: ▸2.6}",
     "an error of 2.6 mbar cannot tell gate_delta_p, 5 mbar, from zero: 2.5 mbar at most carries these limits"),
    ("at_low: -20, at_high: 20,  error: 0.2}", "at_low: -10, at_high: ▸10, error: 0.2}",
     "a channel from -10 to 10 mbar does not reach box_pressure_trip, 12 mbar"),
    ("at_low: -50, at_high: 50,  error: 0.3}", "at_low: -4, at_high: ▸50,  error: 0.3}",
     "a channel from -4 to 50 mbar does not reach gate_delta_p, 5 mbar"),
    ("{channel: o2_ppm,            register: 0,  kind: 4-20 mA, at_low: 0,   at_high: 100,",
     "{channel: o2_ppm, register: 0, kind: 4-20 mA, at_low: 0, at_high: ▸9,",
     "a channel from 0 to 9 ppm does not reach glovebox_trip, 10 ppm"),
    ("box_pressure_trip: 12 mbar", "box_pressure_trip: ▸13 mbar", "at most 1240 (this is 1300) is expected"),
    ("box_pressure_trip: 12 mbar", "box_pressure_trip: ▸8 mbar", "box_pressure_trip is 800 Pa: above"),
    ("gate_delta_p: 5 mbar", "gate_delta_p: ▸6 mbar", "at most 500 (this is 600) is expected"),
    ("glove: 60 °C", "glove: ▸101 °C", "at most 100 °C is expected"),
    ("glove: 60 °C", "glove: ▸39 °C", "at least 40 °C is expected"),
    ("delta_p:         coupler-b.delta_p_mbar", "delta_p:         ▸coupler-b.o2_ppm", "ends in _pa or _torr or _mbar"),
    ("address: \"tcp://192.168.10.12:502\"", "address: ▸\"mem:b\"", "'mem:b' is no address: write tcp://HOST:PORT or"),
    ("address: \"tcp://192.168.10.12:502\"", "address: ▸\"tcp://192.168.10.12:70000\"", "is no address"),
    ("tool: reference", "tool: ▸Reference", "'Reference' is no name for topics and services: a letter a-z, then"),
    ("coils: 16", "coils: ▸12", "12 is not a multiple of 8"),
    ("coils: 16", "coils: ▸72", "72 is out of range: at most 64 is expected"),
    ("purge_flow: 20 sccm", "purge_flow: ▸0 sccm", "'0 sccm' is out of range: above 0 sccm is expected"),
    ("baud: 9600", "baud: ▸9601", "57600 or 115200 is expected; got 9601"),
    ("spare: {outputs: [spare]}", "spare: {outputs: ▸[]}", "1 or more are expected here; there are 0"),
    ("  viewer:   {unix", "  ▸guest:   {unix", "'viewer', 'operator' or 'owner' is expected; got 'guest'"),
    ("register: 0, ", "register: ▸\"0\", ", "a whole number is expected, without leading zeros and quotes"),
    ("at_low: 0, ", "at_low: ▸low, ", "a number is expected, without quotes (for example 1.5); got 'low'"),
    ("{coil: 0, ", "{service_after: ▸0, coil: 0, ", "0 is out of range: above 0 is expected"),
    ("{coil: 0, ", "{service_after: ▸5e6, coil: 0, ", "a whole number is expected"),
    ("alive:           {coil: 8, ", "alive:           ▸{service_after: 5000000, coil: 8, ",
     "service_after: outputs with the role 'alive' are not counted; sources, stop valves and contactors are"),
    ("carrier: {driver: alicat, line: flows, poll: 100 ms", "carrier: {driver: alicat, line: flows, poll: ▸0 ms",
     "'0 ms' is out of range: above 0 ms is expected"),
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
        ("line: coupler-a\n", "line: flows\n", "line 'flows' is serial: the valve module is reached by tcp://HOST:PORT"),
        ("UNKNOWN: [stop]", "UNKNOWN: [stop, stop]", "rest: UNKNOWN names an output twice"),
        ("channel: gate_shut, ", "channel: o2_ppm, ", "channel 'o2_ppm' is wired twice: each needs a name of its own"),
        ("error: 0.4}", "error: 0}", "the error of 'o2_ppm' must be above 0, in its unit, not 0"),
    ],
)  # fmt: skip
def test_a_tool_that_contradicts_itself_is_refused(old: str, new: str, says: str, tmp_path: Path) -> None:
    assert old in TEXT
    found = refused(TEXT.replace(old, new, 1), tmp_path)
    assert any(says in p for p in found), found


def test_an_output_may_say_when_its_valve_is_due_for_service(tmp_path: Path) -> None:
    outputs = load(TEXT.replace("{coil: 0, ", "{service_after: 5000000, coil: 0, "), tmp_path).config.valves.outputs
    assert (outputs["TMA"].service_after, outputs["H2O"].service_after) == (5_000_000, None)


def test_everything_wrong_in_a_tool_file_is_said_at_once(tmp_path: Path) -> None:
    text = TEXT.replace("inert: argon", "inert: helium").replace("driver: mks_925", "driver: mks_926")
    text = text.replace("unit: A, full_scale: 100 sccm", "unit: A, full_scale: 100")
    assert len(refused(text, tmp_path)) == 3


def test_contradictions_of_a_tool_file_are_said_at_once_too(tmp_path: Path) -> None:
    text = TEXT.replace("carrier: carrier\n", "carrier: pirani\n").replace("glovebox_trip: 10", "glovebox_trip: 2")
    text = text.replace("coupler-b.estop_ok", "coupler-b.estop").replace("outputs: [GL]", "outputs: [EG]")
    text = text.replace("second: coupler-b.", "second: coupler-c.")
    assert len(refused(text, tmp_path)) == 5


def test_a_device_that_cannot_be_read_is_not_blamed_for_its_channels_too(tmp_path: Path) -> None:
    found = refused(TEXT.replace("driver: beckhoff_io", "driver: beckhof_io"), tmp_path)
    assert len(found) == 1, found


@pytest.mark.parametrize(("error", "ok"), [("0.5", True), ("0.51", False)])
def test_a_limit_may_stand_two_errors_from_zero_and_no_nearer(error: str, ok: bool, tmp_path: Path) -> None:
    text = TEXT.replace("error: 0.4}", f"error: {error}}}")
    if ok:
        load(text, tmp_path)
        return
    assert len(refused(text, tmp_path)) == 2  # both analysers


def test_an_analyser_may_end_where_its_highest_limit_stands(tmp_path: Path) -> None:
    load(TEXT.replace("at_high: 100, error: 0.4}", "at_high: 10, error: 0.05}"), tmp_path)


def test_a_pressure_channel_in_another_unit_is_compared_in_its_own(tmp_path: Path) -> None:
    text = TEXT.replace("box_pressure_mbar, register", "box_torr, register").replace("box_pressure_mbar", "box_torr")
    load(text, tmp_path)
    (told,) = refused(text.replace("error: 0.2}", "error: 1.6}"), tmp_path)
    assert "an error of 1.6 Torr cannot tell box_pressure_trip, 9.00074 Torr, from box_pressure_warn" in told


def test_two_limits_nearer_than_two_errors_are_one_to_the_channel(tmp_path: Path) -> None:
    text = TEXT.replace("glovebox_block: 5 ppm", "glovebox_block: 9.5 ppm")
    says = "an error of 0.4 ppm cannot tell glovebox_trip, 10 ppm, from glovebox_block: 0.25 ppm at most carries"
    assert all(says in p for p in refused(text, tmp_path))


def test_limits_that_the_file_leaves_out_are_compared_as_well(tmp_path: Path) -> None:
    text = TEXT.replace("  glovebox_block: 5 ppm\n  glovebox_trip: 10 ppm\n", "")
    load(text, tmp_path)
    (found,) = refused(text.replace("glovebox_warn: 1 ppm", "glovebox_warn: 5 ppm"), tmp_path)
    assert "glovebox_block is 5 ppm: above glovebox_warn, 5 ppm, is expected" in found


def test_no_message_of_the_loader_speaks_the_validators_own_words(tmp_path: Path) -> None:
    for old, new, _ in MISTAKES:
        found = refused(TEXT.replace(old, new.replace("▸", ""), 1), tmp_path)
        assert not any(word in p for p in found for word in ("Input should", "String should", "should have", "valid"))


def test_addresses_from_outside_replace_those_of_the_lines(tmp_path: Path) -> None:
    path = tmp_path / "tool.yaml"
    path.write_text(TEXT, "utf-8")
    moved = load_tool(path, {"valves": "tcp://127.0.0.1:1502", "carrier": "tcp://127.0.0.1:1503"})
    assert moved.config.lines["coupler-a"].address == "tcp://127.0.0.1:1502"
    assert moved.config.lines["flows"].address == "tcp://127.0.0.1:1503"
    with pytest.raises(Problems, match="this tool has no device 'carier'"):
        load_tool(path, {"carier": "tcp://127.0.0.1:1"})
    with pytest.raises(Problems, match="'here' is no address: write tcp://HOST:PORT"):
        load_tool(path, {"carrier": "here"})


def test_the_highest_role_counts_and_strangers_have_none() -> None:
    config = tool().config
    assert config.role_of("operator", "mqtt") == "operator"
    assert config.role_of("operator", "unix") is None
    assert config.role_of("@daemon", "unix") == "owner"
