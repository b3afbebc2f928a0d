"""The SQM-160 byte for byte: frames of real instruments, checksum both ways, the two lengths."""

from __future__ import annotations

import asyncio

import pytest

from drivers.base import BadReply, DeviceFault, NoReply, Refused
from drivers.inficon_sqm160 import Sqm160, SqmConfig, checksum, frame
from drivers.line import memory_line
from simulators.inficon_sqm160 import SqmFace
from simulators.virtualtime import run_virtual
from tests.contract.case_inficon_sqm160 import Growing
from tests.contract.scripted import Answer, Peer, Say, now_s, to

VERSION = bytes.fromhex("21 23 40 4F 37")
RATE = bytes.fromhex("21 25 4C 31 3F 85 7B")
THICKNESS = bytes.fromhex("21 24 4E 31 5D 51")
FREQUENCY = bytes.fromhex("21 24 50 31 5A 91")
LIFE, RESET, ZERO, SENSORS = frame("R1"), frame("Y"), frame("S"), frame("J")
SETTINGS = SqmConfig(1, "Å/s", "Å")


def reply(text: str, offset: int = 35) -> bytes:
    body = bytes((len(text) + offset,)) + text.encode("latin-1")
    return b"!" + body + checksum(body)


def monitor(peer: Peer, settings: SqmConfig = SETTINGS) -> Sqm160:
    return Sqm160("film", to(peer), settings)


def polled(**other: Answer) -> dict[bytes, Answer]:
    answers: dict[str, Answer] = {
        "reset": reply("A0"),
        "rate": reply("A 7.10 "),
        "thickness": reply("A 3076.190 "),
        "frequency": reply("A5497894.642"),
        "life": reply("A 49.8 "),
    } | other
    return dict(zip((RESET, RATE, THICKNESS, FREQUENCY, LIFE), answers.values(), strict=True))


def test_requests_are_those_of_the_protocol_byte_for_byte() -> None:
    assert [frame(one) for one in ("@", "L1?", "N1", "P1")] == [VERSION, RATE, THICKNESS, FREQUENCY]
    assert frame("J") == b"!#JO8"
    assert frame("C?") == b"!$C?g/"  # both from the manual


@pytest.mark.parametrize(
    "real",
    [
        bytes.fromhex("21 30 41 4D 4F 4E 20 56 65 72 20 34 2E 31 33 55 77"),
        b"!%A6v\x86",
        b"!*A 0.01 i?",
        b"!+A 0.000 Jo",
        b"!*A 0.00 [d",
        b"!/A5875830.230:X",
        b"!)A 0.00" + bytes((87, 100)),
        b"!*A 0.000" + bytes((90, 92)),
    ],
)
def test_published_replies_count_status_and_text_plus_35(real: bytes) -> None:
    """The last two are from the manual of the SQC-310, the others from an SQM-160."""
    assert real == reply(real[2:-2].decode("ascii"))
    assert Sqm160("film", to(Peer()), SETTINGS)._whole(b"", real) == len(real)


@pytest.mark.parametrize("offset", [35, 34, 33])
def test_where_the_checksum_fits_is_the_end_whatever_the_length_counts(offset: int) -> None:
    async def main() -> None:
        answers = polled(frequency=Say(0.02, reply("A5875830.230", offset)), rate=reply("A 0.01 ", offset))
        readings = await monitor(Peer(always=answers)).poll()
        assert readings["frequency_hz"].value == 5_875_830.230
        assert readings["rate_nm_s"].value == pytest.approx(0.001)

    run_virtual(main())


@pytest.mark.parametrize(
    ("rate_unit", "thickness_unit", "nm_s", "nm"),
    [("Å/s", "Å", 0.71, 307.619), ("nm/s", "nm", 7.1, 3076.19), ("Å/s", "kÅ", 0.71, 307_619.0),
     ("nm/s", "µm", 7.1, 3_076_190.0)],
)  # fmt: skip
def test_values_are_in_nanometres_by_the_units_of_the_settings(
    rate_unit: str, thickness_unit: str, nm_s: float, nm: float
) -> None:
    async def main() -> None:
        settings = SqmConfig(1, rate_unit, thickness_unit)  # type: ignore[arg-type]
        readings = await monitor(Peer(always=polled()), settings).poll()
        assert readings["rate_nm_s"].value == pytest.approx(nm_s)
        assert readings["thickness_nm"].value == pytest.approx(nm)
        assert readings["frequency_hz"].value == 5_497_894.642
        assert readings["life_percent"].value == 49.8
        assert frozenset(readings) == Sqm160.channels(settings)
        assert all(reading.at_s == now_s() for reading in readings.values())

    run_virtual(main())


def test_it_says_who_it_is() -> None:
    async def main() -> None:
        peer = Peer((VERSION, b"!0AMON Ver 4.13Uw"), (SENSORS, b"!%A6v\x86"), (RESET, reply("A1")))
        identity = await monitor(peer).identify()
        assert (identity.model, identity.serial, identity.firmware) == ("SQM-160", "", "MON Ver 4.13")
        assert identity.facts == {"sensors": "6", "restarted since last asked": "yes"}

    run_virtual(main())


def test_a_sensor_that_the_instrument_does_not_have_is_refused() -> None:
    async def main() -> None:
        peer = Peer((VERSION, reply("AMON Ver 4.13")), (SENSORS, reply("A2")))
        with pytest.raises(Refused, match="it has 2 sensors, the settings say sensor 3"):
            await monitor(peer, SqmConfig(3, "Å/s", "Å")).identify()

    run_virtual(main())


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [("C", Refused, "does not know"), ("D", Refused, "not acceptable"), ("E", Refused, "wrong mode"),
     ("B", DeviceFault, "was reset"), ("X", BadReply, "no status")],
)  # fmt: skip
def test_another_status_than_a_is_an_error_in_words(status: str, error: type[Exception], words: str) -> None:
    async def main() -> None:
        with pytest.raises(error, match=words):
            await monitor(Peer(always=polled(rate=reply(status)))).poll()

    run_virtual(main())


