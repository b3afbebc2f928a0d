"""Analogue inputs of any module: NE 43 to the letter, status before value, floats in both orders, an honest filter."""

from __future__ import annotations

import asyncio
import math
import struct
from typing import Any

import pytest

from ald_controller.config.settings import file_model, settings_of
from drivers.analogue_io import AnalogueIo, AnalogueIoConfig, Filter, ModbusAnalogueInput
from drivers.base import DriverError, Reading, Refused
from drivers.line import memory_line
from simulators.analogue_io import AnalogueFace, AnalogueModule, Input
from simulators.virtualtime import run_virtual
from tests.contract.scripted import Peer, to

O2 = ModbusAnalogueInput("o2_ppm", 0, "4-20 mA", 6553.4, 32767, 0, 100, 0.4)
UNTOLD = {"raw_low": 0.0, "raw_high": 65535.0, "word": "uint16"}


def channel(**changed: Any) -> ModbusAnalogueInput:
    known = {f: getattr(O2, f) for f in O2.__slots__}  # type: ignore[attr-defined]
    return ModbusAnalogueInput(**(known | changed))


class Registers:
    """A module that says these registers over Modbus TCP, and counts what it is asked."""

    def __init__(self, **words: int) -> None:
        self.words = {int(name[1:]): word for name, word in words.items()}
        self.asked: list[tuple[int, int, int]] = []

    def hear(self, now_s: float, data: bytes) -> bytes:
        function, address, count = struct.unpack(">BHH", data[7:12])
        self.asked.append((function, address, count))
        wanted = range(address, address + count)
        if all(one in self.words for one in wanted):
            pdu = bytes([function, 2 * count]) + b"".join(self.words[one].to_bytes(2, "big") for one in wanted)
        else:
            pdu = bytes([function | 0x80, 2])
        return data[:4] + (len(pdu) + 1).to_bytes(2, "big") + data[6:7] + pdu

    def next_at(self) -> float | None:
        return None

    def speak(self, now_s: float) -> bytes:
        return b""


def one_reading(one: ModbusAnalogueInput, **words: int) -> Reading:
    async def main() -> Reading:
        device = AnalogueIo("box", memory_line("box", Registers(**words)), AnalogueIoConfig(1, "tcp", (one,)))
        return (await device.poll())[one.channel]

    return run_virtual(main())


def at_ma(ma: float) -> int:
    return round(6553.4 + (ma - 4) / 16 * (32767 - 6553.4))


@pytest.mark.parametrize(
    ("ma", "ppm", "flags"),
    [
        (0.0, None, ("under range", "broken wire")),
        (3.59, None, ("under range", "broken wire")),
        (3.61, -2.4375, ("under range",)),
        (3.79, -1.3125, ("under range",)),
        (3.81, -1.1875, ()),
        (4.0, 0.0, ()),
        (12.0, 50.0, ()),
        (20.0, 100.0, ()),
    ],
)
def test_the_limits_of_ne_43_at_the_lower_end(ma: float, ppm: float | None, flags: tuple[str, ...]) -> None:
    reading = one_reading(O2, r0=at_ma(ma))
    assert reading.flags == flags
    assert math.isnan(reading.value) if ppm is None else reading.value == pytest.approx(ppm, abs=0.01)


@pytest.mark.parametrize(
    ("ma", "ppm", "flags"),
    [
        (20.49, 103.06, ()),
        (20.51, 103.19, ("over range",)),
        (20.99, 106.19, ("over range",)),
        (21.01, None, ("over range", "sensor fault")),
        (24.0, None, ("over range", "sensor fault")),
    ],
)
def test_the_limits_of_ne_43_at_the_upper_end(ma: float, ppm: float | None, flags: tuple[str, ...]) -> None:
    wide = channel(raw_low=4000.0, raw_high=20000.0)
    reading = one_reading(wide, r0=round(1000 * ma))
    assert reading.flags == flags
    assert math.isnan(reading.value) if ppm is None else reading.value == pytest.approx(ppm, abs=0.01)


