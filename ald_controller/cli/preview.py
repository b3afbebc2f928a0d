"""`ald preview`: the whole run in virtual time, through the real daemon, drivers, wire bytes and interlocks."""

from __future__ import annotations

import asyncio
import json
import resource
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click

from ald_controller import commands as c
from ald_controller.cli.checking import Assumed, assume, check_inline
from ald_controller.cli.logs import configure_log
from ald_controller.cli.offline import run_rows
from ald_controller.cli.plandrive import sample_for
from ald_controller.cli.warmth import warm_zones
from ald_controller.config import LineConfig, Tool
from ald_controller.console import Console
from ald_controller.consoleparts import CheckRequest
from ald_controller.daemon import Daemon, Parts
from ald_controller.records.record import open_run
from ald_controller.records.report import write_report
from ald_controller.valves.inline import InlineValves
from ald_controller.yamlfile import Problems
from drivers.line import memory_line
from simulators.plant.sample import Sample
from simulators.virtualtime import run_virtual
from simulators.world import World, build

ME = c.Principal(name="preview", role="owner", door="inside")
LOOK_S = 1.0  # how often it is looked whether the run is held
PATIENCE_S = 120.0  # for the tool to prove itself before the start


@dataclass
class Previewed:
    """How the run ended, with what the simulated reactor knows of the film."""

    status: c.RunStatus
    thickness_nm: float | None
    transactions: int
    trips: list[str] = field(default_factory=list)
    held: str = ""  # what held it, where nobody was there to resume


@dataclass(frozen=True, slots=True)
class PreviewOptions:
    """What a person may choose: planned load and rack, where the run folder goes, a warm start, parameters."""

    load: Path | None = None
    rack: Path | None = None
    state: Path | None = None
    warm: bool = False
    parameters: dict[str, str] = field(default_factory=dict)
    as_json: bool = False


def preview_command(recipe: Path, tool: Path, options: PreviewOptions) -> int:
    """Print how the run would go; 0 when it completes, 1 when it is refused or ends in any other way."""
    configure_log(quiet=True, warnings=False)
    try:
        assumed = assume(recipe, tool, options.load, options.rack)
        result = preview(recipe, assumed, options)
    except Problems as error:
        return _refused([str(p) for p in error.problems], options.as_json)
    except Refused as refused:
        return _refused(refused.problems, options.as_json)
    except OSError as error:  # where the run folder goes
        return _refused([f"{error.filename or options.state}: {error.strerror or error}"], options.as_json)
    click.echo(json.dumps(result) if options.as_json else _text(assumed, result))
    return 0 if result["ending"] == "completed" else 1


def _refused(problems: list[str], as_json: bool) -> int:
    click.echo(json.dumps({"problems": problems}) if as_json else "\n".join(problems), err=not as_json)
    return 1


def preview(recipe: Path, assumed: Assumed, options: PreviewOptions) -> dict[str, Any]:
    """Run the recipe in virtual time and return what came of it; raises Refused, Problems."""
    folder = options.state or Path(tempfile.mkdtemp(prefix="ald-preview-"))
    folder.mkdir(parents=True, exist_ok=True)
    assumed.write_registers(folder / "registers.yaml")
    warmth = warm_zones(recipe, assumed, options.parameters) if options.warm else {}
    upload = c.Upload(name=recipe.stem, text=recipe.read_text("utf-8"))
    sample = sample_for(recipe, options.parameters)
    clock = asyncio.new_event_loop()  # the wall clock, while virtual time has a loop of its own
    start_s = clock.time()
    try:
        done = run_virtual(run_once(assumed, upload, folder, warmth, options.parameters, sample))
        wall_s = clock.time() - start_s
    finally:
        clock.close()
    return _result(done, wall_s) | {"report": str(write_report(Path(done.status.folder)))}


class Refused(Exception):
    """The controller would not start this run; `problems` has a line each."""

    def __init__(self, reply: c.Reply) -> None:
        self.problems = list(reply.data.get("problems", [])) or [reply.text]
        super().__init__(reply.text)


async def run_once(
    assumed: Assumed, recipe: c.Upload, folder: Path, warmth: dict[str, float], parameters: dict[str, str],
    sample: Sample | None = None,
) -> Previewed:  # fmt: skip
    """One daemon over one simulated reactor with `sample` in it, from its start to the end; raises Refused."""
    bottles = assumed.registers.rack()
    now_s = asyncio.get_running_loop().time()
    world = build(assumed.tool.path, at_s=now_s, warm=warmth, bottles=bottles, sample=sample)
    daemon = Daemon(parts_over(world, assumed.tool, folder))
    task = asyncio.ensure_future(daemon.run())
    try:
        ready = asyncio.ensure_future(daemon.ready.wait())
        await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if task.done():
            task.result()
        status, held = await _drive(daemon.console, recipe, parameters)
        trips = [cause.row for cause in daemon.console.guard.state.latched]
    finally:
        task.cancel()
        await asyncio.wait({task})
    if not task.cancelled() and (error := task.exception()):
        raise error
    thickness_nm = world.plant.thickness_nm(asyncio.get_running_loop().time())
    return Previewed(status, thickness_nm, daemon.console.tool.transactions, trips, held)


