"""What the valve engine must know of this tool and its bottles: masks, limits, rest words. Pure."""

from __future__ import annotations

from ald_controller.chemistry import Chemistry
from ald_controller.config import Tool
from ald_controller.registers import Registers
from ald_controller.valves.wire import EngineConfig, Source

UNKNOWN_KIND = "unknown"  # an empty or unregistered position: it is opposite to everything
UNKNOWN_LONGEST_S = 1.0


def engine_config(tool: Tool, registers: Registers, chemistry: Chemistry) -> EngineConfig:
    """The engine's configuration for this tool with the bottles that hang on it now."""
    config = tool.config
    rack = registers.rack()
    valves = config.valves
    return EngineConfig(
        sources=tuple(
            _source(port, valves.word(config.ports[port].outputs), rack.get(port), chemistry) for port in config.ports
        ),
        segment_mask=valves.mask("source") | valves.mask("stop"),
        aux_mask=valves.mask("contactor"),
        alive_mask=valves.mask("alive"),
        rest_words={state: valves.word(names) for state, names in valves.rest.items()},
        min_closed_ns=round(valves.min_closed * 1e9),
    )


def _source(port: str, mask: int, precursor: str | None, chemistry: Chemistry) -> Source:
    known = chemistry.precursors.get(precursor) if precursor else None
    if known is None:
        return Source(port, mask, UNKNOWN_KIND, round(UNKNOWN_LONGEST_S * 1e9))
    return Source(port, mask, known.kind, round(known.longest_opening * 1e9))
