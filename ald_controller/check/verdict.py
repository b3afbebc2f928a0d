"""All problems at once, or the plan with what lies ahead; as text for people, as JSON for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from ald_controller.check.forecast_json import findings_data, forecast_data
from ald_controller.check.forecast_text import counted, finding_rows, forecast_rows, row, wrapped
from ald_controller.check.outlook import Outlook
from ald_controller.config import Output
from ald_controller.plan import PLAN, HeatStep, Layer, Plan, RepeatStep, SegmentStep, Step
from ald_controller.planner.dosing import spoken
from ald_controller.yamlfile import Problems


def check_json(result: Plan | Problems, added: Mapping[str, int] | None = None, ahead: Outlook | None = None) -> str:
    """`problems` as sentences and, in `places`, in parts; `plan` as PLAN reads it, null when there are problems.

    `added` are the actuations of this plan by output; `forecast` and `findings` what lies ahead, where it was asked.
    """
    out: dict[str, Any] = {
        "ok": isinstance(result, Plan), "problems": [], "places": [], "plan": None, "actuations": dict(added or {}),
        "forecast": forecast_data(ahead) if ahead else None, "findings": findings_data(ahead) if ahead else [],
    }  # fmt: skip
    if isinstance(result, Plan):
        out["plan"] = PLAN.dump_python(result, mode="json")
    else:
        out |= problems_data(result)
    return json.dumps(out, ensure_ascii=False)


def problems_data(found: Problems) -> dict[str, Any]:
    """`ok` false, `problems` as sentences and, in `places`, in parts."""
    places = [
        {"file": p.mark.file, "line": p.mark.line, "column": p.mark.column, "message": p.message}
        for p in found.problems
    ]  # fmt: skip
    return {"ok": False, "problems": [str(p) for p in found.problems], "places": places}


def check_text(result: Plan | Problems, added: Mapping[str, int] | None = None, ahead: Outlook | None = None) -> str:
    """For people: every problem at its place, or what was assumed, then the plan in a dozen lines and what lies ahead.

    `added` are the actuations of this plan by output.
    """
    if isinstance(result, Problems):
        count = len(result.problems)
        return "\n".join([*(str(p) for p in result.problems), f"{count} problem{'s' if count > 1 else ''}"])
    plan = result
    rows = [
        ("recipe", f"{plan.recipe}: {plan.title}" if plan.title != plan.recipe else plan.recipe),
        ("takes", f"about {clock(plan.duration_s)}"),
        ("cycles", f"{plan.cycles}, {plan.doses} doses" + _shortest(plan)),
        *(_films(plan) if ahead is None else []),
        ("zones", _zones(plan)),
        ("valves", ", ".join(f"{name} {times:,}" for name, times in added.items()) + " actuations" if added else ""),
        *(("set", f"{name} = {value}") for name, value in plan.parameters.items()),
        ("provenance", plan.provenance),
    ]
    assumed, named = f"assumed: {'; '.join(plan.assumptions)}", [(name, value) for name, value in rows if value]
    if ahead is None:
        lines = [assumed, *(f"{name:<11}{value}" for name, value in named)]
        return "\n".join([*lines, *plan.warnings, "no problems"])
    found = counted(ahead)
    last = f"no problems; the model finds {found}" if found else "no problems"
    lines = [*wrapped(assumed), *(line for name, value in named for line in row(name, value)), *forecast_rows(ahead)]
    return "\n".join([*lines, *(line for w in plan.warnings for line in wrapped(w)), *finding_rows(ahead), last])


def actuations(plan: Plan, outputs: Mapping[str, Output]) -> dict[str, int]:
    """How often the segments of a plan energise each output, by name.

    What holds, repeated half-cycles and resting in an isolated chamber add is known afterwards only.
    """
    times: Counter[int] = Counter()
    for part in (plan.prepare, plan.deposit, plan.finish):
        _energised(part, 1, times)
    found = {name: sum(n for bits, n in times.items() if bits & output.mask) for name, output in outputs.items()}
    return {name: n for name, n in found.items() if n}


def _energised(steps: tuple[Step, ...], times: int, out: Counter[int]) -> None:
    """Counts the bits that go on together; a segment is entered from the rest word in which it ends."""
    for step in steps:
        if isinstance(step, RepeatStep):
            _energised(step.steps, times * step.times, out)
        elif isinstance(step, SegmentStep) and step.edges:
            before = step.edges[-1][1]
            for _, word in step.edges:
                if energised := word & ~before:
                    out[energised] += times
                before = word


def clock(seconds: float) -> str:
    """A duration in the two units that matter: 4 h 12 min, 3 min 21 s, 8 s."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"


def _films(plan: Plan) -> list[tuple[str, str]]:
    more = [("film", f"… {len(plan.layers) - 8} more layers")] if len(plan.layers) > 8 else []
    return [*(("film", _layer(layer)) for layer in plan.layers[:8]), *more]


def _shortest(plan: Plan) -> str:
    return f", the shortest {spoken(plan.shortest_dose_ns / 1e9)}" if plan.doses else ""


def _layer(layer: Layer) -> str:
    """Film, cycles and every reading: the spread is part of the answer."""
    head = f"{layer.film}, {layer.cycles} cycles" + (f" at {layer.at_c:g} °C" if layer.at_c is not None else "")
    readings = "; or ".join(
        f"{r.nm:.3g} nm ({r.confidence} confidence{', extrapolated' if r.extrapolated else ''})" for r in layer.readings
    )
    return f"{head}: {readings or 'thickness unknown'}"


def _zones(plan: Plan) -> str:
    """The highest target of every zone."""
    highest: dict[str, float] = {}
    for part in (plan.prepare, plan.deposit, plan.finish):
        _highest(part, highest)
    return ", ".join(f"{zone} {celsius:g} °C" for zone, celsius in sorted(highest.items()))


def _highest(steps: tuple[Step, ...], out: dict[str, float]) -> None:
    for step in steps:
        if isinstance(step, RepeatStep):
            _highest(step.steps, out)
        elif isinstance(step, HeatStep):
            for zone, target in step.targets_c.items():
                if target is not None:
                    out[zone] = max(target, out.get(zone, target))
