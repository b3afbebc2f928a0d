"""The interlocks: a pure step over samples and facts, a table of rows, and what they say to people."""

from ald_controller.commissioned import NOTHING_COMMISSIONED, Base, Constants, Heater
from ald_controller.interlocks.bypasses import BypassRefused, bypass, overridable, restore
from ald_controller.interlocks.core import (
    BOOT,
    Bypass,
    Cause,
    FirstOut,
    ResetRefused,
    State,
    boot,
    exchange,
    news,
    reset,
    step,
)
from ald_controller.interlocks.handheld import why_no_bypass
from ald_controller.interlocks.matrix import MATRIX, Guard, Hazard
from ald_controller.interlocks.measures import Input, Quality, Sample, Samples
from ald_controller.interlocks.rules import rules_for
from ald_controller.interlocks.setting import Hung, Setting
from ald_controller.interlocks.suppression import ABORT, SUPPRESSIONS, Suppression
from ald_controller.interlocks.table import Blocks, Check, Facts, Level, Priority, Reaction, Reset, Row, RuleSet
from ald_controller.interlocks.views import (
    AlarmView,
    abort_reaction,
    alarms,
    contactor_off,
    gate_proven_shut,
    heat_ceiling_c,
    heaters_off,
    may_start,
    permit,
    response,
    source_contactor_off,
    words_of,
)
from ald_controller.interlocks.words import load_words, site_words

__all__ = [
    "ABORT",
    "BOOT",
    "MATRIX",
    "NOTHING_COMMISSIONED",
    "SUPPRESSIONS",
    "AlarmView",
    "Base",
    "Blocks",
    "Bypass",
    "BypassRefused",
    "Cause",
    "Check",
    "Constants",
    "Facts",
    "FirstOut",
    "Guard",
    "Hazard",
    "Heater",
    "Hung",
    "Input",
    "Level",
    "Priority",
    "Quality",
    "Reaction",
    "Reset",
    "ResetRefused",
    "Row",
    "RuleSet",
    "Sample",
    "Samples",
    "Setting",
    "State",
    "Suppression",
    "abort_reaction",
    "alarms",
    "boot",
    "bypass",
    "contactor_off",
    "exchange",
    "gate_proven_shut",
    "heat_ceiling_c",
    "heaters_off",
    "load_words",
    "may_start",
    "news",
    "overridable",
    "permit",
    "reset",
    "response",
    "restore",
    "rules_for",
    "site_words",
    "source_contactor_off",
    "step",
    "why_no_bypass",
    "words_of",
]
