"""What a device's flags mean for the value beside them: whether interlocks may believe it.

A flag that is not here makes its value none: refuse, never default. Each flag that a driver may set is decided, here
or in tests/contract/test_flags.py, with its reason.
"""

from __future__ import annotations

from math import isfinite

from ald_controller.interlocks import Quality
from drivers.base import Reading

TOLERABLE: dict[str, str] = {  # flag -> why the value is still a measurement
    # Alicat, as drivers/alicat.py tells them
    "HLD": "its valve is held, the flow is measured",
    "LCK": "its panel is locked",
    "OPL": "its limit of pressure has acted, the flow is measured",
    "MOV": "the flow is above its range, is measured, and row C7 compares it",
    "TMF": "its totaliser missed something, the flow did not",
    # set-points, modes and outputs: the number is what the device works to, whoever wrote it
    "set-point changed elsewhere": "the device works to this one; row C7 compares the flow with what was asked",
    "set-point changed at the device": "the loop works to this one; the rows T2…T5 compare the temperature",
    "local set-point changed at the device": "it is put right in the same poll",
    "switched to off at the device": "the mode is as it is told",
    "switched to auto at the device": "the mode is as it is told",
    "switched to manual at the device": "the mode is as it is told",
    # Bronkhorst
    "minimum alarm": "a limit of the measured flow, set at the instrument",
    "maximum alarm": "a limit of the measured flow, set at the instrument",
    "response alarm": "the flow does not follow, and is measured; row C7 compares it",
    "no master": "where set-points come from, not what flows",
    # nXDS
    "power limited": "why the speed is what it is",
    "acceleration limited": "why the speed is what it is",
    "deceleration limited": "why the speed is what it is",
    "controller too cold": "about the temperature that is told with it",
    "controller too hot": "about the temperature that is told with it",
    "controller temperature limited": "about the temperature that is told with it",
    "service due": "the hours are counted",
    "parallel control": "who has started it, not whether it runs",
    "manual control": "who has started it, not whether it runs",
    "none control": "who has started it, not whether it runs",
    "serial enable off": "it would not obey, and tells whether it runs",
    "changed elsewhere": "it runs, or stands, as it tells",
    # SQM-160
    "zeroed at the instrument": "the thickness since then",
}
_WORDS = frozenset(TOLERABLE)
_GOOD, _UNCERTAIN, _BAD = Quality.GOOD, Quality.UNCERTAIN, Quality.BAD  # an Enum looks its members up each time


def quality(reading: Reading) -> Quality:
    """What a device says of its value; no flag makes something else than a number believable."""
    if not isfinite(reading.value):
        return _BAD
    if not reading.flags:
        return _GOOD
    return _UNCERTAIN if _WORDS.issuperset(reading.flags) else _BAD
