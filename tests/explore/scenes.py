"""Where explorations begin: states that a fresh tool comes to by itself, so that depth is spent on what matters."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tests.explore.setting import TICK_NS
from tests.explore.stage import snapshots
from tests.explore.world import World

MOST_TICKS = 100


def fresh() -> World:
    """A fresh valve process, and a module that nobody has armed."""
    return World()


def dosing() -> World:
    """A tick before the first dose begins, with a second one, of an opposite kind, queued behind it."""
    return _until(World(), lambda world: world.oracle.plan[:1] and world.oracle.plan[0][1] == world.now_ns + TICK_NS)


def idle() -> World:
    """Reset and at rest, with heaters on and a daemon that loads nothing of itself."""
    return _until(World(eager=False), lambda world: world.operator.heated)


def recovered() -> World:
    """As `idle`, a moment after a link that had been lost came back and everything was reset."""
    world = idle()
    world.requests_dark_until = world.now_ns + 8 * TICK_NS
    return _until(_until(world, lambda world: world.wire is None), lambda world: world.operator.heated)


SCENES = {"a fresh process": fresh, "a dose about to begin": dosing, "a tool at rest": idle}
SCENES["a tool that lost its link a moment ago"] = recovered


def kept(*names: str) -> dict[str, Callable[[], World]]:
    """These scenes as they are now, to be had again and again, whatever the code becomes meanwhile."""
    keep = snapshots()

    def again(data: bytes) -> World:
        world: World = keep.thaw(data)
        world.mend()
        return world

    frozen = {name: keep.freeze(world := SCENES[name](), world.now_ns) for name in names or SCENES}
    return {name: partial(again, data) for name, data in frozen.items()}


def _until(world: World, there: Callable[[World], object]) -> World:
    for _ in range(MOST_TICKS):
        if there(world):
            return world
        world.go()
    raise AssertionError("the scene never comes")
