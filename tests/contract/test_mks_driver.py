"""The MKS transducers byte for byte."""

from __future__ import annotations

import asyncio

import pytest

from drivers.base import BadReply, DeviceFault, NoReply, Refused
from drivers.line import memory_line
from drivers.mks_gauge import Mks925, MksConfig
from simulators.mks import MksFace
from simulators.virtualtime import run_virtual
from tests.contract.case_mks import Pumping
from tests.contract.scripted import Answer, Peer, Say, now_s, to

UNIT, PRESSURE = b"@253U?;FF", bytes.fromhex("40 32 35 33 50 52 34 3F 3B 46 46")


def gauge(peer: Peer) -> Mks925:
    return Mks925("pirani", to(peer), MksConfig(253))


def reading(answer: Answer, unit: bytes = b"TORR") -> tuple[Mks925, Peer]:
    peer = Peer((UNIT, b"@253ACK" + unit + b";FF"), always={PRESSURE: answer})
    return gauge(peer), peer


@pytest.mark.parametrize(
    ("unit", "text", "pascal"),
    [(b"TORR", b"1.234E-3", 0.164520), (b"MBAR", b"1.013E+3", 101_300.0), (b"PASCAL", b"9.999E+4", 99_990.0),
     (b"TORR", b"7.60E+2", 101_325.0)],
)  # fmt: skip
def test_pressure_is_in_pascal_whatever_the_transducer_is_set_to(unit: bytes, text: bytes, pascal: float) -> None:
    async def main() -> None:
        device, _ = reading(Say(0.03, b"@253ACK" + text + b";FF"), unit)
        readings = await device.poll()
        assert readings["pressure_pa"].value == pytest.approx(pascal, rel=1e-5)
        assert readings["pressure_pa"].at_s == now_s()
        assert list(readings) == ["pressure_pa"]

    run_virtual(main())


def test_it_says_who_it_is() -> None:
    async def main() -> None:
        peer = Peer(
            (UNIT, b"@253ACKTORR;FF"),
            (b"@253MD?;FF", b"@253ACK925;FF"),
            (b"@253SN?;FF", b"@253ACK0819345;FF"),
            (b"@253FV?;FF", b"@253ACK1.12;FF"),
        )
        identity = await gauge(peer).identify()
        assert (identity.model, identity.serial, identity.firmware) == ("925", "0819345", "1.12")
        assert identity.facts == {"unit": "TORR"}

    run_virtual(main())


@pytest.mark.parametrize("word", [b"LO<1.0E-05", b"ATM", b"OFF", b"WAIT", b"NOGAUGE", b"HI>1.5E+3"])
def test_a_word_instead_of_a_pressure_is_a_fault_of_the_device_and_no_number(word: bytes) -> None:
    async def main() -> None:
        device, _ = reading(b"@253ACK" + word + b";FF")
        with pytest.raises(DeviceFault, match="no pressure: the transducer says"):
            await device.poll()

    run_virtual(main())


@pytest.mark.parametrize(
    ("code", "words"), [(b"160", "not recognised"), (b"180", "locked"), (b"999", "see the manual")]
)
def test_a_nak_is_a_refusal_in_words(code: bytes, words: str) -> None:
    async def main() -> None:
        device, _ = reading(b"@253NAK" + code + b";FF")
        with pytest.raises(Refused, match=words):
            await device.poll()

    run_virtual(main())


@pytest.mark.parametrize(
    "wrong",
    [
        b"@254ACK1.234E-3;FF",
        b"@253ACK1.234E-3;FF@253ACK1.234E-3;FF",
        b"@253ACK1.2 4E-3;FF",
        b"@253ACK1.234;FF",
        b"@253ACK12.34E-3;FF",
        b"@253ACK-1.234E-3;FF",
        b"@253ACKnan;FF",
        b"@253ACK;FF",
        b"@253ACK1.2\xb34E-3;FF",
        b"@253ACO1.234E-3;FF",
        b"\x00@253ACK1.234E-3;FF",
        b"@253ACK1.234E-3;FF\r\n",
        PRESSURE,
    ],
)
def test_what_is_no_answer_is_never_a_pressure(wrong: bytes) -> None:
    async def main() -> None:
        peer = Peer((UNIT, b"@253ACKTORR;FF"), (PRESSURE, Say(0.02, wrong)), (PRESSURE, b"@253ACK1.000E-3;FF"),
                    always={UNIT: b"@253ACKTORR;FF"})  # fmt: skip
        device = gauge(peer)
        with pytest.raises(BadReply):
            await device.poll()
        assert (await device.poll())["pressure_pa"].value == pytest.approx(0.133322, rel=1e-5)

    run_virtual(main())


