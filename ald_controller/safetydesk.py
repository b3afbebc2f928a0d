"""What a person asks of the interlocks: one method per request, one answer each. Knows no transport.

The console hands on what it does not do itself; a method is named after its verb.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from ald_controller import commands as c
from ald_controller import interlocks as il
from ald_controller.consoleparts import no, yes
from ald_controller.guard import Guard


class Tells(Protocol):
    """Writes into the record of the run in hand."""

    def tell(self, kind: str, **fields: object) -> None: ...


class SafetyDesk:
    """Answers what concerns the interlocks alone. Roles have been checked by the door's desk before."""

    def __init__(self, guard: Guard, record: Tells) -> None:
        self._guard, self._record = guard, record

    async def _do_bypass(self, request: c.Bypass, who: c.Principal) -> c.Reply:
        """Take one row out of action for a while."""
        now_s = asyncio.get_running_loop().time()
        asked = il.Bypass(request.row, who.name, request.reason, now_s, now_s + request.minutes * 60)
        try:
            self._guard.state = il.bypass(self._guard.state, asked, self._guard.facts, who.role)
        except il.BypassRefused as error:
            return no("bypass-refused", str(error))
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
