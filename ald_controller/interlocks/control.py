"""K1 to K20: the valve process, modules, wires, and what keeps power; `control_machine` has the rows of the computer.

Sample names that the valve client feeds, one set per Status of the valve process, all stamped with its time:

| name              | value                                                         |
| valves.sequence   | Status.sequence: proof of life, must change                   |
| valves.word       | the valve word as the module confirmed it, or was found with  |
| valves.connected  | 1 while the module answers                                    |
| valves.armed      | 1 while the module's watchdog is armed and was read back      |
| valves.trips      | Status.trips: the module's own count of watchdog fallbacks    |
| valves.faults     | how many Fault messages came since the start                  |
| valves.lease_lost | how often the engine held for want of a lease since the start |

The last three are counts because a fault is an event: the next scan finds it over, the latch remembers it, and a reset
has to wait for nothing but its ten quiet seconds. A count that changes in either direction trips.
"""

from __future__ import annotations

from math import inf

from ald_controller.config import ToolConfig
from ald_controller.interlocks.control_machine import lateness, machine
from ald_controller.interlocks.control_measures import Grown, MoreTrips
from ald_controller.interlocks.measures import Changed, Input, Measure, NotSet, Silence, Unchanged
from ald_controller.interlocks.setting import LINK_S, Setting, always, device_of
from ald_controller.interlocks.table import Check, Level, Reaction, Reset

# The valve process reports ten times a second from an ordinary loop behind a socket. Six missed reports are a dead or
# stopped process; two or three are a busy computer, and the module's own watchdog (0.5 s) does not wait for this row.
SILENT_S = 0.6
MISPLACED, WITHIN_S = 3, 60.0  # replies that were no answer
COUNT_AGE_S = 2.0  # a coupler's count of its trips is read twice a second
MAINS_S = 0.1
HALF_CYCLE_S = 60.0  # after it a tool without mains rests whatever it does: dose, exposure and purge are shorter


def control(setting: Setting) -> list[Check]:
    """The rows of control: what explains others before them, links before the samples that they make old."""
    config = setting.config
    return [
        *lateness(), *_contacts(config), *_valves(), *_inputs_alive(config), *_modules(config), *_wires(config),
        *machine(config),
    ]  # fmt: skip


def _trip(row: str, reaction: Reaction = Reaction.ABORT_PURGE, limit: float = 1.0, clear: float = 0.0) -> Level:
    """A level of the control rows: at once, always, an operator resets it."""
    return Level(row, reaction, limit, clear, Reset.L1, always)


def _contacts(config: ToolConfig) -> list[Check]:
    """K18, K20 and K6: contacts that read 1 while all is well."""
    s = config.signals
    estop = Level("K18", Reaction.ESTOP, 1, 0, Reset.L3, always)
    alive = Level("K20", Reaction.ABORT_PURGE, 1, 0, Reset.L2, always)
    # without a permit the engine rests at the next opening: what is open runs to its end before the run is held
    mains = (
        Level("K6", Reaction.BLOCK, 1, 0, Reset.L2, always, persist_s=MAINS_S),
        Level("K6", Reaction.HOLD, 1, 0, Reset.L2, always, persist_s=HALF_CYCLE_S),
    )
    wired = (
        (s.estop, (estop,), "the E-stop chain is open"),
        (s.alive_relay, (alive,), "the alive relay has dropped"),
        (s.mains, mains, "mains is lost"),
    )
    return [_contact(signal, levels, says) for signal, levels, says in wired if signal is not None]


def _contact(signal: str, levels: tuple[Level, ...], says: str) -> Check:
    source = Input(signal, 0, 1)
    return Check(signal, NotSet(source), levels, 1, levels[0].row, says=says, device=device_of(signal))


def _valves() -> list[Check]:
    """K1, K2 and K3 of coupler A, from what the valve process says of itself."""
    alive = Input("valves.sequence", 0, inf, max_age_s=SILENT_S)
    silent = Level("K2", Reaction.ABORT_PURGE, SILENT_S, SILENT_S / 2, Reset.L1, always)
    says = "no new report from the valve process for {number:.2g} s"
    return [
        Check(alive.signal, Unchanged(alive), (silent,), inf, "K2", "K2", "s", says, device="valves", link=True),
        _flag("valves.lease_lost", Changed, "K1", "the guard's lease ran out, or the valve process is a new one"),
        _flag("valves.connected", NotSet, "K3", "the valve module is not connected"),
        _flag("valves.armed", NotSet, "K3", "the watchdog of the valve module is not armed"),
        _flag("valves.trips", Changed, "K3", "the watchdog of the valve module has acted, or the module has restarted"),
        _flag("valves.faults", Changed, "K3", "the valve module did not confirm a word, or read back another one"),
    ]


