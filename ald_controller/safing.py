"""What an abort has to reach after its first two seconds, and what of it was reached when. Pure; time is an argument.

A sequence begins with an abort and is stepped by every scan of the guard. It asks nobody, waits for nothing and cannot
be cancelled: a second abort shuts the valves again and leaves its clock alone. Abort-to-purge becomes abort-to-isolate
as soon as purging is not proven, or not safe any more; never the other way. A reset does not end it, a run does.

    SECURING   sources shut, pump path open, carrier flowing, pressure falling, heaters off; within 5 s, or isolate
    PURGING    until 600 s, 20 volume exchanges and a pressure below 1.2 x base; after 30 min it ends in any case, and
               says what was not reached
    SAFE       idle and safe: still pumping and purging, or isolated
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from ald_controller.elements import OVER_BASE, Elements, Found, Look
from ald_controller.interlocks import Samples

READ_BACK_S = 0.2  # sources are to be read back shut within this time
SECURE_S = 5.0  # what is not proven by then is not there
LOST_S = 1.0  # a proof that is contradicted for so long is gone
PURGE_S = 600.0
EXCHANGES = 20
GIVE_UP_S = 1800.0

HAND_VALVES = "Close the hand valves of the bottles: nothing here can."

Kind = Literal["purge", "isolate"]
Phase = Literal["SECURING", "PURGING", "SAFE"]


@dataclass(frozen=True, slots=True)
class Line:
    """One thing to reach: `at_s` on the loop's clock, None = not, or not yet; `why` what stands against it."""

    key: str
    what: str
    at_s: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Safing:
    """One sequence between two scans; times in s of the loop's clock."""

    kind: Kind
    why: str
    run: str  # "" = none
    began_s: float
    since_s: float  # when this kind of it began
    lines: tuple[Line, ...]
    phase: Phase = "SECURING"
    purging_s: float | None = None  # since when purging is proven
    highest_pa: float = 0.0
    lost: tuple[tuple[str, float], ...] = ()  # proofs that are contradicted, and since when

    @property
    def isolates(self) -> bool:
        return self.kind == "isolate"

    @property
    def missing(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.at_s is None)


_ANY_KIND = {"sources": "every source shut, read back", "heaters": "heaters of substrate, chamber and sources off"}
_PROOFS = {
    "stop": "stop valve open",
    "carrier": "carrier at purge flow",
    "pump": "pump running",
    "pressure": "pressure falling, or settled",
}
_ISOLATED = {"shut": "stop valve shut", "flows": "no gas flowing in"}
_PURGED = {
    "time": f"{PURGE_S:.0f} s of purge",
    "exchanges": f"{EXCHANGES} volume exchanges",
    "base": f"pressure below {OVER_BASE:g} x base",
}
_LASTING = ("stop", "carrier", "pump")  # what has to stay so while it purges


def begin(why: str, now_s: float, *, purge: bool, run: str = "") -> Safing:
    """The sequence of an abort at `now_s`, by what the chamber is open to; `run` is the one that it ended."""
    wanted = _ANY_KIND | (_PROOFS | _PURGED if purge else _ISOLATED)
    return Safing("purge" if purge else "isolate", why, run, now_s, now_s, _lines(wanted))


def _lines(wanted: dict[str, str]) -> tuple[Line, ...]:
    return tuple(Line(key, what, why="not yet") for key, what in wanted.items())


def step(safing: Safing, elements: Elements, samples: Samples, now_s: float, *, purge: bool) -> Safing:
    """One scan later; `purge` says whether purging is safe by what the chamber is open to and what the rows ask for."""
    if not safing.isolates and not purge:
        safing = _isolate(safing, "the chamber may be open, or a row isolates it", now_s)
    look = Look(elements, samples, safing.since_s, now_s)
    safing = replace(safing, highest_pa=max(safing.highest_pa, look.pressure_pa() or 0.0))
    safing = replace(safing, lines=tuple(_looked(line, safing, look) for line in safing.lines))
    if safing.isolates:
        return _isolating(safing, now_s)
    if safing.phase == "SECURING":
        return _securing(safing, now_s)
    return _purging(safing, look) if safing.phase == "PURGING" else safing


# --- the phases ------------------------------------------------------------------------------------------------------


def _isolate(safing: Safing, why: str, now_s: float) -> Safing:
    """From purging to isolating; what was reached until then stays told, and what was not stays open."""
    turned = Line("isolated", f"isolated instead of purged: {why}", now_s)
    kept = tuple(line for line in safing.lines if line.at_s is not None or line.key in _ANY_KIND)
    lines = (*kept, turned, *_lines(_ISOLATED))
    return replace(safing, kind="isolate", phase="SECURING", since_s=now_s, lines=lines, purging_s=None, lost=())


