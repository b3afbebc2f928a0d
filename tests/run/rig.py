"""A whole daemon over the simulated reactor on virtual time, and a person, a fault and a reader for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from ald_controller import commands as c
from ald_controller.cli.preview import parts_over
from ald_controller.config import Tool, load_tool
from ald_controller.console import Console
from ald_controller.daemon import Daemon
from ald_controller.interlocksetting import with_limits_confirmed
from ald_controller.records.record import RunRecord, open_run
from ald_controller.registers import RegisterFile
from ald_controller.valves.inline import InlineValves
from simulators.plant.heat import Build
from simulators.valve_module import Change
from simulators.virtualtime import run_virtual
from simulators.world import World, build
from tests.recipe_bench import chemistry, loaded, simulated, tool

ROOT = Path(__file__).parents[2]
OWNER = c.Principal(name="Ann", role="owner", door="inside")
OPERATOR = c.Principal(name="Bob", role="operator", door="inside")
READY_C = {"substrate": 120.0, "chamber": 120.0}
LIGL_C = {"substrate": 150.0, "chamber": 150.0, "source-3": 150.0, "source-4": 130.0, "lines": 165.0}


class Rig(AbstractAsyncContextManager["Rig"]):
    """One reactor under control. `async with` starts the daemon, and ends it in the safe state."""

    def __init__(
        self,
        folder: Path,
        *,
        warm: dict[str, float] | None = None,
        load: str | None = "lithium",
        file: Tool | None = None,
        builds: Mapping[str, Build] | None = None,
    ) -> None:
        self.folder, self.file = folder, file or tool()
        folder.mkdir(parents=True, exist_ok=True)
        registers = loaded(load) if load else simulated()
        RegisterFile(folder / "registers.yaml", chemistry()).save(registers)
        self.world: World = build(
            self.file.path, at_s=asyncio.get_running_loop().time(), warm=warm, bottles=registers.rack(), builds=builds
        )
        self.changes: list[Change] = []  # of the outputs of the valve module, since the first start
        self._remember()
        self.daemon = self._daemon()
        self.task: asyncio.Task[None] | None = None
        self.limits_confirmed = True  # the owner signs for the limits of this tool as they are, before the start

    def _remember(self) -> None:
        """The world keeps no list of what its valves did, as a long run would fill it."""
        module, tell = self.world.coupler_a, self.world.coupler_a._tell

        def told(change: Change) -> None:
            self.changes.append(change)
            tell(change)

        module._tell = told

    def _daemon(self) -> Daemon:
        valves = self.file.config.valves
        faulty = InlineValves(
            self.world.face(valves.line), driver=valves.driver, unit=valves.unit, coils=valves.coils,
            watchdog_ms=valves.watchdog_ms,
        )  # fmt: skip
        return Daemon(replace(parts_over(self.world, self.file, self.folder), valves=faulty))

    async def __aenter__(self) -> Rig:
        if self.limits_confirmed:
            kept, config = RegisterFile(self.folder / "registers.yaml", chemistry()), self.daemon.parts.file.config
            kept.save(with_limits_confirmed(kept.registers, config, chemistry()))
        await self._begin()
        return self

    async def _begin(self) -> None:
        self.task = asyncio.ensure_future(self.daemon.run())
        await self.daemon.ready.wait()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task = await self._end()
        if kind is None and not task.cancelled() and (broken := task.exception()):
            raise broken

    async def _end(self) -> asyncio.Task[None]:
        assert self.task is not None
        self.task.cancel()
        await asyncio.wait({self.task})
        return self.task

    async def restart(self) -> None:
        """Another controller over the same reactor and the same disk."""
        await self._end()
        self.daemon = self._daemon()
        await self._begin()

    # --- a person --------------------------------------------------------------------------------------------------

    @property
    def console(self) -> Console:
        return self.daemon.console

    async def ask(self, request: c.Request, who: c.Principal = OWNER) -> c.Reply:
        return await self.console.handle(request, who)

    async def do(self, request: c.Request) -> c.Reply:
        reply = await self.ask(request)
        assert reply.ok, reply.text
        return reply

    async def refused(self, request: c.Request, code: str) -> str:
        """The sentence of a refusal with this code."""
        reply = await self.ask(request)
        assert not reply.ok and reply.code == code, reply
        assert reply.text.strip()
        return reply.text

    async def proven(self) -> None:
        """Wait until every device is present and the chamber is under proven vacuum, then reset."""
        await self.until(lambda: not self.console.tool.absent and self.chamber == "VACUUM", 60)
        await self.do(c.Reset())

    async def start(self, text: str, name: str = "test", **parameters: str) -> str:
        """Prove the tool, upload and start; the run's name."""
        await self.proven()
        await self.do(c.Upload(name=name, text=text))
        reply = await self.do(c.Start(name=name, parameters=parameters))
        return str(reply.data["run"])

    # --- time ------------------------------------------------------------------------------------------------------

    @property
    def now_s(self) -> float:
        return asyncio.get_running_loop().time()

    async def until(self, true: Callable[[], object], within_s: float = 600.0, every_s: float = 0.05) -> float:
        """Seconds until the condition holds; fails when it does not within `within_s`."""
        start_s = self.now_s
        while not true():
            assert self.task is None or not self.task.done(), "the daemon has ended"
            assert self.now_s - start_s < within_s, f"not within {within_s:g} s; {self.picture()}"
            await asyncio.sleep(every_s)
        return self.now_s - start_s

    async def rest(self, seconds: float) -> None:
        """Let time pass; fails when the daemon ends meanwhile."""
        await asyncio.sleep(seconds)
        assert self.task is None or not self.task.done(), "the daemon has ended"

    async def until_state(self, state: str, within_s: float = 600.0) -> float:
        return await self.until(lambda: self.state == state, within_s)

    async def until_step(self, words: str, within_s: float = 600.0, *, cycle: int = 0) -> float:
        def there() -> bool:
            run = self.console.run
            return run is not None and words in run.progress.step and run.progress.cycle >= cycle

        return await self.until(there, within_s)

    async def until_open(self, source: str, within_s: float = 600.0) -> float:
        """Until this source is energised at the module."""
        mask = self.file.config.valves.word([source])
        return await self.until(lambda: self.world.coupler_a.word & mask, within_s, 0.01)

    async def ended(self, within_s: float = 36_000.0) -> RunRecord:
        """The record of the run after its end."""
        async with asyncio.timeout(within_s):
            await self.console.ended.wait()
        assert self.console.last is not None
        return open_run(Path(self.console.last.folder))

    # --- looking ---------------------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        return self.console.state

    @property
    def chamber(self) -> str:
        return self.console.tool.chamber.state

    @property
    def latched(self) -> bool:
        return self.console.guard.latched

    @property
    def first_out(self) -> str:
        first = self.console.guard.state.first_out
        return first.cause.row if first else ""

    @property
    def stop_shut(self) -> bool:
        return bool(self.world.coupler_a.word & self.file.config.valves.mask("stop"))

    @property
    def contactor_closed(self) -> bool:
        return bool(self.world.coupler_a.word & self.file.config.valves.mask("contactor"))

    @property
    def sources_open(self) -> int:
        return self.world.coupler_a.word & self.file.config.source_mask

    def carrier_sccm(self) -> float:
        """The target of the carrier's own valve."""
        return self.world.plant.flows["carrier"].target

    def power(self, zone: str) -> float:
        """The share of full power that the instrument of a zone gives."""
        return self.world.plant.heat.zones[zone].power

    def picture(self) -> str:
        run = self.console.run
        at = f"{run.progress} {run.why_paused}" if run else "no run"
        alarms = [f"{a.row} {a.text}" for a in self.console.status().alarms]
        return f"state {self.state}, chamber {self.chamber}, {at}, alarms {alarms}"

    def contact(self, name: str, closed: bool) -> None:
        self.world.plant.set_contact(name, closed, self.now_s)


