"""Hostile recipes through the console: each is answered in words, and the controller goes on as it was."""

from __future__ import annotations

from pathlib import Path

from ald_controller import commands as c
from tests.recipe_fuzz import EVERY_VERB, HOSTILE, PLACE
from tests.run.rig import Rig, virtually

NAMES = (
    "nothing", "a terminal's commands", "tabs", "ten thousand brackets", "a billion laughs", "a number of 4,000 digits",
    "everything is nothing", "everything is a list", "a name of 300 characters", "a thousand million cycles",
    "twenty thousand keys of one name",
)  # fmt: skip


@virtually
async def test_a_controller_answers_hostile_recipes_and_stays_idle(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        await rig.proven()
        for name in NAMES:
            await rig.do(c.Upload(name="hostile", text=HOSTILE[name]().decode()))
            for request in (c.Check(name="hostile"), c.Start(name="hostile")):
                reply = await rig.ask(request)
                assert not reply.ok and reply.code == "recipe-refused", (name, reply)
                assert all(PLACE.match(line) and line.isprintable() for line in reply.text.splitlines())
            assert rig.state == "IDLE" and not rig.latched
        await rig.do(c.Upload(name="good", text=EVERY_VERB))
        await rig.do(c.Check(name="good"))
