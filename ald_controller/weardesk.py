"""What a person asks of valves and pulses over the years: how worn they are, and what was replaced."""

from __future__ import annotations

from collections.abc import Callable

from ald_controller import commands as c
from ald_controller.consoleparts import ConsoleParts, no, yes
from ald_controller.journal import JournalError


class WearDesk:
    """Answers what concerns counted actuations and learnt pulses. `in_use` says what uses the tool now, or ""."""

    def __init__(self, parts: ConsoleParts, in_use: Callable[[], str]) -> None:
        self._name, self._ledger, self._pulses = parts.tool.config.tool, parts.ledger, parts.pulses
        self._in_use = in_use

    async def _do_valves(self, request: c.GetValves, who: c.Principal) -> c.Reply:
        """The book of valves."""
        return yes("as counted now", tool=self._name, **self._ledger.book().shown())

    async def _do_valve_replaced(self, request: c.ValveReplaced, who: c.Principal) -> c.Reply:
        """A new valve at an output: zero from now on, and the old totals kept.

        Refused for a name that is not counted, and while the tool is in use.
        """
        known = self._ledger.actuations
        if request.name not in known:
            return no("no-such-output", f"no output '{request.name}' is counted; there are: {', '.join(known)}")
        if now := self._in_use():
            return no("misplaced", f"a valve is replaced while nothing uses the tool; now: {now}")
        signed = f"{request.by} ({who.name} at the {who.door} door)"
        text = f"{request.name} counts from zero, signed by {request.by}; {known[request.name]:,} actuations are kept"
        try:
            await self._ledger.replaced(request.name, request.by, signed, request.reason)
        except JournalError as error:  # it counts from zero in any case, and the disk is tried again
            return yes(f"{text} (not on the disk yet: {error})")
        return yes(text)

    async def _do_pulses_anew(self, request: c.PulsesAnew, who: c.Principal) -> c.Reply:
        """The medians of a source forgotten; its next pulses are recorded only."""
        pulses, source = self._pulses, request.source
        if source not in pulses.sources:
            return no("no-such-source", f"there is no source '{source}'; there are: {', '.join(pulses.sources)}")
        pulses.learn_anew(source)
        return yes(f"{source} learns anew what its pulses usually are; the next {pulses.first} are recorded only")
