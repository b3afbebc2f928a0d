"""The simulated TPG and VGC against the frames of their manuals."""

import pytest

from simulators.pfeiffer_tpg import TpgFace

ACK, NAK, ENQ, ETX = bytes.fromhex("06 0D 0A"), bytes.fromhex("15 0D 0A"), b"\x05", b"\x03"


class Gauges:
    def __init__(self):
        self.pa = {1: 7.91e-3, 2: 2.41, 3: 5e-9}

    def gauge_pa(self, channel, at_s):
        return self.pa[channel]


@pytest.fixture
def plant():
    return Gauges()


@pytest.fixture
def face(plant):
    face = TpgFace(plant, model="TPG362", gauges=("PKR", "TPR"))
    face.unit = "mbar"
    return face


def ask(face, mnemonic: str) -> bytes:
    assert face.hear(0.0, mnemonic.encode() + b"\r") == ACK
    return face.hear(0.0, ENQ)


def refused(face, mnemonic: str) -> bytes:
    assert face.hear(0.0, mnemonic.encode() + b"\r") == NAK
    return face.hear(0.0, ENQ)


def test_the_frames_of_the_protocol_byte_for_byte(face):
    assert ask(face, "PR1") == b"0,7.9100E-05\r\n"
    assert ask(face, "PRX") == b"0,7.9100E-05,0,2.4100E-02\r\n"
    assert ask(face, "AYT") == b"TPG362,PTG28290,44990000,010400,010100\r\n"
    assert ask(face, "TID") == b"PKR,TPR/PCR\r\n"


def test_a_line_feed_spaces_and_small_letters_do_no_harm(face):
    assert face.hear(0.0, b"p r 1\r\n") == ACK
    assert face.hear(0.0, ENQ) == b"0,7.9100E-05\r\n"


def test_enq_asks_again_for_the_same_and_pieces_are_joined(face):
    assert [face.hear(0.0, bytes((one,))) for one in b"PR2\r"] == [b"", b"", b"", ACK]
    assert face.hear(0.0, ENQ + ENQ) == b"0,2.4100E-02\r\n" * 2


@pytest.mark.parametrize(
    ("mnemonic", "word"),
    [("XYZ", "0001"), ("PR3", "0001"), ("PR1,1", "0001"), ("UNI,9", "0010"), ("UNI,0,0", "0001"),
     ("SEN,1", "0001"), ("SEN,1,7", "0010"), ("BAU,9", "0010"), ("FSR,1", "0001"), ("FSR,x,1", "0010"),
     ("COM,3", "0010")],
)  # fmt: skip
def test_what_is_refused_gives_its_error_word_once(face, mnemonic, word):
    assert refused(face, mnemonic) == word.encode() + b"\r\n"
    assert face.hear(0.0, ENQ) == b"0000\r\n"


def test_an_error_of_the_controller_stays_in_the_error_word(face):
    face.error[0] = 1
    assert [ask(face, "ERR") for _ in range(2)] == [b"1000\r\n"] * 2


def test_etx_clears_the_input(face):
    assert face.hear(0.0, b"UNI,2" + ETX + b"PR1\r") == ACK
    assert face.hear(0.0, ENQ) == b"0,7.9100E-05\r\n"


@pytest.mark.parametrize(
    ("code", "text"),
    [(0, "7.9100E-05"), (1, "5.9300E-05"), (2, "7.9100E-03"), (3, "5.9300E-02"), (4, "7.9100E-05"), (5, "4.3389E+00")],
)
def test_units_of_a_36x(face, code, text):
    assert ask(face, f"UNI,{code}") == f"{code}\r\n".encode()
    assert ask(face, "PR1") == f"0,{text}\r\n".encode()


def test_a_26x_has_three_units_no_ayt_and_its_own_names(plant):
    face = TpgFace(plant, model="TPG262", gauges=("IKR", ""))
    assert ask(face, "UNI") == b"0\r\n"
    assert refused(face, "UNI,3") == b"0010\r\n"
    assert refused(face, "AYT") == b"0001\r\n"
    assert ask(face, "PNR") == b"302-510-D\r\n"
    assert ask(face, "TID") == b"IKR9,noSEn\r\n"


def test_status_digits(face, plant):
    plant.pa = {1: 1e-9, 2: 2e5}
    assert ask(face, "PRX") == b"1,5.0000E-09,2,1.0000E+03\r\n"
    face.forced[2] = 3
    assert ask(face, "PR2") == b"3,0.0000E+00\r\n"
    assert ask(TpgFace(plant, model="TPG362", gauges=("PKR",)), "PR2") == b"5,2.0000E-02\r\n"


def test_a_gauge_is_switched_off_and_on(face):
    assert ask(face, "SEN") == b"2,0\r\n"
    assert ask(face, "SEN,1,1") == b"1,0\r\n"
    assert ask(face, "PR1") == b"4,0.0000E+00\r\n"
    assert ask(face, "SEN,2,0") == b"2,0\r\n"


def test_ranges_and_baud_rate_are_set_and_told(face):
    assert ask(face, "FSR") == b"5,5\r\n"
    assert ask(face, "FSR,3,5") == b"3,5\r\n"
    assert ask(face, "BAU,1") == b"1\r\n"


def test_a_logarithmic_gauge_has_two_decimals_and_a_linear_one_four(plant):
    plant.pa = {1: 123.456, 2: 123.456, 3: 1.0}
    face = TpgFace(plant, model="VGC503", gauges=("CDG", "PSG", "PEG"))
    face.unit = "Pa"
    assert ask(face, "PRX") == b"0,1.2346E+02,0,1.2300E+02,0,1.0000E+00\r\n"
    assert ask(face, "TID") == b"CDG,PSG,PEG\r\n"


def test_one_line_a_second_after_power_up_until_the_first_character(face):
    face.power_up(10.0)
    assert face.next_at() == 11.0
    assert face.speak(11.0) == b"0,7.9100E-05,0,2.4100E-02\r\n"
    assert face.next_at() == 12.0
    face.hear(11.5, b"\x03")
    assert face.next_at() is None
    assert face.speak(12.0) == b""


def test_com_streams_at_its_interval(face):
    assert face.hear(0.0, b"COM,0\r") == ACK
    assert face.next_at() == pytest.approx(0.1)
    assert face.speak(0.1) == b"0,7.9100E-05,0,2.4100E-02\r\n"
    assert ask(face, "PR1") == b"0,7.9100E-05\r\n"
    assert face.next_at() is None
