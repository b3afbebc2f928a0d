"""What must be true of load, bottles, chamber, chemistry and film before a recipe may run."""

from __future__ import annotations

from dataclasses import replace

from ald_controller import units
from ald_controller.bottles import refused_bottles
from ald_controller.chemistry import LITHIUM, close
from ald_controller.plan import Layer
from ald_controller.planner.layers import TOLERANCE, folded, nearest, summed
from ald_controller.planner.scene import Scene
from ald_controller.planner.thermal import Zones
from ald_controller.registers import PLANNED
from ald_controller.yamlfile import Problem

CLAIM = 2.0  # a growth per cycle that is so many times off contradicts the table
_SIGN = "--by YOU"


def check_load(scene: Scene) -> None:
    """The recipe's substrate and the load register must agree; lithium takes argon alone."""
    recipe, document = scene.recipe, scene.recipe.document
    if recipe.substrate is None:
        return
    at = ("substrate", "material") if ("substrate", "material") in document.marks else ("substrate",)
    wanted = scene.chemistry.material(recipe.substrate.material)
    loaded = scene.registers.load_material
    if wanted is None:
        hint = close(recipe.substrate.material, scene.chemistry.material_names)
        known = ", ".join(scene.chemistry.materials)
        message = f"'{recipe.substrate.material}' is not in the table of materials{hint} (known: {known})"
        scene.wrong(document, at, message)
    elif loaded is None and wanted != LITHIUM:
        message = (
            f"the recipe is for {wanted}, but what is loaded is not recorded, and unknown counts as lithium: "
            f"ald register set load '{{material: {wanted}}}' {_SIGN}"
        )
        scene.wrong(document, at, message)
    elif loaded is not None and loaded != wanted:
        entry = scene.registers.entries["load"]
        message = f"the recipe is for {wanted}, but the load register says {loaded} (by {entry.by}, {entry.at})"
        scene.wrong(document, at, message)
    elif loaded is None:
        scene.doubt(document, at, "what is loaded is not recorded: lithium limits apply")
    if scene.lithium and scene.config.inert != "argon":
        message = f"lithium takes argon alone (it burns in nitrogen), and this tool's gas is {scene.config.inert}"
        scene.wrong(document, at, message)


def check_chemistry(scene: Scene) -> None:
    """What may touch lithium, and what must touch it first."""
    if not scene.lithium:
        return
    if scene.first_dose:
        name, mark = scene.first_dose
        kind = scene.chemistry.precursors[name].kind
        if kind != "metal-organic":
            message = f"the first dose on bare lithium is {name} ({kind}), which attacks it: begin with a metal-organic"
            scene.problems.append(Problem(mark, message))
    for name, mark in scene.dosed.items():
        verdict = scene.chemistry.precursors[name].lithium
        if verdict and verdict.verdict == "refuse":
            scene.problems.append(Problem(mark, f"{name} may not be dosed over lithium: {verdict.why}"))
        elif verdict:
            scene.warnings.append(Problem(mark, f"{name} over lithium: {verdict.why}", "warning"))


def check_rack(scene: Scene) -> None:
    """Bottles that this tool may not carry: where they are dosed first, or at the head, for they hang there."""
    for port, why in refused_bottles(scene.config, scene.rack, scene.chemistry).items():
        mark = scene.dosed.get(scene.rack[port], scene.recipe.document.mark(()))
        scene.problems.append(Problem(mark, f"at port {port}: {why}"))


def check_needs(scene: Scene) -> None:
    """What the recipe needs against what is recorded; unknown is not met."""
    needs, document = scene.recipe.needs, scene.recipe.document
    leak = scene.registers.get("leak")
    at = ("needs", "chamber", "leak")
    if needs.chamber.leak is not None:
        wanted = units.PRESSURE_RATE.show(needs.chamber.leak, "mTorr/min")
        if leak is None:
            message = f"the leak rate is not known; measure it, then: ald register set leak '2 mTorr/min' {_SIGN}"
            scene.wrong(document, at, message)
        elif leak >= needs.chamber.leak:
            is_now = units.PRESSURE_RATE.show(leak, "mTorr/min")
            scene.wrong(document, at, f"the leak was measured as {is_now}, not below {wanted}: find it first")
    if needs.chamber.seasoned and scene.registers.get("seasoned") is not True:
        message = f"the chamber is not recorded as seasoned; season it, then: ald register set seasoned true {_SIGN}"
        scene.wrong(document, ("needs", "chamber", "seasoned"), message)
    for written, grams in needs.bottles.items():
        _check_bottle(scene, written, grams)


