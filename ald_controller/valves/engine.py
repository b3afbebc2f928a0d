"""The valve engine: what is written to the valve word, when, and why not. Pure: time is an argument, in whole ns.

A host feeds `hear`, then calls `step` until it returns None, puts each returned word on the wire and notes on it when
it went out and was confirmed, forwards `reports`, and comes back at `next_at`. The real-time process and the virtual
clock host the same object, so that simulation and tool cannot differ in timing.

    opening  =  segment AND permit AND live heartbeat, one source at a time, on time or not at all
    closing  =  at once, and nobody is asked
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ald_controller.valves.rules import Rules, Stand, mask_of
from ald_controller.valves.wear import WearCount
from ald_controller.valves.wire import (
    Abort,
    Anchored,
    Aux,
    Beat,
    Clear,
    Edge,
    Ended,
    EngineConfig,
    Fault,
    FromEngine,
    Held,
    Hold,
    Load,
    Missed,
    Refused,
    Segment,
    SegmentId,
    Source,
    State,
    ToEngine,
    Trim,
)

MISSED_IN_A_ROW = 3
DOUBT_NS = 1_000_000_000  # what closed so shortly before the module was lost may have closed when it was found again


@dataclass(slots=True, eq=False)
class Write:
    """One word for the module; `of` and `index` say which edge of which segment it is, if it is one.

    The engine fills in `word` as it hands it out; the host fills in `sent_ns` and `confirmed_ns`, and sets `settled`
    when nothing more will be known.
    """

    due_ns: int
    of: SegmentId | None = None
    index: int = 0
    word: int = 0
    sent_ns: int = 0
    confirmed_ns: int = 0
    settled: bool = False


@dataclass(slots=True)
class _Run:
    """A segment with its absolute start, and how far it has come."""

    segment: Segment
    at_ns: int
    next: int = 0  # number of the next edge
    skip: int = 0  # bits of a missed or trimmed dose, kept off until the plan closes them
    sated: bool = False  # it opens nothing more
    unfilled: dict[str, int] = field(default_factory=dict)  # source -> by how much its filling was late, and left out

    @property
    def due_ns(self) -> int:
        """When the next edge, or else the end, is due."""
        edges = self.segment.edges
        return self.at_ns + (edges[self.next][0] if self.next < len(edges) else self.segment.length_ns)

    def without(self, bits: int) -> int:
        """Number of the next edge whose word has none of these bits; past the last one if there is none."""
        edges = self.segment.edges
        return next((i for i in range(self.next, len(edges)) if not edges[i][1] & bits), len(edges))


def _wiring(source: Source) -> tuple[str, int, tuple[tuple[str, int], ...]]:
    """What other bottles do not change."""
    return source.name, source.mask, tuple((position.name, position.mask) for position in source.positions)


class Engine:
    """One valve word, resting or in a segment. Raises ValueError, in a sentence, for a contradictory configuration.

    It starts held and takes segments only after a heartbeat and Clear. `word` is what was last handed to the wire
    (the alive bit is the host's own); `held` says why the engine rests and refuses, "" when it does not.
    """

    def __init__(self, config: EngineConfig, *, degraded: bool = False) -> None:
        self._config, self._rules, self._degraded = config, Rules(config, degraded), degraded
        self._late_ns = config.late_degraded_ns if degraded else config.late_ns
        self.word = 0
        self.held = "boot"
        self.late_edges = 0
        self.wear = WearCount(config.segment_mask | config.aux_mask)
        self._grave = True  # where held: for a reason that takes the aux outputs along: boot, abort, lease, fault
        self._fault = ""  # what the host must repair before Clear
        self._rest_word = config.rest_words.get("UNKNOWN", 0)
        self._plan_word, self._aux = self._rest_word, 0
        self._sequence, self._permit = -1, 0
        self._beat_ns: int | None = None  # None: no live heartbeat
        self._runs: deque[_Run] = deque()  # the first one is running
        self._last: SegmentId | None = None  # accepted last
        self._offered: SegmentId | None = None  # offered last under a right number
        self._tail_ns: int | None = None  # where the last accepted segment ends; None: nothing to join on to
        self._closes: dict[Stand, int] = {}  # when it closes last by plan
        self._closed: dict[Stand, int] = {}  # when it closed last in fact
        self._lost_ns = 0  # when the module was lost last
        self._leaving: list[Stand] = []  # closed by words that are not yet out
        self._missed = 0
        self._cut: Write | None = None  # the edge that a cut or trim makes of the next word
        self._reports: deque[FromEngine | Write] = deque()

    @property
    def running(self) -> SegmentId | None:
        return self._runs[0].segment.id if self._runs else None

    @property
    def queued(self) -> int:
        """How many segments wait behind the running one."""
        return max(0, len(self._runs) - 1)

    @property
    def alive(self) -> bool:
        """Whether the daemon's heartbeat is live."""
        return self._beat_ns is not None

    # --- what a host calls -----------------------------------------------------------------------------------------

    def hear(self, now_ns: int, message: ToEngine) -> None:
        """Take one message; what it asks of the valves comes out of the next `step`."""
        match message:
            case Load(segment):
                self._load(now_ns, segment)
            case Beat(sequence, permit):
                self._beat(now_ns, sequence, permit)
            case Trim():
                self._trim(now_ns, message)
            case Hold(why):
                self.rest(now_ns, f"hold: {why}", grave=False)
            case Abort(why):
                self.rest(now_ns, f"abort: {why}")
            case State(chamber):
                self._enter(now_ns, chamber)
            case Aux(mask, bits):
                self._set_aux(mask, bits)
            case Clear():
                self._clear()
            case EngineConfig():
                self._reconfigure(message)

    def step(self, now_ns: int) -> Write | None:
        """The next word to write now, or None: call it until then."""
        if self._beat_ns is not None and now_ns - self._beat_ns >= self._config.lease_ns:
            self._beat_ns, self._permit = None, 0
            self.rest(now_ns, "lease")
        while self._runs and self._runs[0].due_ns <= now_ns:
            if (write := self._advance(now_ns, self._runs[0])) is not None:
                return write
        cut, self._cut = self._cut, None
        return self._put(now_ns, cut or Write(now_ns)) if self._plan_word | self._aux != self.word else None

    def next_at(self) -> int | None:
        """When `step` has something to do next if nothing is heard before, or None."""
        times = [self._runs[0].due_ns] if self._runs else []
        if self._beat_ns is not None:
            times.append(self._beat_ns + self._config.lease_ns)
        return min(times, default=None)

    def next_edge_at(self) -> int | None:
        """When the running segment has something due, or None."""
        return self._runs[0].due_ns if self._runs else None

    def reports(self) -> Iterator[FromEngine]:
        """What there is to tell, in order and each once; an edge, and all behind it, waits until it is settled."""
        while self._reports:
            head = self._reports[0]
            if isinstance(head, Write):
                if not head.settled or head.of is None:
                    return
                head = Edge(head.of, head.index, head.word, head.due_ns, head.sent_ns, head.confirmed_ns)
            self._reports.popleft()
            yield head

    def rest(self, now_ns: int, why: str, *, grave: bool = True) -> None:
        """Drop what runs and is queued, and rest at the next `step`; the first reason stays, but for a graver one.

        A grave reason takes the aux outputs along: the contactor of the lithium-zone heaters goes off.
        """
        cut = self._runs[0] if self._runs else None
        if cut is not None and cut.segment.edges:
            last = len(cut.segment.edges) - 1
            closing = min(cut.without(self._plan_word & self._rules.source_mask), last)
            self._cut = Write(now_ns, cut.segment.id, closing)
        self._runs.clear()
        self._closes.clear()
        self._tail_ns = None
        self._plan_word = self._rest_word
        if not self.held or (grave and not self._grave):
            self.held, self._grave = why, grave
        if grave:
            self._aux = 0
        self._reports.append(Held(why, cut.segment.id if cut else None, now_ns))

    def fault(self, now_ns: int, what: str, *, told: bool = False, word: int | None = None) -> None:
        """The module or its link failed: rest, and refuse Clear until `repaired`.

        `told` is for the same failure at a fresh attempt, while the engine rests for it: it is not reported again.
        `word` is what the module was found to hold instead of what was written, if that is how it failed.
        """
        self._fault = what
        for write in self._reports:
            if isinstance(write, Write):
                write.settled = True  # nobody will confirm it any more: it is reported with confirmed_ns 0
        if not (told and self.held):
            self._lost_ns = now_ns
            self._reports.append(Fault(what, now_ns, word))
            self.rest(now_ns, f"fault: {what}")

    def repaired(self) -> None:
        """The module is there, armed as before: Clear may be given."""
        self._fault = ""

    def left(self, now_ns: int) -> None:
        """What `step` returned is out: what it closes is closed now, however long ago it was made."""
        for stand in self._leaving:
            self._closed[stand] = now_ns
        self._leaving.clear()

    def assume(self, word: int, sent_ns: int, confirmed_ns: int) -> None:
        """The host put `word` on the module by itself: the safe word, which comes first on every new connection."""
        if (cut := self._cut) is not None and word != self.word:
            cut.word, cut.sent_ns, cut.confirmed_ns, cut.settled = word, sent_ns, confirmed_ns, True
            self._reports.append(cut)
        self._cut = None
        self._move(confirmed_ns, word)
        self._leaving.clear()
        for stand, closed_ns in self._closed.items():
            if closed_ns > self._lost_ns - DOUBT_NS:  # the word that closed it may never have come
                self._closed[stand] = confirmed_ns

    # --- messages --------------------------------------------------------------------------------------------------

    def _refuse(self, id: SegmentId | None, why: str) -> None:
        self._reports.append(Refused(id, why))

    def _load(self, now_ns: int, segment: Segment) -> None:
        tail_ns = self._tail_ns
        at_ns = tail_ns if tail_ns is not None and now_ns < tail_ns else now_ns + self._config.lead_ns
        if (why := self._why_not(segment, at_ns)) is not None:
            self._refuse(segment.id, why)
            return
        same_run = self._last is not None and self._last.run == segment.id.run
        added_rest_ns = at_ns - tail_ns if same_run and tail_ns is not None else 0
        self._last, self._tail_ns = segment.id, at_ns + segment.length_ns
        self._closes.update(self._rules.closes(segment, at_ns))
        self._runs.append(_Run(segment, at_ns))
        self._reports.append(Anchored(segment.id, at_ns, added_rest_ns))

    def _why_not(self, segment: Segment, at_ns: int) -> str | None:
        if self.held:
            return f"the engine is held ({self.held}): reset it first"
        if (why := self._number_fault(segment.id)) is not None:
            return why
        closed = self._closed | {stand: max(ns, self._closed.get(stand, ns)) for stand, ns in self._closes.items()}
        return self._rules.segment_fault(segment, self._rest_word, at_ns, closed)

    def _number_fault(self, id: SegmentId) -> str | None:
        """Numbers of a run follow each other; a refused one may be used again or not, and a cut may leave a gap."""
        used = self._last.half if self._last is not None and self._last.run == id.run else -1
        offered = self._offered.half if self._offered is not None and self._offered.run == id.run else used
        if id.half <= used or (id.half > offered + 1 and self._tail_ns is not None):
            return f"it is number {id.half} of run {id.run}, where number {offered + 1} is next"
        self._offered = id
        return None

    def _beat(self, now_ns: int, sequence: int, permit: int) -> None:
        if sequence != self._sequence:  # a heartbeat is a counter that changes: the same one again proves no life
            if self._beat_ns is not None and now_ns - self._beat_ns >= self._config.lease_ns:
                self.rest(now_ns, "lease")  # it ran out unseen, in a process that slept: no later beat undoes that
            self._sequence, self._beat_ns, self._permit = sequence, now_ns, permit

    def _trim(self, now_ns: int, trim: Trim) -> None:
        bits = self._plan_word & self._rules.source_mask
        if self.running != trim.id or not (bits or trim.last):
            self._refuse(trim.id, "there is no dose of it to end: none is open")
            return
        run = self._runs[0]
        run.sated = trim.last  # what is sated has nothing open, and takes no trim of one dose any more
        if bits:
            self._cut = Write(now_ns, trim.id, run.without(bits))
            run.skip |= bits
            self._plan_word &= ~bits

    def _enter(self, now_ns: int, chamber: str) -> None:
        rest_word = self._config.rest_words.get(chamber)
        if rest_word is None:
            self._refuse(None, f"there is no rest word for chamber state {chamber}")
        elif rest_word != self._rest_word:
            self._rest_word = rest_word
            if self._runs:  # planned for another state of the chamber: not to be gone on with
                self.rest(now_ns, f"state: the chamber became {chamber}", grave=False)
            self._plan_word = rest_word

    def _set_aux(self, mask: int, bits: int) -> None:
        if mask & ~self._config.aux_mask or bits & ~mask:
            self._refuse(None, f"aux bits {bits:#06x} of {mask:#06x} are not all within {self._config.aux_mask:#06x}")
        elif bits and self.held and self._grave:  # as it is, too, whenever there is no live heartbeat
            self._refuse(None, f"no auxiliary output is switched on: the engine is held ({self.held})")
        else:
            self._aux = self._aux & ~mask | bits

    def _clear(self) -> None:
        if self._fault:
            self._refuse(None, f"not cleared: {self._fault}")
        elif not self.alive:
            self._refuse(None, "not cleared: there is no live heartbeat")
        else:
            self.held, self._missed = "", 0

    def _reconfigure(self, config: EngineConfig) -> None:
        """Other bottles: new facts of the same sources on the same bits, and only while nothing runs."""
        kept = [_wiring(source) for source in self._config.sources] == [_wiring(source) for source in config.sources]
        if self._runs:
            self._refuse(None, "what hangs at the ports does not change while a segment runs")
        elif not kept or replace(config, sources=self._config.sources) != self._config:
            self._refuse(None, "only kinds and longest openings change; other wiring needs a new valve process")
        else:
            try:
                self._rules = Rules(config, self._degraded)
            except ValueError as error:
                self._refuse(None, str(error))
            else:
                self._config = config

    # --- edges -----------------------------------------------------------------------------------------------------

    def _advance(self, now_ns: int, run: _Run) -> Write | None:
        """Take what is due of the running segment: an edge to write, or None where nothing is to be written."""
        edges, index, due_ns = run.segment.edges, run.next, run.due_ns
        if index == len(edges):
            self._end()
            return None
        word, before = edges[index][1], edges[index - 1][1] if index else self._rest_word
        if opening := self._rules.opened(before, word):
            if not run.sated and not self._may_open(now_ns, opening):
                return None
            if not run.sated and self._in_time(now_ns, run, opening):
                run.skip &= ~mask_of(opening)
            else:  # bits that it shares with a source that stays open stay on
                staying = (stand for stand in self._rules.open(word) if stand not in opening)
                run.skip |= mask_of(opening) & ~mask_of(staying)
        if self.held:
            return None
        run.next += 1
        self.late_edges += now_ns - due_ns > self._late_ns
        of_skipped_dose = (word ^ before) & run.skip
        run.skip &= word
        reduced = self._rules.whole(word & ~run.skip)
        if of_skipped_dose and reduced == self._plan_word:
            return None
        self._plan_word = reduced
        return self._put(now_ns, Write(due_ns, run.segment.id, index))

    def _end(self) -> None:
        run = self._runs.popleft()
        self._reports.append(Ended(run.segment.id, run.at_ns + run.segment.length_ns))

    def _may_open(self, now_ns: int, opening: tuple[Stand, ...]) -> bool:
        barred = [str(stand) for stand in opening if stand.mask & ~self._permit]
        if barred:
            self.rest(now_ns, f"permit: {', '.join(barred)} may not open now", grave=False)
        return not barred

    def _in_time(self, now_ns: int, run: _Run, opening: tuple[Stand, ...]) -> bool:
        """Whether an opening edge may still be written; a missed one is reported, the third in a row holds."""
        filling = any(stand.position for stand in opening)
        unfilled_ns = max(run.unfilled.pop(stand.source.name, 0) for stand in opening)  # a filling begins anew
        late_ns = max(now_ns - run.due_ns, self._too_soon_ns(now_ns, opening), 0 if filling else unfilled_ns)
        closing = run.without(mask_of(opening))
        over = run.at_ns + run.segment.edges[closing][0] <= now_ns
        if late_ns <= self._late_ns and not over:
            self._missed = self._missed if filling else 0
            return True
        if filling:  # the dose that it is for is what is missed
            run.unfilled |= {stand.source.name: late_ns for stand in opening}
            return False
        self._missed += 1
        self._reports.append(Missed(run.segment.id, run.next, late_ns))
        if self._missed == MISSED_IN_A_ROW:
            self.rest(now_ns, f"late: {MISSED_IN_A_ROW} doses in a row were missed", grave=False)
        return False

    def _too_soon_ns(self, now_ns: int, opening: tuple[Stand, ...]) -> int:
        """How much is wanting to the time for which everything stays shut, because something closed late."""
        past = ((stand, before, ns) for stand in opening for before, ns in self._closed.items())
        return max((ns + self._rules.gap_ns(before, stand) - now_ns for stand, before, ns in past), default=0)

    def _put(self, now_ns: int, write: Write) -> Write:
        write.word = self._plan_word | self._aux
        self._move(now_ns, write.word)
        if write.of is not None:
            self._reports.append(write)
        return write

    def _move(self, now_ns: int, word: int) -> None:
        self.wear.move(now_ns, self.word, word)
        for stand in self._rules.opened(word, self.word):
            self._closed[stand] = now_ns
            self._leaving.append(stand)
        self.word = word
