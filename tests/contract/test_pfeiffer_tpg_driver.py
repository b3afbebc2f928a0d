"""The TPG and VGC controllers byte for byte: two steps, status digits, units by family."""

from __future__ import annotations

import asyncio
import math

import pytest

from drivers.base import BadReply, DeviceFault, NoReply, Refused
from drivers.line import memory_line
from drivers.pfeiffer_tpg import PROBE, PfeifferTpg, TpgConfig, TpgGauge
from simulators.virtualtime import run_virtual
from tests.contract.case_pfeiffer_tpg import CASES
from tests.contract.pfeiffer_tpg_bench import ACK, ENQ, NAK, ONE, PKR, TWO, controller, step
from tests.contract.scripted import Peer, Say, now_s


def polling(line: str, settings: TpgConfig = ONE, unit: str = "0") -> PfeifferTpg:
    mnemonic = "PRX" if len(settings.gauges) > 1 else "PR1"
    return controller(Peer(*step("UNI", unit), *step(mnemonic, line), *step("UNI", unit)), settings)


def test_one_gauge_is_asked_for_in_two_steps_as_the_protocol_shows() -> None:
    async def main() -> None:
        peer = Peer(
            *step("UNI", "0"),
            (b"PR1\r", Say(0.02, ACK)),
            (ENQ, Say(0.03, b"0,7.9100E-05\r\n")),
            *step("UNI", "0"),
        )
        readings = await controller(peer).poll()
        assert peer.left == []
        assert readings["pressure_1_pa"].value == pytest.approx(7.91e-3)
        assert readings["pressure_1_pa"].flags == ()
        assert readings["pressure_1_pa"].at_s == pytest.approx(now_s())

    run_virtual(main())


def test_two_gauges_are_read_in_one_go() -> None:
    async def main() -> None:
        readings = await polling("0,7.9100E-05,0,2.4100E-02", TWO).poll()
        assert readings["pressure_1_pa"].value == pytest.approx(7.91e-3)
        assert readings["pressure_2_pa"].value == pytest.approx(2.41)
        assert frozenset(readings) == PfeifferTpg.channels(TWO)

    run_virtual(main())


@pytest.mark.parametrize(
    ("model", "code", "pascal"),
    [("TPG362", "0", 100.0), ("TPG362", "1", 133.322), ("TPG362", "2", 1.0), ("TPG362", "3", 0.133322),
     ("TPG362", "4", 100.0), ("TPG262", "0", 100.0), ("TPG262", "1", 133.322), ("TPG262", "2", 1.0),
     ("VGC502", "4", 100.0)],
)  # fmt: skip
def test_every_unit_of_the_family_is_converted(model: str, code: str, pascal: float) -> None:
    async def main() -> None:
        settings = TpgConfig(model, (PKR,))  # type: ignore[arg-type]
        value = (await polling("0,1.0000E+00", settings, code).poll())["pressure_1_pa"].value
        assert value == pytest.approx(pascal, rel=1e-5)

    run_virtual(main())


@pytest.mark.parametrize(
    ("model", "code"), [("TPG262", "3"), ("TPG262", "4"), ("TPG362", "6"), ("TPG362", "x"), ("TPG362", "00")]
)
def test_a_unit_that_this_family_does_not_have_is_not_guessed(model: str, code: str) -> None:
    async def main() -> None:
        with pytest.raises(BadReply, match="no unit of a"):
            await controller(Peer(*step("UNI", code)), TpgConfig(model, (PKR,))).poll()  # type: ignore[arg-type]

    run_virtual(main())


def test_volts_are_no_pressure() -> None:
    async def main() -> None:
        with pytest.raises(Refused, match="set a unit of pressure"):
            await controller(Peer(*step("UNI", "5"))).poll()

    run_virtual(main())


