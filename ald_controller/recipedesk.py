"""What a person wants to have run: recipes as they were uploaded, and what a check finds in them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ald_controller import commands as c
from ald_controller.consoleparts import CheckRequest, ConsoleParts, no, yes
from ald_controller.plan import PLAN, Plan


class Recipes:
    """Uploaded recipes by name, immutable by content: what runs is a copy that nobody edits."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def put(self, name: str, text: str) -> str:
        """Keep a recipe; returns its SHA-256."""
        data = text.encode()
        digest = hashlib.sha256(data).hexdigest()
        (self._folder / f"{digest}.yaml").write_bytes(
            data
        )  # with the line ends that it came with, as its hash has them
        (self._folder / f"{name}.name").write_text(digest, "ascii")
        return digest

    def get(self, name: str) -> str | None:
        """The newest text under this name, or None."""
        try:
            digest = (self._folder / f"{name}.name").read_text("ascii")
            return (self._folder / f"{digest}.yaml").read_bytes().decode()
        except FileNotFoundError:
            return None


@dataclass(frozen=True, slots=True)
class Checked:
    """A recipe without a problem: its text, its plan, and how often each output of the valves will move."""

    text: str
    plan: Plan
    actuations: dict[str, int]
    asked: CheckRequest


class RecipeDesk:
    """Answers what concerns recipes alone; `uploaded` hears the name and the SHA-256 of every one that is kept."""

    def __init__(self, parts: ConsoleParts, uploaded: Callable[[str, str], None]) -> None:
        self.kept = Recipes(parts.state_dir / "recipes")
        self._tool, self._file, self._ledger, self._check = parts.tool, parts.registers, parts.ledger, parts.check
        self._uploaded = uploaded

    async def _do_upload(self, request: c.Upload, who: c.Principal) -> c.Reply:
        """Keep a recipe under its name."""
        digest = self.kept.put(request.name, request.text)
        self._uploaded(request.name, digest)
        return yes(f"{request.name} is kept as {digest[:12]}", sha256=digest)

    async def _do_check(self, request: c.Check, who: c.Principal) -> c.Reply:
        """What the recipe would do here and now, or everything that is wrong with it."""
        checked = await self.checked(request.name, request.parameters)
        if isinstance(checked, c.Reply):
            return checked
        plan = checked.plan
        told = {
            "cycles": plan.cycles, "doses": plan.doses, "duration_s": plan.duration_s, "film": plan.film,
            "thickness_nm": plan.thickness_nm, "warnings": plan.warnings, "parameters": plan.parameters,
            "actuations": checked.actuations,
        }  # fmt: skip
        took = f"{plan.cycles} cycles, {plan.doses} doses, about {plan.duration_s / 60:.0f} min"
        return yes("\n".join([f"no problems: {took}", *plan.warnings]), **told)

    def unknown(self, name: str) -> c.Reply | None:
        """The refusal of a name under which nothing was uploaded, or None."""
        return _unknown(name) if self.kept.get(name) is None else None

    async def checked(self, name: str, parameters: dict[str, str]) -> Checked | c.Reply:
        """The newest recipe of this name, held against the tool as it is now, or the refusal."""
        text = self.kept.get(name)
        if text is None:
            return _unknown(name)
        asked = self._request(name, text, parameters)
        result = await self._check(asked)
        if result["problems"]:
            return _refused(result)
        return Checked(text, self._planned(result), result["actuations"], asked)

    async def checked_again(self, asked: CheckRequest, moved: Mapping[str, int]) -> Plan | c.Reply:
        """The plan of a run's own recipe with more turns, by the registers as they are now, or the refusal.

        `moved` are the actuations by output when the run began: its valves have made some of its moves already.
        A bottle that would not last refuses it: a start may be dared with one that somebody has not weighed right.
        """
        result = await self._check(replace(asked, registers=self._file.registers.dump()))
        if result["problems"]:
            return _refused(result)
        if short := [f["message"] for f in result["findings"] if f["code"] == "bottle"]:
            return no("bottle-short", "\n".join(short))
        made = self._ledger.since(moved)
        ahead = {name: max(0, n - made.get(name, 0)) for name, n in result["actuations"].items()}
        return self._planned(result | {"actuations": ahead})

    def _request(self, name: str, text: str, parameters: dict[str, str]) -> CheckRequest:
        now_c = {zone: t for zone in self._tool.config.zones if (t := self._tool.temperature_c(zone)) is not None}
        return CheckRequest(name, text, parameters, self._file.registers.dump(), now_c)

    def _planned(self, result: dict[str, Any]) -> Plan:
        """The plan of a check that found no problem, with a warning for every valve that it brings near its service."""
        plan = PLAN.validate_python(result["plan"])
        return replace(plan, warnings=(*plan.warnings, *self._ledger.adds(result["actuations"])))


def _refused(result: dict[str, Any]) -> c.Reply:
    return no("recipe-refused", "\n".join(result["problems"]), problems=result["problems"])


def _unknown(name: str) -> c.Reply:
    return no("no-such-recipe", f"no recipe '{name}' has been uploaded")
