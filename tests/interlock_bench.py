"""The reference tool's interlocks with every input healthy: a test changes one thing and lets time pass."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from ald_controller.chemistry import load_chemistry
from ald_controller.config import Role, ToolConfig, load_tool
from ald_controller.interlocks import (
    Check,
    Constants,
    Facts,
    Input,
    Level,
    Quality,
    Reaction,
    Reset,
    RuleSet,
    Sample,
    Setting,
    State,
    boot,
    load_words,
    reset,
    rules_for,
    step,
)
from ald_controller.interlocks.measures import Value
from ald_controller.interlocks.setting import lithium
from ald_controller.interlocks.thermal_measures import Blind
from ald_controller.registers import Registers

ROOT = Path(__file__).parents[1]
CONFIG: ToolConfig = load_tool(ROOT / "deploy/tool.yaml").config
WORDS = load_words(ROOT / "deploy/alarms.yaml")
CONSTANTS = Registers.load(
    ROOT / "deploy/registers-simulated.yaml", load_chemistry(ROOT / "recipes/chemistry")
).constants
SETTING = Setting(CONFIG, CONSTANTS)


def rules(config: ToolConfig = CONFIG, constants: Constants = CONSTANTS, **more: Any) -> RuleSet:
    """The table of a tool with the reference tool's constants."""
    return rules_for(Setting(config, constants, **more), WORDS)


RULES: RuleSet = rules()
O2, H2O = "coupler-b.o2_ppm", "coupler-b.h2o_ppm"
SUBSTRATE, SECOND, CHAMBER = "substrate.temperature_c", "coupler-b.substrate_2_c", "chamber.temperature_c"
GATE = ("coupler-b.gate_shut", "coupler-b.gate_locked")
HEALTHY: dict[str, float] = {
    "machine.scan_late_s": 0, "machine.late_scans": 2, "machine.late_edges": 0, "machine.clock_steps": 0,
    "machine.free_mib": 9000, "machine.unwritten": 0, "machine.journal_errors": 0, "machine.recipe_edited": 0,
    "machine.bypasses_ended": 0, "machine.alarms": 0, "register.limits_confirmed": 1, "coupler-b.mains_ok": 1,
    "register.proof_passed": 1, "register.proof_age_days": 3,
    "coupler-b.watchdog_trips": 0, **{f"link.{name}.bad": 4 for name in CONFIG.devices},
    "valves.word": 0, "valves.connected": 1, "valves.armed": 1, "valves.trips": 7, "valves.faults": 0,
    "valves.lease_lost": 0, SUBSTRATE: 149.0, SECOND: 148.0, CHAMBER: 147.0, O2: 0.3, H2O: 0.2,
    GATE[0]: 1, GATE[1]: 1, "coupler-b.pressure_torr": 0.3, "coupler-b.box_pressure_mbar": 2.0,
    "coupler-b.delta_p_mbar": 0.0, "coupler-b.pump_running": 1, "coupler-b.estop_ok": 1,
    "coupler-b.stop_valve_open": 1, "coupler-b.argon_ok": 1, "register.analyser.O2": 1, "register.analyser.H2O": 1,
    "coupler-b.limit_controller_ok": 1, "asked.contactor": 1,
    "source-3.temperature_c": 150.0, "source-4.temperature_c": 130.0, "source-5.temperature_c": 40.0,
    "lines.temperature_c": 165.0,
    **{f"{name}.output_percent": 30.0 for name in CONFIG.zones},
    **{f"asked.{name}_c": 150.0 for name in ("substrate", "chamber", "source-3")},
    "asked.source-4_c": 130.0, "asked.source-5_c": 40.0, "asked.lines_c": 165.0,
    "pusher.flow_sccm": 0.0,
    "carrier.flow_sccm": 20.0, "asked.carrier_sccm": 20.0, "asked.total_sccm": 20.0, "asked.quiet_s": 5000.0,
    "asked.stop_shut": 0, "valves.shut_s": math.inf, "pirani.pressure_pa": 40.0, "coupler-b.compressed_air_ok": 1,
    "register.leak_pa_per_s": 0.004, "register.cylinder_argon": 1,
}  # fmt: skip
RUNNING = Facts("EXECUTING", "VACUUM", lithium=True, gate_proven_shut=True)
OPEN_GATE = Facts("IDLE", "AT_BOX", lithium=True, gate_proven_shut=False)


