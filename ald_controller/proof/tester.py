"""The proof test on the live tool: simulated inputs into the guard, and the final elements read back.

The console hands on the verbs that concern it. `lines` says what there is to show, `search` finds what trips
it, `live` drives one line. Heaters stay unasked: the contactor of the lithium zones is closed for a line that has
to open it, behind instruments that give no power.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from importlib import metadata
from itertools import groupby
from typing import Any, Protocol

from ald_controller import commands as c
from ald_controller import interlocks as il
from ald_controller import stamp
from ald_controller.consoleparts import ConsoleParts, Spawn, no, yes
from ald_controller.interlocks.fingerprint import limits_hash
from ald_controller.interlocksetting import setting_of
from ald_controller.proof import lines as pt
from ald_controller.proof.drive import Drive, Scene, silence, together
from ald_controller.proof.live import AFTER_S, Driven, Ended, LiveLine
from ald_controller.proof.search import search
from ald_controller.proof.signing import Signing
from ald_controller.records.certificates import Certificates
from ald_controller.states import ProcessState
from drivers.base import DriverError

RESET_S = 150.0  # windows of a minute, a value that has to be clear for ten seconds, and some more
PERSON_S = 120.0  # how long a person is waited for
SILENT_S = 40.0  # the greatest age of any sample, and some more
BUTTON = "Press the confirm button at the tool."


class Bench(Protocol):
    """The console, as far as a proof test needs it."""

    @property
    def state(self) -> ProcessState: ...

    def occupy(self, why: str) -> None: ...
    async def handle(self, request: c.Request, who: c.Principal) -> c.Reply: ...


@dataclass(slots=True)
class Progress:
    """Where a proof test is; `ask` is what a person at the tool has to do now."""

    running: bool = False
    done: int = 0
    of: int = 0
    now: str = ""
    ask: str = ""
    results: list[pt.Result] = field(default_factory=list)
    certificate: dict[str, Any] | None = None
    ended: str = ""  # why it ended before its end

    def shown(self) -> dict[str, Any]:
        return {
            "running": self.running, "done": self.done, "of": self.of, "now": self.now, "ask": self.ask,
            "lines": [each.shown() for each in self.results], "certificate": self.certificate, "ended": self.ended,
        }  # fmt: skip


class ProofTester:
    """One proof test at a time; `progress` stays until the next one."""

    def __init__(self, parts: ConsoleParts, bench: Bench, spawn: Spawn) -> None:
        self._tool, self._guard, self._bench, self._spawn = parts.tool, parts.guard, bench, spawn
        self._registers, self._chemistry, self._simulated = parts.registers, parts.chemistry, parts.simulated
        self._signing = Signing(parts.registers, parts.audit, parts.guard.note, parts.simulated)
        self.certificates = Certificates(parts.state_dir)
        self._tell_cut()
        self.progress = Progress()
        self._live = LiveLine(parts.tool, parts.guard)
        self._who: c.Principal
        self._hints: dict[object, int] = {}
        self._undriven: list[tuple[str, str]] = []

    def _tell_cut(self) -> None:
        """A test that the controller before this one did not end has its certificate, and people hear of it."""
        try:
            cut = self.certificates.close_cut()
        except OSError as error:
            self._guard.note(f"a proof test was cut, and its certificate could not be written: {error}")
            return
        if cut:
            self._guard.note(f"proof test {cut} was cut by the end of the controller: make it again")

    @property
    def told(self) -> str:
        """The line in hand, for screens; "" when no proof test goes on."""
        progress = self.progress
        return f"line {progress.done + 1} of {progress.of}: {progress.now[:80]}" if progress.running else ""

    # --- what a person asks ----------------------------------------------------------------------------------------

    async def _do_proof_test_progress(self, request: c.GetProofTest, who: c.Principal) -> c.Reply:
        return yes(
            "a proof test goes on" if self.progress.running else "no proof test goes on", **self.progress.shown()
        )

    async def _do_proof_tests(self, request: c.GetProofTests, who: c.Principal) -> c.Reply:
        listed = self.certificates.listed()
        return yes(f"{len(listed)} certificates", certificates=listed)

    async def _do_proof_test(self, request: c.ProofTest, who: c.Principal) -> c.Reply:
        """Start it, or say everything that is against it."""
        if why := self._why_not(request):
            return no("proof-refused", "; ".join(why))
        try:
            self.certificates.begin(head := self._head(request, who))
        except OSError as error:
            return no("proof-refused", f"a proof test that cannot be recorded is not begun: {error}")
        self._who, self.progress = who, Progress(running=True)
        self._bench.occupy("a proof test goes on")
        self._spawn(self._work(request, head), "proof test")
        return yes("the proof test has begun; `ald abort` ends it")

    def _head(self, request: c.ProofTest, who: c.Principal) -> dict[str, Any]:
        """What a certificate says of its test from the beginning."""
        return {
            "tool": self._tool.config.tool, "began": stamp.iso(stamp.utc_now()), "by": who.name,
            "software": metadata.version("ald-controller"), "simulated": self._simulated,
            "limits": limits_hash(self._guard.rules), "rows": request.rows,
        }  # fmt: skip

    def _why_not(self, request: c.ProofTest) -> list[str]:
        unknown = ", ".join(f"'{row}'" for row in request.rows if row not in il.MATRIX)
        if unknown:
            return [f"there is no row {unknown}; there are {', '.join(il.MATRIX)}"]
        if self.progress.running:
            return ["a proof test goes on already"]
        if self._bench.state != "IDLE":
            return [f"the state is {self._bench.state}: a proof test needs an idle tool without a run"]
        guard, tool = self._guard, self._tool
        out = [f"reset first: {guard.why_latched}"] if guard.latched else []
        out += [f"row {b.row} is bypassed" for b in guard.state.bypasses]
        out += [f"{a.device} is absent: {a.why}" for a in tool.absent]
        if tool.chamber.state != "VACUUM":
            out.append(
                f"the chamber is {tool.chamber.state}: under proven vacuum both ways of an abort can be told apart"
            )
        zones = tool.config.zones
        celsius, goals = {z: tool.temperature_c(z) for z in zones}, {z: tool.heaters.goal_c(z) for z in zones}
        return [*out, *pt.why_not(tool.config, celsius, goals)]

    # --- the whole -------------------------------------------------------------------------------------------------

    async def _work(self, request: c.ProofTest, head: dict[str, Any]) -> None:
        loop, flow = asyncio.get_running_loop(), dict(self._tool.asked_sccm)
        began_s = loop.time()
        self._undriven = []
        self._live.begin()
        try:
            await self._lines(request)
        except Ended as why:
            self.progress.ended = str(why)
        finally:
            self._live.leave()
            self._bench.occupy("")
            self.progress.running, self.progress.now, self.progress.ask = False, "", ""
        if not self._guard.latched:
            await self._flow_again(flow)
        self._certify(head, loop.time() - began_s)

    async def _flow_again(self, sccm: dict[str, float]) -> None:
        for device, asked in sccm.items():
            try:
                await self._tool.set_flow(device, asked)
            except DriverError as error:
                self._guard.note(f"after the proof test: {error}")

    async def _lines(self, request: c.ProofTest) -> None:
        setting = setting_of(self._tool.config, self._registers.registers, self._chemistry)
        expected = il.rules_for(setting, self._guard.rules.rows)
        await self._same_table(expected)
        chosen = pt.items(expected, request.rows)
        devices = [] if request.rows else [*self._tool.file.devices, "valves"]
        self.progress.of = len(chosen) + len(devices)
        last = [item for item in chosen if pt.needs_button(item)]
        for _, group in groupby([item for item in chosen if not pt.needs_button(item)], key=lambda item: item.alike):
            await self._group(list(group))
        for device in devices:
            await self._silence(expected, device)
        for item in last:
            await self._group([item])
        if request.hands:
            for item in chosen:
                if (hand := pt.by_hand(item, self._tool.config)) is not None:
                    await self._by_hand(item, hand)
        await self._calm()

    async def _same_table(self, expected: il.RuleSet) -> None:
        """The table that is tested is the one that tool file and registers make, check by check."""
        live, other = self._guard.rules.checks, []
        for n, check in enumerate(expected.checks):
            if n >= len(live) or pt.differs(check, live[n]):
                other.append(check.name)
            await asyncio.sleep(0)
        wrong = f"another than the tool file makes it: {', '.join(other)}" if other else ""
        if len(live) > len(expected.checks):
            wrong = wrong or "the live table has checks that the tool file does not make"
        self._shown(pt.of_table(wrong))

    # --- lines that are alike --------------------------------------------------------------------------------------

    async def _group(self, items: list[pt.Item]) -> None:
        """Drive what is alike at once where that is the same as one by one."""
        await self._calm()
        scene = self._live.scene()
        found = [driven for item in items if (driven := await self._found(item, scene)) is not None]
        left = [(item.check, item.bit, drive) for item, drive in found]
        known = {(id(check), bit): item for (item, _), (check, bit, _) in zip(found, left, strict=True)}
        while left:
            batch = together(left, scene)
            left = [one for one in left if one not in batch]
            await self._drive([(known[id(check), bit], drive) for check, bit, drive in batch])

    async def _found(self, item: pt.Item, scene: Scene) -> Driven | None:
        """How this line is driven; one that cannot be, or that stands in earnest, is listed as not tested."""
        self.progress.now = f"{item.key}: looking for what trips it"
        if self._live.stands(item) and item.level.reaction < il.Reaction.HOLD:
            self._not_driven(item, "it stands in earnest: see the alarms")
            return None
        kind = (type(item.check.measure), item.bit)
        why = "no simulated input trips it"
        try:
            async for number, drive in _gently(search(item.check, item.bit, scene, self._hints.get(kind, 0))):
                if drive is not None:
                    self._hints[kind] = number
                    return item, drive
        except Exception as error:  # a measure that cannot be tried out is a line of the certificate, not an end
            why = f"looking for what trips it failed: {error!r}"
        self._not_found(item, why)
        return None

    def _not_found(self, item: pt.Item, why: str) -> None:
        """Only what the list of excuses has may stay untried: any other line that cannot be driven has failed."""
        if excuse := pt.excuse(item):
            self._not_driven(item, excuse)
            return
        self._shown(pt.judged(item, "it could not be driven", 0, None, why))
        self.progress.done += 1

    def _shown(self, result: pt.Result) -> None:
        self.progress.results.append(result)
        if not result.ok:
            self._signing.failed(result, self._who.name)

    def _not_driven(self, item: pt.Item, why: str) -> None:
        self._undriven.append((item.row, f"{item.key}: {why}"))
        self.progress.done += 1

    async def _drive(self, batch: list[Driven]) -> None:
        """What each of these lines shows; the reset after it is the next line's."""
        await self._calm()
        self.progress.now = ", ".join(item.key for item, _ in batch)
        after = await self._live.drive(batch)
        for item, drive in batch:
            at_s, wrong = after[item.id]
            self._shown(pt.judged(item, str(drive), drive.should_s, at_s, wrong))
        self.progress.done += len(batch)
        await asyncio.sleep(AFTER_S)

    # --- a device that falls silent --------------------------------------------------------------------------------

    async def _silence(self, expected: il.RuleSet, device: str) -> None:
        await self._calm()
        self.progress.now = f"{device} silent: looking for what it trips"
        scene, of = self._live.scene(), pt.reading(expected, device)
        drive = silence([check for _, check in of], device, scene)
        found = None
        if drive is not None:
            async for after_s, state in _gently(scene.run(tuple(check for _, check in of), drive, SILENT_S)):
                if (found := pt.first_trip(of, state, device)) is not None:
                    drive = replace(drive, should_s=after_s)
                    break
        if found is None or drive is None:
            self._undriven.append(("K14", f"{device} silent: no row acts on it"))
            self.progress.done += 1
        else:
            await self._drive([(found, drive)])

    # --- by hand ---------------------------------------------------------------------------------------------------

    async def _by_hand(self, item: pt.Item, hand: pt.Hand) -> None:
        """A person moves the real contact; timed from its first changed sample."""
        self.progress.of += 1
        self.progress.now = f"{item.key} by hand"
        await self._calm()
        await self._live.arm()
        before = self._live.expects(hand.signal)
        if not await self._asked(hand.do, lambda: self._tool.samples[hand.signal].value != before):
            self._undriven.append((item.row, f"{item.key} by hand: nobody did it"))
            self.progress.done += 1
            self._live.expects_no_more()
            return
        began_s = self._tool.samples[hand.signal].at_s
        after = await self._live.watched([(item, Drive((), should_s=item.level.persist_s))], began_s)
        at_s, wrong = after[item.id]
        self._shown(pt.judged(item, f"by hand: {hand.do}", item.level.persist_s, at_s, wrong))
        self.progress.done += 1
        await self._asked(hand.undo, lambda: self._tool.samples[hand.signal].value == before)
        self._live.expects_no_more()

    async def _asked(self, what: str, done: Callable[[], bool]) -> bool:
        """Ask a person and wait; whether it was done."""
        self.progress.ask = what
        try:
            return await self._live.until(done, PERSON_S)
        finally:
            self.progress.ask = ""

    # --- between lines ---------------------------------------------------------------------------------------------

    async def _calm(self) -> None:
        """Nothing latched and nothing left of the line before; raises Ended when the tool has something of its own."""
        self._live.still_ours()
        if self._guard.latched:
            await self._reset()
        self._guard.begin_anew()
        await asyncio.sleep(AFTER_S)

    async def _reset(self) -> None:
        """As a person does it: when the causes are gone, with the button where a row asks for it."""
        loop = asyncio.get_running_loop()
        give_up_s, told = loop.time() + RESET_S, ""
        await self._live.until(lambda: self._bench.state in ("IDLE", "FAULT"), RESET_S)
        while loop.time() < give_up_s:
            self._live.still_ours()
            reply = await self._bench.handle(c.Reset(reason="proof test"), self._who)
            if reply.ok:
                self.progress.ask = ""
                return
            told = reply.text
            self.progress.ask = BUTTON if told.endswith(pt.NEEDS_BUTTON) else ""
            await asyncio.sleep(1.0)
        raise Ended(f"the tool could not be reset: {told}")

    # --- the certificate -------------------------------------------------------------------------------------------

    def _certify(self, head: dict[str, Any], took_s: float) -> None:
        progress, by = self.progress, self._who.name
        complete = not head["rows"] and not progress.ended
        passed = not progress.ended and bool(progress.results) and all(r.ok for r in progress.results)
        untried = (*self._undriven, *pt.not_tested(self._guard.rules))
        body = head | {
            "took_s": round(took_s, 1), "complete": complete, "ended": progress.ended, "passed": passed,
            "lines": [each.shown() for each in progress.results],
            "not_tested": [{"row": row, "why": why} for row, why in untried],
        }  # fmt: skip
        try:
            progress.certificate = self.certificates.write(body)
        except OSError as error:
            self._guard.note(f"the certificate of the proof test could not be written: {error}")
            return
        if complete:
            self._signing.whole(progress.certificate["name"], progress.results, by)
        else:
            self._signing.some(progress.results, by)


async def _gently(work: Iterator[Any]) -> AsyncIterator[Any]:
    """The same, one after another, with room for other work in between."""
    for one in work:
        await asyncio.sleep(0)
        yield one
