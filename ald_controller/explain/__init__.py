"""The interlocks made plain: every row as one tool guards it, and what they would do with values that a person names.

Pure, and the same core that guards the tool: nothing here knows a limit of its own.
"""

from ald_controller.explain.healthy import Assumed, healthy
from ald_controller.explain.matrix import LimitShown, RowShown, elsewhere, matrix_of, resets_by, rows_named, when_words
from ald_controller.explain.signals import scale_of, signals_of
from ald_controller.explain.typed import NotUnderstood, Typed, understand
from ald_controller.explain.verdict import Moment, Nearly, Standing, Verdict, held, released, replay, verdict

__all__ = [
    "Assumed",
    "LimitShown",
    "Moment",
    "Nearly",
    "NotUnderstood",
    "RowShown",
    "Standing",
    "Typed",
    "Verdict",
    "elsewhere",
    "healthy",
    "held",
    "matrix_of",
    "released",
    "replay",
    "resets_by",
    "rows_named",
    "scale_of",
    "signals_of",
    "understand",
    "verdict",
    "when_words",
]
