"""The gate between chamber and glovebox: what has to hold before its lock is released, and the lock itself. Pure.

A permissive, not a trip: it is asked before the lock is released and at every scan until the gate is open. What is
absent, old or in doubt never passes.

| lock     | energised | from                                        | until                                         |
| LOCKED   | no        | the start; both contacts prove it           | somebody releases it while nothing is missing |
| RELEASED | yes       | released                                    | the gate opens, or something is missing       |
| OPEN     | yes       | the gate opened while it was released       | the gate has been shut for a second           |
| LOCKING  | no        | locked by a person, or by itself            | the contacts prove it, or five seconds        |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial

from ald_controller.config import pa_per_unit
from ald_controller.interlocks.core import State
from ald_controller.interlocks.glovebox import GLOVE_CEILING_C, MBAR_PA
from ald_controller.interlocks.glovebox_measures import two_sided
from ald_controller.interlocks.measures import Input, Quality, Samples
from ald_controller.interlocks.setting import Setting
from ald_controller.interlocks.table import Blocks, Facts

CLEARED = "register.cleared"
NOT_CLEARED = "the chamber is not cleared of precursors"
SOURCES_SHUT_S = 120.0
NO_FLOW_SCCM = 0.5  # the zero of a flow controller drifts so far
SHUT_S = 1.0  # a gate that swings back is not shut
LOCKING_S = 5.0
QUIET = ("IDLE", "MAINTENANCE")  # nothing of a recipe is in hand


class Lock(Enum):
    """Where the lock of the gate is; the value is for people."""

    LOCKED = "locked"
    RELEASED = "released, shut"
    OPEN = "open"
    LOCKING = "locking"


@dataclass(frozen=True, slots=True)
class Permissive:
    """What one tool reads before its gate may open; None for an input that it does not have."""

    shut: Input | None
    stop_open: Input | None
    delta_p: Input | None
    analysers: tuple[tuple[str, str | None], ...]  # gas, its signal
    box_pressure: str | None
    flows: tuple[str, ...]  # the flow controllers that let gas into the chamber
    surfaces: tuple[tuple[Input, float], ...]  # what a glove meets, and how much hotter than that it may be, in K
    sources: int  # their bits in the valve word
    delta_mbar: float
    glove_c: float
    mbar_per_unit: float  # of delta_p


def _unseen() -> tuple[str, ...]:
    return ("nothing has been looked at since the start",)


@dataclass(frozen=True, slots=True)
class Gate:
    """The gate between two scans. `open` None = not known; `why` says what is missing in the scan that it is of."""

    lock: Lock = Lock.LOCKED
    by: str = ""  # who released it
    since_s: float = 0.0  # of this lock, or of the shut contact while it is OPEN
    open: bool | None = None
    sources_since_s: float | None = None  # all sources seen shut since
    why: Callable[[], tuple[str, ...]] = field(default=_unseen, compare=False)

    @property
    def missing(self) -> tuple[str, ...]:
        """Why it stays locked, one sentence each. Found when it is asked for: a locked gate need not know it."""
        return self.why()

    @property
    def energised(self) -> bool:
        """Whether the lock's output is on; while the gate is open it stays on, so that it can be closed."""
        return self.lock in (Lock.RELEASED, Lock.OPEN)

    @property
    def released(self) -> bool:
        """Whether the gate may be found open without having been forced."""
        return self.lock is not Lock.LOCKED


class GateRefused(Exception):
    """The lock stays as it is; says why."""


def permissive_of(setting: Setting) -> Permissive:
    """What has to be read at this tool."""
    config = setting.config
    s, limits = config.signals, config.limits
    pushers = (port.push.device for port in config.ports.values() if port.push)
    return Permissive(
        shut=Input(s.gate_shut, 0, 1) if s.gate_shut else None,
        stop_open=Input(s.stop_valve_open, 0, 1) if s.stop_valve_open else None,
        delta_p=two_sided(config, s.delta_p, 1.0) if s.delta_p else None,
        analysers=(("O2", s.glovebox_o2), ("H2O", s.glovebox_h2o)),
        box_pressure=s.box_pressure,
        flows=tuple(dict.fromkeys((config.carrier, *pushers))),
        surfaces=tuple(_surfaces(setting)),
        sources=config.source_mask,
        delta_mbar=limits.gate_delta_p / MBAR_PA,
        glove_c=min(limits.glove, GLOVE_CEILING_C),
        mbar_per_unit=pa_per_unit(s.delta_p) / MBAR_PA if s.delta_p else 1.0,
    )


