"""The MKS transducers and controllers byte for byte."""

from __future__ import annotations

import asyncio
import math

import pytest

from drivers.base import BadReply, DeviceFault, NoReply, Refused
from drivers.line import memory_line
from drivers.mks_gauge import Mks925, Mks937, Mks937Config, MksConfig, MksGauge
from simulators.virtualtime import run_virtual
from tests.contract.case_mks import CASES
from tests.contract.cases import Case
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


# --- 937B and 946 ---

U3, PR1, PRZ, T1 = b"@003U?;FF", b"@003PR1?;FF", b"@003PRZ?;FF", b"@003T1?;FF"
CM, CC, PR = MksGauge(1, "CM"), MksGauge(1, "CC"), MksGauge(2, "PR")
GOOD = (T1, b"@003ACKG;FF")
TORR = (U3, b"@003ACKTORR;FF")


def ack(text: str) -> bytes:
    return f"@003ACK{text};FF".encode()


def controller(peer: Peer, *gauges: MksGauge) -> Mks937:
    return Mks937("gauges", to(peer), Mks937Config(3, gauges or (CM,)))


def saying(text: str, *gauges: MksGauge, ion: str = "G") -> Mks937:
    request = PRZ if len(gauges) > 1 else PR1
    return controller(Peer(TORR, (request, Say(0.03, ack(text))), TORR, always={T1: ack(ion)}), *gauges)


def test_one_gauge_of_a_controller_is_asked_for_alone() -> None:
    async def main() -> None:
        readings = await saying("7.602E+2", CM).poll()
        assert readings["pressure_1_pa"].value == pytest.approx(101_351.7, rel=1e-5)
        assert readings["pressure_1_pa"].flags == ()

    run_virtual(main())


def test_several_gauges_are_read_in_one_go() -> None:
    async def main() -> None:
        device = saying("1.10E-9 2.50E-3 NOGAUGE NOGAUGE OFF LO<1.0E-3", CC, PR)
        readings = await device.poll()
        assert readings["pressure_1_pa"].value == pytest.approx(1.1e-9 * 133.322, rel=1e-5)
        assert readings["pressure_2_pa"].value == pytest.approx(2.5e-3 * 133.322, rel=1e-5)
        assert frozenset(readings) == Mks937.channels(Mks937Config(3, (CC, PR)))

    run_virtual(main())


@pytest.mark.parametrize(
    ("text", "flag"),
    [("LO<1.0E-3", "under-range"), ("LO<E-11", "under-range"), ("<1.0E-3", "under-range"), (">1.0E+3", "over-range"),
     ("HI>1.5E+3", "over-range"), ("OVER", "over-range"), ("ATM", "over-range"), ("OFF", "off"), ("WAIT", "starting"),
     ("PROTECT", "off by its protection"), ("CTRL_OFF", "off by its control channel"),
     ("RP_OFF", "off by the rear panel")],
)  # fmt: skip
def test_a_word_of_a_controller_is_a_flag_and_no_number(text: str, flag: str) -> None:
    async def main() -> None:
        reading = (await saying(text, CM).poll())["pressure_1_pa"]
        assert math.isnan(reading.value)
        assert reading.flags == (flag,)

    run_virtual(main())


@pytest.mark.parametrize(
    ("text", "words"),
    [("NOGAUGE", "no gauge"), ("MISCONN", "wrongly connected"), ("HC_FIL", "filament fault"), ("ZZZ", "says 'ZZZ'")],
)
def test_a_gauge_that_cannot_work_is_a_fault_and_its_neighbour_still_measures(text: str, words: str) -> None:
    async def main() -> None:
        with pytest.raises(DeviceFault, match=f"no gauge measures: pressure_1_pa: {words}"):
            await saying(text, CM).poll()
        readings = await saying(f"{text} 2.50E-3 OFF OFF OFF OFF", CM, PR).poll()
        assert readings["pressure_1_pa"].flags == (words,)
        assert readings["pressure_2_pa"].value == pytest.approx(0.333305, rel=1e-5)

    run_virtual(main())


@pytest.mark.parametrize(
    ("state", "flag"),
    [("W", "starting"), ("O", "off"), ("P", "off by its protection"), ("D", "degassing"),
     ("C", "off by its control channel"), ("R", "off by the rear panel")],
)  # fmt: skip
def test_an_ion_gauge_that_is_not_well_marks_its_number(state: str, flag: str) -> None:
    async def main() -> None:
        reading = (await saying("1.10E-9", CC, ion=state).poll())["pressure_1_pa"]
        assert reading.flags == (flag,)

    run_virtual(main())


@pytest.mark.parametrize(("state", "words"), [("H", "filament fault"), ("N", "no gauge")])
def test_an_ion_gauge_that_is_broken_is_a_fault(state: str, words: str) -> None:
    async def main() -> None:
        with pytest.raises(DeviceFault, match=words):
            await saying("1.10E-9", CC, ion=state).poll()

    run_virtual(main())


def test_a_number_below_zero_is_marked() -> None:
    async def main() -> None:
        reading = (await saying("-1.000E-3", CM).poll())["pressure_1_pa"]
        assert reading.value == pytest.approx(-0.133322, rel=1e-5)
        assert reading.flags == ("below zero",)

    run_virtual(main())


