"""The Watlow controller register by register: word order and unit by read-back, faults by name, set-points, safety."""

from __future__ import annotations

import pytest

from drivers.base import DeviceFault, DriverError, Refused
from drivers.watlow import WatlowConfig
from tests.contract.rtu import crc
from tests.contract.watlow_bench import AUTO, MODE, OFF, ORDER, SETPOINT, UNIT, Bench, virtually


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


def test_a_word_order_that_its_own_limits_contradict_is_refused() -> None:
    async def main(bench: Bench) -> None:
        answer = bench.face.hear

        def lying(now_s: float, data: bytes) -> bytes:
            said = bytes([1, 3, 2]) + (1330).to_bytes(2, "big")
            return crc(said) if data.startswith(bytes.fromhex("010309b8")) else answer(now_s, data)

        bench.face.hear = lying  # type: ignore[method-assign]
        with pytest.raises(Refused, match="the word order is wrong"):
            await bench.device.identify()
        assert bench.writes() == []

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
            return crc(said) if data.startswith(question) else answer(now_s, data)

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
        assert bench.sent[0] == crc(bytes.fromhex("01060758003e"))
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
