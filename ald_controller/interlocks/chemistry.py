"""C1 to C15: precursors, carrier, pump, stop valve, leaks, and the gas that must be argon."""

from __future__ import annotations

from ald_controller.config import ToolConfig
from ald_controller.interlocks.measures import Input, SourcesOpen
from ald_controller.interlocks.setting import Setting, always
from ald_controller.interlocks.table import Check, Level, Reaction, Reset

COIL_BITS = float(2**53)  # a word in a float is exact below this


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
    """The rows of chemistry."""
    return []


def chemistry_absent(setting: Setting) -> list[str]:
    """One sentence per row, or part of a row, whose input this tool does not have."""
    return [
        "C3, C4, C6: stuck valves, empty and wrong bottles are not recognised while a run is on.",
        "C7-C11: carrier, pump, stop-valve position, chamber over-pressure and leaks trip nothing.",
        "C12, C13, C15: gas monitors, exhaust and compressed air are left to the hardware.",
    ]
