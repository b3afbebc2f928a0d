"""The interlock table: the rows of the hazard matrix that this tool guards, built from what is known of it.

A name of a sample is `device.channel` of the tool file; what the valve process says is `valves.*`, what was asked of
devices `asked.*`, what registers say `register.*`, doses `pulse.*`, the computer `machine.*`, lines `link.*`. After a
lost reply the last sample stays and ages.
"""

from __future__ import annotations

from ald_controller.interlocks.bounds import out_of_bounds
from ald_controller.interlocks.chemistry import chemistry, chemistry_absent, one_source
from ald_controller.interlocks.control import control, control_absent
from ald_controller.interlocks.glovebox import glovebox, glovebox_absent
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
    if wrong := list(out_of_bounds(config)):
        raise ValueError("; ".join(wrong))
    gate = (config.signals.gate_shut, config.signals.gate_locked)
    return RuleSet(
        (one_source(setting), *control(setting), *thermal(setting), *chemistry(setting), *glovebox(setting), *proof()),
        words,
        tuple(Input(s, 0, 1) for s in gate if s is not None) if None not in gate else (),
        tuple(config.zones_of("substrate", "chamber")),
        (*thermal_absent(setting), *chemistry_absent(setting), *glovebox_absent(setting), *control_absent(setting)),
    )