def test_half_a_reply_is_no_reply() -> None:
    async def main() -> None:
        device, _ = reading(b"@253ACK1.234E")
        with pytest.raises(NoReply, match=r"@253ACK1\.234E"):
            await device.poll()

    run_virtual(main())


def test_an_unknown_pressure_unit_is_not_guessed() -> None:
    async def main() -> None:
        device, _ = reading(b"", b"MICRON")
        with pytest.raises(BadReply, match="MICRON"):
            await device.poll()

    run_virtual(main())


def test_the_safe_state_of_a_gauge_needs_no_word() -> None:
    async def main() -> None:
        peer = Peer()
        await gauge(peer).safe()
        assert not peer.heard

    run_virtual(main())


@pytest.mark.parametrize("unit", [0, 254, 255, -1])
def test_an_address_that_no_single_transducer_has_is_refused(unit: int) -> None:
    with pytest.raises(ValueError, match="1…253"):
        MksConfig(unit)


# --- what a transducer is set to ---


def test_another_model_than_the_settings_say_is_refused() -> None:
    async def main() -> None:
        peer = Peer((UNIT, b"@253ACKTORR;FF"), (b"@253MD?;FF", b"@253ACK910;FF"))
        with pytest.raises(Refused, match="the model is '910', the settings say 925"):
            await gauge(peer).identify()

    run_virtual(main())


@pytest.mark.parametrize(("there", "fits"), [(b"ARGON", True), (b"Argon", True), (b"NITROGEN", False)])
def test_the_gas_is_compared_when_the_settings_say_one(there: bytes, fits: bool) -> None:
    async def main() -> None:
        peer = Peer(
            (UNIT, b"@253ACKTORR;FF"), (b"@253MD?;FF", b"@253ACK910;FF"), (b"@253SN?;FF", b"@253ACK1;FF"),
            (b"@253FV?;FF", b"@253ACK1.00;FF"), (b"@253GT?;FF", b"@253ACK" + there + b";FF"),
        )  # fmt: skip
        device = Mks925("pirani", to(peer), MksConfig(253, "910", "ARGON"))
        if fits:
            assert (await device.identify()).facts["gas"] == there.decode()
        else:
            with pytest.raises(Refused, match="the gas is NITROGEN, the settings say ARGON"):
                await device.identify()

    run_virtual(main())


def test_a_unit_changed_behind_the_back_is_named_within_a_second_and_used_after_that() -> None:
    async def main() -> None:
        peer = Peer((UNIT, b"@253ACKTORR;FF"), (PRESSURE, b"@253ACK1.000E+0;FF"), (PRESSURE, b"@253ACK1.000E+0;FF"),
                    (UNIT, b"@253ACKPASCAL;FF"), (UNIT, b"@253ACKPASCAL;FF"),
                    (PRESSURE, b"@253ACK1.000E+0;FF"))  # fmt: skip
        device = gauge(peer)
        assert (await device.poll())["pressure_pa"].value == pytest.approx(133.322, rel=1e-5)
        await asyncio.sleep(1)
        with pytest.raises(DeviceFault, match="from TORR to PASCAL"):
            await device.poll()
        assert (await device.poll())["pressure_pa"].value == 1.0

    run_virtual(main())


@pytest.mark.parametrize("unit", ["MBAR", "PASCAL"])
def test_a_pressure_in_another_unit_never_passes_for_another_pressure(unit: str) -> None:
    async def main() -> None:
        plant = Pumping()
        simulated = MksFace(plant, unit=253)
        device = Mks925("pirani", memory_line("gauge", simulated), MksConfig(253))
        await device.identify()
        for _ in range(3):
            assert (await device.poll())["pressure_pa"].value == pytest.approx(plant.pirani_pa(now_s()), abs=0.14)
            await asyncio.sleep(0.05)
        simulated.settings["U"] = unit
        with pytest.raises(DeviceFault, match=f"from TORR to {unit}"):
            await device.poll()
        assert (await device.poll())["pressure_pa"].value == pytest.approx(plant.pirani_pa(now_s()), abs=0.14)

    run_virtual(main())
