"""The interlock table: the rows of the hazard matrix that this tool guards, built from what is known of it.

A name of a sample is `device.channel` of the tool file; what the valve process says is `valves.*`, what was asked of
devices `asked.*`, what registers say `register.*`, doses `pulse.*`, the computer `machine.*`, lines `link.*`. After a
lost reply the last sample stays and ages.
"""

from __future__ import annotations

from ald_controller.config import LITHIUM_CEILING_C, ToolConfig
from ald_controller.interlocks.chemistry import chemistry, chemistry_absent, one_source
from ald_controller.interlocks.control import control, control_absent
from ald_controller.interlocks.glovebox import GLOVE_CEILING_C, SEVERE_PPM, glovebox, glovebox_absent
from ald_controller.interlocks.measures import Input
from ald_controller.interlocks.proof import proof
from ald_controller.interlocks.setting import Setting
from ald_controller.interlocks.table import Row, RuleSet
from ald_controller.interlocks.thermal import thermal, thermal_absent


def rules_for(setting: Setting, words: dict[str, Row]) -> RuleSet:
    """The rules of one tool; `words` has the words of every row.

    Raises ValueError with a sentence when the limits leave their bounds or contradict each other.
    """
    config = setting.config
    _bounds(config)
    gate = (config.signals.gate_shut, config.signals.gate_locked)
    return RuleSet(
        (one_source(setting), *control(setting), *thermal(setting), *chemistry(setting), *glovebox(setting), *proof()),
        words,
        tuple(Input(s, 0, 1) for s in gate if s is not None) if None not in gate else (),
        tuple(config.zones_of("substrate", "chamber")),
        (*thermal_absent(setting), *chemistry_absent(setting), *glovebox_absent(setting), *control_absent(setting)),
    )


def _bounds(config: ToolConfig) -> None:
    limits = config.limits
    if not limits.lithium_trip <= LITHIUM_CEILING_C:
        raise ValueError(f"lithium_trip is {limits.lithium_trip:g} °C: no file may go above {LITHIUM_CEILING_C:g} °C")
    if not limits.lithium_clear < limits.lithium_warn < limits.lithium_trip:
        raise ValueError("limits: lithium_clear < lithium_warn < lithium_trip is needed, each below the next")
    if not 0 < limits.glovebox_warn < limits.glovebox_block < limits.glovebox_trip <= SEVERE_PPM:
        raise ValueError(f"limits: glovebox_warn < glovebox_block < glovebox_trip <= {SEVERE_PPM:g} ppm is needed")
    if not 0 < limits.box_pressure_warn < limits.box_pressure_trip:
        raise ValueError("limits: box_pressure_warn < box_pressure_trip is needed")
    if not limits.glove <= GLOVE_CEILING_C:
        raise ValueError(f"limits: glove is {limits.glove:g} °C: no file may go above {GLOVE_CEILING_C:g} °C")
