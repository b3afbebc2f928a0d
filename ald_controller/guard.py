"""The guard: ten times a second it judges every interlock, beats the valves' lease, and says who must react.

The lease is beaten only after a completed evaluation, whatever the samples' quality: a guard that hangs lets the lease
run out, and the valves close without it.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from ald_controller import interlocks as il
from ald_controller import safing as sf
from ald_controller import stamp
from ald_controller.aio import every
from ald_controller.annunciator import Annunciator
from ald_controller.config import Role
from ald_controller.elements import elements_of
from ald_controller.gatekeeper import GateKeeper
from ald_controller.states import Ending
from ald_controller.tool import Tool
from ald_controller.valves import wire

PERIOD_S = 0.1
PRESSED_S = 30.0  # how long the button at the tool counts after it was pressed
NOTES = 20  # the newest ones are kept


class Reacts(Protocol):
    """Who carries out what the guard decides: the console, which owns the run."""

    def hold(self, why: str) -> None: ...
    def tell(self, kind: str, **fields: object) -> None: ...
    def abort(self, why: str, ending: Ending) -> None: ...


class Trial(Protocol):
    """A proof test: its inputs stand in for the tool's where they are judged, and nowhere else."""

    def samples(self, real: il.Samples, now_s: float) -> il.Samples: ...
    def facts(self, real: il.Facts) -> il.Facts: ...


