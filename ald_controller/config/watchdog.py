"""The valve module's watchdog as a tool file says it: a time that is armed over the wire, or an owner's own test of it.

`watchdog: 500 ms` goes with a module that is armed, read back and proven at every start. `watchdog: external` goes with
one that is set on the module itself, which nothing on the wire can read: then an owner says when it was tried, by whom,
and how long it took until every output was off. That figure is what the daemon promises, and no more.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, GetPydanticSchema, ValidatorFunctionWrapHandler
from pydantic_core import core_schema

from ald_controller import stamp, units
from ald_controller.yamlfile import Strict
from drivers.valve_modules import MODULES

ValveDriver = Literal["beckhoff_bk9050", "wago_750_352", "moxa_e1211", "adam_6256"]
EXTERNAL: Literal["external"] = "external"
LONGEST_S = 5.0  # no file may promise less: a dose that nobody ends goes on for so long
_EARLIEST_ZONE_S = 14 * 3600.0  # where the date changes first
_UNARMED = (
    "nothing on the wire arms the watchdog of {}: set it on the module, try it, and write 'external' "
    "with 'watchdog_test: {{date, by, closed_after}}'"
)
_TOGETHER = "'watchdog: external' goes with 'watchdog_test: {date, by, closed_after}', and only with it"
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")


def _date(written: object) -> datetime.date:
    try:
        if isinstance(written, str) and _DATE.match(written):
            return datetime.date.fromisoformat(written)
    except ValueError:
        pass
    raise ValueError(f"'{str(written)[:20]}' is no date: write YEAR-MONTH-DAY, as in 2026-11-02")


def _either(written: Any, as_time: ValidatorFunctionWrapHandler) -> Any:
    return written if written == EXTERNAL else as_time(written)


# not a union of the two: what is wrong with a time is told in the unit that the person wrote
_TIME = Annotated[float, Field(ge=0.1, le=1.0), BeforeValidator(units.TIME.parse)]
Watchdog = Annotated[
    float | Literal["external"],
    GetPydanticSchema(
        lambda _, schema: core_schema.no_info_wrap_validator_function(
            _either, schema(_TIME), serialization=core_schema.simple_ser_schema("any")
        )
    ),
]


class WatchdogTest(Strict):
    """An owner's test: writing was stopped with an output on, and `closed_after` s later every output was off."""

    date: Annotated[datetime.date, BeforeValidator(_date)]
    by: str = Field(min_length=1, max_length=100)
    closed_after: units.Seconds = Field(gt=0, le=LONGEST_S)


def watchdog_faults(
    driver: str, coils: int, watchdog: float | Literal["external"], test: WatchdogTest | None
) -> Iterator[tuple[str, str]]:
    """What contradicts the driver or each other: the key of the section `valves`, and a sentence."""
    module = MODULES[driver]
    if coils > module.most_coils:
        yield "coils", f"{driver} carries at most {module.most_coils} coils of the valve word"
    if module.armed and watchdog == EXTERNAL:
        yield "watchdog", f"the watchdog of {driver} is armed over the wire: write its time, for example 500 ms"
    elif not module.armed and watchdog != EXTERNAL:
        yield "watchdog", _UNARMED.format(driver)
    elif (watchdog == EXTERNAL) != (test is not None):
        yield "watchdog" if test is None else "watchdog_test", _TOGETHER
    elif watchdog != EXTERNAL and (near := _steps_beside(watchdog, module.step_ms)):
        yield "watchdog", f"the watchdog of {driver} counts in steps of {module.step_ms} ms: write {near}"
    if test is not None and test.date > _newest_date():
        yield "watchdog_test", f"{test.date} has not come yet: write the day on which the watchdog was tried"


def _steps_beside(watchdog_s: float, step_ms: int) -> str:
    """The times next to one that the module cannot keep, for a message; "" for one that it can."""
    steps = watchdog_s * 1000 / step_ms
    if abs(steps - round(steps)) < 1e-6:
        return ""
    return f"{int(steps) * step_ms} ms or {(int(steps) + 1) * step_ms} ms"


def _newest_date() -> datetime.date:
    """The date of today where it is the furthest on Earth: no test can bear a later one."""
    return datetime.datetime.fromtimestamp(stamp.utc_now() + _EARLIEST_ZONE_S, datetime.UTC).date()
