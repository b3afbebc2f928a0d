"""The MKS controllers 937B and 946 byte for byte."""

from __future__ import annotations

import math

import pytest

from drivers.base import BadReply, DeviceFault, Refused
from drivers.mks_gauge import Mks937, Mks937Config, MksConfig, MksGauge
from simulators.virtualtime import run_virtual
from tests.contract.scripted import Peer, Say, to

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
            await controller(Peer(TORR, (PRZ, ack("1.10E-9 2.50E-3"))), CC, PR).poll()

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


def model(name: str) -> tuple[tuple[bytes, bytes], ...]:
    return TORR, (b"@003MD?;FF", ack(name))


def naming(a: str = "CCPR") -> tuple[tuple[bytes, bytes], ...]:
    return (
        *model("937B"), (b"@003SN?;FF", ack("0123456789")), (b"@003FV6?;FF", ack("1.04")),
        (b"@003STA?;FF", ack(a)), (b"@003STB?;FF", ack("NGNG")), (b"@003STC?;FF", ack("CM,NG")),
    )  # fmt: skip


def test_a_controller_says_who_it_is_and_what_hangs_on_it() -> None:
    async def main() -> None:
        identity = await controller(Peer(*naming()), CC, PR, MksGauge(5, "CM")).identify()
        assert (identity.model, identity.serial, identity.firmware) == ("937B", "0123456789", "1.04")
        assert identity.facts == {"unit": "TORR", "gauges": "CC, PR, NG, NG, CM, NG"}

    run_virtual(main())


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (naming(a="HCPR"), "channel 1 has 'HC', the settings say CC"),
        (naming(a="NGPR"), "channel 1 has 'NG', the settings say CC"),
        (model("946"), "the model is '946', the settings say 937B"),
    ],
)
def test_another_gauge_or_controller_than_the_settings_say_is_refused(
    answers: tuple[tuple[bytes, bytes], ...], words: str
) -> None:
    async def main() -> None:
        with pytest.raises(Refused, match=words):
            await controller(Peer(*answers), CC, PR).identify()

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
