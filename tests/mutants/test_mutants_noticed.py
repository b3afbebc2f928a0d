"""Every mutant of the valve engine and of the interlocks against its sentences: what survives is explained."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.long import GOES_ON
from tests.mutants.lab import CORE_LABS, ENGINE_LAB, ROW_LABS, Change, Lab, Subject, explained, go_on

pytestmark = [pytest.mark.long, pytest.mark.timeout(535)]
AT_LEAST = 0.95
WITHIN_S = 430.0


def told(subject: Subject, lab: Lab, reasons: dict[Change, str]) -> list[str]:
    """The figures, and the survivors, each with its reason."""
    killed, timeouts = lab.counted("killed"), lab.counted("timeout")
    return [
        f"{len(lab.fate)} mutants of the {subject.name} ({len(subject.sources)} files): {killed} killed, "
        f"{timeouts} never ended, {len(lab.survivors)} survived: {100 * lab.score:.1f} % noticed, "
        f"in {lab.seconds:.0f} s",
        *(f"never ended: {_words(each)}" for each in lab.those(lambda fate: fate == "timeout")),
        *(f"survived: {_words(each)}: {reasons.get(each, 'NOT EXPLAINED')}" for each in lab.survivors),
    ]


def _words(change: Change) -> str:
    return f"{change.where}, `{change.was}` became `{change.became}`"


def test_nineteen_of_twenty_mutants_of_the_engine_are_noticed_and_the_others_are_explained() -> None:
    _tried(ENGINE_LAB)


def test_nineteen_of_twenty_mutants_of_the_interlocks_are_noticed_and_the_others_are_explained() -> None:
    _tried(*CORE_LABS)


def test_nineteen_of_twenty_mutants_of_the_rows_are_noticed_and_the_others_are_explained() -> None:
    """Of what computes and lists the rows; their limits are typed a second time in the sentences about them."""
    _tried(*ROW_LABS)


def _tried(*subjects: Subject) -> None:
    """One after another, as far as the time goes; judged when none is left."""
    end_s, labs = time.monotonic() + WITHIN_S, list[Lab]()
    for subject in subjects:
        lab = go_on(subject, end_s - time.monotonic())
        if lab.left or not lab.fate:
            pytest.exit(f"{subject.name}: {len(lab.left)} of {len(lab.fate)} mutants are left", returncode=GOES_ON)
        labs.append(lab)
    lines = [line for each, lab in zip(subjects, labs, strict=True) for line in told(each, lab, explained(each))]
    print("\n".join(lines))
    if page := os.environ.get("ALD_FIGURES"):
        with Path(page).open("a", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
    for subject, lab in zip(subjects, labs, strict=True):
        reasons = explained(subject).keys()
        assert lab.score >= AT_LEAST, subject.name
        assert set(lab.survivors) <= reasons, f"every survivor has its reason in {subject.survivors.name}"
        assert reasons <= set(lab.survivors), "what is explained does survive"
