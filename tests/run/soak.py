"""Hours of runs on virtual time: healthy ones that nothing may interrupt, and ones that something breaks all the time.

A person is simulated, too: notices a latch, mends what is broken, presses the button, resets as the owner, goes on with
a held run or begins another one. A tool that does not come back within half an hour of mended devices is a dead state.
"""

from __future__ import annotations

import gc
import random
import resource
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ald_controller import commands as c
from simulators.faults import Fault
from tests.run.rig import LIGL_C, Rig, ligl

HOUR_S = 3600.0
DEAD_S = 1800.0  # a mended tool that is not ready again by then never will be
BETWEEN_S = 240.0  # mean time between two faults
LASTS_S = (0.2, 1.0, 5.0, 20.0, 90.0)
CYCLES = 60  # of 20 s each
WIRES = ("carrier", "pusher", "pirani", "substrate", "chamber", "source-3", "source-4", "lines", "coupler-b", "valves")
SPOILED = (
    Fault(deaf=True), Fault(silent=True), Fault(late_s=0.4, every=7), Fault(duplicate=True, every=9),
    Fault(keep=3, every=5), Fault(flip_bit=11, every=6),
)  # fmt: skip
CONTACTS = (
    "gate_shut", "gate_locked", "stop_valve_open", "pump_running", "limit_controller_ok", "estop_ok",
    "compressed_air_ok", "argon_ok", "mains_ok",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that breaks, and how it is mended."""

    name: str
    begin: Callable[[], None]
    mend: Callable[[], None]


@dataclass
class Story:
    """What happened, as figures."""

    hours: float = 0.0
    runs: Counter[str] = field(default_factory=Counter)  # by ending
    troubles: Counter[str] = field(default_factory=Counter)
    trips: Counter[str] = field(default_factory=Counter)  # first-outs by row
    alarms: Counter[str] = field(default_factory=Counter)  # rows that were live at any time
    restarts: int = 0  # of the controller, where a reset was refused with the sentence that asks for one
    longest_back_s: float = 0.0  # from mended to ready
    memory: list[tuple[float, float]] = field(default_factory=list)  # (hours, MiB)

    @property
    def growth_mib_per_h(self) -> float:
        """Slope of the resident memory over the second half, by least squares."""
        late = [(h, m) for h, m in self.memory if h >= self.hours / 2]
        hour, mib = (sum(column) / len(late) for column in zip(*late, strict=True))
        return sum((h - hour) * (m - mib) for h, m in late) / sum((h - hour) ** 2 for h, _ in late)

    def lines(self) -> list[str]:
        back = f"; ready again at most {self.longest_back_s:.0f} s after the mending, {self.restarts} restarts"
        return [
            f"{self.hours:.1f} h of virtual time: {sum(self.runs.values())} runs: {_told(self.runs)}",
            f"{sum(self.troubles.values())} faults of {len(self.troubles)} kinds{back if self.troubles else ''}",
            f"first-outs: {_told(self.trips)}",
            f"rows that spoke: {_told(self.alarms)}",
            f"memory {self.memory[0][1]:.1f} → {self.memory[-1][1]:.1f} MiB, "
            f"{self.growth_mib_per_h:+.2f} MiB/h over the second half",
        ]


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {n}" for name, n in counts.most_common()) or "none"


async def soak(folder: Path, hours: float, seed: int | None) -> Story:
    """So many hours; `seed` of the faults, None = a healthy tool. Raises AssertionError for a dead state."""
    story = Story()
    async with Rig(folder, warm=LIGL_C) as rig:
        await rig.proven()
        await rig.do(c.Upload(name="soak", text=ligl(CYCLES)))
        chance = random.Random(seed)
        begin_s = now_s = rig.now_s
        next_s = now_s + chance.expovariate(1 / BETWEEN_S) if seed is not None else begin_s + hours * HOUR_S + 1
        noted_s = now_s
        while (now_s := rig.now_s) < begin_s + hours * HOUR_S:
            story.hours = (now_s - begin_s) / HOUR_S
            if now_s >= noted_s:
                story.memory.append((story.hours, _memory_mib()))
                noted_s += 300.0
            if now_s >= next_s:
                await _break(rig, chance, story)
                next_s = rig.now_s + chance.expovariate(1 / BETWEEN_S)
            await _tend(rig, story)
            await rig.rest(2.0)
        story.memory.append((story.hours, _memory_mib()))
    return story


def _memory_mib() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


async def _break(rig: Rig, chance: random.Random, story: Story) -> None:
    """One or two things break at once, last a while, and are mended."""
    broken = [_trouble(rig, chance) for _ in range(chance.choice((1, 1, 1, 2)))]
    for one in broken:
        story.troubles[one.name] += 1
        one.begin()
    left_s = chance.choice(LASTS_S)
    while left_s > 0:
        await rig.rest(min(left_s, 0.5))
        _look(rig, story)
        left_s -= 0.5
    for one in broken:
        one.mend()
    await _ready_again(rig, story)


def _trouble(rig: Rig, chance: random.Random) -> Trouble:
    plant = rig.world.plant
    kind = chance.choice(("wire", "wire", "contact", "box", "sensor", "count"))
    if kind == "wire":
        wire, fault = chance.choice(WIRES), chance.choice(SPOILED)
        faults = rig.world.faults[wire]
        return Trouble(f"wire of {wire}", lambda: faults.put(fault), faults.clear)
    if kind == "contact":
        name = chance.choice(CONTACTS)
        return Trouble(f"contact {name}", lambda: rig.contact(name, False), lambda: rig.contact(name, True))
    if kind == "box":

        def foul(o2_ppm: float) -> None:
            plant.o2_ppm = o2_ppm

        return Trouble("glovebox", lambda: foul(chance.choice((3.0, 8.0, 60.0))), lambda: foul(0.2))
    if kind == "sensor":
        zone = plant.heat.zones[chance.choice(("substrate", "chamber", "source-3"))]

        def open_sensor(is_open: bool) -> None:
            zone.sensor.open = is_open

        return Trouble("open thermocouple", lambda: open_sensor(True), lambda: open_sensor(False))

    def count() -> None:
        rig.world.coupler_a.trips += 1

    return Trouble("counted watchdog trip", count, lambda: None)


def _look(rig: Rig, story: Story) -> None:
    state = rig.console.guard.state
    for cause in state.active:
        story.alarms[cause.row] += 1


async def _tend(rig: Rig, story: Story) -> None:
    """What an operator does with a tool that is well: go on with a held run, or begin another one."""
    _look(rig, story)
    if rig.latched:
        await _ready_again(rig, story)
    if rig.state == "PAUSED":
        await rig.ask(c.Resume())
    if rig.state == "IDLE" and rig.console.run is None:
        _count(rig, story)
        await rig.ask(c.Start(name="soak"))


def _count(rig: Rig, story: Story) -> None:
    """The run that has ended, once."""
    if rig.console.last is not None and rig.console.last.ending is not None:
        story.runs[rig.console.last.ending] += 1
        rig.console.last = None


async def _ready_again(rig: Rig, story: Story) -> None:
    """Mended: the button is pressed, the owner resets with a reason; the tool must come back."""
    if rig.latched and rig.first_out:
        story.trips[rig.first_out] += 1
    since_s = rig.now_s
    while rig.latched or rig.state not in ("IDLE", "PAUSED", "EXECUTING", "PAUSING", "STOPPING", "SETTING_UP", "READY"):
        assert rig.now_s - since_s < DEAD_S, f"a dead state: {rig.picture()}"
        rig.contact("confirm_button", True)
        await rig.rest(5.0)
        rig.contact("confirm_button", False)
        await rig.rest(0.5)  # seen released: the next press is another one
        reply = await rig.ask(c.Reset(reason="mended in the soak"))
        if not reply.ok and "restart the controller" in reply.text:
            _count(rig, story)
            await rig.restart()
            rig.console.last = None  # counted above
            story.restarts += 1
    story.longest_back_s = max(story.longest_back_s, rig.now_s - since_s)