def _isolating(safing: Safing, now_s: float) -> Safing:
    """Safe when all is confirmed, or when it is plain that it will not be: nothing graver can be done from here."""
    done = not safing.missing or now_s - safing.since_s >= SECURE_S
    return replace(safing, phase="SAFE") if done else safing


def _securing(safing: Safing, now_s: float) -> Safing:
    missing = [line for line in safing.missing if line.key in _PROOFS]
    if not missing:
        return replace(safing, phase="PURGING", purging_s=now_s)
    if now_s - safing.since_s < SECURE_S:
        return safing
    return _isolate(safing, f"not within {SECURE_S:g} s: " + "; ".join(f"{m.what} ({m.why})" for m in missing), now_s)


def _purging(safing: Safing, look: Look) -> Safing:
    """On until everything is reached, half an hour has passed, or a proof is lost."""
    now_s, since = look.now_s, dict(safing.lost)
    lost = tuple((key, since.get(key, now_s)) for key in _LASTING if _find(key, safing, look).against)
    gone = [f"{_PROOFS[key]} ({_find(key, safing, look).against})" for key, at_s in lost if now_s - at_s >= LOST_S]
    if gone:
        return _isolate(safing, f"lost: {'; '.join(gone)}", now_s)
    if not safing.missing or now_s - safing.began_s >= GIVE_UP_S:
        return replace(safing, phase="SAFE", lost=())
    return replace(safing, lost=lost)


# --- the lines -------------------------------------------------------------------------------------------------------

_LOOKS: dict[str, Callable[[Look], Found]] = {
    "sources": Look.sources_shut, "heaters": Look.heaters_off, "stop": Look.stop_open, "carrier": Look.carrier_flows,
    "pump": Look.pump_runs, "shut": Look.stop_shut, "flows": Look.nothing_flows, "base": Look.near_base,
}  # fmt: skip


def _looked(line: Line, safing: Safing, look: Look) -> Line:
    """The line once it is reached; until then with what stands against it now. Low pressure has to last to the end."""
    past = line.key in _PURGED and safing.phase != "PURGING"
    if past or (line.at_s is not None and line.key != "base"):
        return line
    at_s, against = _find(line.key, safing, look)
    if line.at_s is not None and not against:
        return line
    return replace(line, at_s=None if against else at_s, why=against or _late(line.key, at_s - safing.began_s))


def _late(key: str, after_s: float) -> str:
    return f"later than {READ_BACK_S:g} s" if key == "sources" and after_s > READ_BACK_S else ""


def _find(key: str, safing: Safing, look: Look) -> Found:
    if key == "pressure":
        return look.pressure_falls(safing.highest_pa)
    if key in _LOOKS:
        return _LOOKS[key](look)
    purged_s = 0.0 if safing.purging_s is None else look.now_s - safing.purging_s
    if key == "time":
        return Found(look.now_s, "" if purged_s >= PURGE_S else f"{purged_s:.0f} s so far")
    if look.elements.decay_s is None:
        return Found(look.now_s, "volume or pumping speed was never commissioned")
    count = purged_s / look.elements.decay_s
    return Found(look.now_s, "" if count >= EXCHANGES else f"{count:.0f} so far")


# --- for people ------------------------------------------------------------------------------------------------------


def sentence(safing: Safing, now_s: float) -> str:
    """Where the sequence is."""
    if safing.phase == "SECURING":
        unproven = ", ".join(line.what for line in safing.missing if line.key not in _PURGED)
        return f"abort to {safing.kind}: still to be confirmed: {unproven}"
    open_ = ", ".join(line.what for line in safing.missing)
    if safing.phase == "PURGING":
        return f"purging for {now_s - (safing.purging_s or now_s):.0f} s after an abort; still to reach: {open_}"
    done = "isolated, and not purged" if safing.isolates else "still pumping and purging"
    return f"safe after an abort: {done}{f'; not reached: {open_}' if open_ else ''}. {HAND_VALVES}"


def over(safing: Safing, why: str, now_s: float) -> str:
    """What is said when something else begins, which ends it: what, after how long, and what was never reached."""
    left = "; ".join(f"{line.what} ({line.why})" for line in safing.missing)
    short = f"; never reached: {left}" if left else ""
    return f"ended by {why} {now_s - safing.began_s:.0f} s after it began{short}"


def shown(line: Line, began_s: float) -> dict[str, object]:
    """One line as records and screens have it: `after_s` from the abort, None = not reached."""
    return {"what": line.what, "after_s": None if line.at_s is None else round(line.at_s - began_s, 3), "why": line.why}


def news(before: Safing | None, after: Safing) -> tuple[Line, ...]:
    """The lines that were reached between two scans, and, once it is safe, those that were not."""
    known = set(before.lines) if before is not None and before.began_s == after.began_s else set()
    reached = tuple(line for line in after.lines if line.at_s is not None and line not in known)
    ended = after.phase == "SAFE" and (before is None or before.phase != "SAFE")
    return (*reached, *after.missing) if ended else reached
