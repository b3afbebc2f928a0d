"""What the valve engine must know of this tool and its bottles: masks, limits, rest words. Pure."""

from __future__ import annotations

from dataclasses import replace

from ald_controller.bottles import may_carry
from ald_controller.chemistry import Chemistry, Precursor
from ald_controller.config import Tool
from ald_controller.config.model import Port, ValveModule
from ald_controller.registers import Registers
from ald_controller.valves.wire import EngineConfig, Position, Source

UNKNOWN_KIND = "unknown"  # an empty or unregistered position: it is opposite to everything
UNKNOWN_LONGEST_S = 1.0
NEVER_NS = 1  # the longest opening of a source that may not be opened: no dose is that short


def engine_config(tool: Tool, registers: Registers, chemistry: Chemistry) -> EngineConfig:
    """The engine's configuration for this tool with the bottles that hang on it now."""
    config = tool.config
    rack = registers.rack()
    valves = config.valves
    return EngineConfig(
        sources=tuple(
            _source(name, port, valves, chemistry.precursors.get(rack.get(name, "")))
            for name, port in config.ports.items()
        ),
        segment_mask=valves.mask("source", "by-pass", "stop"),
        aux_mask=valves.mask("contactor"),
        alive_mask=valves.mask("alive"),
        rest_words={state: valves.word(names) for state, names in valves.rest.items()},
        min_closed_ns=round(valves.min_closed * 1e9),
    )


def _source(name: str, port: Port, valves: ValveModule, precursor: Precursor | None) -> Source:
    """One port. Its longest opening is that of the precursor; how late its valve opens comes on top of it."""
    kind, longest_s = (precursor.kind, precursor.longest_opening) if precursor else (UNKNOWN_KIND, UNKNOWN_LONGEST_S)
    positions = (Position("fill", valves.word(port.fill.outputs), _ns(port.fill.time)),) if port.fill else ()
    source = Source(
        name, valves.word(port.outputs), kind, _ns(longest_s + max(valves.compensation_s(port.outputs), 0.0)),
        _ns(valves.shortest_s(port.outputs)), positions,
    )  # fmt: skip
    return source if may_carry(valves, precursor) else _never(source)


def _never(source: Source) -> Source:
    """The same source on the same bits, in no position to be opened."""
    positions = tuple(replace(each, longest_ns=NEVER_NS) for each in source.positions)
    return replace(source, longest_open_ns=NEVER_NS, shortest_open_ns=0, positions=positions)


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