@pytest.mark.parametrize(
    ("unit", "pascal"), [("Torr", 133.3224), ("mBAR", 100.0), ("PASCAL", 1.0), ("Micron", 0.1333224)]
)
def test_a_controller_has_a_fourth_unit_and_writes_them_as_it_likes(unit: str, pascal: float) -> None:
    async def main() -> None:
        answer = (U3, ack(unit))
        device = controller(Peer(answer, (PR1, ack("1.000E+0")), answer))
        assert (await device.poll())["pressure_1_pa"].value == pytest.approx(pascal, rel=1e-6)

    run_virtual(main())


def test_a_unit_changed_at_the_controller_is_named_at_once() -> None:
    async def main() -> None:
        device = controller(Peer(TORR, (PR1, ack("1.000E+0")), (U3, ack("PASCAL"))))
        with pytest.raises(DeviceFault, match="from TORR to PASCAL"):
            await device.poll()

    run_virtual(main())


@pytest.mark.parametrize("text", ["1.0E-3 1.0E-3", "1.00E-3,1.00E-3", "", "1.2.3E-1", "12", "G", "[1]"])
def test_what_is_no_pressure_of_a_controller_is_not_read(text: str) -> None:
    async def main() -> None:
        peer = Peer(TORR, (PR1, ack(text)), (PR1, ack("1.000E+0")), TORR, always={U3: ack("TORR")})
        device = controller(peer)
        with pytest.raises((BadReply, DeviceFault)):
            await device.poll()
        assert (await device.poll())["pressure_1_pa"].value == pytest.approx(133.322, rel=1e-5)

    run_virtual(main())


def test_fewer_than_six_pressures_are_not_distributed() -> None:
    async def main() -> None:
        with pytest.raises(BadReply, match="6 pressures"):
            await saying("1.10E-9 2.50E-3", CC, PR).poll()

    run_virtual(main())


@pytest.mark.parametrize(
    ("code", "words"),
    [(b"151", "no gauge"), (b"152", "not an ion gauge"), (b"163", "invalid channel"), (b"181", "combination"),
     (b"NO_GAUGE", "error NO_GAUGE: in words")],
)  # fmt: skip
def test_a_nak_of_a_controller_is_a_refusal_in_words(code: bytes, words: str) -> None:
    async def main() -> None:
        with pytest.raises(Refused, match=words):
            await controller(Peer(TORR, (PR1, b"@003NAK" + code + b";FF"))).poll()

    run_virtual(main())


def naming(a: str = "CCPR", model: str = "937B") -> Peer:
    return Peer(
        TORR, (b"@003MD?;FF", ack(model)), (b"@003SN?;FF", ack("0123456789")), (b"@003FV6?;FF", ack("1.04")),
        (b"@003STA?;FF", ack(a)), (b"@003STB?;FF", ack("NGNG")), (b"@003STC?;FF", ack("CM,NG")),
    )  # fmt: skip


def test_a_controller_says_who_it_is_and_what_hangs_on_it() -> None:
    async def main() -> None:
        identity = await controller(naming(), CC, PR, MksGauge(5, "CM")).identify()
        assert (identity.model, identity.serial, identity.firmware) == ("937B", "0123456789", "1.04")
        assert identity.facts == {"unit": "TORR", "gauges": "CC, PR, NG, NG, CM, NG"}

    run_virtual(main())


@pytest.mark.parametrize(
    ("peer", "words"),
    [
        (naming(a="HCPR"), "channel 1 has 'HC', the settings say CC"),
        (naming(a="NGPR"), "channel 1 has 'NG', the settings say CC"),
        (naming(model="946"), "the model is '946', the settings say 937B"),
    ],
)
def test_another_gauge_or_controller_than_the_settings_say_is_refused(peer: Peer, words: str) -> None:
    async def main() -> None:
        with pytest.raises(Refused, match=words):
            await controller(peer, CC, PR).identify()

    run_virtual(main())


@pytest.mark.parametrize(
    ("unit", "gauges", "words"),
    [
        (254, (CC,), "1…253"),
        (3, (), "at least one gauge"),
        (3, (CC, CM), "each channel once"),
        (3, (MksGauge(7, "CC"),), "channels 1…6"),
    ],
)
def test_settings_that_no_controller_could_have_are_refused(
    unit: int, gauges: tuple[MksGauge, ...], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        Mks937Config(unit, gauges)


def test_models_of_another_family_are_refused() -> None:
    with pytest.raises(ValueError, match="one of 910, 925, 902B, 972B, 974B, not '937B'"):
        MksConfig(253, "937B")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one of 937B, 946, not '925'"):
        Mks937Config(3, (CC,), "925")  # type: ignore[arg-type]


def test_a_type_is_one_of_five() -> None:
    with pytest.raises(ValueError, match="not 'PKR'"):
        MksGauge(1, "PKR")  # type: ignore[arg-type]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_against_its_simulated_device_it_reads_what_is_true(case: Case) -> None:
    async def main() -> None:
        plant = case.plant()
        device = case.driver(memory_line("test", case.face(plant)))
        await device.identify()
        for _ in range(3):
            await asyncio.sleep(1)
            readings = await device.poll()
            for channel, truth in case.channels.items():
                assert readings[channel].value == pytest.approx(truth.at(plant, now_s()), abs=truth.resolution)
                assert readings[channel].flags == ()

    run_virtual(main())
