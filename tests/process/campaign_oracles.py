"""The three oracles of the campaign of kills: pure functions over what the module saw and what the record says.

Each returns its violations as sentences; none means that all is well. Times are seconds of CLOCK_MONOTONIC, which the
simulated module (kernel receive stamps), the record and the killer share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ald_controller.records.doses import DoseRow, DoseState, EdgeRow, Intent
from ald_controller.records.record import Event
from ald_controller.recovery import Place
from tests.valve_rig import CONTACTOR

FLUSH_S = 0.25  # what a kill may take from a record: edges and events of the last quarter of a second (docs/records.md)
BUSY_S = 0.35  # and so long a writer may wait for a computer and a disk that others use, too
APART_S = 0.05  # an edge as it was sent, and as the module's kernel stamped it


@dataclass(frozen=True, slots=True)
class Change:
    """The outputs of the module became `word`."""

    at_s: float
    word: int
    cause: str = "write"


@dataclass(frozen=True, slots=True)
class Kill:
    """What was done to which process when, and what is promised of it.

    `shut_within_s`: from then on no source is open. `opens_within_s`: until then an opening may still be on its way (a
    lease that lives, a closing end of file). `record_s`: until then the record is complete.
    """

    kind: str
    at_s: float
    shut_within_s: float
    opens_within_s: float
    record_s: float


@dataclass(frozen=True, slots=True)
class Rows:
    """What a reader found on the disk."""

    events: tuple[Event, ...] = ()
    intents: tuple[Intent, ...] = ()
    edges: tuple[EdgeRow, ...] = ()

    def __len__(self) -> int:
        return len(self.events) + len(self.intents) + len(self.edges)


@dataclass(frozen=True, slots=True)
class Shown:
    """What `ald status` answered of the run: when it answered, and how many doses it called confirmed."""

    at_s: float
    confirmed: int


@dataclass(frozen=True, slots=True)
class After:
    """How it stood when the next controller was up, or when the one that survived had made safe."""

    state: str
    latched: bool
    run: str | None
    ending: str
    told: str  # the alarm that came first
    survived: bool


@dataclass(frozen=True, slots=True)
class Story:
    """One run with its kill, from the start that a person asked for to the moment before the next one."""

    run: str
    kill: Kill
    sources: dict[str, int]  # name -> bit of the valve word
    changes: tuple[Change, ...]
    before: Rows  # read from the disk just before the kill: acknowledged
    shown: tuple[Shown, ...]
    rows: Rows  # read from the disk afterwards
    doses: tuple[DoseRow, ...]
    lost: int
    integrity: str
    place: Place
    after: After

    @property
    def intended(self) -> dict[int, Intent]:
        """The newest intent of each half-cycle: what the disk refused is written once more, and both are kept."""
        return {intent.half: intent for intent in self.rows.intents}

    def count(self, state: DoseState) -> int:
        """Doses of the record in this state."""
        return sum(dose.state == state for dose in self.doses)

    @property
    def mask(self) -> int:
        return sum(self.sources.values())


@dataclass(frozen=True, slots=True)
class Opening:
    """One source open at the module; `shut_s` is infinite where it never closed."""

    at_s: float
    bit: int
    shut_s: float


def openings(changes: Sequence[Change], mask: int) -> list[Opening]:
    """Every time for which a source was open, in order."""
    found: list[Opening] = []
    since: dict[int, float] = {}
    word = 0
    for change in changes:
        for bit in _bits((change.word ^ word) & mask):
            if change.word & bit:
                since[bit] = change.at_s
            else:
                found.append(Opening(since.pop(bit), bit, change.at_s))
        word = change.word
    found += [Opening(at_s, bit, float("inf")) for bit, at_s in since.items()]
    return sorted(found, key=lambda opening: opening.at_s)


def open_at(changes: Sequence[Change], mask: int, at_s: float) -> bool:
    """Whether a source was open at this moment."""
    return any(opening.at_s <= at_s < opening.shut_s for opening in openings(changes, mask))


def shut_after(story: Story) -> float:
    """Seconds from the kill until the last source was shut that was open then or opened since; 0 when none was."""
    late = [o.shut_s for o in openings(story.changes, story.mask) if o.shut_s > story.kill.at_s]
    return max(late, default=story.kill.at_s) - story.kill.at_s


# --- first oracle: the valve trace -----------------------------------------------------------------------------------


def valve_trace(story: Story) -> list[str]:
    """Shut in time, one source at a time, nothing opened without an intent, nothing after the kill."""
    kill, found = story.kill, openings(story.changes, story.mask)
    told, shut_s = [], shut_after(story)
    if shut_s > kill.shut_within_s:
        told.append(
            f"a source was open until {shut_s:.3f} s after '{kill.kind}', promised are {kill.shut_within_s:g} s"
        )
    told += [f"a source opened {o.at_s - kill.at_s:.3f} s after '{kill.kind}'"
             for o in found if o.at_s > kill.at_s + kill.opens_within_s]  # fmt: skip
    told += [f"the outputs {c.word:#x} have two sources open at once" for c in story.changes
             if (c.word & story.mask).bit_count() > 1]  # fmt: skip
    told += [f"the contactor closed {c.at_s - kill.at_s:.3f} s after '{kill.kind}'"
             for before, c in pairwise(story.changes)
             if c.word & ~before.word & CONTACTOR and c.at_s > kill.at_s + kill.opens_within_s]  # fmt: skip
    return told + _without_intent(story, found)


def _without_intent(story: Story, found: list[Opening]) -> list[str]:
    """As many doses as were intended of a source before it opened may have been opened, and no more."""
    told, opened = [], Counter[int]()
    for opening in found:
        opened[opening.bit] += 1
        intended = sum(
            story.sources[dose.source] == opening.bit
            for intent in story.intended.values() if intent.at_s <= opening.at_s for dose in intent.doses
        )  # fmt: skip
        if opened[opening.bit] > intended:
            told.append(f"opening {opened[opening.bit]} of bit {opening.bit:#x}, with {intended} intended before it")
    return told


# --- second oracle: the journal --------------------------------------------------------------------------------------


def journal(story: Story) -> list[str]:
    """Whole, with every acknowledged row; numbered without a gap; ended; and the next controller latched."""
    rows, before, told = story.rows, story.before, []
    if story.integrity != "ok":
        told.append(f"the database is damaged: {story.integrity}")
    for kind, kept, was in (("event", rows.events, before.events), ("intent", rows.intents, before.intents),
                            ("edge", rows.edges, before.edges)):  # fmt: skip
        if lost := [row for row in was if row not in kept]:
            told.append(f"{len(lost)} acknowledged rows of kind {kind} are lost, the first is {lost[0]}")
    if story.lost:
        told.append(f"{story.lost} numbers are missing among events and intents")
    seen = max((s.confirmed for s in story.shown if s.at_s <= story.kill.record_s), default=0)
    if story.count("confirmed") < seen:
        told.append(f"{seen} doses were shown as confirmed, {story.count('confirmed')} are on record")
    return told + _numbers(story) + _ending(story)


def _numbers(story: Story) -> list[str]:
    rows, told = story.rows, []
    halves = list(story.intended)
    for sooner, later in pairwise(rows.intents):
        if sooner.half == later.half and (sooner.cycle, sooner.doses) != (later.cycle, later.doses):
            told.append(f"half-cycle {later.half} was intended twice, and differently")
    if halves != list(range(len(halves))):
        told.append(f"the half-cycles are not numbered on from 0: {halves}")
    cycles = [intent.cycle for intent in rows.intents if intent.part == "deposit"]
    steps = {later - sooner for sooner, later in pairwise(cycles)}
    if cycles[:1] not in ([], [1]) or steps - {0, 1}:
        told.append(f"the cycles do not follow each other from 1: {cycles}")
    # a rest that moves the contactor alone bears the number of the closing before it: it opens and shuts no source
    moved = Counter((e.half, e.index) for e in rows.edges if _named(story, e.energised) or _named(story, e.released))
    twice = [key for key, n in moved.items() if n > 1]
    told += [f"edge {index} of half-cycle {half} is on record twice" for half, index in twice]
    return told + [f"half-cycle {half} has edges and no intent" for half in {e.half for e in rows.edges} - set(halves)]


def _ending(story: Story) -> list[str]:
    after, told = story.after, []
    allowed = ("tripped", "aborted") if after.survived else ("interrupted", "tripped")
    if after.ending not in allowed:
        told.append(f"the ending is '{after.ending}', not {' or '.join(allowed)}")
    if not after.latched:
        told.append("nothing is latched")
    if after.run is not None:
        told.append(f"run {after.run} goes on by itself")
    if not after.survived and after.state != "IDLE":
        told.append(f"the state after the start is {after.state}")
    if not after.survived and after.ending == "interrupted" and story.run not in after.told:
        told.append(f"nobody is told that run {story.run} was interrupted: {after.told}")
    return told


# --- third oracle: where in the half-cycle ---------------------------------------------------------------------------


def position(story: Story) -> list[str]:
    """Every dose that the module saw is on record as given, or was intended and fell into what a kill may take.

    And the other way round; and the place that the record names is where the module was.
    """
    found = openings(story.changes, story.mask)
    given = sorted((edge.sent_ns / 1e9, bit, edge.half, edge.confirmed_ns)
                   for edge in story.rows.edges for bit in _named(story, edge.energised))  # fmt: skip
    told, last_half = [], -1
    for opening in found:
        match = next((g for g in given if g[1] == opening.bit and abs(g[0] - opening.at_s) <= APART_S), None)
        if match is not None:
            given.remove(match)
            last_half = max(last_half, match[2])
        elif opening.at_s <= story.kill.record_s:
            told.append(f"the module saw bit {opening.bit:#x} open {_ago(story, opening.at_s)}, and no record has it")
    told += [f"half-cycle {half} is on record with an opening {_ago(story, at_s)} that the module never saw"
             for at_s, _, half, confirmed in given if confirmed]  # fmt: skip
    return told + _order(story, found) + _place(story, found, last_half)


def _order(story: Story, found: list[Opening]) -> list[str]:
    """The doses that were seen are the first of those intended, each once and in their order, but for missed ones."""
    missed = {(e.fields["half"], e.fields["edge"]) for e in story.rows.events if e.kind == "missed"}
    planned = [story.sources[dose.source] for intent in story.intended.values() for dose in intent.doses
               if (intent.half, dose.edge) not in missed]  # fmt: skip
    seen = [opening.bit for opening in found]
    if seen != planned[: len(seen)]:
        return [f"the module saw doses of {seen[-6:]}, intended were {planned[: len(seen)][-6:]} (the last of each)"]
    return []


def _place(story: Story, found: list[Opening], last_half: int) -> list[str]:
    """What the record calls the place of the interruption, against the newest dose that the module saw."""
    place, told = story.place, []
    cycle_of = {intent.half: intent.cycle for intent in story.rows.intents}
    if place.half < last_half:
        told.append(f"the record names half-cycle {place.half}; doses of {last_half} were given")
    if place.half >= 0 and place.part == "deposit" and place.cycle not in (
        cycle_of.get(place.half), cycle_of.get(place.half, 0) + 1,
    ):  # fmt: skip
        told.append(
            f"the record names cycle {place.cycle}, and half-cycle {place.half} is of {cycle_of.get(place.half)}"
        )
    whole = [o for o in found if o.shut_s <= min(story.kill.record_s, story.kill.at_s)]
    if not len(whole) <= place.doses + story.count("unconfirmed") or place.doses > len(found):
        told.append(f"the module saw {len(whole)} whole doses of {len(found)}, the record has {place.doses}")
    return told


def _named(story: Story, outputs: str) -> list[int]:
    return [story.sources[name] for name in outputs.split(", ") if name in story.sources]


def _ago(story: Story, at_s: float) -> str:
    return f"{story.kill.at_s - at_s:.3f} s before the kill"


def _bits(mask: int) -> Iterator[int]:
    while mask:
        bit = mask & -mask
        yield bit
        mask ^= bit


ORACLES = {"valve trace": valve_trace, "journal": journal, "half-cycle position": position}


def violations(story: Story) -> list[str]:
    """What all three oracles have to say."""
    return [f"{name}: {sentence}" for name, oracle in ORACLES.items() for sentence in oracle(story)]
