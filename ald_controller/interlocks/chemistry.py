"""C1 to C15: precursors, carrier, pump, stop valve, leaks, and the gas that must be argon.

Samples besides channels of devices; `feeds.gas`, `feeds.asked` and `feeds.pulses` write them at every scan:

| name                     | value                                                                         |
| asked.total_sccm         | the sum of what flow controllers were asked for                               |
| asked.DEVICE_sccm        | what one of them was asked for                                                |
| asked.quiet_s            | s since one of these, or the stop valve, was changed                          |
| asked.stop_shut          | 1 while the valve word holds the stop valve shut                              |
| valves.shut_s            | s since a source was open, 0 while one is, endless before any was             |
| register.leak_pa_per_s   | the rise that was measured last; absent when none was                         |
| register.cylinder_argon  | 1 when the register says that argon hangs at the tool                         |
| register.confirmed.PORT  | 1 when what hangs there was confirmed since it last changed                   |
| pulse.SOURCE.*           | the newest pulse of a source beside those before                              |

C2: nothing in this software delays a pulse. The minimum closed time between opposite kinds is the planner's, which
refuses the recipe at its line, and the engine's, which leaves an opening out and names it in the record. A chamber that
is not purged down is told at once, and holds the run when that lasts.
C5 is the valve process's and its module's. C14 blocks the start, and with it all heat: nothing heats outside a run.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from ald_controller.config import ToolConfig
from ald_controller.interlocks.chemistry_doses import OfPulses, Strong, Unlike, Weak
from ald_controller.interlocks.chemistry_gas import STOP, Pressures, controllers, lacking
from ald_controller.interlocks.chemistry_gauge import Readable, depositing
from ald_controller.interlocks.chemistry_measures import FlowLost, Misplaced
from ald_controller.interlocks.measures import Input, NotSet, SourcesOpen
from ald_controller.interlocks.setting import Setting, always, device_of, lithium
from ald_controller.interlocks.table import Blocks, Check, Facts, Level, Reaction, Reset
from ald_controller.interlocks.thermal_measures import Uncommissioned

COIL_BITS = float(2**53)  # a word in a float is exact below this
STRONG, WEAK, WEAK_RUNNING, UNLIKE = 2.0, 0.5, 3.0, 0.5  # C3, C4 and C6, of the median
CARRIER_WARN, CARRIER_TRIP, CARRIER_WARN_S, CARRIER_S = 0.2, 0.5, 2.0, 0.3  # C7, of what is asked
PUMP_S, STOP_S, EXHAUST_S, AIR_S = 0.1, 0.5, 2.0, 0.5
FLOW_SCCM = 10_000.0


def pumped(facts: Facts) -> bool:
    """A pump that stands still is a fault, and no choice of a person's."""
    return facts.chamber in ("VACUUM", "PUMPING_DOWN") or facts.part != ""


def one_source(setting: Setting) -> Check:
    """C1: it stands before the rows of the module's faults, because a word that was read back wrong is one of them."""
    word = Input("valves.word", 0, COIL_BITS)
    level = Level("C1", Reaction.ABORT_PURGE, 2, 1, Reset.L2, always)
    measure = SourcesOpen(word, _sources(setting.config), setting.compatible)
    says = "{number:g} sources are open at once"
    return Check(word.signal, measure, (level,), level.limit, "C1", says=says, device="valves")


def _sources(config: ToolConfig) -> tuple[tuple[str, int], ...]:
    """Name and mask of each source; a source output without a port counts as a source of its own."""
    ported = {o for port in config.ports.values() for o in port.every_output}
    masks = {name: config.valves.word(port.every_output) for name, port in config.ports.items()}
    masks |= {n: o.mask for n, o in config.valves.outputs.items() if o.role == "source" and n not in ported}
    return tuple(masks.items())


def chemistry(setting: Setting) -> list[Check]:
    """Rows C2 to C15, in the order in which one explains the next."""
    hung = [port for port in setting.config.ports if port in setting.bottles]
    return [
        *_contacts(setting.config), *_carrier(setting), *_stop_valve(setting), *Pressures(setting).checks(),
        *(check for port in hung for check in _pulses(port)), *_argon(setting.config), *map(_label, hung),
    ]  # fmt: skip


def _contacts(config: ToolConfig) -> list[Check]:
    """C12, C13 and C15, and the pump's contact of C8; each reads 1 while all is well."""
    s, isolate, abort = config.signals, Reaction.ABORT_ISOLATE, Reaction.ABORT_PURGE
    wired = (
        (s.compressed_air, Level("C15", isolate, 1, 0, Reset.L1, always, AIR_S), "compressed air is lost"),
        (s.pump_running, Level("C8", isolate, 1, 0, Reset.L2, pumped, PUMP_S), "the pump does not run"),
        (s.gas_monitor, Level("C12", abort, 1, 0, Reset.L3, always), "the gas monitor has tripped, or is at fault"),
        (s.exhaust, Level("C13", abort, 1, 0, Reset.L1, always, EXHAUST_S), "the exhaust has failed"),
    )
    return [_contact(signal, level, says) for signal, level, says in wired if signal is not None]


def _contact(signal: str, level: Level, says: str) -> Check:
    source = Input(signal, 0, 1)
    return Check(signal, NotSet(source), (level,), 1, level.row, says=says, device=device_of(signal))


