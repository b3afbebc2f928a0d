"""The alarm book, as ISA-18.2 means alarms: what a person has to know and do, who has seen it, and what is over. Pure.

    raised -> unacknowledged -> acknowledged -> over
                    |                ^
                    v                |          a consequence of another alarm is suppressed: shown, counted,
                returned ------------+          and announced when nothing explains it any more

An alarm is a cause of the interlocks, live or latched, with the words of its row. It is announced when it has lasted
for its row's on-delay (a cause that latches at once), and is back when it has been quiet for its off-delay. An
acknowledged alarm that is back is over, and so is one that only a signature could end; any other waits until somebody
has acknowledged it. One that grows worse is announced anew. Nothing here decides what the tool does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from ald_controller.interlocks import AlarmView, Priority, Reaction, Reset, Row

RATE_S = 600.0  # alarms are counted per ten minutes
MANY = "K19"  # the row that tells of many alarms is not one of them


class Stage(Enum):
    """Where an alarm is; the values are those of the status message."""

    SUPPRESSED = "suppressed"
    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    RETURNED = "returned"  # the cause is gone and nobody has acknowledged it


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm; `since` is when it began in unix seconds, and so are `acknowledged` and `returned`.

    `quiet_s` is the loop time since when its cause is neither live nor latched, `raised` how often it was announced.
    """

    row: str
    name: str
    reaction: Reaction
    priority: Priority
    cause: str
    consequence: str
    action: str
    reset: Reset
    since: float
    stage: Stage
    live: bool
    latched: bool
    first_out: bool
    suppressed_by: str = ""
    acknowledged_by: str = ""
    acknowledged: float | None = None
    quiet_s: float | None = None
    off_delay_s: float = 10.0
    raised: int = 1
    signed: bool = False  # who ended it has signed for that: nobody needs to acknowledge it as well

    @property
    def id(self) -> str:
        """What it is called by: its row and the name of what it is about."""
        return f"{self.row}:{self.name}"

    @property
    def stands(self) -> bool:
        """Whether its cause is live or latched, or not quiet for long enough."""
        return self.stage is not Stage.RETURNED

    @property
    def text(self) -> str:
        return f"{self.cause}. {self.consequence} {self.action}"


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to one alarm, by whom where a person did it.

    kind: raised | suppressed | worse | acknowledged | returned | over.
    """

    kind: str
    alarm: Alarm
    by: str = ""


@dataclass(frozen=True, slots=True)
class Book:
    """Every alarm that is not over, by id; when warnings that still wait began; when alarms were announced (loop s)."""

    alarms: Mapping[str, Alarm] = field(default_factory=dict)
    waiting: Mapping[str, float] = field(default_factory=dict)
    announced_s: tuple[float, ...] = ()

    @property
    def unsettled(self) -> bool:
        """Whether time alone can change it: a delay is running."""
        return bool(self.waiting) or any(a.quiet_s is not None and a.stands for a in self.alarms.values())

    def rate(self, now_s: float) -> int:
        """How many alarms were announced in the last ten minutes; none that is suppressed, or waits for a signature."""
        return sum(at_s > now_s - RATE_S for at_s in self.announced_s)

    @property
    def suppressed(self) -> int:
        return sum(a.stage is Stage.SUPPRESSED for a in self.alarms.values())

    def shown(self) -> tuple[Alarm, ...]:
        """For people: the first-out, then what is announced by severity and age, then consequences."""
        rank = {Stage.SUPPRESSED: 2, Stage.RETURNED: 1}
        return tuple(
            sorted(self.alarms.values(), key=lambda a: (not a.first_out, rank.get(a.stage, 0), -a.reaction, a.since))
        )


def look(book: Book, views: Iterable[AlarmView], now_s: float, utc_s: float) -> tuple[Book, tuple[Change, ...]]:
    """The book after one look at everything that is live or latched, at loop time `now_s`, unix seconds `utc_s`."""
    turn = _Turn(book, now_s, utc_s)
    for view in views:
        turn.see(view)
    turn.miss_the_rest()
    newest = tuple(at for at in book.announced_s if at > now_s - RATE_S) + tuple(turn.announced)
    return Book(turn.alarms, turn.waiting, newest), tuple(turn.changes)


def acknowledge(book: Book, asked: str, by: str, utc_s: float) -> tuple[Book, tuple[Change, ...]]:
    """The book with every alarm of a row, or the one with this id, acknowledged; `all` = every one.

    Raises KeyError with a sentence when no alarm of this name waits for it.
    """
    found = [a for a in book.alarms.values() if asked in (a.row, a.id, "all") and a.stage in _WAITING]
    if not found:
        raise KeyError(_none_waits(book, asked))
    return _acknowledged(book, found, by, utc_s)


def acknowledge_latched(book: Book, by: str, utc_s: float) -> tuple[Book, tuple[Change, ...]]:
    """The book after an accepted reset: who resets has seen everything that was latched."""
    return _acknowledged(book, [a for a in book.alarms.values() if a.latched and a.stage in _WAITING], by, utc_s)


_WAITING = (Stage.UNACKNOWLEDGED, Stage.RETURNED)


def _acknowledged(book: Book, found: list[Alarm], by: str, utc_s: float) -> tuple[Book, tuple[Change, ...]]:
    alarms, changes = dict(book.alarms), []
    for alarm in found:
        seen = replace(alarm, stage=Stage.ACKNOWLEDGED, acknowledged_by=by, acknowledged=utc_s)
        changes.append(Change("acknowledged", seen, by))
        if alarm.stage is Stage.RETURNED:
            del alarms[alarm.id]
            changes.append(Change("over", seen))
        else:
            alarms[alarm.id] = seen
    return replace(book, alarms=alarms), tuple(changes)


def _none_waits(book: Book, asked: str) -> str:
    waiting = [a.id for a in book.alarms.values() if a.stage in _WAITING]
    there = f"those that do: {', '.join(waiting)}" if waiting else "none does"
    return f"no alarm '{asked[:60]}' waits to be acknowledged; {there}"


_PRIORITIES: tuple[Priority, ...] = ("low", "medium", "high", "critical")


def priority_of(row: Row, reaction: Reaction, reset: Reset) -> Priority:
    """How urgent a cause is: its row's priority is that of its trip, and of whatever latches.

    A warning that ends by itself is one less, and a block that does is in no hurry.
    """
    at = _PRIORITIES.index(row.priority)
    if reset is not Reset.AUTO or reaction >= Reaction.HOLD:
        return row.priority
    return _PRIORITIES[min(at, 1)] if reaction is Reaction.BLOCK else _PRIORITIES[max(at - 1, 0)]


class _Turn:
    """One look, while it is made."""

    def __init__(self, book: Book, now_s: float, utc_s: float) -> None:
        self._before, self._now_s, self._utc_s = book, now_s, utc_s
        self.alarms: dict[str, Alarm] = {}
        self.waiting: dict[str, float] = {}
        self.changes: list[Change] = []
        self.announced: list[float] = []

    def see(self, view: AlarmView) -> None:
        """One cause that is live or latched now."""
        row = view.words
        fresh = self._fresh(view, row)
        if fresh.id in self.alarms:
            return
        known = self._before.alarms.get(fresh.id)
        if known is None or known.stage is Stage.RETURNED:
            self._begin(fresh, known, row)
        elif known.stage is Stage.SUPPRESSED:
            self._go_on_suppressed(fresh, known, row)
        else:
            self._go_on(fresh, known)

    def _fresh(self, view: AlarmView, row: Row) -> Alarm:
        priority = priority_of(row, view.reaction, view.reset)
        return Alarm(
            view.row, view.name, view.reaction, priority, f"{row.cause}: {view.detail}", row.consequence, row.action,
            view.reset, self._utc_s - (self._now_s - view.since_s), Stage.UNACKNOWLEDGED, view.live, view.latched,
            view.first_out, view.consequence_of, off_delay_s=row.off_delay_s, signed=view.signed,
        )  # fmt: skip

    def _begin(self, fresh: Alarm, known: Alarm | None, row: Row) -> None:
        """A cause that stands and is not announced: it waits for its on-delay, is suppressed, or is announced."""
        if self._waits(fresh, row):
            if known is not None:
                self.alarms[known.id] = known
        elif fresh.suppressed_by and known is None:
            self._put("suppressed", replace(fresh, stage=Stage.SUPPRESSED))
        else:
            self._announce("raised", replace(fresh, suppressed_by="", raised=known.raised + 1 if known else 1))

    def _waits(self, fresh: Alarm, row: Row) -> bool:
        """Nothing that latches, or asks for more than a warning or a block, is ever delayed."""
        if fresh.latched or fresh.reaction >= Reaction.HOLD:
            return False
        began_s = self._before.waiting.get(fresh.id, self._now_s)
        if self._now_s - began_s >= row.on_delay_s:
            return False
        self.waiting[fresh.id] = began_s
        return True

    def _go_on_suppressed(self, fresh: Alarm, known: Alarm, row: Row) -> None:
        """Its consequence-of holds as long as the other stands; left alone, a trip is announced at once."""
        if fresh.suppressed_by:
            self.alarms[fresh.id] = replace(fresh, stage=Stage.SUPPRESSED, since=known.since)
            return
        began_s = self._before.waiting.get(fresh.id, self._now_s)
        if fresh.reaction < Reaction.HOLD and self._now_s - began_s < row.off_delay_s:
            self.waiting[fresh.id] = began_s  # what explained it has gone first, and takes it along in a moment
            self.alarms[fresh.id] = replace(known, live=fresh.live, latched=fresh.latched)
            return
        self._announce("raised", replace(fresh, since=known.since))

    def _go_on(self, fresh: Alarm, known: Alarm) -> None:
        """Announced before: it keeps its beginning and who has seen it, unless it has grown worse."""
        if fresh.reaction > known.reaction:
            self._announce("worse", replace(fresh, suppressed_by="", since=known.since, raised=known.raised + 1))
            return
        kept = replace(
            known, live=fresh.live, latched=fresh.latched, first_out=fresh.first_out, reset=fresh.reset, quiet_s=None
        )
        if known.quiet_s is not None:  # it was quiet for less than its off-delay, and says what it says now
            kept = replace(kept, cause=fresh.cause)
        self.alarms[known.id] = kept if kept != known else known

    def _announce(self, kind: str, alarm: Alarm) -> None:
        self._put(kind, alarm)
        if alarm.row != MANY and not alarm.signed:
            self.announced.append(self._now_s)

    def _put(self, kind: str, alarm: Alarm) -> None:
        self.alarms[alarm.id] = alarm
        self.changes.append(Change(kind, alarm))

    def miss_the_rest(self) -> None:
        """Alarms whose cause is neither live nor latched any more."""
        for id, known in self._before.alarms.items():
            if id not in self.alarms:
                self._miss(known)

    def _miss(self, known: Alarm) -> None:
        if known.stage is Stage.RETURNED:
            self.alarms[known.id] = known
            return
        quiet_s = self._now_s if known.quiet_s is None else known.quiet_s
        quiet = replace(known, live=False, latched=False, first_out=False, quiet_s=quiet_s)
        at_once = known.latched or known.stage is Stage.SUPPRESSED  # an accepted reset has waited already
        if not at_once and self._now_s - quiet_s < known.off_delay_s:
            self.alarms[known.id] = quiet
        elif known.stage is Stage.UNACKNOWLEDGED and not known.signed:
            self._put("returned", replace(quiet, stage=Stage.RETURNED))
        else:
            self.changes.append(Change("over", quiet))
