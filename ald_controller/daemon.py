"""The composition root: builds the tool, starts the tasks, and ends in the safe state whatever ends it.

Essential tasks (polls, guard, valve events, the run) share one TaskGroup: an unexpected error in any of them makes the
tool safe and ends the daemon. Service tasks (doors) are supervised: they fail, are restarted, and never end a run.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from ald_controller import stamp
from ald_controller.aio import supervise, uncancellable
from ald_controller.bottles import refused_bottles
from ald_controller.chemistry import Chemistry, load_chemistry
from ald_controller.config import LineConfig
from ald_controller.config import Tool as ToolFile
from ald_controller.console import Console
from ald_controller.consoleparts import Checker, ConsoleParts, Lister, Reporter
from ald_controller.doors.desk import Desk
from ald_controller.engineconfig import engine_config
from ald_controller.feeds.asked import AskedFeed
from ald_controller.feeds.clearing import ClearingWatch
from ald_controller.feeds.gas import GasFeed
from ald_controller.feeds.machine import DiskSpace, MachineFeeds
from ald_controller.feeds.pulses import PulseWatch
from ald_controller.feeds.signed import RegisterFeeds
from ald_controller.guard import PERIOD_S, Guard
from ald_controller.interlocks import site_words
from ald_controller.interlocksetting import setting_of
from ald_controller.proof.simulated import simulated_proof
from ald_controller.records.alarmlog import AlarmLog
from ald_controller.records.audit import Audit
from ald_controller.records.clearing_row import ClearingRow
from ald_controller.records.ledger import Ledger
from ald_controller.records.pulse_table import PulseTable
from ald_controller.records.safings import SafingTable
from ald_controller.recovery import recover
from ald_controller.registers import RegisterFile, Registers
from ald_controller.shipped import RECIPES
from ald_controller.systemd import Notifier
from ald_controller.tool import Tool, Valves
from ald_controller.valves import wire
from ald_controller.valves.timing import timing_of
from ald_controller.witness import Witness

LAST_WORDS_S = 1.0  # a valve path that is closed has said its last word already

log = structlog.get_logger()


@dataclass(frozen=True)
class Parts:
    """What differs between a tool, a test and a preview: where bytes go, and who does the heavy work."""

    file: ToolFile
    open_line: Callable[[str, LineConfig], Any]
    valves: Valves
    state_dir: Path
    check: Checker
    report: Reporter
    runs: Lister
    inline: bool = False  # virtual time: no threads, no processes
    simulated: bool | None = None
    broker: Callable[[], bool] | None = None  # whether the broker is reachable now; None where there is none
    doors: tuple[tuple[str, Callable[[Desk], Awaitable[None]]], ...] = ()
    notifier: Notifier = field(default_factory=lambda: Notifier({}))


class Daemon:
    """One reactor under control, from start to the safe state."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.ready = asyncio.Event()
        self.console: Console
        self._ledger: Ledger
        self._pulses: PulseWatch
        self._clearing: ClearingWatch
        self._gas: GasFeed
        self.machine: MachineFeeds
        self._desk: Desk
        self._group: asyncio.TaskGroup

    async def run(self) -> None:
        """Until cancelled; raises what ended an essential task, after the tool has been made safe."""
        loop = asyncio.get_running_loop()
        parts = self.parts
        parts.state_dir.mkdir(parents=True, exist_ok=True)
        chemistry = load_chemistry(RECIPES / "chemistry")
        registers = RegisterFile(parts.state_dir / "registers.yaml", chemistry)
        if parts.simulated and registers.registers.get("proof") is None:
            registers.set("proof", *simulated_proof(stamp.utc_now()))
        tool = Tool(parts.file, parts.open_line, parts.valves)
        setting = setting_of(parts.file.config, registers.registers, chemistry)
        guard = Guard(tool, setting, site_words(Path(parts.file.path)), loop.time())
        audit = await Audit.open(parts.state_dir / "tool.db", inline=parts.inline)
        try:
            self._ledger = await Ledger.open(audit.writer, parts.file.config.valves.outputs, loop.time())
            guard.annunciator.log = await AlarmLog.open(audit.writer)
            guard.on_safing_over = SafingTable(audit.writer).keep
            await self._watch_chemistry(tool, guard, audit, registers, chemistry)
            self.machine = self._watch_machine(tool, guard, audit)
            self.console = Console(
                ConsoleParts(
                    tool, guard, registers, chemistry, audit, self._ledger, parts.state_dir, parts.check, parts.report,
                    parts.runs, pulses=self._pulses, clearing=self._clearing, machine=self.machine,
                    inline=parts.inline, simulated=parts.simulated,
                ),
                self._spawn,
            )  # fmt: skip
            self._desk = Desk(self.console, parts.file.config, audit, stamp.utc_now)
            self._witness = Witness(tool, lambda: guard.facts, self.console.tell)
            await self._control(tool, guard, chemistry)
        finally:
            await uncancellable(audit.close())

    async def _watch_chemistry(
        self, tool: Tool, guard: Guard, audit: Audit, registers: RegisterFile, chemistry: Chemistry
    ) -> None:
        """What follows doses: how much each brought, and whether the chamber is cleared of them."""
        now_s = asyncio.get_running_loop().time()
        utc_s = stamp.utc_now() - now_s
        table, row = await PulseTable.open(audit.writer), await ClearingRow.open(audit.writer)

        def known() -> Registers:
            return registers.registers

        self._pulses = PulseWatch(tool, table, known, lambda *a, **fields: self.console.tell_run(*a, **fields), utc_s)
        self._clearing = ClearingWatch(tool, row, known, chemistry, now_s, utc_s)
        self._gas = GasFeed(tool, now_s)
        signed = RegisterFeeds(tool.samples, tool.config.ports, known, utc_s, self.parts.simulated)
        guard.feeds += [AskedFeed(tool).look, self._pulses.look, self._clearing.look, self._gas.look, signed.look]

    def _watch_machine(self, tool: Tool, guard: Guard, audit: Audit) -> MachineFeeds:
        """What the rows of control read of this computer; on virtual time nothing steps, and the disk never hangs."""
        inline = self.parts.inline

        def where_files_are_written(work: Callable[[], None]) -> None:
            if inline:
                work()
            else:
                audit.writer.put(lambda _: work())

        machine = MachineFeeds(
            tool, guard, DiskSpace(self.parts.state_dir, where_files_are_written),
            wall=asyncio.get_running_loop().time if inline else stamp.utc_now, broker=self.parts.broker,
            tell=lambda kind, **fields: self.console.tell(kind, **fields),
        )  # fmt: skip
        machine.unwritten = lambda: bool(audit.failed) or self.console.unwritten
        guard.feeds.append(machine.look)
        return machine

    async def _control(self, tool: Tool, guard: Guard, chemistry: Chemistry) -> None:
        parts = self.parts
        # outputs are verified safe before any other device is spoken to
        log.info("reaching the valve module", address=parts.file.config.lines[parts.file.config.valves.line].address)
        config = engine_config(parts.file, self.console.registers, chemistry)
        status = await tool.valves.start(config)
        self.console.degraded = status.degraded
        self.console.timing = timing = timing_of(tool.valves.lateness, config, degraded=status.degraded)
        tool.valves.state(tool.chamber.state)
        told = {"valve_timing": timing.sentence} if timing else {}
        watchdog = "set on the module" if parts.file.config.valves.watchdog_test else "armed"
        log.info("valves are shut", watchdog=watchdog, degraded_timing=status.degraded, **told)
        for why in refused_bottles(parts.file.config, self.console.registers.rack(), chemistry).values():
            guard.note(why)
            log.warning("a bottle hangs at a tool that may not carry it", told=why)
        if timing and timing.warning:
            log.warning(timing.warning)
        try:
            await self._recover(guard)
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._start_tasks(group, tool, guard)
        finally:
            await uncancellable(self._end(tool, guard))

    async def _recover(self, guard: Guard) -> None:
        """A run that a dead controller left open gets its end, and is shown; it does not go on."""
        runs = self.console.runs_dir
        found = recover(runs) if self.parts.inline else await asyncio.to_thread(recover, runs)
        for problem in found.problems:
            guard.note(problem)
            log.warning("a record was left open", told=problem)
        if found.last is not None:
            guard.found(found.sentence)
            self.console.last = found.last
            log.warning("a run was interrupted", told=found.sentence)

    def _start_tasks(self, group: asyncio.TaskGroup, tool: Tool, guard: Guard) -> None:
        group.create_task(tool.poll_forever(), name="polls")
        group.create_task(self._valve_events(tool, guard), name="valve events")
        group.create_task(guard.watch(self.console, self._after_scan), name="guard")
        for name, door in self.parts.doors:
            group.create_task(self._door(name, door), name=name)
        for line in guard.rules.not_guarded:
            log.warning("not guarded here", row=line)
        log.info("the chamber is not cleared", told=self._clearing.told)
        for line in self._ledger.told:
            guard.note(line)
        for line in (*self._ledger.told, *(each.text for each in self._ledger.due)):
            log.warning("the ledger of valves", told=line)
        self.parts.notifier.ready()
        self.ready.set()

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        return self._group.create_task(work, name=name)

    async def _door(self, name: str, door: Callable[[Desk], Awaitable[None]]) -> None:
        def alarm(service: str, error: Exception) -> None:
            self.console.guard.note(f"{service}: {error}")
            log.warning("a service task failed and is started again", service=service, error=str(error))

        await supervise(name, lambda: door(self._desk), alarm)

    async def _valve_events(self, tool: Tool, guard: Guard) -> None:
        async for message in tool.valves.events():
            guard.hear(message)
            self.machine.hear(message)
            self._pulses.hear(message)
            self._clearing.hear(message)
            self._gas.hear(message)
            run = self.console.run
            if run is not None:
                run.hear(message)
            if isinstance(message, wire.Wear):
                self._count(message)
            elif isinstance(message, wire.Held | wire.Fault):
                log.info("valve engine", message=str(message))

    def _count(self, wear: wire.Wear) -> None:
        """Keep the counts, and tell when a valve comes near its service: to people, never to the run."""
        for text in self._ledger.hear(wear):
            log.warning("a valve is near its service", told=text)
            self.console.tell("alarm", row="service", text=text)

    def _after_scan(self, late_s: float) -> None:
        """A scan is good when every rule was evaluated on time; only then the service manager hears of life."""
        guard = self.console.guard
        guard.about = self.console.about
        self._witness.look(guard.state.at_s)
        if late_s < PERIOD_S:
            self.parts.notifier.watchdog()

    async def _end(self, tool: Tool, guard: Guard) -> None:
        self.parts.notifier.stopping()
        guard.end_safing("the end of the daemon")
        report = await tool.safe("the daemon ends", purge=guard.purge_is_safe)
        for line in report:
            if not line.ok:
                log.warning("did not confirm its safe state", what=line.what, detail=line.detail)
        await self.console.interrupted()
        try:
            await tool.close()
        finally:
            await self._count_the_rest(tool)
        self.parts.notifier.close()
        log.info("ended in the safe state")

    async def _count_the_rest(self, tool: Tool) -> None:
        """What the valve process told while the tool was made safe, when nobody listened any more."""
        with contextlib.suppress(wire.ValveError, TimeoutError):
            async with asyncio.timeout(LAST_WORDS_S):
                async for message in tool.valves.events():
                    if isinstance(message, wire.Wear):
                        self._count(message)
        self._ledger.save()