@pytest.mark.parametrize("raw", [0x7FFF, 0x8000])
def test_the_numbers_that_modules_say_instead_of_a_value_are_none(raw: int) -> None:
    assert math.isnan(one_reading(channel(raw_low=0.0, raw_high=27648.0), r0=raw).value)


@pytest.mark.parametrize(
    ("raw", "volts", "flags"),
    [(5000, 5.0, ()), (-200, -0.2, ()), (-300, -0.3, ("under range",)), (10300, 10.3, ("over range",))],
)
def test_a_voltage_beyond_its_range_is_flagged(raw: int, volts: float, flags: tuple[str, ...]) -> None:
    one = channel(kind="0-10 V", raw_low=0.0, raw_high=10000.0, at_high=10.0)
    reading = one_reading(one, r0=raw & 0xFFFF)
    assert (reading.value, reading.flags) == (pytest.approx(volts), flags)


@pytest.mark.parametrize("raw", [0x7FFF, 0x8000, 0xF000])
def test_a_voltage_far_beyond_its_range_is_none(raw: int) -> None:
    one = channel(kind="0-10 V", raw_low=0.0, raw_high=10000.0, at_high=10.0)
    assert math.isnan(one_reading(one, r0=raw).value)


def floats(value: float, word: str) -> dict[str, int]:
    high, low = struct.unpack(">HH", struct.pack(">f", value))
    return {"r0": high, "r1": low} if word.endswith("high first") else {"r0": low, "r1": high}


@pytest.mark.parametrize("word", ["float32 high first", "float32 low first"])
@pytest.mark.parametrize("kind", ["4-20 mA", "0-10 V"])
def test_a_float_is_read_in_the_order_of_the_settings_and_in_the_other_one_is_none(word: str, kind: str) -> None:
    ends = (4.0, 20.0) if kind == "4-20 mA" else (0.0, 10.0)
    one = channel(kind=kind, word=word, raw_low=ends[0], raw_high=ends[1])
    middle = sum(ends) / 2
    assert one_reading(one, **floats(middle, word)).value == pytest.approx(50.0)
    other = "float32 low first" if word.endswith("high first") else "float32 high first"
    for value in (middle, middle + 0.3, 9.9):
        assert math.isnan(one_reading(one, **floats(value, other)).value), value
    for nonsense in (math.nan, math.inf, -math.inf):
        reading = one_reading(one, **floats(nonsense, word))
        assert math.isnan(reading.value) and reading.flags == ("no number",)


@pytest.mark.parametrize(("status", "none", "flags"), [(0, False, ()), (2, True, ("error",)), (5, False, ())])
def test_an_error_bit_takes_the_value_away_whatever_it_is(status: int, none: bool, flags: tuple[str, ...]) -> None:
    reading = one_reading(channel(status=1, error_mask=2), r0=at_ma(12.0), r1=status)
    assert math.isnan(reading.value) == none and reading.flags == flags


def test_a_range_bit_leaves_the_value_and_says_so() -> None:
    reading = one_reading(channel(status=1, range_mask=1), r0=at_ma(12.0), r1=1)
    assert reading.value == pytest.approx(50.0, abs=0.01) and reading.flags == ("out of range",)


def test_neighbours_are_one_read_and_holes_are_not_read() -> None:
    async def main() -> None:
        module = Registers(r0=at_ma(12), r1=at_ma(12), r5=at_ma(12))
        channels = tuple(channel(channel=f"ppm_{place}", register=place) for place in (5, 0, 1))
        device = AnalogueIo("box", memory_line("box", module), AnalogueIoConfig(1, "tcp", channels))
        await device.poll()
        assert module.asked == [(4, 0, 2), (4, 5, 1)]

    run_virtual(main())


def test_a_status_somewhere_else_is_read_after_its_value_so_that_no_value_outlives_its_error() -> None:
    async def main() -> None:
        module = Registers(r0=0, r10=0, r11=at_ma(12))
        one, other = (
            channel(channel="a", register=11, status=0, error_mask=1),
            channel(channel="b", register=10, status=0, error_mask=1, raw_low=-9999.0),
        )
        device = AnalogueIo("box", memory_line("box", module), AnalogueIoConfig(1, "tcp", (one, other)))
        await device.poll()
        assert module.asked == [(4, 10, 2), (4, 0, 1)]

    run_virtual(main())


