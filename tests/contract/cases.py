"""What the harness of wire faults needs to know of a driver: its face, its settings, and what is true of each channel.

All quantities of the plant behind a face rise with time, so that an old value shows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from drivers.line import Line
from simulators.face import Face
from simulators.faults import Framing
from tests.contract.scripted import now_s


class Rising:
    """A plant in which everything rises with time: enough for each face, and the truth for the tests."""

    def __init__(self) -> None:
        self.from_s = now_s()
        self.switched: dict[str, bool] = {}

    def since_s(self, at_s: float) -> float:
        return at_s - self.from_s


class Rack(Rising):
    """What hangs on a coupler: contacts are closed, what is measured rises."""

    def output(self, name: str, on: bool, at_s: float) -> None:
        self.switched[name] = on

    def contacts_at(self, at_s: float) -> Mapping[str, bool]:
        return defaultdict(lambda: True)


class Flowing(Rising):
    """Flow and supply pressure rise whatever the controller does; what is set is only noted."""

    def set_flow(self, name: str, sccm: float, at_s: float) -> None:
        self.switched[name] = sccm > 0

    def flow_sccm(self, name: str, at_s: float) -> float:
        return 10.0 + self.since_s(at_s)

    def supply_pa(self, at_s: float) -> float:
        return 2e5 + 500.0 * self.since_s(at_s)


class Heated(Rising):
    """A zone that grows warmer whatever its controller does."""

    def advance(self, at_s: float) -> None: ...

    def control(self, zone: str, law: object) -> None: ...

    def temperature_c(self, zone: str, at_s: float) -> float:
        return 100.0 + 2.0 * self.since_s(at_s)


def o2_ppm(plant: Any, at_s: float) -> float:
    """Of an analyser."""
    return 1.0 + float(plant.since_s(at_s)) / 2


def second_c(plant: Any, at_s: float) -> float:
    """Of a second thermocouple."""
    return 100.0 + 2 * float(plant.since_s(at_s))


@dataclass(frozen=True)
class Truth:
    """What a channel must say at a moment of a plant, in the channel's unit, and how finely it can say it."""

    at: Callable[[Any, float], float]
    resolution: float


@dataclass(frozen=True)
class Case:
    """One driver against its face. `plant()` has a `from_s`; `face(plant)` is one device, one connection for TCP.

    `channels` are those that rise; `set` is a write that the driver reads back, None for a device without one.
    `slowest_s` is the driver's time-out for one reply, in seconds.
    """

    name: str
    framing: Framing
    plant: Callable[[], Any]
    face: Callable[[Any], Face]
    driver: Callable[[Line], Any]
    channels: Mapping[str, Truth]
    slowest_s: float
    set: Callable[[Any], Awaitable[None]] | None = None
    wrong_unit: int | str = 2
    floats: bool = False  # numbers of two registers are read
    watchdog: bool = False  # the device has one, that switches outputs off
    silent_about: frozenset[str] = field(default_factory=frozenset)  # faults that no driver of this device can notice