@pytest.mark.parametrize(("digit", "flag"), [("1", "under-range"), ("2", "over-range"), ("4", "sensor off")])
def test_outside_its_range_a_gauge_says_so_and_gives_no_number(digit: str, flag: str) -> None:
    async def main() -> None:
        reading = (await polling(f"{digit},5.0000E-09").poll())["pressure_1_pa"]
        assert math.isnan(reading.value)
        assert reading.flags == (flag,)

    run_virtual(main())


@pytest.mark.parametrize(
    ("digit", "words"),
    [("3", "sensor error"), ("5", "no sensor"), ("6", "identification error"), ("7", "gauge error")],
)
def test_a_broken_gauge_is_a_fault_of_the_device_and_its_neighbour_still_measures(digit: str, words: str) -> None:
    async def main() -> None:
        with pytest.raises(DeviceFault, match=f"no gauge measures: pressure_1_pa: {words}"):
            await polling(f"{digit},2.0000E-02").poll()
        readings = await polling(f"0,7.9100E-05,{digit},2.0000E-02", TWO).poll()
        assert readings["pressure_1_pa"].value == pytest.approx(7.91e-3)
        assert math.isnan(readings["pressure_2_pa"].value)
        assert readings["pressure_2_pa"].flags == (words,)

    run_virtual(main())


def test_a_number_below_zero_is_marked() -> None:
    async def main() -> None:
        reading = (await polling("0,-1.2000E-03").poll())["pressure_1_pa"]
        assert reading.value == pytest.approx(-0.12)
        assert reading.flags == ("below zero",)

    run_virtual(main())


def test_a_unit_changed_at_the_controller_is_named_at_once_and_used_after_that() -> None:
    async def main() -> None:
        peer = Peer(
            *step("UNI", "0"), *step("PR1", "0,1.0000E+00"), *step("UNI", "1"),
            *step("UNI", "1"), *step("PR1", "0,1.0000E+00"), *step("UNI", "1"),
        )  # fmt: skip
        device = controller(peer)
        with pytest.raises(DeviceFault, match="from mbar to Torr"):
            await device.poll()
        assert (await device.poll())["pressure_1_pa"].value == pytest.approx(133.322, rel=1e-5)

    run_virtual(main())


@pytest.mark.parametrize(
    ("word", "meaning"),
    [("1000", "controller error"), ("0100", "no such hardware"), ("0010", "inadmissible parameter"),
     ("0001", "syntax error"), ("0011", "inadmissible parameter, syntax error"), ("0000", "no reason given")],
)  # fmt: skip
def test_a_nak_is_followed_by_its_reason(word: str, meaning: str) -> None:
    async def main() -> None:
        with pytest.raises(Refused, match=meaning):
            await controller(Peer(*step("UNI", word, NAK))).poll()

    run_virtual(main())


# --- what is no answer ---

LINES = (
    b"0,7.9100E-05,0,2.4100E-02\r\n",
    b"7.9100E-05\r\n",
    b"8,7.9100E-05\r\n",
    b"00,7.9100E-05\r\n",
    b"0,7.91\r\n",
    b"0,7.9100E-05,\r\n",
    b"0,nan\r\n",
    b"0,7.9\xb300E-05\r\n",
    b"0;7.9100E-05\r\n",
    b"0,7.9100E-05\r\n0,7.9100E-05\r\n",
    b"\x000,7.9100E-05\r\n",
    b"0,7.9100E-05\r\n7",
    ACK,
    ENQ,
)


@pytest.mark.parametrize("wrong", LINES)
def test_what_is_no_line_of_one_gauge_is_never_a_pressure(wrong: bytes) -> None:
    async def main() -> None:
        peer = Peer(*step("UNI", "2"), (b"PR1\r", ACK), (ENQ, Say(0.02, wrong)),
                    *step("PR1", "0,5.0000E+00"), *step("UNI", "2"), always={PROBE: NAK})  # fmt: skip
        device = controller(peer)
        with pytest.raises((BadReply, NoReply)):
            await device.poll()
        assert (await device.poll())["pressure_1_pa"].value == 5.0

    run_virtual(main())


