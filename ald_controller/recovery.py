"""Crash recovery: which runs a dead controller left open, where the newest was, and its end put on record.

Nothing is resumed. A run that nobody writes any more and that has no ending gets one, durably, before anything else may
happen; where the newest run was when it was interrupted stands in the status, the log and alarm K5 until a person acts.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from ald_controller import commands as c
from ald_controller import stamp
from ald_controller.records import folder as folders
from ald_controller.records.journal import seal
from ald_controller.records.record import RunRecord, open_run
from ald_controller.states import Ending


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run was when its record stops: the step under way (`during`), the one done before it, "" where none was.

    `half` is the newest half-cycle that had begun on record, -1 where none had; what was loaded behind it may have
    begun in the last quarter of a second, which is not on record. `cycle` is 0 outside the deposit. Loop seconds.
    """

    at_s: float
    part: str = ""
    cycle: int = 0
    after: str = ""
    during: str = ""
    half: int = -1
    cycles_done: int = 0
    doses: int = 0
    missed: int = 0

    @property
    def sentence(self) -> str:
        """In cycle 3 after 'LiOtBu 400 ms'."""
        outside = "in its finish" if self.part == "finish" else "in its preparation"
        where = f"in cycle {self.cycle}" if self.cycle else outside
        return f"{where} after '{self.after}'" if self.after else f"{where}, before its first step was done"


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a start found: the newest run if it was interrupted, told in a sentence, and what could not be done."""

    last: c.RunStatus | None = None
    sentence: str = ""
    problems: tuple[str, ...] = ()


def recover(root: Path) -> Recovered:
    """Close what a dead controller left open below `root`, and say where the newest run was interrupted, if it was.

    Raises nothing for a record's sake: one that cannot be read or written is a problem to be told.
    """
    last, problems = None, []
    for number, folder in enumerate(folders.left_open(root)):
        try:
            record, place = _closed(folder)
        except Exception as error:  # whatever is wrong with a record, it keeps no controller from starting
            problems.append(f"the record of run {folder.name} was left open, and stays so: {error}")
            continue
        if number == 0 and record.ending == "interrupted":
            last = _status(record, place)
    sentence = f"run {last.run} was interrupted {last.why}" if last else ""
    return Recovered(last, sentence, tuple(problems))


def place_of(record: RunRecord) -> Place:
    """Where the run was, from its journal alone; raises RecordError."""
    if not (record.folder / folders.JOURNAL).is_file():
        return Place(record.header.start_s)  # it died between its papers and its journal
    steps = [event.fields for event in record.events("step")]
    end_s, doses = record.end_s, record.doses()
    segments = {intent.label for intent in record.intents()}  # of a deposit they are what counts, not the flows between
    gone = [step["label"] for step in steps[:-1] if step["part"] != "deposit" or step["label"] in segments]
    now = steps[-1] if steps else {}
    cycle, part = int(now.get("cycle", 0)), str(now.get("part", ""))
    begun = [e.fields["half"] for e in record.events("anchored") if e.fields["at_ns"] / 1e9 <= end_s]
    deposited = max((int(step["cycle"]) for step in steps if step["part"] == "deposit"), default=0)
    return Place(
        end_s, part, cycle,
        after=str(gone[-1]) if gone else "", during=str(now.get("label", "")),
        half=max(begun, default=-1),
        cycles_done=deposited if part == "finish" else max(0, deposited - 1),
        doses=sum(dose.state == "confirmed" for dose in doses),
        missed=sum(dose.state == "missed" for dose in doses),
    )  # fmt: skip


def _closed(folder: Path) -> tuple[RunRecord, Place]:
    """The record with an end, and where it stopped; one that is being written, or has its end, is left as it is."""
    record = open_run(folder)
    place = place_of(record)
    if record.header.ending is not None or record.ending is None:
        return record, place
    said = record.events("ended") if (folder / folders.JOURNAL).is_file() else []
    ending: Ending = said[-1].fields["ending"] if said else "interrupted"  # it died between its end and its header
    summary = {
        "ending": ending, "cycles": place.cycles_done, "doses": place.doses, "doses_planned": record.header.doses,
        "doses_missed": place.missed,
        "trips": list(dict.fromkeys(e.fields["row"] for e in record.events("trip"))) if place.part else [],
        "interrupted": dataclasses.asdict(place), "where": place.sentence if ending == "interrupted" else "",
    }  # fmt: skip
    seal(folder, dataclasses.replace(record.header, ending=ending, end_s=place.at_s, summary=summary))
    return open_run(folder), place


def _status(record: RunRecord, place: Place) -> c.RunStatus:
    header = record.header
    report = folders.REPORT if (record.folder / folders.REPORT).is_file() else ""
    return c.RunStatus(
        run=header.run, recipe=header.recipe, part=place.part, step=place.during, cycle=place.cycle,
        cycles=header.cycles, elapsed_s=round(place.at_s - header.start_s, 2), duration_s=header.duration_s,
        doses_confirmed=place.doses, doses_planned=header.doses, doses_missed=place.missed,
        folder=str(record.folder), why=f"{place.sentence}, at {stamp.iso(record.utc(place.at_s))}",
        ending="interrupted", report=report and str(record.folder / report),
    )  # fmt: skip