def _check_bottle(scene: Scene, written: str, grams: float) -> None:
    at = ("needs", "bottles", written)
    found = scene.port_of(scene.recipe.document, at, written, key=True)
    if found is None:
        return
    name, port = found
    left = scene.registers.bottles()[port].grams
    wanted = units.MASS.show(grams)
    if left is None:
        message = f"how much {name} is left at {port} is not recorded: weigh it and set bottle.{port} with its grams"
        planned = scene.registers.entries[f"bottle.{port}"].by == PLANNED
        (scene.doubt if planned else scene.wrong)(scene.recipe.document, at, message)
    elif left < grams:
        message = f"{units.MASS.show(left)} of {name} are left at {port}, the recipe needs {wanted}"
        scene.wrong(scene.recipe.document, at, message)


def check_end(scene: Scene, zones: Zones) -> None:
    """Doubts about temperatures: vapour on colder walls, and what stays hot after the run."""
    document = scene.recipe.document
    if scene.dosed:
        for name, zone in scene.config.zones_of("chamber").items():
            if name not in zones.targets_c:
                message = f"the zone '{name}' is not heated: it stays at its standby, {zone.standby:g} °C"
                scene.doubt(document, ("prepare",), message)
    for name in scene.config.zones_of("substrate"):
        target = zones.targets_c.get(name)
        if target is not None and target > max(scene.config.zones[name].standby, 60.0):
            scene.doubt(document, ("finish",), f"the recipe leaves '{name}' at {target:g} °C")


def check_films(scene: Scene, layers: tuple[Layer, ...]) -> float | None:
    """The films named in the head against those that the steps grow; returns the thickness expected in nm."""
    recipe = scene.recipe
    if scene.incomplete:
        return None
    _check_on_lithium(scene, layers)
    for layer in layers:
        if layer.at_c is not None and not layer.readings:
            scene.doubt(recipe.document, ("deposit",), f"{layer.film}: nothing is known of its growth")
    named = {recipe.film, *(entry.film for entry in recipe.stack)}
    as_named = folded(layers, {n: s for n, s in scene.chemistry.supercycles.items() if n in named})
    if recipe.stack:
        _check_stack(scene, tuple(as_named))
        targets = {entry.film: entry.target for entry in recipe.stack}
    else:
        targets = {recipe.film: recipe.target_nm} if recipe.film else {}
        if recipe.film:
            _check_film(scene, recipe.film, recipe.target_nm, ("target",), summed(as_named))
    for layer in summed(layers).values():
        _show_readings(scene, layer)
    thicknesses = [nearest(layer, targets.get(layer.film)) for layer in _begun(scene, summed(layers)).values()]
    known = [t for t in thicknesses if t is not None]
    return round(sum(known), 3) if known and len(known) == len(thicknesses) else None


def _check_on_lithium(scene: Scene, layers: tuple[Layer, ...]) -> None:
    """Films that do not go on lithium, where none of their precursors has been refused there already."""
    if not scene.lithium:
        return
    beneath = 0  # films that are known
    for film in dict.fromkeys(layer.film for layer in layers if layer.film in scene.chemistry.films):
        entry, covered = scene.chemistry.films[film], beneath > 0
        beneath += 1
        verdict, steps = entry.lithium, [scene.chemistry.names[p] for p in entry.precursors]
        of_steps = [scene.chemistry.precursors[step].lithium for step in steps]
        if verdict is None or any(of and of.verdict == "refuse" for of in of_steps):
            continue
        if verdict.verdict == "barrier" and covered:
            continue
        where = "bare lithium, only over another film" if verdict.verdict == "barrier" else "lithium"
        message = f"{film} does not go on {where}: {verdict.why} ({verdict.source}, {verdict.provenance})"
        scene.problems.append(Problem(scene.dosed[steps[0]], message))


