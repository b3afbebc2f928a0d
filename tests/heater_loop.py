"""Heaters of the simulated reactor under the heater rows, without a daemon around them: hours in a second.

The instruments, the ramps and the rows are the real ones; between them stand a few scans instead of wires, polls and a
guard. What a fault does under a whole daemon is shown by tests/run/test_heater_faults.py.
"""

from __future__ import annotations

from pathlib import Path

from ald_controller.commissioned import Heater
from ald_controller.heating import Ramp, order_of
from ald_controller.interlocks import (
    Constants,
    Facts,
    Reaction,
    Sample,
    boot,
    contactor_off,
    heaters_off,
    reset,
    source_contactor_off,
    step,
)
from simulators.eurotherm import Eurotherm
from simulators.plant.heat import STAGES, Build, Zone
from simulators.world import build
from tests.heater_bench import only
from tests.interlock_bench import CONFIG, CONSTANTS, rules

TOOL = Path(__file__).parents[1] / "deploy" / "tool.yaml"
REMOTE, USE_REMOTE = 26, 276
CONTACTOR = CONFIG.valves.mask("contactor")
ORDER = order_of(CONFIG)
FACTS = Facts("EXECUTING", "VACUUM", lithium=True, gate_proven_shut=True)
ROWS = ("T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8")


def heater_of(made: Build) -> Heater:
    """What a commissioning of this zone finds."""
    slope = tuple((c, made.slope_k_s(c)) for c in (25.0, 90.0, 150.0))
    return Heater(slope, made.sensor_tau_s, second_k=0.4)


class Loop:
    """One reactor with this stage, its lithium zones at `at_c`, nothing heated yet; `swapped` sensors since ever."""

    def __init__(
        self, stage: str, at_c: float = 25.0, *, swapped: tuple[str, str] | None = None, scan_s: float = 0.5
    ) -> None:
        builds = {"substrate": STAGES[stage]}
        lithium = {"substrate": at_c, "chamber": at_c}
        self.world = build(TOOL, at_s=0.0, warm=lithium, builds=builds)
        self.heat = self.world.plant.heat
        if swapped:
            self.heat.exchange(*swapped)
        self.now_s, self.scan_s, self.word = 0.0, scan_s, 0
        self.samples: dict[str, Sample] = {}
        self.ramps: dict[str, Ramp] = {}
        self.asked: dict[str, float | None] = {}
        self.rows: dict[str, float] = {}  # row -> when it first asked for more than a warning
        self.warned: set[str] = set()
        self.peak_c = at_c  # of the stage's metal
        heaters = {**CONSTANTS.heaters, "substrate": heater_of(STAGES[stage])}
        self.state = boot(only(*ROWS, of=rules(constants=Constants(heaters=heaters))), 0.0)
        self.scan()
        self.state = reset(self.state, self.samples, FACTS, self.now_s, "owner")
        self.rows.clear()

    @property
    def substrate(self) -> Zone:
        return self.heat.zones["substrate"]

    def to(self, k_per_min: float, **goals_c: float) -> None:
        """New goals, ramped so fast; a zone's name with its dashes as underscores."""
        for name, goal in goals_c.items():
            zone = name.replace("_", "-")
            self.ramps[zone] = Ramp(goal, self.read_c(zone), self.now_s, k_per_min / 60.0)

    def run(self, seconds: float, *, until: Reaction | None = None) -> None:
        """Scan so long, or until the level has been reached."""
        for _ in range(round(seconds / self.scan_s)):
            self.scan()
            if until is not None and self.state.level >= until:
                return

    def unit(self, zone: str) -> Eurotherm:
        unit = self.world.instruments[zone]
        assert isinstance(unit, Eurotherm)
        return unit

    def read_c(self, zone: str) -> float:
        """What the wire gives as this zone's temperature."""
        shown = self.unit(zone).read_as
        return shown._plant.temperature_c(shown._zone, self.now_s)

    def scan(self) -> None:
        """A moment later: what is asked, the plant, what its instruments read, and the rows."""
        self.now_s += self.scan_s
        self._ask()
        self.world.plant.advance(self.now_s)
        self._sample()
        self.state = step(self.state, self.samples, FACTS, self.now_s)
        for cause in self.state.active:
            if cause.reaction >= Reaction.HOLD:
                self.rows.setdefault(cause.row, self.now_s)
            else:
                self.warned.add(cause.row)
        self.peak_c = max(self.peak_c, self.substrate.metal_c)

    def _ask(self) -> None:
        off = heaters_off(self.state)
        targets = ORDER.setpoints(self.ramps, self.read_c, self.now_s)
        self.asked = {zone: None if zone in off else target for zone, target in targets.items()}
        for zone, target in self.asked.items():
            written = self.unit(zone).written_as
            self.unit(zone).now_s = written.now_s = written._refreshed_s = self.now_s
            written.put(USE_REMOTE, int(target is not None))
            if target is not None:
                written.put(REMOTE, round(target * 10))
        heated = any(target is not None for zone, target in self.asked.items() if zone in ("substrate", "chamber"))
        word = CONTACTOR if heated and not contactor_off(self.state) else 0
        if word != self.word:
            self.word = word
            self.world.plant.valve_word(self.now_s, word)
        self.world.plant.output("source contactor", not source_contactor_off(self.state), self.now_s)

    def _sample(self) -> None:
        samples, now_s = self.samples, self.now_s
        for zone in CONFIG.zones:
            samples[f"{zone}.temperature_c"] = Sample(round(self.read_c(zone), 1), now_s)
            samples[f"{zone}.output_percent"] = Sample(self.unit(zone).read_as._output * 100.0, now_s)
            if zone in self.asked:
                target = self.asked[zone]
                samples[f"asked.{zone}_c"] = Sample(-273.15 if target is None else target, now_s)
        samples["coupler-b.substrate_2_c"] = Sample(round(self.world.plant.substrate_2_c(now_s), 1), now_s)
        samples["coupler-b.limit_controller_ok"] = Sample(1.0, now_s)
        samples["asked.contactor"] = Sample(float(bool(self.word)), now_s)
