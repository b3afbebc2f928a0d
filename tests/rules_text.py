"""Every rule of some tools as text, so that a change of any of them is seen as a change of words, and read.

The text lies in tests/golden/. Whoever meant a change writes it anew, and reads what `git diff` shows of it:

    python -m tests.rules_text
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from itertools import product
from typing import Any

from ald_controller.config import CHAMBER_STATES, Signals, ToolConfig, load_tool
from ald_controller.interlocks import Check, Constants, Facts, Hung, Level, RuleSet, Setting, rules_for
from ald_controller.interlocks.table import When
from tests.interlock_bench import CONFIG, CONSTANTS, ROOT

GOLDEN = ROOT / "tests" / "golden" / "rules.txt"
MOMENTS = tuple(
    Facts(process, chamber, lithium, proven, pyrophoric, step, part, regenerating, released)
    for process, chamber, lithium, proven, pyrophoric, step, part, regenerating, released in product(
        ("IDLE", "EXECUTING", "PAUSED", "STOPPING", "MAINTENANCE"), CHAMBER_STATES, (True, False), (True, False),
        (True, False), ("", "segment", "pump"), ("", "prepare", "deposit", "finish"), (True, False), (True, False),
    )
)  # fmt: skip
BOTTLES = {
    "TMA": Hung("TMA", pyrophoric=True, max_c=40.0, min_c=17.0), "H2O": Hung("H2O", pyrophoric=False, max_c=35.0),
    "LTB": Hung("LTB", pyrophoric=False, max_c=160.0, min_c=90.0), "GL": Hung("GL", pyrophoric=False),
}  # fmt: skip


def settings() -> dict[str, Setting]:
    """Tools that differ in what they have: by what they are, in a sentence."""
    signals = CONFIG.signals
    bare = Signals(pressure=signals.pressure)
    everything = signals.model_copy(
        update={name: f"coupler-b.{name}" for name in ("exhaust", "gas_monitor", "room_oxygen", "alive_relay")}
    )
    return {
        "the reference tool": Setting(CONFIG, CONSTANTS),
        "with bottles, of which two may be open together": Setting(
            CONFIG, CONSTANTS, BOTTLES, frozenset({frozenset({"LTB", "GL"})})
        ),
        "never commissioned": Setting(CONFIG, Constants(), BOTTLES),
        "with every contact": Setting(_with(signals=everything), CONSTANTS, BOTTLES),
        "with a gauge and nothing else": Setting(_with(signals=bare), CONSTANTS, BOTTLES),
        "without a second sensor": Setting(_with(zones=_alone(CONFIG)), CONSTANTS),
        "with one of each device": Setting(load_tool(ROOT / "deploy/tools/every-device.yaml").config, CONSTANTS),
    }


def _with(**changed: Any) -> ToolConfig:
    return CONFIG.model_copy(update=changed)


def _alone(config: ToolConfig) -> dict[str, Any]:
    return {name: zone.model_copy(update={"second": None}) for name, zone in config.zones.items()}


def text() -> str:
    """The reference tool in full, then of each other one what is not the same there."""
    known, out = dict[str, str](), list[str]()
    for title, setting in settings().items():
        told = dict(_paragraphs(rules_for(setting, {})))
        out += [f"# {title}", ""]
        for name in known.keys() - told.keys() if title != "the reference tool" else ():
            told[name] = f"{name}: is not there"
        out += [f"{told[name]}\n" for name in sorted(told) if known.get(name) != told[name]]
        known = known or told
    return "\n".join(out)


def _paragraphs(rules: RuleSet) -> Iterator[tuple[str, str]]:
    """Every check by name and place among those of the name; then what else the table says."""
    seen: dict[str, int] = {}
    for check in rules.checks:
        seen[check.name] = number = seen.get(check.name, 0) + 1
        name = f"{check.name} ({number})"
        yield name, f"{name}\n" + "\n".join(f"    {line}" for line in _lines(check))
    order = " ".join(f"{zlib.crc32(check.name.encode()):08x}" for check in rules.checks)
    yield "~ order", f"~ order: {len(rules.checks)} checks, {zlib.crc32(order.encode()):08x}"
    yield "~ gate", f"~ gate: {plain(rules.gate)}"
    yield "~ zones", f"~ zones: {plain(rules.lithium_zones)}"
    yield "~ not guarded", "~ not guarded\n" + "\n".join(f"    {each}" for each in rules.not_guarded)


def _lines(check: Check) -> Iterator[str]:
    yield plain(check.measure)
    for level in check.levels:
        yield _level(level)
    rest = {f.name: getattr(check, f.name) for f in fields(check) if f.init}
    yield ", ".join(f"{k}={plain(v)}" for k, v in rest.items() if k not in ("name", "measure", "levels", "says"))
    yield check.says


@cache
def _moments(when: When) -> str:
    """In how many moments this holds, and a checksum over which."""
    at = [when(facts) for facts in MOMENTS]
    return f"{sum(at)} of {len(at)} moments ({zlib.crc32(bytes(at)):08x})"


def _level(level: Level) -> str:
    told = (f"{f.name}={plain(getattr(level, f.name))}" for f in fields(level) if f.name != "when")
    return f"{', '.join(told)}, when in {_moments(level.when)}"


def plain(value: Any) -> str:
    """Text that is the same for equal values, whatever a function is called."""
    if isinstance(value, Enum):
        return str(value)
    if is_dataclass(value):
        told = (f"{f.name}={plain(getattr(value, f.name))}" for f in fields(value) if f.init)
        return f"{type(value).__name__}({', '.join(told)})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{plain(k)}: {plain(v)}" for k, v in value.items()) + "}"
    if isinstance(value, frozenset):
        return "{" + ", ".join(sorted(map(plain, value))) + "}"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(plain, value)) + ")"
    return repr(value)


if __name__ == "__main__":
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(text(), "utf-8")
    print(f"{GOLDEN.name}: {len(text().splitlines())} lines")
