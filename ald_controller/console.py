"""What a person or a script can make the tool do: one method per request, one answer each. Knows no transport."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ald_controller import commands as c
from ald_controller import stamp
from ald_controller.consoleparts import ConsoleParts, Spawn, no, yes
from ald_controller.extenddesk import ExtendDesk
from ald_controller.gatedesk import GateDesk
from ald_controller.interlocks import Facts, ResetRefused
from ald_controller.job import Job
from ald_controller.journal import JournalError
from ald_controller.plan import Plan
from ald_controller.proof.tester import ProofTester
from ald_controller.recipedesk import Checked, RecipeDesk
from ald_controller.records.folder import Papers, header_for
from ald_controller.records.journal import RunJournal
from ald_controller.registerdesk import RegisterDesk
from ald_controller.registers import Registers
from ald_controller.safetydesk import SafetyDesk
from ald_controller.sequencer import Run
from ald_controller.states import Ending, Misplaced, ProcessState, follow
from ald_controller.statusview import status_of
from ald_controller.tool import Confirmed
from ald_controller.valves.timing import Timing
from ald_controller.weardesk import WearDesk

PULSE_FLOOR_DEGRADED_S = 0.2
STATUS_S = 0.25  # the valve process says how it is ten times a second


class Console:
    """Answers requests and owns the run in hand. Roles have been checked by the door's desk before."""

    def __init__(self, parts: ConsoleParts, spawn: Spawn) -> None:
        self.tool, self.guard = parts.tool, parts.guard
        self.ledger, self.clearing = parts.ledger, parts.clearing
        self._register_file, self._machine = parts.registers, parts.machine
        self.runs_dir = parts.state_dir / "runs"
        self._report, self._runs, self._spawn = parts.report, parts.runs, spawn
        self._inline, self._simulated = parts.inline, parts.simulated
        self.recipes = RecipeDesk(parts, self._uploaded)
        self._known = RegisterDesk(parts, self._unchanging)
        self._safety = SafetyDesk(self.guard, self._known, self)
        self.gate = GateDesk(
            self.guard.keeper, parts.registers, parts.chemistry, parts.audit, self, spawn, self._settled,
            lambda: self.clearing.state.missing,
        )  # fmt: skip
        self.proof = ProofTester(parts, self, spawn)
        wear = WearDesk(parts, self._in_use)
        extend = ExtendDesk(self.recipes, lambda: self._job)
        self._desks = (self, self.recipes, self._known, self._safety, self.gate, self.proof, wear, extend)
        self._about, self._found = Facts(), tuple[object, ...]()  # and what it was made of
        self._idle: ProcessState = "IDLE"
        self._busy = ""
        self._job: Job | None = None
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

    def _unchanging(self) -> str:
        """While what, or during what, registers stay as they are now, or ""."""
        return f"while {self._busy}" if self._busy else "during a run" * bool(self._job)

    def _in_use(self) -> str:
        """What uses the tool now, or ""."""
        if self.state in ("IDLE", "FAULT") and not self._job and not self._busy:
            return ""
        return self._busy or f"the state is {self.state}" + " with a run in hand" * bool(self._job)

    def _uploaded(self, name: str, digest: str) -> None:
        """The run keeps the text that it began with (K11)."""
        if self._job and self._job.asked.name == name:
            self._machine.recipe_edited = digest != self._job.run.plan.recipe_hash

    # --- the seam to doors -----------------------------------------------------------------------------------------

    async def handle(self, request: c.Request, who: c.Principal) -> c.Reply:
        """Do what was asked, or say why not; never raises for a reason that a person can mend."""
        name = "_do_" + request.verb.replace("-", "_")
        act = next(found for desk in self._desks if (found := getattr(desk, name, None)))
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
        """What the interlocks cannot find out, lithium by the load register alone; one object while nothing is new."""
        run, registers, pyrophoric = self.run, self.registers, self._known.pyrophoric
        step, part = (run.doing, run.progress.part) if run else ("", "")
        found = self.state, registers, pyrophoric, step, part
        if found != self._found:
            facts = Facts(self.state, lithium=registers.is_lithium, pyrophoric=pyrophoric, step=step, part=part)
            self._found, self._about = found, facts
        return self._about

    def run_status(self) -> c.RunStatus | None:
        return self._job.status(asyncio.get_running_loop().time()) if self._job else None

    # --- looking ---------------------------------------------------------------------------------------------------

    async def _do_status(self, request: c.GetStatus, who: c.Principal) -> c.Reply:
        return yes("as it is now", **self.status().model_dump(mode="json"))

    async def _do_runs(self, request: c.GetRuns, who: c.Principal) -> c.Reply:
        rows = await self._runs()
        return yes(f"{len(rows)} runs", runs=rows)

    async def _do_watch(self, request: c.Watch, who: c.Principal) -> c.Reply:
        return no("wrong-door", "watching is a stream: only the local door has it")

    async def _do_remote(self, request: c.Remote, who: c.Principal) -> c.Reply:
        self.remote = request.enable
        return yes(
            "start, resume, extend and reset are open to the remote door" if self.remote else "the tool is local"
        )

    # --- running ---------------------------------------------------------------------------------------------------

    async def _do_start(self, request: c.Start, who: c.Principal) -> c.Reply:
        refusal = self.recipes.unknown(request.name) or self._not_ready()
        if refusal:
            return refusal
        self._busy = "checking a recipe"
        try:
            checked = await self.recipes.checked(request.name, request.parameters)
            if isinstance(checked, c.Reply):
                return checked
            # the world may have moved while the check ran
            refusal = self._not_ready(checking=True) or self._too_fine(checked.plan)
            return refusal or await self._begin(checked, who)
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

    async def _begin(self, checked: Checked, who: c.Principal) -> c.Reply:
        now_s, plan = asyncio.get_running_loop().time(), checked.plan
        header = header_for(
            plan, self.tool.file, who=who.name, door=who.door, simulated=self._simulated,
            degraded_timing=self.degraded, valve_timing=self.timing,
            anchor=stamp.anchor(now_s, stamp.VIRTUAL if self._inline else None),
        )  # fmt: skip
        papers = Papers(plan, checked.text, self.tool.file.text, self.registers.dump())
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
        job = self._job = Job(run, journal, now_s, self.ledger.actuations, checked.asked)
        self.ended.clear()
        self.tool.on_readings = journal.readings
        job.task = self._spawn(self._work(job), f"run {run.name}")
        return yes(f"run {run.name} has begun", run=run.name, folder=str(journal.folder))

    async def _work(self, job: Job) -> None:
        """The run's task; abort is its cancellation, and then `_abort` writes the end."""
        job.ending = await job.run.execute()
        self._idle = "IDLE"
        await self._close(job, job.ending)
        self._make_report(job)

    async def _close(self, job: Job, ending: Ending) -> None:
        self.tool.on_readings = None
        await self._record_end(job, ending)
        status = self.run_status()
        self._job, self._machine.recipe_edited = None, False
        if status is not None:
            done = {"ending": ending, "cycle": job.run.progress.cycles_done}
            self.last = status.model_copy(update=done)

    def _make_report(self, job: Job) -> None:
        """In a task of its own: nothing that concerns the tool waits for a report."""
        self._spawn(self._reported_last(job), f"report {job.run.name}")

    async def _reported_last(self, job: Job) -> None:
        report = await self._reported(job.journal.folder)
        if self.last is not None and self.last.run == job.run.name:
            self.last = self.last.model_copy(update={"report": str(report) if report else ""})
            self.ended.set()

    async def _record_end(self, job: Job, ending: Ending) -> None:
        trips = [cause.row for cause in self.guard.state.latched if cause.row != "K5"]
        try:
            await job.record_end(ending, trips, self.ledger.since(job.moved))
        except JournalError as error:
            self.guard.note(f"the end of run {job.run.name} could not be written: {error}")

    async def _reported(self, folder: Path) -> Path | None:
        try:
            return await self._report(folder)
        except Exception as error:  # a report that cannot be made is a note, never the end of the daemon
            self.guard.note(f"no report of {folder.name}: {error}")
            return None

    async def _do_pause(self, request: c.Pause, who: c.Principal) -> c.Reply:
        run = self._running("pause")
        if request.now and request.at:
            return no("bad-request", "'now' is at once and 'at' after a turn: one of them")
        run.pause(now=request.now, at=request.at)
        return yes("paused at once" if request.now else f"pauses after this turn{request.of_which}")

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
        paused = run.state == "PAUSED"
        if paused and self.guard.latched:
            return no("latched", f"reset first: {self.guard.why_latched}")
        run.stop(request.at)
        if paused:
            self.tool.valves.clear()
        return yes("goes to the recipe's finish at once" if paused else
                   f"ends after this turn{request.of_which}, then the recipe's finish")  # fmt: skip

    def _running(self, verb: str) -> Run:
        if self._job is None:
            raise Misplaced(f"'{verb}' does not fit the state {self.state}: nothing is running")
        return self._job.run

    async def _do_reset(self, request: c.Reset, who: c.Principal) -> c.Reply:
        if self.state == "ABORTING":
            return no("misplaced", "the tool is being made safe; reset when that is done")
        if not (self._job and self.guard.latched):  # an expired hold leaves its latch to a run that goes on
            follow(self.state, "reset")
        latched, accepted = self.guard.latched, self.tool.accept_others()
        try:
            self.guard.reset(who.role, request.reason)
        except ResetRefused as error:
            return no("reset-refused", ". ".join(filter(None, (str(error), accepted, self._watchdog_acted()))))
        self._safety.was_reset(request, who)
        self.tool.look_again()
        if self._job is None:
            self._idle = follow(self._idle, "reset")
            self.tool.valves.clear()
            await asyncio.sleep(STATUS_S)
            if held := self._engine_held():
                return no("engine-held", held)
        return yes(f"{'the latch is cleared' if latched else 'nothing was latched'}; the state is {self.state}")

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
            await job.cancelled()
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
        self.guard.leave_test("an abort")
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
            await job.cancelled()
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
            purge, told = self.guard.purge_is_safe, self.guard.told_abort
            report = await self.tool.safe(why, purge=purge)
            same = told is self.guard.told_abort  # it is another where one in earnest has come behind a proof test's
            if same and (not purge or self.guard.purge_is_safe):
                return report
