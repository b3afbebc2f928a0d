"""Modules whose watchdog is set on the module itself: what they do, and what the valve host makes of them."""

from __future__ import annotations

import pytest

from drivers.valve_outputs import OutputsFault
from drivers.valve_unarmed import AdamOutputs, MoxaOutputs, UnarmedOutputs
from simulators.valve_module import Change
from simulators.valve_unarmed import AdamA, MoxaA
from tests.module_talk import ask, converse, zero
from tests.valve_rig import TMA

MOXA_TMA, ADAM_TMA = "0f 0000 0010 02 0100", "0f 0010 0010 02 0100"
FLAG = "01 1030 0001"


def moxa() -> MoxaOutputs:
    return MoxaOutputs(1, 16, 0)


def adam() -> AdamOutputs:
    return AdamOutputs(1, 16, 0)


# --- the modules by hand ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("module", "write"), [(MoxaA(idle_s=2.0), MOXA_TMA), (AdamA(idle_s=2.0), ADAM_TMA)])
def test_the_time_is_the_modules_own_and_any_telegram_feeds_it(module: MoxaA | AdamA, write: str) -> None:
    ask(module, 0.0, write)
    ask(module, 1.5, "01 0010 0001")
    module.at(3.4)
    assert module.word == TMA
    module.at(9.0)
    assert module.changes == [Change(0.0, TMA, "write"), Change(3.5, 0, "watchdog")]


def test_the_moxas_flag_is_set_by_a_trip_and_its_outputs_stay_shut_until_it_is_cleared() -> None:
    module = MoxaA()
    ask(module, 0.0, MOXA_TMA)
    assert ask(module, 0.5, FLAG) == "01 01 00"
    assert ask(module, 2.0, FLAG) == "01 01 01"
    assert ask(module, 2.0, MOXA_TMA) == "0f 00 00 00 10" and module.word == 0, "it swallows the write"
    ask(module, 2.0, "05 1030 0000")
    assert ask(module, 2.0, FLAG) == "01 01 01", "only a 1 clears"
    assert ask(module, 2.0, "05 1030 ff00") == "05 10 30 ff 00" and ask(module, 2.0, FLAG) == "01 01 00"
    ask(module, 2.0, MOXA_TMA)
    assert module.word == TMA


def test_the_adam_tells_nothing_of_a_trip() -> None:
    module = AdamA()
    ask(module, 0.0, ADAM_TMA)
    assert ask(module, 5.0, "01 0010 0010") == "01 02 00 00"
    assert ask(module, 5.0, ADAM_TMA) == "0f 00 10 00 10" and module.word == TMA


@pytest.mark.parametrize("module", [MoxaA(), AdamA()])
def test_what_is_not_there_has_exception_02(module: MoxaA | AdamA) -> None:
    for pdu in ("01 0000 0020", "0f 0020 0008 01 00", "02 0000 0001", "01 1030 0002"):
        assert ask(module, 0.0, pdu).endswith(" 02"), pdu


# --- the host's side of the wire -------------------------------------------------------------------------------------


def test_the_start_of_a_moxa_byte_by_byte() -> None:
    assert converse(MoxaA(), moxa()) == [
        "00 01 00 00 00 09 01 0f 00 00 00 10 02 00 00",
        "00 02 00 00 00 06 01 05 10 30 ff 00",
        "00 03 00 00 00 09 01 0f 00 00 00 10 02 00 00",
        "00 04 00 00 00 06 01 01 10 30 00 01",
        "00 05 00 00 00 06 01 01 00 00 00 10",
        "0",
    ]


def test_the_start_of_an_adam_byte_by_byte() -> None:
    assert converse(AdamA(), adam()) == [
        "00 01 00 00 00 09 01 0f 00 10 00 10 02 00 00",
        "00 02 00 00 00 06 01 01 00 10 00 10",
        "0",
    ]


@pytest.mark.parametrize("made", [moxa(), adam()])
def test_rounds_do_not_wait_for_a_watchdog_that_nobody_knows(made: UnarmedOutputs) -> None:
    assert made.round_ms == 100 and not made.armed and made.most_coils == 16


def test_a_flag_that_is_set_is_a_trip_and_only_a_fresh_process_clears_it() -> None:
    module, made = MoxaA(), moxa()
    converse(module, made)
    made.check_trips(made.hear(module.hear(0.0, made.ask_trips()))[0], 0)
    module.at(2.0)
    with pytest.raises(OutputsFault, match=r"the module's watchdog tripped \(coil 0x1030 is set\)"):
        made.check_trips(made.hear(module.hear(2.0, made.ask_trips()))[0], 0)
    with pytest.raises(OutputsFault, match="tripped"):
        converse(module, moxa(), at_s=2.0, rearm=False, trips=0)
    assert converse(module, moxa(), at_s=2.0)[-1] == "0" and not module.tripped


def test_a_flag_that_stays_set_is_no_start() -> None:
    class Sticky(MoxaA):
        def write_coils(self, address: int, count: int, bits: int) -> None:
            if address != self.FLAG:
                super().write_coils(address, count, bits)

    module = Sticky()
    module.tripped = True
    with pytest.raises(OutputsFault, match="tripped"):
        converse(module, moxa())


@pytest.mark.parametrize(
    ("absent", "why"),
    [
        ("write", "refused the clearing of its watchdog's flag with exception 0x01"),
        ("read", "refused a read of its watchdog's flag with exception 0x01"),
        ("word", "the module refused the safe word with exception 0x01"),
    ],
)
def test_a_module_that_refuses_is_not_used(absent: str, why: str) -> None:
    class Small(MoxaA):
        functions = MoxaA.functions - {{"write": 5, "read": 1, "word": 15}[absent]}

    with pytest.raises(OutputsFault, match=why):
        converse(Small(), moxa())


@pytest.mark.parametrize(("module", "made"), [(MoxaA, moxa()), (AdamA, adam())])
def test_coils_that_stay_on_are_no_safe_word(module: type[MoxaA], made: UnarmedOutputs) -> None:
    class Stuck(module):  # type: ignore[misc, valid-type]
        def _put(self, first: int, count: int, bits: int) -> None:
            self.word = 2

    with pytest.raises(OutputsFault, match="the safe word was written, coils read 0x0002"):
        converse(Stuck(), made)
    with pytest.raises(OutputsFault, match="coils read 0x0002"):
        zero(Stuck(), made)


@pytest.mark.parametrize(("module", "made", "write"), [(MoxaA(), moxa(), MOXA_TMA), (AdamA(), adam(), ADAM_TMA)])
def test_the_one_shot_safe_word_closes(module: MoxaA, made: UnarmedOutputs, write: str) -> None:
    ask(module, 0.0, write)
    zero(module, made, 0.1)
    assert module.word == 0
