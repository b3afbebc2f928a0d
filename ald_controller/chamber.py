"""What the chamber is open to: proven from contacts and pressure, never assumed. Pure; time is an argument."""

from __future__ import annotations

from dataclasses import dataclass

from ald_controller.config import ChamberState

PROOF_S = 10.0  # vacuum counts once gate and pressure have agreed for this long
DECADE = 10.0  # two gauges this far apart contradict each other


@dataclass(frozen=True, slots=True)
class Chamber:
    """The chamber state and since when its proof has held, in seconds of the loop's clock (None: no proof running)."""

    state: ChamberState = "UNKNOWN"
    proof_since_s: float | None = None


def chamber_step(
    chamber: Chamber,
    *,
    gate_proven_shut: bool,
    pressure_pa: float | None,
    vacuum_pa: float,
    pumping: bool,
    now_s: float,
    at_box: bool = False,
    second_pa: float | None = None,
) -> Chamber:
    """The next state: VACUUM needs a gate proven shut and a pressure below `vacuum_pa` for ten seconds.

    Where a second gauge can be read, it has to agree: at or above `vacuum_pa`, and a decade above the first, it bars
    the proof. It ends none, because one wrong reading of it is no loss of vacuum; row C8 acts when that lasts.
    `pressure_pa` is None when the reading is not to be believed. A gate that is not proven shut makes every state
    UNKNOWN at once, or AT_BOX where it is seen open with `at_box`, at the box's pressure; `pumping` is true while a
    pump-down is under way.
    """
    if at_box and not gate_proven_shut:
        return Chamber("AT_BOX")
    if not gate_proven_shut or pressure_pa is None:
        return Chamber()
    if not pressure_pa < vacuum_pa:  # written so that what is not a number is no vacuum
        return Chamber("PUMPING_DOWN" if pumping else "UNKNOWN")
    if chamber.state != "VACUUM" and second_pa is not None and second_pa >= max(vacuum_pa, DECADE * pressure_pa):
        return Chamber("PUMPING_DOWN" if pumping else "UNKNOWN")
    since = now_s if chamber.proof_since_s is None else chamber.proof_since_s
    proven = chamber.state == "VACUUM" or now_s - since >= PROOF_S
    state: ChamberState = "VACUUM" if proven else ("PUMPING_DOWN" if pumping else "UNKNOWN")
    return chamber if (state, since) == (chamber.state, chamber.proof_since_s) else Chamber(state, since)
