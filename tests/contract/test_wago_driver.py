"""The WAGO coupler's driver: terminals read as they count, a watchdog that is proven or refused, outputs read back."""

from __future__ import annotations

import asyncio
import math

import pytest

from drivers.base import DeviceFault, DriverError, NoReply, Refused
from drivers.wago_io import WagoAnalogueInput, WagoIo
from simulators.wago_io import WagoBFace
from tests.contract.wago_bench import ANALOGUE, SETTINGS, Bench, virtually


def test_words_become_values_in_the_units_of_their_channels() -> None:
    async def main(bench: Bench) -> None:
        readings = await bench.device.poll()
        assert {name: one.value for name, one in readings.items()} == pytest.approx(
            {
                "o2_ppm": 50.0,
                "h2o_ppm": 25.0,
                "pressure_torr": 5.0,
                "substrate_2_c": 150.0,
                "gate_shut": 1.0,
                "mains_ok": 0.0,
                "watchdog_trips": 0.0,
            },
            abs=0.03,
        )
        assert {one.flags for one in readings.values()} == {()}
        assert frozenset(readings) == WagoIo.channels(SETTINGS)

    virtually(main)


def test_a_broken_wire_has_no_value_and_the_others_keep_theirs() -> None:
    async def main(bench: Bench) -> None:
        for name in ("o2_ppm", "h2o_ppm", "substrate_2_c"):
            bench.coupler.channels[name].broken = True
        readings = await bench.device.poll()
        for name in ("o2_ppm", "h2o_ppm", "substrate_2_c"):
            assert math.isnan(readings[name].value) and "error" in readings[name].flags
        assert readings["pressure_torr"].value == pytest.approx(5.0, abs=0.01)

    virtually(main)


@pytest.mark.parametrize(
    ("one", "word", "value", "flags"),
    [
        (ANALOGUE[0], 0x0003, None, ("under range", "error")),
        (ANALOGUE[0], 0x0000, 0.0, ()),
        (ANALOGUE[0], 0x7FF8, 100.0, ()),
        (ANALOGUE[0], 0x7FF9, 100.0, ("over range",)),
        (ANALOGUE[0], 0x7FFF, 100.0, ("over range",)),
        (ANALOGUE[0], 0x8000, None, ("error",)),
        (ANALOGUE[1], 0x1704, None, ("under range", "error")),
        (ANALOGUE[1], 0x1710, -2.46, ("under range",)),
        (ANALOGUE[1], 0x1998, 0.0, ()),
        (ANALOGUE[1], 0x7FFB, 100.0, ("over range",)),
        (ANALOGUE[1], 0xFFFF, None, ("error",)),
        (ANALOGUE[2], 0x7FFB, 10.0, ("over range",)),
        (ANALOGUE[2], 0xFFFF, None, ("error",)),
        (ANALOGUE[3], 0x10000 - 105, -10.5, ()),
        (ANALOGUE[3], 0xFC18, -100.0, ("under range",)),
        (ANALOGUE[3], 13710, 1371.0, ("over range",)),
        (ANALOGUE[3], 0x7FFF, None, ("over range", "error")),
        (ANALOGUE[3], 0x8000, -3276.8, ("under range",)),
    ],
)
def test_what_a_terminal_says_at_its_ends(
    one: WagoAnalogueInput, word: int, value: float | None, flags: tuple[str, ...]
) -> None:
    reading = one.reading(word, 0.0)
    assert reading.flags == flags
    assert math.isnan(reading.value) if value is None else reading.value == pytest.approx(value, abs=0.02)


ARM = ["06 10 00 00 0a", "06 10 02 00 00", "06 10 01 40 00", "06 10 03 00 01"]


def test_the_watchdog_is_stopped_set_started_and_read_back() -> None:
    async def main(bench: Bench) -> None:
        bench.coupler.word = 0b101
        identity = await bench.device.identify()
        assert [one for one in bench.sent if one.startswith("06")] == ARM
        assert (bench.coupler.time, bench.coupler.masks, bench.coupler.state) == (10, [1 << 14, 0], 1)
        assert bench.coupler.word == 0
        assert identity.model == "WAGO 750-352" and identity.firmware == "7"
        assert identity.facts["terminals"] == "750-455, 750-453, 750-468, 750-469"
        assert identity.facts["watchdog"] == "1 s, fed by the trigger register"

    virtually(main)


@pytest.mark.parametrize("starters", [{"trigger"}, {"mask"}, {"trigger", "mask"}])
def test_it_runs_whichever_register_of_the_two_starts_it(starters: set[str]) -> None:
    async def main(bench: Bench) -> None:
        for _ in range(2):
            await bench.device.identify()
            assert bench.coupler.state == 1

    virtually(main, starters=frozenset(starters))


def test_a_watchdog_that_does_not_start_is_refused_and_nothing_is_switched() -> None:
    async def main(bench: Bench) -> None:
        for attempt in (bench.device.identify, bench.device.poll, lambda: bench.device.set_output("vent", True)):
            with pytest.raises(Refused, match="does not run after its start"):
                await attempt()
        assert "vent" not in bench.rack.switched

    virtually(main, starters=frozenset())


def test_the_alternative_watchdog_that_anybody_feeds_is_refused() -> None:
    async def main(bench: Bench) -> None:
        with pytest.raises(Refused, match="alternative watchdog"):
            await bench.device.identify()

    virtually(main, alternative=True)


