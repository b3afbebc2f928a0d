"""The Bronkhorst controller byte for byte, on frames that the manufacturer's library built and the manual shows."""

from __future__ import annotations

import pytest

from drivers.base import BadReply, DeviceFault, NoReply, Reading, Refused
from drivers.bronkhorst import MEASURE, Bronkhorst, BronkhorstConfig
from drivers.propar import frame, question
from simulators.virtualtime import run_virtual
from tests.contract.scripted import Answer, Peer, Say, now_s, to

POLL = "04 81 A0 01 20 A1 01 21 84 01 04 CD 01 4D F1 01 71 0A 94 01 14 7F 01 7F 07 21 47 21 47"
POLLED = (
    "02 81 A0 {measure} A1 {setpoint} 84 {mode} CD {capacity} F1 0A {fluid} 94 {alarm} 7F 07 {unit} 21 47 41 AC 00 00"
)
HEALTHY = {"measure": "3E 8A", "setpoint": "3E 80", "mode": "00", "capacity": "42 C8 00 00", "alarm": "00",
           "fluid": "41 72 20 20 20 20 20 20 20 20", "unit": "6D 6C 6E 2F 6D 69 6E"}  # fmt: skip
MADE = "04 71 E1 71 61 00 E2 71 62 00 E3 71 63 00 65 71 65 00"
DMFC = (
    "02 71 E1 00 44 4D 46 43 00 E2 00 46 2D 32 30 31 43 56 00"
    " E3 00 4D 31 35 32 30 30 30 30 33 41 00 65 00 56 38 2E 31 34 00"
)
SETTINGS = "04 01 84 01 04 CD 01 4D 90 01 10 F1 01 71 0A 7F 01 7F 07"
SET = "02 01 84 {mode} CD {capacity} 90 00 F1 0A {fluid} 7F 07 {unit}"
SHORT = "04 01 84 01 04 CD 01 4D F1 01 71 0A 7F 01 7F 07"
SHORTLY = "02 01 84 {mode} CD {capacity} F1 0A {fluid} 7F 07 {unit}"
READ_BACK = "04 01 A1 01 21 04 01 04"


def whole(sequence: int, message: str, node: int = 0x80) -> bytes:
    """A frame as the manual describes it."""
    data = bytes.fromhex(message)
    content = bytes((sequence, node, len(data))) + data
    return b"\x10\x02" + content.replace(b"\x10", b"\x10\x10") + b"\x10\x03"


def polled(sequence: int = 1, **changes: str) -> bytes:
    return whole(sequence, POLLED.format(**HEALTHY | changes))


def controller(peer: Peer, **changes: object) -> Bronkhorst:
    settings: dict[str, object] = {"full_scale_sccm": 100.0, "gas": "Ar"}
    return Bronkhorst("carrier", to(peer), BronkhorstConfig(**settings | changes))  # type: ignore[arg-type]


def polling(answer: Answer) -> tuple[Bronkhorst, Peer]:
    peer = Peer((whole(1, POLL), answer))
    return controller(peer), peer


def test_the_request_for_the_measure_is_the_example_byte_for_byte() -> None:
    assert frame(1, 0x80, question(MEASURE)) == bytes.fromhex("10 02 01 80 05 04 01 20 01 20 10 03")


def test_a_poll_is_one_chained_message() -> None:
    async def main() -> None:
        device, _ = polling(Say(0.03, polled()))
        readings = await device.poll()
        assert readings == {
            "flow_sccm": Reading(16010 / 320, now_s()),
            "setpoint_sccm": Reading(50.0, now_s()),
            "temperature_c": Reading(21.5, now_s()),
        }

    run_virtual(main())


def test_pressure_is_read_in_the_same_message_where_the_instrument_has_a_sensor() -> None:
    async def main() -> None:
        asked = POLL.replace("21 47 21 47", "21 C7 21 47 48 21 48")
        answer = POLLED.format(**HEALTHY).replace("21 47 41 AC 00 00", "21 C7 41 AC 00 00 48 44 FA 00 00")
        device = controller(Peer((whole(1, asked), whole(1, answer))), pressure=True)
        readings = await device.poll()
        assert readings["pressure_pa"].value == 200_000.0
        assert frozenset(readings) == Bronkhorst.channels(BronkhorstConfig(100, "Ar", pressure=True))

    run_virtual(main())


def test_each_request_has_its_own_sequence_number_and_0x10_is_doubled_in_it() -> None:
    async def main() -> None:
        peer = Peer(*((whole(n, POLL), polled(n)) for n in [*range(1, 256), 1]))
        device = controller(peer)
        for _ in range(256):
            await device.poll()
        assert peer.requests[15].startswith(b"\x10\x02\x10\x10\x80\x1d\x04")
        assert peer.left == []

    run_virtual(main())


