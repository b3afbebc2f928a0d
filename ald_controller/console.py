"""What a person or a script can make the tool do: one method per request, one answer each. Knows no transport."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ald_controller import commands as c
from ald_controller import stamp
from ald_controller.aio import uncancellable
from ald_controller.bottles import refused_bottles
from ald_controller.confirming import with_confirmation
from ald_controller.consoleparts import (
    CheckRequest,
    ConsoleParts,
    Recipes,
    Spawn,
    no,
    pulses_anew,
    valve_replaced,
    yes,
)
from ald_controller.engineconfig import engine_config
from ald_controller.gatedesk import GateDesk
from ald_controller.interlocks import Facts, ResetRefused
from ald_controller.interlocks.fingerprint import limits_of
from ald_controller.interlocksetting import limits_confirmed, setting_of
from ald_controller.journal import JournalError
from ald_controller.plan import PLAN, Plan
from ald_controller.proof.tester import ProofTester
from ald_controller.records.folder import Papers, header_for
from ald_controller.records.journal import RunJournal
from ald_controller.registers import CONFIRMED_LIMITS, OF_VERBS, Registers
from ald_controller.safetydesk import SafetyDesk
from ald_controller.sequencer import Run
from ald_controller.states import Ending, Misplaced, ProcessState, follow
from ald_controller.statusview import run_status, status_of
from ald_controller.tool import Confirmed
from ald_controller.valves.timing import Timing
from ald_controller.yamlfile import Problems

PULSE_FLOOR_DEGRADED_S = 0.2
STATUS_S = 0.25  # the valve process says how it is ten times a second


@dataclass(slots=True)
class _Job:
    """The run in hand with its task and its journal."""

    run: Run
    journal: RunJournal
    task: asyncio.Task[None] | None
    started_s: float
    door: str
    moved: dict[str, int]  # actuations by output when it began
    uploaded: str  # the name under which its recipe was uploaded
    ending: Ending | None = None  # known before it is written
    recorded: bool = False


class Console:
    """Answers requests and owns the run in hand. Roles have been checked by the door's desk before."""

    def __init__(self, parts: ConsoleParts, spawn: Spawn) -> None:
        self.tool, self.guard = parts.tool, parts.guard
        self._chemistry = parts.chemistry
        self._register_file = parts.registers
        self._audit, self.ledger = parts.audit, parts.ledger
        self.pulses, self.clearing, self._machine = parts.pulses, parts.clearing, parts.machine
        self.recipes = Recipes(parts.state_dir / "recipes")
        self.runs_dir = parts.state_dir / "runs"
        self._check, self._report, self._runs, self._spawn = parts.check, parts.report, parts.runs, spawn
        self._inline, self._simulated = parts.inline, parts.simulated
        self._safety = SafetyDesk(self.guard, self)
        self.gate = GateDesk(
            self.guard.keeper, parts.registers, parts.chemistry, parts.audit, self, spawn, self._settled,
            lambda: self.clearing.state.missing,
        )  # fmt: skip
        self.proof = ProofTester(parts, self, spawn)
        self._setting = setting_of(self.tool.config, self.registers, self._chemistry)
        self._limits = limits_of(self._setting)
        self._look_at_limits()
        self._idle: ProcessState = "IDLE"
        self._busy = ""
        self._job: _Job | None = None
        self._aborting: asyncio.Task[None] | None = None
        self.last: c.RunStatus | None = None
        self.ended = asyncio.Event()  # the run before is over, with its report
        self.remote = False
        self.degraded = False
        self.timing: Timing | None = None  # of this computer, as the valve process found it at its start
        self._first_sequence = int(stamp.utc_now() * 10)  # a restarted daemon goes on above what it said before

    @property
    def registers(self) -> Registers:
        """What the tool knows of itself, as it is now."""
        return self._register_file.registers

    def occupy(self, why: str) -> None:
        """Nothing else begins, and no register changes, for as long as `why` is not ""."""
        self._busy = why

    # --- the seam to doors -----------------------------------------------------------------------------------------

    async def handle(self, request: c.Request, who: c.Principal) -> c.Reply:
        """Do what was asked, or say why not; never raises for a reason that a person can mend."""
        name = "_do_" + request.verb.replace("-", "_")
        desks = (self, self._safety, self.gate, self.proof)
        act = next(found for desk in desks if (found := getattr(desk, name, None)))
        try:
            reply: c.Reply = await act(request, who)
        except Misplaced as error:
            return no("misplaced", str(error))
        if self._job and request.verb not in c.VERBS_VIEWER:
            self._job.journal.event("command", verb=request.verb, who=who.name, door=who.door, ok=reply.ok)
        return reply

    def status(self) -> c.Status:
        """Everything that a screen shows, now."""
        return status_of(self, self._first_sequence + self.guard.scans)

    @property
    def state(self) -> ProcessState:
        job = self._job
        return job.run.state if job and job.run.state != "IDLE" else self._idle

    @property
    def unwritten(self) -> bool:
        """Whether the record of the run in hand waits for the disk."""
        return bool(self._job and self._job.journal.failed)

    @property
    def run(self) -> Run | None:
        return self._job.run if self._job else None

    @property
    def about(self) -> Facts:
        """What the interlocks cannot find out by themselves; lithium limits follow the load register and it alone."""
        run = self.run
        return Facts(
            process=self.state,
            lithium=self.registers.is_lithium,
            pyrophoric=any(bottle.pyrophoric for bottle in self._setting.bottles.values()),
            step=run.doing if run else "",
            part=run.progress.part if run else "",
        )

    def run_status(self) -> c.RunStatus | None:
        if self._job is None:
            return None
        elapsed_s = asyncio.get_running_loop().time() - self._job.started_s
        return run_status(self._job.run, self._job.journal.folder, elapsed_s)

    # --- looking ---------------------------------------------------------------------------------------------------

    async def _do_status(self, request: c.GetStatus, who: c.Principal) -> c.Reply:
        return yes("as it is now", **self.status().model_dump(mode="json"))

    async def _do_registers(self, request: c.GetRegisters, who: c.Principal) -> c.Reply:
        return yes("the registers", registers=self.registers.dump())

    async def _do_runs(self, request: c.GetRuns, who: c.Principal) -> c.Reply:
        rows = await self._runs()
        return yes(f"{len(rows)} runs", runs=rows)

    async def _do_valves(self, request: c.GetValves, who: c.Principal) -> c.Reply:
        return yes("as counted now", tool=self.tool.config.tool, **self.ledger.book().shown())

    async def _do_watch(self, request: c.Watch, who: c.Principal) -> c.Reply:
        return no("wrong-door", "watching is a stream: only the local door has it")

    # --- recipes and registers -------------------------------------------------------------------------------------

    async def _do_upload(self, request: c.Upload, who: c.Principal) -> c.Reply:
        digest = self.recipes.put(request.name, request.text)
        if self._job and self._job.uploaded == request.name:  # the run keeps the text that it began with (K11)
            self._machine.recipe_edited = digest != self._job.run.plan.recipe_hash
        return yes(f"{request.name} is kept as {digest[:12]}", sha256=digest)

    async def _do_check(self, request: c.Check, who: c.Principal) -> c.Reply:
        text = self.recipes.get(request.name)
        if text is None:
            return no("no-such-recipe", f"no recipe '{request.name}' has been uploaded")
        result = await self._check(self._check_request(request.name, text, request.parameters))
        if result["problems"]:
            return no("recipe-refused", "\n".join(result["problems"]), problems=result["problems"])
        plan = self._planned(result)
        told = {
            "cycles": plan.cycles, "doses": plan.doses, "duration_s": plan.duration_s, "film": plan.film,
            "thickness_nm": plan.thickness_nm, "warnings": plan.warnings, "parameters": plan.parameters,
            "actuations": result["actuations"],
        }  # fmt: skip
        took = f"{plan.cycles} cycles, {plan.doses} doses, about {plan.duration_s / 60:.0f} min"
        return yes("\n".join([f"no problems: {took}", *plan.warnings]), **told)

    def _planned(self, result: dict[str, Any]) -> Plan:
        """The plan of a check that found no problem, with a warning for every valve that it brings near its service."""
        plan = PLAN.validate_python(result["plan"])
        return replace(plan, warnings=(*plan.warnings, *self.ledger.adds(result["actuations"])))

    def _check_request(self, name: str, text: str, parameters: dict[str, str]) -> CheckRequest:
        now_c = {zone: t for zone in self.tool.config.zones if (t := self.tool.temperature_c(zone)) is not None}
        return CheckRequest(name, text, parameters, self.registers.dump(), now_c)

    async def _do_register_set(self, request: c.SetRegister, who: c.Principal) -> c.Reply:
        port = request.name.removeprefix("bottle.")
        if why := self._not_by_hand(request.name, port):
            return no("register-refused", why)
        if self._job or self._busy:
            return no("misplaced", f"registers do not change {'while ' + self._busy if self._busy else 'during a run'}")
        old = self.registers.dump()["registers"].get(request.name)
        at = stamp.iso(stamp.utc_now())
        try:
            registers = self.registers.set(request.name, request.value, request.by, at, self._chemistry)
            registers = with_confirmation(self.tool.config, registers, request.name, self._chemistry)
            if self.registers.is_lithium and not registers.is_lithium and who.role != "owner":
                return no("forbidden", "only the owner takes lithium limits off, with an empty chamber")
            if request.name == CONFIRMED_LIMITS and who.role != "owner":
                return no("forbidden", "only the owner confirms the limits of this tool")
            refused = refused_bottles(self.tool.config, registers.rack(), self._chemistry)
            if port != request.name and port in refused:
                return no("register-refused", refused[port])
            self._register_file.save(registers)
        except (Problems, OSError) as error:
            return no("register-refused", str(error))
        new = self.registers.dump()["registers"][request.name]
        self._audit.register(request.name, old, new, f"{request.by} ({who.name} at the {who.door} door)")
        if request.name.startswith("bottle."):
            self.tool.valves.configure(engine_config(self.tool.file, self.registers, self._chemistry))
        self._learn_setting()
        return yes(f"{request.name} is set, signed by {request.by}")

    def _not_by_hand(self, name: str, port: str) -> str:
        """Why nobody sets this register now, or ""; `port` is the name itself where it is no bottle's."""
        if port != name and port not in self.tool.config.ports:
            return f"there is no port '{port}'; there are: {', '.join(self.tool.config.ports)}"
        if name in OF_VERBS:
            return f"'{name}' is set by `{OF_VERBS[name]}`"
        open_ = name == "load" and self.guard.keeper.gate.open
        return "the gate is open: say what lies in the chamber when it is shut" if open_ else ""

    def _learn_setting(self) -> None:
        """Give the interlocks another table when a constant or a bottle has changed."""
        setting = setting_of(self.tool.config, self.registers, self._chemistry)
        if setting != self._setting:
            self._setting, self._limits = setting, limits_of(setting)
            self.guard.rebuild(setting)
        self._look_at_limits()

    @property
    def limits(self) -> tuple[str, bool]:
        """The name of the limits as they are now, and whether the owner has signed for them."""
        return self._limits, limits_confirmed(self.registers, self._limits)

    def _look_at_limits(self) -> None:
        """Row K15: whether the owner has signed for the limits as they are now."""
        self._machine.limits_confirmed = limits_confirmed(self.registers, self._limits)

    async def _do_valve_replaced(self, request: c.ValveReplaced, who: c.Principal) -> c.Reply:
        quiet = self.state in ("IDLE", "FAULT") and not self._job and not self._busy
        now = self._busy or f"the state is {self.state}" + " with a run in hand" * bool(self._job)
        return await valve_replaced(self.ledger, request, who, "" if quiet else now)

    async def _do_pulses_anew(self, request: c.PulsesAnew, who: c.Principal) -> c.Reply:
        return pulses_anew(self.pulses, request)

    async def _do_remote(self, request: c.Remote, who: c.Principal) -> c.Reply:
        self.remote = request.enable
        return yes("start, resume and reset are open to the remote door" if self.remote else "the tool is local")

    # --- running ---------------------------------------------------------------------------------------------------

    async def _do_start(self, request: c.Start, who: c.Principal) -> c.Reply:
        text = self.recipes.get(request.name)
        if text is None:
            return no("no-such-recipe", f"no recipe '{request.name}' has been uploaded")
        refusal = self._not_ready()
        if refusal:
            return refusal
        self._busy = "checking a recipe"
        try:
            result = await self._check(self._check_request(request.name, text, request.parameters))
            if result["problems"]:
                return no("recipe-refused", "\n".join(result["problems"]), problems=result["problems"])
            plan = self._planned(result)
            # the world may have moved while the check ran
            refusal = self._not_ready(checking=True) or self._too_fine(plan)
            return refusal or await self._begin(request.name, plan, text, who)
        finally:
            self._busy = ""

    def _not_ready(self, checking: bool = False) -> c.Reply | None:
        if self.state != "IDLE" or (self._busy and not checking):
            return no("misplaced", f"'start' does not fit the state {self.state}{self._busy and ', ' + self._busy}")
        if self._job:
            return no("misplaced", "the record of the run before is still being closed")
        if self.guard.latched:
            return no("latched", f"reset first: {self.guard.why_latched}")
        if held := self._engine_held():
            return no("engine-held", held)
        if self.tool.absent:
            told = "; ".join(f"{a.device}: {a.why}" for a in self.tool.absent)
            return no("device-absent", f"not every device is present: {told}")
        if not self.guard.may_start:
            return no("blocked", f"an interlock blocks the start: {self.guard.why_blocked}")
        return None

    def _too_fine(self, plan: Plan) -> c.Reply | None:
        """Without real-time priority a short pulse would be a guess."""
        if self.degraded and 0 < plan.shortest_dose_ns < PULSE_FLOOR_DEGRADED_S * 1e9:
            shortest = f"{plan.shortest_dose_ns / 1e6:g} ms"
            return no("degraded-timing", f"degraded timing: pulses under 200 ms are refused, and this has {shortest}")
        return None

    async def _begin(self, name: str, plan: Plan, text: str, who: c.Principal) -> c.Reply:
        now_s = asyncio.get_running_loop().time()
        header = header_for(
            plan, self.tool.file, who=who.name, door=who.door, simulated=self._simulated,
            degraded_timing=self.degraded, valve_timing=self.timing,
            anchor=stamp.anchor(now_s, stamp.VIRTUAL if self._inline else None),
        )  # fmt: skip
        papers = Papers(plan, text, self.tool.file.text, self.registers.dump())
        try:
            journal = await RunJournal.create(self.runs_dir, header=header, papers=papers, inline=self._inline)
        except (OSError, JournalError) as error:
            return no("no-record", f"a run that cannot be recorded is not started: {error}")
        if refusal := self._not_ready(checking=True):  # the disk took its time
            await journal.close("aborted", {"why": refusal.text})
            return refusal
        self._idle = follow(self._idle, "start")
        self.guard.end_safing("a run")
        self.tool.isolate(False)  # now, and not in its first segment: that belongs to one state of the chamber
        run = Run(journal.run, plan, self.tool, journal, self.guard.note, self._machine.journal_failed)
        job = self._job = _Job(run, journal, None, now_s, who.door, self.ledger.actuations, name)
        self.ended.clear()
        self.tool.on_reading = journal.reading
        job.task = self._spawn(self._work(job), f"run {run.name}")
        return yes(f"run {run.name} has begun", run=run.name, folder=str(journal.folder))

    async def _work(self, job: _Job) -> None:
        """The run's task; abort is its cancellation, and then `_abort` writes the end."""
        job.ending = await job.run.execute()
        self._idle = "IDLE"
        await self._close(job, job.ending)
        self._make_report(job)

    async def _close(self, job: _Job, ending: Ending) -> None:
        self.tool.on_reading = None
        await self._record_end(job, ending)
        status = self.run_status()
        self._job, self._machine.recipe_edited = None, False
        if status is not None:
            done = {"ending": ending, "cycle": job.run.progress.cycles_done}
            self.last = status.model_copy(update=done)

    def _make_report(self, job: _Job) -> None:
        """In a task of its own: nothing that concerns the tool waits for a report."""
        self._spawn(self._reported_last(job), f"report {job.run.name}")

    async def _reported_last(self, job: _Job) -> None:
        report = await self._reported(job.journal.folder)
        if self.last is not None and self.last.run == job.run.name:
            self.last = self.last.model_copy(update={"report": str(report) if report else ""})
            self.ended.set()

    async def _record_end(self, job: _Job, ending: Ending) -> None:
        """Once, and to its end, whoever is in a hurry."""
        if job.recorded:
            return
        job.recorded = True
        try:
            await uncancellable(job.journal.close(ending, self._summary(job, ending)))
        except JournalError as error:
            self.guard.note(f"the end of run {job.run.name} could not be written: {error}")

    async def _reported(self, folder: Path) -> Path | None:
        try:
            return await self._report(folder)
        except Exception as error:  # a report that cannot be made is a note, never the end of the daemon
            self.guard.note(f"no report of {folder.name}: {error}")
            return None

    def _summary(self, job: _Job, ending: Ending) -> dict[str, object]:
        p = job.run.progress
        trips = [cause.row for cause in self.guard.state.latched if cause.row != "K5"]
        return {
            "ending": ending, "cycles": p.cycles_done, "doses": p.confirmed, "doses_planned": p.planned,
            "doses_missed": p.missed, "thickness_nm": job.run.plan.thickness_nm, "trips": trips,
            "actuations": self.ledger.since(job.moved),
        }  # fmt: skip

    async def _do_pause(self, request: c.Pause, who: c.Principal) -> c.Reply:
        run = self._running("pause")
        run.pause(now=request.now)
        return yes("paused at once" if request.now else "pauses after this turn")

    async def _do_resume(self, request: c.Resume, who: c.Principal) -> c.Reply:
        run = self._running("resume")
        follow(run.state, "resume")
        if self.guard.latched:
            return no("latched", f"reset first: {self.guard.why_latched}")
        self.tool.valves.clear()
        run.resume()
        return yes("goes on")

    async def _do_stop(self, request: c.Stop, who: c.Principal) -> c.Reply:
        run = self._running("stop")
        if run.state == "PAUSED":
            if self.guard.latched:
                return no("latched", f"reset first: {self.guard.why_latched}")
            self.tool.valves.clear()
        run.stop()
        return yes("ends after this turn, then the recipe's finish")

    def _running(self, verb: str) -> Run:
        if self._job is None:
            raise Misplaced(f"'{verb}' does not fit the state {self.state}: nothing is running")
        return self._job.run

    async def _do_reset(self, request: c.Reset, who: c.Principal) -> c.Reply:
        if self.state == "ABORTING":
            return no("misplaced", "the tool is being made safe; reset when that is done")
        if not (self._job and self.guard.latched):  # an expired hold leaves its latch to a run that goes on
            follow(self.state, "reset")
        try:
            self.guard.reset(who.role, request.reason)
        except ResetRefused as error:
            return no("reset-refused", ". ".join(filter(None, (str(error), self._watchdog_acted()))))
        self._safety.was_reset(request, who)
        self.tool.look_again()
        if self._job is None:
            self._idle = follow(self._idle, "reset")
            self.tool.valves.clear()
            await asyncio.sleep(STATUS_S)
            if held := self._engine_held():
                return no("engine-held", held)
        return yes(f"the latch is cleared; the state is {self.state}")

    def _engine_held(self) -> str:
        """Why the valve engine still refuses segments, or ""."""
        status = self.tool.valves.status
        return f"the valve engine stays held: {status.held}" if status and status.held else ""

    def _watchdog_acted(self) -> str:
        """What to do about a module that has shut its outputs by itself, or ""."""
        status = self.tool.valves.status
        if status is None or status.armed:
            return ""
        return "The module's watchdog has acted: find out why, then restart the controller, which arms it again"

    async def interrupted(self) -> None:
        """The daemon ends: a run in hand is closed as interrupted."""
        job = self._job
        if job is not None:
            await _cancelled(job.task)
            if self._job is job:
                await self._close(job, job.ending or "interrupted")

    def tell(self, kind: str, **fields: object) -> None:
        """Write something into the record of the run in hand."""
        if self._job:
            self._job.journal.event(kind, **fields)

    def note(self, text: str) -> None:
        """Something that a person should see and no rule covers."""
        self.guard.note(text)

    async def _settled(self) -> None:
        """Until nothing is being made safe."""
        if self._aborting is not None:
            await asyncio.wait({self._aborting})

    def tell_run(self, run: str, kind: str, **fields: object) -> None:
        """The same, of a run that may be over."""
        if self._job and self._job.run.name == run:
            self.tell(kind, **fields)

    # --- abort -----------------------------------------------------------------------------------------------------

    async def _do_abort(self, request: c.Abort, who: c.Principal) -> c.Reply:
        self.abort(f"aborted by {who.name}{': ' + request.why if request.why else ''}", "aborted")
        return yes("valves are shut; the tool goes to its safe state")

    def abort(self, why: str, ending: Ending) -> None:
        """Valves at once, the rest in a task of its own; a second abort while one is under way only shuts again."""
        self.tool.valves.abort(why)
        self.guard.latch_abort(why, self.run.name if self.run else "")
        if self._aborting is None or self._aborting.done():
            self._aborting = self._spawn(self._abort(why, ending), "abort")

    def hold(self, why: str) -> None:
        """Rest at once and wait for an operator; without a run there is nothing to hold but the engine."""
        self.tool.valves.hold(why)
        if self._job and self._job.run.state in ("SETTING_UP", "READY"):
            self.abort(why, "tripped")
        elif self._job:
            self._job.run.hold(why)

    async def _abort(self, why: str, ending: Ending) -> None:
        job = self._job if self._job and self._job.run.state != "IDLE" else None  # a run that has ended keeps its end
        if job is not None:
            job.ending = ending
            job.run.move("abort")
            job.journal.event("abort", why=why)
            await _cancelled(job.task)
        else:
            self._idle = follow(self._idle, "abort")
        report = await self._made_safe(why)
        if job is not None:
            for line in report:
                job.journal.event("safe", what=line.what, ok=line.ok, after_s=line.after_s, detail=line.detail)
            job.run.move("safe")
        self._idle = "FAULT"
        if job is not None:
            await self._close(job, ending)
            self._make_report(job)

    async def _made_safe(self, why: str) -> list[Confirmed]:
        """The safe state for what the chamber is open to, also when that changes meanwhile."""
        while True:
            purge = self.guard.purge_is_safe
            report = await self.tool.safe(why, purge=purge)
            if not purge or self.guard.purge_is_safe:
                return report


async def _cancelled(task: asyncio.Task[None] | None) -> None:
    """Cancel and wait; a run's own error is reported by its task, not here."""
    if task is not None and not task.done():
        task.cancel()
        await asyncio.wait({task})
