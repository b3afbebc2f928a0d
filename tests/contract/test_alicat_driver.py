"""The Alicat controller byte for byte, on frames as real devices of several firmwares send them."""

from __future__ import annotations

import pytest

from drivers.alicat import Alicat, AlicatConfig
from drivers.base import BadReply, DeviceFault, DriverError, NoReply, Refused
from simulators.virtualtime import run_virtual
from tests.contract.scripted import Answer, Peer, Say, now_s, to

TABLE = """A D00 ID_ NAME______________________ TYPE_______ WIDTH NOTES___________________
A D01 700 Unit ID                    string          1
A D02 002 Abs Press                  s decimal     7/2 010 02 PSIA
A D03 003 Flow Temp                  s decimal     7/2 002 02 `C
A D04 004 Volu Flow                  s decimal     7/2 012 02 CCM
A D05 005 Mass Flow                  s decimal     7/2 012 02 SCCM
A D06 037 Mass Flow Setpt            s decimal     7/2 012 02 SCCM
A D07 703 Gas                        string          6
A D08 701 *Error                     string          3 ADC
A D09 702 *Status                    string          3 OPL
"""
OLD_TABLE = """A  D00 NAME_______ TYPE_____ MinVal_  MaxVal_  UNITS__
A  D01 Unit ID     char         A         Z         na
A  D02 Pressure    signed    +000.00  +160.00     PSIA
A  D03 Temperature signed    -010.00  +050.00        C
A  D04 Volumetric  signed    +0000.0  +0500.0      CCM
A  D05 Mass        signed    +0000.0  +0500.0     SCCM
A  D06 SetPoint    signed    +0000.0  +0500.0     SCCM
A  D07 Gas         string        Air       D2       na
A  D08 Error       string         na      ADC       na
"""
TOTALISER = "A D07 009 Totalizer                  s decimal     9/2 012 02 SCC\n"
MAKER = """A  M00 ALICAT SCIENTIFIC
A  M01 www.alicat.com
A  M02 Ph   520-290-6060
A  M03 info@alicat.com
A  M04 Model Number MC-500SCCM-D
A  M05 Serial Number 521641
A  M06 Date Manufactured 03/02/2025
A  M07 Date Calibrated   03/02/2025
A  M08 Calibrated By     BL
A  M09 Software Revision 10v20.0-R24
"""
FRAME = b"A +014.62 +021.89 +000.00 +000.10 +078.95     N2\r"
VERSION = b"A   10v20.0-R24 Jan  9 2025,15:04:07\r"


def cr(text: str) -> bytes:
    return text.replace("\n", "\r").encode()


def controller(peer: Peer, gas: str = "N2", full_scale_sccm: float = 500.0) -> Alicat:
    return Alicat("carrier", to(peer), AlicatConfig("A", full_scale_sccm, gas))


def polled(answer: Answer, table: str = TABLE, first: bytes = FRAME) -> tuple[Alicat, Peer]:
    peer = Peer((b"A??D*\r", cr(table)), (b"A\r", first), always={b"A\r": answer})
    return controller(peer), peer


def new(**changes: Answer) -> dict[bytes, Answer]:
    """Everything that a healthy 10v20 answers while it is identified."""
    answers: dict[str, Answer] = {"AVE": VERSION, "A??M*": cr(MAKER), "A??D*": cr(TABLE), "A": FRAME,
                                  "AFPF 5": b"A +500.00 12 SCCM\r", "ALSS": b"A S\r"}  # fmt: skip
    renamed = {"version": "AVE", "frame": "A", "scale": "AFPF 5", "source": "ALSS", "table": "A??D*", "maker": "A??M*"}
    answers |= {renamed[key]: value for key, value in changes.items()}
    return {f"{key}\r".encode(): value for key, value in answers.items()}


def test_a_poll_of_current_firmware() -> None:
    async def main() -> None:
        device, _ = polled(Say(0.028, FRAME))
        readings = await device.poll()
        assert {name: one.value for name, one in readings.items()} == pytest.approx(
            {"pressure_pa": 14.62 * 6894.757, "temperature_c": 21.89, "flow_sccm": 0.10, "setpoint_sccm": 78.95}
        )
        assert {one.at_s for one in readings.values()} == {now_s()}
        assert {one.flags for one in readings.values()} == {()}

    run_virtual(main())


