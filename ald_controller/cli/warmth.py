"""How warm a simulated reactor starts so that a recipe need not wait: every zone at the recipe's own temperature."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ald_controller.cli.checking import Assumed, plan_for
from ald_controller.plan import HeatStep, Step


def warm_zones(recipe: Path, assumed: Assumed, parameters: dict[str, str] | None = None) -> dict[str, float]:
    """zone -> the temperature in °C that `prepare` asks of it with these parameters; raises Problems."""
    out: dict[str, float] = {}
    _collect(plan_for(recipe, assumed, parameters or {}).prepare, out)
    return out


def _collect(steps: Iterable[Step], out: dict[str, float]) -> None:
    for step in steps:
        if isinstance(step, HeatStep):
            out.update({zone: goal for zone, goal in step.targets_c.items() if goal is not None})
