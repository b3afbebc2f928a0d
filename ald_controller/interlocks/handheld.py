"""Row G7 is bypassed on a hand-held reading alone: entered with its unit, good, and for half an hour. Pure."""

from __future__ import annotations

import re

from ald_controller.interlocks.core import SLACK_S, Bypass

ROW = "G7"
HAND_HELD_S = 1800.0  # the box changes meanwhile, and nobody looks
_READING = re.compile(r"(?<![\w.,])([0-9]{1,5}(?:\.[0-9]{1,3})?)\s*(ppm|ppb)\b")


def readings_ppm(reason: str) -> list[float]:
    """Every number with ppm or ppb in a sentence, in ppm."""
    return [float(number) / (1000.0 if unit == "ppb" else 1.0) for number, unit in _READING.findall(reason)]


def why_no_bypass(asked: Bypass, limit_ppm: float) -> str:
    """Why a bypass of G7 is refused, or ""; `limit_ppm` is what keeps the gate shut. Other rows are let through."""
    if asked.row != ROW:
        return ""
    if asked.until_s - asked.since_s > HAND_HELD_S + SLACK_S:
        return f"row G7 is bypassed on a hand-held reading, and for {HAND_HELD_S / 60:.0f} min at most"
    readings = readings_ppm(asked.reason)
    if not readings:
        return "enter the hand-held reading in the reason, with its unit: for example '0.4 ppm O2 by hand'"
    high = [ppm for ppm in readings if not ppm < limit_ppm]
    return f"the hand-held reading is {high[0]:g} ppm, and {limit_ppm:g} ppm keep the gate shut" if high else ""