def _surfaces(setting: Setting) -> Iterator[tuple[Input, float]]:
    """Every sensor of the zones that a glove reaches, with the commissioned offset of their hottest place."""
    for name, zone in setting.config.zones_of("substrate", "chamber").items():
        heater = setting.constants.heaters.get(name)
        for sensor in filter(None, (f"{zone.device}.temperature_c", zone.second)):
            yield Input(sensor, -20, 400, 2), heater.hottest_k if heater else 0.0


def why_shut(
    permissive: Permissive, state: State, samples: Samples, facts: Facts, sources_since_s: float | None
) -> tuple[str, ...]:
    """Why the gate may not be opened now, one sentence each; empty = it may."""
    reads = _Reads(samples, state.at_s)
    return (
        *_tool(state, facts),
        *_box(permissive, reads, frozenset(bypass.row for bypass in state.bypasses)),
        *_precursors(permissive, reads, sources_since_s),
        *_pressures(permissive, reads),
        *_heat(permissive, reads),
    )


def step(gate: Gate, permissive: Permissive, state: State, samples: Samples, facts: Facts) -> Gate:
    """One scan, after the rules were judged at `state.at_s`; `samples` are of that moment, and stay as they are."""
    reads = _Reads(samples, state.at_s)
    value = reads.good(permissive.shut)
    opened = None if value is None else value != 1
    word = reads.good(_WORD)
    shut = word is not None and not int(word) & permissive.sources
    since_s = (state.at_s if gate.sources_since_s is None else gate.sources_since_s) if shut else None
    why = partial(why_shut, permissive, state, samples, facts, since_s)
    return _TURNS[gate.lock](Gate(gate.lock, gate.by, gate.since_s, opened, since_s, why), facts, state.at_s)


def release(gate: Gate, by: str, now_s: float) -> Gate:
    """The lock released by this person; raises GateRefused with everything that is missing."""
    if gate.open:
        raise GateRefused("the gate is open")
    if gate.missing:
        raise GateRefused("; ".join(gate.missing))
    return replace(gate, lock=Lock.RELEASED, by=by, since_s=now_s)


def lock(gate: Gate, now_s: float) -> Gate:
    """The lock told to lock; raises GateRefused while the gate is open."""
    if gate.open and gate.released:
        raise GateRefused("the gate is open: shut it, and it locks by itself")
    return gate if gate.lock is Lock.LOCKED else replace(gate, lock=Lock.LOCKING, since_s=now_s)


def reopened(by: str, now_s: float) -> Gate:
    """After a start: what was released before it may be open, and nothing is energised for that."""
    return Gate(Lock.LOCKING, by, now_s)


# --- the lock --------------------------------------------------------------------------------------------------------


def _locked(gate: Gate, facts: Facts, now_s: float) -> Gate:
    return gate


def _released(gate: Gate, facts: Facts, now_s: float) -> Gate:
    if gate.open:
        return replace(gate, lock=Lock.OPEN, since_s=now_s)
    return replace(gate, lock=Lock.LOCKING, since_s=now_s) if gate.missing else gate


def _open(gate: Gate, facts: Facts, now_s: float) -> Gate:
    if gate.open is not False:
        return replace(gate, since_s=now_s)
    return gate if now_s - gate.since_s < SHUT_S else replace(gate, lock=Lock.LOCKING, since_s=now_s)


def _locking(gate: Gate, facts: Facts, now_s: float) -> Gate:
    if gate.open:
        return replace(gate, lock=Lock.OPEN, since_s=now_s)
    if gate.open is None:
        return replace(gate, since_s=now_s)  # nothing is known of it yet
    done = facts.gate_proven_shut or now_s - gate.since_s >= LOCKING_S
    return replace(gate, lock=Lock.LOCKED, by="", since_s=now_s) if done else gate


_TURNS = {Lock.LOCKED: _locked, Lock.RELEASED: _released, Lock.OPEN: _open, Lock.LOCKING: _locking}


