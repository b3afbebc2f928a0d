"""More turns for a run that goes on: asked for, checked as a start is, on record before they count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ald_controller import commands as c
from ald_controller.consoleparts import no, yes
from ald_controller.job import Job
from ald_controller.journal import JournalError
from ald_controller.plan import Plan
from ald_controller.recipedesk import RecipeDesk
from ald_controller.records.folder import Extension, counted
from ald_controller.states import Misplaced
from ald_controller.walk import Running, same_steps, with_turns


class ExtendDesk:
    """Answers `extend`. `job` is the run in hand, or None."""

    def __init__(self, recipes: RecipeDesk, job: Callable[[], Job | None]) -> None:
        self._recipes, self._job = recipes, job

    async def _do_extend(self, request: c.Extend, who: c.Principal) -> c.Reply:
        """Add turns to a repeat that is going on; raises Misplaced where none is."""
        job = self._job()
        if job is None:
            raise Misplaced("'extend' fits a run, and nothing is running")
        if request.run != job.run.name:
            return no("misplaced", f"the run in hand is {job.run.name}, not {request.run}")
        before, found = job.run.plan, job.run.extendable(request.of)
        more = _added(job.more, found, request.turns)
        result = await self._recipes.checked_again(replace(job.asked, more=more), job.moved)
        if isinstance(result, c.Reply):
            return result
        if not same_steps(result, with_turns(before, found, request.turns)):
            return no("plan-changed", _OTHER.format(turns=counted(request.turns), name=found.repeat.name))
        told = Extension(
            job.journal.now_s, who.name, found.repeat.name, request.turns, found.repeat.times + request.turns,
            tuple(warning for warning in result.warnings if warning not in before.warnings),
        )  # fmt: skip
        self._still(job, before, found)  # the run went on while the check ran
        try:
            await job.journal.decided("extend", repeat=told.repeat, turns=told.turns, times=told.times, by=told.by)
            self._still(job, before, found)
        except (JournalError, Misplaced) as error:  # the event is on record, or will be once the disk takes it
            job.journal.event("extend dropped", repeat=told.repeat, turns=told.turns, why=str(error))
            if isinstance(error, Misplaced):
                raise
            return no("no-record", f"what cannot be recorded is not begun: {error}")
        await job.extend(result, more, told)
        return yes(_sentence(told, result), **_figures(told, result))

    def _still(self, job: Job, before: Plan, found: Running) -> None:
        """Raises Misplaced unless the run is by the same plan and in the same repeat as when it was looked at."""
        if self._job() is not job or job.run.plan is not before:
            raise Misplaced("'extend' comes too late: meanwhile the run has ended, or was extended by somebody else")
        if job.run.extendable(found.repeat.name).way != found.way:
            raise Misplaced(f"'extend' comes too late: '{found.repeat.name}' has ended meanwhile")


_OTHER = (
    "what would be planned now is not this run with {turns} more of '{name}': since it began the tool file, "
    "a block or the load has changed, or these turns stand in a 'define' or a block that is used twice"
)


def _added(more: dict[tuple[int, int], int], found: Running, turns: int) -> dict[tuple[int, int], int]:
    at = (found.repeat.where.line, found.repeat.where.column)
    return more | {at: more.get(at, 0) + turns}


def _sentence(told: Extension, plan: Plan) -> str:
    """What the run is now, and what is newly to be looked at."""
    whole = f"{plan.cycles} cycles, {plan.doses} doses, about {plan.duration_s / 60:.0f} min in all"
    return "\n".join([f"'{told.repeat}' goes on to {counted(told.times)}: {whole}", *told.warnings])


def _figures(told: Extension, plan: Plan) -> dict[str, object]:
    return {
        "repeat": told.repeat, "times": told.times, "cycles": plan.cycles, "doses": plan.doses,
        "duration_s": plan.duration_s, "thickness_nm": plan.thickness_nm,
    }  # fmt: skip