@pytest.mark.parametrize("wrong", [b"0,7.9100E-05\r\n", b"PR1\r\x06\r\n", b"\x06\r\n\x06\r\n", b"\x06\n\r", b"0\r\n"])
def test_what_is_no_acknowledgement_is_not_asked_further(wrong: bytes) -> None:
    async def main() -> None:
        peer = Peer(*step("UNI", "2"), (b"PR1\r", wrong))
        device = controller(peer)
        with pytest.raises(BadReply):
            await device.poll()
        assert peer.requests[-1] == b"PR1\r"

    run_virtual(main())


def test_a_line_that_comes_late_is_thrown_away_by_a_refusal_that_was_provoked() -> None:
    async def main() -> None:
        late = Say(0.4, b"0,1.0000E+00\r\n")
        peer = Peer(*step("UNI", "2"), (b"PR1\r", ACK), (ENQ, late),
                    *step("PR1", "0,5.0000E+00"), *step("UNI", "2"), always={PROBE: Say(0.2, NAK)})  # fmt: skip
        device = controller(peer)
        with pytest.raises(NoReply):
            await device.poll()
        assert (await device.poll())["pressure_1_pa"].value == 5.0
        assert peer.requests[4] == PROBE

    run_virtual(main())


def test_what_a_controller_streams_after_power_up_is_never_a_reading() -> None:
    """A line that nobody asked for may come where an acknowledgement is due."""

    async def main() -> None:
        peer = Peer(*step("UNI", "2"), (b"PR1\r", Say(0.1, ACK)), *step("PR1", "0,5.0000E+00"), *step("UNI", "2"),
                    always={PROBE: NAK})  # fmt: skip
        device = controller(peer)
        peer.say(now_s() + 0.1, b"0,9.0000E+02,5,2.0000E-02\r\n")
        with pytest.raises(BadReply, match="ACK or NAK is expected"):
            await device.poll()
        assert (await device.poll())["pressure_1_pa"].value == 5.0

    run_virtual(main())


def test_two_who_ask_at_once_do_not_take_each_others_lines() -> None:
    async def main() -> None:
        peer = Peer(*step("UNI", "2"), *step("ERR", "0000"))
        device = controller(peer)
        answers = await asyncio.gather(device._query("UNI"), device._query("ERR"))
        assert answers == ["2", "0000"]

    run_virtual(main())


def test_the_safe_state_of_a_gauge_needs_no_word() -> None:
    async def main() -> None:
        peer = Peer()
        await controller(peer).safe()
        assert not peer.heard

    run_virtual(main())


@pytest.mark.parametrize(
    ("model", "gauges", "words"),
    [
        ("TPG363", (PKR,), "the model is one of"),
        ("TPG362", (), "at least one gauge"),
        ("TPG362", (PKR, TpgGauge(1, "TPR")), "each channel once"),
        ("TPG361", (TpgGauge(2, "PKR"),), "channels 1…1"),
        ("TPG366", (TpgGauge(0, "PKR"),), "channels 1…6"),
    ],
)
def test_settings_that_no_controller_could_have_are_refused(
    model: str, gauges: tuple[TpgGauge, ...], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        TpgConfig(model, gauges)  # type: ignore[arg-type]


def test_a_type_is_written_as_the_controller_writes_it() -> None:
    with pytest.raises(ValueError, match="PKR or PSG"):
        TpgGauge(1, "Pirani")


def test_a_controller_that_streams_after_power_up_is_identified_at_once() -> None:
    async def main() -> None:
        plant = CASES[0].plant()
        face = CASES[0].face(plant)
        face.power_up(now_s())  # type: ignore[attr-defined]
        device = CASES[0].driver(memory_line("test", face))
        await asyncio.sleep(0.97)
        await device.identify()
        assert set(await device.poll()) == set(CASES[0].channels)

    run_virtual(main())