def _check_film(
    scene: Scene, film: str, target: float | None, at: tuple[int | str, ...], grown: dict[str, Layer]
) -> None:
    document = scene.recipe.document
    named = (*at[:-1], "film")
    if film not in scene.chemistry.films and film not in scene.chemistry.supercycles:
        scene.doubt(document, named, f"'{film}' is not in the table of films: nothing can be said of its thickness")
    elif not grown:
        scene.doubt(document, named, f"no step deposits {film}")
    elif film not in grown:
        scene.wrong(document, named, f"the steps deposit {', '.join(grown)}, not {film}")
    elif target is not None and grown[film].readings:
        _check_target(scene, grown[film], _begun(scene, grown)[film], target, at)


def _begun(scene: Scene, grown: dict[str, Layer]) -> dict[str, Layer]:
    """The same layers, the lowest first, as thick as they get where growth begins slowly on the substrate."""
    substrate = scene.recipe.substrate
    material = scene.chemistry.materials.get(scene.chemistry.material(substrate.material) or "") if substrate else None
    if material is None or material.nucleation is None:
        return grown
    before, out = 0, dict[str, Layer]()
    for film, layer in grown.items():
        share = material.nucleation.layers(before, layer.cycles) / layer.cycles
        readings = tuple(replace(r, nm=r.nm * share) for r in layer.readings)
        out[film], before = replace(layer, readings=readings), before + layer.cycles
    return out


def _check_target(scene: Scene, layer: Layer, begun: Layer, target: float, at: tuple[int | str, ...]) -> None:
    if any(abs(r.nm - target) <= TOLERANCE * target for r in begun.readings):
        return
    expected = " or ".join(f"{r.nm:.3g} nm" for r in begun.readings)
    message = f"{layer.cycles} cycles of {layer.film} at {layer.at_c:g} °C give {expected}, not {target:g} nm"
    scene.doubt(scene.recipe.document, at, message + _claim(scene, layer, target))


def _claim(scene: Scene, layer: Layer, target: float) -> str:
    """What a target says of growth per cycle, where no reading of the literature is within a factor of two of it."""
    claimed = target / layer.cycles
    known = [r.nm / layer.cycles for r in layer.readings]
    if any(nm / CLAIM <= claimed <= nm * CLAIM for nm in known):
        return ""
    source = layer.readings[0].source
    return f": that would be {claimed:.3g} nm per cycle, and the table has {known[0]:.3g} nm ({source})"


def _check_stack(scene: Scene, layers: tuple[Layer, ...]) -> None:
    """The stack, from the substrate upwards, must be what the steps deposit, in this order."""
    stack, document = scene.recipe.stack, scene.recipe.document
    wanted, grown = [entry.film for entry in stack], [layer.film for layer in layers]
    if wanted != grown:
        shown = ", ".join(grown[:6]) + (" …" if len(grown) > 6 else "") or "nothing"
        scene.wrong(document, ("stack",), f"the steps deposit, from the substrate upwards: {shown}")
        return
    for i, (entry, layer) in enumerate(zip(stack, layers, strict=True)):
        _check_film(scene, entry.film, entry.target, ("stack", i, "target"), {layer.film: layer})


def _show_readings(scene: Scene, layer: Layer) -> None:
    """Two readings of the literature, or one beyond its temperatures, are for people to weigh."""
    if len(layer.readings) > 1:
        shown = "; ".join(f"{r.nm:.3g} nm ({r.source})" for r in layer.readings)
        message = f"{layer.cycles} cycles of {layer.film}: the literature has {len(layer.readings)} readings: {shown}"
        scene.doubt(scene.recipe.document, ("deposit",), message)
    for reading in layer.readings[:1]:
        if reading.extrapolated:
            message = f"no growth of {layer.film} is published at {layer.at_c:g} °C: the nearest figure is used"
            scene.doubt(scene.recipe.document, ("deposit",), message)