# --- what has to hold ------------------------------------------------------------------------------------------------

_WORD = Input("valves.word", 0, float(2**53))
_MARK = Input(CLEARED, 0, 1)


@dataclass(frozen=True, slots=True)
class _Reads:
    """Samples at one moment; what is not GOOD is None."""

    samples: Samples
    now_s: float

    def doubted(self, signal: str) -> bool:
        """Whether its own device, or a test, says that a value is not to be relied on."""
        sample = self.samples.get(signal)
        return sample is not None and sample.quality in (Quality.UNCERTAIN, Quality.TEST)

    def good(self, source: Input | None) -> float | None:
        sample = self.samples.get(source.signal) if source else None
        if source is None or sample is None or sample.quality is not Quality.GOOD:
            return None
        return None if source.fault(sample, self.now_s) else sample.value


def _tool(state: State, facts: Facts) -> Iterator[str]:
    """The box is good, nothing is latched and no recipe is in hand."""
    if facts.process not in QUIET:
        yield f"the tool is {facts.process}: the gate is opened when nothing runs"
    causes = {(c.row, c.name): c for c in state.latched + state.active if c.blocks & Blocks.GATE}
    for cause in causes.values():
        yield f"{cause.row} {cause.detail}"


def _box(permissive: Permissive, reads: _Reads, bypassed: frozenset[str]) -> Iterator[str]:
    """What the box is known by; that it is good say the rows G1, G6 and G7, which pass a reading in mere doubt."""
    for gas, signal in permissive.analysers:
        if signal is None:
            yield f"there is no {gas} analyser: nothing says that the box is good"
        elif reads.doubted(signal) and "G7" not in bypassed:
            yield f"{signal} is in doubt: nothing says that the box is good"
    if permissive.box_pressure is None:
        yield "the pressure of the box is not measured: nothing says that the box is good"
    elif reads.doubted(permissive.box_pressure):
        yield f"{permissive.box_pressure} is in doubt: nothing says that the box is good"


def _precursors(permissive: Permissive, reads: _Reads, sources_since_s: float | None) -> Iterator[str]:
    if reads.good(_MARK) != 1:
        yield NOT_CLEARED
    if sources_since_s is None:
        yield "a source is open, or not known to be shut"
    elif (shut_s := reads.now_s - sources_since_s) < SOURCES_SHUT_S:
        yield f"sources have been seen shut for {int(shut_s)} s, {SOURCES_SHUT_S:.0f} s are needed"


def _pressures(permissive: Permissive, reads: _Reads) -> Iterator[str]:
    if reads.good(permissive.shut) != 1:
        yield "the gate is not known to be shut"
    if reads.good(permissive.stop_open) != 0:
        yield "the stop valve is not known to be shut"
    for device in permissive.flows:
        asked, flow = reads.good(_of(device, "setpoint_sccm")), reads.good(_of(device, "flow_sccm"))
        if asked != 0 or flow is None or not abs(flow) <= NO_FLOW_SCCM:
            yield f"{device} is not known to be shut"
    delta = reads.good(permissive.delta_p)
    if delta is None:
        yield "the pressure between chamber and box is not known: no reading, or one at the end of its range"
    elif not abs(mbar := delta * permissive.mbar_per_unit) <= permissive.delta_mbar:
        over = "above" if mbar > 0 else "below"
        yield f"the chamber is {abs(mbar):.3g} mbar {over} the box, {permissive.delta_mbar:g} mbar are the limit (G5)"


def _of(device: str, channel: str) -> Input:
    return Input(f"{device}.{channel}", -1.0, 1e5, 2.0)


def _heat(permissive: Permissive, reads: _Reads) -> Iterator[str]:
    if not permissive.surfaces:
        yield "no temperature of the chamber is measured: nothing says that a glove may touch it"
    for surface, hotter_k in permissive.surfaces:
        celsius = reads.good(surface)
        if celsius is None:
            yield f"{surface.signal} is not known: a glove may not touch what may be hot"
        elif not celsius + hotter_k <= permissive.glove_c:
            hottest = f" and its hottest place {hotter_k:g} K above" if hotter_k else ""
            yield f"{surface.signal} is at {celsius:.0f} °C{hottest}, a glove may touch {permissive.glove_c:g} °C"
