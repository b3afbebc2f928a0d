"""The proof test of the interlocks: what there is to trip, what has to follow, and what was found. Pure.

A proof test drives every level of the table with simulated inputs (quality TEST) in place of the real ones, or has a
person move the real contact, and reads the final elements back. `drive` finds the inputs. What a test expects is
made afresh from the tool file and the registers, never from the table that is tested.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ald_controller.config import ToolConfig
from ald_controller.interlocks import (
    MATRIX,
    Blocks,
    Check,
    Facts,
    Guard,
    Level,
    Reaction,
    Reset,
    RuleSet,
    State,
    abort_reaction,
)
from ald_controller.interlocks.fingerprint import limits_hash

SLACK_S = 0.1  # the guard's period: what cannot be resolved
NO_CLOCK_S = 5.0  # rows without a target act within this
COLD_C = 60.0  # nothing that can touch lithium is warmer while its trips are tried
NEEDS_BUTTON = "pressed within the last half minute"  # how a refused reset ends that wants the button


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a proof test: level `bit` of check `index` of the table, under the row that it is to be seen by."""

    index: int
    bit: int
    check: Check
    row: str
    key: str  # what it is called in a certificate

    @property
    def level(self) -> Level:
        return self.check.levels[self.bit]

    @property
    def id(self) -> tuple[int, int]:
        return self.index, self.bit

    @property
    def target_s(self) -> float | None:
        return MATRIX[self.row].target_s

    @property
    def allowed_s(self) -> float:
        """How long it may take beyond what the rule alone takes."""
        return (NO_CLOCK_S if self.target_s is None else self.target_s) + SLACK_S

    @property
    def alike(self) -> tuple[object, ...]:
        """What lines have in common that are driven in the same way, one zone or channel like the other."""
        level = self.level
        return self.row, type(self.check.measure), self.bit, level.reaction, level.reset, level.when, level.persist_s


def items(rules: RuleSet, rows: Iterable[str] = ()) -> list[Item]:
    """Every level of the table, those of `rows` only if any are named; lines that are alike lie together.

    What only warns or blocks comes first: it moves nothing and needs no reset.
    """
    wanted = set(rows)
    every = [
        Item(n, bit, check, level.row, _key(check, level))
        for n, check in enumerate(rules.checks) for bit, level in enumerate(check.levels)
        if not wanted or level.row in wanted
    ]  # fmt: skip
    order = {item.alike: n for n, item in reversed(list(enumerate(every)))}
    return sorted(every, key=lambda item: (item.level.reaction >= Reaction.HOLD, order[item.alike]))


def _key(check: Check, level: Level) -> str:
    persist = f" for {level.persist_s:g} s" if level.persist_s else ""
    return f"{level.row} {check.name} {level.limit:g} {check.unit}".rstrip() + persist


def differs(expected: Check, live: Check) -> bool:
    """Whether a check of the live table is another than tool file and registers make."""
    return limits_hash(RuleSet((expected,), {})) != limits_hash(RuleSet((live,), {}))


# --- devices that fall silent ----------------------------------------------------------------------------------------


def reading(rules: RuleSet, device: str) -> list[tuple[int, Check]]:
    """The checks that have a signal of this device among their inputs, with their places in the table."""
    return [
        (n, check) for n, check in enumerate(rules.checks)
        if any(source.signal.partition(".")[0] == device for source in check.measure.inputs)
    ]  # fmt: skip


def first_trip(of: list[tuple[int, Check]], state: State, device: str) -> Item | None:
    """The line of the first cause of HOLD or above in a state of these checks alone; None while there is none."""
    for cause in state.active:
        index, check = of[cause.check]
        if cause.reaction >= Reaction.HOLD:
            standing = state.watches[cause.check].standing
            bits = (n for n, level in enumerate(check.levels) if standing >> n & 1 and level.reaction == cause.reaction)
            return Item(index, next(bits), check, cause.row, f"{cause.row} {device} silent")
    return None