@pytest.mark.parametrize(
    ("measure", "sccm"), [("00 00", 0.0), ("7D 00", 100.0), ("A3 D5", 131.065625), ("FF FF", -0.003125)]
)
def test_measure_is_a_share_of_the_capacity_up_to_131_percent_and_below_zero(measure: str, sccm: float) -> None:
    async def main() -> None:
        device, _ = polling(polled(measure=measure))
        assert (await device.poll())["flow_sccm"] == Reading(sccm, now_s())

    run_virtual(main())


@pytest.mark.parametrize(
    ("unit", "capacity", "reference_c", "full_sccm"),
    [
        ("ln/min ", "40 A0 00 00", 0.0, 5000.0),
        ("mls/min", "42 C8 00 00", 0.0, 93.1776),
        ("mls/min", "42 C8 00 00", 20.0, 100.0),
        ("mln/min", "42 C8 00 00", 25.0, 109.1525),
        ("sccm   ", "42 C8 00 00", 0.0, 100.0),
        ("ln/h   ", "42 C8 00 00", 0.0, 1666.6667),
        ("m3n/h  ", "3F 80 00 00", 0.0, 16666.667),
    ],
)
def test_the_capacity_unit_and_its_reference_become_sccm_of_the_settings(
    unit: str, capacity: str, reference_c: float, full_sccm: float
) -> None:
    async def main() -> None:
        peer = Peer((whole(1, POLL), polled(unit=unit.encode().hex(), capacity=capacity, measure="7D 00")))
        device = controller(peer, full_scale_sccm=full_sccm, reference_c=reference_c)
        assert (await device.poll())["flow_sccm"].value == pytest.approx(full_sccm, rel=1e-6)

    run_virtual(main())


def test_a_whole_identification() -> None:
    async def main() -> None:
        peer = Peer((whole(1, MADE), whole(1, DMFC)), (whole(2, SETTINGS), whole(2, SET.format(**HEALTHY))))
        identity = await controller(peer).identify()
        assert (identity.model, identity.serial, identity.firmware) == ("F-201CV", "M15200003A", "V8.14")
        assert identity.facts == {
            "gas": "Ar",
            "fluid set": "0",
            "full scale": "100 mln/min, 100 sccm at 0 °C and 1013.25 mbar",
            "set-point source": "bus",
        }

    run_virtual(main())


DIFFERENT = {
    "gas": ({"fluid": "4E 32 20 20 20 20 20 20 20 20"}, "the fluid selected is N2, the settings say Ar"),
    "full scale": ({"capacity": "43 48 00 00"}, "200 mln/min, which is 200 sccm at 0 °C .* the settings say 100 sccm"),
    "unit without reference": ({"unit": "6D 6C 2F 6D 69 6E 20"}, "'ml/min', which is no flow at a stated reference"),
    "unit of mass": ({"unit": "67 2F 68 20 20 20 20"}, "set it to mln/min or ln/min"),
    "reference": ({"unit": "6D 6C 73 2F 6D 69 6E"}, "93.1776 sccm at 0 °C"),
    "analogue input": ({"mode": "01"}, r"control mode 1 \(analogue input\): set-points from the bus are not followed"),
    "valve closed": ({"mode": "03"}, r"control mode 3 \(valve closed\)"),
    "purge": ({"mode": "08"}, "fully open"),
    "new mode": ({"mode": "63"}, r"control mode 99 \(see the manual\)"),
}  # fmt: skip


@pytest.mark.parametrize("what", DIFFERENT)
def test_an_instrument_that_is_not_as_the_settings_say_is_refused_at_start_and_a_fault_later(what: str) -> None:
    changes, words = DIFFERENT[what]

    async def main() -> None:
        settings = whole(2, SET.format(**HEALTHY | changes))
        peer = Peer((whole(1, MADE), whole(1, DMFC)), (whole(2, SETTINGS), settings))
        with pytest.raises(Refused, match=words):
            await controller(peer).identify()
        device, _ = polling(polled(**changes))
        with pytest.raises(DeviceFault, match=words):
            await device.poll()

    run_virtual(main())


def test_a_meter_is_refused() -> None:
    async def main() -> None:
        meter = DMFC.replace("44 4D 46 43", "44 4D 46 4D")
        with pytest.raises(Refused, match="it is a DMFM"):
            await controller(Peer((whole(1, MADE), whole(1, meter)))).identify()

    run_virtual(main())


