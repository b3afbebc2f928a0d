"""The coupler's driver against a scripted coupler: scaling, broken terminals, outputs and their watchdog."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

import pytest

from drivers.base import DeviceFault, DriverError, Refused
from drivers.beckhoff_io import AnalogueInput, BeckhoffIo, BeckhoffIoConfig
from drivers.wired import DigitalInput, DigitalOutput
from simulators.virtualtime import run_virtual
from tests.contract.scripted import to

ANALOGUE = (
    AnalogueInput("o2_ppm", 0, "4-20 mA", 0, 100, 0.4),
    AnalogueInput("box_pressure_mbar", 2, "4-20 mA", -20, 20, 0.2),
    AnalogueInput("pressure_torr", 4, "0-10 V", 0, 10, 0.005),
    AnalogueInput("substrate_2_c", 6, "type K", -100, 1370, 1.5),
)
DIGITAL = DigitalInput("gate_shut", 0), DigitalInput("mains_ok", 8)
OUTPUTS = DigitalOutput("vent", 0), DigitalOutput("lamp", 2)


class Coupler:
    """Registers, inputs and coils behind Modbus TCP."""

    def __init__(self) -> None:
        self.registers = [0] * 8
        self.inputs = [False] * 16
        self.coils = [False] * 8
        self.control = {0x1010: 0, 0x1011: 128, 0x1012: 8, 0x1013: 16, 0x1020: 0, 0x1021: 5, 0x1120: 1000, 0x1122: 1}
        self.written: list[tuple[int, int]] = []
        self.refuses_coils = False
        self.ignores_coils = False

    def hear(self, now_s: float, data: bytes) -> bytes:
        pdu = self.answer(data[7], int.from_bytes(data[8:10], "big"), int.from_bytes(data[10:12], "big"), data[7:])
        return data[:4] + (len(pdu) + 1).to_bytes(2, "big") + data[6:7] + pdu

    def next_at(self) -> float | None:
        return None

    def speak(self, now_s: float) -> bytes:
        return b""

    def answer(self, function: int, address: int, value: int, pdu: bytes) -> bytes:
        if function in (3, 4):
            known = dict(enumerate(self.registers)) | self.control
            wanted = range(address, address + value)
            if not all(one in known for one in wanted):
                return bytes([function | 0x80, 2])
            return bytes([function, 2 * value]) + b"".join(known[one].to_bytes(2, "big") for one in wanted)
        if function in (1, 2):
            bits = (self.inputs if function == 2 else self.coils)[address : address + value]
            data = sum(1 << i for i, bit in enumerate(bits) if bit).to_bytes((value + 7) // 8, "little")
            return bytes([function, len(data)]) + data
        if function == 6:
            self.written.append((address, value))
            if address != 0x1121:
                self.control[address] = value
            return pdu
        return self.write_coils(function, address, value, pdu)

    def write_coils(self, function: int, address: int, value: int, pdu: bytes) -> bytes:
        if self.refuses_coils:
            return bytes([function | 0x80, 4])
        on = [value == 0xFF00] if function == 5 else [bool(pdu[6] >> i & 1) for i in range(value)]
        if not self.ignores_coils:
            self.coils[address : address + len(on)] = on
        return pdu[:5]


def box(coupler: Coupler, watchdog_s: float = 1.0) -> BeckhoffIo:
    return BeckhoffIo("coupler-b", to(coupler), BeckhoffIoConfig(1, watchdog_s, ANALOGUE, DIGITAL, OUTPUTS))  # type: ignore[arg-type]


def test_registers_become_values_in_the_units_of_their_channels() -> None:
    async def main() -> None:
        coupler = Coupler()
        coupler.registers = [0, 0x7FFF, 0, 0x0000, 0, 0x4000, 0, 0x10000 - 105]
        coupler.inputs[0] = coupler.inputs[8] = True
        readings = await box(coupler).poll()
        assert {name: one.value for name, one in readings.items()} == pytest.approx(
            {
                "o2_ppm": 100.0,
                "box_pressure_mbar": -20.0,
                "pressure_torr": 5.0,
                "substrate_2_c": -10.5,
                "gate_shut": 1.0,
                "mains_ok": 1.0,
            },
            abs=1e-3,
        )
        assert {one.flags for one in readings.values()} == {()}

    run_virtual(main())


def test_a_broken_terminal_has_no_value_and_the_others_keep_theirs() -> None:
    async def main() -> None:
        coupler = Coupler()
        coupler.registers = [0x41, 0, 0x01, 0, 0x02, 0x7FFF, 0x80, 1234]
        readings = await box(coupler).poll()
        assert math.isnan(readings["o2_ppm"].value)
        assert readings["o2_ppm"].flags == ("under range", "error")
        assert readings["box_pressure_mbar"].flags == ("under range",)
        assert readings["pressure_torr"].value == pytest.approx(10.0)
        assert readings["pressure_torr"].flags == ("over range",)
        assert math.isnan(readings["substrate_2_c"].value), "register access: this is no temperature"
        assert readings["gate_shut"].value == 0.0

    run_virtual(main())


def test_the_watchdog_is_armed_read_back_and_restarted() -> None:
    async def main() -> None:
        coupler = Coupler()
        coupler.coils[2] = True
        identity = await box(coupler, 0.5).identify()
        assert coupler.written == [(0x1120, 500), (0x1121, 0xBECF), (0x1121, 0xAFFE)]
        assert not any(coupler.coils)
        assert identity.facts["watchdog"] == "0.5 s, fed by any telegram"
        assert identity.facts["fallbacks so far"] == "5"

    run_virtual(main())


def test_a_watchdog_of_another_type_is_changed() -> None:
    async def main() -> None:
        coupler = Coupler()
        coupler.control[0x1122] = 2
        await box(coupler).identify()
        assert coupler.control[0x1122] == 1

    run_virtual(main())


def unwritable(coupler: Coupler) -> None:
    coupler.control = {**coupler.control}
    answer = coupler.answer

    def stubborn(function: int, address: int, value: int, pdu: bytes) -> bytes:
        return pdu if (function, address) == (6, 0x1120) else answer(function, address, value, pdu)

    coupler.answer = stubborn  # type: ignore[method-assign]


def fewer(register: int, bits: int) -> Callable[[Coupler], None]:
    return lambda coupler: coupler.control.update({register: bits})


def welded(coupler: Coupler) -> None:
    coupler.coils[0], coupler.ignores_coils = True, True


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (unwritable, r"watchdog register 0x1120 reads back 1000 instead of 500"),
        (fewer(0x1011, 96), "96 bits of analogue inputs, the settings need 128"),
        (fewer(0x1012, 2), "16 inputs and 2 outputs are fewer"),
        (fewer(0x1013, 8), "8 inputs and 8 outputs are fewer"),
        (welded, "stays on"),
    ],
)
def test_a_coupler_that_is_not_as_configured_or_cannot_be_armed_is_refused(
    broken: Callable[[Coupler], None], words: str
) -> None:
    async def main() -> None:
        coupler = Coupler()
        broken(coupler)
        with pytest.raises(Refused, match=words):
            await box(coupler, 0.5).identify()

    run_virtual(main())


def test_a_coupler_without_a_fallback_counter_is_good_enough() -> None:
    async def main() -> None:
        coupler = Coupler()
        del coupler.control[0x1021]
        device = box(coupler)
        assert (await device.identify()).facts["fallbacks so far"] == "not counted by this coupler"
        assert "watchdog_trips" not in await device.poll()

    run_virtual(main())


def test_a_coupler_that_is_busy_when_its_counter_is_read_is_not_taken_for_one_without() -> None:
    async def main() -> None:
        coupler = Coupler()
        answer = coupler.answer
        busy = [True]

        def once(function: int, address: int, value: int, pdu: bytes) -> bytes:
            if address == 0x1021 and busy:
                busy.clear()
                return bytes([function | 0x80, 6])
            return answer(function, address, value, pdu)

        coupler.answer = once  # type: ignore[method-assign]
        device = box(coupler)
        with pytest.raises(Refused, match="busy"):
            await device.identify()
        await device.identify()
        assert (await device.poll())["watchdog_trips"].value == 0.0

    run_virtual(main())


def test_a_trip_of_the_watchdog_is_a_channel_and_stops_every_output() -> None:
    async def main() -> None:
        coupler = Coupler()
        device = box(coupler)
        await device.identify()
        assert (await device.poll())["watchdog_trips"].value == 0.0
        coupler.control[0x1021] = 6
        await asyncio.sleep(1.0)  # counted once a second
        assert (await device.poll())["watchdog_trips"].value == 1.0
        with pytest.raises(DeviceFault, match="watchdog has tripped"):
            await device.set_output("vent", True)
        assert not any(coupler.coils)
        await device.identify()
        await device.set_output("vent", True)

    run_virtual(main())


def test_an_output_is_written_by_name_and_read_back() -> None:
    async def main() -> None:
        coupler = Coupler()
        device = box(coupler)
        await device.set_output("lamp", True)
        assert coupler.coils == [False, False, True, False, False, False, False, False]
        await device.set_output("lamp", False)
        assert not any(coupler.coils)

    run_virtual(main())


def test_an_output_that_is_acknowledged_and_not_switched_is_refused() -> None:
    async def main() -> None:
        coupler = Coupler()
        coupler.ignores_coils = True
        with pytest.raises(Refused, match="'vent' reads back off"):
            await box(coupler).set_output("vent", True)

    run_virtual(main())


def test_an_unknown_output_is_refused_with_the_known_ones() -> None:
    async def main() -> None:
        with pytest.raises(Refused, match="no output 'pump', there are vent, lamp"):
            await box(Coupler()).set_output("pump", True)

    run_virtual(main())


def test_safe_switches_everything_off() -> None:
    async def main() -> None:
        coupler = Coupler()
        coupler.coils = [True] * 3 + [False] * 5
        await box(coupler).safe()
        assert not any(coupler.coils)

    run_virtual(main())


def test_safe_after_a_trip_believes_the_read_back_and_resets_nothing() -> None:
    async def main() -> None:
        coupler = Coupler()
        coupler.refuses_coils = True
        await box(coupler).safe()
        assert not coupler.written
        coupler.coils[0] = True
        with pytest.raises(Refused, match="stays on"):
            await box(coupler).safe()

    run_virtual(main())


def test_a_dead_coupler_is_never_safe() -> None:
    async def main() -> None:
        coupler = Coupler()
        coupler.hear = lambda now_s, data: b""  # type: ignore[method-assign]
        with pytest.raises(DriverError):
            await box(coupler).safe()

    run_virtual(main())


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="share a register"):
        BeckhoffIoConfig(1, 1.0, (ANALOGUE[0], AnalogueInput("other", 1, "0-10 V", 0, 1, 0)), (), ())
    with pytest.raises(ValueError, match="watchdog"):
        BeckhoffIoConfig(1, 0.0, (), (), ())


@pytest.mark.parametrize("fallback", [1, 2])
def test_outputs_that_would_not_go_to_zero_are_refused_and_no_watchdog_is_armed(fallback: int) -> None:
    async def main() -> None:
        coupler = Coupler()
        coupler.control[0x1123] = fallback
        with pytest.raises(Refused, match=f"register 0x1123 reads {fallback}.* Write 0 to it"):
            await box(coupler).identify()
        assert coupler.written == []

    run_virtual(main())


@pytest.mark.parametrize(("control", "said"), [({}, "not told by this coupler"), ({0x1123: 0}, "outputs to zero")])
def test_what_the_outputs_do_alone_is_said_as_far_as_the_coupler_tells_it(control: dict[int, int], said: str) -> None:
    async def main() -> None:
        coupler = Coupler()
        coupler.control |= control
        assert (await box(coupler).identify()).facts["fallback"] == said

    run_virtual(main())