def test_a_poll_of_old_firmware_with_other_widths_and_an_unsigned_set_point() -> None:
    async def main() -> None:
        frame = b"A +014.52 +021.50 +0000.1 +0000.2 0116.3      N2\r"
        device, _ = polled(frame, OLD_TABLE, frame)
        readings = await device.poll()
        assert readings["flow_sccm"].value == 0.2
        assert readings["setpoint_sccm"].value == 116.3

    run_virtual(main())


def test_a_totaliser_column_is_not_the_set_point() -> None:
    async def main() -> None:
        table = (
            TABLE.replace("A D07 703", TOTALISER + "A D08 703")
            .replace("A D09 702", "A D10 702")
            .replace("A D08 701", "A D09 701")
        )
        frame = b"A +014.62 +021.89 +000.00 +000.10 +078.95 +000123.45     N2\r"
        device, _ = polled(frame, table, frame)
        readings = await device.poll()
        assert readings["setpoint_sccm"].value == 78.95
        assert len(readings) == 4

    run_virtual(main())


def test_a_large_controller_in_slpm_is_read_and_set_in_sccm() -> None:
    async def main() -> None:
        table = TABLE.replace("012 02 SCCM", "007 02 SLPM").replace("012 02 CCM", "007 02 LPM")
        frame = b"A +014.62 +021.89 +000.00 +001.25 +001.50     N2\r"
        moved = b"A +014.62 +021.89 +000.00 +001.25 +002.50     N2\r"
        peer = Peer(
            (b"A??D*\r", cr(table)),
            (b"A\r", frame),
            (b"A\r", frame),
            (b"AS2.50\r", moved),
            (b"A\r", moved),
        )
        device = controller(peer, full_scale_sccm=5000.0)
        assert (await device.poll())["flow_sccm"].value == 1250.0
        await device.set_flow(2500.0)

    run_virtual(main())


def test_a_flow_that_the_device_cannot_measure_makes_its_frame_doubtful() -> None:
    async def main() -> None:
        device, _ = polled(FRAME.replace(b"+078.95", b"+999.95"))
        readings = await device.poll()
        assert readings["flow_sccm"].flags == readings["pressure_pa"].flags == ("beyond full scale",)

    run_virtual(main())


def test_status_words_are_flags() -> None:
    async def main() -> None:
        device, _ = polled(FRAME[:-1] + b" MOV HLD\r")
        assert (await device.poll())["flow_sccm"].flags == ("MOV", "HLD")

    run_virtual(main())


@pytest.mark.parametrize("word", ["ADC", "EXH"])
def test_a_controller_that_reports_itself_unable_is_a_device_fault(word: str) -> None:
    async def main() -> None:
        device, _ = polled(FRAME[:-1] + f" {word}\r".encode())
        with pytest.raises(DeviceFault, match=word):
            await device.poll()

    run_virtual(main())


def test_a_gas_changed_at_the_front_panel_is_a_device_fault() -> None:
    async def main() -> None:
        device, _ = polled(FRAME.replace(b"N2", b"He"))
        with pytest.raises(DeviceFault, match="gas selected is He, the settings say N2"):
            await device.poll()

    run_virtual(main())


@pytest.mark.parametrize(
    "wrong",
    [
        b"B +014.62 +021.89 +000.00 +000.10 +078.95     N2\r",
        b"A +014.62 +021.89 +000.00 +000.10     N2\r",
        b"A +014.62 +021.89 +000.00 +000.10 +078.95\r",
        b"A +014.62 +021.89 +000.00 +000.10 +078.95 +000.00     N2\r",
        b"A +014.62 +021.89 +000.00 +00\x30\xb0.10 +078.95     N2\r",
        b"A +014.62 +021.89 +000.00 +0x0.10 +078.95     N2\r",
        b"A +014.62 +021.89 +000.00 nan +078.95     N2\r",
        b"A +014.62 +021.89 +000.00 1e5 +078.95     N2\r",
        b"A +014.62 +021.89 +000.00 +000.10 +078.95     N2 HOV\r",
        b"A +014.62 +021.89 +000.00 +000.10 +078.95     N2\n\r",
        FRAME + FRAME,
        FRAME + b"x",
        b"x" + FRAME,
    ],
)
def test_a_frame_that_the_table_does_not_announce_is_never_data(wrong: bytes) -> None:
    async def main() -> None:
        peer = Peer((b"A??D*\r", cr(TABLE)), (b"A\r", FRAME), (b"A\r", Say(0.02, wrong)), (b"A\r", FRAME),
                    always={b"AVE\r": VERSION})  # fmt: skip
        device = controller(peer)
        with pytest.raises(BadReply):
            await device.poll()
        assert (await device.poll())["flow_sccm"].value == 0.10

    run_virtual(main())


