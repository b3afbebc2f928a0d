"""The simulated Bronkhorst against the messages of its manual, and frames that the manufacturer's library built."""

from __future__ import annotations

import struct

import pytest

from simulators.bronkhorst import BronkhorstFace
from simulators.face import Bus
from tests.contract.plants import Flows


@pytest.fixture
def plant() -> Flows:
    return Flows()


@pytest.fixture
def face(plant: Flows) -> BronkhorstFace:
    return BronkhorstFace(plant, "carrier", full_scale_sccm=100, gas="N2")


def ask(face: BronkhorstFace, message: str) -> str:
    """The answer in hexadecimal to a binary frame in hexadecimal."""
    return face.hear(0.0, bytes.fromhex(message)).hex(" ").upper()


def tell(face: BronkhorstFace, line: str) -> str:
    """The answer to a message in ASCII mode."""
    return face.hear(0.0, f"{line}\r\n".encode()).decode("ascii")


def test_the_measure_is_answered_byte_for_byte(face: BronkhorstFace, plant: Flows) -> None:
    plant.flows["carrier"] = 16010 / 320
    assert ask(face, "10 02 01 80 05 04 01 20 01 20 10 03") == "10 02 01 80 05 02 01 20 3E 8A 10 03"


def test_a_set_point_moves_the_flow_and_the_status_points_to_the_end_of_the_message(
    face: BronkhorstFace, plant: Flows
) -> None:
    assert ask(face, "10 02 02 80 05 01 01 21 3E 80 10 03") == "10 02 02 80 03 00 00 05 10 03"
    assert plant.flows["carrier"] == 50.0


def test_a_byte_0x10_is_doubled_in_both_directions_wherever_it_stands(face: BronkhorstFace, plant: Flows) -> None:
    assert ask(face, "10 02 10 10 80 05 01 01 21 10 10 10 10 10 03") == "10 02 10 10 80 03 00 00 05 10 03"
    assert plant.flows["carrier"] == 0x1010 / 320
    assert ask(face, "10 02 10 10 80 05 04 01 21 01 21 10 03") == "10 02 10 10 80 05 02 01 21 10 10 10 10 10 03"


def test_a_length_of_16_is_doubled_too(face: BronkhorstFace) -> None:
    sixteen = ask(face, "10 02 01 80 10 10 04 01 84 01 04 CD 01 4D F1 01 71 0A 7F 01 7F 07 10 03")
    assert sixteen.startswith("10 02 01 80 1E 02 01 84 00 CD 42 C8 00 00 F1 0A 4E 32")


def test_the_manuals_chained_request_in_ascii_is_answered_byte_for_byte(plant: Flows) -> None:
    face = BronkhorstFace(plant, "carrier", full_scale_sccm=1, gas="N2", node=3)
    face.serial, face.user_tag = "M6212345A", "USERTAG"
    plant.flows["carrier"] = 7384 / 32000
    assert tell(face, ":1A0304F1EC7163006D71660001AE0120CF014DF0017F077101710A") == (
        ":370302F1EC004D3632313233343541006D005553455254414700"
        "01AE1CD8CF3F800000F0076D6C6E2F6D696E710A4E322020202020202020\r\n"
    )


def test_ascii_mode_reads_and_writes_set_point_and_measure(face: BronkhorstFace) -> None:
    assert tell(face, ":06800101213E80") == ":0480000005\r\n"
    assert tell(face, ":06800401210121") == ":06800201213E80\r\n"
    assert tell(face, ":06800401210120") == ":06800201213E80\r\n", "under the index that was asked for"
    assert tell(face, ":0680040120017g") == ""


def test_a_chained_write_may_unlock_change_and_lock_again(face: BronkhorstFace) -> None:
    """Init reset 64, capacity 10, init reset 82."""
    unlocked = "01 80 0A 40 81 4D 41 20 00 00 00 0A 52"
    assert ask(face, f"10 02 01 80 0D {unlocked} 10 03") == "10 02 01 80 03 00 00 0D 10 03"
    assert face.capacity == 10.0
    assert ask(face, "10 02 02 80 07 01 01 4D 41 20 00 00 10 03") == "10 02 02 80 03 00 0D 02 10 03", "locked again"


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ("04 01 3E 01 3E", "04 03"),
        ("04 4D 20 4D 20", "03 03"),
        ("04 01 00 01 00", "05 04"),
        ("04 01 20 01 00", "05 04"),
        ("01 01 21 7D 01", "06 02"),
        ("01 01 20 00 00", "0D 02"),
        ("01 01 01 00", "05 02"),
        ("01 01 04 FF", "06 02"),
        ("01 00 0A 01", "06 02"),
        ("01 01 21 3E", "22 04"),
        ("04 01 A0 01 20", "22 05"),
        ("04 01 20 01 20 00", "22 05"),
        ("01 01 21 3E 80 00", "22 05"),
        ("01 71 66 05 41", "22 03"),
        ("01 01 50 01", "05 02"),
        ("01 01 10 01", "06 02"),
        ("07 01 20 01 20", "02 00"),
    ],
    ids=["parameter", "process", "type", "types differ", "value", "read only", "size", "mode", "lock", "short", "chain",
         "too long", "too long a write", "string cut short", "another type", "fluid set",
         "command"],
)  # fmt: skip
def test_what_it_cannot_do_is_refused_with_the_status_of_the_manual(
    face: BronkhorstFace, message: str, status: str
) -> None:
    data = bytes.fromhex(message)
    framed = f"10 02 09 80 {len(data):02X} {message.replace('10', '10 10')} 10 03"
    assert ask(face, framed) == f"10 02 09 80 03 00 {status} 10 03"


