"""What a person asks of the interlocks: one method per request, one answer each. Knows no transport.

The console hands on what it does not do itself; a method is named after its verb.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Protocol

from ald_controller import commands as c
from ald_controller import interlocks as il
from ald_controller import stamp
from ald_controller.consoleparts import no, yes
from ald_controller.explain import matrix_of
from ald_controller.guard import Guard


class Tells(Protocol):
    """Writes into the record of the run in hand."""

    def tell(self, kind: str, **fields: object) -> None: ...


class Limits(Protocol):
    """Knows the limits by name, and whether they are signed for."""

    @property
    def limits(self) -> tuple[str, bool]: ...


class SafetyDesk:
    """Answers what concerns the interlocks alone. Roles have been checked by the door's desk before."""

    def __init__(self, guard: Guard, known: Limits, record: Tells) -> None:
        self._guard, self._known, self._record = guard, known, record

    async def _do_interlocks(self, request: c.GetInterlocks, who: c.Principal) -> c.Reply:
        """The whole matrix as this tool guards it now."""
        rules, (limits, confirmed) = self._guard.rules, self._known.limits
        rows = [asdict(row) for row in matrix_of(rules)]
        return yes(
            f"{len(rows)} rows, limits {limits}", tool=self._guard.tool.config.tool, limits=limits,
            confirmed=confirmed, rows=rows, not_guarded=list(rules.not_guarded),
        )  # fmt: skip

    async def _do_bypass(self, request: c.Bypass, who: c.Principal) -> c.Reply:
        """Take one row out of action for a while."""
        now_s = asyncio.get_running_loop().time()
        asked = il.Bypass(request.row, who.name, request.reason, now_s, now_s + request.minutes * 60)
        if why := il.why_no_bypass(asked, self._guard.tool.config.limits.glovebox_block):
            return no("bypass-refused", why)
        try:
            self._guard.state = il.bypass(self._guard.state, asked, self._guard.facts, who.role)
        except il.BypassRefused as error:
            return no("bypass-refused", str(error))
        self._guard.ends = {request.row: round(stamp.utc_now() + request.minutes * 60, 3)}
        self._record.tell("bypass", row=request.row, by=who.name, reason=request.reason, minutes=request.minutes)
        return yes(f"row {request.row} is out of action for {request.minutes:g} min: {request.reason}")

    async def _do_restore(self, request: c.Restore, who: c.Principal) -> c.Reply:
        """Make a bypassed row live again before its time."""
        try:
            self._guard.state = il.restore(self._guard.state, request.row)
        except il.BypassRefused as error:
            return no("bypass-refused", str(error))
        self._record.tell("restored", row=request.row, by=who.name)
        return yes(f"row {request.row} is live again")

    def was_reset(self, request: c.Reset, who: c.Principal) -> None:
        """An accepted reset: who resets has seen what was latched."""
        rows = sorted({change.alarm.row for change in self._guard.annunciator.was_reset(who.name)})
        self._record.tell("reset", by=who.name, reason=request.reason, rows=rows)

    async def _do_acknowledge(self, request: c.Acknowledge, who: c.Principal) -> c.Reply:
        """Somebody has seen an alarm, or every alarm of a row."""
        by = f"{request.by} ({who.name})" if request.by and request.by != who.name else who.name
        notes = len(self._guard.notes) if request.alarm in ("note", "all") else 0
        if notes:
            self._guard.notes.clear()
        try:
            changes = self._guard.annunciator.acknowledge(request.alarm, by)
        except KeyError as error:
            if notes:
                return yes(f"{notes} notes are acknowledged by {by}")
            return no("no-such-alarm", str(error.args[0]))
        seen = [change.alarm.id for change in changes if change.kind == "acknowledged"]
        return yes(f"{', '.join(seen)}: acknowledged by {by}", acknowledged=seen)

    async def _do_alarm_history(self, request: c.GetAlarmHistory, who: c.Principal) -> c.Reply:
        """The newest changes of alarms, newest first."""
        rows = self._guard.annunciator.log.newest(request.newest)
        return yes(f"{len(rows)} changes", changes=rows)
