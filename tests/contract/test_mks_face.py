"""The simulated MKS gauges against the frames of their manuals."""

import pytest

from simulators.face import Bus
from simulators.mks import TORR_PA, Mks937Face, MksFace


class Gauge:
    torr = 1.234e-3

    def pirani_pa(self, at_s):
        return self.torr * TORR_PA


@pytest.fixture
def face():
    return MksFace(Gauge(), unit=253)


def ask(face, text: str) -> str:
    return face.hear(0.0, text.encode()).decode()


def test_pressure_in_three_and_four_digits_without_line_ends(face):
    assert face.hear(0.0, bytes.fromhex("40 32 35 33 50 52 34 3F 3B 46 46")) == b"@253ACK1.234E-3;FF"
    assert ask(face, "@253PR3?;FF") == "@253ACK1.23E-3;FF"


def test_set_and_read_back(face):
    assert ask(face, "@253SP1!2.00E-2;FF") == "@253ACK2.00E-2;FF"
    assert ask(face, "@253BR!19200;FF") == "@253ACK19200;FF"
    assert ask(face, "@253U!PASCAL;FF") == "@253ACKPASCAL;FF"
    assert ask(face, "@253pr4?;ff") == "@253ACK1.645E-1;FF"


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ("XYZ?", 160),
        ("U!FURLONG", 169),
        ("SP1!soon", 169),
        ("SP1!1E9", 172),
        ("PR4!1", 175),
        ("MD", 175),
        ("PR4?1", 175),
    ],
)
def test_refusals_carry_the_code_of_the_manual(face, request_, code):
    assert ask(face, f"@253{request_};FF") == f"@253NAK{code};FF"


def test_addresses(face):
    assert ask(face, "@254MD?;FF") == "@253ACK925;FF"
    assert ask(face, "@252MD?;FF") == ""
    assert ask(face, "@255U!MBAR;FF") == ""
    assert ask(face, "@253U?;FF") == "@253ACKMBAR;FF"


def test_the_relay_follows_set_point_hysteresis_and_direction(face):
    gauge = face._plant
    assert ask(face, "@253SS1?;FF") == "@253ACKCLEAR;FF"
    for command in ("SP1!2.00E-2", "SH1!3.00E-2", "EN1!ON"):
        ask(face, f"@253{command};FF")
    states = []
    for gauge.torr in (1e-2, 2.5e-2, 4e-2, 2.5e-2):
        states.append(ask(face, "@253SS1?;FF")[7:-3])
    assert states == ["SET", "SET", "CLEAR", "CLEAR"]


def test_set_to_nitrogen_argon_reads_low(face):
    ask(face, "@253GT!NITROGEN;FF")
    assert ask(face, "@253PR4?;FF") == "@253ACK8.515E-4;FF"


def test_noise_between_frames_is_dropped_and_pieces_are_joined(face):
    assert face.hear(0.0, b"\x00\xff@25@253P") == b""
    assert face.hear(0.1, b"R4?;FF@253MD?;FF") == b"@253ACK1.234E-3;FF@253ACK925;FF"


def test_two_gauges_share_a_line():
    bus = Bus([MksFace(Gauge(), unit=1), MksFace(Gauge(), unit=2)])
    assert bus.hear(0.0, b"@002PR1?;FF") == b"@002ACK1.23E-3;FF"


def test_a_locked_set_up_is_unlocked_by_its_command(face):
    face.locked = True
    assert ask(face, "@253U!MBAR;FF") == "@253NAK180;FF"
    assert ask(face, "@253PR4?;FF") == "@253ACK1.234E-3;FF"
    assert ask(face, "@253FD!UNLOCK;FF") == "@253ACKUNLOCK;FF"
    assert ask(face, "@253U!MBAR;FF") == "@253ACKMBAR;FF"


def test_a_910_says_so(face):
    assert ask(MksFace(Gauge(), unit=253, model="910"), "@253MD?;FF") == "@253ACK910;FF"


# --- 937B ---


class Six:
    def __init__(self):
        self.torr = {1: 7.602e2, 2: 2.5e-3, 3: 1.1e-9}

    def gauge_pa(self, channel, at_s):
        return self.torr[channel] * TORR_PA


