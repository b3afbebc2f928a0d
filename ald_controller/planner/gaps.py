"""How long every source is shut between doses of different kinds, over steps and turns of repeats alike."""

from __future__ import annotations

from dataclasses import dataclass

from ald_controller.planner.scene import Scene
from ald_controller.recipe.steps import SHORTEST_OPENING_S
from ald_controller.yamlfile import Mark, Problem


@dataclass(frozen=True)
class Span:
    """The outer doses of a stretch of steps, and how long (s) everything is shut before the first, after the last.

    Without doses `before_s` is the whole length. The marks are those of the purges that make these times.
    """

    first: tuple[str, Mark] | None = None
    last: str = ""
    before_s: float = 0.0
    after_s: float = 0.0
    purge_before: Mark | None = None
    purge_after: Mark | None = None


def closed(seconds: float, purge: Mark | None) -> Span:
    """A stretch in which nothing opens."""
    return Span(before_s=seconds, purge_before=purge)


def dose(precursor: str, mark: Mark, before_s: float, after_s: float, purge: Mark | None) -> Span:
    """One dose with what is shut before and after it within its own step."""
    return Span((precursor, mark), precursor, before_s, after_s, None, purge)


def join(scene: Scene, one: Span, other: Span, floor_s: float) -> Span:
    """Two stretches, one after the other; notes a problem where different kinds come closer than `floor_s`."""
    if other.first is None:
        if one.first is None:
            return closed(one.before_s + other.before_s, one.purge_before or other.purge_before)
        after = one.after_s + other.before_s
        return Span(one.first, one.last, one.before_s, after, one.purge_before, one.purge_after or other.purge_before)
    if one.first is None:
        before = one.before_s + other.before_s
        purge = one.purge_before or other.purge_before
        return Span(other.first, other.last, before, other.after_s, purge, other.purge_after)
    _check(scene, one, other, floor_s)
    return Span(one.first, other.last, one.before_s, other.after_s, one.purge_before, other.purge_after)


def _check(scene: Scene, one: Span, other: Span, floor_s: float) -> None:
    gap = one.after_s + other.before_s
    if other.first is None or gap >= floor_s - 1e-9:
        return
    name, mark = other.first
    if name == one.last and gap < SHORTEST_OPENING_S:
        message = f"{name} is opened again as soon as it has shut, which makes one long dose of two"
        scene.problems.append(
            Problem(mark, f"{scene.prefix}{message}: put a purge between them, or use times and every")
        )
    if not scene.chemistry.unlike(one.last, name):
        return
    kinds = scene.chemistry.precursors
    purge = one.purge_after or other.purge_before
    message = (
        f"only {gap:.3g} s between {one.last} ({kinds[one.last].kind}) and {name} ({kinds[name].kind}): "
        f"they react, and this tool keeps every source shut for at least {floor_s:g} s between them"
    )
    what = "purge for longer" if purge else "put a purge between them"
    scene.problems.append(Problem(purge or mark, f"{scene.prefix}{message}; {what}"))
