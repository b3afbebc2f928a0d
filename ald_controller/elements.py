"""How the final elements of a tool tell what they do: valve word, contacts, flows, pressure, heaters. Pure.

Everything is judged from samples newer than the moment from which it matters: what was so before says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ald_controller.config import pa_per_unit
from ald_controller.interlocks import Base, Input, Quality, Sample, Samples, Setting

AGE_S = 3.0  # making a line's devices safe may hold up its readings for two seconds
FLOW_SHARE = 0.5
SHUT_SCCM = 1.0  # a shut flow controller reads its own zero, not exactly nothing
FALLEN = 0.95  # of the highest pressure
OVER_BASE = 1.2


@dataclass(frozen=True, slots=True)
class Elements:
    """Masks of the valve word, the samples that tell of each element, and the constants to judge them by.

    `pump` and `stop` are contacts that a tool may not have: then the pressure alone proves the path.
    """

    source_mask: int
    stop_mask: int
    contactor_mask: int
    flows: tuple[Input, ...]  # the carrier first
    purge_sccm: float
    pressure: Input
    pa_per_unit: float
    wall: Input | None
    outputs: tuple[tuple[str, Input], ...]  # zone and its share of power in percent, of all zones but lines
    pump: Input | None
    stop: Input | None
    base: Base | None
    decay_s: float | None  # V/S


def elements_of(setting: Setting) -> Elements:
    """The final elements of this tool; raises ValueError for a pressure channel without a unit in its name."""
    config, constants = setting.config, setting.constants
    others = {p.push.device for p in config.ports.values() if p.push is not None} - {config.carrier}
    zones = config.zones_of("substrate", "chamber", "source")
    wall = next(iter(config.zones_of("chamber").values()), None)
    return Elements(
        source_mask=config.source_mask,
        stop_mask=config.valves.mask("stop"),
        contactor_mask=config.valves.mask("contactor"),
        flows=tuple(_input(f"{name}.flow_sccm") for name in (config.carrier, *sorted(others))),
        purge_sccm=config.purge_flow,
        pressure=_input(config.signals.pressure),
        pa_per_unit=pa_per_unit(config.signals.pressure),
        wall=_input(f"{wall.device}.temperature_c") if wall else None,
        outputs=tuple((name, _input(f"{zone.device}.output_percent")) for name, zone in zones.items()),
        pump=_contact(config.signals.pump_running),
        stop=_contact(config.signals.stop_valve_open),
        base=constants.base,
        decay_s=constants.decay_s,
    )


def _input(signal: str) -> Input:
    return Input(signal, -1e4, 1e6, AGE_S)


def _contact(signal: str | None) -> Input | None:
    return None if signal is None else Input(signal, 0, 1, AGE_S)


_WORD = Input("valves.word", 0, float(2**53), AGE_S)


class Found(NamedTuple):
    """When it was found so, in s of the loop's clock, and what stands against it; "" = it is so."""

    at_s: float
    against: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """One scan's look at the final elements, at samples from after `since_s`; every method answers one question."""

    elements: Elements
    samples: Samples
    since_s: float
    now_s: float

    def sources_shut(self) -> Found:
        word = self._good(_WORD)
        if isinstance(word, str):
            return Found(self.now_s, word)
        bits = int(word.value) & self.elements.source_mask
        return Found(word.at_s, f"the valve word is {bits:#06x}" if bits else "")

    def heaters_off(self) -> Found:
        """The contactor of the lithium zones open, and no instrument of a zone gives power."""
        word = self._good(_WORD)
        if isinstance(word, str):
            return Found(self.now_s, word)
        if int(word.value) & self.elements.contactor_mask:
            return Found(word.at_s, "the contactor of substrate and chamber is closed")
        found = [self._no_power(zone, source) for zone, source in self.elements.outputs]
        return self._all([Found(word.at_s), *found])

    def _no_power(self, zone: str, source: Input) -> Found:
        share = self._good(source)
        if isinstance(share, str):
            return Found(self.now_s, share)
        return Found(share.at_s, f"{zone} has {share.value:.3g} % of its power" if share.value > 0 else "")

    def stop_open(self) -> Found:
        return self._stop(shut=False)

    def stop_shut(self) -> Found:
        return self._stop(shut=True)

    def _stop(self, *, shut: bool) -> Found:
        word = self._good(_WORD)
        if isinstance(word, str):
            return Found(self.now_s, word)
        if bool(int(word.value) & self.elements.stop_mask) is not shut:
            return Found(word.at_s, f"the valve word {'opens' if shut else 'shuts'} it")
        return self._all([Found(word.at_s), self._contact(self.elements.stop, 0 if shut else 1)])

    def pump_runs(self) -> Found:
        return self._contact(self.elements.pump, 1)

    def _contact(self, source: Input | None, wanted: int) -> Found:
        """A contact that a tool does not have tells nothing and bars nothing."""
        if source is None:
            return Found(self.since_s)
        contact = self._good(source)
        if isinstance(contact, str):
            return Found(self.now_s, contact)
        return Found(contact.at_s, "" if contact.value == wanted else f"{source.signal} is {contact.value:g}")

    def carrier_flows(self) -> Found:
        """The carrier above half of the purge flow."""
        flow, least = self._good(self.elements.flows[0]), FLOW_SHARE * self.elements.purge_sccm
        if isinstance(flow, str):
            return Found(self.now_s, flow)
        return Found(
            flow.at_s, "" if flow.value > least else f"it is at {flow.value:.3g} sccm, not above {least:g} sccm"
        )

    def nothing_flows(self) -> Found:
        return self._all([self._no_flow(source) for source in self.elements.flows])

    def _no_flow(self, source: Input) -> Found:
        flow = self._good(source)
        if isinstance(flow, str):
            return Found(self.now_s, flow)
        return Found(flow.at_s, f"{source.signal} is {flow.value:.3g}" if flow.value > SHUT_SCCM else "")

    def pressure_pa(self) -> float | None:
        sample = self._good(self.elements.pressure)
        return None if isinstance(sample, str) else sample.value * self.elements.pa_per_unit

    def pressure_falls(self, highest_pa: float) -> Found:
        """Below the highest since the abort, or settled at what is commissioned for this flow."""
        sample, settled_pa = self._good(self.elements.pressure), self._settled_pa()
        if isinstance(sample, str):
            return Found(self.now_s, sample)
        pa = sample.value * self.elements.pa_per_unit
        if pa <= FALLEN * highest_pa or (settled_pa is not None and pa <= OVER_BASE * settled_pa):
            return Found(sample.at_s)
        unknown = "; the settled pressure was never commissioned" if self.elements.base is None else ""
        return Found(sample.at_s, f"it is at {pa:.3g} Pa and does not fall{unknown}")

    def near_base(self) -> Found:
        """Below 1.2 times the settled pressure at this flow and wall."""
        if self.elements.base is None:
            return Found(self.now_s, "the settled pressure was never commissioned")
        pa, settled_pa = self.pressure_pa(), self._settled_pa()
        if pa is None or settled_pa is None:
            return Found(self.now_s, "pressure or flow is not known")
        most_pa = OVER_BASE * settled_pa
        return Found(self.now_s, "" if pa < most_pa else f"it is at {pa:.3g} Pa, not below {most_pa:.3g} Pa")

    def _settled_pa(self) -> float | None:
        """p0 at the carrier's own flow; with an unknown wall that of the coldest curve, which is the lowest."""
        base, flow = self.elements.base, self._good(self.elements.flows[0])
        if base is None or isinstance(flow, str):
            return None
        wall = self._good(self.elements.wall) if self.elements.wall else ""
        return base.pa(flow.value, base.curves[0][0] if isinstance(wall, str) else wall.value)

    def _good(self, source: Input) -> Sample | str:
        """A believable sample from after `since_s`, or what is wrong with it. A simulated one confirms nothing."""
        sample = self.samples.get(source.signal)
        fault = source.fault(sample, self.now_s)
        if fault or sample is None:
            return f"{source.signal} {fault}"
        if sample.quality is Quality.TEST:
            return f"{source.signal} is under test"
        return sample if sample.at_s > self.since_s else f"{source.signal} has not been read since"

    def _all(self, found: list[Found]) -> Found:
        """The latest of several, or the first that has something against it."""
        against = next((each for each in found if each.against), None)
        return against or Found(max(each.at_s for each in found))
