"""What a person asks of the gate and of the box, what becomes of the registers, and what the record hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from ald_controller import commands as c
from ald_controller import stamp
from ald_controller.chemistry import Chemistry
from ald_controller.consoleparts import RegisterAudit, Spawn, no, yes
from ald_controller.gatekeeper import Event, GateKeeper
from ald_controller.interlocks import boxmode, gate
from ald_controller.registers import BoxMode, RegisterFile
from ald_controller.yamlfile import Problems

GATE, BOX, LOAD = "gate", "box", "load"
RELEASED = "released"
ITSELF = "the gate"  # who signs for what nobody asked for


class Record(Protocol):
    """What hears of the gate: the record of the run in hand, and people."""

    def tell(self, kind: str, **fields: object) -> None: ...
    def note(self, text: str) -> None: ...


class GateDesk:
    """Answers what concerns gate and box. `settled` waits until nothing is being made safe: a disk may hang.

    `uncleared` says what the `cleared` mark misses, one sentence each.
    """

    def __init__(
        self, keeper: GateKeeper, registers: RegisterFile, chemistry: Chemistry, audit: RegisterAudit, record: Record,
        spawn: Spawn, settled: Callable[[], Awaitable[None]], uncleared: Callable[[], tuple[str, ...]],
    ) -> None:  # fmt: skip
        self._keeper, self._file, self._chemistry, self._audit = keeper, registers, chemistry, audit
        self._record, self._spawn, self._settled, self._uncleared = record, spawn, settled, uncleared
        self._saving: asyncio.Task[None] | None = None
        keeper.heard = self._heard
        self._remember()

    def _remember(self) -> None:
        """After a start: a gate that was released may stand open, or was open, and the box may still regenerate."""
        loop_s = asyncio.get_running_loop().time()
        entries = self._file.registers.entries
        if GATE in entries:
            self._keeper.gate = gate.reopened(entries[GATE].by, loop_s)
        if GATE in entries or self._file.registers.is_unguarded:  # nothing above the lithium limits guards that
            self._drop(LOAD)  # in the file with whatever is written next, and again at every start until then
        mode = self._file.registers.get(BOX)
        if isinstance(mode, BoxMode):
            left_s = min(mode.until_utc - stamp.utc_now(), boxmode.LONGEST_S)
            self._keeper.regeneration = boxmode.Regeneration(entries[BOX].by, loop_s + left_s)

    # --- verbs -----------------------------------------------------------------------------------------------------

    async def _do_gate(self, request: c.Gate, who: c.Principal) -> c.Reply:
        """Release the lock while nothing is missing, or lock it."""
        now_s = asyncio.get_running_loop().time()
        try:
            if request.act == "lock":
                self._keeper.gate = gate.lock(self._keeper.gate, now_s)
                return yes("the lock is told to lock")
            released = gate.release(self._keeper.gate, who.name, now_s)
            self._keep_released(who.name)  # before anything moves
        except gate.GateRefused as refused:
            why = [] if self._keeper.gate.open else self._told(self._keeper.gate)
            self._record.tell("gate", what="refused", by=who.name, missing=why)
            return no("gate-refused", "\n".join(["the gate stays as it is:", *(why or [str(refused)])]), missing=why)
        except (Problems, OSError) as error:
            return no("gate-refused", f"nothing is released that cannot be written down: {error}")
        self._keeper.gate = released
        self._record.tell("gate", what="released", by=who.name)
        return yes(
            "the lock is released, and what lies in the chamber is unknown from now on, which means lithium; it locks "
            "again when the gate was opened and shut, or by `ald gate lock`"
        )

    async def _do_gate_status(self, request: c.GetGate, who: c.Principal) -> c.Reply:
        """Where the lock is, and what is missing."""
        now = self._keeper.gate
        missing = self._told(now)
        lines = [self.lock_told, *(f"missing: {one}" for one in missing)]
        text = "\n".join(lines if missing else [*lines, "nothing is missing"])
        data: dict[str, Any] = {"lock": now.lock.value, "open": now.open, "by": now.by, "missing": missing}
        return yes(text, **data, regenerating=self.box_told)

    async def _do_box(self, request: c.Box, who: c.Principal) -> c.Reply:
        """The purifier regenerates for a while, or the box is ready."""
        if request.mode == "ready":
            if self._keeper.regeneration is None:
                return no("misplaced", "the box is ready already")
            self._keeper.regeneration = None
            self._box_ready(request.by)
            return yes("the box is ready: its analysers count in full")
        if request.for_s is None:
            return no("misplaced", "say how long the purifier regenerates, for example 40 min")
        until = stamp.iso(stamp.utc_now() + request.for_s)
        try:
            self._keep(BOX, {"until": until}, request.by)
        except (Problems, OSError) as error:
            return no("register-refused", str(error))
        ends_s = asyncio.get_running_loop().time() + request.for_s
        self._keeper.regeneration = boxmode.Regeneration(request.by, ends_s)
        self._record.tell("box", mode="regenerating", by=request.by, until=until)
        return yes(f"{self.box_told}; the gate stays locked while the air is bad")

    # --- for screens -----------------------------------------------------------------------------------------------

    @property
    def lock_told(self) -> str:
        """Where the gate and its lock are, in one sentence."""
        now = self._keeper.gate
        if now.open is None:
            return "the gate is not known to be shut or open"
        if now.open and not now.released:
            return "the gate is open, and its lock was not released"
        return f"the gate is {now.lock.value}" + (f", released by {now.by}" if now.by else "")

    @property
    def box_told(self) -> str:
        """Who has said that the purifier regenerates, and until when; "" when it does not."""
        mode = self._file.registers.get(BOX)
        if self._keeper.regeneration is None or not isinstance(mode, BoxMode):
            return ""
        return f"the purifier regenerates until {mode.until}, says {self._keeper.regeneration.by}"

    def _told(self, now: gate.Gate) -> list[str]:
        """What is missing, and beside the mark why it was not earned."""
        out = []
        for sentence in now.missing:
            out.append(sentence)
            if sentence == gate.NOT_CLEARED:
                out += [f"cleared: {why}" for why in self._uncleared()]
        return out

    # --- what happens by itself --------------------------------------------------------------------------------------

    def _heard(self, event: Event) -> None:
        """Called from a scan: what is known changes at once, and the file when nothing is being made safe."""
        by, missing = self._keeper.gate.by or ITSELF, list(self._keeper.gate.missing)
        if event in ("opened", "forced"):
            self._forget(LOAD)
            self._record.tell("gate", what=event, by=by)
            self._record.note("the gate was opened: what lies in the chamber is unknown, so it counts as lithium")
        elif event == "locking":
            self._record.tell("gate", what="locking", by=by, missing=missing)
        elif event == "locked":
            self._forget(GATE)
            self._record.tell("gate", what="locked", by=by)
        else:
            self._box_ready(ITSELF)

    def _box_ready(self, by: str) -> None:
        self._forget(BOX)
        self._record.tell("box", mode="ready", by=by)

    def _keep_released(self, by: str) -> None:
        """Durable when it returns: the lock is released, and nobody knows any more what lies in the chamber.

        In one piece and before the lock moves, so that no load outlives an opening. Raises Problems or OSError.
        """
        old, at = {name: self._written(name) for name in (GATE, LOAD)}, stamp.iso(stamp.utc_now())
        self._file.save(self._file.registers.without(LOAD).set(GATE, RELEASED, by, at, self._chemistry))
        for name in (GATE, LOAD):
            if old[name] != (new := self._written(name)):
                self._audit.register(name, old[name], new, by)

    def _keep(self, name: str, value: object, by: str) -> None:
        """Durable when it returns; raises Problems or OSError."""
        old = self._written(name)
        self._file.set(name, value, by, stamp.iso(stamp.utc_now()))
        self._audit.register(name, old, self._written(name), by)

    def _drop(self, name: str) -> None:
        if name in self._file.registers.entries:
            self._audit.register(name, self._written(name), None, ITSELF)
            self._file.drop(name)

    def _forget(self, name: str) -> None:
        if name not in self._file.registers.entries:
            return
        self._drop(name)
        if self._saving is None or self._saving.done():
            self._saving = self._spawn(self._save(), "keep registers")

    async def _save(self) -> None:
        await self._settled()
        try:
            self._file.save(self._file.registers)
        except OSError as error:
            but = ", but the load is unknown there, too" * self._struck()
            after = f"after a restart the old ones would be back{but}"
            self._record.note(f"registers are not on the disk: {error}; {after}")

    def _struck(self) -> bool:
        """Whether a load that is unknown here was struck out of the file, which a full disk has room for."""
        try:
            return LOAD not in self._file.registers.entries and self._file.strike(LOAD)
        except OSError:
            return False

    def _written(self, name: str) -> object:
        return self._file.registers.dump()["registers"].get(name)
