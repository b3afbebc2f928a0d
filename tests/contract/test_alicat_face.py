"""The simulated Alicat against the published frames of real 10v20 units."""

import pytest

from simulators.alicat import AlicatFace
from simulators.face import Bus
from tests.contract.plants import Flows


@pytest.fixture
def plant():
    return Flows(supply_pa=14.62 * 6894.757293168)


@pytest.fixture
def face(plant):
    return AlicatFace(plant, "carrier", unit="A", full_scale_sccm=500, gas="N2")


def ask(face, command: str) -> str:
    return face.hear(0.0, command.encode() + b"\r").decode()


def test_a_poll_is_answered_like_a_real_unit_byte_for_byte(face):
    face.setpoint = 78.95
    assert face.hear(0.0, b"A\r") == b"A +014.62 +021.89 +000.00 +000.00 +078.95     N2\r"


def test_small_controllers_show_three_decimals(plant):
    face = AlicatFace(plant, "pusher", unit="B", full_scale_sccm=20)
    assert ask(face, "BS 5").split()[4:] == ["+05.000", "+05.000", "Ar"]


@pytest.mark.parametrize("command", ["AS12.50", "AS 12.5", "as12.5", "*S 12.5"])
def test_a_set_point_is_answered_with_a_frame(face, plant, command):
    assert ask(face, command).split()[4:6] == ["+012.50", "+012.50"]
    assert plant.flows["carrier"] == 12.5


def test_als_answers_current_and_requested_with_the_unit(face):
    assert ask(face, "ALS 100.0") == "A +100.00 +100.00 12 SCCM\r"
    assert ask(face, "ALS") == "A +100.00 +100.00 12 SCCM\r"


@pytest.mark.parametrize(
    "command", ["AS 501", "AS -1", "ALS 600", "AQ", "AGS 99", "ALV 5", "ADV 0 5", "AS", "A?", "ADCU 5 7"]
)
def test_what_is_not_understood_or_out_of_range_is_a_bare_question_mark(face, command):
    assert ask(face, command) == "?\r"
    assert face.setpoint == 0


def test_bare_digits_are_the_old_integer_set_point(face):
    ask(face, "A32000")
    assert face.setpoint == 250


def test_with_the_analogue_input_as_source_a_set_point_is_accepted_and_ignored(face, plant):
    assert ask(face, "ALSS") == "A S\r"
    assert ask(face, "ALSS A") == "A A\r"
    assert ask(face, "AS 50").split()[5] == "+000.00"
    assert plant.flows["carrier"] == 0


def test_identity(face):
    assert ask(face, "AVE") == "A   10v20.0-R24 Jan  9 2025,15:04:07\r"
    lines = ask(face, "A??M*").split("\r")
    assert lines[0] == "A  M00 ALICAT SCIENTIFIC"
    assert lines[4] == "A  M04 Model Number MC-500SCCM-D"
    assert lines[5] == "A  M05 Serial Number 521641"
    assert lines[9] == "A  M09 Software Revision 10v20.0-R24"


def test_the_table_of_columns_ends_with_an_empty_line(face):
    text = ask(face, "A??D*")
    assert text.endswith("\r\r")
    lines = text.split("\r")
    assert lines[2] == "A D02 002 Abs Press                  s decimal     7/2 010 02 PSIA"
    assert lines[6] == "A D06 037 Mass Flow Setpt            s decimal     7/2 012 02 SCCM"


def test_full_scale_and_units(face):
    assert ask(face, "AFPF 5") == "A +500.00 12 SCCM\r"
    assert ask(face, "AFPF 99").endswith("---\r")
    assert ask(face, "ADCU 5") == "A 12 SCCM\r"


def test_gases(face):
    assert ask(face, "AGS") == "A 8 N2 Nitrogen\r"
    assert ask(face, "AGS 1") == "A 1 Ar Argon\r"
    assert ask(face, "AG 8").endswith(" N2\r")
    assert "A G08       N2" in ask(face, "A??G*").split("\r")
    assert ask(face, "A$$W46=1") == "A 046 = 1\r"


def test_the_loop_variable_reads_the_same_both_ways(face):
    assert ask(face, "ALV") == "A 37\r"
    assert ask(face, "ALV 36") == "A 36\r"
    assert ask(face, "AR122") == "A 122 = 36\r"
    assert ask(face, "AW122=37") == "A 122 = 37\r"


def test_an_averaged_read_has_no_unit_id(face):
    assert ask(face, "ADV 50 2 5") == "+014.62 +000.00\r"
    assert ask(face, "ADV 50 99") == "--\r"


@pytest.mark.parametrize(("hold", "cancel"), [("AHC", "AC"), ("A$$HC", "A$$C")])
def test_a_closed_hold_stops_the_flow_until_it_is_cancelled(face, plant, hold, cancel):
    ask(face, "AS 50")
    assert ask(face, hold).rstrip().endswith("HLD")
    assert plant.flows["carrier"] == 0
    ask(face, "AS 60")
    assert plant.flows["carrier"] == 0
    assert "HLD" not in ask(face, cancel)
    assert plant.flows["carrier"] == 60


def test_a_locked_panel_shows_in_the_frame(face):
    assert ask(face, "AL").rstrip().endswith("LCK")
    assert "LCK" not in ask(face, "AU")


def test_a_tare_with_gas_flowing_makes_a_wrong_zero(face, plant):
    ask(face, "AS 50")
    assert ask(face, "AV").split()[4] == "+000.00"
    assert ask(face, "AS 10").split()[4] == "+010.00"
    assert plant.flows["carrier"] == 60


def test_a_command_in_pieces_is_one_command(face):
    assert face.hear(0.0, b"AS 1") == b""
    assert face.hear(0.1, b"0.0\rA\r").count(b"\r") == 2


def test_units_on_a_bus_answer_only_for_themselves_and_all_to_the_wild_card(plant):
    bus = Bus(
        [AlicatFace(plant, name, unit=unit, full_scale_sccm=100) for name, unit in (("carrier", "A"), ("pusher", "B"))]
    )
    assert bus.hear(0.0, b"B\r")[:1] == b"B"
    assert bus.hear(0.0, b"C\r") == b""
    assert [line[:1] for line in bus.hear(0.0, b"*\r").split(b"\r")[:2]] == [b"A", b"B"]
