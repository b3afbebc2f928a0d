"""Each flag that a driver may set is decided: the value beside it is a measurement, or it is none."""

from __future__ import annotations

import math

import pytest

from ald_controller.interlocks import Quality
from ald_controller.quality import TOLERABLE, quality
from drivers import alicat, beckhoff_io, bronkhorst, edwards_nxds, eurotherm, mks_gauge, pfeiffer_tpg, watlow
from drivers.base import Reading

UNBELIEVED = {  # flag -> why the value beside it is none
    # Alicat
    "COM": "the link of set-points was idle for too long: what it does now is its own choice",
    "GTA": "not known what it says of the flow",
    "OVR": "not known what it says of the flow",
    "P2O": "not known what it says of the flow",
    "POV": "the pressure is beyond its range, and the flow is worked out with it",
    "TOV": "the temperature is beyond its range, and the flow is worked out with it",
    "VOV": "the volume flow is beyond its range",
    "ADC": "a DeviceFault",
    "EXH": "a DeviceFault",
    # Bronkhorst
    "warning": "it does not say of what",
    # 4-20 mA, 0-10 V, thermocouples, and flow at the end of what can be said
    "under range": "nothing is measured below the range: a dead analyser must not say that the box is good",
    "over range": "the true value may be higher",
    "out of range": "the module itself says so",
    "error": "no value",
    "register access": "no value: somebody configures the terminal",
    "broken wire": "no value",
    "sensor fault": "no value",
    "no signal": "no value",
    "no number": "no value",
    "watchdog tripped": "no value: the coupler tells nothing",
    # gauges
    "below zero": "a pressure below zero is none: adjust the gauge's zero",
    "degassing": "an ion gauge that degasses measures its own gas",
    # loops
    "open loop": "it heats and nothing grows warmer: the sensor may lie beside its part",
    "loop error": "not known what it says of the sensor",
    # pump
    "self-test warning": "the drive does not trust itself",
    "not fitted": "no value",
    "unknown control": "a control mode that no manual has",
}


def flags() -> dict[str, set[str]]:
    """What the drivers' own tables hold; words that a driver makes of a number are left out."""
    analogue = {"under range", "over range", "out of range", "broken wire", "sensor fault", "no signal", "no number"}
    modes = {f"switched to {mode} at the device" for mode in watlow.MODES.values()}
    control = {f"{mode} control" for mode in (*edwards_nxds.CONTROL.values(), "unknown") if mode != "serial"}
    pump = {*edwards_nxds.LIMITS.values(), *edwards_nxds.WARNINGS.values(), "service due", "serial enable off"}
    return {
        "alicat": {*alicat.STATUS_WORDS, alicat.MOVED},
        "bronkhorst": {*bronkhorst.ALARMS.values(), bronkhorst.MOVED, "over range"},
        "mks_937": {"below zero", *mks_gauge.WORKING} - {""},
        "pfeiffer_tpg": {*pfeiffer_tpg.STATUS.values(), "below zero"},
        "eurotherm_3216": {*eurotherm.STATUS_WORDS.values(), eurotherm.MOVED, eurotherm.LOCAL_MOVED},
        "watlow": {*modes, "set-point changed at the device", "open loop", "loop error"},
        "couplers": {*beckhoff_io.STATUS_BITS.values(), *beckhoff_io.USELESS_BITS.values(), "watchdog tripped"},
        "analogue_io": {*analogue, "error"},
        "edwards_nxds": {*control, *pump, "changed elsewhere", "not fitted"},
        "inficon_sqm160": {"zeroed at the instrument"},
    }


LOOP = set(eurotherm.STATUS_WORDS.values())  # of a Eurotherm's temperature: none is believed beside an alarm
GAUGE = mks_gauge.WORKING | set(pfeiffer_tpg.STATUS.values())  # a gauge in another state than measuring has no value


@pytest.mark.parametrize("driver", flags())
def test_each_flag_of_a_driver_is_decided_once(driver: str) -> None:
    for flag in flags()[driver]:
        believed, not_ = flag in TOLERABLE, flag in UNBELIEVED or flag in LOOP | GAUGE
        assert believed != not_, f"'{flag}' is undecided, or decided twice"


def test_no_decision_is_about_a_flag_that_nobody_sets() -> None:
    every = {flag for some in flags().values() for flag in some}
    assert set(TOLERABLE) | set(UNBELIEVED) <= every


@pytest.mark.parametrize("flag", TOLERABLE)
def test_a_tolerable_flag_leaves_a_measurement_in_doubt_and_makes_no_number_of_none(flag: str) -> None:
    assert quality(Reading(1.0, 0.0, (flag,))) is Quality.UNCERTAIN
    assert quality(Reading(math.nan, 0.0, (flag,))) is Quality.BAD


@pytest.mark.parametrize("flag", [*UNBELIEVED, *sorted(LOOP | GAUGE), "a word that nobody knows"])
def test_every_other_flag_makes_the_value_none_also_beside_a_tolerable_one(flag: str) -> None:
    assert quality(Reading(1.0, 0.0, (flag,))) is Quality.BAD
    assert quality(Reading(1.0, 0.0, (next(iter(TOLERABLE)), flag))) is Quality.BAD
