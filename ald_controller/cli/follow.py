"""Following a run: a live display on a terminal, one line per new step anywhere else."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from ald_controller.cli.alarms import FIRST_OUT, STYLES, bypass_line
from ald_controller.doorbell import LocalClient, NoDoor

GOOD_ENDINGS = ("completed", "stopped")
SERVICE = "service"  # the row of valves that are near their service
SHOWN = 3  # alarms that a live display has room for


def follow(client: LocalClient, run: str) -> int:
    """Show run `run` until it ends; 0 when it ended well, 3 when the controller fell silent."""
    view = View()
    try:
        with view:
            for status in client.watch(hz=5.0):
                view.show(status)
                last = status["last_run"]
                if last is not None and last["run"] == run and last["report"] is not None:
                    break
            else:
                last = None
    except KeyboardInterrupt:
        view.note("no longer followed: the run goes on. `ald stop` ends it after this turn, `ald abort` at once")
        return 130
    except NoDoor as error:
        view.note(f"[bold red]the controller is gone[/]: {error}")
        return 3
    if last is None:
        view.note("the controller stopped speaking before the run had ended")
        return 3
    say_ending(view.console, last)
    return exit_code(last)


def exit_code(last: dict[str, Any]) -> int:
    """0 for an ending that the recipe or an operator chose, else 1."""
    return 0 if last["ending"] in GOOD_ENDINGS else 1


def say_ending(console: Console, last: dict[str, Any]) -> None:
    """How a run ended and where its record lies."""
    colour = "red" if exit_code(last) else "green"
    missed = f", {last['doses_missed']} missed" if last["doses_missed"] else ""
    console.print(f"ending [bold {colour}]{last['ending']}[/] after {clock(last['elapsed_s'])}")
    console.print(
        f"{last['cycle']} of {last['cycles']} cycles, {last['doses_confirmed']} of {last['doses_planned']} doses "
        f"confirmed{missed}",
        highlight=False,
    )
    console.print(f"run folder  {last['folder']}", highlight=False, soft_wrap=True)
    console.print(f"report      {last['report'] or 'could not be made'}", highlight=False, soft_wrap=True)


def clock(seconds: float) -> str:
    """75 → 1:15."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class View:
    """A live display on a terminal; elsewhere one line per new step."""

    def __init__(self) -> None:
        self.console = Console()
        self._bar = Progress(
            TextColumn("[bold]{task.description}"), BarColumn(bar_width=None), TextColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(), console=self.console, expand=True,
        )  # fmt: skip
        self._task: TaskID = self._bar.add_task("starting", total=1.0)
        self._live = Live(console=self.console, refresh_per_second=5, transient=False)
        self._step = ""
        self._task_began, self._total_s = False, 1.0

    def note(self, text: str) -> None:
        """A line that stays, above the live display."""
        self.console.print(text, highlight=False, soft_wrap=True)

    def __enter__(self) -> View:
        if self.console.is_terminal:
            self._live.__enter__()
            self._live.update(self._bar)
        return self

    def __exit__(self, *error: Any) -> None:
        if self.console.is_terminal:
            self._live.__exit__(*error)

    def show(self, status: dict[str, Any]) -> None:
        run = status.get("run")
        if run is not None:
            done = min(run["elapsed_s"], run["duration_s"])
            title = f"{run['recipe']}  cycle {run['cycle']}/{run['cycles']}"
            self._task_began, self._total_s = True, run["duration_s"]
            self._bar.update(self._task, description=title, completed=done, total=self._total_s)
        elif self._task_began and (last := status.get("last_run")) is not None:
            self._bar.update(self._task, description=f"{last['recipe']}  {last['ending']}", completed=self._total_s)
        if self.console.is_terminal:
            self._live.update(Group(self._bar, state_table(status)))
        elif run is not None and (line := run_line(run)) != self._step:
            self._step = line
            self.console.print(f"{clock(run['elapsed_s']):>8}  {line}", highlight=False, soft_wrap=True)