def test_an_instrument_that_was_switched_off_meanwhile_is_named() -> None:
    async def main() -> None:
        with pytest.raises(DeviceFault, match="switched off and on"):
            await monitor(Peer(always=polled(reset=reply("A1")))).poll()

    run_virtual(main())


@pytest.mark.parametrize("hertz", ["0.000", "999999.000", "12000000.000", "-1"])
def test_without_an_oscillating_crystal_there_is_no_film(hertz: str) -> None:
    async def main() -> None:
        with pytest.raises(DeviceFault, match="no crystal oscillates at sensor 1"):
            await monitor(Peer(always=polled(frequency=reply(f"A{hertz}")))).poll()

    run_virtual(main())


WRONG = (
    b"!*A 0.00 [e",  # checksum
    b"!*A 9.00 [d",
    b"!+A 0.00 [d",
    b"!)A 0.00 [d",
    b"\x00!*A 0.00 [d",
    b"!*A 0.00 [d\x00",
    b"!*A 0.00 [d!*A 0.00 [d",
    b"!*A 0.00 \x00\x00",  # a request may do without a checksum, a reply may not
    b"!#A",
    b"!\x20A 0.00",
    reply("A"),
    reply("Anan"),
    reply("A 0,00 "),
    reply("A 0.00\xb3"),
    reply("A1e5"),
    b"?*A 0.00 [d",
    RATE,
)


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_answer_is_never_a_rate(wrong: bytes) -> None:
    async def main() -> None:
        peer = Peer((RESET, reply("A0")), (RATE, Say(0.02, wrong)), (RESET, reply("A0")), (RATE, reply("A 5.00 ")),
                    always={**polled(), VERSION: reply("AMON Ver 4.13")})  # fmt: skip
        device = monitor(peer)
        with pytest.raises((BadReply, NoReply)):
            await device.poll()
        assert (await device.poll())["rate_nm_s"].value == 0.5

    run_virtual(main())


@pytest.mark.parametrize("bit", range(11 * 8))
def test_no_single_wrong_bit_becomes_a_rate(bit: int) -> None:
    async def main() -> None:
        good = b"!*A 0.01 i?"
        flipped = good[: bit // 8] + bytes((good[bit // 8] ^ 1 << bit % 8,)) + good[bit // 8 + 1 :]
        with pytest.raises((BadReply, NoReply)):
            await monitor(Peer(always=polled(rate=flipped))).poll()

    run_virtual(main())


# --- zero ---


def test_zero_is_read_back() -> None:
    async def main(offset: int) -> None:
        peer = Peer((ZERO, reply("A", offset)), (RATE, reply("A 7.10 ")), (THICKNESS, reply("A 0.350 ")))
        await monitor(peer).zero()
        assert peer.left == []

    for offset in (35, 34, 33):
        run_virtual(main(offset))


def test_a_zero_that_is_acknowledged_and_not_done_is_refused() -> None:
    async def main() -> None:
        peer = Peer((ZERO, reply("A")), (RATE, reply("A 7.10 ")), (THICKNESS, reply("A 3076.190 ")))
        with pytest.raises(Refused, match=r"reads back 307\.619 nm instead of 0"):
            await monitor(peer).zero()

    run_virtual(main())


def test_a_zero_without_an_answer_is_not_sent_again() -> None:
    async def main() -> None:
        peer = Peer((ZERO, b""))
        with pytest.raises(NoReply):
            await monitor(peer).zero()
        assert peer.requests == [ZERO]

    run_virtual(main())


def test_a_thickness_zeroed_at_the_panel_is_named_once_and_ours_is_not() -> None:
    async def main() -> None:
        plant = Growing()
        face = SqmFace(plant)
        device = Sqm160("film", memory_line("film", face), SqmConfig(2, "Å/s", "Å"))
        await device.identify()
        assert [(await device.poll())["thickness_nm"].flags for _ in range(2)] == [(), ()]
        face.hear(now_s(), frame("S"))
        flags = [(await device.poll())["thickness_nm"].flags for _ in range(2)]
        assert flags == [("zeroed at the instrument",), ()]
        await asyncio.sleep(20)
        await device.poll()
        await device.zero()
        assert (await device.poll())["thickness_nm"].flags == ()

    run_virtual(main())


def test_the_safe_state_of_a_monitor_needs_no_word() -> None:
    async def main() -> None:
        peer = Peer()
        await monitor(peer).safe()
        assert not peer.heard

    run_virtual(main())


@pytest.mark.parametrize(
    ("settings", "words"),
    [((0, "Å/s", "Å"), "1…6"), ((7, "Å/s", "Å"), "1…6"), ((1, "kÅ/s", "Å"), "Å/s or nm/s"), ((1, "Å/s", "mm"), "µm")],
)
def test_settings_that_no_monitor_could_have_are_refused(settings: tuple[int, str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SqmConfig(*settings)  # type: ignore[arg-type]


def test_a_zero_at_the_simulated_monitor_is_seen_by_the_next_poll() -> None:
    async def main() -> None:
        device = Sqm160("film", memory_line("film", SqmFace(Growing())), SqmConfig(2, "Å/s", "Å"))
        await device.identify()
        await asyncio.sleep(3)
        assert (await device.poll())["thickness_nm"].value > 2
        await device.zero()
        assert (await device.poll())["thickness_nm"].value == pytest.approx(0, abs=0.5)

    run_virtual(main())