def test_a_channel_that_broke_leaves_the_others_their_values() -> None:
    async def main() -> None:
        inputs = {
            "o2_ppm": Input(0, "4-20 mA", 6553.4, 32767, 0, 100, lambda _: 50.0),
            "h2o_ppm": Input(1, "4-20 mA", 6553.4, 32767, 0, 100, lambda _: 20.0),
        }
        face = AnalogueFace(AnalogueModule(inputs), unit=1, protocol="tcp")
        settings = AnalogueIoConfig(1, "tcp", (O2, channel(channel="h2o_ppm", register=1)))
        device = AnalogueIo("box", memory_line("box", face), settings)
        inputs["o2_ppm"].broken = True
        readings = await device.poll()
        assert math.isnan(readings["o2_ppm"].value) and readings["o2_ppm"].flags == ("under range", "broken wire")
        assert readings["h2o_ppm"].value == pytest.approx(20.0, abs=0.01)
        assert frozenset(readings) == AnalogueIo.channels(settings)

    run_virtual(main())


def test_a_read_on_a_serial_line_is_this_frame() -> None:
    async def main() -> None:
        peer = Peer((bytes.fromhex("010400000002 71CB"), bytes.fromhex("01040440003FFF BFF4")))
        two = (O2, channel(channel="h2o_ppm", register=1))
        device = AnalogueIo("box", to(peer), AnalogueIoConfig(1, "rtu", two))
        readings = await device.poll()
        assert peer.left == []
        assert readings["o2_ppm"].value == pytest.approx((0x4000 - 6553.4) / 26213.6 * 100)

    run_virtual(main())


def test_a_register_that_is_not_there_is_refused_when_it_is_identified() -> None:
    async def main() -> None:
        device = AnalogueIo("box", memory_line("box", Registers(r7=0)), AnalogueIoConfig(1, "tcp", (O2,)))
        with pytest.raises(Refused, match="exception 2: the address does not exist"):
            await device.identify()

    run_virtual(main())


def test_another_module_at_the_address_is_refused_by_its_model() -> None:
    async def main() -> None:
        settings = AnalogueIoConfig(1, "tcp", (O2,), model_register=5000, model=1240)
        device = AnalogueIo("box", memory_line("box", Registers(r0=9999, r5000=1242)), settings)
        with pytest.raises(Refused, match="register 5000 says model 1242, the settings say 1240"):
            await device.identify()
        device = AnalogueIo("box", memory_line("box", Registers(r0=9999, r5000=1240)), settings)
        assert (await device.identify()).facts["model"] == "1240"

    run_virtual(main())


# --- the filter ---


def follow(smooth: Filter, measured: float, from_s: float, until_s: float, every_s: float = 0.1) -> list[float]:
    steps = round((until_s - from_s) / every_s)
    return [smooth.value(measured, from_s + i * every_s) for i in range(1, steps + 1)]


def test_a_filter_is_of_first_order_while_the_signal_stays_near() -> None:
    smooth = Filter(1.0, 10.0)
    smooth.value(0.0, 0.0)
    found = follow(smooth, 1.0, 0.0, 3.0)
    assert found[9] == pytest.approx(1 - math.exp(-1), abs=1e-6)
    assert found[-1] == pytest.approx(1 - math.exp(-3), abs=1e-6)


@pytest.mark.parametrize("step", [1.0, -1.0, 50.0, 1e6])
def test_a_step_is_never_hidden_for_longer_than_the_filters_time(step: float) -> None:
    smooth = Filter(2.0, 0.4)
    smooth.value(0.0, 0.0)
    found = follow(smooth, step, 0.0, 2.05)
    assert abs(found[-1] - step) <= 0.4
    assert abs(found[5] - step) > 0.4, "it does filter"


def test_noise_around_a_value_is_filtered_and_does_not_count_as_a_step() -> None:
    smooth = Filter(1.0, 0.1)
    smooth.value(5.0, 0.0)
    found = [smooth.value(5.0 + (-1) ** i, 0.1 * i) for i in range(1, 200)]
    assert max(abs(value - 5.0) for value in found) < 0.15


