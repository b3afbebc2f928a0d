"""The Watlow controller register by register: word order and unit by read-back, memory that is spared, panels seen."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable

import pytest

from drivers.base import DeviceFault, DriverError, Refused
from drivers.line import memory_line
from drivers.watlow import NONVOLATILE_WRITES, Watlow, WatlowConfig
from simulators.virtualtime import run_virtual
from simulators.watlow import Watlow as Simulated

SETPOINT, MODE, SAVE, ORDER, UNIT = 2160, 1880, 2494, 2488, 2490
OFF, AUTO, MANUAL = 62, 10, 54


class Oven:
    """A plant that is as warm as the test says."""

    celsius = 100.0

    def advance(self, at_s: float) -> None: ...

    def control(self, zone: str, law: object) -> None: ...

    def temperature_c(self, zone: str, at_s: float) -> float:
        return self.celsius


class Bench:
    """A driver and its instrument, with what was sent between them."""

    def __init__(self, settings: WatlowConfig | None = None) -> None:
        self.oven = Oven()
        self.unit = Simulated(self.oven, "substrate", unit=1)
        self.face = self.unit.face()
        self.sent: list[bytes] = []
        self.ignores: set[int] = set()
        self.device = Watlow("substrate", memory_line("heaters", self), settings or WatlowConfig(1, 20.0))

    def hear(self, now_s: float, data: bytes) -> bytes:
        self.sent.append(data)
        if data[1] in (6, 16) and int.from_bytes(data[2:4], "big") in self.ignores:
            return data if data[1] == 6 else data[:6] + crc(data[:6])
        return self.face.hear(now_s, data)

    def next_at(self) -> float | None:
        return None

    def speak(self, now_s: float) -> bytes:
        return b""

    def writes(self) -> list[tuple[int, int]]:
        """Address and first word of each write since the last look."""
        found = [struct.unpack(">HH", d[2:6]) for d in self.sent if d[1] in (6, 16)]
        self.sent.clear()
        return found


def crc(frame: bytes) -> bytes:
    value = 0xFFFF
    for byte in frame:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return value.to_bytes(2, "little")


def virtually(test: Callable[[Bench], Awaitable[None]]) -> None:
    async def main() -> None:
        await test(Bench())

    run_virtual(main())


def test_the_frames_of_the_protocol_are_sent_byte_for_byte() -> None:
    async def main(bench: Bench) -> None:
        await bench.device.identify()
        assert bytes.fromhex("010301680002442B") in bench.sent
        await bench.device.follow((75.0 - 32.0) / 1.8)
        assert bytes.fromhex("01100870000204000042962385") in bench.sent

    virtually(main)


@pytest.mark.parametrize("order", [1330, 1331])
@pytest.mark.parametrize("unit", [15, 30])
def test_word_order_and_unit_are_the_devices_own(order: int, unit: int) -> None:
    async def main(bench: Bench) -> None:
        bench.unit.codes |= {ORDER: order, UNIT: unit}
        await bench.device.identify()
        await bench.device.follow(150.0)
        readings = await bench.device.poll()
        assert bench.unit.numbers[SETPOINT] == pytest.approx(150.0, abs=1e-3)
        assert readings["temperature_c"].value == pytest.approx(100.0, abs=1e-3)
        assert readings["working_setpoint_c"].value == pytest.approx(150.0, abs=1e-3)
        assert readings["status"].value == AUTO and readings["output_percent"].value == 0.0
        assert {one.flags for one in readings.values()} == {()}

    virtually(main)


def test_identifying_switches_off_has_that_kept_and_then_switches_saving_off() -> None:
    async def main(bench: Bench) -> None:
        bench.unit.numbers[SETPOINT] = 200.0
        bench.unit.kept = dict(bench.unit.numbers), dict(bench.unit.codes)
        identity = await bench.device.identify()
        assert [address for address, _ in bench.writes()] == [MODE, SETPOINT, SETPOINT, SAVE]
        assert (bench.unit.codes[MODE], bench.unit.codes[SAVE]) == (OFF, 59)
        assert identity.facts["set-point before"] == "200.0 °C" and identity.facts["control mode before"] == "auto"
        assert identity.facts["unit"] == "°F" and identity.facts["word order"] == "low word first"
        await bench.device.follow(150.0)
        bench.unit.power_cut()
        assert bench.unit.codes[MODE] == OFF, "it does not heat by itself after a power cut"
        assert bench.unit.numbers[SETPOINT] == pytest.approx(20.0, abs=0.01)

    virtually(main)


def test_a_day_of_ramps_writes_the_memory_no_more() -> None:
    async def main(bench: Bench) -> None:
        await bench.device.identify()
        before = bench.unit.nonvolatile_writes
        assert before <= bench.device.nonvolatile_writes <= 5
        for tenth in range(500):
            await bench.device.follow(20.0 + tenth / 4)
            await asyncio.sleep(1.0)
        await bench.device.follow(None)
        for _ in range(3):
            await bench.device.identify()
        assert bench.unit.nonvolatile_writes == before

    virtually(main)


def test_somebody_who_changes_it_again_and_again_does_not_wear_its_memory_out() -> None:
    async def main(bench: Bench) -> None:
        with pytest.raises(Refused, match="writes of the device's memory are enough"):
            for _ in range(50):
                bench.unit.codes |= {SAVE: 106, MODE: AUTO}
                await bench.device.identify()
        assert bench.unit.codes[MODE] == OFF, "off it is all the same"
        assert bench.device.nonvolatile_writes <= NONVOLATILE_WRITES

    virtually(main)


def test_saving_that_cannot_be_switched_off_is_refused_before_any_ramp() -> None:
    async def main(bench: Bench) -> None:
        bench.ignores = {SAVE}
        with pytest.raises(Refused, match="register 2494 reads back 106 instead of 59"):
            await bench.device.identify()
        with pytest.raises(Refused, match="2494"):
            await bench.device.follow(150.0)
        assert bench.unit.codes[MODE] == OFF

    virtually(main)


def test_a_set_point_is_written_once_and_again_only_when_it_changes() -> None:
    async def main(bench: Bench) -> None:
        await bench.device.identify()
        bench.writes()
        await bench.device.follow(150.0)
        assert [address for address, _ in bench.writes()] == [SETPOINT, MODE], "the set-point before the mode"
        await bench.device.follow(150.0)
        assert bench.sent == []
        await bench.device.follow(151.0)
        assert [address for address, _ in bench.writes()] == [SETPOINT]

    virtually(main)


def test_a_set_point_from_the_panel_is_named_in_one_poll_and_overwritten_by_the_next_refresh() -> None:
    async def main(bench: Bench) -> None:
        await bench.device.identify()
        await bench.device.follow(150.0)
        bench.unit.panel(SETPOINT, 180.0)
        readings = await bench.device.poll()
        assert readings["working_setpoint_c"].flags == ("set-point changed at the device",)
        assert readings["working_setpoint_c"].value == pytest.approx(180.0, abs=1e-3)
        assert readings["temperature_c"].flags == (), "the temperature is still one"
        await bench.device.follow(150.0)
        assert bench.unit.numbers[SETPOINT] == pytest.approx(150.0, abs=1e-3)
        assert (await bench.device.poll())["working_setpoint_c"].flags == ()

    virtually(main)


@pytest.mark.parametrize(("mode", "word"), [(OFF, "off"), (MANUAL, "manual")])
def test_a_mode_from_the_panel_is_named_in_one_poll_and_set_right_by_the_next_refresh(mode: int, word: str) -> None:
    async def main(bench: Bench) -> None:
        await bench.device.identify()
        await bench.device.follow(150.0)
        bench.unit.panel(MODE, mode)
        assert (await bench.device.poll())["status"].flags == (f"switched to {word} at the device",)
        await bench.device.follow(150.0)
        assert bench.unit.codes[MODE] == AUTO

    virtually(main)


def test_a_loop_that_is_switched_on_at_the_panel_while_nobody_asked_for_it_is_named() -> None:
    async def main(bench: Bench) -> None:
        await bench.device.identify()
        bench.unit.panel(MODE, AUTO)
        assert (await bench.device.poll())["output_percent"].flags == ("switched to auto at the device",)
        await bench.device.follow(None)
        assert bench.unit.codes[MODE] == OFF

    virtually(main)


def test_what_the_panel_kept_is_put_right_when_it_is_identified_again() -> None:
    async def main(bench: Bench) -> None:
        await bench.device.identify()
        await bench.device.follow(150.0)
        bench.unit.panel(SETPOINT, 180.0)  # which keeps the mode auto, too
        await bench.device.poll()
        await bench.device.identify()
        bench.unit.power_cut()
        assert bench.unit.codes[MODE] == OFF and bench.unit.numbers[SETPOINT] == pytest.approx(20.0, abs=0.01)

    virtually(main)


def test_what_the_panel_kept_is_put_right_even_if_the_loop_is_off_again() -> None:
    async def main(bench: Bench) -> None:
        await bench.device.identify()
        await bench.device.follow(150.0)
        bench.unit.panel(SETPOINT, 180.0)
        await bench.device.poll()
        await bench.device.follow(None)
        await bench.device.identify()
        bench.unit.power_cut()
        assert bench.unit.codes[MODE] == OFF and bench.unit.numbers[SETPOINT] == pytest.approx(20.0, abs=0.01)

    virtually(main)


def test_a_word_order_that_its_own_limits_contradict_is_refused() -> None:
    async def main(bench: Bench) -> None:
        answer = bench.face.hear

        def lying(now_s: float, data: bytes) -> bytes:
            said = bytes([1, 3, 2]) + (1330).to_bytes(2, "big")
            return said + crc(said) if data.startswith(bytes.fromhex("010309b8")) else answer(now_s, data)

        bench.face.hear = lying  # type: ignore[method-assign]
        with pytest.raises(Refused, match="the word order is wrong"):
            await bench.device.identify()
        assert bench.writes() == []

    virtually(main)


def test_what_this_controller_changes_between_two_reads_of_a_poll_is_nobody_elses_change() -> None:
    async def main(bench: Bench) -> None:
        await bench.device.identify()
        await bench.device.follow(150.0)
        answer, asked = bench.face.hear, asyncio.Event()

        def slow(now_s: float, data: bytes) -> bytes:
            if data.startswith(bytes.fromhex("0103087c")):  # the working set-point, read before the mode
                asked.set()
            return answer(now_s, data)

        bench.face.hear = slow  # type: ignore[method-assign]
        safe = asyncio.create_task(bench.device.safe())
        readings = await bench.device.poll()
        await safe
        assert asked.is_set() and bench.unit.codes[MODE] == OFF
        assert {one.flags for one in readings.values()} == {()}

    virtually(main)


def test_safe_goes_out_first_although_an_answer_is_still_missing() -> None:
    async def main(bench: Bench) -> None:
        await bench.device.identify()
        await bench.device.follow(150.0)
        answer = bench.face.hear
        bench.face.hear = lambda now_s, data: b""  # type: ignore[method-assign]
        with pytest.raises(DriverError):
            await bench.device.poll()
        bench.face.hear = answer  # type: ignore[method-assign]
        bench.sent.clear()
        await bench.device.safe()
        assert bench.sent[0][:6] == bytes.fromhex("01060758003e"), "and no question before it"

    virtually(main)


@pytest.mark.parametrize("changed", [{ORDER: 1330}, {UNIT: 15}])
def test_a_unit_or_a_word_order_that_changes_on_the_way_is_a_fault_and_never_a_temperature(
    changed: dict[int, int],
) -> None:
    async def main(bench: Bench) -> None:
        await bench.device.identify()
        await bench.device.poll()
        bench.unit.codes |= changed
        with pytest.raises(DeviceFault, match="unit or word order were changed"):
            await bench.device.poll()
        await bench.device.identify()
        assert (await bench.device.poll())["temperature_c"].value == pytest.approx(100.0, abs=1e-3)

    virtually(main)


@pytest.mark.parametrize(
    ("error", "words"), [(65, "sensor is open"), (127, "shorted"), (9, "ambient"), (33, "unknown")]
)
def test_an_input_error_is_a_fault_by_its_name(error: int, words: str) -> None:
    async def main(bench: Bench) -> None:
        await bench.device.identify()
        bench.unit.broken = error
        with pytest.raises(DeviceFault, match=f"input error {error}: .*{words}"):
            await bench.device.poll()

    virtually(main)


def test_a_reversed_sensor_is_a_fault_and_an_open_loop_a_flag() -> None:
    async def main(bench: Bench) -> None:
        await bench.device.identify()
        bench.unit.codes[1928] = 1274
        assert (await bench.device.poll())["temperature_c"].flags == ("open loop",)
        bench.unit.codes[1928] = 1275
        with pytest.raises(DeviceFault, match="wrong way round"):
            await bench.device.poll()

    virtually(main)


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        ({368: 113}, "the sensor type is 113, the settings say type K"),
        ({370: 46}, "the thermocouple is of kind 46, the settings say type K"),
        ({ORDER: 1}, "word order 1 is unknown"),
        ({UNIT: 1}, "unit 1 is unknown"),
        ({2186: 1647}, "set its ramp action to off"),
    ],
)
def test_an_instrument_that_is_not_as_configured_is_refused_before_it_is_written(
    codes: dict[int, int], words: str
) -> None:
    async def main(bench: Bench) -> None:
        bench.unit.codes |= codes
        with pytest.raises(Refused, match=words):
            await bench.device.identify()
        assert bench.writes() == []

    virtually(main)


@pytest.mark.parametrize("exception", [2, 6])
def test_a_kind_of_thermocouple_that_is_not_told_is_no_fault_but_a_busy_instrument_has_told_nothing(
    exception: int,
) -> None:
    async def main(bench: Bench) -> None:
        answer = bench.face.hear
        question = bytes.fromhex("010301720001")

        def refusing(now_s: float, data: bytes) -> bytes:
            said = bytes([1, 0x83, exception])
            return said + crc(said) if data.startswith(question) else answer(now_s, data)

        bench.face.hear = refusing  # type: ignore[method-assign]
        if exception == 2:
            assert "cannot be asked" in (await bench.device.identify()).facts["sensor"]
        else:
            with pytest.raises(Refused, match="exception 6"):
                await bench.device.identify()

    virtually(main)


def test_safe_is_off_written_before_anything_is_asked() -> None:
    async def main(bench: Bench) -> None:
        await bench.device.identify()
        await bench.device.follow(150.0)
        bench.sent.clear()
        await bench.device.safe()
        assert bench.sent[0] == bytes.fromhex("01060758003e") + crc(bytes.fromhex("01060758003e"))
        assert bench.unit.codes[MODE] == OFF
        assert bench.unit.numbers[SETPOINT] == pytest.approx(20.0, abs=0.01), "for whoever switches it on again"
        assert {one.flags for one in (await bench.device.poll()).values()} == {()}

    virtually(main)


def test_safe_says_so_when_the_loop_stays_on() -> None:
    async def main(bench: Bench) -> None:
        await bench.device.identify()
        await bench.device.follow(150.0)
        bench.ignores = {MODE}
        with pytest.raises(Refused, match="stays in mode auto"):
            await bench.device.safe()

    virtually(main)


@pytest.mark.parametrize("ignored", [SETPOINT, MODE])
def test_a_write_that_is_acknowledged_and_not_done_is_refused(ignored: int) -> None:
    async def main(bench: Bench) -> None:
        await bench.device.identify()
        bench.ignores = {ignored}
        with pytest.raises(Refused, match="reads back"):
            await bench.device.follow(150.0)

    virtually(main)


def test_a_set_point_above_the_devices_own_limit_is_refused_by_it() -> None:
    async def main(bench: Bench) -> None:
        await bench.device.identify()
        bench.unit.numbers[2166] = 170.0
        with pytest.raises(Refused, match="exception 3"):
            await bench.device.follow(180.0)
        assert bench.unit.codes[MODE] == OFF

    virtually(main)


@pytest.mark.parametrize("celsius", [float("nan"), float("inf"), 6000.0])
def test_what_is_no_set_point_is_never_sent(celsius: float) -> None:
    async def main(bench: Bench) -> None:
        await bench.device.identify()
        bench.sent.clear()
        with pytest.raises(Refused, match="is no set-point"):
            await bench.device.follow(celsius)
        assert bench.sent == []

    virtually(main)


@pytest.mark.parametrize(
    "settings", [{"unit": 0}, {"unit": 248}, {"safe_local_c": 300.0}, {"safe_local_c": float("nan")}, {"sensor": "K"}]
)
def test_settings_that_no_instrument_has_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"Watlow|safe set-point"):
        WatlowConfig(**({"unit": 1, "safe_local_c": 20.0} | settings))  # type: ignore[arg-type]


def test_a_dead_instrument_is_never_safe() -> None:
    async def main(bench: Bench) -> None:
        bench.face.hear = lambda now_s, data: b""  # type: ignore[method-assign]
        with pytest.raises(DriverError):
            await bench.device.safe()

    virtually(main)
