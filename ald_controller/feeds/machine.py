"""Where the rows of control get their facts: this computer, its disk, its broker, its people, and the wires.

The names of the samples are those of `interlocks.control_machine`; beside them `link.DEVICE.bad` counts the replies of
a device that were no answer to what it was asked. Wall time is looked at here to tell when it jumps, and nowhere used.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from ald_controller.feeds.put import Family, put
from ald_controller.guard import PERIOD_S, Guard
from ald_controller.interlocks import Sample
from ald_controller.interlocks.table import SCAN_LATE
from ald_controller.records.folder import free_bytes
from ald_controller.tool import Tool
from ald_controller.valves import wire

LATE_EDGE_NS = 50_000_000
STEP_S = 2.0
COUNTS = (
    "machine.late_scans", "machine.late_edges", "machine.clock_steps", "machine.bypasses_ended",
    "machine.journal_errors", "machine.unwritten", "machine.recipe_edited", "machine.alarms",
    "register.limits_confirmed",
)  # fmt: skip
MIB = 2**20

Told = Callable[..., None]


class DiskSpace:
    """Free space below a folder, read where the tool's files are written: a disk that hangs keeps nobody else waiting.

    `run` takes the work there; a figure that does not come back grows old, and old is no room (row K8).
    """

    EVERY_S, PATIENCE_S = 10.0, 60.0

    def __init__(self, folder: Path, run: Callable[[Callable[[], None]], None]) -> None:
        self.free_bytes: Callable[[Path], float] = free_bytes
        self.sample: Sample | None = None  # MiB
        self._folder, self._run = folder, run
        self._asked_s = -math.inf
        self._asking = False

    def look(self, now_s: float) -> Sample | None:
        """The newest figure; asks for another one when it is time."""
        waited_s = now_s - self._asked_s
        if waited_s >= (self.PATIENCE_S if self._asking else self.EVERY_S):
            self._asked_s, self._asking = now_s, True
            self._run(lambda: self._read(now_s))
        return self.sample

    def _read(self, asked_s: float) -> None:
        try:
            free = self.free_bytes(self._folder) / MIB
        except OSError:
            free = math.nan
        self.sample, self._asking = Sample(free, asked_s), False


class MachineFeeds:
    """Looks once a scan, before the rows are judged. `wall` gives unix seconds; `broker` says whether it is reachable.

    Others write here what only they know: `recipe_edited`, `limits_confirmed`, `unwritten`.
    """

    def __init__(
        self, tool: Tool, guard: Guard, space: DiskSpace, *, wall: Callable[[], float],
        broker: Callable[[], bool] | None, tell: Told,
    ) -> None:  # fmt: skip
        self.space, self.wall, self.broker = space, wall, broker
        self.recipe_edited = self.limits_confirmed = False
        self.unwritten: Callable[[], bool] = lambda: False
        self._tool, self._guard, self._tell = tool, guard, tell
        self._clocks: tuple[float, float] | None = None  # wall and loop time at the last look
        self._reached_s: float | None = None  # when the broker was last there
        self._bypassed: frozenset[str] = frozenset()
        self._late_scans = self._late_edges = self._clock_steps = self._bypasses_ended = self._journal_errors = 0
        self._counts = Family(tool.samples, (*COUNTS, *(f"link.{name}.bad" for name in tool.misplaced())))

    # --- what others tell --------------------------------------------------------------------------------------------

    def hear(self, message: wire.FromEngine) -> None:
        """Take what the valve engine says of its punctuality: edges that went out late, and doses that did not."""
        if isinstance(message, wire.Edge):
            late_ns = message.sent_ns - message.due_ns
        elif isinstance(message, wire.Missed):
            late_ns = message.late_ns
        else:
            return
        self._late_edges += late_ns > LATE_EDGE_NS

    def journal_failed(self) -> None:
        """A run was held because its record could not be written."""
        self._journal_errors += 1

    # --- one scan ----------------------------------------------------------------------------------------------------

    def look(self, now_s: float) -> None:
        """Write every sample of this scan."""
        late_s, samples = self._guard.late_s, self._tool.samples
        self._late_scans += late_s > 2 * PERIOD_S
        samples[SCAN_LATE] = Sample(late_s, now_s)
        self._look_at_the_clock(now_s)
        self._look_at_bypasses()
        self._counts.put(
            (
                self._late_scans, self._late_edges, self._clock_steps, self._bypasses_ended, self._journal_errors,
                self.unwritten(), self.recipe_edited, self._guard.annunciator.rate(now_s), self.limits_confirmed,
                *self._tool.misplaced().values(),
            ),
            now_s,
        )  # fmt: skip
        self._look_outside(now_s)

    def _look_at_the_clock(self, now_s: float) -> None:
        """Row K7; a clock that is slewed moves by far less between two scans."""
        wall_s = self.wall()
        if self._clocks is not None:
            step_s = (wall_s - self._clocks[0]) - (now_s - self._clocks[1])
            if abs(step_s) > STEP_S:
                self._clock_steps += 1
                self._tell("clock", step_s=round(step_s, 3))
        self._clocks = (wall_s, now_s)

    def _look_at_bypasses(self) -> None:
        bypasses = self._guard.state.bypasses
        if not bypasses and not self._bypassed:
            return
        bypassed = frozenset(bypass.row for bypass in bypasses)
        self._bypasses_ended += len(self._bypassed - bypassed)
        self._bypassed = bypassed

    def _look_outside(self, now_s: float) -> None:
        """The disk and the broker."""
        free = self.space.look(now_s)
        if free is not None:
            self._tool.samples["machine.free_mib"] = free
        if self.broker is not None:
            self._reached_s = now_s if self.broker() or self._reached_s is None else self._reached_s
            put(self._tool.samples, "machine.broker_down_s", now_s - self._reached_s, now_s)
