"""The simulated nXDS against the messages of its manual."""

from __future__ import annotations

import pytest

from simulators.edwards_nxds import NxdsFace, ScrollPump
from simulators.face import Bus


class Still:
    """A pump whose numbers stand still; what it is driven to is noted."""

    hz, warm_c, controller_c, hours = 0.0, 41.0, 37.0, 5021.9

    def __init__(self) -> None:
        self.driven: list[float] = []

    def drive_pump(self, name: str, target_hz: float, at_s: float) -> None:
        self.driven.append(target_hz)

    def pump_hz(self, name: str, at_s: float) -> float:
        return self.hz

    def pump_c(self, name: str, at_s: float) -> float:
        return self.warm_c

    def pump_controller_c(self, name: str, at_s: float) -> float:
        return self.controller_c

    def pump_hours(self, name: str, at_s: float) -> float:
        return self.hours


@pytest.fixture
def plant() -> Still:
    return Still()


@pytest.fixture
def face(plant: Still) -> NxdsFace:
    return NxdsFace(plant, "pump")


def ask(face: NxdsFace, message: str) -> str:
    return face.hear(0.0, f"{message}\r".encode()).decode("ascii")


def words(face: NxdsFace) -> list[int]:
    """The four words of the status."""
    return [int(word, 16) for word in ask(face, "?V802").rstrip("\r").split(";")[1:]]


def test_start_stop_and_standby_byte_for_byte(face: NxdsFace, plant: Still) -> None:
    assert face.hear(0.0, b"!C802 1\r") == b"*C802 0\r"
    assert face.hear(0.0, b"!C803 1\r") == b"*C803 0\r"
    assert face.hear(0.0, b"!C803 0\r") == b"*C803 0\r"
    assert face.hear(0.0, b"!C802 0\r") == b"*C802 0\r"
    assert plant.driven == [30, 21, 30, 0]


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("?S0", "=S0 nXDS;D37479651A;30"),
        ("?S801", "=S801 nXDS;D37479651A;30"),
        ("?V802", "=V802 0;0400;0000;0000;0000"),
        ("?V808", "=V808 41;37"),
        ("?V859", "=V859 41;37"),
        ("?V810", "=V810 5021"),
        ("?V883", "=V883 5021;34979"),
        ("?V809", "=V809 3900;0;0"),
        ("?V826", "=V826 0000"),
        ("?S835", "=S835 120001234 120001237 120001238;nXDS10i 100/240V"),
        ("?S804", "=S804 80"),
        ("?S805", "=S805 70"),
        ("?S806", "=S806 0"),
        ("?S800", "=S800 0"),
        ("?V816", "=V816 0;0000;0000;0000;0000"),
    ],
)
def test_queries_in_the_form_of_the_manual(face: NxdsFace, query: str, answer: str) -> None:
    assert ask(face, query) == f"{answer}\r"


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        ("?C802", "*C802 1"),
        ("!V802 1", "*V802 1"),
        ("?V999", "*V999 2"),
        ("!S999 1", "*S999 2"),
        ("!C802", "*C802 3"),
        ("!C802 2", "*C802 4"),
        ("!C802 on", "*C802 4"),
        ("!S805 65", "*S805 4"),
        ("!S804 101", "*S804 4"),
        ("!S800 99", "*S800 4"),
    ],
)
def test_refusals_carry_the_code_of_the_manual(face: NxdsFace, message: str, answer: str) -> None:
    assert ask(face, message) == f"{answer}\r"


@pytest.mark.parametrize("message", ["", "C802 1", "?v802", "?V8021", "!C802,1", "*C802 0", "?V802 " + "1" * 74])
def test_what_has_not_the_form_of_a_message_is_not_answered(face: NxdsFace, plant: Still, message: str) -> None:
    assert ask(face, message) == ""
    assert not plant.driven


def test_noise_pieces_and_a_message_begun_twice(face: NxdsFace) -> None:
    assert face.hear(0.0, b"\x00\xff?V8") == b""
    assert face.hear(0.1, b"10\r") == b"=V810 5021\r"
    assert face.hear(0.2, b"!C802 ?V810\r") == b"=V810 5021\r", "the first has no end and is dropped"


def test_the_status_words_of_a_pump_that_runs_up_and_down(face: NxdsFace, plant: Still) -> None:
    assert words(face)[0] == 0x0400, "serial enable alone"
    ask(face, "!C802 1")
    assert words(face)[0] == 0x0442, "running under serial control"
    plant.hz = 30
    assert words(face)[0] == 0x047A, "above normal, ramp and overload speed too"
    ask(face, "!C803 1")
    assert words(face)[0] == 0x047E, "standby"
    ask(face, "!C802 0")
    assert words(face)[0] & 0b11 == 0b01, "decelerating"


