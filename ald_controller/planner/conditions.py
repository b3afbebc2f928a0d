"""Conditions on the chamber's pressure: a purge that ends at one, and a wait for a slow rise behind shut valves."""

from __future__ import annotations

from collections.abc import Mapping

from ald_controller.plan import RiseStep, SettleStep
from ald_controller.planner.dosing import ns
from ald_controller.planner.scene import COLD_C, Scene
from ald_controller.recipe.steps import Purge, Settled, WaitForLeak
from ald_controller.yamlfile import Document, Location

RISE_S = 60.0  # how long one test watches: 5 mTorr/min are then 5 mTorr, three times what a pumped chamber rests at


def settle(
    scene: Scene,
    document: Document,
    at: Location,
    body: Purge,
    carrier_sccm: float | None,
    targets_c: Mapping[str, float | None],
) -> tuple[SettleStep, ...]:
    """The step behind a purge with a condition; none without one, or with a problem when it makes no sense."""
    if body.until is None or body.timeout is None or body.otherwise is None:
        return ()
    below_pa = _below_pa(scene, document, at, body.until, carrier_sccm, targets_c)
    if below_pa is None:
        return ()
    return (SettleStep("settle", scene.where(document, at), below_pa, body.timeout, body.otherwise),)


def _below_pa(
    scene: Scene,
    document: Document,
    at: Location,
    until: Settled,
    carrier_sccm: float | None,
    targets_c: Mapping[str, float | None],
) -> float | None:
    """The pressure to reach; the base pressure is p0 of this flow and of the walls' goal, as commissioned."""
    base = scene.registers.constants.base
    if base is None:
        if until.pa is not None:
            return until.pa
        message = (
            "the base pressure of this tool was never commissioned (constant.base): write 'pressure below 300 mTorr'"
        )
        scene.wrong(document, (*at, "and"), message)
        return None
    walls = [targets_c.get(name, zone.standby) for name, zone in scene.config.zones_of("chamber").items()]
    base_pa = base.pa(carrier_sccm or 0.0, max((c for c in walls if c is not None), default=COLD_C))
    if until.times_base is not None:
        return round(until.times_base * base_pa, 3)
    if until.pa is not None and until.pa <= base_pa:
        alone = f"{carrier_sccm or 0.0:g} sccm alone hold this chamber at {base_pa:.3g} Pa"
        message = f"{until.pa:.3g} Pa are never reached: {alone}"
        scene.wrong(document, (*at, "and"), message)
    return until.pa


def rise(scene: Scene, document: Document, at: Location, body: WaitForLeak) -> tuple[RiseStep, float]:
    """The step, and how long one test takes in s."""
    config = scene.config
    watched_s = config.pump.closing_time + RISE_S
    edges = ((0, config.valves.word([config.pump.stop])), (ns(watched_s), 0))
    where = scene.where(document, at)
    step = RiseStep("rise", where, body.below, edges, ns(watched_s), body.timeout, body.otherwise)
    return step, watched_s