@pytest.mark.parametrize(
    ("alarm", "words"), [("80", "hardware has failed"), ("01", "reports an error"), ("A3", "hard")]
)
def test_an_instrument_that_reports_itself_broken_is_a_device_fault(alarm: str, words: str) -> None:
    async def main() -> None:
        device, _ = polling(polled(alarm=alarm))
        with pytest.raises(DeviceFault, match=words):
            await device.poll()

    run_virtual(main())


def test_alarms_and_a_measure_at_its_end_are_flags_of_the_flow() -> None:
    async def main() -> None:
        device, _ = polling(polled(alarm="2A", measure="A3 D6"))
        readings = await device.poll()
        assert readings["flow_sccm"].flags == ("warning", "maximum alarm", "response alarm", "over range")
        assert readings["setpoint_sccm"].flags == readings["temperature_c"].flags == ()

    run_virtual(main())


WRONG = {
    "another sequence number": polled(2),
    "another node": whole(1, POLLED.format(**HEALTHY), node=3),
    "our own request": whole(1, POLL),
    "status ok": whole(1, "00 00 1D"),
    "another parameter": whole(1, POLLED.format(**HEALTHY).replace("21 47", "21 48")),
    "another process": whole(1, POLLED.format(**HEALTHY).replace("21 47", "22 47")),
    "not chained as asked": whole(1, POLLED.format(**HEALTHY).replace("02 81", "02 01")),
    "one parameter short": whole(1, POLLED.format(**HEALTHY)[: -len(" 21 47 41 AC 00 00")]),
    "one byte short": whole(1, POLLED.format(**HEALTHY)[:-3]),
    "one byte more": whole(1, POLLED.format(**HEALTHY) + " 00"),
    "a length that does not fit": polled().replace(b"\x80\x2c", b"\x80\x2d"),
    "a control sequence that is not allowed": polled().replace(b"\x3e\x8a", b"\x10\x8a"),
    "a temperature that is no number": whole(1, POLLED.format(**HEALTHY).replace("41 AC 00 00", "7F C0 00 00")),
    "an infinite capacity": polled(capacity="7F 80 00 00"),
    "letters that no fluid has": polled(fluid="41 F2 20 20 20 20 20 20 20 20"),
    "noise before": b"\x00" + polled(),
    "noise after": polled() + b"\x00",
    "twice": polled() * 2,
    "ascii mode": b":0680020120" + b"3E8A\r\n",
    "nothing in it": b"\x10\x02\x01\x80\x00\x10\x03",
    "no node": b"\x10\x02\x01\x10\x03",
    "a string without its length": whole(1, "02 81 A0 3E 8A A1 3E 80 84 00 CD 42 C8 00 00 F1"),
    "a string longer than the message": polled().replace(b"\xf1\x0a", b"\xf1\x7a"),
    "a string without its end": polled().replace(b"\xf1\x0a", b"\xf1\x00"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_answer_to_this_request_is_never_data(what: str) -> None:
    async def main() -> None:
        later = {whole(2, POLL): polled(2)}
        peer = Peer((whole(1, POLL), Say(0.02, WRONG[what])), always=later)
        device = controller(peer)
        with pytest.raises(BadReply):
            await device.poll()
        assert (await device.poll())["flow_sccm"].value == 16010 / 320

    run_virtual(main())


@pytest.mark.parametrize("bytes_", [1, 2, 5, 20, 49])
def test_half_a_frame_is_no_reply(bytes_: int) -> None:
    async def main() -> None:
        device, _ = polling(polled()[:bytes_])
        with pytest.raises(NoReply):
            await device.poll()

    run_virtual(main())


def test_a_reply_that_comes_after_the_time_out_is_known_by_its_number_and_thrown_away() -> None:
    async def main() -> None:
        peer = Peer(
            (whole(1, POLL), Say(0.46, polled(1, measure="7D 00"))),
            always={whole(n, POLL): Say(0.2, polled(n)) for n in (2, 3)},
        )
        device = controller(peer)
        with pytest.raises(NoReply):
            await device.poll()
        start_s = now_s()
        for _ in range(2):
            assert (await device.poll())["flow_sccm"].value == 16010 / 320
        assert now_s() - start_s <= 0.1 + 0.2 + 0.2 + 0.01, "no probe, and nothing is waited for behind a reply"

    run_virtual(main())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (whole(1, "00 04 03"), "status 4 at byte 3 of the message: it has no such parameter"),
        (whole(1, "00 19 00"), "status 25 .* the bus behind this port is silent"),
        (whole(1, "00 63 00"), "status 99 .* see the manual"),
        (bytes.fromhex("10 02 01 80 00 05 10 03"), "error 5: there is no such node"),
        (bytes.fromhex("10 02 01 80 01 04 10 03"), "error 4: protocol error"),
    ],
)
def test_a_status_or_an_error_message_is_a_refusal_in_words(answer: bytes, words: str) -> None:
    async def main() -> None:
        device, _ = polling(answer)
        with pytest.raises(Refused, match=words):
            await device.poll()

    run_virtual(main())