# --- what has to follow ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Seen:
    """The final elements as they are read back, and what may not begin."""

    held: bool  # the valve process rests and refuses
    sources: bool  # any is open
    contactor: bool  # of the lithium zones, closed
    stop_shut: bool
    blocked: Blocks


@dataclass(frozen=True, slots=True)
class Effect:
    """What has to be seen at the final elements; None = it may be either way."""

    held: bool = False
    contactor: bool | None = None
    stop_shut: bool | None = None
    blocks: Blocks = Blocks.NOTHING

    def missing(self, seen: Seen) -> str:
        """What is not as it has to be, or ""."""
        unblocked = self.blocks & ~seen.blocked
        wrong = {
            "the valve process was not told to rest": self.held and not seen.held,
            "a source reads open": self.held and seen.sources,
            f"the contactor reads {'closed' if seen.contactor else 'open'}": self.contactor not in (
                None, seen.contactor
            ),
            f"the stop valve reads {'shut' if seen.stop_shut else 'open'}": self.stop_shut not in (
                None, seen.stop_shut
            ),
            f"{_words(unblocked)} is not blocked": bool(unblocked),
        }  # fmt: skip
        return "; ".join(what for what, so in wrong.items() if so)


def effect(level: Level, facts: Facts) -> Effect:
    """What a level has to do to this tool in this state."""
    if level.reaction is Reaction.WARN:
        return Effect()
    if level.reaction is Reaction.BLOCK:
        return Effect(blocks=level.blocks)
    if level.reaction is Reaction.HOLD:
        return Effect(held=True, blocks=Blocks.ALL)
    isolates = level.reaction > Reaction.ABORT_PURGE or abort_reaction(facts) is not Reaction.ABORT_PURGE
    return Effect(held=True, contactor=False, stop_shut=isolates, blocks=Blocks.ALL)


def _words(blocks: Blocks) -> str:
    names = {Blocks.PULSE: "the next pulse", Blocks.START: "the start of a run", Blocks.GATE: "the gate"}
    return ", ".join(name for one, name in names.items() if one & blocks)


# --- what was found --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Result:
    """What one line has shown; times in s from the moment at which the input was there.

    `should_s` = when the rule alone says it, persistence and all; `measured_s` = when the final elements read as they
    have to, None = never. What it took beyond `should_s` is compared with the target of the row.
    """

    row: str
    what: str
    reaction: str
    how: str
    should_s: float
    measured_s: float | None
    target_s: float | None
    ok: bool
    detail: str = ""

    @property
    def took_s(self) -> float | None:
        return None if self.measured_s is None else max(0.0, self.measured_s - self.should_s)

    def shown(self) -> dict[str, Any]:
        """JSON-able."""
        took = self.took_s
        return {
            "row": self.row, "what": self.what, "reaction": self.reaction, "how": self.how,
            "should_s": round(self.should_s, 3), "took_s": None if took is None else round(took, 3),
            "target_s": self.target_s, "ok": self.ok, "detail": self.detail,
        }  # fmt: skip


def judged(item: Item, how: str, should_s: float, measured_s: float | None, wrong: str) -> Result:
    """The result of a line whose final elements read right after `measured_s`, or never; `wrong` says what did not."""
    took_s = None if measured_s is None else measured_s - should_s
    if took_s is not None and took_s > item.allowed_s:
        wrong = f"it took {took_s:.2f} s, {item.allowed_s - SLACK_S:g} s are allowed"
    ok = took_s is not None and not wrong
    reaction = item.level.reaction.name
    return Result(item.row, item.key, reaction, how, should_s, measured_s, item.target_s, ok, wrong)


def of_table(wrong: str) -> Result:
    """The line of the table as a whole: it is the one that tool file and registers make."""
    return Result(
        "K15", "the live table", "", "compared with the tool file, check by check", 0, 0, None, not wrong, wrong
    )


# --- what is not tested ----------------------------------------------------------------------------------------------