class Bench:
    """Values that are read again at every scan, unless they are frozen, dropped or given another quality."""

    def __init__(self, rules: RuleSet = RULES, facts: Facts = RUNNING, *, released: bool = True) -> None:
        self.now_s, self.facts, self.sequence = 1000.0, facts, 0
        self.values: dict[str, float] = dict(HEALTHY)
        self.quality: dict[str, Quality] = {}
        self.stopped: set[str] = set()  # signals that are no longer read
        self.samples: dict[str, Sample] = {}
        self.state: State = boot(rules, self.now_s)
        if released:
            self.scan()
            self.reset("operator")

    def read(self) -> None:
        self.sequence += 1
        values = self.values | ({} if "valves.sequence" in self.values else {"valves.sequence": self.sequence})
        for signal, value in values.items():
            if signal not in self.stopped:
                self.samples[signal] = Sample(value, self.now_s, self.quality.get(signal, Quality.GOOD))

    def scan(self, after_s: float = 0.1) -> State:
        self.now_s += after_s
        self.read()
        self.state = step(self.state, self.samples, self.facts, self.now_s)
        return self.state

    def run(self, seconds: float) -> State:
        """Scan at 10 Hz."""
        for _ in range(round(seconds * 10)):
            self.scan()
        return self.state

    def reset(self, role: Role = "operator") -> State:
        self.state = reset(self.state, self.samples, self.facts, self.now_s, role)
        return self.state

    def first_scan_at(self, least: Reaction, within_s: float) -> float | None:
        """Seconds until the level is at least `least`, or None."""
        began = self.now_s
        for _ in range(round(within_s * 10)):
            if self.scan().level >= least:
                return round(self.now_s - began, 3)
        return None

    @property
    def rows(self) -> set[str]:
        return {c.row for c in self.state.active}

    def cause(self, row: str) -> Any:
        return next(c for c in self.state.active if c.row == row)


def small_rules() -> RuleSet:
    """A table of few rows for sentences about the core: valves, a link, hot sensors and lost ones, the glovebox."""
    limits = (
        Level("T1", Reaction.WARN, 160, 155, Reset.AUTO, lithium, persist_s=2),
        Level("T1", Reaction.ABORT_PURGE, 170, 150, Reset.L2, lithium),
    )
    blind = (
        Level("T7", Reaction.HOLD, 1, 0, Reset.L1, lithium),
        Level("T7", Reaction.ABORT_PURGE, 1, 0, Reset.L1, lithium, persist_s=60),
        Level("T7", Reaction.ABORT_PURGE, 2, 0, Reset.L1, lithium),
    )
    checks = [c for c in RULES.checks if c.name.startswith("valves.") or (c.name == "coupler-b" and c.link)]
    for zone, signals in (("substrate", (SUBSTRATE, SECOND)), ("chamber", (CHAMBER,))):
        inputs = tuple(Input(signal, -20, 400, max_age_s=2) for signal in signals)
        for one in inputs:
            device = one.signal.split(".")[0]
            checks.append(Check(one.signal, Value(one), limits, None, "T7", unit="°C", zone=zone, device=device))
        duty = Input(f"{zone}.output_percent", 0, 100, max_age_s=2)
        checks.append(Check(zone, Blind(inputs, duty, 10), blind, None, "T7", zone=zone, device=zone))
    checks += [c for c in RULES.checks if c.name in (O2, H2O)]
    links = [c for c in checks if c.link]
    return replace(RULES, checks=(*links, *(c for c in checks if not c.link)))