@pytest.fixture
def controller():
    return Mks937Face(Six(), unit=3, gauges=("CM", "PR", "CC"))


def test_the_frame_of_the_controllers_manual_byte_for_byte(controller):
    assert controller.hear(0.0, b"@003PR1?;FF") == b"@003ACK7.602E+2;FF"


def test_all_pressures_are_separated_by_blanks(controller):
    assert ask(controller, "@003PRZ?;FF") == "@003ACK7.602E+2 2.50E-3 1.10E-9 NOGAUGE NOGAUGE NOGAUGE;FF"


def test_a_controller_says_who_it_is(controller):
    answers = {name: ask(controller, f"@254{name}?;FF")[7:-3] for name in ("MD", "STA", "STB", "STC", "MT", "FV6")}
    assert answers == {"MD": "937B", "STA": "CMPR", "STB": "CCNG", "STC": "NGNG", "MT": "CM,CC,NC,NA", "FV6": "1.04"}


def test_units_of_a_controller(controller):
    assert ask(controller, "@003U!MICRON;FF") == "@003ACKMICRON;FF"
    assert ask(controller, "@003PR2?;FF") == "@003ACK2.50E+0;FF"


def test_outside_its_range_a_gauge_says_a_word(controller):
    controller._plant.torr = {1: -1e-3, 2: 1e-4, 3: 1.0}
    assert ask(controller, "@003PR1?;FF") == "@003ACK-1.000E-3;FF"
    assert ask(controller, "@003PR2?;FF") == "@003ACKLO<5.0E-4;FF"
    assert ask(controller, "@003PR3?;FF") == "@003ACK>1.0E-2;FF"
    controller._plant.torr[2] = 700
    assert ask(controller, "@003PR2?;FF") == "@003ACKATM;FF"


def test_an_ion_gauge_has_a_state_and_can_be_switched_off(controller):
    assert ask(controller, "@003T3?;FF") == "@003ACKG;FF"
    assert ask(controller, "@003T5?;FF") == "@003ACKN;FF"
    assert ask(controller, "@003CP3!OFF;FF") == "@003ACKOFF;FF"
    assert ask(controller, "@003T3?;FF") == "@003ACKO;FF"
    assert ask(controller, "@003PR3?;FF") == "@003ACKOFF;FF"


@pytest.mark.parametrize(
    ("request_", "code", "text"),
    [
        ("XYZ?", 160, "UNRECOGNIZED_MESSAGE"),
        ("T2?", 152, "NOT_IONGAUGE"),
        ("CP4?", 151, "NO_GAUGE"),
        ("PR7?", 163, "INVALID_CHANNEL"),
        ("PC1?", 181, "COMBINATION_DISABLED"),
        ("U!FURLONG", 169, "INVALID_ARGUMENT"),
        ("PR1!1", 175, "QUERY_BYTE_INVALID"),
        ("PRZ", 175, "QUERY_BYTE_INVALID"),
    ],
)
def test_refusals_of_a_controller_are_numbers_or_words(controller, request_, code, text):
    assert ask(controller, f"@003{request_};FF") == f"@003NAK{code};FF"
    ask(controller, "@003SEM!TXT;FF")
    assert ask(controller, f"@003{request_};FF") == f"@003NAK{text};FF"


def test_a_new_address_is_acknowledged_from_the_old_one(controller):
    assert ask(controller, "@003AD!007;FF") == "@003ACK007;FF"
    assert ask(controller, "@003MD?;FF") == ""
    assert ask(controller, "@007MD?;FF") == "@007ACK937B;FF"


def test_relays_of_a_controller(controller):
    for command in ("SP3!3.00E-3", "SD3!BELOW", "EN3!ENABLE"):
        ask(controller, f"@003{command};FF")
    assert ask(controller, "@003SP3?;FF") == "@003ACK3.00E-3;FF"
    assert ask(controller, "@003SS3?;FF") == "@003ACKSET;FF"
    assert ask(controller, "@003EN3!CLEAR;FF") == "@003ACKCLEAR;FF"
    assert ask(controller, "@003SS3?;FF") == "@003ACKCLEAR;FF"
    assert ask(controller, "@003SP13?;FF") == "@003NAK163;FF"
