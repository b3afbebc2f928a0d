"""How often each output has been energised since its valve was new, out of counts that begin anew with every process.

Pure: a `Totals` is a value, `heard` and `replaced` make the next one. Counters come in by coil and are kept by the
output's name, so that a valve that was wired to another coil keeps its history.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import zip_longest

from ald_controller.valves.wire import Wear

NEARLY = 0.9  # of `service_after`: from here on a person is told
ENERGISED_IS = {
    "source": "open",
    "by-pass": "shut",
    "stop": "shut",
    "contactor": "on",
}  # roles that are counted, and what their time is


@dataclass(frozen=True, slots=True)
class Total:
    """What one output has done since `since` (unix seconds); `by` replaced its valve then, "" = counting began."""

    since: float
    actuations: int = 0
    on_ns: int = 0
    by: str = ""


@dataclass(frozen=True, slots=True)
class Totals:
    """The totals by output, and the newest counts of the valve process that runs now."""

    outputs: Mapping[int, str]  # coil -> output
    of: Mapping[str, Total]
    newest: Wear | None = None

    def heard(self, wear: Wear) -> Totals:
        """With what this message adds; the same message again, or an older one of the same process, adds nothing.

        A later message with a smaller count is another process, which began at zero.
        """
        before = self.newest
        if before is not None and wear.at_ns < before.at_ns:
            return self
        if before is not None and _backwards(before, wear):
            if wear.at_ns == before.at_ns:
                return self
            before = None
        grown = dict(self.of)
        for coil, name in self.outputs.items():
            times = _count(wear.actuations, coil) - (_count(before.actuations, coil) if before else 0)
            on_ns = _count(wear.on_ns, coil) - (_count(before.on_ns, coil) if before else 0)
            if times or on_ns:
                total = grown[name]
                grown[name] = replace(total, actuations=total.actuations + times, on_ns=total.on_ns + on_ns)
        return replace(self, of=grown, newest=wear)

    def replaced(self, name: str, at: float, by: str) -> Totals:
        """With a new valve at output `name` since `at`, unix seconds; raises KeyError for what is not counted."""
        if name not in self.of:
            raise KeyError(name)
        return replace(self, of={**self.of, name: Total(at, by=by)})


def _count(counts: tuple[int, ...], coil: int) -> int:
    return counts[coil] if coil < len(counts) else 0


def _backwards(before: Wear, wear: Wear) -> bool:
    """Whether any count is smaller than before."""
    kinds = (before.actuations, wear.actuations), (before.on_ns, wear.on_ns)
    return any(now < was for kind in kinds for was, now in zip_longest(*kind, fillvalue=0))


# --- in words --------------------------------------------------------------------------------------------------------


def nearness(actuations: int, service_after: int | None) -> int:
    """How near its service a valve is: 0 = far, or without a limit; 1 = nine tenths of it are over; 2 = it is due."""
    if service_after is None or actuations < NEARLY * service_after:
        return 0
    return 2 if actuations >= service_after else 1


def due(name: str, actuations: int, service_after: int | None) -> str:
    """What a person should know of a valve that is near its service; "" while it is far from it."""
    near = nearness(actuations, service_after)
    verb = "was" if near == 2 else "is"
    return f"{name}: {actuations:,} actuations; service {verb} due after {service_after:,}" if near else ""


def adds(name: str, added: int, actuations: int, service_after: int | None) -> str:
    """What a person should know before a run that moves this valve `added` times; "" while it is far from service."""
    after = nearness(actuations + added, service_after)
    if not added or not after:
        return ""
    told = f"this run adds {added:,} actuation{'s' * (added != 1)} of {name}: {actuations:,} of {service_after:,}"
    if nearness(actuations, service_after) == 2:
        return f"{told}; its service is overdue"
    return f"{told}; its service comes due in this run" if after == 2 else told