def state_table(status: dict[str, Any]) -> Table:
    """The state as rows: step, valves, pressure, zones, glovebox, alarms."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    run = status.get("run")
    latched = " [bold red]latched[/]" if status["latched"] else ""
    table.add_row("state", f"{status['state']}{latched}   chamber {status['chamber']}   {status['control']}")
    for label, line in _alarm_rows(status):
        table.add_row(label, line)
    if status["degraded_timing"]:
        table.add_row("timing", "[yellow]degraded timing: no real-time priority; pulses under 200 ms are refused[/]")
    if (timing := status.get("valve_timing")) and timing["warning"]:
        table.add_row("timing", Text(timing["warning"], style="yellow"))
    if run:
        table.add_row("run", f"{run['recipe']}  cycle {run['cycle']}/{run['cycles']}   {run_clock(run)}")
        doses = f"{run['doses_confirmed']}/{run['doses_planned']} doses confirmed"
        table.add_row("step", f"{run['part']}: {run['step']}   {doses}")
    elif last := status.get("last_run"):
        where = f" {last['why']}" if last["ending"] == "interrupted" else ""
        table.add_row("last run", Text(f"{last['run']}  {last['ending']}{where}"))
    if run and run.get("why"):
        table.add_row("waits", Text(f"{run['why']}; `ald resume` goes on", style="bold yellow"))
    _safety_rows(table, status)
    table.add_row("valves", _valves(status["valves"]))
    table.add_row("pressure", _pressures(status["values"]))
    table.add_row("zones", _row(status["zones"]))
    table.add_row("flows", _row(_ending_in(status["values"], ".flow_sccm")))
    table.add_row("glovebox", _row(_ending_in(status["values"], "_ppm")))
    due = [a["text"] for a in status["alarms"] if a["row"] == SERVICE]  # they hide no alarm, and no alarm hides them
    for text in [*due[:3], *([f"{len(due) - 3} more: `ald valves`"] if len(due) > 3 else [])]:
        table.add_row("service", Text(text, style="yellow"))
    return table


def _alarm_rows(status: dict[str, Any]) -> Iterator[tuple[str, Text]]:
    """The first-out with what to do, the next ones in one line, what is hidden behind them, and every bypass."""
    alarms = [a for a in status["alarms"] if a["row"] != SERVICE]
    announced = [a for a in alarms if a["state"] != "suppressed"]
    for n, a in enumerate(announced[:SHOWN]):
        mark = f"{FIRST_OUT} " if a["first_out"] else ""
        seen = f" [{a['state']}{' by ' + a['acknowledged_by'] if a['acknowledged_by'] else ''}]"
        line = Text.assemble((f"{mark}{a['row']} {a['cause']}", STYLES[a["priority"]] or "yellow"))
        line.append("" if a["state"] == "unacknowledged" else seen, style="dim")
        line.append(f"\n→ {a['action']}" if n == 0 and a["action"] else "")
        yield "alarm", line
    more, hidden = len(announced) - SHOWN, len(alarms) - len(announced)
    told = [f"{more} more"] * (more > 0) + [f"{hidden} suppressed as consequences"] * (hidden > 0)
    if told:
        yield "", Text(f"{', '.join(told)}: `ald alarms`", style="dim")
    for bypass in status["bypasses"]:
        yield "BYPASS", Text(bypass_line(bypass, status["time"]), style="bold black on yellow")


def _safety_rows(table: Table, status: dict[str, Any]) -> None:
    """What goes on between runs: is the chamber cleared, a proof test, or what follows an abort."""
    if not status.get("run"):
        missing = "; ".join(status["not_cleared_because"])
        table.add_row("cleared", Text("yes" if status["cleared"] else f"no: {missing}"))
    if line := status.get("proof_test"):
        table.add_row("proof test", Text(line, style="yellow"))
    if safing := status.get("safing"):
        table.add_row("safing", Text(safing["text"], style="" if safing["phase"] == "SAFE" else "yellow"))


def run_line(run: dict[str, Any]) -> str:
    """Where a run is, and what it waits for, in one line."""
    waits = f"   waits: {run['why']}" if run.get("why") else ""
    return f"{run['part']} {run['cycle']}/{run['cycles']} {run['step']}{waits}"


def run_clock(run: dict[str, Any]) -> str:
    """How long a run has lasted, of how long it is expected to."""
    return f"{clock(run['elapsed_s'])} of about {clock(run['duration_s'])}"


def _valves(valves: dict[str, bool]) -> str:
    """Energised outputs stand out, also where there are no colours."""
    return "  ".join(f"[reverse green] {n} on [/]" if on else f"[dim]{n}[/]" for n, on in valves.items())


def _pressures(values: dict[str, Any]) -> str:
    kept = {n: v for n, v in values.items() if n.rpartition(".")[2] in ("pressure_torr", "pressure_pa")}
    return _row({n: v for n, v in kept.items() if not n.startswith(("carrier", "pusher"))})


def _ending_in(values: dict[str, Any], end: str) -> dict[str, Any]:
    return {n.rpartition(".")[2] if end == "_ppm" else n.partition(".")[0]: v
            for n, v in values.items() if n.endswith(end)}  # fmt: skip


def _row(values: dict[str, Any]) -> str:
    return "   ".join(f"{name} {value_text(v)}" for name, v in values.items())


def value_text(value: dict[str, Any]) -> str:
    """A value with its unit, and its quality where that is not good."""
    number = "—" if value["v"] is None else f"{value['v']:.3g}" if abs(value["v"]) < 10 else f"{value['v']:.1f}"
    doubt = "" if value["q"] == "good" else f" [yellow]({value['q']})[/]"
    old = f" [yellow]({value['age_s']:.0f} s old)[/]" if value["age_s"] > 3 else ""
    return f"{number} {value['u']}{doubt}{old}"


def status_text(status: dict[str, Any]) -> str:
    """The state as plain text for `ald status`."""
    console = Console(width=None if sys.stdout.isatty() else 140)
    with console.capture() as captured:
        console.print(f"{status['tool']}", style="bold")
        console.print(state_table(status))
        if status["not_guarded"]:
            console.print("\nnot guarded here", style="bold")
        for row in status["not_guarded"]:
            console.print(Padding(Text(row, style="dim"), (0, 0, 0, 2)))
    return "\n".join(line.rstrip() for line in captured.get().rstrip().splitlines())


def registers_text(registers: dict[str, Any]) -> str:
    """One register a line: name, value, who and when."""
    rows = [
        f"{name:<16} {json.dumps(e['value'], ensure_ascii=False)}   {e['by']}, {e['at']}"
        for name, e in registers["registers"].items()
    ]
    note = ["these registers are marked as simulated"] if registers["simulated"] else []
    return "\n".join(note + rows) or "no register is set: everything is unknown"
