"""The interlock table: the rows of the hazard matrix that this tool guards, built from its configuration.

Sample names that the valve client feeds, one set per Status of the valve process, all stamped with its time:

| name              | value                                                         |
| valves.sequence   | Status.sequence: proof of life, must change                   |
| valves.word       | Status.word: the valve word as the module confirmed it        |
| valves.connected  | 1 while the module answers                                    |
| valves.armed      | 1 while the module's watchdog is armed and was read back      |
| valves.trips      | Status.trips: the module's own count of watchdog fallbacks    |
| valves.faults     | how many Fault messages came since the start                  |
| valves.lease_lost | how often the engine held for want of a lease since the start |

The last three are counts because a fault is an event: the next scan finds it over, the latch remembers it, and a reset
has to wait for nothing but its ten quiet seconds. A count that changes in either direction trips.

Every other name is `device.channel` of the tool file. After a lost reply the last sample stays and ages.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import inf

from ald_controller.config import LITHIUM_CEILING_C, ToolConfig
from ald_controller.interlocks.measures import (
    Changed,
    Input,
    Lost,
    Measure,
    NotSet,
    Rise,
    Silence,
    SourcesOpen,
    Unchanged,
    Value,
)
from ald_controller.interlocks.table import Blocks, Check, Facts, Level, Reaction, Reset, Row, RuleSet

TEMPERATURE_C = (-20.0, 400.0)  # outside of it a thermocouple or its terminal is broken
ANALYSER_PPM = (-20.0, 1100.0)  # NE 43's measured range of a 0-1000 ppm transmitter, and then some
SEVERE_PPM = 50.0
SEVERE_RISE_PPM_PER_S = 10.0
AGREE_K = 10.0  # two sensors of one zone further apart than this do not confirm each other
LOST_S = 60.0  # as long as one sensor of two may be lost before the run is
# The valve process reports ten times a second from an ordinary loop behind a socket. Six missed reports are a dead or
# stopped process; two or three are a busy computer, and the module's own watchdog (0.5 s) does not wait for this row.
SILENT_S = 0.6
LINK_S = 0.5  # five polls of coupler B at 10 Hz
COIL_BITS = float(2**53)  # a word in a float is exact below this


def always(facts: Facts) -> bool:
    return True


def lithium(facts: Facts) -> bool:
    return facts.lithium


def gate_unproven(facts: Facts) -> bool:
    return not facts.gate_proven_shut


ROWS = {
    row.id: row
    for row in (
        Row(
            "T1",
            "A zone that touches lithium is too hot",
            "Lithium melts at 180.5 °C and burns.",
            "Heaters off and contactor open; leave it under argon or vacuum, do not open. Find out why before a reset.",
        ),
        Row(
            "T7",
            "A temperature cannot be believed",
            "The controller could heat without knowing how hot it is.",
            "Look at the thermocouple, its plug and the terminal; this heater stays off until it reads well.",
        ),
        Row(
            "K14",
            "A value is missing or out of date",
            "What it guards is not watched now.",
            "Look at the line and the supply of this device.",
        ),
        Row(
            "C1",
            "More than one source is open at once",
            "Precursors that meet react in the gas: heat, powder, fire in the fore-line.",
            "All sources are commanded shut; close the hand valves, keep pumping, find the valve that disagrees.",
        ),
        Row(
            "G1",
            "Oxygen or water in the glovebox is high",
            "Lithium and precursors spoil when the gate is opened now.",
            "Do not open the gate and start nothing; look at the purifier and at gloves and seals.",
            override=True,
        ),
        Row(
            "G2",
            "Oxygen or water in the glovebox is high and the gate is not proven shut",
            "Air reaches the chamber and what lies in it.",
            "Close the gate if nobody's hands are in it; above 50 ppm isolate the purifier.",
        ),
        Row(
            "G7",
            "A glovebox analyser cannot be believed",
            "A bad atmosphere in the box would not be seen.",
            "Look at the analyser's own display and its status; measure with a hand-held one.",
            override=True,
        ),
        Row(
            "K1",
            "The valve process has lost the guard's heartbeat",
            "It has shut all sources by itself.",
            "Look in the log for what kept the daemon busy before the next start.",
        ),
        Row(
            "K2",
            "The valve process is silent",
            "Nobody knows what the valves do; the module's watchdog shuts them.",
            "Look in the log; the daemon has to be started again when the process is dead.",
        ),
        Row(
            "K3",
            "An I/O module does not answer as it should",
            "Outputs may not follow, or the module has shut them by its own watchdog.",
            "Look at its supply, its cable and its lamps before a reset.",
        ),
        Row(
            "K5",
            "Not released since the start",
            "What happened while nothing watched is unknown.",
            "Look at the tool and at the unfinished run, if there is one, and reset.",
        ),
    )
}

# Rows that this table does not evaluate: said at every start, so that nobody believes that they are watched here.
NOT_EVALUATED = (
    "T2-T6: jumps, heating rate, drift between sensors, welded relays and overshoot are not evaluated by the software.",
    "T8: limits of sources and lines bind set-points only; their measured temperatures trip nothing.",
    "C3, C4, C6: stuck valves, empty and wrong bottles are not recognised while a run is on.",
    "C7-C11: carrier, pump, stop-valve position, chamber over-pressure and leaks trip nothing.",
    "C12, C13, C15, G8, G9: gas monitors, exhaust, compressed air and argon are left to the hardware.",
    "G3-G6: opening the gate is left to its lock and its switch; box pressure trips nothing.",
    "K6, K18, K20: mains, the E-stop chain and the alive relay act in hardware; the software does not trip on them.",
)


def rules_for(config: ToolConfig, compatible: Iterable[tuple[str, str]] = ()) -> RuleSet:
    """The rules of one tool; `compatible` are pairs of ports that the registry lets be open together.

    Raises ValueError with a sentence when the limits leave their bounds or contradict each other.
    """
    _bounds(config)
    checks: list[Check] = [*_valves(config, compatible), *_inputs_alive(config)]
    checks += _thermal(config)
    checks += _glovebox(config)
    gate = (config.signals.gate_shut, config.signals.gate_locked)
    return RuleSet(
        tuple(checks),
        ROWS,
        tuple(Input(s, 0, 1) for s in gate if s is not None) if None not in gate else (),
        tuple(config.zones_of("substrate", "chamber")),
        (*_absent(config), *NOT_EVALUATED),
    )


def _bounds(config: ToolConfig) -> None:
    limits = config.limits
    if not limits.lithium_trip <= LITHIUM_CEILING_C:
        raise ValueError(f"lithium_trip is {limits.lithium_trip:g} °C: no file may go above {LITHIUM_CEILING_C:g} °C")
    if not limits.lithium_clear < limits.lithium_warn < limits.lithium_trip:
        raise ValueError("limits: lithium_clear < lithium_warn < lithium_trip is needed, each below the next")
    if not 0 < limits.glovebox_warn < limits.glovebox_block < limits.glovebox_trip <= SEVERE_PPM:
        raise ValueError(f"limits: glovebox_warn < glovebox_block < glovebox_trip <= {SEVERE_PPM:g} ppm is needed")


def _trip(row: str, reaction: Reaction = Reaction.ABORT_PURGE, limit: float = 1.0, clear: float = 0.0) -> Level:
    """A level of the control rows: at once, always, an operator resets it."""
    return Level(row, reaction, limit, clear, Reset.L1, always)


def _valves(config: ToolConfig, compatible: Iterable[tuple[str, str]]) -> list[Check]:
    """K1, K2, C1 and K3 of coupler A, from what the valve process says of itself."""
    word = Input("valves.word", 0, COIL_BITS)
    pairs = frozenset(frozenset(pair) for pair in compatible)
    alive = Input("valves.sequence", 0, inf, max_age_s=SILENT_S)
    silent = Level("K2", Reaction.ABORT_PURGE, SILENT_S, SILENT_S / 2, Reset.L1, always)
    says = "no new report from the valve process for {number:.2g} s"
    open_at_once = replace(_trip("C1", limit=2, clear=1), reset=Reset.L2)
    return [
        Check(alive.signal, Unchanged(alive), (silent,), inf, "K2", "K2", "s", says, device="valves", link=True),
        _valve(word, SourcesOpen(word, _sources(config), pairs), open_at_once, "{number:g} sources are open at once"),
        _flag("valves.lease_lost", Changed, "K1", "the guard's lease ran out, or the valve process is a new one"),
        _flag("valves.connected", NotSet, "K3", "the valve module is not connected"),
        _flag("valves.armed", NotSet, "K3", "the watchdog of the valve module is not armed"),
        _flag("valves.trips", Changed, "K3", "the watchdog of the valve module has acted, or the module has restarted"),
        _flag("valves.faults", Changed, "K3", "the valve module did not confirm a word, or read back another one"),
    ]


def _sources(config: ToolConfig) -> tuple[tuple[str, int], ...]:
    """Name and mask of each source; a source output without a port counts as a source of its own."""
    ported = {o for port in config.ports.values() for o in port.every_output}
    masks = {name: config.valves.word(port.every_output) for name, port in config.ports.items()}
    masks |= {n: o.mask for n, o in config.valves.outputs.items() if o.role == "source" and n not in ported}
    return tuple(masks.items())


def _flag(signal: str, measure: type[NotSet] | type[Changed], row: str, says: str) -> Check:
    source = Input(signal, 0, inf if measure is Changed else 1)
    return _valve(source, measure(source), _trip(row), says)


def _valve(source: Input, measure: Measure, level: Level, says: str) -> Check:
    return Check(source.signal, measure, (level,), level.limit, level.row, says=says, device="valves")


def _inputs_alive(config: ToolConfig) -> list[Check]:
    """K3 of each device that carries contacts: the age of its newest believable value."""
    s = config.signals
    contacts = (s.gate_shut, s.gate_locked, s.pump_running, s.estop, s.stop_valve_open)
    devices = dict.fromkeys(_device(c) for c in contacts if c is not None)
    used = [str(v) for v in s.model_dump().values() if v is not None]
    used += [z.second for z in config.zones.values() if z.second is not None]
    return [_silence(device, [u for u in dict.fromkeys(used) if _device(u) == device]) for device in devices]


def _silence(device: str, signals: list[str]) -> Check:
    level = _trip("K3", limit=LINK_S, clear=LINK_S / 2)
    says = "no valid reply of {name} for {number:.2g} s"
    measure = Silence(tuple(Input(s, -inf, inf, LINK_S) for s in signals))
    return Check(device, measure, (level,), None, "K3", "K3", "s", says, device=device, link=True)


def _device(signal: str) -> str:
    return signal.split(".", maxsplit=1)[0]


def _thermal(config: ToolConfig) -> list[Check]:
    """T1 of every sensor of a zone that may touch lithium, and T7 of each such zone."""
    limits, low, high = config.limits, *TEMPERATURE_C
    warn_clear = (limits.lithium_warn + limits.lithium_clear) / 2  # a zone held at the clamp never reaches the trip's
    levels = (
        Level("T1", Reaction.WARN, limits.lithium_warn, warn_clear, Reset.AUTO, lithium, persist_s=2),
        Level("T1", Reaction.ABORT_PURGE, limits.lithium_trip, limits.lithium_clear, Reset.L2, lithium),
    )
    blind = (
        Level("T7", Reaction.HOLD, 1, 0, Reset.L1, lithium),
        Level("T7", Reaction.ABORT_PURGE, 1, 0, Reset.L1, lithium, persist_s=LOST_S),
        Level("T7", Reaction.ABORT_PURGE, 2, 0, Reset.L1, lithium),
    )
    out: list[Check] = []
    for name, zone in config.zones_of("substrate", "chamber").items():
        signals = [f"{zone.device}.temperature_c", *([zone.second] if zone.second else [])]
        inputs = tuple(Input(s, low, high, max_age_s=2) for s in signals)
        for i in inputs:
            check = Check(i.signal, Value(i), levels, None, "T7", unit="°C", zone=name, device=_device(i.signal))
            out.append(check)
        out.append(Check(name, Lost(inputs, AGREE_K), blind, None, "T7", zone=name, device=_device(signals[0])))
    return out


def _glovebox(config: ToolConfig) -> list[Check]:
    """G1, G2 and G7 of each analyser: with the gate proven shut they warn and block, and never touch a run."""
    limits = config.limits
    some = Blocks.START | Blocks.GATE
    severe = Level("G2", Reaction.ABORT_PURGE, SEVERE_PPM, limits.glovebox_block, Reset.L1, gate_unproven)
    levels = (
        Level("G1", Reaction.WARN, limits.glovebox_warn, 0.8 * limits.glovebox_warn, Reset.AUTO, always, 30),
        Level("G1", Reaction.BLOCK, limits.glovebox_block, 0.8 * limits.glovebox_block, Reset.AUTO, always, 10, some),
        Level("G2", Reaction.HOLD, limits.glovebox_trip, limits.glovebox_block, Reset.L1, gate_unproven, 10),
        severe,
    )
    rise = replace(severe, limit=SEVERE_RISE_PPM_PER_S, clear=SEVERE_RISE_PPM_PER_S / 2)
    bad_as = min(limits.glovebox_trip, SEVERE_PPM / 2)
    out: list[Check] = []
    for signal in (config.signals.glovebox_o2, config.signals.glovebox_h2o):
        if signal is not None:
            source = Input(signal, *ANALYSER_PPM, max_age_s=10)
            device = _device(signal)
            out.append(Check(signal, Value(source), levels, bad_as, "G7", unit="ppm", device=device))
            out.append(Check(signal, Rise(source), (rise,), None, "G7", unit="ppm/s", device=device))
    return out


def _absent(config: ToolConfig) -> list[str]:
    """One sentence per row, or part of a row, whose input this tool does not have."""
    s, out = config.signals, []
    zones = config.zones_of("substrate", "chamber")
    if not zones:
        out.append("T1: no zone has the role substrate or chamber, so no lithium temperature is guarded.")
    for name in (n for n, z in zones.items() if not z.second):
        out.append(f"T1: zone {name} has no independent second sensor, so losing its sensor aborts at once.")
    for gas, signal in (("O2", s.glovebox_o2), ("H2O", s.glovebox_h2o)):
        if signal is None:
            out.append(f"G1, G2, G7: no {gas} analyser is configured, so {gas} in the glovebox is not guarded.")
    if s.gate_shut is None or s.gate_locked is None:
        out.append("G2: the gate lacks its shut or locked contact, is never proven shut, and its stricter limits hold.")
    if (test := config.valves.watchdog_test) is not None:
        out.append(
            f"K3: nothing on the wire arms the watchdog of the valve module ({config.valves.driver}): when the valve "
            f"process dies, or its link, valves stay open until the module shuts them by itself, which took "
            f"{test.closed_after:g} s when {test.by} tried it on {test.date}."
        )
    if not any((s.gate_shut, s.gate_locked, s.pump_running, s.estop, s.stop_valve_open)):
        out.append("K3: no module with contacts is configured, so only the valve module's link is guarded.")
    return out
