"""Heat and wait: names to zones, every limit of zone, load, bottle and line, and how long it takes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ald_controller.plan import HeatStep, WaitStep
from ald_controller.planner.scene import COLD_C, Scene
from ald_controller.recipe import Written
from ald_controller.recipe.steps import Heat, Wait
from ald_controller.yamlfile import Document, Location

COOLING_S = 1500.0  # time constant of a zone that cools by itself, for estimates
SETTLING_S = 180.0  # after a ramp, until a loop holds its set-point, for estimates
SOURCES = "sources"  # every bottle that the recipe has heated so far


@dataclass
class Zones:
    """Targets (°C, None = off) as set so far, and temperatures as estimated so far."""

    estimated_c: dict[str, float]
    targets_c: dict[str, float | None] = field(default_factory=dict)
    ramps_k_per_s: dict[str, float] = field(default_factory=dict)
    hottest_c: float | None = None  # highest target of the zones that touch the load


def heat(scene: Scene, document: Document, step: Written, body: Heat, zones: Zones) -> HeatStep | None:
    """The step with lines added, lines first on the way up and last on the way down; None when nothing is left."""
    at = (*step.at, "heat")
    targets: dict[str, float | None] = {}
    for written, target in body.targets.items():
        _one(scene, document, (*at, written), written, target, zones, targets)
    for zone in targets:
        ramp = scene.config.zones[zone].max_ramp
        if body.ramp is not None and body.ramp > ramp:
            message = f"'{zone}' may change by at most {ramp * 60:g} K/min"
            scene.wrong(document, (*at, "ramp"), message)
    for zone, celsius in targets.items():
        if scene.lithium and celsius is not None and scene.config.zones[zone].role in ("substrate", "chamber"):
            _check_peak(scene, document, (*at, zone), zone, celsius, body.ramp)
    zones.targets_c |= targets
    zones.ramps_k_per_s |= {z: min(body.ramp or math.inf, scene.config.zones[z].max_ramp) for z in targets}
    lines = _lines(scene, document, at, targets, zones)
    rising = {z: t for z, t in lines.items() if t is not None and t >= (zones.targets_c.get(z) or 0.0)}
    zones.targets_c |= lines
    ordered = rising | targets | {z: t for z, t in lines.items() if z not in rising}
    return HeatStep("heat", scene.where(document, step.at), ordered, body.ramp) if ordered else None


def _one(
    scene: Scene,
    document: Document,
    at: Location,
    written: str,
    target: float | str,
    zones: Zones,
    out: dict[str, float | None],
) -> None:
    """The target of one name, checked, into `out`."""
    config = scene.config
    if written == SOURCES:
        for zone in config.zones_of("source"):
            if zone in zones.targets_c:
                _set(scene, document, at, zone, target, zones, out)
    elif written in config.zones:
        if config.zones[written].role == "line":
            message = f"'{written}' follows the hottest bottle by {config.limits.margin:g} K by itself: leave it out"
            scene.wrong(document, at, message, key=True)
        else:
            _set(scene, document, at, written, target, zones, out)
    elif scene.chemistry.name(written) is None:
        known = ", ".join([*(z for z, c in config.zones.items() if c.role != "line"), *scene.rack.values()])
        message = f"'{written[:40]}' is neither a zone nor a precursor at this tool; there are: {known}, {SOURCES}"
        scene.wrong(document, at, message, key=True)
    else:
        _bottle(scene, document, at, written, target, zones, out)


def _bottle(
    scene: Scene,
    document: Document,
    at: Location,
    written: str,
    target: float | str,
    zones: Zones,
    out: dict[str, float | None],
) -> None:
    found = scene.port_of(document, at, written, key=True)
    if found is None:
        return
    precursor, port = found
    zone = scene.config.ports[port].zone
    if zone is not None:
        _set(scene, document, at, zone, target, zones, out)
    elif not isinstance(target, str):
        message = f"{precursor} hangs at port {port}, which has no heater: write 'room'"
        scene.wrong(document, at, message)


def _set(
    scene: Scene,
    document: Document,
    at: Location,
    name: str,
    target: float | str,
    zones: Zones,
    out: dict[str, float | None],
) -> None:
    zone = scene.config.zones[name]
    if name in out:
        scene.wrong(document, at, f"the zone '{name}' gets two targets in one step", key=True)
        return
    celsius = None if target in ("off", "room") else zone.standby if isinstance(target, str) else target
    out[name] = celsius
    if celsius is None:
        return
    if celsius > zone.limit:
        scene.wrong(document, at, f"{celsius:g} °C is above the limit of '{name}', {zone.limit:g} °C")
    if zone.role in ("substrate", "chamber"):
        limit, why = scene.contact_limit()
        zones.hottest_c = max(celsius, zones.hottest_c if zones.hottest_c is not None else celsius)
        if celsius > limit:
            scene.wrong(document, at, f"{celsius:g} °C on '{name}' is above the {limit:g} °C {why}")
    if zone.role == "source" and celsius <= zone.limit:
        _check_bottle(scene, document, at, name, celsius)


def _check_peak(
    scene: Scene, document: Document, at: Location, name: str, celsius: float, ramp_k_per_s: float | None
) -> None:
    """What the hottest place comes to, and not the set-point alone, must stay below the warning for lithium."""
    if celsius > scene.contact_limit()[0]:
        return  # said already
    heater, warn = scene.registers.constants.heaters.get(name), scene.config.limits.lithium_warn
    if heater is None:
        message = f"how far '{name}' overshoots was never commissioned: set the register constant.heater.{name}"
        scene.wrong(document, at, message, key=True)
        return
    ramp = min(ramp_k_per_s or math.inf, scene.config.zones[name].max_ramp)
    over = ramp * heater.lag_s + heater.hottest_k
    if celsius + over < warn:
        return
    spare = warn - celsius - heater.hottest_k
    slower = f", or a ramp below {spare / heater.lag_s * 60:.2g} K/min" if spare > 0 else ""
    message = (
        f"'{name}' at {celsius:g} °C comes to {celsius + over:.4g} °C ({ramp * 60:g} K/min with a sensor that lags "
        f"{heater.lag_s:g} s, and {heater.hottest_k:g} K to its hottest place), and the warning for lithium is at "
        f"{warn:g} °C: set less than {warn - over:.4g} °C{slower}"
    )
    scene.wrong(document, at, message)


def _check_bottle(scene: Scene, document: Document, at: Location, zone: str, celsius: float) -> None:
    """What hangs in this zone must stand the temperature."""
    for port, precursor in scene.rack.items():
        limits = scene.chemistry.precursors[precursor].bottle
        if scene.config.ports[port].zone != zone:
            continue
        if limits.max is not None and celsius > limits.max:
            message = f"{celsius:g} °C is above what a bottle of {precursor} may be set to, {limits.max:g} °C"
            scene.wrong(document, at, message)
        if limits.min is not None and celsius < limits.min:
            message = f"{celsius:g} °C is below what a bottle of {precursor} may be set to, {limits.min:g} °C"
            scene.wrong(document, at, message)


def _lines(
    scene: Scene, document: Document, at: Location, targets: dict[str, float | None], zones: Zones
) -> dict[str, float | None]:
    """The targets of the line zones when this step moves a bottle: hottest bottle + margin, off with the last one."""
    sources = scene.config.zones_of("source")
    if not any(zone in sources for zone in targets):
        return {}
    hot = {z: t for z in sources if (t := zones.targets_c.get(z)) is not None}
    if not hot:
        return dict.fromkeys(scene.config.zones_of("line"))
    hottest = max(hot, key=lambda z: hot[z])
    line_c = hot[hottest] + scene.config.limits.margin
    for name, zone in scene.config.zones_of("line").items():
        if line_c > zone.limit:
            message = (
                f"the bottle in '{hottest}' at {hot[hottest]:g} °C needs its line at {line_c:g} °C, "
                f"but '{name}' may go to {zone.limit:g} °C"
            )
            scene.wrong(document, at, message)
    return dict.fromkeys(scene.config.zones_of("line"), line_c)


def wait(scene: Scene, document: Document, step: Written, body: Wait, zones: Zones) -> tuple[WaitStep | None, float]:
    """The step, and how long it will probably take in s; (None, 0) with a problem when it makes no sense."""
    at = (*step.at, "wait")
    where = scene.where(document, step.at)
    if body.what == "temperatures":
        steady = {z: t for z, t in zones.targets_c.items() if t is not None}
        if not steady:
            scene.wrong(document, at, "no zone has a target yet: put a 'heat' before this wait")
            return None, 0.0
        names = tuple(steady)
        seconds = max(_time_to(scene, zones, z, t) for z, t in steady.items()) + (body.stay or 0.0)
        zones.estimated_c |= steady
        return WaitStep(
            "wait", where, names, body.within, None, body.stay or 0.0, body.timeout, body.otherwise
        ), seconds
    zone = _zone(scene, document, (*at, "for"), body.what)
    if zone is None or body.below is None:
        return None, 0.0
    held = zones.targets_c.get(zone)
    if held is not None and held >= body.below:
        message = f"'{zone}' is held at {held:g} °C, so it never falls below {body.below:g} °C: heat it to off first"
        scene.wrong(document, at, message)
    seconds = _cooling_s(zones.estimated_c.get(zone, COLD_C), body.below)
    zones.estimated_c[zone] = min(body.below, zones.estimated_c.get(zone, COLD_C))
    return WaitStep("wait", where, (zone,), None, body.below, 0.0, body.timeout, body.otherwise), seconds


def _zone(scene: Scene, document: Document, at: Location, written: str) -> str | None:
    """The zone of a zone's or precursor's name; None with a problem."""
    if written in scene.config.zones:
        return written
    if scene.chemistry.name(written) is None:
        known = ", ".join(["temperatures", *scene.config.zones, *scene.rack.values()])
        scene.wrong(document, at, f"there is nothing called '{written[:40]}' to wait for; there are: {known}")
        return None
    found = scene.port_of(document, at, written)
    if found and scene.config.ports[found[1]].zone is None:
        scene.wrong(document, at, f"{found[0]} hangs at port {found[1]}, which has no temperature to wait for")
    return scene.config.ports[found[1]].zone if found else None


def _time_to(scene: Scene, zones: Zones, zone: str, target: float) -> float:
    """Estimated time in s until a zone holds its target: its fastest ramp and settling, or cooling by itself."""
    now = zones.estimated_c.get(zone, COLD_C)
    if abs(target - now) <= 1.0:
        return 0.0
    if target < now:
        return _cooling_s(now, target + 1.0)
    return (target - now) / zones.ramps_k_per_s.get(zone, scene.config.zones[zone].max_ramp) + SETTLING_S


def _cooling_s(start_c: float, end_c: float) -> float:
    """Exponential cooling towards the room; no estimate goes closer to it than 3 K."""
    if end_c >= start_c:
        return 0.0
    return COOLING_S * math.log((start_c - COLD_C) / max(end_c - COLD_C, 3.0)) if start_c - COLD_C > 3.0 else 0.0
