"""The answer of `ald interlocks explain` as a terminal shows it."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ald_controller.cli.explaining import Question
from ald_controller.cli.matrixtext import WIDTH, reaction_style, reaction_words
from ald_controller.explain import Standing, Verdict, scale_of
from ald_controller.interlocks import Facts, Reaction

FIRST_OUT = "▶"


def verdict_text(question: Question, everything: bool = False, width: int | None = None) -> str:
    """What was asked, which rows act, what would clear them, what nearly acts, and what the tool does."""
    console = Console(width=width or (None if sys.stdout.isatty() else WIDTH), highlight=False)
    answer = question.verdict
    with console.capture() as captured:
        console.print(Text(question.about, style="bold"))
        for line in (facts_words(answer.facts), *_held(question, everything), *question.told):
            console.print(Text(line, style="dim"))
        console.print()
        for one in answer.standing:
            console.print(_standing(one))
        if not answer.standing:
            console.print(Text(f"no row acts; {answer.checks} checks were evaluated", style="bold green"))
        console.print(*_nearly(answer), sep="\n", end="\n" if answer.nearly else "")
        for bypassed in answer.bypassed:
            console.print(Text(f"bypassed: {bypassed}", style="bold yellow"))
        console.print(Text(f"\n{does(answer)}", style=reaction_style(answer.level.name) if answer.level else ""))
    return "\n".join(line.rstrip() for line in captured.get().rstrip().splitlines())


def facts_words(facts: Facts) -> str:
    """What the tool knows of itself, in one line."""
    said = [facts.process, f"chamber {facts.chamber}"]
    said.append("gate proven shut" if facts.gate_proven_shut else "gate not proven shut")
    said.append("lithium, or an unknown load" if facts.lithium else "no lithium")
    said += ["a bottle that burns in air"] if facts.pyrophoric else []
    said += [f"{facts.part}: {facts.step}".strip(": ")] if facts.part or facts.step else []
    said += [name.replace("_", " ") for name in ("regenerating", "gate_released") if getattr(facts, name)]
    return ", ".join(said)


def _held(question: Question, everything: bool) -> Iterable[str]:
    assumed = question.assumed
    if question.held or question.lost:
        named = [value_words(s, v) for s, v in question.held.items()]
        named += [f"{signal} {how}" for signal, how in question.lost.items()]
        yield f"held: {', '.join(named)}"
    for signal, leader in assumed.following.items():
        yield f"follows {leader}: {value_words(signal, assumed.values[signal])}"
    rest = {s: v for s, v in assumed.values.items() if s not in question.held and s not in assumed.following}
    if rest and everything:
        yield f"taken as healthy: {', '.join(value_words(s, v) for s, v in rest.items())}"
    elif rest:
        yield f"{len(rest)} other signals are taken as healthy; --all names them"


def value_words(signal: str, value: float) -> str:
    """A signal and its value in its unit."""
    return f"{signal} = {value:.6g} {scale_of(signal).unit}".rstrip()


def _standing(one: Standing) -> Table:
    mark, style = FIRST_OUT if one.first_out else " ", reaction_style(one.reaction.name)
    after = "at once" if one.after_s <= 0 else f"after {one.after_s:.1f} s"
    text = Text.assemble((f"{reaction_words(one.reaction.name)}, {after}  ", style), one.detail)
    text.append("" if one.live else "   no longer so", style="dim")
    if one.consequence_of:
        text.append(f"   (a consequence of {one.consequence_of})", style="dim")
    else:
        ends = "it ends by itself" if one.reset == "by itself" else f"then {one.reset}"
        text.append(f"\n{one.cause}\nclears: {one.clears}; {ends}", style="dim")
        text.append(f"\nblocks: {one.blocks}" if one.blocks else "", style="dim").append(f"\n→ {one.action}")
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True, width=6)
    grid.add_column(overflow="fold")
    grid.add_row(Text.assemble(f"{mark} ", (one.row, style)), text)
    return grid


def _nearly(answer: Verdict) -> Iterable[Text]:
    if answer.nearly:
        yield Text("\nreached, and not acting:", style="dim")
    for near in answer.nearly:
        words = f"  {near.row:<4}{reaction_words(near.reaction.name)}  {near.name}: {near.why}"
        yield Text(words, style="dim")


def does(answer: Verdict) -> str:
    """What the tool does now, in one sentence."""
    acts = {
        Reaction.HOLD: "holds: valves shut at once, the run is paused",
        Reaction.ABORT_PURGE: "aborts and purges: the gate is proven shut and the chamber is under vacuum",
        Reaction.ABORT_ISOLATE: "aborts and isolates: a purge cannot be trusted, or the chamber may be open",
        Reaction.ESTOP: "stops as by the E-stop: valves shut, contactor open, chamber isolated",
    }.get(answer.response, "goes on")
    said = [f"the tool {acts}"]
    said.append("sources may open" if answer.may_open else "no source opens")
    said.append("a run may start" if answer.may_start else "nothing starts")
    if answer.heaters_off:
        said.append(f"heaters off: {', '.join(answer.heaters_off)}")
    if answer.contactor_off:
        said.append("their contactor opens")
    return "; ".join(said)
