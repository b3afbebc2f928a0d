"""What may happen out of turn, each at any tick: said by the daemon, done to the host, to the link, to the module."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ald_controller.valves.wire import Abort, Aux, Clear, Hold, Load, SegmentId, State, ToEngine, Trim
from tests.explore.setting import CONTACTOR, H2O, MS, OTHERS, TICK_NS, segment
from tests.explore.world import World

FOR_EVER = 10**6 * TICK_NS


@dataclass(frozen=True)
class Choice:
    """One thing that may happen; `do` returns whether it can happen in this state."""

    name: str
    do: Callable[[World], bool]


# --- the daemon ----------------------------------------------------------------------------------------------------


def _says(name: str, message: ToEngine, *, soon: bool = False) -> Choice:
    def do(world: World) -> bool:
        if world.control is None or world.control.ended:
            return False
        world.say(message, soon=soon)
        return True

    return Choice(f"the daemon says {name}{' in the last moment' if soon else ''}", do)


def _loads(name: str, *, wrong_number: bool = False) -> Choice:
    def do(world: World) -> bool:
        if world.control is None or world.control.ended or not world.operator.connected:
            return False
        id = world.operator.next_id
        world.say(Load(segment(SegmentId(id.run, 0, 3) if wrong_number else id, OTHERS[name])))
        return True

    return Choice(f"the daemon loads {name}{' under a wrong number' if wrong_number else ''}", do)


def _trims(world: World) -> bool:
    if world.control is None or world.control.ended or not world.operator.loaded:
        return False
    world.say(Trim(world.operator.loaded[0]))
    return True


def _enters_the_box(world: World) -> bool:
    if world.control is None or world.control.ended or world.operator.chamber != "VACUUM":
        return False
    world.operator.chamber = "AT_BOX"
    world.say(State("AT_BOX"))
    return True


def _switches(world: World) -> bool:
    if world.control is None or world.control.ended:
        return False
    on = world.operator.heated = not world.operator.heated
    world.say(Aux(CONTACTOR, CONTACTOR if on else 0))
    return True


def _bars(ticks: int) -> Choice:
    def do(world: World) -> bool:
        if world.control is None or world.control.ended:
            return False
        world.operator.permit, world.operator.permit_in = 0, ticks
        world.operator.give_beat(world)
        return True

    return Choice(f"the guard takes every permit away for {ticks} ticks", do)


def _hangs(ticks: int) -> Choice:
    def do(world: World) -> bool:
        if world.control is None or world.control.ended or world.operator.silent:
            return False
        world.operator.silent = ticks
        return True

    return Choice(f"the daemon hangs for {ticks} ticks", do)


def _repeats(ticks: int) -> Choice:
    def do(world: World) -> bool:
        if world.control is None or world.control.ended or world.operator.stuck:
            return False
        world.operator.stuck = ticks
        return True

    return Choice(f"the guard says the same heartbeat again for {ticks} ticks", do)


def _dies(world: World) -> bool:
    if world.control is None or world.control.ended:
        return False
    world.hang_up()
    return True


# --- the host ------------------------------------------------------------------------------------------------------


def _sleeps(ticks: int) -> Choice:
    def do(world: World) -> bool:
        return world.put_to_sleep(ticks)

    return Choice(f"the valve process is not woken for {ticks} ticks", do)


def _stalls(ms: int) -> Choice:
    def do(world: World) -> bool:
        if world.process is None or world.stall_ns:
            return False
        world.stall_ns = ms * MS
        return True

    return Choice(f"the valve process will be held up for {ms} ms before it sends an edge", do)


# --- the link ------------------------------------------------------------------------------------------------------


def _dark(what: str, ticks: int) -> Choice:
    def do(world: World) -> bool:
        until_ns = world.now_ns + ticks * TICK_NS
        if "requests" in what:
            world.requests_dark_until = max(world.requests_dark_until, until_ns)
        if "replies" in what:
            world.replies_dark_until = max(world.replies_dark_until, until_ns)
        return True

    return Choice(f"{what} are held back for {ticks} ticks", do)


def _resets(world: World) -> bool:
    if world.wire is None or world.wire.reset:
        return False
    world.wire.reset, world.wire.requests, world.wire.replies = True, [], []
    return True


def _loses(world: World) -> bool:
    if world.wire is None or world.wire.lost or world.wire.reset:
        return False
    world.wire.lost = True
    return True


# --- the module ----------------------------------------------------------------------------------------------------


def _reboots(world: World) -> bool:
    world.reboot()
    return True


def _writes(what: str, word: int) -> Choice:
    def do(world: World) -> bool:
        return world.foreign_write(word)

    return Choice(f"somebody else writes {what}", do)


def _refuses(world: World) -> bool:
    if world.next_fails:
        return False
    world.next_fails = True
    return True


DAEMON = (
    _says("Hold", Hold("explored")),
    _says("Hold", Hold("explored"), soon=True),
    _says("Abort", Abort("explored")),
    _says("Clear", Clear()),
    Choice("the daemon says that the chamber is at the box", _enters_the_box),
    Choice("the daemon switches the heaters", _switches),
    Choice("the daemon trims what it believes to run", _trims),
    *(_loads(name) for name in OTHERS),
    _loads("H2O at once", wrong_number=True),
    _bars(5),
    _hangs(26),
    _repeats(26),
    Choice("the daemon dies", _dies),
)
HOST = (
    _sleeps(1),
    _sleeps(3),
    _sleeps(6),
    _stalls(4),
    _stalls(8),
    Choice("the valve process is killed", World.kill),
)
LINK = (
    _dark("requests", 2),
    _dark("requests", 3),
    _dark("requests", 8),
    _dark("replies", 2),
    _dark("replies", 8),
    _dark("requests and replies", 8),
    _dark("requests and replies", 46),
    Choice("the connection is reset", _resets),
    Choice("the connection dies silently", _loses),
)
MODULE = (
    Choice("the module reboots", _reboots),
    _writes("zeros", 0),
    _writes("H2O open", H2O),
    Choice("the module refuses its next request", _refuses),
)
EVERYTHING = DAEMON + HOST + LINK + MODULE


def named(*names: str) -> tuple[Choice, ...]:
    """These choices of the menu. Raises KeyError for one that is not there."""
    found = {choice.name: choice for choice in EVERYTHING}
    return tuple(found[name] for name in names)


TELLING = named(  # one of each sort, for paths with two of them
    "the daemon says Hold",
    "the daemon says Abort",
    "the daemon says Clear",
    "the daemon loads H2O at once",
    "the guard takes every permit away for 5 ticks",
    "the daemon hangs for 26 ticks",
    "the daemon dies",
    "the valve process is not woken for 3 ticks",
    "the valve process is killed",
    "requests are held back for 8 ticks",
    "replies are held back for 8 ticks",
    "requests and replies are held back for 46 ticks",
    "the connection is reset",
    "somebody else writes H2O open",
    "the module refuses its next request",
)