def virtually(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an asynchronous test on virtual time."""

    def run(tmp_path: Path) -> None:
        run_virtual(test(tmp_path))

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


def edited(folder: Path, change: Callable[[dict[str, Any]], None]) -> Tool:
    """The reference tool with a change to its file."""
    raw = yaml.safe_load((ROOT / "deploy" / "tool.yaml").read_text("utf-8"))
    change(raw)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tool.yaml"
    path.write_text(json.dumps(raw), "utf-8")
    return load_tool(path)


HEAD = """\
recipe: test
substrate: lithium foil
provenance: unverified default
"""
CYCLE = """\
deposit:
  - repeat:
      times: {cycles}
      name: LiGL
      steps:
        - expose: {{precursor: LiOtBu, pulse: 1 s, hold: 2 s, flow: 5 sccm}}
        - purge: 5 s
        - expose: {{precursor: glycerol, pulse: 1 s, hold: 2 s, flow: 5 sccm}}
        - purge: 6 s
"""
PREPARE = """\
prepare:
  - pump: {to: 1 Torr, timeout: 15 min, else: hold}
  - flow: {carrier: 20 sccm}
  - heat: {LiOtBu: 150 °C, glycerol: 130 °C}
  - heat: {substrate: 150 °C, chamber: 150 °C}
"""
FINISH = """\
finish:
  - purge: 5 s
  - heat: {LiOtBu: standby, glycerol: standby, substrate: off, chamber: standby}
"""


def ligl(cycles: int = 2, *, prepare: str = PREPARE, finish: str = FINISH) -> str:
    """A short lithicone recipe: cycles of 20 s."""
    return HEAD + prepare + CYCLE.format(cycles=cycles) + finish
