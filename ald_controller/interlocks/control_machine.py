"""K7 to K19 as far as they concern the computer, the record, the doors and the owner's limits: what the guard feeds.

| name                      | value                                                                            |
| machine.scan_late_s       | by how much this scan came late                                                  |
| machine.late_scans        | scans that came more than two periods late, since the start                      |
| machine.late_edges        | edges of a pulse that went out, or were left out, more than 50 ms late           |
| machine.clock_steps       | how often wall time moved by 2 s more or less than the clock that everything uses |
| machine.free_mib          | free space of the disk with the state directory                                  |
| machine.unwritten         | 1 while something that has to be recorded waits for the disk                     |
| machine.journal_errors    | how often a run was held because its record could not be written                 |
| machine.broker_down_s     | how long the broker has not been reachable                                       |
| machine.recipe_edited     | 1 while another text is kept under the name of the recipe that runs              |
| machine.bypasses_ended    | bypasses that have ended, since the start                                        |
| machine.alarms            | alarms that were announced in the last ten minutes                               |
| register.limits_confirmed | 1 while the owner has confirmed the limits as they are                           |
"""

from __future__ import annotations

from math import inf

from ald_controller.config import ToolConfig
from ald_controller.interlocks.control_measures import Grown
from ald_controller.interlocks.measures import Changed, Input, Measure, NotSet, Short, Value
from ald_controller.interlocks.setting import always
from ald_controller.interlocks.table import EVERYTHING, Blocks, Check, Facts, Level, Reaction, Reset

LATE_SCAN_S = 0.5
LATE_SCANS, LATE_WITHIN_S = 3, 60.0
SHOWN_S = 600.0  # how long something that has happened, and is over, is shown
WARN_MIB, START_MIB, BAND_MIB = 1024.0, 500.0, 100.0
SPACE_AGE_S = 30.0  # it is read every ten seconds; a disk that does not answer has no room either
BROKER_S = 10.0
ALARMS = 11.0  # more than ten in ten minutes


def what_burns(facts: Facts) -> bool:
    """Lithium in the chamber, a bottle that burns in air at a port, or nobody knows."""
    return facts.lithium or facts.pyrophoric


def lateness() -> list[Check]:
    """K17 of a scan: it stands before everything that a late scan makes look dead."""
    source = Input("machine.scan_late_s", 0, inf)
    level = Level("K17", Reaction.HOLD, LATE_SCAN_S, LATE_SCAN_S / 2, Reset.L1, always)
    says = "the guard came {number:.2g} s late"
    return [
        Check(source.signal, Value(source), (level,), LATE_SCAN_S, "K17", unit="s", says=says, device=EVERYTHING,
              link=True)
    ]  # fmt: skip


def machine(config: ToolConfig) -> list[Check]:
    """The other rows of the computer and of those who use it."""
    return [*_late(), *_record(), *_people(), *(_broker() if config.mqtt is not None else [])]


def _warn(row: str, limit: float = 1.0, clear: float = 0.0) -> Level:
    return Level(row, Reaction.WARN, limit, clear, Reset.AUTO, always)


def _check(measure: Measure, levels: tuple[Level, ...], says: str, unit: str = "") -> Check:
    signal, first = measure.inputs[0].signal, levels[0]
    return Check(signal, measure, levels, max(level.limit for level in levels), first.row, unit=unit, says=says)


def _late() -> list[Check]:
    """K17 of scans that are late again and again, and of pulses; K7."""
    scans, edges = Input("machine.late_scans", 0, inf), Input("machine.late_edges", 0, inf)
    steps = Input("machine.clock_steps", 0, inf)
    hold = Level("K17", Reaction.HOLD, 1, 0, Reset.L1, always)
    return [
        _check(
            Grown((scans,), LATE_WITHIN_S), (_warn("K17", LATE_SCANS, LATE_SCANS - 1),),
            f"the guard came more than two periods late {{number:.0f}} times within {LATE_WITHIN_S:.0f} s",
        ),
        _check(Changed(edges), (hold,), "an edge of a pulse was more than 50 ms late"),
        _check(Grown((steps,), SHOWN_S), (_warn("K7"),), "the computer's clock was stepped, {number:.0f} times"),
    ]  # fmt: skip


def _record() -> list[Check]:
    """K8: room on the disk, what waits for it, and a run whose record failed."""
    free = Input("machine.free_mib", 0, inf, SPACE_AGE_S)
    room = (
        _warn("K8", 0, -BAND_MIB),
        Level("K8", Reaction.BLOCK, WARN_MIB - START_MIB, WARN_MIB - START_MIB - BAND_MIB, Reset.AUTO, always,
              blocks=Blocks.START),
    )  # fmt: skip
    errors = Level("K8", Reaction.HOLD, 1, 0, Reset.L1, always)
    return [
        _check(
            Short(free, WARN_MIB), room,
            f"the disk with the state directory is {{number:.0f}} MiB short of {WARN_MIB:.0f} MiB", "MiB",
        ),
        _check(
            Value(Input("machine.unwritten", 0, 1)), (_warn("K8"),), "what has to be recorded waits for the disk"
        ),
        _check(
            Changed(Input("machine.journal_errors", 0, inf)), (errors,), "the record of the run could not be written"
        ),
    ]  # fmt: skip


def _broker() -> list[Check]:
    """K9: nobody far away sees the tool."""
    source = Input("machine.broker_down_s", 0, inf)
    return [
        _check(Value(source), (_warn("K9", BROKER_S, BROKER_S / 2),), "the broker has been gone for {number:.0f} s")
    ]


def _people() -> list[Check]:
    """K11, K15, K16 and K19: what people have changed, confirmed and let expire, and how much they are told at once."""
    confirmed = (
        _warn("K15"),
        Level("K15", Reaction.BLOCK, 1, 0, Reset.AUTO, what_burns, blocks=Blocks.START),
    )  # nothing latches: the owner's confirmation, and it alone, is the way out
    return [
        _check(
            NotSet(Input("register.limits_confirmed", 0, 1)), confirmed,
            "the owner has not confirmed the limits as they are now",
        ),
        _check(
            Value(Input("machine.recipe_edited", 0, 1)), (_warn("K11"),),
            "another text was uploaded under the name of the recipe that runs",
        ),
        _check(
            Grown((Input("machine.bypasses_ended", 0, inf),), SHOWN_S), (_warn("K16"),),
            "a bypass has ended and its row is live again",
        ),
        _check(Value(Input("machine.alarms", 0, inf)), (_warn("K19", ALARMS, ALARMS - 1),),
               "{number:.0f} alarms within ten minutes"),
    ]  # fmt: skip
