"""The tool: which device hangs on which line, which valve on which coil, who may do what. Read from a tool file."""

from ald_controller.config.checking import DeviceConfig
from ald_controller.config.loading import Tool, load_tool
from ald_controller.config.model import (
    CHAMBER_STATES,
    LITHIUM_CEILING_C,
    LITHIUM_CLAMP_C,
    ChamberState,
    Limits,
    LineConfig,
    Mqtt,
    Output,
    People,
    Port,
    Role,
    Signals,
    ToolConfig,
    ValveModule,
    Zone,
)
from ald_controller.config.spans import END, PRESSURE_UNITS, Span, end_of, pa_per_unit, span_of

__all__ = [
    "CHAMBER_STATES", "END", "LITHIUM_CEILING_C", "LITHIUM_CLAMP_C", "PRESSURE_UNITS", "ChamberState", "DeviceConfig",
    "Limits", "LineConfig", "Mqtt", "Output", "People", "Port", "Role", "Signals", "Span", "Tool", "ToolConfig",
    "ValveModule", "Zone", "end_of", "load_tool", "pa_per_unit", "span_of",
]  # fmt: skip
