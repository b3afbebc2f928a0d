"""How much gas each dose brought, and whether that is what it usually is. Pure: time is an argument.

`figure` measures one dose, `meter` finds the doses in edges and readings, `history` compares them with those before.
"""

from ald_controller.pulses.figure import Conditions, Figure, Likeness, NoFigure, Pulse, Span, Usual, figure
from ald_controller.pulses.history import Counts, History, Judging, Verdict
from ald_controller.pulses.meter import PulseMeter

__all__ = [
    "Conditions",
    "Counts",
    "Figure",
    "History",
    "Judging",
    "Likeness",
    "NoFigure",
    "Pulse",
    "PulseMeter",
    "Span",
    "Usual",
    "Verdict",
    "figure",
]