def parts_over(world: World, tool: Tool, folder: Path) -> Parts:
    """A daemon's parts on the virtual clock: bytes in memory, the engine inline, checks in place."""

    def line(name: str, config: LineConfig) -> Any:
        return memory_line(name, world.face(name))

    async def check(request: CheckRequest) -> dict[str, Any]:
        return check_inline(request, tool)

    async def runs() -> list[dict[str, Any]]:
        return run_rows(folder)

    async def no_report(folder: Path) -> Path | None:
        return None

    valves = tool.config.valves
    no_broker = replace(tool, config=tool.config.model_copy(update={"mqtt": None}))
    return Parts(
        file=no_broker, open_line=line, state_dir=folder, check=check, report=no_report, runs=runs,
        inline=True, simulated=True,
        valves=InlineValves(
            world.coupler_a, driver=valves.driver, unit=valves.unit, coils=valves.coils,
            watchdog_ms=valves.watchdog_ms,
        ),
    )  # fmt: skip


async def _drive(console: Console, recipe: c.Upload, parameters: dict[str, str]) -> tuple[c.RunStatus, str]:
    """What a person does at the tool: wait until it has proven itself, reset, upload, start; then wait for the end.

    Returns how it ended, and what held it before.
    """
    await _until_startable(console)
    await console.handle(recipe, ME)
    reply = await console.handle(c.Start(name=recipe.name, parameters=parameters), ME)
    if not reply.ok:
        raise Refused(reply)
    held = await _until_end(console)
    if console.last is None:
        raise Refused(c.Reply(ok=False, code="no-end", text="the run left no trace of its end"))
    return console.last, held


async def _until_end(console: Console) -> str:
    """Until the run is over. A run that is held waits for a person, and here there is none: it is aborted.

    Returns what held it, "" = nothing.
    """
    held = ""
    ended = asyncio.ensure_future(console.ended.wait())
    while not ended.done():
        await asyncio.wait({ended}, timeout=LOOK_S)
        if console.state == "PAUSED" and console.run is not None and not held:
            held = console.run.why_paused
            await console.handle(c.Abort(why="held, and a preview has nobody who resumes it"), ME)
    return held


async def _until_startable(console: Console) -> None:
    loop = asyncio.get_running_loop()
    give_up_s = loop.time() + PATIENCE_S
    while True:
        reply = await console.handle(c.Reset(), ME)
        if reply.ok and not console.tool.absent and console.tool.chamber.state == "VACUUM":
            return
        if loop.time() > give_up_s:
            raise Refused(reply)
        await asyncio.sleep(1.0)


def _result(done: Previewed, wall_s: float) -> dict[str, Any]:
    s = done.status
    record = open_run(Path(s.folder))
    return {
        "ending": s.ending, "duration_s": round(s.elapsed_s, 3), "cycles": s.cycle, "doses": s.doses_confirmed,
        "doses_planned": s.doses_planned, "doses_missed": s.doses_missed, "thickness_nm": done.thickness_nm,
        "thickness_predicted_nm": record.header.thickness_nm, "trips": done.trips, "held": done.held,
        "run_folder": s.folder, "wall_s": round(wall_s, 3), "times_real_time": round(s.elapsed_s / wall_s, 1),
        "transactions_per_s": round(done.transactions / wall_s),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,  # of the run, before its report
    }  # fmt: skip


def _text(assumed: Assumed, result: dict[str, Any]) -> str:
    lines = [*assumed.notes, f"ending {result['ending']} after {result['duration_s'] / 60:.1f} min of simulated time"]
    lines.append(f"{result['cycles']} cycles, {result['doses']} of {result['doses_planned']} doses confirmed")
    if result["thickness_nm"] is not None:
        lines.append(f"film {result['thickness_nm']:.1f} nm on the simulated reactor")
    lines.append(f"trips: {', '.join(result['trips']) or 'none'}")
    if result["held"]:
        lines.append(f"held: {result['held']}; a preview has nobody who resumes it, so it was aborted there")
    speed = f"{result['times_real_time']:.0f} times real time, {result['transactions_per_s']} transactions/s"
    lines.append(f"{speed} ({result['wall_s']:.1f} s)")
    lines.append(f"run folder {result['run_folder']}")
    lines.append(f"report     {result['report']}")
    return "\n".join(lines)
