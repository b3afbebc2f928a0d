"""The simulated coupler A, and what the valve host makes of it when it misbehaves."""

from __future__ import annotations

import pytest

from drivers.valve_beckhoff import BeckhoffOutputs
from drivers.valve_outputs import OutputsFault, Reply
from simulators.valve_beckhoff import CouplerA
from simulators.valve_module import Change
from tests.valve_rig import ALIVE, H2O, TMA


def frame(pdu: str) -> bytes:
    body = bytes.fromhex(pdu)
    return bytes.fromhex("0001 0000") + (len(body) + 1).to_bytes(2, "big") + b"\x01" + body


def ask(module: CouplerA, at_s: float, pdu: str) -> str:
    return module.hear(at_s, frame(pdu))[7:].hex(" ")


def register(module: CouplerA, at_s: float, address: str) -> int:
    return int(ask(module, at_s, f"03 {address} 0001")[6:].replace(" ", ""), 16)


WRITE_TMA = "0f 0000 0010 02 0100"


def armed(ms: int = 500) -> CouplerA:
    module = CouplerA()
    ask(module, 0.0, "06 1122 0000")
    ask(module, 0.0, f"06 1120 {ms:04x}")
    return module


def test_a_fresh_module_has_outputs_at_zero_and_its_default_watchdog() -> None:
    module = CouplerA()
    assert ask(module, 0.0, "01 0000 0010") == "01 02 00 00"
    assert [register(module, 0.0, address) for address in ("1120", "1122", "1123", "1021", "1020", "1012", "1121")] == [
        1000, 1, 0, 0, 0, 16, 0,
    ]  # fmt: skip
    assert module.next_at() is None, "the watchdog starts with the first write"
    assert ask(module, 0.0, "04 1010 0004") == "04 08 00 00 00 00 00 10 00 00"


def test_the_watchdog_closes_what_is_not_written_again() -> None:
    module = armed()
    assert ask(module, 1.0, WRITE_TMA) == "0f 00 00 00 10"
    assert register(module, 1.2, "1020") == 300 and module.next_at() == 1.5
    assert module.speak(1.5) == b""
    assert module.changes == [Change(1.0, TMA, "write"), Change(1.5, 0, "watchdog")]
    assert register(module, 1.6, "1021") == 1 and register(module, 1.6, "1020") == 0


def test_the_trip_has_the_time_at_which_it_happened_not_at_which_it_was_noticed() -> None:
    module = armed()
    ask(module, 1.0, WRITE_TMA)
    assert ask(module, 9.0, "01 0000 0010") == "01 02 00 00"
    assert module.changes[-1] == Change(1.5, 0, "watchdog")


def test_reads_feed_the_watchdog_only_when_any_telegram_does() -> None:
    module = armed()
    ask(module, 0.0, WRITE_TMA)
    for at_s in (0.2, 0.4):
        ask(module, at_s, "01 0000 0010")
    assert module.next_at() == 0.5
    ask(module, 0.4, "06 1122 0001")
    ask(module, 0.45, "01 0000 0010")
    assert module.next_at() == pytest.approx(0.95)


def test_a_tripped_module_refuses_coils_until_the_whole_reset_sequence() -> None:
    module = armed()
    ask(module, 0.0, WRITE_TMA)
    assert ask(module, 1.0, WRITE_TMA) == "8f 04"
    for value in ("affe", "becf", "0001", "affe"):
        ask(module, 1.0, f"06 1121 {value}")
        assert ask(module, 1.0, WRITE_TMA) == "8f 04"
    ask(module, 1.0, "06 1121 becf")
    ask(module, 1.0, "06 1121 affe")
    assert module.word == 0, "the reset brings no old output back"
    assert ask(module, 1.0, "05 0001 ff00") == "05 00 01 ff 00" and module.word == H2O


def test_a_watchdog_of_no_time_is_off() -> None:
    module = armed()
    ask(module, 0.0, WRITE_TMA)
    ask(module, 0.1, "06 1120 0000")
    assert module.next_at() is None
    ask(module, 0.2, WRITE_TMA)
    assert module.next_at() is None


