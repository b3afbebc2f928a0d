"""Conditions on the chamber's pressure: a purge or an exposure that ends at one, and a wait for a slow rise."""

from __future__ import annotations

from collections.abc import Mapping

from ald_controller.plan import RiseStep, SettleStep
from ald_controller.planner.dosing import ns
from ald_controller.planner.scene import COLD_C, Scene
from ald_controller.recipe.steps import Expose, Purge, Settled, WaitForLeak
from ald_controller.units import PRESSURE, TORR_PA
from ald_controller.yamlfile import Document, Location

RISE_TORR_PER_SCCM_S = 0.0395  # into a shut chamber of 0.5 L at 150 °C
NEARLY = 1.05  # so much above a pressure a gauge cannot tell from it
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
    base_pa = _base_pa(scene, carrier_sccm or 0.0, targets_c)
    if base_pa is None:
        if until.pa is not None:
            return until.pa
        message = (
            "the base pressure of this tool was never commissioned (constant.base): write 'pressure below 300 mTorr'"
        )
        scene.wrong(document, (*at, "and"), message)
        return None
    if until.times_base is not None:
        return round(until.times_base * base_pa, 3)
    if until.pa is not None and until.pa <= base_pa:
        alone = f"{carrier_sccm or 0.0:g} sccm alone hold this chamber at {base_pa:.3g} Pa"
        message = f"{until.pa:.3g} Pa are never reached: {alone}"
        scene.wrong(document, (*at, "and"), message)
    return until.pa


def _base_pa(scene: Scene, carrier_sccm: float, targets_c: Mapping[str, float | None]) -> float | None:
    """p0 of this flow at the walls' goal, as commissioned; None where it never was."""
    base = scene.registers.constants.base
    walls = [targets_c.get(name, zone.standby) for name, zone in scene.config.zones_of("chamber").items()]
    return None if base is None else base.pa(carrier_sccm, max((c for c in walls if c is not None), default=COLD_C))


def filling(
    scene: Scene, document: Document, at: Location, body: Expose, last_s: float, targets_c: Mapping[str, float | None]
) -> None:
    """Whether an exposure that ends at a pressure can do so by what it doses; `last_s` is when its last shot ends."""
    if body.to is None:
        return
    vacuum_pa = scene.config.limits.vacuum
    if body.to >= vacuum_pa:
        message = f"{_torr(body.to)} are not below the {_torr(vacuum_pa)} that count as vacuum"
        scene.wrong(document, (*at, "to"), message)
    base_pa = _base_pa(scene, body.flow, targets_c) or 0.0
    if body.to <= NEARLY * base_pa:
        message = f"{body.flow:g} sccm alone hold this chamber at {_torr(base_pa)} already: nothing would be dosed"
        scene.wrong(document, (*at, "to"), message)
        return
    carried_pa = base_pa + body.flow * RISE_TORR_PER_SCCM_S * TORR_PA * last_s
    if carried_pa >= body.to:
        message = (
            f"{body.flow:g} sccm alone bring the shut chamber to about {_torr(carried_pa)} (0.5 L assumed) while the "
            f"shots may go on, and {_torr(body.to)} end them: less flow, or fewer shots"
        )
        scene.doubt(document, (*at, "to"), message)


def _torr(pa: float) -> str:
    return PRESSURE.show(pa, "Torr")


def rise(scene: Scene, document: Document, at: Location, body: WaitForLeak) -> tuple[RiseStep, float]:
    """The step, and how long one test takes in s."""
    config = scene.config
    watched_s = config.pump.closing_time + RISE_S
    edges = ((0, config.valves.word([config.pump.stop])), (ns(watched_s), 0))
    where = scene.where(document, at)
    step = RiseStep("rise", where, body.below, edges, ns(watched_s), body.timeout, body.otherwise)
    return step, watched_s
