"""What must hold on every path, judged by the words that leave the host, what the module makes of them, and when.

The engine is never asked. What the oracle knows of the plan it works out for itself, from the segments that were
accepted and when.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from ald_controller.valves.wire import Abort, Aux, Beat, Clear, Hold, Load, Segment, SegmentId, State, ToEngine, Trim
from tests.explore.setting import ALIVE, CONFIG, CONTACTOR, MS, SOURCES, TICK_NS, WATCHDOG_MS
from tests.explore.telling import NAMES, names, said

if TYPE_CHECKING:
    from tests.explore.link import Flight
    from tests.explore.world import World

STANDS = {  # mask -> source and position
    mask: (source, position)
    for source in CONFIG.sources
    for mask, position in ((source.mask, ""), *((each.mask, each.name) for each in source.positions))
}
LONGEST_NS = {each.mask: each.longest_ns for source in CONFIG.sources for each in source.positions}
LONGEST_NS |= {source.mask: source.longest_open_ns for source in CONFIG.sources}
TOGETHER = {frozenset(pair) for pair in CONFIG.compatible}
REOPEN_NS, CHANGEOVER_NS = 10 * MS, 50 * MS  # between two openings of one source, between two positions of it
GONE_NS = WATCHDOG_MS * MS + CONFIG.confirm_ns + TICK_NS  # by then the module's watchdog has closed what nobody closed


def gap_ns(before: int, after: int) -> int:
    """How long everything stays shut between two stands, given by their masks."""
    (one, first), (other, second) = STANDS[before], STANDS[after]
    if one is other:
        return CHANGEOVER_NS if first != second else REOPEN_NS
    return CONFIG.min_closed_ns if not first and not second and one.kind != other.kind else 0


class Broken(Exception):
    """A property does not hold; the text says which, and what was seen."""


def sources_of(word: int) -> list[int]:
    """The masks of the sources that are open in this word."""
    return [mask for mask in STANDS if word & mask]


class Oracle:
    """Hears what the daemon says, sees what leaves and what the module's outputs do; raises Broken."""

    __slots__ = (
        "armed", "beat_ns", "chamber", "first", "foreign", "grave", "heating", "last_word", "open_ns", "permit",
        "plan", "sequence", "shut_ns", "stopped", "tail_ns", "tripped", "unwanted_ns",
    )  # fmt: skip

    def __init__(self) -> None:
        self.open_ns: dict[int, int] = {}  # at the module: since when
        self.shut_ns: dict[int, int] = {}  # when the word left that shut it, or when the watchdog did
        self.unwanted_ns: dict[int, int] = {}  # open at the module and should not be: since when
        self.foreign = 0  # bits that somebody else set
        self.tripped = False
        self.fresh_process()

    def fresh_process(self) -> None:
        """Nothing that an earlier process was told counts."""
        self.beat_ns: int | None = None
        self.sequence, self.permit = -1, 0
        self.stopped = self.grave = True
        self.heating = False
        self.chamber = "UNKNOWN"
        self.plan: list[tuple[int, int, int, SegmentId]] = []  # mask, due to open, due to shut, of which segment
        self.tail_ns: int | None = None
        self.armed = False  # it has once said that the module is proven, and may not arm it any more
        self.fresh_wire()

    def fresh_wire(self) -> None:
        self.last_word, self.first = 0, True

    # --- what is said ----------------------------------------------------------------------------------------------

    def heard(self, now_ns: int, message: ToEngine, *, accepted: bool, ran: object) -> None:
        """The process has read this; `accepted` of a segment, `ran` is what ran before."""
        match message:
            case Beat(sequence, permit):
                if sequence != self.sequence:
                    self.sequence, self.beat_ns, self.permit = sequence, now_ns, permit
            case Load(segment):
                if accepted:
                    self._accept(now_ns, segment)
            case Trim(id, last):
                if id == ran:  # what is not open yet is not ended, but with `last`
                    self.plan = [x for x in self.plan if x[3] != id or not (last or x[0] & self.last_word)]
            case State(chamber):
                if CONFIG.rest_words[chamber] != CONFIG.rest_words[self.chamber]:
                    self.plan, self.tail_ns = [], None
                self.chamber = chamber
            case _:
                self._switched(message)

    def _switched(self, message: ToEngine) -> None:
        match message:
            case Clear():
                self.stopped = self.grave = False
            case Hold():
                self.stop()
            case Abort():
                self.gone()
            case Aux(_, bits):
                self.heating = bool(bits) and not self.grave

    def _accept(self, now_ns: int, segment: Segment) -> None:
        at_ns = self.tail_ns if self.tail_ns is not None and now_ns < self.tail_ns else now_ns + CONFIG.lead_ns
        self.tail_ns = at_ns + segment.length_ns
        since: dict[int, int] = {}
        for offset, word in segment.edges:
            for mask in STANDS:
                if word & mask:
                    since.setdefault(mask, offset)
                elif mask in since:
                    self.plan.append((mask, at_ns + since.pop(mask), at_ns + offset, segment.id))
        self.plan += [(mask, at_ns + offset, self.tail_ns, segment.id) for mask, offset in since.items()]

    def stop(self) -> None:
        """Nothing that was loaded may open any more."""
        self.stopped = True
        self.plan, self.tail_ns = [], None

    def gone(self) -> None:
        """A grave reason, which takes the heaters along."""
        self.stop()
        self.grave, self.heating = True, False

    def dropped(self) -> None:
        """The process has ended its connection: whatever it was, it is a fault, and rests for it."""
        self.gone()
        self.fresh_wire()

    # --- what leaves the host --------------------------------------------------------------------------------------

    def left(self, now_ns: int, word: int) -> tuple[int, int]:
        """A word for the outputs has left; returns when it was due, and what it opens."""
        if self.first and word & ~ALIVE:
            raise Broken(f"the first word on a fresh connection was not the safe word but {names(word)}")
        opening = word & ~self.last_word & SOURCES
        self.first, self.last_word = False, word
        if word & CONTACTOR and not self.heating:
            raise Broken("a word with the heaters on left the host after a grave stop, without reset and request")
        due_ns = now_ns
        for mask in sources_of(opening):
            due_ns = min(due_ns, self._may_open(now_ns, mask))
        return due_ns, opening

    def _may_open(self, now_ns: int, mask: int) -> int:
        what = f"a word that opens {NAMES[mask]} left the host"
        if self.stopped:
            raise Broken(f"{what} after everything was stopped and before a reset")
        if self.beat_ns is None or now_ns - self.beat_ns >= CONFIG.lease_ns:
            raise Broken(f"{what} without a live lease")
        if not self.permit & mask:
            raise Broken(f"{what} without a permit")
        due = [open_ns for m, open_ns, shut_ns, _ in self.plan if m == mask and open_ns <= now_ns < shut_ns]
        if not due:
            raise Broken(f"{what}, and no accepted segment opens it now")
        if now_ns - max(due) > CONFIG.late_ns:
            raise Broken(f"{what} {(now_ns - max(due)) / MS:g} ms late")
        return max(due)

    # --- what the module does --------------------------------------------------------------------------------------

    def changed(self, world: World, at_ns: int, word: int, arrived: Flight | None) -> None:
        """The module's outputs became `word`, by what `arrived` from the host, or by something else."""
        was = sum(self.open_ns)
        for mask in sources_of(was & ~word):
            del self.open_ns[mask]
            self.unwanted_ns.pop(mask, None)
            if not self.foreign & mask:  # nobody can keep a distance to what somebody else opened
                self.shut_ns[mask] = at_ns if arrived is None else arrived.left_ns
            self.foreign &= ~mask
        for mask in sources_of(word & ~was):
            self.open_ns[mask] = at_ns
            if not self.foreign & mask:
                self._opened(world, at_ns, mask, arrived)
        for one, other in combinations(sources_of(word & ~self.foreign), 2):
            if frozenset((STANDS[one][0].name, STANDS[other][0].name)) not in TOGETHER:
                raise Broken(f"two sources are open at the module: {names(word)}")

    def _opened(self, world: World, at_ns: int, mask: int, arrived: Flight | None) -> None:
        what = f"{NAMES[mask]} opened at the module"
        if arrived is None:
            raise Broken(f"{what}, and the host wrote nothing")
        if (late_ns := at_ns - arrived.due_ns) > CONFIG.confirm_ns:
            raise Broken(f"{what} {late_ns / MS:g} ms after it was due: {CONFIG.confirm_ns / MS:g} ms at most")
        if not world.armed():
            raise Broken(f"{what} while the module's watchdog was not armed")
        # written again, it opens only what somebody else has shut
        for other, shut_ns in self.shut_ns.items() if arrived.opens & mask else ():
            if (floor_ns := gap_ns(other, mask)) and at_ns - shut_ns < floor_ns - CONFIG.late_ns:
                gap = f"{(at_ns - shut_ns) / MS:g} ms after {NAMES[other]}"
                raise Broken(f"{what} {gap}: {floor_ns / MS:g} ms are needed")

    # --- at the end of every instant -------------------------------------------------------------------------------

    def look(self, world: World) -> None:
        """Everything that was to happen at this instant has happened."""
        now_ns = world.now_ns
        self._hear_out(world, now_ns)
        self.plan = [each for each in self.plan if each[2] > now_ns]
        self.armed |= world.operator.connected
        if self.armed and self.tripped and not world.coupler.tripped:
            raise Broken("a watchdog that had tripped was reset without a fresh process")
        self.tripped = world.coupler.tripped
        for mask, since_ns in self.open_ns.items():
            if now_ns - since_ns > LONGEST_NS[mask] + GONE_NS and self._answerable(world, mask):
                raise Broken(f"{NAMES[mask]} is open for {(now_ns - since_ns) / MS:g} ms")
        self._wanted(world, now_ns)
        self.shut_ns = {mask: ns for mask, ns in self.shut_ns.items() if now_ns - ns < CHANGEOVER_NS}

    def _hear_out(self, world: World, now_ns: int) -> None:
        """Who is awake has heard what was said, an end of file, and that nothing was said for too long."""
        if world.control is None or not world.awake:  # who sleeps finds the next heartbeat when it wakes
            return
        if world.control.queue:
            raise Broken(f"the daemon was not heard: {said(world.control.queue[0])}")
        if world.control.ended or (self.beat_ns is not None and now_ns - self.beat_ns >= CONFIG.lease_ns):
            self.gone()

    def _wanted(self, world: World, now_ns: int) -> None:
        wanted = 0 if self.stopped else sum({mask for mask, due_ns, *_ in self.plan if due_ns <= now_ns})
        unwanted = sum(self.open_ns) & ~wanted
        if unwanted & ~self.foreign and world.calm():
            raise Broken(f"{names(unwanted)} is open at the module and should be shut, with nothing in the way")
        self.unwanted_ns = {mask: self.unwanted_ns.get(mask, now_ns) for mask in sources_of(unwanted)}
        for mask, since_ns in self.unwanted_ns.items():
            if now_ns - since_ns > GONE_NS and self._answerable(world, mask):
                raise Broken(f"{NAMES[mask]} is open {(now_ns - since_ns) / MS:g} ms after it should be shut")

    def _answerable(self, world: World, mask: int) -> bool:
        """Whether the host is to answer for an open source: not for one that another opened on an unarmed module."""
        return not self.foreign & mask or world.armed()

    def slept(self, ns: int) -> None:
        """The host could do nothing for so long: what it answers for begins so much later."""
        self.open_ns = {mask: since_ns + ns for mask, since_ns in self.open_ns.items()}
        self.unwanted_ns = {mask: since_ns + ns for mask, since_ns in self.unwanted_ns.items()}
