"""Which TPG or VGC controller answers, and with which gauges: compared with the settings, or refused."""

from __future__ import annotations

import pytest

from drivers.base import BadReply, DeviceFault, Refused
from drivers.line import memory_line
from drivers.pfeiffer_tpg import PROBE, PfeifferTpg, TpgConfig, TpgGauge
from simulators.virtualtime import run_virtual
from tests.contract.case_pfeiffer_tpg import Pumping, two
from tests.contract.pfeiffer_tpg_bench import NAK, ONE, PKR, TPR, TWO, controller, step
from tests.contract.scripted import Answer, Peer


def asked(*who: tuple[bytes, Answer], tid: str = "PKR,TPR/PCR", unit: str = "4", error: str = "0000") -> Peer:
    return Peer(*who, *step("ERR", error), *step("TID", tid), *step("UNI", unit))


WAKE = (PROBE, NAK)
AYT = (WAKE, *step("AYT", "TPG362,PTG28290,44990000,010400,010100"))
NO_AYT = (WAKE, *step("AYT", "0001", NAK), *step("PNR", "302-510-D"))


def test_a_new_controller_says_who_it_is() -> None:
    async def main() -> None:
        identity = await controller(asked(*AYT), TWO).identify()
        assert (identity.model, identity.serial, identity.firmware) == ("TPG362", "44990000", "010400")
        assert identity.facts == {"unit": "hPa", "gauges": "PKR, TPR/PCR"}

    run_virtual(main())


def test_a_line_under_way_when_it_is_first_asked_is_dropped() -> None:
    async def main() -> None:
        under_way = PROBE, b"0,9.0000E+02,5,2.0000E-02\r\n" + NAK
        peer = asked(under_way, *AYT[1:], tid="PKR,TPR")
        assert (await controller(peer).identify()).serial == "44990000"

    run_virtual(main())


def test_an_old_controller_is_known_by_its_firmware() -> None:
    async def main() -> None:
        settings = TpgConfig("TPG262", (PKR, TPR))
        identity = await controller(asked(*NO_AYT, tid="PKR,TPR", unit="0"), settings).identify()
        assert (identity.model, identity.serial, identity.firmware) == ("TPG262", "", "302-510-D")
        assert identity.facts["unit"] == "mbar"

    run_virtual(main())


@pytest.mark.parametrize(
    ("model", "who", "words"),
    [
        ("TPG361", AYT, "it is a TPG362, the settings say TPG361"),
        ("TPG262", AYT, "it is a TPG362, the settings say TPG262"),
        ("TPG362", NO_AYT, "it is a TPG 26x; the settings say TPG362"),
        ("TPG262", (WAKE, *step("AYT", "0001", NAK), *step("PNR", "010400")), "cannot tell what it is"),
    ],
)
def test_another_controller_than_the_settings_say_is_refused(model: str, who: tuple, words: str) -> None:
    async def main() -> None:
        with pytest.raises(Refused, match=words):
            await controller(Peer(*who), TpgConfig(model, (PKR,))).identify()  # type: ignore[arg-type]

    run_virtual(main())


@pytest.mark.parametrize("tid", ["CMR/APR,TPR/PCR", "noSENSOR,TPR/PCR", "noid,TPR/PCR", "PK,TPR/PCR"])
def test_another_gauge_than_the_settings_say_is_refused(tid: str) -> None:
    async def main() -> None:
        with pytest.raises(Refused, match=r"channel 1 has a gauge '.*', the settings say PKR"):
            await controller(Peer(*AYT, *step("ERR", "0000"), *step("TID", tid)), ONE).identify()

    run_virtual(main())


@pytest.mark.parametrize(
    ("there", "wanted"), [("IKR9", "IKR"), ("IKR11", "IKR"), ("TPR/PCR", "PCR"), ("IKR11", "IKR11")]
)
def test_a_type_fits_its_variants(there: str, wanted: str) -> None:
    async def main() -> None:
        settings = TpgConfig("TPG362", (TpgGauge(1, wanted),))
        identity = await controller(asked(*AYT, tid=f"{there},noSENSOR"), settings).identify()
        assert identity.facts["gauges"] == f"{there}, noSENSOR"

    run_virtual(main())


RANGED = TpgConfig("TPG362", (TpgGauge(1, "CMR", 3), TPR))
CMR = (*AYT, *step("ERR", "0000"), *step("TID", "CMR/APR,TPR/PCR"))


def test_the_range_of_a_linear_gauge_is_compared_when_the_settings_say_one() -> None:
    async def main() -> None:
        await controller(Peer(*CMR, *step("FSR", "3,5"), *step("UNI", "4")), RANGED).identify()
        with pytest.raises(Refused, match="channel 1 has range code 5, the settings say 3"):
            await controller(Peer(*CMR, *step("FSR", "5,5")), RANGED).identify()
        with pytest.raises(BadReply, match="2 ranges of gauges"):
            await controller(Peer(*CMR, *step("FSR", "3")), RANGED).identify()

    run_virtual(main())


def test_types_of_too_few_gauges_are_not_read() -> None:
    async def main() -> None:
        with pytest.raises(BadReply, match="2 types of gauges"):
            await controller(Peer(*AYT, *step("ERR", "0000"), *step("TID", "PKR")), ONE).identify()

    run_virtual(main())


def test_a_controller_with_an_error_of_its_own_does_not_count_as_present() -> None:
    async def main() -> None:
        with pytest.raises(DeviceFault, match="look at its display"):
            await controller(Peer(*AYT, *step("ERR", "1000")), ONE).identify()

    run_virtual(main())


def test_a_linear_gauge_of_another_full_scale_is_named_by_the_next_poll() -> None:
    async def main() -> None:
        simulated = two(Pumping())
        settings = TpgConfig("TPG362", (TpgGauge(1, "CMR", range_code=5), TpgGauge(2, "APR")))
        device = PfeifferTpg("heads", memory_line("heads", simulated), settings)
        await device.identify()
        await device.poll()
        simulated.ranges[0] = "3"
        with pytest.raises(
            DeviceFault, match="changed at the controller: channel 1 has range code 3, the settings say 5"
        ):
            await device.poll()

    run_virtual(main())
