"""Projections: what is no part of a state, because it decides nothing about any later word.

Counters that only grow and are only told are hidden from the snapshot (`stage.py:snapshots`). What is here has to be
made equal in the live objects. That nothing else of a state is lost, and that none of this decides anything, is what
`test_equal_states_have_equal_futures` looks at, and every story: it is played on objects that were never copied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ald_controller.valves import engine as engine_module
from ald_controller.valves import host as host_module
from ald_controller.valves.host import Host
from ald_controller.valves.rules import CHANGEOVER_NS
from ald_controller.valves.wire import Refused
from tests.explore.link import telegrams
from tests.explore.setting import CONFIG, SHORTENED
from tests.explore.stage import FAR_NS

if TYPE_CHECKING:
    from tests.explore.world import World

GAP_NS = max(CHANGEOVER_NS, CONFIG.min_closed_ns)  # beyond it nothing that closed is of any interest
_TRANSACTION = 1000


def forget(world: World) -> None:
    """Make equal what only looks different."""
    world.expires_ns = None if world.coupler._expires_s is None else round(world.coupler._expires_s * 1e9)
    world.requests_dark_until = max(world.requests_dark_until, world.now_ns)  # what is over is over
    world.replies_dark_until = max(world.replies_dark_until, world.now_ns)
    world.asleep_until = max(world.asleep_until, world.now_ns)
    if world.process is not None:
        _forget_texts(world.process._host, world.now_ns)
        _forget_times(world.process._host, world.now_ns)
        _renumber(world, world.process._host)


def _forget_texts(host: Host, now_ns: int) -> None:
    """Texts of which only counts whether there is one; and a status that goes out from time to time moves nothing."""
    engine = host.engine
    host._status_at = now_ns + FAR_NS
    if now_ns - host._failed_ns >= SHORTENED[host_module, "TELL_AGAIN_NS"]:
        host._failure = ""  # compared within this time alone
    if not host._failure:
        host._failed_ns = now_ns  # no failure is like none
    engine.held, engine._fault = engine.held and "held", engine._fault and "fault"
    host._told = (engine.held, host.connected)
    for at, report in enumerate(engine._reports):
        if isinstance(report, Refused):
            engine._reports[at] = Refused(report.id, report.why[: len("not cleared")])  # as much as `Operator` reads


def _forget_times(host: Host, now_ns: int) -> None:
    """Instants that are over, or that are set anew before they are looked at."""
    engine, doubt_ns = host.engine, SHORTENED[engine_module, "DOUBT_NS"]
    host._opens_ns = None  # looked at between `step` and `sent` alone
    host.link_at = max(host.link_at, now_ns)
    if host._talk is None:
        host._safe_sent_ns = now_ns  # set when one begins, looked at when it ends
    if host.connected:
        host._lost_ns = engine._lost_ns = now_ns  # set when a proven module is lost, and looked at before it is again
    else:
        host._round_at = now_ns  # set when the module is proven
    if engine._tail_ns is not None:
        engine._tail_ns = max(engine._tail_ns, now_ns)
    for stand, closed_ns in list(engine._closed.items()):
        if now_ns - closed_ns > GAP_NS and closed_ns <= engine._lost_ns - doubt_ns:
            del engine._closed[stand]  # no distance to it is wanting, and none will be
    for stand, closes_ns in list(engine._closes.items()):
        if now_ns - closes_ns > GAP_NS:
            del engine._closes[stand]
    for coil in engine.wear._since_ns:
        engine.wear._since_ns[coil] = now_ns  # how long it is energised is only told


def _renumber(world: World, host: Host) -> None:
    """Transaction ids count on for ever; only which reply is whose matters."""
    outputs, wire = host._outputs, world.wire
    back = outputs._transaction - _TRANSACTION
    if back:
        host._asked = {(id - back) % 0xFFFF: asked for id, asked in host._asked.items()}
        outputs._transaction = _TRANSACTION
        if wire is not None:
            for flight in wire.requests:
                flight.data = _moved(flight.data, back)
            wire.replies = [(at_ns, _moved(data, back)) for at_ns, data in wire.replies]
    for asked in host._asked.values():
        asked.request = b"\0\0" + asked.request[2:]  # a reply is found by its number, and checked by the rest


def _moved(data: bytes, back: int) -> bytes:
    numbers = [(int.from_bytes(each[:2], "big") - back) % 0xFFFF for each in telegrams(data)]
    return b"".join(new.to_bytes(2, "big") + each[2:] for new, each in zip(numbers, telegrams(data), strict=True))