def _flag(signal: str, measure: type[NotSet] | type[Changed], row: str, says: str) -> Check:
    source = Input(signal, 0, inf if measure is Changed else 1)
    return _valve(source, measure(source), _trip(row), says)


def _valve(source: Input, measure: Measure, level: Level, says: str) -> Check:
    return Check(source.signal, measure, (level,), level.limit, level.row, says=says, device="valves")


def _inputs_alive(config: ToolConfig) -> list[Check]:
    """K3 of each device that carries contacts: the age of its newest believable value."""
    used = [str(v) for v in config.signals.model_dump().values() if v is not None]
    used += [z.second for z in config.zones.values() if z.second is not None]
    return [
        _silence(device, [u for u in dict.fromkeys(used) if device_of(u) == device]) for device in _carrying(config)
    ]


def _carrying(config: ToolConfig) -> list[str]:
    """The devices that carry contacts."""
    s = config.signals
    contacts = (s.gate_shut, s.gate_locked, s.pump_running, s.estop, s.stop_valve_open)
    return list(dict.fromkeys(device_of(c) for c in contacts if c is not None))


def _silence(device: str, signals: list[str]) -> Check:
    level = _trip("K3", limit=LINK_S, clear=LINK_S / 2)
    says = "no valid reply of {name} for {number:.2g} s"
    measure = Silence(tuple(Input(s, -inf, inf, LINK_S) for s in signals))
    return Check(device, measure, (level,), None, "K3", "K3", "s", says, device=device, link=True)


def _modules(config: ToolConfig) -> list[Check]:
    """K6 of each device that carries contacts: its outputs fell, by its own watchdog or with its supply."""
    level = Level("K6", Reaction.ABORT_PURGE, 1, 0, Reset.L2, always)
    counts = [Input(f"{device}.watchdog_trips", 0, inf, COUNT_AGE_S) for device in _carrying(config)]
    says = "outputs of {name} have fallen: the module's watchdog has acted, or its supply was gone"
    return [
        Check(i.signal, MoreTrips(i), (level,), 1, "K6", says=says, device=device_of(i.signal)) for i in counts
    ]  # fmt: skip


def _wires(config: ToolConfig) -> list[Check]:
    """K4 of each line: a poll whose reply was no answer has left its values as they were, and several are a fault."""
    by_line: dict[str, list[str]] = {}
    for name, device in config.devices.items():
        by_line.setdefault(str(device["line"]), []).append(name)
    level = _trip("K4", Reaction.HOLD, MISPLACED, MISPLACED - 1)
    says = f"{{number:.0f}} replies on {{name}} did not belong to their requests within {WITHIN_S:.0f} s"
    counts = {line: tuple(Input(f"link.{d}.bad", 0, inf) for d in devices) for line, devices in by_line.items()}
    return [
        Check(f"line {line}", Grown(inputs, WITHIN_S), (level,), MISPLACED, "K4", says=says)
        for line, inputs in counts.items()
    ]  # fmt: skip


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
    if not _carrying(config):
        out.append("K3: no module with contacts is configured, so only the valve module's link is guarded.")
    if s.mains is None:
        out.append("K6: no mains contact is configured, so a loss of mains is only seen by what it stops.")
    if s.estop is None:
        out.append("K18: no contact of the E-stop chain is configured: it acts in hardware, and the software goes on.")
    else:
        out.append("K18: one contact of the E-stop chain is read; that its two channels agree is left to its relay.")
    if s.estop is not None and s.confirm is None:
        out.append("K18: no button at the tool is configured, and without it nobody can reset after an E-stop.")
    if s.alive_relay is None:
        out.append(
            "K20: no contact of the alive relay is configured: it drops its pilots in hardware, unseen from here."
        )
    return out