def test_a_warning_and_a_service_show_in_the_second_word(face: NxdsFace) -> None:
    face.warning, face.service = 1 << 10, 0x0082
    assert words(face) == [0x0400, 0x0050, 0x0400, 0]


def test_a_pump_that_was_started_at_its_button_is_stopped_there_only(face: NxdsFace, plant: Still) -> None:
    face.press(0.0)
    assert words(face)[0] & 0x20C2 == 0x00C2, "manual"
    assert ask(face, "!C802 0") == "*C802 5\r"
    assert ask(face, "!C802 1") == "*C802 5\r"
    face.press(1.0)
    assert plant.driven == [30, 0]


def test_without_serial_enable_a_start_is_refused_and_a_running_pump_stops_with_a_fault(
    face: NxdsFace, plant: Still
) -> None:
    face.enable_serial(False, 0.0)
    assert ask(face, "!C802 1") == "*C802 5\r"
    face.enable_serial(True, 1.0)
    ask(face, "!C802 1")
    face.enable_serial(False, 2.0)
    assert words(face)[1:] == [0x0080, 0, 1 << 13]
    assert ask(face, "!C802 0") == "*C802 0\r"
    assert words(face)[3] == 1 << 13, "not cleared before it is enabled again"
    face.enable_serial(True, 3.0)
    assert ask(face, "!C802 1") == "*C802 5\r", "not before a stop command"
    ask(face, "!C802 0")
    assert words(face)[3] == 0
    assert plant.driven[-1] == 0


def test_a_fault_is_kept_in_the_history(face: NxdsFace) -> None:
    face.trip(3, 0.0)
    assert ask(face, "?V816") == "=V816 5021;0400;0080;0000;0008\r"


def test_standby_speed_is_kept_by_s_and_for_now_by_c(face: NxdsFace, plant: Still) -> None:
    ask(face, "!C803 1")
    ask(face, "!C802 1")
    ask(face, "!C805 90")
    assert plant.driven[-1] == 27
    assert ask(face, "?S805") == "=S805 70\r"
    ask(face, "!S805 66")
    assert ask(face, "?S805") == "=S805 66\r"
    assert plant.driven[-1] == pytest.approx(19.8)


def test_a_temperature_without_a_sensor_is_minus_200(face: NxdsFace) -> None:
    face.pump_sensor = False
    assert ask(face, "?V808") == "=V808 -200;37\r"


def test_an_nxds_without_the_objects_of_the_next(plant: Still) -> None:
    face = NxdsFace(plant, "pump", nxds_only=True)
    assert [ask(face, one) for one in ("?V859", "?V883")] == ["*V859 2\r", "*V883 2\r"]


def test_multi_drop_pumps_answer_their_own_address_with_both_addresses_exchanged(plant: Still) -> None:
    bus = Bus([NxdsFace(plant, "one", unit=1), NxdsFace(plant, "two", unit=2)])
    assert bus.hear(0.0, b"#01:55?S801\r") == b"#55:01=S801 nXDS;D37479651A;30\r"
    assert bus.hear(0.0, b"#02:55!C802 1\r") == b"#55:02*C802 0\r"
    assert bus.hear(0.0, b"#03:55?S801\r") == b""
    assert bus.hear(0.0, b"?S801\r") == b"", "a pump with an address ignores messages without one"


def test_an_address_is_given_found_by_the_wild_card_and_taken_away(face: NxdsFace) -> None:
    assert ask(face, "#01:55?V810") == ""
    assert ask(face, "!S800 17") == "*S800 0\r"
    assert ask(face, "?S800") == ""
    assert ask(face, "#99:99?S800") == "#99:99=S800 17\r"
    assert ask(face, "#17:55!S800 0") == "#55:17*S800 0\r"
    assert ask(face, "?S800") == "=S800 0\r"


def test_the_scroll_pump_speeds_up_warms_and_ages() -> None:
    pump = ScrollPump(room_c=22.0, hours=100.0)
    pump.drive_pump("pump", 30.0, 0.0)
    assert 0.6 * 30 < pump.pump_hz("pump", 8.0) < 0.7 * 30
    assert pump.pump_hz("pump", 3600.0) == pytest.approx(30.0)
    assert pump.pump_c("pump", 7200.0) == pytest.approx(47.0, abs=0.5)
    assert pump.pump_hours("pump", 7200.0) == pytest.approx(102.0, abs=0.01)
    pump.drive_pump("pump", 0.0, 7200.0)
    assert pump.pump_hz("pump", 7300.0) < 0.1