class Twin(Protocol):
    """What the interlocks would say without the proof test that goes on."""

    state: il.State

    def look(self, real: il.Samples, facts: il.Facts, now_s: float) -> bool: ...


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence for people, and when it became true: in loop seconds and in unix seconds."""

    at_s: float
    text: str
    since: float


class Guard:
    """Holds the interlock state of one tool between scans."""

    def __init__(self, tool: Tool, setting: il.Setting, words: dict[str, il.Row], now_s: float) -> None:
        self.tool, self._words = tool, words
        self.state = il.boot(il.rules_for(setting, words), now_s)
        self.facts = self.about = il.Facts()  # about: what others know of the tool; chamber and gate are found here
        self._found_before: tuple[il.Facts, str, bool] | None = None  # what `_known` was made of
        self._known = self.facts  # the same without what a proof test pretends
        self._told_heaters: tuple[object, ...] = ()  # what they were told last follows from this
        self.keeper = GateKeeper(tool, setting)
        self._button: float | None = None  # the button at the tool as the scan before saw it
        self._pressed_s = -math.inf  # when it was last seen to go from released to pressed
        self.notes: deque[Note] = deque(maxlen=NOTES)
        self.told_abort: Note | None = None  # the abort that stands, until a reset
        self.trial: Trial | None = None  # a line of a proof test that is driven now
        self.twin: Twin | None = None  # a proof test that goes on
        self.safing: sf.Safing | None = None  # what the newest abort has to reach, until a run begins
        self.on_safing_over: Callable[[sf.Safing, str, float], None] | None = None  # keeps its outcome
        self._elements = elements_of(setting)
        self.feeds: list[Callable[[float], None]] = []  # what else writes samples, once a scan, before they are judged
        self.annunciator = Annunciator()
        self.ends: dict[str, float] = {}  # when each bypass that was made ends, in unix seconds, for people
        self.scans, self.late_s = 0, 0.0  # late_s: by how much the scan in hand came late
        self._lease_lost = self._faults = 0
        self._read_back: int | None = None  # what the module was found to hold, where that was not what was written
        self._sources = tool.config.source_mask

    def found(self, told: str) -> None:
        """What the start found, before the first scan: it stands in alarm K5 until a person has read and reset it."""
        self.state = il.boot(self.rules, self.state.at_s, told)

    # --- one scan --------------------------------------------------------------------------------------------------

    def scan(self, reacts: Reacts, now_s: float) -> None:
        """Judge everything once, react to what is new, and beat the lease."""
        gate = il.gate_proven_shut(self.state.rules, self.tool.samples, now_s)
        self.tool.follow_chamber(now_s, gate)
        self._hear_valves()
        self._look_at_button(now_s)
        for feed in self.feeds:
            feed(now_s)
        known = self._found(self.keeper.known(self.about), gate)
        self.tool.heaters.lithium = known.lithium
        self._in_earnest(known, now_s)
        self.facts = self._judged(now_s)
        before, seen = self.state, self._seen(now_s)
        self.state = il.step(before, seen, self.facts, now_s)
        self._keep_heaters()
        self._secure(reacts, now_s)
        isolated = self.safing is not None and self.safing.isolates
        self.tool.isolate(isolated or self.state.level >= il.Reaction.ABORT_ISOLATE)
        self._react(il.news(before, self.state), reacts)
        self.keeper.scan(self.state, self.state.samples if self.trial is None else dict(self.tool.samples), known)
        self.scans += 1
        self.tool.valves.beat(self._sources if self.may_open else 0)
        self._announce(reacts, now_s)

    def _found(self, about: il.Facts, gate: bool) -> il.Facts:
        """What others know, with chamber and gate as they are found here; the same object while nothing is new."""
        found = about, self.tool.chamber.state, gate
        if found == self._found_before:
            return self._known
        self._found_before = found
        return replace(about, chamber=found[1], gate_proven_shut=gate)

    async def watch(self, reacts: Reacts, after_scan: _AfterScan) -> None:
        """Scan for ever; `after_scan` hears after each good scan how late it was, in seconds."""
        loop = asyncio.get_running_loop()
        async for tick in every(PERIOD_S):
            self.late_s = tick.late_s
            self.scan(reacts, loop.time())
            after_scan(tick.late_s)

    def _react(self, news: tuple[il.Cause, ...], reacts: Reacts) -> None:
        """HOLD and above act once, when they come up or grow more severe; the latch keeps the rest shut."""
        for cause in news:
            reacts.tell("trip", row=cause.row, text=cause.detail, reaction=cause.reaction.name)
        if not news or news[0].reaction < il.Reaction.HOLD:
            return
        why = f"{news[0].row} {news[0].detail}"
        if news[0].reaction is il.Reaction.HOLD:
            reacts.hold(why)
        else:
            reacts.abort(why, "tripped")

    def _seen(self, now_s: float) -> il.Samples:
        """What is judged: the tool's samples, with those of a proof test in the place of theirs."""
        real = self.tool.samples
        return real if self.trial is None else self.trial.samples(real, now_s)

    def _in_earnest(self, known: il.Facts, now_s: float) -> None:
        """A proof test is left in the scan in which the tool trips without it."""
        self._known = known
        if self.twin is not None and self.twin.look(self.tool.samples, known, now_s):
            self.leave_test("a trip in earnest")

    def _judged(self, now_s: float) -> il.Facts:
        """What is known, and what a line of a proof test pretends."""
        if self.trial is None:
            return self._known
        gate = il.gate_proven_shut(self.state.rules, self._seen(now_s), now_s)
        return self.trial.facts(replace(self._known, gate_proven_shut=gate))

    def leave_test(self, why: str) -> None:
        """A proof test is over at once: what counts is the tool without it, its latches and its sequence are gone.

        Whoever calls reacts to what ended it. Does nothing where no proof test goes on.
        """
        if self.twin is None:
            return
        self.state = replace(self.twin.state, bypasses=self.state.bypasses, spent=self.state.spent)
        self.facts, self.trial, self.twin, self.told_abort = self._known, None, None, None
        self.end_safing(why)

    def _secure(self, reacts: Reacts, now_s: float) -> None:
        """Follow what an abort has to reach; where it turns to isolation the devices are told, too."""
        before = self.safing
        if before is None:
            return
        after = sf.step(before, self._elements, self.tool.samples, now_s, purge=self._may_purge)
        self.safing = after
        for line in sf.news(before, after):
            reacts.tell("safing", **sf.shown(line, after.began_s))
        if after.isolates and not before.isolates and self.told_abort:
            reacts.abort(f"the chamber is isolated, and no longer purged, after: {after.why}", "tripped")
        if after.phase == "SAFE" and before.phase != "SAFE":
            outcome = sf.sentence(after, now_s)
            self.note(outcome)
            self._keep_safing(outcome, now_s)

    def _keep_safing(self, outcome: str, now_s: float) -> None:
        if self.safing is not None and self.on_safing_over is not None:
            self.on_safing_over(self.safing, outcome, now_s)

    def _announce(self, reacts: Reacts, now_s: float) -> None:
        """Bring the alarm book up to date; the record has trips as trips, and what only warns from here."""
        for change in self.annunciator.look(self.state, self._abort, now_s):
            alarm = change.alarm
            if change.kind == "raised" and alarm.reaction < il.Reaction.HOLD:
                reacts.tell("alarm", row=alarm.row, text=alarm.cause, reaction=alarm.reaction.name)

    @property
    def _abort(self) -> il.Cause | None:
        told, purge = self.told_abort, il.Reaction.ABORT_PURGE
        return il.Cause(-1, il.ABORT, "tool", purge, il.Reset.L1, il.Blocks.ALL, told.at_s, told.text) if told else None

    def _keep_heaters(self) -> None:
        """Zones that an interlock switched off stay off for as long as it stands, whatever was asked of them."""
        state, heaters = self.state, self.tool.heaters
        judged = state.rules, state.level, state.active, state.latched
        if judged != self._told_heaters:
            self._told_heaters = judged
            heaters.forbid(il.heaters_off(state), il.contactor_off(state), il.source_contactor_off(state))
            heaters.cap(il.heat_ceiling_c(state))

    @property
    def may_open(self) -> bool:
        """Sources may be opened: no interlock says otherwise, and the chamber is under proven vacuum."""
        return il.permit(self.state) and not self.told_abort and self.tool.chamber.state == "VACUUM"

    def _look_at_button(self, now_s: float) -> None:
        """An edge: a button that is held, taped or shorted says nothing, nor one that was not seen released before."""
        before, self._button = self._button, self.tool.good(self.tool.config.signals.confirm)
        if before == 0 and self._button == 1:
            self._pressed_s = now_s

    def _pressed(self, now_s: float) -> bool:
        """Whether somebody pressed the button lately, and after everything was latched that asks for it."""
        asked_s = max((c.since_s for c in self.state.latched if c.reset is il.Reset.L3), default=-math.inf)
        return self._pressed_s > asked_s and now_s - self._pressed_s <= PRESSED_S

    # --- what the valve process says of itself -----------------------------------------------------------------------

    def hear(self, message: wire.FromEngine) -> None:
        """Take what concerns safety from a message of the valve engine."""
        if isinstance(message, wire.Fault):
            self._faults += 1
            self._read_back = self._read_back if message.word is None else message.word
            self.note(f"valve module: {message.what}")
        elif isinstance(message, wire.Held) and message.why.startswith("lease"):
            self._lease_lost += 1

    def _hear_valves(self) -> None:
        status = self.tool.valves.status
        if status is None:
            return
        at_s, samples = status.at_ns / 1e9, self.tool.samples
        # the module is shut again by now: what it held is judged once, in the scan that hears of the fault
        word, self._read_back = status.word if self._read_back is None else self._read_back, None
        for signal, value in (
            ("valves.sequence", status.sequence),
            ("valves.word", word),
            ("valves.connected", status.connected),
            ("valves.armed", status.armed),
            ("valves.trips", status.trips),
            ("valves.faults", self._faults),
            ("valves.lease_lost", self._lease_lost),
        ):
            samples[signal] = il.Sample(float(value), at_s)

    # --- what others ask -------------------------------------------------------------------------------------------

    @property
    def latched(self) -> bool:
        return bool(self.state.latched or self.told_abort)

    @property
    def may_start(self) -> bool:
        return il.may_start(self.state) and not self.told_abort

    @property
    def why_latched(self) -> str:
        first = self.state.first_out
        if first:
            return f"{first.cause.row} {first.cause.detail}"
        return self.told_abort.text if self.told_abort else "nothing is latched"

    @property
    def why_blocked(self) -> str:
        return "; ".join(f"{c.row} {c.detail}" for c in self.state.active) or self.why_latched

    @property
    def purge_is_safe(self) -> bool:
        """Whether an abort keeps pumping and purging: once it has turned to isolation it stays there until a reset."""
        isolated = self.told_abort is not None and self.safing is not None and self.safing.isolates
        return self._may_purge and not isolated

    @property
    def _may_purge(self) -> bool:
        """By what the chamber is open to, and by what the rows ask for."""
        asked = il.Reaction.ABORT_PURGE if self.state.level < il.Reaction.ABORT_PURGE else self.state.level
        return asked is il.Reaction.ABORT_PURGE and il.abort_reaction(self.facts) is il.Reaction.ABORT_PURGE

    @property
    def rules(self) -> il.RuleSet:
        return self.state.rules

    def rebuild(self, setting: il.Setting) -> None:
        """Another table, after a bottle or a constant has changed; latches and first-out stay."""
        self._elements = elements_of(setting)
        self.keeper.rebuild(setting)
        rules, now_s = il.rules_for(setting, self._words), asyncio.get_running_loop().time()
        self.state = il.exchange(self.state, rules, now_s)
        if self.twin is not None:
            self.twin.state = il.exchange(self.twin.state, rules, now_s)

    def begin_anew(self) -> None:
        """Every check forgets what it has seen, after a proof test has shown it what was not so."""
        self.state = il.exchange(self.state, self.state.rules, asyncio.get_running_loop().time())

    def note(self, text: str) -> None:
        """Something that a person should see and no rule covers."""
        self.notes.append(self._now(text))

    def _now(self, text: str) -> Note:
        return Note(asyncio.get_running_loop().time(), text, stamp.utc_now())

    def latch_abort(self, why: str, run: str = "") -> None:
        """An abort, whoever asked for it, bars openings and starts until a person resets it; the first one counts."""
        if self.told_abort is None:
            self.told_abort = self._now(why)
            self.annunciator.look(self.state, self._abort, self.told_abort.at_s)
            self.end_safing("another abort")
            self.safing = sf.begin(why, self.told_abort.at_s, purge=self._may_purge, run=run)

    def end_safing(self, why: str) -> None:
        """What begins now ends the sequence of an abort: a run, or another abort after a reset."""
        if self.safing is not None and self.safing.phase != "SAFE":
            now_s = asyncio.get_running_loop().time()
            self._keep_safing(sf.over(self.safing, why, now_s), now_s)
        self.safing = None

    def reset(self, role: Role, reason: str = "") -> None:
        """Clear the latch; raises interlocks.ResetRefused and changes nothing while a cause lives.

        What only an owner may reset needs a `reason` in words as well.
        """
        now_s = asyncio.get_running_loop().time()
        after = il.reset(self.state, self._seen(now_s), self.facts, now_s, role, self._pressed(now_s))
        if (checklist := self._checklist()) and not reason.strip():
            raise il.ResetRefused((), (), f"a reason in words. Before it: {checklist}")
        self.state = after
        self._pressed_s = -math.inf  # one press, one reset
        self.told_abort = None
        self.notes.clear()

    def _checklist(self) -> str:
        """What has to be looked at before an owner's reset, row by row; "" when an operator may reset."""
        rows = dict.fromkeys(c.row for c in self.state.latched if c.reset >= il.Reset.L2)
        return " ".join(f"{row}: {self.rules.rows[row].action}" for row in rows)


class _AfterScan(Protocol):
    def __call__(self, late_s: float) -> None: ...
