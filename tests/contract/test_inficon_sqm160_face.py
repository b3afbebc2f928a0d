"""The simulated SQM-160 against frames of real ones."""

import pytest

from simulators.inficon_sqm160 import SqmFace, check


class Film:
    def __init__(self):
        self.nm, self.nm_s, self.hz = 0.0, 0.001, 5875830.23

    def film_nm(self, sensor, at_s):
        return self.nm * sensor

    def film_nm_s(self, sensor, at_s):
        return self.nm_s if sensor == 1 else 0.0

    def crystal_hz(self, sensor, at_s):
        return self.hz


@pytest.fixture
def film():
    return Film()


@pytest.fixture
def face(film):
    return SqmFace(film)


def ask(face, command: str) -> str:
    body = bytes((len(command) + 34,)) + command.encode()
    reply = face.hear(0.0, b"!" + body + check(body))
    assert reply[0] == 0x21 and reply[1] == len(reply) - 4 + 35 and reply[-2:] == check(reply[1:-2])
    return reply[2:-2].decode()


def test_replies_of_real_instruments_byte_for_byte(face, film):
    assert face.hear(0.0, bytes.fromhex("21 23 40 4F 37")) == bytes.fromhex(
        "21 30 41 4D 4F 4E 20 56 65 72 20 34 2E 31 33 55 77"
    )
    assert face.hear(0.0, b"!#JO8") == b"!%A6v\x86"
    assert face.hear(0.0, bytes.fromhex("21 24 50 31 5A 91")) == b"!/A5875830.230:X"
    assert face.hear(0.0, b"!#O\x8f9") == b"!+A 0.000 Jo"
    film.nm_s = 0.006
    assert face.hear(0.0, b"!#M\x8e\x8a") == b"!*A 0.01 i?"
    film.nm_s = 0.0
    assert face.hear(0.0, bytes.fromhex("21 25 4C 31 3F 85 7B")) == b"!*A 0.00 [d"


def test_values_are_in_angstrom_with_or_without_a_question_mark(face, film):
    film.nm = 307.619
    assert ask(face, "N1") == ask(face, "N1?") == "A 3076.190 "
    assert ask(face, "L1") == ask(face, "L1?") == "A 0.01 "
    assert ask(face, "R1") == "A 87.6 "


def test_all_sensors_in_one_go_after_a_number_that_means_nothing(face, film):
    film.nm, film.nm_s = 307.619, 0.71
    assert ask(SqmFace(film, sensors=2), "W") == "A00.00 07.10 3076.190 5875830.230 00.00 6152.380 5875830.230"


@pytest.mark.parametrize(("command", "status"), [("!", "C"), ("Q1", "C"), ("N7", "D"), ("N", "D"), ("Nx", "D")])
def test_what_it_does_not_know_and_what_it_does_not_have(face, command, status):
    if command == "!":  # begins a message and so cannot be part of one
        assert face.hear(0.0, b"!#!" + check(b"#!")) == b""
    else:
        assert ask(face, command) == status


def test_the_reset_flag_is_told_once(face):
    assert [ask(face, "Y") for _ in range(2)] == ["A1", "A0"]


def test_zero_zeroes_every_sensor(face, film):
    film.nm = 50.0
    assert ask(face, "S") == "A"
    assert [ask(face, one) for one in ("N1", "N2", "O")] == ["A 0.000 "] * 3
    film.nm = 51.0
    assert [ask(face, one) for one in ("N1", "N2")] == ["A 10.000 ", "A 20.000 "]
    assert [ask(face, one) for one in "TZ"] == ["A", "A"]


def test_a_wrong_checksum_is_not_answered_and_two_nuls_switch_the_check_off(face):
    assert face.hear(0.0, b"!#JO9") == b""
    assert face.hear(0.0, b"!#J\x00\x00") == b"!%A6v\x86"


def test_pieces_are_joined_and_every_sync_begins_anew(face):
    assert face.hear(0.0, b"\x00garbage!#") == b""
    assert face.hear(0.1, b"J!#J") == b""
    assert face.hear(0.2, b"O8") == b"!%A6v\x86"


def test_a_failed_crystal_does_not_oscillate(face):
    face.failed.add(1)
    assert [ask(face, one) for one in ("P1", "N1", "R1")] == ["A0.000", "A 0.000 ", "A 0.0 "]


def test_the_other_length_convention(face):
    face.length_offset = 34
    reply = face.hear(0.0, b"!#JO8")
    assert reply[:4] == b"!$A6" and reply[4:] == check(b"$A6")