def test_strings_are_written_with_their_length_or_with_a_nul(face: BronkhorstFace) -> None:
    assert tell(face, ":07800171660241 42".replace(" ", "")) == ":0480000006\r\n"
    assert face.user_tag == "AB"
    assert tell(face, ":0780017166004300") == ":0480000006\r\n"
    assert face.user_tag == "C"
    assert tell(face, ":0780010060003900") == ":0480000006\r\n"
    assert face.winks == 1


def test_unit_and_fluid_are_changed_only_when_unlocked(face: BronkhorstFace) -> None:
    fluid, unit = "0E8001017107" + b"Helium ".hex(), "0E8001017F07" + b"ln/min ".hex()
    ask_both = [tell(face, f":{fluid[:2]}{one[2:]}".replace(":0E", ":0C")) for one in (fluid, unit)]
    assert ask_both == [":0480000D02\r\n"] * 2
    tell(face, ":058001000A40")
    assert [tell(face, ":0C" + one[2:]) for one in (fluid, unit)] == [":048000000B\r\n"] * 2
    assert (face.fluid, face.unit, face.capacity) == ("Helium", "ln/min", 0.1)
    assert tell(face, ":0C8001017F07" + b"gallons".hex()) == ":0480000602\r\n"


def test_a_write_without_acknowledgement_has_none(face: BronkhorstFace, plant: Flows) -> None:
    assert ask(face, "10 02 02 80 05 02 01 21 3E 80 10 03") == ""
    assert plant.flows["carrier"] == 50.0


def test_an_instrument_alone_at_its_cable_answers_its_own_number_too_and_says_that_others_are_not_there(
    face: BronkhorstFace,
) -> None:
    assert ask(face, "10 02 01 03 05 04 01 20 01 20 10 03") == "10 02 01 03 05 02 01 20 00 00 10 03"
    assert ask(face, "10 02 01 07 05 04 01 20 01 20 10 03") == "10 02 01 07 00 05 10 03"
    assert tell(face, ":06070401200120") == ":0105\r\n"


def test_a_length_that_does_not_fit_is_a_protocol_error(face: BronkhorstFace) -> None:
    assert ask(face, "10 02 01 80 06 04 01 20 01 20 10 03") == "10 02 01 80 00 04 10 03"
    assert tell(face, ":0780040120012") == ":0104\r\n"


def test_two_instruments_share_a_bus_and_answer_for_themselves_only(plant: Flows) -> None:
    nodes = (("carrier", 3), ("pusher", 4))
    bus = Bus([BronkhorstFace(plant, name, full_scale_sccm=100, node=node) for name, node in nodes])
    plant.flows["pusher"] = 10.0
    assert bus.hear(0.0, bytes.fromhex("10 02 01 04 05 04 01 20 01 20 10 03")).hex() == "10020104050201200c801003"
    assert bus.hear(0.0, bytes.fromhex("10 02 01 80 05 04 01 20 01 20 10 03")) == b""


def test_noise_broken_frames_and_pieces(face: BronkhorstFace) -> None:
    good = bytes.fromhex("10 02 01 80 05 04 01 20 01 20 10 03")
    answer = bytes.fromhex("10 02 01 80 05 02 01 20 00 00 10 03")
    assert face.hear(0.0, b"\x00\xff\x10\x05" + good) == answer
    assert face.hear(0.0, b"\x10\x02\x01\x80\x10\x04" + good) == answer, "a control sequence that is not allowed"
    assert [face.hear(0.0, bytes((byte,))) for byte in good] == [b""] * 11 + [answer]
    assert face.hear(0.0, good * 3) == answer * 3


@pytest.mark.parametrize(
    ("mode", "share"), [(1, 0.25), (3, 0.0), (7, 1.0), (12, 0.0), (18, 0.5), (22, 0.0), (8, 41942 / 32000)]
)
def test_the_control_mode_says_what_the_valve_follows(
    face: BronkhorstFace, plant: Flows, mode: int, share: float
) -> None:
    face.analogue = 0.25
    tell(face, ":06800101213E80")
    assert tell(face, f":0580010104{mode:02X}") == ":0480000004\r\n"
    assert plant.flows["carrier"] == 100 * share


def test_with_the_analogue_input_as_source_a_set_point_is_taken_and_not_followed(
    face: BronkhorstFace, plant: Flows
) -> None:
    face.switch(1)
    assert tell(face, ":06800101213E80") == ":0480000005\r\n"
    assert plant.flows["carrier"] == 0.0


@pytest.mark.parametrize(
    ("sccm", "digits"), [(0.0, 0), (131.1, 41942), (200.0, 41942), (-0.003125, 0xFFFF), (-80.0, 0x10000 - 23593)]
)
def test_the_measure_goes_to_131_percent_and_below_zero(
    face: BronkhorstFace, plant: Flows, sccm: float, digits: int
) -> None:
    plant.flows["carrier"] = sccm
    assert tell(face, ":06800401200120") == f":0680020120{digits:04X}\r\n"


def test_fset_point_and_fmeasure_are_in_the_capacity_unit(plant: Flows) -> None:
    face = BronkhorstFace(plant, "carrier", full_scale_sccm=5000, unit="ln/min")
    wanted = struct.pack(">f", 2.5).hex().upper()
    assert tell(face, f":0880012143{wanted}") == ":0480000007\r\n"
    assert plant.flows["carrier"] == 2500.0
    assert tell(face, ":06800421402140") == f":0880022140{wanted}\r\n"
