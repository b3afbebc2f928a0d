"""K1 to K20, and C1: the computer, the valve process, the modules, the record, and who asks.

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
"""

from __future__ import annotations

from dataclasses import replace
from math import inf

from ald_controller.config import ToolConfig
from ald_controller.interlocks.measures import Changed, Input, Measure, NotSet, Silence, SourcesOpen, Unchanged
from ald_controller.interlocks.setting import LINK_S, Setting, always, device_of
from ald_controller.interlocks.table import Check, Level, Reaction, Reset

# The valve process reports ten times a second from an ordinary loop behind a socket. Six missed reports are a dead or
# stopped process; two or three are a busy computer, and the module's own watchdog (0.5 s) does not wait for this row.
SILENT_S = 0.6
COIL_BITS = float(2**53)  # a word in a float is exact below this


def control(setting: Setting) -> list[Check]:
    """The rows of control: links before the samples that they make old."""
    return [*_valves(setting), *_inputs_alive(setting.config)]


def _trip(row: str, reaction: Reaction = Reaction.ABORT_PURGE, limit: float = 1.0, clear: float = 0.0) -> Level:
    """A level of the control rows: at once, always, an operator resets it."""
    return Level(row, reaction, limit, clear, Reset.L1, always)


def _valves(setting: Setting) -> list[Check]:
    """K1, K2, C1 and K3 of coupler A, from what the valve process says of itself."""
    word = Input("valves.word", 0, COIL_BITS)
    alive = Input("valves.sequence", 0, inf, max_age_s=SILENT_S)
    silent = Level("K2", Reaction.ABORT_PURGE, SILENT_S, SILENT_S / 2, Reset.L1, always)
    says = "no new report from the valve process for {number:.2g} s"
    open_at_once = replace(_trip("C1", limit=2, clear=1), reset=Reset.L2)
    return [
        Check(alive.signal, Unchanged(alive), (silent,), inf, "K2", "K2", "s", says, device="valves", link=True),
        _valve(
            word,
            SourcesOpen(word, _sources(setting.config), setting.compatible),
            open_at_once,
            "{number:g} sources are open at once",
        ),
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
    devices = dict.fromkeys(device_of(c) for c in contacts if c is not None)
    used = [str(v) for v in s.model_dump().values() if v is not None]
    used += [z.second for z in config.zones.values() if z.second is not None]
    return [_silence(device, [u for u in dict.fromkeys(used) if device_of(u) == device]) for device in devices]


def _silence(device: str, signals: list[str]) -> Check:
    level = _trip("K3", limit=LINK_S, clear=LINK_S / 2)
    says = "no valid reply of {name} for {number:.2g} s"
    measure = Silence(tuple(Input(s, -inf, inf, LINK_S) for s in signals))
    return Check(device, measure, (level,), None, "K3", "K3", "s", says, device=device, link=True)


def control_absent(setting: Setting) -> list[str]:
    """One sentence per row, or part of a row, whose input this tool does not have."""
    config, out = setting.config, []
    s = config.signals
    if (test := config.valves.watchdog_test) is not None:
        out.append(
            f"K3: nothing on the wire arms the watchdog of the valve module ({config.valves.driver}): when the valve "
            f"process dies, or its link, valves stay open until the module shuts them by itself, which took "
            f"{test.closed_after:g} s when {test.by} tried it on {test.date}."
        )
    if not any((s.gate_shut, s.gate_locked, s.pump_running, s.estop, s.stop_valve_open)):
        out.append("K3: no module with contacts is configured, so only the valve module's link is guarded.")
    out.append(
        "K6, K18, K20: mains, the E-stop chain and the alive relay act in hardware; the software does not trip on them."
    )
    return out