@pytest.mark.parametrize("sign", [b"?\r", b"A ?\r", b"\r?\r"])
def test_every_kind_of_question_mark_is_a_refusal(sign: bytes) -> None:
    async def main() -> None:
        device, _ = polled(Say(0.02, sign))
        with pytest.raises(Refused, match="does not know"):
            await device.poll()

    run_virtual(main())


def test_a_whole_identification() -> None:
    async def main() -> None:
        identity = await controller(Peer(always=new())).identify()
        assert (identity.model, identity.serial) == ("MC-500SCCM-D", "521641")
        assert identity.firmware.startswith("10v20.0-R24")
        assert identity.facts == {"gas": "N2", "full scale": "500 sccm", "set-point source": "serial"}

    run_virtual(main())


def test_old_firmware_is_not_locked_by_a_question_about_its_source() -> None:
    async def main() -> None:
        frame = b"A +014.52 +021.50 +0000.1 +0000.2 0116.3      N2\r"
        answers = new(version=b"A   5v12.0-R22\r", table=cr(OLD_TABLE), frame=frame, scale=b"?\r")
        del answers[b"ALSS\r"]
        identity = await controller(Peer(always=answers)).identify()
        assert identity.facts["full scale"] == "500 sccm", "from the model number"

    run_virtual(main())


REFUSED_IDENTITIES: dict[str, tuple[dict[bytes, Answer], str]] = {
    "gas": (new(frame=FRAME.replace(b"N2", b"Ar")), "the gas selected is Ar, the settings say N2"),
    "full scale": (new(scale=b"A +100.00 12 SCCM\r"), "the full scale is 100 sccm, the settings say 500 sccm"),
    "unit of full scale": (new(scale=b"A +500.00 99 SCFH\r"), "neither a full scale"),
    "analogue source": (new(source=b"A A\r"), "analogue input"),
    "meter": (
        new(table=cr(TABLE.replace("A D06 037 Mass Flow Setpt ", "A D06 004 Something else  "))),
        "it is a meter",
    ),
    "pressure unit": (new(table=cr(TABLE.replace("PSIA", "kPaA"))), "Abs Press is in kPaA: set the device to PSIA"),
}


@pytest.mark.parametrize("what", REFUSED_IDENTITIES)
def test_a_device_that_is_not_the_one_of_the_settings_is_refused(what: str) -> None:
    async def main() -> None:
        answers, words = REFUSED_IDENTITIES[what]
        with pytest.raises(Refused, match=words):
            await controller(Peer(always=answers)).identify()

    run_virtual(main())


@pytest.mark.parametrize("rows", [1, 3, 6, 7])
def test_half_a_table_is_no_table(rows: int) -> None:
    async def main() -> None:
        cut = "".join(TABLE.splitlines(keepends=True)[:rows])
        with pytest.raises(DriverError):
            await controller(Peer(always=new(table=cr(cut)))).poll()

    run_virtual(main())


def test_a_table_with_a_row_missing_is_no_table() -> None:
    async def main() -> None:
        holed = TABLE.replace(TABLE.splitlines(keepends=True)[4], "")
        with pytest.raises(BadReply, match="row 4 of the data-frame table is missing"):
            await controller(Peer(always=new(table=cr(holed)))).poll()

    run_virtual(main())


KEPT = b"A +014.62 +021.89 +000.00 +000.10 +012.50     N2\r"


def setting(reply: bytes, *more: tuple[bytes, Answer]) -> tuple[Alicat, Peer]:
    peer = Peer((b"A??D*\r", cr(TABLE)), (b"A\r", FRAME), (b"AS12.50\r", reply), *more)
    return controller(peer), peer


def test_a_set_point_is_written_once_and_read_back_by_a_poll() -> None:
    async def main() -> None:
        device, peer = setting(KEPT, (b"A\r", KEPT))
        await device.set_flow(12.5)
        assert peer.left == []

    run_virtual(main())


