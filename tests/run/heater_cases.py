"""A stage of one of three masses under a whole daemon, a fault of its heater, and how hot the stage really became.

The software is alone here: the simulated plant has no hardware limit controller, which a real tool must have. The
reactor is the reference one without the bottles and gauges that heat has nothing to do with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ald_controller import interlocks as il
from ald_controller.config import Tool
from ald_controller.registers import RegisterFile
from simulators.plant.heat import STAGES, Zone
from tests.recipe_bench import chemistry
from tests.run.rig import Rig, edited

RAMP_K_S = 3.0 / 60.0  # of the shipped recipes
SET_C = 150.0
FALLEN_K = 2.0  # once the stage is so much below its peak, that was it


def small(raw: dict[str, Any]) -> None:
    """The reference tool without what only precursors need: its rows of heaters are the same, and it is quicker."""
    for name in ("pusher", "pirani", "source-3", "source-4", "lines"):
        del raw["devices"][name]
    for name in ("source-3", "source-4", "lines"):
        del raw["zones"][name]
    for name in ("LTB", "GL"):
        del raw["ports"][name], raw["valves"]["outputs"][name]
    del raw["lines"]["gauge"], raw["signals"]["atmosphere"], raw["ports"]["EG"]["zone"]
    raw["zones"]["source-5"]["limit"] = "200 °C"  # a controller that is mistaken for it is not told by its limit
    raw["devices"]["carrier"]["poll"], raw["devices"]["coupler-b"]["poll"] = "500 ms", "200 ms"


def commissioned(stage: str) -> dict[str, object]:
    """The register constant.heater.substrate as a commissioning of this stage finds it."""
    made = STAGES[stage]
    slope = {f"{c:g} °C": f"{made.slope_k_s(c):.4f} K/s" for c in (25.0, 90.0, 150.0)}
    return {
        "slope": slope, "lag": f"{made.sensor_tau_s:g} s", "second": "0.4 K", "second_later": "0 s", "hottest": "0 K",
    }  # fmt: skip


def stage_rig(folder: Path, stage: str, file: Tool, at_c: float, over_k: float = 0.0) -> Rig:
    """A warm, commissioned tool with this stage, so much hotter than its chamber; the daemon is not yet started."""
    warm = {"substrate": at_c + over_k, "chamber": at_c}
    rig = Rig(folder / stage, warm=warm, file=file, builds={"substrate": STAGES[stage]})
    kept = RegisterFile(rig.folder / "registers.yaml", chemistry())
    told = commissioned(stage)
    kept.save(kept.registers.set("constant.heater.substrate", told, "test", "2025-01-01T00:00:00Z", chemistry()))
    return rig


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one fault did to one stage: the row that told first, after how long, and the true peak of the metal."""

    fault: str
    stage: str
    row: str
    reaction: il.Reaction
    after_s: float
    off_s: float | None  # until power was really off: the contactor open, or none given
    peak_c: float

    @property
    def plain(self) -> tuple[str, str, str, str, float, float | None, float]:
        """As one process tells it to another; `heard` takes it there."""
        return self.fault, self.stage, self.row, self.reaction.name, self.after_s, self.off_s, self.peak_c

    def __str__(self) -> str:
        off = "never" if self.off_s is None else f"{self.off_s:.1f} s"
        slope = f"{STAGES[self.stage].slope_k_s(SET_C):.2f} K/s"
        return (
            f"{self.fault:<28} {slope:<9} {self.row:<4} {self.reaction.name:<14} {self.after_s:>7.1f} s {off:>9} "
            f"{self.peak_c:>7.1f} °C"
        )


OUTCOMES: list[Outcome] = []
HEAD = f"{'fault':<28} {'slope':<9} {'row':<4} {'reaction':<14} {'after':>9} {'off':>9} {'true peak':>10}"
Break = Callable[[Rig, Zone], Awaitable[None]]


def heard(fault: str, stage: str, row: str, reaction: str, *times: Any) -> None:
    """An outcome as another process has seen it; `times` are the numbers of an Outcome."""
    OUTCOMES.append(Outcome(fault, stage, row, il.Reaction[reaction], *times))


async def outcome(
    rig: Rig, fault: str, stage: str, break_it: Break, *, within_s: float, already_s: float = 0.0
) -> Outcome:
    """Let the fault happen; wait for the row that tells of it, and until the stage has passed its peak.

    `already_s` is for how long it has gone on when `break_it` is done.
    """
    zone = rig.world.plant.heat.zones["substrate"]
    await break_it(rig, zone)
    began_s, peak_c, off_s = rig.now_s, zone.metal_c, None
    told: il.Cause | None = None
    told_s = began_s
    while rig.now_s - began_s < within_s:
        await asyncio.sleep(0.5)
        peak_c = max(peak_c, zone.metal_c)
        first = rig.console.guard.state.first_out
        if told is None and first is not None:
            told, told_s = first.cause, rig.now_s
        powered = rig.contactor_closed and (zone.stuck_on or zone.power > 0)
        off_s = None if powered else (off_s or rig.now_s - began_s)
        if told is not None and off_s is not None and zone.metal_c < peak_c - FALLEN_K:
            break
    assert told is not None, f"nothing was told; the stage is at {zone.metal_c:.1f} °C; {rig.picture()}"
    off_s = None if off_s is None else off_s + already_s
    one = Outcome(fault, stage, told.row, told.reaction, told_s - began_s + already_s, off_s, peak_c)
    OUTCOMES.append(one)
    return one


async def settled(rig: Rig) -> None:
    """The stage is held at its set-point."""
    await rig.proven()
    await rig.console.tool.heaters.heat({"substrate": SET_C, "chamber": SET_C}, RAMP_K_S)
    await rig.rest(20)


async def ramping(rig: Rig) -> None:
    """The stage is on its way to the set-point."""
    await rig.proven()
    await rig.console.tool.heaters.heat({"substrate": SET_C, "chamber": SET_C}, RAMP_K_S)


def tool_file(folder: Path) -> Tool:
    return edited(folder / "tool", small)
