"""How the room on the disk is found out: elsewhere, now and then, and never believed for long."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from ald_controller.feeds.machine import MIB, DiskSpace


class Elsewhere:
    """Where the work is done when somebody gets round to it."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def work(self) -> None:
        for each in self.waiting:
            each()
        self.waiting.clear()


def _space(folder: Path) -> tuple[DiskSpace, Elsewhere]:
    elsewhere = Elsewhere()
    return DiskSpace(folder, elsewhere.waiting.append), elsewhere


def test_room_is_asked_for_every_ten_seconds_and_dated_when_it_was_asked_for(tmp_path: Path) -> None:
    space, elsewhere = _space(tmp_path)
    assert space.look(100.0) is None and len(elsewhere.waiting) == 1
    elsewhere.work()
    sample = space.look(105.0)
    assert sample is not None and sample.at_s == 100.0 and sample.value > 1
    assert not elsewhere.waiting
    space.look(110.0)
    assert len(elsewhere.waiting) == 1


def test_a_disk_that_does_not_answer_is_asked_once_a_minute_and_its_old_figure_keeps_its_age(tmp_path: Path) -> None:
    space, elsewhere = _space(tmp_path)
    space.look(0.0)
    elsewhere.work()
    asked = []
    for now_s in range(1, 200):
        sample = space.look(float(now_s))
        assert sample is not None and sample.at_s == 0.0
        asked += [now_s] * len(elsewhere.waiting)
        elsewhere.waiting.clear()  # it hangs
    assert asked == [10, 70, 130, 190]


def test_a_disk_that_cannot_be_asked_has_no_room_that_could_be_believed(tmp_path: Path) -> None:
    space, elsewhere = _space(tmp_path / "is not there")
    space.look(0.0)
    elsewhere.work()
    sample = space.look(1.0)
    assert sample is not None and math.isnan(sample.value)
    space.free_bytes = lambda folder: 3 * MIB
    space.look(10.0)
    elsewhere.work()
    assert (sample := space.look(11.0)) is not None and sample.value == 3.0