def setting(status: str = "00 00 05", back: str = "02 01 A1 0F A0 04 00") -> tuple[Bronkhorst, Peer]:
    """It reads back nothing where `back` is empty: then it must not be asked to."""
    written = bytes.fromhex("10 02 02 80 05 01 01 21 0F A0 10 03"), whole(2, status)
    read_back = [(whole(3, READ_BACK), whole(3, back))] if back else []
    peer = Peer((whole(1, SHORT), whole(1, SHORTLY.format(**HEALTHY))), written, *read_back)
    return controller(peer), peer


def test_a_set_point_is_written_once_and_read_back_with_its_source() -> None:
    async def main() -> None:
        device, peer = setting()
        await device.set_flow(12.5)
        assert peer.left == []

    run_virtual(main())


@pytest.mark.parametrize(
    ("status", "back", "words"),
    [
        ("00 06 02", "", "status 6 at byte 2 of the message: the value is out of range"),
        ("00 00 05", "02 01 A1 0F 9F 04 00", "reads back 3999 instead of 4000 of 32000"),
        ("00 00 05", "02 01 A1 0F A0 04 01", "analogue input"),
    ],
)
def test_a_set_point_that_is_not_taken_or_not_followed_is_refused(status: str, back: str, words: str) -> None:
    async def main() -> None:
        device, _ = setting(status, back)
        with pytest.raises(Refused, match=words):
            await device.set_flow(12.5)

    run_virtual(main())


@pytest.mark.parametrize(
    "answer", [b"", whole(2, "02 01 21 0F A0"), whole(1, "00 00 05"), whole(2, "00 00 05", node=3)]
)
def test_a_set_point_without_an_answer_of_its_own_is_not_sent_again(answer: bytes) -> None:
    async def main() -> None:
        peer = Peer((whole(1, SHORT), whole(1, SHORTLY.format(**HEALTHY))), (whole(2, "01 01 21 0F A0"), answer))
        with pytest.raises((NoReply, BadReply)):
            await controller(peer).set_flow(12.5)
        assert len(peer.requests) == 2

    run_virtual(main())


def test_a_set_point_is_not_sent_to_an_instrument_with_another_gas() -> None:
    async def main() -> None:
        peer = Peer((whole(1, SHORT), whole(1, SHORTLY.format(**HEALTHY).replace("41 72", "48 65"))))
        with pytest.raises(Refused, match="the fluid selected is He"):
            await controller(peer).set_flow(12.5)

    run_virtual(main())


@pytest.mark.parametrize("sccm", [-0.1, 100.1, float("nan"), float("inf")])
def test_a_set_point_outside_the_range_is_never_sent(sccm: float) -> None:
    async def main() -> None:
        peer = Peer()
        with pytest.raises(Refused, match=r"outside 0…100 sccm"):
            await controller(peer).set_flow(sccm)
        assert not peer.heard

    run_virtual(main())


def test_safe_is_no_flow_and_asks_nothing_before_it_is_sent() -> None:
    async def main() -> None:
        back = whole(2, "02 01 A1 00 00 04 00")
        peer = Peer((whole(1, "01 01 21 00 00"), whole(1, "00 00 05")), (whole(2, READ_BACK), back))
        await controller(peer).safe()
        assert peer.left == []

    run_virtual(main())


def test_safe_says_so_when_the_valve_follows_something_else() -> None:
    async def main() -> None:
        back = whole(2, "02 01 A1 00 00 04 08")
        peer = Peer((whole(1, "01 01 21 00 00"), whole(1, "00 00 05")), (whole(2, READ_BACK), back))
        with pytest.raises(Refused, match="fully open"):
            await controller(peer).safe()

    run_virtual(main())


@pytest.mark.parametrize(
    "wrong", [{"node": 0}, {"node": 129}, {"full_scale_sccm": 0}, {"full_scale_sccm": float("nan")}, {"gas": ""},
              {"gas": "N2 and more"}, {"reference_c": 60}]
)  # fmt: skip
def test_settings_without_a_meaning_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"Bronkhorst|gas|standard"):
        BronkhorstConfig(**{"full_scale_sccm": 100.0, "gas": "Ar"} | wrong)  # type: ignore[arg-type]
