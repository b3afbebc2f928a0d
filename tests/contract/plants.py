"""Plants behind a single device that are just as the test says: flows, a zone, what hangs on a coupler."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any


class Flows:
    """What flows is what was set."""

    def __init__(self, supply_pa: float = 2e5) -> None:
        self.flows = {"carrier": 0.0, "pusher": 0.0}
        self._supply_pa = supply_pa

    def set_flow(self, name: str, sccm: float, at_s: float) -> None:
        self.flows[name] = sccm

    def flow_sccm(self, name: str, at_s: float) -> float:
        return self.flows[name]

    def supply_pa(self, at_s: float) -> float:
        return self._supply_pa


class Oven:
    """A zone of that temperature, whatever its controller does; `law` is what it would do."""

    law: Any

    def __init__(self, celsius: float = 100.0) -> None:
        self.celsius = celsius

    def advance(self, at_s: float) -> None: ...

    def control(self, zone: str, law: object) -> None:
        self.law = law

    def temperature_c(self, zone: str, at_s: float) -> float:
        return self.celsius


class Rack:
    """Contacts of which some are closed, and outputs: how they were switched, and when one fell."""

    def __init__(self, *closed: str) -> None:
        self.closed = set(closed)
        self.switched: dict[str, bool] = {}
        self.fell_s: list[float] = []

    def output(self, name: str, on: bool, at_s: float) -> None:
        if self.switched.get(name) and not on:
            self.fell_s.append(at_s)
        self.switched[name] = on

    def contacts_at(self, at_s: float) -> Mapping[str, bool]:
        return defaultdict(bool, dict.fromkeys(self.closed, True))
