"""The simulated device of each entry of a tool file: which one a driver's name stands for, and what it shows to a line.

All of them measure and move the one plant. What the reactor's physics does not know (a pump's motor, a crystal) has a
small plant of its own here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from simulators.alicat import AlicatFace
from simulators.analogue_io import AnalogueFace, AnalogueModule, Input
from simulators.beckhoff_io import Channel, CouplerB, CouplerBFace
from simulators.bronkhorst import BronkhorstFace
from simulators.edwards_nxds import NxdsFace, ScrollPump
from simulators.eurotherm import Eurotherm
from simulators.face import Face
from simulators.faults import Framing
from simulators.inficon_sqm160 import SqmFace
from simulators.mks import Mks937Face, MksFace
from simulators.pfeiffer_tpg import TpgFace
from simulators.plant import Plant
from simulators.plant.crystal import FRESH_HZ, NG_CM2_PER_HZ
from simulators.plant.sources import TORR_PA
from simulators.quantity import quantity
from simulators.wago_io import Channel as WagoChannel
from simulators.wago_io import WagoB, WagoBFace
from simulators.watlow import Watlow

Entry = Mapping[str, Any]
CAPACITANCE = ("CM", "CMR", "CAP", "CDG")  # gauges whose name begins so measure a force; the others the gas itself


@dataclass(frozen=True, slots=True)
class Site:
    """The plant, and the tool file with every device that hangs on it."""

    plant: Plant
    tool: Mapping[str, Any]
    seen: Callable[[Any], Any] = lambda plant: plant  # how the device sees what it measures, for plants of its own

    def zone_of(self, device: str) -> str:
        """The zone that this temperature controller heats; raises ValueError when there is none."""
        zone = next((zone for zone, one in self.tool["zones"].items() if one["device"] == device), None)
        if zone is None:
            raise ValueError(f"device '{device}': no zone is heated by it")
        return str(zone)

    def read(self, channel: str) -> Callable[[float], float]:
        """What an analogue channel of this name measures; raises ValueError when the reactor has nothing like it."""
        plant = self.plant
        reads: dict[str, Callable[[float], float]] = {
            "o2_ppm": plant.glovebox_o2_ppm,
            "h2o_ppm": plant.glovebox_h2o_ppm,
            "box_pressure_mbar": lambda at_s: plant.box_over_room_pa(at_s) / 100.0,
            "delta_p_mbar": lambda at_s: plant.chamber_over_box_pa(at_s) / 100.0,
            "pressure_torr": plant.capacitance_torr,
            "substrate_2_c": plant.substrate_2_c,
        }
        if channel not in reads:
            raise ValueError(f"analogue channels ['{channel}']: the simulated tool measures {', '.join(reads)}")
        return reads[channel]


@dataclass(frozen=True, slots=True)
class Heads:
    """The gauge heads of a controller, by channel from 1."""

    plant: Plant
    types: tuple[str, ...]

    def gauge_pa(self, channel: int, at_s: float) -> float:
        if self.types[channel - 1].startswith(CAPACITANCE):
            return self.plant.capacitance_torr(at_s) * TORR_PA
        return self.plant.pirani_pa(at_s)


class Crystals:
    """Crystals beside the substrate, which get what it gets.

    The instrument makes a thickness of their frequency with the density of the film that grows first, which a person
    would have entered; so heat and gas that strikes them move its thickness, too.
    """

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._density_g_cm3 = 1.0

    def film_nm(self, sensor: int, at_s: float) -> float:
        lost_hz = FRESH_HZ - self.crystal_hz(sensor, at_s)
        if self._density_g_cm3 == 1.0:
            self._density_g_cm3 = self._plant.surface.first_density_g_cm3()
        return lost_hz * NG_CM2_PER_HZ / (100.0 * self._density_g_cm3)

    def film_nm_s(self, sensor: int, at_s: float) -> float:
        """Nothing grows between two half-cycles, and within one the instrument's own average hides it."""
        return 0.0

    def crystal_hz(self, sensor: int, at_s: float) -> float:
        return self._plant.crystal_hz(at_s)


# --- how each is made ------------------------------------------------------------------------------------------------


def _alicat(site: Site, name: str, entry: Entry) -> AlicatFace:
    full_scale = quantity(entry["full_scale"], "sccm")
    return AlicatFace(site.plant, name, unit=str(entry["unit"]), full_scale_sccm=full_scale, gas=entry["gas"])


def _bronkhorst(site: Site, name: str, entry: Entry) -> BronkhorstFace:
    full_scale, node = quantity(entry["full_scale"], "sccm"), int(entry.get("node", 128))
    return BronkhorstFace(site.plant, name, full_scale_sccm=full_scale, gas=entry["gas"], node=node)


def _mks_925(site: Site, name: str, entry: Entry) -> MksFace:
    return MksFace(site.plant, unit=int(entry["unit"]), model=str(entry.get("model", "925")))


def _mks_937(site: Site, name: str, entry: Entry) -> Mks937Face:
    types = _heads(entry, "NG")
    model = str(entry.get("model", "937B"))
    return Mks937Face(Heads(site.plant, types), unit=int(entry["unit"]), gauges=types, model=model)


def _pfeiffer_tpg(site: Site, name: str, entry: Entry) -> TpgFace:
    types = _heads(entry, "")
    return TpgFace(Heads(site.plant, types), model=str(entry["model"]), gauges=types)


