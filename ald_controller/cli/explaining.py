"""What `ald interlocks explain` asks: typed values at a tool file, or a moment of a past run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ald_controller import units
from ald_controller.chemistry import Chemistry, load_chemistry
from ald_controller.cli.checking import known_registers, simulated_registers
from ald_controller.cli.pastrun import BEFORE_S, CannotReplay, PastRun, seconds_of
from ald_controller.config import ToolConfig, load_tool
from ald_controller.explain import (
    Assumed,
    NotUnderstood,
    Verdict,
    healthy,
    held,
    replay,
    signals_of,
    understand,
    verdict,
)
from ald_controller.interlocks import Facts, RuleSet, Setting, rules_for, site_words
from ald_controller.interlocks.fingerprint import limits_of
from ald_controller.interlocksetting import limits_confirmed, may_burn, setting_of
from ald_controller.records.folder import RecordError
from ald_controller.records.record import open_run
from ald_controller.records.scales import clock
from ald_controller.registers import Registers
from ald_controller.shipped import RECIPES
from ald_controller.yamlfile import Problems

LONGEST_S = 24 * 3600.0
NOTHING = Assumed({}, {}, {})


class CannotExplain(Exception):
    """The question has no answer: says why; `code` is that of the command."""

    def __init__(self, why: str, code: int) -> None:
        super().__init__(why)
        self.code = code


@dataclass(frozen=True, slots=True)
class Place:
    """One tool with its registers and its table; `of` says where each comes from."""

    config: ToolConfig
    registers: Registers
    chemistry: Chemistry
    setting: Setting
    rules: RuleSet
    of: str

    @property
    def limits(self) -> str:
        return limits_of(self.setting)

    @property
    def confirmed(self) -> bool:
        return limits_confirmed(self.registers, self.limits)

    @property
    def facts(self) -> Facts:
        """As far as registers say: the rest is a tool at rest under vacuum."""
        burns = may_burn(self.config, self.registers, self.chemistry)
        return Facts("IDLE", "VACUUM", lithium=self.registers.is_lithium, pyrophoric=burns)


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked, and what the interlocks say."""

    about: str
    held: dict[str, float]
    lost: dict[str, str]
    assumed: Assumed
    verdict: Verdict
    told: tuple[str, ...] = ()  # what else a reader needs to know


def at_tool(tool: Path, registers: Path | None) -> Place:
    """A tool file with these registers, else those of the controller that runs here; raises Problems, ValueError."""
    chemistry = load_chemistry(RECIPES / "chemistry")
    config = load_tool(tool).config
    known, notes = known_registers(registers, chemistry)
    return _place(config, known or simulated_registers(), chemistry, tool, f"as {tool} says, {', '.join(notes)}")


def _place(config: ToolConfig, registers: Registers, chemistry: Chemistry, words_by: Path, of: str) -> Place:
    setting = setting_of(config, registers, chemistry)
    return Place(config, registers, chemistry, setting, rules_for(setting, site_words(words_by)), of)


def explain_typed(words: Sequence[str], for_s: str, jump: bool, tool: Path, registers: Path | None) -> Question:
    """The verdict on typed values that are held; raises CannotExplain."""
    try:
        place = at_tool(tool, registers)
    except (Problems, ValueError) as error:
        raise CannotExplain(str(error), 1) from None
    signals = signals_of(place.rules)
    try:
        lasting_s = _lasting(for_s)
        typed = understand(words, place.config, place.chemistry, signals, place.facts)
    except (NotUnderstood, ValueError) as error:
        raise CannotExplain(str(error), 2) from None
    assumed = healthy(place.setting, signals, typed.facts, typed.values)
    before = _standing_anyway(place.rules, typed.facts, replace(assumed, values=assumed.before))
    state, last = replay(place.rules, held(place.rules, typed, assumed, lasting_s, jump=jump))
    about = f"{place.config.tool}, {place.of}; held for {units.TIME.show(lasting_s)}"
    lost = {signal: how.value for signal, how in typed.lost.items()}
    return Question(about, typed.values, lost, assumed, verdict(state, last), before)


def _standing_anyway(rules: RuleSet, facts: Facts, well: Assumed) -> tuple[str, ...]:
    """What stands at this tool although every signal is well: a constant that was never commissioned, and the like."""
    from ald_controller.explain import Typed

    state, last = replay(rules, held(rules, Typed(facts), well, 1.0))
    return tuple(f"also without these values: {s.row} {s.detail}" for s in verdict(state, last).standing)


def _lasting(text: str) -> float:
    """How long values are held, in s; raises ValueError with a sentence."""
    stripped = text.strip()
    seconds = float(stripped) if stripped.replace(".", "", 1).isdigit() else units.TIME.parse(stripped)
    if not 0 <= seconds <= LONGEST_S:
        raise ValueError(f"--for {text}: at most a day is tried")
    return seconds


def explain_run(folder: Path, at: str | None) -> Question:
    """The verdict at a moment of a past run; raises CannotExplain."""
    try:
        chemistry = load_chemistry(RECIPES / "chemistry")
        registers = Registers.load(folder / "registers.yaml", chemistry)
        config = load_tool(folder / "tool.yaml").config
        place = _place(config, registers, chemistry, folder / "tool.yaml", "as it was")
        past = PastRun(open_run(folder), config)
        until_s = past.moment_s if at is None else seconds_of(at)
        lasted_s = past.end_s - past.start_s
        if until_s > lasted_s:
            raise ValueError(f"--at {at}: the run lasted {clock(lasted_s)}")
        from_s = max(0.0, until_s - BEFORE_S)
        state, last = replay(place.rules, past.moments(until_s, from_s))
        trips = past.trips(until_s)
    except ValueError as error:
        raise CannotExplain(str(error), 2) from None
    except (Problems, RecordError, CannotReplay) as error:
        raise CannotExplain(str(error), 1) from None
    told = [f"the record: {clock(at_s)} {f['row']} {f['reaction']}: {f['text']}" for at_s, f in trips]
    if from_s:
        told.insert(0, f"played from {clock(from_s)} on; what was latched before is only in the record")
    about = f"{past.record.header.run} at {clock(until_s)} of {clock(lasted_s)}"
    answer = verdict(state, replace(last, now_s=last.now_s))
    shifted = tuple(replace(s, after_s=s.after_s - past.start_s) for s in answer.standing)
    return Question(about, {}, {}, NOTHING, replace(answer, standing=shifted), tuple(told))


def as_data(question: Question) -> dict[str, Any]:
    """JSON-able."""
    data = asdict(question)
    answer = question.verdict
    data["verdict"] |= {"level": answer.level.name, "response": answer.response.name}
    for shown, one in zip(data["verdict"]["standing"], answer.standing, strict=True):
        shown["reaction"] = one.reaction.name
    for shown, near in zip(data["verdict"]["nearly"], answer.nearly, strict=True):
        shown["reaction"] = near.reaction.name
    return data
