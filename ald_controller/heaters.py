"""What heats: goals and ramps, what interlocks forbid or cap, the contactors, and what each instrument is sent."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from ald_controller.config import LITHIUM_CLAMP_C, ToolConfig
from ald_controller.heating import Measured, Ramp, order_of
from drivers.base import Heater, Outputs, Refused

SOURCE_CONTACTOR = "source contactor"

_OFF = Ramp(None, 0.0, 0.0, 0.0)
_ROOM_C = 20.0  # where a ramp begins whose zone cannot be read


class Aux(Protocol):
    """The valve engine, as far as it holds the contactor of the zones that touch lithium."""

    def aux(self, mask: int, bits: int) -> None: ...


class Heaters:
    """All zones of one tool. What a zone is sent is worked out at the moment of sending, never kept.

    `devices` are all devices by name, `couplers` those that switch the contactor of sources and lines; `clock` is the
    loop's, in seconds.
    """

    def __init__(
        self, config: ToolConfig, devices: Mapping[str, Any], valves: Aux, couplers: tuple[str, ...],
        measured: Measured, clock: Callable[[], float],
    ) -> None:  # fmt: skip
        self._config, self._devices, self._valves, self._couplers = config, devices, valves, couplers
        self._measured_c, self._clock = measured, clock
        self._order = order_of(config)
        self._touching = tuple(config.zones_of("substrate", "chamber"))  # lithium, that is
        self._contactor = config.valves.mask("contactor")
        self.zone_of = {zone.device: name for name, zone in config.zones.items()}  # by the name of its instrument
        self.lithium = True  # the load register says lithium, or does not know
        self._ramps: dict[str, Ramp] = {}  # of the zones that somebody has commanded
        self._forbidden: frozenset[str] = frozenset()
        self._contactor_open = False
        self._sources_cut = self._sources_on = False  # their contactor has to stay open; it was told to close
        self._ceiling_c = math.inf  # what zones that touch lithium are asked for at most

    # --- what is asked of zones ------------------------------------------------------------------------------------

    async def heat(self, targets_c: dict[str, float | None], ramp_k_per_s: float | None) -> None:
        """Give zones new goals in °C (None = off), ramped no faster than the zone allows; returns at once.

        Closes the contactors that the goals need; opens those that no goal needs any more. Raises DriverError, and
        Refused for a goal above the clamp of a zone that touches lithium, whoever asks for it.
        """
        zones, now_s = self._config.zones, self._clock()
        for zone, goal in targets_c.items():
            if goal is not None and goal > self._clamp_c(zone):
                least = f"at most {LITHIUM_CLAMP_C:g} °C is expected where lithium may lie"
                raise Refused(zones[zone].device, f"{zone} was to be heated to {goal:g} °C: {least}")
        for zone, goal in targets_c.items():
            rate = min(ramp_k_per_s or math.inf, zones[zone].max_ramp)
            start = self._measured_c(zone)
            self._ramps[zone] = Ramp(goal, _ROOM_C if start is None else start, now_s, rate)
        self._switch_lithium()
        hot = any(self.goal_c(zone) is not None for zone in (*self._order.sources, *self._order.lines_limit_c))
        await self._switch_sources(hot and not self._sources_cut)

    def goal_c(self, zone: str) -> float | None:
        """Where a zone goes, in °C; None = off, or nobody has commanded it."""
        ramp = self._ramps.get(zone)
        return None if ramp is None else ramp.goal_c

    @property
    def lithium_heated(self) -> bool:
        """Whether a zone that touches lithium has a goal, and no interlock keeps it off."""
        return any(self.goal_c(zone) is not None and zone not in self._forbidden for zone in self._touching)

    # --- what interlocks ask ---------------------------------------------------------------------------------------

    def forbid(self, zones: frozenset[str], contactor_open: bool, sources_cut: bool = False) -> None:
        """These zones stay off until told otherwise; the lithium contactor opens with its last zone, or alone.

        `sources_cut` opens the contactor of sources and lines with the next poll of its coupler.
        """
        self._sources_cut = sources_cut
        if (zones, contactor_open) != (self._forbidden, self._contactor_open):
            self._forbidden, self._contactor_open = zones, contactor_open
            self._switch_lithium()

    def cap(self, ceiling_c: float) -> None:
        """Ask zones that touch lithium for no more; when they may be hotter again they ramp up from where they are."""
        higher, self._ceiling_c = ceiling_c > self._ceiling_c, ceiling_c
        for zone in self._touching if higher else ():
            if zone in self._ramps and (start_c := self._measured_c(zone)) is not None:
                now_s = self._clock()
                self._ramps[zone] = replace(self._ramps[zone], start_c=start_c, since_s=now_s)

    # --- what instruments are sent ---------------------------------------------------------------------------------

    def asked_c(self) -> dict[str, float | None]:
        """The set-point of every commanded zone now, in °C; None = off, also by an interlock."""
        targets = self._order.setpoints(self._ramps, self._measured_c, self._clock())
        return {zone: self._allowed(zone, target_c) for zone, target_c in targets.items()}

    async def refresh(self, device: str) -> None:
        """Refresh the volatile set-point of one loop; a loop that nobody commanded is left as it is."""
        zone = self.zone_of[device]
        ramp = self._ramps.get(zone)
        if ramp is not None:
            heater: Heater = self._devices[device]
            now_s = self._clock()
            await heater.follow(self._allowed(zone, self._order.setpoint(zone, ramp, self._measured_c, now_s)))

    def _allowed(self, zone: str, target_c: float | None) -> float | None:
        """What forbidden zones, the ceiling and the clamp leave of a set-point."""
        if target_c is None or zone in self._forbidden:
            return None
        return min(target_c, self._clamp_c(zone), self._ceiling_c) if zone in self._touching else target_c

    def _clamp_c(self, zone: str) -> float:
        """The highest set-point that this zone may ever be sent, in °C."""
        return LITHIUM_CLAMP_C if self.lithium and zone in self._touching else math.inf

    # --- contactors ------------------------------------------------------------------------------------------------

    def _switch_lithium(self) -> None:
        closed = self.lithium_heated and not self._contactor_open
        self._valves.aux(self._contactor, self._contactor if closed else 0)

    async def _switch_sources(self, on: bool) -> None:
        for coupler in self._couplers:
            outputs: Outputs = self._devices[coupler]
            await outputs.set_output(SOURCE_CONTACTOR, on)
            self._sources_on = on

    async def keep_sources_cut(self, coupler: str) -> None:
        """Open the contactor where it may still be closed and an interlock wants it open; it is never closed here."""
        if self._sources_cut and self._sources_on and coupler in self._couplers:
            await self._switch_sources(False)

    # --- the way to safety -----------------------------------------------------------------------------------------

    def let_go(self, *, uncommanded: bool) -> None:
        """Every commanded zone goes off from now on, and with `uncommanded` the others are told so, too.

        Lines still follow their sources down.
        """
        self._ramps = {zone: _OFF for zone in self._config.zones if uncommanded or zone in self._ramps}

    def follows_down(self, device: str) -> bool:
        """Whether this is the instrument of a commanded line: that goes cold after its source, never before."""
        zone = self.zone_of.get(device)
        return zone in self._order.lines_limit_c and zone in self._ramps

    @property
    def lines_need_power(self) -> bool:
        """Whether the contactor of sources and lines stays as it is when all else is switched off."""
        return not self._sources_cut and any(zone in self._ramps for zone in self._order.lines_limit_c)
