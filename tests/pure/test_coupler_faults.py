"""The commands by which the simulated coupler fails, and what a spoiled request is answered."""

from __future__ import annotations

import pytest

from simulators.coupler_faults import Command, Trouble, Wire, command_of
from simulators.valve_beckhoff import CouplerA
from tests.valve_rig import TMA

WRITE_TMA = bytes.fromhex("0001 0000 0009 01 0f 0000 0010 02 0100")
READ_COILS = bytes.fromhex("0002 0000 0006 01 01 0000 0010")


def test_a_command_is_one_line_of_json() -> None:
    assert command_of(b'{"fault": "slow", "ms": 300, "by_ms": 25}') == Command("slow", ms=300, by_ms=25)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"fault": "drak"}', "there is no fault 'drak'; there are: dark, reset"),
        (b'{"fault": "dark", "writes": 1}', "dark does not count writes, exceptions and deaf do"),
        (b'{"fault": "dark", "ms": "60"}', "'60' is neither a time in ms nor a count"),
        (b'{"fault": "dark", "ms": -1}', "-1 is neither"),
        (b'{"fault": "dark", "for": 60}', "no command"),
        (b"{}", "no command"),
        (b"dark", "Expecting value"),
    ],
)
def test_what_is_no_command_is_refused_in_a_sentence(line: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        command_of(line)


def test_faults_end_in_their_time_and_are_told_once() -> None:
    trouble = Trouble()
    trouble.begin(1.0, Command("dark", ms=60))
    trouble.begin(1.0, Command("slow", ms=100, by_ms=25))
    assert "dark" in trouble and trouble.next_at() == pytest.approx(1.06) and trouble.delay_s == 0.025
    assert trouble.over(1.05) == []
    trouble.begin(1.05, Command("dark", ms=60))
    assert trouble.over(1.1) == ["slow"] and trouble.delay_s == 0
    assert trouble.over(1.2) == ["dark"] and trouble.over(1.3) == [] and trouble.next_at() is None


def wire() -> tuple[CouplerA, Trouble, Wire]:
    module, trouble = CouplerA(), Trouble()
    return module, trouble, Wire(module.connection(), trouble)


def test_exceptions_answer_the_next_writes_or_everything_and_switch_nothing() -> None:
    module, trouble, line = wire()
    trouble.begin(0.0, Command("exceptions", code=6, writes=1))
    assert line.hear(READ_COILS)[7:].hex(" ") == "01 02 00 00", "a read is no write"
    assert line.hear(WRITE_TMA).hex(" ") == "00 01 00 00 00 03 01 8f 06" and module.word == 0
    assert trouble.over(0.0) == ["exceptions"]
    line.hear(WRITE_TMA)
    assert module.word == TMA
    trouble.begin(0.0, Command("exceptions", ms=100))
    assert line.hear(READ_COILS)[7:].hex(" ") == "81 04"


def test_a_deaf_module_acknowledges_and_switches_nothing() -> None:
    module, trouble, line = wire()
    trouble.begin(0.0, Command("deaf", ms=100))
    assert line.hear(WRITE_TMA)[7:].hex(" ") == "0f 00 00 00 10" and module.word == 0
    assert line.hear(READ_COILS)[7:].hex(" ") == "01 02 00 00"
    assert module.next_at() is None, "what it does not hear does not feed its watchdog"


def test_requests_in_pieces_and_in_one_piece_are_answered_in_their_order() -> None:
    _, _, line = wire()
    both = WRITE_TMA + READ_COILS
    assert line.hear(both[:5]) == b"" and line.hear(both[5:9]) == b""
    answers = line.hear(both[9:])
    assert [answers[1], answers[13]] == [1, 2]


def test_a_length_that_makes_no_sense_breaks_the_connection() -> None:
    _, _, line = wire()
    assert line.hear(bytes(8)) == b"" and line.broken