def _carrier(setting: Setting) -> list[Check]:
    """C7: of the carrier; a pusher that gives too little gives weak doses, which is C4. One that is silent holds."""
    device = setting.config.carrier
    if missing := lacking(setting, "C7", f"settling.{device}"):
        return missing
    levels = (
        Level("C7", Reaction.WARN, CARRIER_WARN, 0.1, Reset.AUTO, always, CARRIER_WARN_S),
        Level("C7", Reaction.ABORT_ISOLATE, CARRIER_TRIP, CARRIER_WARN, Reset.L1, always, CARRIER_S),
    )
    flow, asked = Input(f"{device}.flow_sccm", -FLOW_SCCM, FLOW_SCCM), Input(f"asked.{device}_sccm", 0, inf)
    measure = FlowLost(flow, asked, setting.constants.settling_s[device])
    says = "{name} lacks {number:.0%} of what is asked of it, {limit:.0%} is the limit"
    carrier = Check(device, measure, levels, CARRIER_TRIP, "C7", says=says, device=device)
    return [carrier, *(_pusher(pusher) for pusher in controllers(setting)[1:])]


def _pusher(device: str) -> Check:
    level = Level("C7", Reaction.HOLD, 1, 0, Reset.L1, depositing)
    measure = Readable(Input(f"{device}.flow_sccm", -FLOW_SCCM, FLOW_SCCM))
    return Check(device, measure, (level,), level.limit, "C7", says="{name} does not answer", device=device)


def _stop_valve(setting: Setting) -> list[Check]:
    """C9: an exposure that is pumped away may be purged; where the pump path is shut nothing may flow."""
    signal, travel_s = setting.config.signals.stop_valve_open, setting.constants.stop_s
    if signal is None:
        return []
    if travel_s is None:
        return lacking(setting, "C9", "stop")
    levels = (
        Level("C9", Reaction.ABORT_PURGE, 1, 0, Reset.L1, always, STOP_S),
        Level("C9", Reaction.ABORT_ISOLATE, 2, 1, Reset.L1, always, STOP_S),
    )
    measure = Misplaced((Input(signal, 0, 1), STOP), travel_s)
    says = "the stop valve does not stand where it was told to ({number:g}: 1 = still open, 2 = still shut)"
    return [Check(signal, measure, levels, 2, "C9", says=says, device=device_of(signal))]


def _pulses(port: str) -> tuple[Check, ...]:
    """C3, C4 and C6 of one bottle, by its newest pulse."""
    strong = Level("C3", Reaction.ABORT_PURGE, STRONG, 1.5, Reset.L2, always)
    weak = Level("C4", Reaction.HOLD, WEAK_RUNNING, 0, Reset.L1, always)
    unlike = Level("C6", Reaction.HOLD, UNLIKE, 0.1, Reset.L2, always)
    return (
        _pulse(port, Strong(port), strong, "a pulse of {name} brought {number:.2g} times what it usually brings"),
        _pulse(port, Weak(port, WEAK), weak, "{number:.0f} pulses of {name} running brought less than half the usual"),
        _pulse(port, Unlike(port), unlike, "the first pulse of {name} is {number:.0%} off what it usually brings"),
    )


def _pulse(port: str, measure: OfPulses, level: Level, says: str) -> Check:
    return Check(port, measure, (level,), level.limit, level.row, level.row, says=says)


def _label(port: str) -> Check:
    """C6: what hangs there was confirmed since it last changed."""
    return _register(f"confirmed.{port}", "C6", always, f"what hangs at {port} was not confirmed since it changed")


def _argon(config: ToolConfig) -> list[Check]:
    """C14: what purges hot lithium, by the tool file and by the register of the cylinder."""
    cylinder = _register("cylinder_argon", "C14", lithium, "no register says that an argon cylinder hangs here")
    if config.inert == "argon":
        return [cylinder]
    level = Level("C14", Reaction.BLOCK, 1, 0, Reset.AUTO, lithium, blocks=Blocks.START)
    says = f"this tool is purged with {config.inert}, in which hot lithium burns"
    return [Check("inert", Uncommissioned(), (level,), None, "C14", says=says), cylinder]


def _register(name: str, row: str, when: Callable[[Facts], bool], says: str) -> Check:
    """A start is blocked until this register says 1. Nothing latches: whoever signs for it is the way out."""
    source = Input(f"register.{name}", 0, 1)
    level = Level(row, Reaction.BLOCK, 1, 0, Reset.AUTO, when, blocks=Blocks.START)
    return Check(source.signal, NotSet(source), (level,), 1, row, row, says=says)


def chemistry_absent(setting: Setting) -> list[str]:
    """One sentence per row, or part of a row, whose input this tool does not have."""
    s = setting.config.signals
    told = (
        (s.pump_running, "C8: the pump has no contact: that it stands still is only seen in the pressure."),
        (s.stop_valve_open, "C9: the stop valve has no contact: nobody sees whether it follows."),
        (s.delta_p, "C10: nothing measures the chamber against the glovebox: over-pressure is the relief valve's."),
        (
            s.atmosphere,
            "C10: no gauge reads up to atmosphere: nothing contradicts the other one, which sees filling to its end.",
        ),
        (
            s.gas_monitor,
            "C12: no contact of a gas monitor is configured: it shuts its bottle in hardware, unseen.",
        ),
        (s.exhaust, "C13: no contact of the exhaust is configured: that it fails is not seen here."),
        (s.compressed_air, "C15: compressed air has no contact: valves that stand half open are not seen here."),
    )
    walls = setting.config.zones_of("chamber")
    out = [] if walls else ["C2, C3, C8, C11: no zone has the role chamber, so no base pressure is compared."]
    return [*out, *(sentence for signal, sentence in told if signal is None)]