def _heads(entry: Entry, empty: str) -> tuple[str, ...]:
    """The types of gauges by channel, as many as the highest channel that is wired."""
    wired = {int(one["channel"]): str(one["type"]) for one in entry["gauges"]}
    return tuple(wired.get(channel, empty) for channel in range(1, max(wired) + 1))


def _eurotherm(site: Site, name: str, entry: Entry) -> Eurotherm:
    zone = site.zone_of(name)
    build = site.plant.heat.zones[zone].build
    return Eurotherm(
        site.plant, zone, unit=int(entry["unit"]), local_c=quantity(entry["safe_local"], "°C"),
        hold_per_k=build.loss_w_k / build.watts, decimals=int(entry.get("decimals", 1)),
    )  # fmt: skip


def _watlow(site: Site, name: str, entry: Entry) -> Watlow:
    zone = site.zone_of(name)
    build = site.plant.heat.zones[zone].build
    local_c = quantity(entry["safe_local"], "°C")
    return Watlow(site.plant, zone, unit=int(entry["unit"]), local_c=local_c, hold_per_k=build.loss_w_k / build.watts)


def _wired(entry: Entry) -> tuple[dict[int, str], dict[int, str]]:
    """Contacts by input, outputs by coil."""
    contacts = {int(one["input"]): str(one["channel"]) for one in entry.get("digital", ())}
    return contacts, {int(one["coil"]): str(one["name"]) for one in entry.get("outputs", ())}


def _beckhoff_io(site: Site, name: str, entry: Entry) -> CouplerB:
    channels = {
        one["channel"]: Channel(
            int(one["register"]), one["kind"], float(one["at_low"]), float(one["at_high"]), site.read(one["channel"])
        )
        for one in entry.get("analogue", ())
    }
    return CouplerB(site.plant, channels, *_wired(entry))


def _wago_io(site: Site, name: str, entry: Entry) -> WagoB:
    channels = {
        one["channel"]: WagoChannel(
            int(one["register"]), one["kind"], float(one["at_low"]), float(one["at_high"]), site.read(one["channel"])
        )
        for one in entry.get("analogue", ())
    }
    return WagoB(site.plant, channels, *_wired(entry))


def _analogue_io(site: Site, name: str, entry: Entry) -> AnalogueModule:
    inputs = {str(one["channel"]): _input(site, one) for one in entry["analogue"]}
    model = {int(entry["model_register"]): int(entry["model"])} if "model_register" in entry else {}
    return AnalogueModule(inputs, model)


def _input(site: Site, one: Entry) -> Input:
    raw_low, raw_high = float(one["raw_low"]), float(one["raw_high"])
    word, mask = str(one.get("word", "int16")), int(one.get("error_mask", 0))
    status = int(one["status"]) if "status" in one else None
    stops = {"int16": (-0x8000, 0x7FFF), "uint16": (0, 0xFFFF)}.get(word, (-1e9, 1e9))
    return Input(
        int(one["register"]), one["kind"], raw_low, raw_high, float(one["at_low"]), float(one["at_high"]),
        site.read(one["channel"]), word, stops, status, mask,
    )  # fmt: skip


def _nxds(site: Site, name: str, entry: Entry) -> NxdsFace:
    return NxdsFace(site.seen(ScrollPump()), name, unit=int(entry.get("unit", 0)))


def _sqm160(site: Site, name: str, entry: Entry) -> SqmFace:
    return SqmFace(Crystals(site.plant))


# --- what there is ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kind:
    """How a device is made, how its wire is framed (faults depend on it), and how long it thinks before it answers."""

    make: Callable[[Site, str, Entry], Any]
    framing: Framing
    turn_round_s: float = 0.0


KINDS: dict[str, Kind] = {
    "alicat": Kind(_alicat, "ascii", 0.002),
    "bronkhorst": Kind(_bronkhorst, "propar", 0.002),
    "mks_925": Kind(_mks_925, "ascii", 0.005),
    "mks_937": Kind(_mks_937, "ascii", 0.008),
    "pfeiffer_tpg": Kind(_pfeiffer_tpg, "ascii", 0.005),
    "eurotherm_3216": Kind(_eurotherm, "rtu", 0.012),
    "watlow": Kind(_watlow, "rtu", 0.012),
    "beckhoff_io": Kind(_beckhoff_io, "tcp"),
    "wago_io": Kind(_wago_io, "tcp"),
    "analogue_io": Kind(_analogue_io, "tcp"),
    "edwards_nxds": Kind(_nxds, "ascii", 0.010),
    "inficon_sqm160": Kind(_sqm160, "sqm", 0.010),
}
FLOWS = ("alicat", "bronkhorst")  # drivers of flow controllers


def framing_of(entry: Entry) -> Framing:
    """How the wire of this device is framed."""
    return "rtu" if entry.get("protocol") == "rtu" else KINDS[entry["driver"]].framing


def face_of(instrument: Any, entry: Entry) -> Face:
    """What one connection, or the line, sees of an instrument."""
    unit = int(entry["unit"]) if str(entry.get("unit", "")).isdigit() else 0
    match instrument:
        case Eurotherm() | Watlow():
            return instrument.face()
        case CouplerB():
            return CouplerBFace(instrument, unit=unit)
        case WagoB():
            return WagoBFace(instrument)
        case AnalogueModule():
            return AnalogueFace(instrument, unit=unit, protocol=entry["protocol"])
        case _:
            face: Face = instrument
            return face