_ELSEWHERE = {
    Guard.VALVES: "the valve process and its module hold it: tried by `ald valves selftest` and by pulling the cable",
    Guard.PLANNER: "it refuses a recipe before anything moves: nothing to trip",
    Guard.DOORS: "it refuses a command at a door: nothing to trip",
    Guard.HARDWARE: "it acts in hardware: try it there, by its own procedure",
}
LONGEST_S = 130.0  # a level that persists for longer is not driven by simulated inputs
_DAYS = frozenset({"G7"})  # an analyser whose value has not moved for a day: no test waits for it
_NO_LEVEL = {
    "K5": "every start of the daemon is its test: it comes up latched",
    "K14": "it is what every row says of a value that is too old: see the devices that fall silent",
}


def not_tested(rules: RuleSet) -> list[tuple[str, str]]:
    """(row, why) of every row of the matrix that no level of this table has."""
    covered = {level.row for check in rules.checks for level in check.levels}
    return [(row, _why_not(row, rules)) for row in MATRIX if row not in covered]


def _why_not(row: str, rules: RuleSet) -> str:
    absent = (line for line in rules.not_guarded if row in line.partition(":")[0].replace(",", " ").split())
    guard = MATRIX[row].guard
    return _ELSEWHERE.get(guard) or _NO_LEVEL.get(row) or next(absent, "no level of this tool's table has it")


# --- by hand ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hand:
    """A real contact for a person to move, in words, and how to put it back."""

    signal: str
    do: str
    undo: str


def hands(config: ToolConfig) -> list[Hand]:
    """The contacts of this tool that a person can move with the tool idle and cold."""
    s = config.signals
    wanted = (
        (s.estop, "Press the E-stop.", "Release the E-stop."),
        (s.limit_controller, "Lower the limit controller's trip until it opens.", "Set its trip back and reset it."),
        (s.argon, "Shut the argon line until its pressure switch opens.", "Open the argon line."),
        (s.compressed_air, "Shut the compressed air until its switch opens.", "Open the compressed air."),
        (s.mains, "Open the mains contact at its terminal.", "Close the mains contact."),
        (s.pump_running, "Open the pump's run contact at its terminal.", "Close the run contact."),
    )
    return [Hand(signal, do, undo) for signal, do, undo in wanted if signal is not None]


def excuse(item: Item) -> str:
    """Why no simulated input need trip this line, or "": then one that cannot be driven has failed."""
    level, unit = item.level, item.check.unit
    if level.persist_s > LONGEST_S or (item.row in _DAYS and unit == "h"):
        return f"it takes longer than {LONGEST_S / 60:.0f} min to stand"
    return ""


def by_hand(item: Item, config: ToolConfig) -> Hand | None:
    """How a person drives this line by its real contact; None where nobody can."""
    inputs = item.check.measure.inputs
    if len(inputs) != 1 or item.level.reaction < Reaction.HOLD:
        return None
    return next((hand for hand in hands(config) if hand.signal == inputs[0].signal), None)


def needs_button(item: Item) -> bool:
    """Whether its reset wants the button at the tool: such lines come last."""
    return item.level.reset is Reset.L3


# --- before a test ---------------------------------------------------------------------------------------------------


def why_not(config: ToolConfig, celsius: dict[str, float | None], goals: dict[str, float | None]) -> list[str]:
    """Why heaters forbid a proof test now, one sentence each: measured and asked temperatures in °C by zone."""
    out = [f"zone {zone} is asked for {goal:g} °C: switch it off" for zone, goal in goals.items() if goal is not None]
    for zone in config.zones_of("substrate", "chamber"):
        at_c = celsius.get(zone)
        if at_c is None:
            out.append(f"the temperature of {zone} is not known")
        elif not at_c < COLD_C:
            out.append(f"{zone} is at {at_c:.0f} °C: nothing that may touch lithium is above {COLD_C:g} °C in a test")
    return out
