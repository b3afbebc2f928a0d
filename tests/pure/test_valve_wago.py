"""The simulated WAGO coupler by its manual's frames, and what the valve host makes of it when it misbehaves."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from drivers.valve_outputs import OutputsFault
from drivers.valve_wago import WagoOutputs
from simulators.valve_module import Change
from simulators.valve_wago import Starter, WagoA
from tests.module_talk import ask, converse, register, zero
from tests.valve_rig import ALIVE, TMA

WRITE_TMA = "0f 0000 0010 02 0100"
STATE, TRIGGER = "1006", "1003"
BOTH: frozenset[Starter] = frozenset({"trigger", "mask"})


def outputs() -> WagoOutputs:
    return WagoOutputs(1, 16, 500)


def running(ms: int = 500, *, mask: str = "4000") -> WagoA:
    """A coupler whose watchdog was armed by hand, with TMA open at 0 s."""
    module = WagoA()
    for pdu in (f"06 1000 {ms // 100:04x}", "06 1002 0000", f"06 1001 {mask}", "06 1003 0001", WRITE_TMA):
        assert not ask(module, 0.0, pdu).startswith("8"), pdu
    return module


# --- the module by hand ----------------------------------------------------------------------------------------------


def test_the_frames_of_the_manual_are_answered_as_the_manual_says() -> None:
    module = WagoA()
    asked = bytes.fromhex("0000 0000 0009 01 0f 0000 0010 02 a5f0")
    assert module.hear(0.0, asked) == bytes.fromhex("0000 0000 0006 01 0f 0000 0010")
    assert module.word == 0xF0A5
    assert ask(module, 0.0, "01 0200 0010") == "01 02 a5 f0", "outputs are read back from 0x0200"
    assert ask(module, 0.0, "02 0200 0010") == "02 02 a5 f0"
    assert ask(module, 0.0, "0f 0400 0010 02 0000") == "8f 02"
    assert ask(module, 0.0, "01 0000 0010") == "81 02", "there lie inputs, and this one has none"
    assert ask(module, 0.0, "05 0201 ff00") == "05 02 01 ff 00" and module.word == 0xF0A7, "the alias takes writes, too"


def test_a_fresh_coupler_guards_nothing() -> None:
    module = WagoA()
    assert [register(module, 0.0, a) for a in ("1000", "1001", "1002", "1003", "1004", "1006", "100a")] == [
        100, 0xFFFF, 0xFFFF, 0, 0xFFFF, 0, 0,
    ]  # fmt: skip
    ask(module, 0.0, WRITE_TMA)
    assert module.next_at() is None and register(module, 60.0, STATE) == 0 and module.word == TMA


@pytest.mark.parametrize(
    ("starters", "after_mask", "after_trigger"),
    [({"trigger"}, 0, 1), ({"mask"}, 1, 1), ({"trigger", "mask"}, 1, 1), (set(), 0, 0)],
)
def test_what_starts_the_watchdog_is_read_in_two_ways_and_its_state_tells(
    starters: set[Starter], after_mask: int, after_trigger: int
) -> None:
    module = WagoA(starters=frozenset(starters))
    ask(module, 0.0, "06 1000 0005")
    ask(module, 0.0, "06 1001 4000")
    assert register(module, 0.0, STATE) == after_mask
    ask(module, 0.0, "06 1003 0001")
    assert register(module, 0.0, STATE) == after_trigger


def test_the_watchdog_closes_what_is_not_written_again() -> None:
    module = running()
    assert module.next_at() == 0.5 and module.speak(0.5) == b""
    assert module.changes == [Change(0.0, TMA, "write"), Change(0.5, 0, "watchdog")]
    assert register(module, 0.6, STATE) == 2 and register(module, 0.6, "1004") == 0


@pytest.mark.parametrize(("mask", "pdu", "feeds"), [
    ("4000", WRITE_TMA, True), ("4000", "01 0200 0010", False), ("4000", "05 0000 ff00", False),
    ("4000", "03 1006 0001", False), ("4000", "06 1003 0009", True), ("4000", "0f 0400 0010 02 0000", False),
    ("ffff", "01 0200 0010", True), ("ffff", "05 0000 ff00", True),
])  # fmt: skip
def test_only_the_masks_functions_and_another_trigger_feed_it(mask: str, pdu: str, feeds: bool) -> None:
    module = running(mask=mask)
    ask(module, 0.3, pdu)
    assert module.next_at() == pytest.approx(0.8 if feeds else 0.5)


def test_an_expired_coupler_refuses_process_data_and_keeps_its_registers_readable() -> None:
    module = running()
    module.at(1.0)
    for pdu in (WRITE_TMA, "05 0000 ff00", "01 0200 0010", "02 0200 0001"):
        assert ask(module, 1.0, pdu).endswith(" 04"), pdu
    assert register(module, 1.0, STATE) == 2 and module.word == 0


def test_a_trip_is_cleared_by_another_trigger_value_and_not_by_the_same() -> None:
    module = running()
    assert ask(module, 1.0, "06 1003 0001") == "86 03" and register(module, 1.0, STATE) == 2
    assert ask(module, 1.0, "06 1003 0000") == "06 10 03 00 00" and register(module, 1.0, STATE) == 1
    assert module.word == 0, "nothing brings the old output back"
    module.at(9.0)
    assert ask(module, 9.0, "06 1003 0000") == "86 03", "and once more: the value that stands there clears nothing"
    assert ask(module, 9.0, "06 1003 0001") == "06 10 03 00 01" and register(module, 9.0, STATE) == 1


@pytest.mark.parametrize("stop", [["06 1008 55aa"], ["06 1008 aa55"], ["06 1005 aaaa", "06 1005 5555"]])
def test_a_stopped_watchdog_guards_nothing_and_can_be_set_again(stop: list[str]) -> None:
    module = running()
    for pdu in ("06 1000 0006", "06 1001 0001", "06 1002 0001"):
        assert ask(module, 0.1, pdu) == "86 03", "not while it runs"
    for pdu in stop:
        ask(module, 0.1, pdu)
    assert register(module, 0.1, STATE) == 0 and module.next_at() is None
    assert ask(module, 0.1, "06 1000 0006") == "06 10 00 00 06"


def test_half_a_stop_sequence_stops_nothing() -> None:
    module = running()
    for pdu in ("06 1005 5555", "06 1005 aaaa", "06 1005 0000", "06 1005 5555", "06 1008 1234"):
        ask(module, 0.1, pdu)
    assert register(module, 0.1, STATE) == 1


def test_the_alternative_watchdog_is_fed_by_anything_and_comes_back_by_itself() -> None:
    module = WagoA(alternative=True)
    ask(module, 0.0, "06 1000 0005")
    ask(module, 0.0, WRITE_TMA)
    ask(module, 0.4, "03 1006 0001")
    assert module.next_at() == pytest.approx(0.9), "a page that polls would keep the valve open"
    module.at(2.0)
    assert module.word == 0
    assert ask(module, 2.0, WRITE_TMA) == "0f 00 00 00 10" and module.word == TMA


# --- the host's side of the wire -------------------------------------------------------------------------------------


START = [
    "00 01 00 00 00 09 01 0f 00 00 00 10 02 00 00",  # the safe word before anything else
    "00 02 00 00 00 06 01 03 10 0a 00 01",  # no alternative watchdog
    "00 03 00 00 00 06 01 03 10 06 00 01",  # its state
    "00 04 00 00 00 06 01 03 10 03 00 01",  # its trigger
    "00 05 00 00 00 06 01 06 10 00 00 05",  # 500 ms
    "00 06 00 00 00 06 01 06 10 02 00 00",
    "00 07 00 00 00 06 01 06 10 01 40 00",  # FC 15 alone
    "00 08 00 00 00 06 01 06 10 03 00 01",  # start
    "00 09 00 00 00 09 01 0f 00 00 00 10 02 00 00",
    "00 0a 00 00 00 06 01 03 10 06 00 01",  # it runs
    "00 0b 00 00 00 06 01 03 10 03 00 01",
    "00 0c 00 00 00 06 01 03 10 00 00 01",
    "00 0d 00 00 00 06 01 03 10 01 00 01",
    "00 0e 00 00 00 06 01 03 10 02 00 01",
    "00 0f 00 00 00 06 01 01 02 00 00 10",  # and the coils are zero
    "1",
]


@pytest.mark.parametrize("starters", [{"trigger"}, {"mask"}, BOTH])
def test_the_start_is_safe_word_arming_and_proof_byte_by_byte_whatever_starts_the_watchdog(
    starters: set[Starter],
) -> None:
    assert converse(WagoA(starters=frozenset(starters)), outputs()) == START


def test_a_word_is_one_telegram_and_read_back_behind_its_alias() -> None:
    made = outputs()
    assert made.write(0xF0A5).hex(" ") == "00 01 00 00 00 09 01 0f 00 00 00 10 02 a5 f0"
    assert made.read_coils().hex(" ") == "00 02 00 00 00 06 01 01 02 00 00 10"
    assert made.ask_trips().hex(" ") == "00 03 00 00 00 06 01 03 10 06 00 01"
    assert made.round_ms == 100


def test_a_running_watchdog_is_stopped_before_it_is_set_and_only_under_the_safe_word() -> None:
    module = running(10_000, mask="ffff")
    words: list[int] = []
    asked = converse(module, outputs(), before=lambda request: words.append(module.word))
    stop = next(i for i, request in enumerate(asked) if request.endswith("06 10 08 55 aa"))
    assert words[0] == TMA and words[stop] == 0
    assert (module.time, module.masks, module.state) == (5, [0x4000, 0], 1)
    assert asked[-1] == "2", "another trigger value than the one that stood there"


def test_outputs_that_come_back_with_a_cleared_trip_are_zeroed_before_the_watchdog_is_stopped() -> None:
    class Revenant(WagoA):
        """A coupler whose old outputs come back when its trip is cleared."""

        old = 0

        def _expired(self) -> None:
            super()._expired()
            self.old = self.word

        def _run(self) -> None:
            expired = self.state == 2
            super()._run()
            if expired:
                self._become(self.old, self._now_s, "write")

    module = Revenant()
    for pdu in ("06 1000 0005", "06 1001 4000", "06 1003 0001", WRITE_TMA):
        ask(module, 0.0, pdu)
    module.at(1.0)
    seen: list[tuple[int, int]] = []
    assert converse(module, outputs(), at_s=1.0, before=lambda _: seen.append((module.word, module.state)))[-1] == "3"
    assert (TMA, 1) in seen, "it did come back"
    assert not [state for word, state in seen if word and state != 1]


def test_a_trip_is_not_taken_back_without_rearm_even_when_somebody_else_cleared_it() -> None:
    module = WagoA()
    converse(module, outputs())
    module.at(2.0)
    with pytest.raises(OutputsFault, match=r"the module's watchdog tripped \(state 2\)"):
        converse(module, outputs(), at_s=2.0, rearm=False, trips=1)
    ask(module, 2.0, "06 1003 0000")
    with pytest.raises(OutputsFault, match="somebody else started the watchdog: trigger 0, 1 was written"):
        converse(module, outputs(), at_s=2.0, rearm=False, trips=1)
    assert converse(module, outputs(), at_s=2.0)[-1] == "1"


def test_the_same_host_comes_back_to_a_coupler_that_never_tripped() -> None:
    module = WagoA()
    converse(module, outputs())
    asked = converse(module, outputs(), at_s=0.3, rearm=False, trips=1)
    assert asked[-1] == "1" and not any(request[21:23] == "06" for request in asked), "it writes no register"


def test_a_coupler_that_restarted_is_not_taken_back() -> None:
    with pytest.raises(OutputsFault, match="is not active: the module has restarted, or somebody stopped it"):
        converse(WagoA(), outputs(), rearm=False, trips=1)


class Crooked(WagoA):
    """A coupler whose registers do not say what was written to them."""

    lies: dict[int, int] = {}  # noqa: RUF012  set once per test

    def read_holding(self, address: int, count: int) -> Sequence[int]:
        return [self.lies.get(address + i, value) for i, value in enumerate(super().read_holding(address, count))]


@pytest.mark.parametrize(
    ("lies", "why"),
    [
        ({0x1000: 100}, "reads back 10000 ms, masks 0x4000 and 0x0000: 500 ms, 0x4000"),
        ({0x1001: 0xFFFF}, "reads back 500 ms, masks 0xffff and 0x0000"),
        ({0x1002: 1}, "reads back 500 ms, masks 0x4000 and 0x0001"),
        ({0x1003: 7}, "somebody else started the watchdog: trigger 7, 8 was written"),
        ({0x1006: 0}, "the module's watchdog is not active"),
        ({0x1006: 3}, r"is in no known state \(state 3\)"),
        ({0x100A: 1}, "register 0x100a reads 1: the alternative watchdog is fed by any request"),
    ],
)
def test_a_coupler_that_cannot_be_proven_is_not_used(lies: dict[int, int], why: str) -> None:
    module = Crooked()
    module.lies = lies
    with pytest.raises(OutputsFault, match=why):
        converse(module, outputs())


def test_a_watchdog_that_nothing_starts_is_found_out() -> None:
    with pytest.raises(OutputsFault, match=r"is not active.*\(state 0\)"):
        converse(WagoA(starters=frozenset()), outputs())


def test_the_alternative_watchdog_is_refused_before_anything_is_set() -> None:
    module = WagoA(alternative=True)
    with pytest.raises(OutputsFault, match="choose the standard one on the coupler's own pages"):
        converse(module, outputs())
    assert module.masks == [0xFFFF, 0xFFFF] and module.time == 100 and module.trigger == 0


def test_coils_that_stay_on_are_no_safe_word() -> None:
    class Stuck(WagoA):
        def read_coils(self, address: int, count: int) -> int:
            return (1 << count) - 1

    with pytest.raises(OutputsFault, match="the safe word was written, coils read 0xffff"):
        converse(Stuck(), outputs())


def test_a_coupler_that_takes_no_words_is_refused_though_its_coils_are_zero() -> None:
    class ReadOnly(WagoA):
        functions = WagoA.functions - {15}

    with pytest.raises(OutputsFault, match="the module refused the safe word with exception 0x01"):
        converse(ReadOnly(), outputs())


def test_a_coupler_without_these_registers_is_refused_by_name() -> None:
    class Old(WagoA):
        def read_holding(self, address: int, count: int) -> Sequence[int]:
            self._outputs(-1, 1)  # exception 02
            return []

    with pytest.raises(OutputsFault, match="the module refused a read of register 0x100a with exception 0x02"):
        converse(Old(), outputs())


# --- the one-shot safe word ------------------------------------------------------------------------------------------


def test_the_one_shot_safe_word_zeroes_and_believes_the_coils() -> None:
    module = running()
    assert zero(module, outputs(), 0.1)[:-1] == [START[0], "00 02 00 00 00 06 01 01 02 00 00 10"]
    assert module.word == 0


def test_the_one_shot_safe_word_believes_an_expired_coupler_that_it_is_shut_and_leaves_it_tripped() -> None:
    module = running()
    zero(module, outputs(), 2.0)
    assert register(module, 2.0, STATE) == 2


def test_the_one_shot_safe_word_believes_nobody_who_refuses_without_a_trip() -> None:
    class Deaf(WagoA):
        functions = frozenset({3, 15})

    with pytest.raises(OutputsFault, match="the module refused a read of its coils with exception 0x01"):
        zero(Deaf(), outputs())


def test_quiet_bits_are_not_told_alone() -> None:
    told: list[Change] = []
    module = WagoA(tell=told.append, quiet=ALIVE)
    ask(module, 0.0, "0f 0000 0010 02 0001")
    ask(module, 0.1, "0f 0000 0010 02 0101")
    assert told == [Change(0.1, ALIVE | TMA, "write")]