def test_a_set_point_changed_at_the_panel_is_named_by_the_next_poll_and_the_flow_stays_a_flow() -> None:
    async def main() -> None:
        set_, panel = FRAME.replace(b"078.95", b"012.50"), FRAME.replace(b"078.95", b"012.60")
        peer = Peer(
            (b"A??D*\r", cr(TABLE)), (b"A\r", FRAME), (b"AS12.50\r", set_), (b"A\r", set_), (b"A\r", set_),
            (b"A\r", panel), (b"AS12.50\r", set_), (b"A\r", set_), (b"A\r", set_),
        )  # fmt: skip
        device = controller(peer)
        await device.set_flow(12.5)
        assert (await device.poll())["setpoint_sccm"].flags == ()
        readings = await device.poll()
        assert readings["setpoint_sccm"].value == 12.6
        assert readings["setpoint_sccm"].flags == ("set-point changed elsewhere",)
        assert readings["flow_sccm"].flags == ()
        await device.set_flow(12.5)
        assert (await device.poll())["setpoint_sccm"].flags == ()

    run_virtual(main())


def test_a_set_point_that_the_reply_shows_and_the_device_does_not_keep_is_refused() -> None:
    async def main() -> None:
        device, _ = setting(KEPT, (b"A\r", FRAME))
        with pytest.raises(Refused, match=r"stays at 78\.95 sccm instead of 12\.5 sccm"):
            await device.set_flow(12.5)

    run_virtual(main())


def test_a_set_point_that_is_accepted_and_ignored_is_refused() -> None:
    async def main() -> None:
        device, _ = setting(FRAME)
        with pytest.raises(Refused, match=r"stays at 78\.95 sccm instead of 12\.5 sccm"):
            await device.set_flow(12.5)

    run_virtual(main())


@pytest.mark.parametrize("sccm", [-0.1, 500.1, float("nan"), float("inf")])
def test_a_set_point_outside_the_range_is_never_sent(sccm: float) -> None:
    async def main() -> None:
        peer = Peer()
        with pytest.raises(Refused, match=r"outside 0…500 sccm"):
            await controller(peer).set_flow(sccm)
        assert not peer.heard

    run_virtual(main())


def test_a_set_point_without_an_answer_is_not_sent_again() -> None:
    async def main() -> None:
        device, peer = setting(b"")
        with pytest.raises(NoReply):
            await device.set_flow(12.5)
        assert peer.requests.count(b"AS12.50\r") == 1

    run_virtual(main())


def test_safe_is_no_flow_and_asks_nothing_before_it_is_sent() -> None:
    async def main() -> None:
        stopped = b"A +014.62 +021.89 +000.00 +000.10 +000.00     N2\r"
        peer = Peer((b"AS0\r", stopped), (b"A??D*\r", cr(TABLE)), (b"A\r", stopped), (b"A\r", stopped))
        await controller(peer).safe()
        assert peer.left == []

    run_virtual(main())


def test_safe_says_so_when_the_flow_stays_set() -> None:
    async def main() -> None:
        with pytest.raises(Refused, match=r"stays at 78\.95 sccm instead of 0 sccm"):
            await controller(Peer(always=new() | {b"AS0\r": FRAME})).safe()

    run_virtual(main())


def test_two_units_on_one_line_do_not_hear_each_other() -> None:
    async def main() -> None:
        peer = Peer(
            always={
                b"A??D*\r": cr(TABLE),
                b"B??D*\r": cr(TABLE.replace("A D", "B D")),
                b"A\r": Say(0.02, FRAME),
                b"B\r": Say(0.02, b"B" + FRAME[1:].replace(b"+000.10", b"+000.20")),
            }
        )
        line = to(peer)
        one, two = (Alicat(unit, line, AlicatConfig(unit, 500, "N2")) for unit in "AB")
        for _ in range(5):
            assert (await one.poll())["flow_sccm"].value == 0.10
            assert (await two.poll())["flow_sccm"].value == 0.20

    run_virtual(main())


@pytest.mark.parametrize("unit", ["a", "AB", "", "1", "*"])
def test_a_unit_that_is_no_letter_is_refused(unit: str) -> None:
    with pytest.raises(ValueError, match="one letter"):
        AlicatConfig(unit, 100, "Ar")