def test_what_is_not_there_has_exception_02() -> None:
    module = CouplerA()
    for pdu in ("01 0000 0011", "02 0000 0001", "05 0010 ff00", "03 1100 0001", "06 1021 0000"):
        assert ask(module, 0.0, pdu).endswith(" 02")
    assert ask(module, 0.0, "06 1123 0002") == "06 11 23 00 02" and register(module, 0.0, "1123") == 2


def test_quiet_bits_are_not_told_alone() -> None:
    told: list[Change] = []
    module = CouplerA(tell=told.append, quiet=ALIVE)
    ask(module, 0.0, "0f 0000 0010 02 0001")
    ask(module, 0.1, "0f 0000 0010 02 0101")
    assert told == [Change(0.1, ALIVE | TMA, "write")] and module.changes == []


def test_two_connections_have_a_framer_each() -> None:
    module = CouplerA()
    one, other = module.connection(), module.connection()
    module.at(1.0)
    whole = frame(WRITE_TMA)
    assert one.hear(1.0, whole[:5]) == b""
    assert other.hear(1.0, frame("01 0000 0010")) != b""
    assert one.hear(1.0, whole[5:]) != b""


# --- the host's side of the wire -------------------------------------------------------------------------------------


def converse(module: CouplerA, outputs: BeckhoffOutputs, *, rearm: bool = True, trips: int | None = None) -> list[str]:
    """Drive the start of the host against the module; returns the requests as they were on the wire."""
    asked, talk = [], outputs.start(rearm=rearm, trips=trips)
    request = next(talk)
    while True:
        asked.append(request.hex(" "))
        (reply,) = outputs.hear(module.hear(0.0, request))
        outputs.check(request, reply)
        try:
            request = talk.send(reply)
        except StopIteration as done:
            return [*asked, str(done.value)]


def test_the_start_is_safe_word_arming_reset_and_proof_byte_by_byte() -> None:
    assert converse(CouplerA(), BeckhoffOutputs(1, 16, 500)) == [
        "00 01 00 00 00 09 01 0f 00 00 00 10 02 00 00",
        "00 02 00 00 00 06 01 06 11 22 00 00",
        "00 03 00 00 00 06 01 06 11 20 01 f4",
        "00 04 00 00 00 06 01 06 11 21 be cf",
        "00 05 00 00 00 06 01 06 11 21 af fe",
        "00 06 00 00 00 09 01 0f 00 00 00 10 02 00 00",
        "00 07 00 00 00 06 01 03 10 21 00 01",
        "00 08 00 00 00 06 01 03 11 20 00 01",
        "00 09 00 00 00 06 01 03 11 22 00 02",
        "00 0a 00 00 00 06 01 03 10 20 00 01",
        "00 0b 00 00 00 06 01 01 00 00 00 10",
        "0",
    ]


def test_a_fresh_process_rearms_a_tripped_module_and_an_old_one_does_not() -> None:
    module = armed()
    ask(module, -1.0, WRITE_TMA)
    with pytest.raises(OutputsFault, match=r"the module's watchdog tripped \(count 0 before, 1 now\)"):
        converse(module, BeckhoffOutputs(1, 16, 500), rearm=False, trips=0)
    assert converse(module, BeckhoffOutputs(1, 16, 500))[-1] == "1"
    assert converse(module, BeckhoffOutputs(1, 16, 500), rearm=False, trips=1)[-1] == "1"


class Crooked(CouplerA):
    """A module whose registers do not say what was written to them."""

    lies: dict[int, int] = {}  # noqa: RUF012  set once per test

    def read_holding(self, address: int, count: int) -> list[int]:
        values = super().read_holding(address, count)
        return [self.lies.get(address + i, value) for i, value in enumerate(values)]