def test_polls_feed_it_and_a_page_that_only_reads_does_not() -> None:
    async def main(bench: Bench) -> None:
        await bench.device.identify()
        await bench.device.set_output("vent", True)
        for _ in range(100):
            await asyncio.sleep(0.5)
            await bench.device.poll()
        assert bench.rack.switched["vent"]
        page = WagoBFace(bench.coupler)
        for _ in range(11):
            await asyncio.sleep(0.1)
            page.hear(asyncio.get_running_loop().time(), bytes.fromhex("000100000006010100000001"))
        assert not bench.rack.switched["vent"]

    virtually(main)


def test_a_trip_is_a_channel_takes_the_inputs_away_and_is_cleared_only_by_identifying_again() -> None:
    async def main(bench: Bench) -> None:
        await bench.device.identify()
        await bench.device.set_output("vent", True)
        await asyncio.sleep(1.5)
        assert bench.rack.switched["vent"] is False
        for _ in range(3):
            readings = await bench.device.poll()
            assert readings["watchdog_trips"].value == 1.0
            assert math.isnan(readings["gate_shut"].value) and readings["o2_ppm"].flags == ("watchdog tripped",)
            assert frozenset(readings) == WagoIo.channels(SETTINGS)
        with pytest.raises(DeviceFault, match="watchdog has tripped"):
            await bench.device.set_output("vent", True)
        await bench.device.safe()
        await bench.device.identify()
        assert bench.rack.switched["vent"] is False
        await bench.device.set_output("vent", True)
        assert (await bench.device.poll())["watchdog_trips"].value == 0.0

    virtually(main)


def test_a_coupler_that_was_switched_off_and_on_counts_as_a_trip() -> None:
    async def main(bench: Bench) -> None:
        await bench.device.identify()
        await bench.device.set_output("lamp", True)
        bench.coupler.state, bench.coupler.word, bench.coupler.trigger = 0, 0, 0
        bench.coupler._expires_s = None
        readings = await bench.device.poll()
        assert readings["watchdog_trips"].value == 1.0 and readings["gate_shut"].value == 1.0
        with pytest.raises(DeviceFault):
            await bench.device.set_output("lamp", True)

    virtually(main)


def test_a_feed_whose_answer_was_lost_is_followed_by_another_one() -> None:
    async def main(bench: Bench) -> None:
        await bench.device.identify()
        answer = bench.face.hear

        def lost(now_s: float, data: bytes) -> bytes:
            said = answer(now_s, data)
            return b"" if data[7] == 6 else said

        bench.face.hear = lost  # type: ignore[method-assign]
        with pytest.raises(NoReply):
            await bench.device.poll()
        bench.face.hear = answer  # type: ignore[method-assign]
        await bench.device.poll()
        assert bench.coupler.trigger == 3, "the coupler refuses a value that stands there already"

    virtually(main)


def test_somebody_elses_write_is_seen_in_one_poll_and_named() -> None:
    async def main(bench: Bench) -> None:
        await bench.device.identify()
        await bench.device.poll()
        other = WagoBFace(bench.coupler)
        other.hear(asyncio.get_running_loop().time(), bytes.fromhex("0001000000060105 0002FF00"))
        with pytest.raises(DeviceFault, match="output lamp is not as it was written: somebody else writes here"):
            await bench.device.poll()
        await bench.device.identify()
        assert bench.coupler.word == 0
        await bench.device.poll()

    virtually(main)


def test_an_output_is_written_by_name_and_read_back_from_the_alias() -> None:
    async def main(bench: Bench) -> None:
        await bench.device.identify()
        bench.sent.clear()
        await bench.device.set_output("lamp", True)
        assert bench.sent == ["0f 00 02 00 01 01 01", "01 02 02 00 01"]
        assert bench.rack.switched["lamp"]

    virtually(main)


def test_an_output_that_is_acknowledged_and_not_switched_is_refused() -> None:
    async def main(bench: Bench) -> None:
        await bench.device.identify()
        bench.ignores = True
        with pytest.raises(Refused, match="'vent' reads back off"):
            await bench.device.set_output("vent", True)
        await bench.device.poll()

    virtually(main)


def test_an_output_whose_write_was_lost_is_not_blamed_on_somebody_else() -> None:
    async def main(bench: Bench) -> None:
        await bench.device.identify()
        bench.silent = True
        with pytest.raises(NoReply):
            await bench.device.set_output("vent", True)
        bench.silent = False
        await bench.device.poll()

    virtually(main)


def test_a_watchdog_that_keeps_another_time_is_refused() -> None:
    async def main(bench: Bench) -> None:
        bench.coupler._map._write[0x1000] = lambda value: None  # type: ignore[index]
        with pytest.raises(Refused, match=r"read back \[100, 16384, 0\] instead of \[10, 16384, 0\]"):
            await bench.device.identify()

    virtually(main)


def test_safe_switches_everything_off_and_says_so_when_it_cannot() -> None:
    async def main(bench: Bench) -> None:
        await bench.device.identify()
        await bench.device.set_output("vent", True)
        await bench.device.set_output("lamp", True)
        bench.ignores = True
        with pytest.raises(Refused, match="stays on"):
            await bench.device.safe()
        bench.ignores = False
        await bench.device.safe()
        assert bench.coupler.word == 0
        bench.silent = True
        with pytest.raises(DriverError):
            await bench.device.safe()

    virtually(main)


def test_an_unknown_output_is_refused_with_the_known_ones() -> None:
    async def main(bench: Bench) -> None:
        with pytest.raises(Refused, match="no output 'pump', there are vent, lamp"):
            await bench.device.set_output("pump", True)

    virtually(main)
