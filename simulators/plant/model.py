"""The plant: chamber, flows, bottles, zones, glovebox and surface as one pure model. Time is always an argument.

The plant is event-driven: an act (`valve_word`, `set_flow`, `output` …) or a read-out moves it to that moment, in exact
steps between the changes of its inputs. Times are seconds of any monotonic clock. A time that lies before the plant's
own is treated as now, except that doses keep their widths.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import inf

from simulators.plant.bottle import Bottle
from simulators.plant.crystal import Crystal
from simulators.plant.dosing import WIDE, Dosing
from simulators.plant.flows import Flow
from simulators.plant.gas import SCCM_MOL_S, Contents, Lag, Pump, R, Vessel
from simulators.plant.gauges import Gauges
from simulators.plant.glovebox import Glovebox
from simulators.plant.heat import ROOM_C, Build, Heat, Law, zones
from simulators.plant.network import shipped
from simulators.plant.noise import Noise
from simulators.plant.reacting import Conditions, Reactor
from simulators.plant.sample import Sample
from simulators.plant.sources import AVOGADRO, TORR_PA, named, vapours
from simulators.plant.surface import Surface
from simulators.plant.wiring import CONTACTS, DosingValve, Port, Wiring

ROOM_PA = 101_325.0
LITHIUM_ROLES = ("substrate", "chamber")
SWITCHED_S = 0.05  # the first step after vent, gate or pump was switched
LEAKING_STEP_S = 0.5  # a leak-by changes as slowly as a headspace refills
GAS_STEP_S, GAS_STEP_SHARE = 30.0, 0.5  # of a step with vapour about: at most, and of the time since the last change
MOVING_SITES = 0.02  # of all sites that may change their state within one step


class Plant:
    """One reactor on one glovebox.

    `warm_c` gives zones their temperatures at the start (others are at room temperature); the chamber starts pumped.
    `builds` makes zones otherwise than their roles usually are; `readings` says by which reading of the literature a
    film grows (from 1), where that is not the first.
    `lag_s` makes every read-out and act, except valve words with their own stamps, happen that much earlier: the time
    that a valve word may take to become known here.
    """

    def __init__(
        self,
        wiring: Wiring,
        *,
        at_s: float,
        warm_c: Mapping[str, float] | None = None,
        seed: int = 1,
        lag_s: float = 0.0,
        vessel: Vessel | None = None,
        builds: Mapping[str, Build] | None = None,
        sample: Sample | None = None,
        readings: Mapping[str, int] | None = None,
    ) -> None:
        self._network = shipped(tuple(sorted((readings or {}).items())))
        self.wiring, self.vessel, self.lag_s = wiring, vessel or Vessel(), lag_s
        self._start_s = self._at_s = at_s - lag_s
        self.word = 0
        self.outputs: dict[str, bool] = {}
        self.contacts: dict[str, bool] = {name: name != "confirm_button" for name in CONTACTS}
        self.heat = Heat(zones(wiring.zones, warm_c or {}, builds), self._at_s, self._powered)
        self._second = next((zone.second for zone in self.heat.zones.values() if zone.second is not None), None)
        self._wall = next((zone for zone in self.heat.zones.values() if zone.role == "chamber"), None)
        self._stage = next((zone for zone in self.heat.zones.values() if zone.role == "substrate"), self._wall)
        self.flows = {name: Flow() for name in wiring.flows}
        self._flows = tuple(self.flows.values())
        self.path = Lag(self.vessel.stop_tau_s, 1.0, 1.0, 1e-4)  # of the exposure stop valve: 1 is open
        self._pump = Pump()
        self._lags = (self.path, *(flow.lag for flow in self._flows))
        self.gas = Contents(self.vessel.ultimate_pa)
        self.gauges = Gauges(self.gas.total_pa)
        self.load(sample or Sample())
        self.bottles = {port.name: bottle for port in wiring.ports if (bottle := self._bottle(port))}
        self.valves = {port.name: DosingValve() for port in wiring.ports}
        self.o2_ppm, self.h2o_ppm, self.box_over_pa = 0.2, 0.3, 200.0
        self.box = Glovebox(self._at_s)
        self._noise = {
            name: Noise(seed, name)
            for name in ("o2", "h2o", "box", "capacitance", "pirani", "second", "crystal", *wiring.flows, *wiring.zones)
        }
        self.crystal = Crystal(self._noise["crystal"], self._surface_c())
        self._sources_mask = sum(port.mask for port in wiring.ports)
        self._dosing = Dosing(self.bottles, self._port_c, self._at_s)
        self._changed_s = self._start_s
        self._next_s = inf  # when a valve moves or a flow controller follows
        self._late_s = 0.0

    def _bottle(self, port: Port) -> Bottle | None:
        key = named(port.precursor) if port.precursor else None
        if key is None:
            return None
        vapour = vapours()[key]
        return Bottle(key, vapour, port.grams, vapour.pressure_pa(self._port_c(port)), self._at_s)

    def load(self, sample: Sample) -> None:
        """Another sample, with a surface that has seen nothing."""
        self.sample, self.surface = sample, Surface(sample.nucleates, network=self._network)
        self._reactor = Reactor(self.gas, self.surface)

    # --- acts ---

    def valve_word(self, at_s: float, word: int) -> None:
        """The outputs of coupler A took this word at `at_s`; a word that is heard of late keeps its dose's width."""
        if not self.word & self._sources_mask:
            self._late_s = 0.0
        self._late_s = max(self._late_s, self._at_s - at_s)
        self._advance(at_s + self._late_s)
        self.word = word
        self._rewire()

    def set_flow(self, name: str, sccm: float, at_s: float) -> None:
        """Give a flow controller's valve a new target in sccm."""
        self.advance(at_s)
        self.flows[name].ask(sccm, self._at_s)
        self._next_s = min(self._next_s, self.flows[name].next_s)

    def drift_zero(self, name: str, sccm: float, at_s: float) -> None:
        """A flow controller measures this much when nothing flows, and so lets as much less through."""
        self.advance(at_s)
        self.flows[name].drift(sccm)

    def control(self, zone: str, law: Law) -> None:
        """Let `law` set this zone's power from its sensor, twice a second."""
        self.heat.zones[zone].law = law

    def output(self, name: str, on: bool, at_s: float) -> None:
        """Switch one of the plain outputs: vent, gate lock, lamp, buzzer, source contactor."""
        self.advance(at_s)
        self.outputs[name], self._pump.longest_s = on, SWITCHED_S

    def set_contact(self, name: str, closed: bool, at_s: float) -> None:
        """Open or close a contact, and with it what it reports: pump, gate, compressed air, argon, mains, E-stop."""
        if name not in self.contacts:
            raise ValueError(f"'{name}' is no contact of the plant: those are {', '.join(CONTACTS)}")
        self.advance(at_s)
        self.contacts[name] = closed
        self._pump.longest_s = SWITCHED_S
        self._rewire()

    # --- faults of dosing valves and bottles ---

    def stick_closed(self, port: str, at_s: float) -> None:
        """The dosing valve of `port` does not open any more, whatever the valve word says: stuck, frozen or plugged."""
        self._set_valve(port, DosingValve(0.0, 0.0), at_s)

    def stick_open(self, port: str, at_s: float) -> None:
        """The dosing valve of `port` stands wide open from now on, whatever the valve word says."""
        self._set_valve(port, DosingValve(1.0, 1.0), at_s)

    def leak_by(self, port: str, share: float, at_s: float) -> None:
        """The shut dosing valve of `port` lets this share of an open one's flow by (1e-3: a scratched seat)."""
        self._set_valve(port, DosingValve(1.0, share), at_s)

    def throttle(self, port: str, share: float, at_s: float) -> None:
        """The dosing valve of `port` opens to this share only: half plugged, or with little air behind its pilot."""
        self._set_valve(port, DosingValve(share, 0.0), at_s)

    def mend_valve(self, port: str, at_s: float) -> None:
        """A new dosing valve at `port`."""
        self._set_valve(port, DosingValve(), at_s)

    def empty_bottle(self, port: str, at_s: float) -> None:
        """The bottle at `port` has given its last."""
        self.advance(at_s)
        bottle = self.bottles[port]
        bottle.grams = bottle.headspace_pa = 0.0
        bottle.foreign_pa = self.gas.total_pa

    def hang_bottle(self, port: str, precursor: str, at_s: float, grams: float = 50.0) -> None:
        """Another bottle at `port`, whatever its card says: the wrong one, or a full one in place of an empty one."""
        self.advance(at_s)
        bottle = self._bottle(replace(self._port(port), precursor=precursor, grams=grams))
        if bottle is None:
            raise ValueError(f"the plant knows no precursor '{precursor}'")
        self.bottles[port] = bottle

    def _set_valve(self, port: str, valve: DosingValve, at_s: float) -> None:
        self.advance(at_s)
        self.valves[self._port(port).name] = valve
        self._rewire()

    def _port(self, name: str) -> Port:
        found = next((port for port in self.wiring.ports if port.name == name), None)
        if found is None:
            raise ValueError(f"'{name}' is no port: those are {', '.join(port.name for port in self.wiring.ports)}")
        return found

    # --- read-outs ---

    def pressure_pa(self, at_s: float) -> float:
        """True pressure in the chamber."""
        self.advance(at_s)
        return self.gas.total_pa

    def capacitance_torr(self, at_s: float) -> float:
        """The 10 Torr capacitance gauge, clipped at its ends."""
        self.advance(at_s)
        torr = self.gauges.capacitance.value / TORR_PA
        return min(max(torr + 3e-3 * self._noise["capacitance"].fast(at_s), 0.0), 10.0)

    def pirani_pa(self, at_s: float) -> float:
        """The thermal-conductivity gauge, set to the carrier's gas."""
        self.advance(at_s)
        return self.gauges.pirani.value * (1.0 + 0.004 * self._noise["pirani"].fast(at_s))

    def flow_sccm(self, name: str, at_s: float) -> float:
        """What a flow controller measures."""
        self.advance(at_s)
        return self.flows[name].reading_sccm + 5e-4 * self.wiring.flows[name] * self._noise[name].fast(at_s)

    def supply_pa(self, at_s: float) -> float:
        """Absolute pressure at the inlets of the flow controllers."""
        return 200_000.0 if self.contacts["argon_ok"] else ROOM_PA

    def temperature_c(self, zone: str, at_s: float) -> float:
        """A zone's sensor; full scale (1400 °C) when its thermocouple is open."""
        self.advance(at_s)
        return self.heat.zones[zone].sensor.read_c(0.03 * self._noise[zone].fast(at_s))

    def substrate_2_c(self, at_s: float) -> float:
        """The second, independent thermocouple at the substrate."""
        self.advance(at_s)
        noise_k = 0.05 * self._noise["second"].fast(at_s)
        return ROOM_C + noise_k if self._second is None else self._second.read_c(noise_k)

    def glovebox_o2_ppm(self, at_s: float) -> float:
        return max(
            self.o2_ppm + self.box.over_o2_ppm(at_s) + 0.02 * self._noise["o2"].slow(at_s - self._start_s, 120.0), 0.0
        )

    def glovebox_h2o_ppm(self, at_s: float) -> float:
        return max(
            self.h2o_ppm + self.box.over_h2o_ppm(at_s) + 0.03 * self._noise["h2o"].slow(at_s - self._start_s, 180.0),
            0.0,
        )

    def box_over_room_pa(self, at_s: float) -> float:
        """The glovebox's pressure against the room."""
        return self.box_over_pa + 15.0 * self._noise["box"].slow(at_s - self._start_s, 20.0)

    def chamber_over_box_pa(self, at_s: float) -> float:
        """The chamber's pressure against the glovebox."""
        return self.pressure_pa(at_s) - ROOM_PA - self.box_over_room_pa(at_s)

    def contacts_at(self, at_s: float) -> Mapping[str, bool]:
        """The contacts as the input terminals see them, closed or not; lock and stop valve follow what drives them."""
        self.advance(at_s)
        contacts = self.contacts
        locked = contacts["gate_locked"] and contacts["gate_shut"] and not self.outputs.get("gate lock", False)
        opened = contacts["stop_valve_open"] and self.path.value > 0.9
        return contacts | {"gate_locked": locked, "stop_valve_open": opened}

    def thickness_nm(self, at_s: float) -> float:
        """How much film has grown."""
        self.advance(at_s)
        return self.surface.thickness_nm

    def crystal_ng_cm2(self, at_s: float) -> float:
        """The mass that a crystal beside the sample has gained, half-grown layers included."""
        self.advance(at_s)
        return self.surface.mass_ng_cm2(self._surface_c())

    def crystal_hz(self, at_s: float) -> float:
        """The frequency of that crystal."""
        return self.crystal.hz(self.crystal_ng_cm2(at_s), self._surface_c(), at_s)

    def coated(self, at_s: float) -> dict[str, float]:
        """How far down holes the last half-cycle of each precursor went: 1 is the bottom; empty when there are none."""
        self.advance(at_s)
        return self._reactor.coated(self.sample.aspect, self._surface_c())

    @property
    def backflow_mol(self) -> dict[str, float]:
        """What has streamed into bottles that were opened against a higher pressure, by port; empty in a sound run."""
        return {port: bottle.backflow_mol for port, bottle in self.bottles.items() if bottle.backflow_mol > 0.0}

    # --- how it moves ---

    def advance(self, at_s: float) -> None:
        """Move to `at_s` as a read-out sees it."""
        to_s = at_s - self.lag_s
        if to_s > self._at_s:  # most read-outs are at the moment of another
            self._advance(to_s)

    def _advance(self, to_s: float) -> None:
        self.heat.advance(to_s)
        while to_s > self._at_s:
            if self._next_s <= self._at_s:
                self._move()
            until_s = min(to_s, self._next_s)
            step = self._longest_s()
            ends_s = until_s if step >= until_s - self._at_s else self._at_s + step
            self._step(ends_s - self._at_s, ends_s)
            self._at_s = ends_s

    def _move(self) -> None:
        """Let valves and flow controllers do what is due."""
        for flow in self._flows:
            flow.move(self._at_s)
        for port, opens in self._dosing.move(self._at_s):
            self.crystal.gas_switched(self._at_s, opens)
            if opens and (bottle := self.bottles.get(port.name)):
                self._reactor.holes.opens(bottle.key)
            self._changed_s = self._at_s
        self._next_s = min(self._dosing.next_s, *[flow.next_s for flow in self._flows])

    def _longest_s(self) -> float:
        """How long a step may be and still be right: a few ms in a dose, else until the inputs have settled."""
        longest = 60.0
        for lag in self._lags:
            if lag.value != lag.target:
                longest = 0.05
        if self._dosing.open:
            if self._dosing.widest > WIDE:
                return min(0.005 + 0.2 * (self._at_s - self._dosing.opened_s), 0.1)
            longest = min(longest, LEAKING_STEP_S)
        longest = min(longest, self._pump.longest_s)
        return min(longest, self._reacting_s()) if self.gas.vapours_pa else longest

    def _reacting_s(self) -> float:
        """How long a step with vapour about may be: it grows with the quiet, while few sites change their state."""
        longest = min(GAS_STEP_S, 0.005 + GAS_STEP_SHARE * (self._at_s - self._changed_s))
        sites_s = self._reactor.sites_s
        return min(longest, max(0.005, MOVING_SITES / sites_s)) if sites_s else longest

    def _step(self, dt_s: float, ends_s: float) -> None:
        contacts, vessel, gas, gas_k = self.contacts, self.vessel, self.gas, self._gas_k()
        volume_m3 = vessel.volume_m3
        rise = R * gas_k / volume_m3  # Pa/s per mol/s
        path = self.path
        opening = path.value if path.value == path.target else path.advance(dt_s)
        other, inert = 0.0, vessel.leak_pa_m3_s / volume_m3
        vented = self.outputs.get("vent", False)
        if vented or not contacts["gate_shut"]:
            vent = vented and contacts["argon_ok"]
            other, more = vessel.inlets(vent, None if contacts["gate_shut"] else ROOM_PA + self.box_over_pa)
            inert += more
        supplied = contacts["argon_ok"] and gas.inert_pa <= vessel.relief_pa  # else nothing flows
        for flow in self._flows:
            inert += flow.advance(dt_s, supplied) * SCCM_MOL_S * rise
        pumped = 0.0
        if contacts["pump_running"]:
            pumped = self._pump.speed_m3_s(vessel, opening, gas.inert_pa + gas.reactive_pa, other, inert, dt_s)
            inert += pumped * vessel.ultimate_pa / volume_m3
        rate = (pumped + other) / volume_m3
        doses: Mapping[str, float] = {}
        if self._dosing.open:
            doses, foreign = self._dosing.give(dt_s, ends_s, gas, gas_k, volume_m3, rise, self.flows)
            inert += foreign * rise / dt_s
        gas.advance_inert(dt_s, rate, inert)
        if doses or gas.vapours_pa:
            fed = {key: moles * rise / dt_s for key, moles in doses.items()}
            area_m2 = vessel.wall_m2 + self.sample.area_m2
            now = Conditions(dt_s, rate, gas_k - 273.15, self._surface_c(), area_m2 * rise / AVOGADRO)
            self._reactor.advance(fed, now)
        self.gauges.follow(dt_s, gas.inert_pa, gas.reactive_pa)

    def _port_c(self, port: Port) -> float:
        return self.heat.zones[port.zone].metal_c if port.zone else ROOM_C

    def _surface_c(self) -> float:
        return self._stage.metal_c if self._stage else ROOM_C

    def _gas_k(self) -> float:
        return (self._wall.metal_c if self._wall else ROOM_C) + 273.15

    def _rewire(self) -> None:
        """Turn word and contacts into positions: without air the pilots rest, an E-stop takes the sources' supply."""
        air = self.contacts["compressed_air_ok"]
        live = self.word if air and self.contacts["estop_ok"] else 0
        for port in self.wiring.ports:
            self._dosing.ask(port, self._share(port, live), self._at_s)
        self._next_s, self._changed_s = min(self._next_s, self._dosing.next_s), self._at_s
        self.path.target = 0.0 if air and self.word & self.wiring.stop_mask else 1.0

    def _share(self, port: Port, live: int) -> float:
        valve = self.valves[port.name]
        return valve.energised if port.mask and live & port.mask == port.mask else valve.at_rest

    def _powered(self, role: str) -> bool:
        """Whether this role's contactor is closed: both sit in the chain of E-stop and limit controller."""
        chain = self.contacts["estop_ok"] and self.contacts["limit_controller_ok"] and self.contacts["mains_ok"]
        if role in LITHIUM_ROLES:
            return chain and bool(self.word & self.wiring.contactor_mask)
        return chain and self.outputs.get("source contactor", False)
