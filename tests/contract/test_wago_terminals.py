"""The terminals of a WAGO coupler are compared with the settings; settings that cannot be are refused."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.base import Refused
from drivers.wago_io import WagoAnalogueInput, WagoIoConfig
from drivers.wired import DigitalInput, DigitalOutput
from tests.contract.wago_bench import ANALOGUE, DIGITAL, OUTPUTS, Bench, virtually


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ((453, 453, 468, 469), "'o2_ppm' is '4-20 mA', its terminal 750-453 is for 4-20 mA on 0-20 mA"),
        ((455, 455, 468, 469), "'h2o_ppm' is '4-20 mA on 0-20 mA', its terminal 750-455 is for 4-20 mA"),
        ((474, 474, 453, 468, 469), "'o2_ppm' is '4-20 mA', its terminal 750-474 is for none"),
        ((455, 453, 468, 467), "'substrate_2_c' is 'type K', its terminal 750-467 is for 0-10 V"),
    ],
)
def test_a_channel_in_a_terminal_of_another_kind_is_refused(items: tuple[int, ...], words: str) -> None:
    async def main(bench: Bench) -> None:
        with pytest.raises(Refused, match=words):
            await bench.device.identify()

    virtually(main, items=items)


def test_a_terminal_that_is_not_known_here_is_told() -> None:
    async def main(bench: Bench) -> None:
        facts = (await bench.device.identify()).facts
        assert facts["terminals"] == "750-455, 750-493; not checked from 750-493 on"

    virtually(main, items=(455, 493))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"analogue": (*ANALOGUE, WagoAnalogueInput("p_torr", 13, "0-10 V", 0, 1, 0.1))}, "208 bits of .* need 224"),
        ({"digital": (DigitalInput("far", 16),)}, "16 inputs and 8 outputs are fewer"),
        ({"outputs": (DigitalOutput("far", 8),)}, "16 inputs and 8 outputs are fewer"),
    ],
)
def test_terminals_that_are_missing_are_refused(changed: dict[str, Any], words: str) -> None:
    known = {"analogue": ANALOGUE, "digital": DIGITAL, "outputs": OUTPUTS}
    settings = WagoIoConfig(1, 1.0, **(known | changed))

    async def main(bench: Bench) -> None:
        with pytest.raises(Refused, match=words):
            await bench.device.identify()

    virtually(main, settings=settings)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"watchdog_s": 0.25}, "counts in 0.1 s"),
        ({"watchdog_s": 0.0}, "counts in 0.1 s"),
        ({"analogue": (ANALOGUE[0], WagoAnalogueInput("x", 0, "0-10 V", 0, 1, 1))}, "share a register"),
        ({"analogue": (WagoAnalogueInput("x", 0, "0-10 V", 0, 1, 0),)}, "must be above 0"),
        ({"analogue": (WagoAnalogueInput("x", 0, "0-10 V", 1, 1, 1),)}, "upwards"),
        ({"digital": (DigitalInput("o2_ppm", 0),)}, "'o2_ppm' is wired twice"),
        ({"outputs": (DigitalOutput("vent", 512),)}, "are 0…511"),
    ],
)
def test_settings_that_cannot_be_are_refused(changed: dict[str, Any], words: str) -> None:
    known = {"watchdog_s": 1.0, "analogue": ANALOGUE, "digital": (), "outputs": ()}
    with pytest.raises(ValueError, match=words):
        WagoIoConfig(unit=1, **(known | changed))