def test_a_gap_or_a_bad_reading_starts_the_filter_anew() -> None:
    smooth = Filter(2.0, 0.4)
    smooth.value(0.0, 0.0)
    assert smooth.value(100.0, 2.0) == 100.0
    smooth.reset()
    assert smooth.value(7.0, 2.1) == 7.0


def test_without_a_filter_a_reading_is_what_was_measured() -> None:
    smooth = Filter(0.0, 0.4)
    assert [smooth.value(value, 0.001 * i) for i, value in enumerate((1.0, 9.0, 2.0))] == [1.0, 9.0, 2.0]


def test_a_broken_wire_shows_at_once_behind_a_filter_too() -> None:
    async def main() -> None:
        module = Registers(r0=at_ma(12.0))
        settings = AnalogueIoConfig(1, "tcp", (channel(filter_s=5.0),))
        device = AnalogueIo("box", memory_line("box", module), settings)
        await device.poll()
        module.words[0] = 0
        await asyncio.sleep(0.1)
        assert math.isnan((await device.poll())["o2_ppm"].value)
        module.words[0] = at_ma(8.0)
        await asyncio.sleep(0.1)
        assert (await device.poll())["o2_ppm"].value == pytest.approx(25.0, abs=0.01)

    run_virtual(main())


# --- settings ---


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (UNTOLD, "a broken wire cannot be told from 4 mA"),
        ({"raw_low": 32767.0}, "the two ends of its scale are one"),
        ({"at_high": 0.0}, "the two ends of its scale are one"),
        ({"raw_high": 40000.0}, "do not fit into int16"),
        ({"at_low": math.nan}, "must be of numbers"),
        ({"error": 0.0}, "its error must be above 0"),
        ({"status": 5}, "'status' goes with"),
        ({"error_mask": 1}, "'status' goes with"),
        ({"status": 5, "error_mask": 0x10000}, "16 bits"),
        ({"filter_s": -1.0}, "is none: 0…10 s"),
        ({"filter_s": math.nan}, "is none"),
        ({"filter_s": 60.0}, "interlocks see nothing"),
    ],
)
def test_a_channel_that_cannot_be_is_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=f"channel 'o2_ppm': .*{words}"):
        channel(**changed)


def test_a_register_that_ends_at_4_ma_is_taken_with_a_status() -> None:
    assert channel(**UNTOLD, status=1, error_mask=1).error_mask == 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ((0, "rtu", (O2,)), "the unit of a Modbus module"),
        ((1, "tcp", ()), "at least one channel"),
        ((1, "tcp", (O2, channel(register=3))), "channel o2_ppm is wired twice"),
        ((1, "tcp", (O2, channel(channel="h2o_ppm"))), "register 0 is wired twice"),
        ((1, "tcp", (channel(register=65535, word="float32 low first"),)), "registers are 0…65535"),
        ((1, "tcp", (O2,), "input", 5000), "'model_register' and 'model' go together"),
    ],
)
def test_a_module_that_cannot_be_is_refused(settings: tuple[Any, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        AnalogueIoConfig(*settings)


def test_a_tool_file_says_it_with_units_and_leaves_out_what_is_usual() -> None:
    written = {
        "unit": 1,
        "protocol": "tcp",
        "analogue": [
            {"channel": "o2_ppm", "register": 0, "kind": "4-20 mA", "raw_low": 6553.0, "raw_high": 32767.0,
             "at_low": 0.0, "at_high": 100.0, "error": 0.4, "filter": "2 s"},
        ],
    }  # fmt: skip
    made = settings_of(AnalogueIoConfig, file_model(AnalogueIoConfig).model_validate(written))
    assert made == AnalogueIoConfig(1, "tcp", (channel(raw_low=6553.0, filter_s=2.0),))


def test_a_silent_module_has_no_reading() -> None:
    async def main() -> None:
        module = Registers(r0=0)
        module.hear = lambda now_s, data: b""  # type: ignore[method-assign]
        device = AnalogueIo("box", memory_line("box", module), AnalogueIoConfig(1, "tcp", (O2,)))
        with pytest.raises(DriverError):
            await device.poll()

    run_virtual(main())