@pytest.mark.parametrize(
    ("lies", "why"),
    [
        ({0x1120: 1000}, "reads back 1000 ms, type 0, fallback 0: 500 ms, type 0"),
        ({0x1122: 1}, "reads back 500 ms, type 1, fallback 0"),
        ({0x1123: 1}, "reads back 500 ms, type 0, fallback 1"),
        ({0x1020: 0}, "the watchdog does not run after a write: 0 ms left of 500"),
        ({0x1020: 501}, "the watchdog does not run after a write: 501 ms left of 500"),
    ],
)
def test_a_module_that_cannot_be_proven_is_not_used(lies: dict[int, int], why: str) -> None:
    module = Crooked()
    module.lies = lies
    with pytest.raises(OutputsFault, match=why):
        converse(module, BeckhoffOutputs(1, 16, 500))


def test_coils_that_stay_on_are_no_safe_word() -> None:
    class Stuck(CouplerA):
        def read_coils(self, address: int, count: int) -> int:
            return (1 << count) - 1

    with pytest.raises(OutputsFault, match="the safe word was written, coils read 0xffff"):
        converse(Stuck(), BeckhoffOutputs(1, 16, 500))


def test_a_module_with_other_functions_is_refused_by_name() -> None:
    class Small(CouplerA):
        functions = frozenset({15})

    with pytest.raises(OutputsFault, match="the module refused 0x0000 in register 0x1122 with exception 0x01"):
        converse(Small(), BeckhoffOutputs(1, 16, 500))


@pytest.mark.parametrize(
    "data",
    ["0001 0001 0006 01 0f 0000 0010", "0001 0000 0006 02 0f 0000 0010", "0001 0000 0000 01 0f 0000 0010"],
)
def test_bytes_that_are_no_reply_are_a_fault(data: str) -> None:
    with pytest.raises(OutputsFault, match="which is no reply of unit 1"):
        BeckhoffOutputs(1, 16, 500).hear(bytes.fromhex(data))


def test_a_reply_in_pieces_waits_and_is_forgotten_with_its_connection() -> None:
    outputs, data = BeckhoffOutputs(1, 16, 500), bytes.fromhex("0001 0000 0006 01 0f 0000 0010")
    assert outputs.hear(data[:11]) == []
    assert outputs.hear(data[11:]) == [Reply(1, 15, 0, bytes.fromhex("00000010"))]
    outputs.hear(data[:11])
    outputs.forget()
    assert len(outputs.hear(data)) == 1


@pytest.mark.parametrize(
    ("reply", "fits"),
    [
        (Reply(1, 15, 0, bytes.fromhex("00000010")), True),
        (Reply(1, 15, 4, b""), True),
        (Reply(1, 15, 0, bytes.fromhex("00000008")), False),
        (Reply(1, 16, 0, bytes.fromhex("00000010")), False),
    ],
)
def test_a_reply_must_be_to_its_request(reply: Reply, fits: bool) -> None:
    outputs = BeckhoffOutputs(1, 16, 500)
    if fits:
        outputs.check(outputs.write(0), reply)
    else:
        with pytest.raises(OutputsFault, match="is no reply to"):
            outputs.check(outputs.write(0), reply)


def test_a_read_of_another_length_is_no_reply() -> None:
    outputs = BeckhoffOutputs(1, 16, 500)
    outputs.check(outputs.read_coils(), Reply(1, 1, 0, bytes.fromhex("020000")))
    for request, data in ((outputs.read_coils(), "01ff"), (outputs.read_registers(0x1020), "0200")):
        with pytest.raises(OutputsFault, match="is no reply to"):
            outputs.check(request, Reply(1, request[7], 0, bytes.fromhex(data)))


def test_transaction_ids_go_round_without_zero() -> None:
    outputs = BeckhoffOutputs(1, 16, 500)
    ids = {outputs.write(0)[:2] for _ in range(0xFFFF)}
    assert len(ids) == 0xFFFF and b"\0\0" not in ids and outputs.write(0)[:2] == b"\0\1"
