"""The simulated MKS 925 against the frames of its manual."""

import pytest

from simulators.face import Bus
from simulators.mks import TORR_PA, MksFace


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
