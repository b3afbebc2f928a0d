"""What a proof test leaves in the register that the rows read.

A whole test signs for the tool. A line that has failed, in whichever test, stands in the register at once and bars
lithium until the same line has passed, or a whole test has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ald_controller import stamp
from ald_controller.consoleparts import RegisterAudit
from ald_controller.proof.lines import Result
from ald_controller.registers import ProofTest, RegisterFile

NAME = "proof"


@dataclass(frozen=True, slots=True)
class Signing:
    """Writes the register; `note` tells people where that did not succeed."""

    registers: RegisterFile
    audit: RegisterAudit
    note: Callable[[str], None]
    simulated: bool | None

    def failed(self, result: Result, by: str) -> None:
        """At once: a test that is cut afterwards must not lose it. Where nothing is signed for, lithium is barred."""
        old = self._old
        if old is not None and result.what not in old.failed:
            self._keep(old.model_copy(update={"failed": [*old.failed, result.what]}), by)

    def some(self, results: Iterable[Result], by: str) -> None:
        """A test of some rows, or one that ended early: what has passed takes back its own failure and no other."""
        old, found = self._old, list(results)
        bad = {result.what for result in found if not result.ok}
        good = {result.what for result in found} - bad
        if old is not None and good & set(old.failed):
            self._keep(old.model_copy(update={"failed": [what for what in old.failed if what not in good]}), by)

    def whole(self, certificate: str, results: Iterable[Result], by: str) -> None:
        """The date of the register is that of the newest whole test."""
        failed = list(dict.fromkeys(result.what for result in results if not result.ok))
        value = ProofTest(passed=not failed, certificate=certificate, simulated=self.simulated, failed=failed)
        self._set(value, by, stamp.iso(stamp.utc_now()), by)

    @property
    def _old(self) -> ProofTest | None:
        found = self.registers.registers.get(NAME)
        return found if isinstance(found, ProofTest) else None

    def _keep(self, value: ProofTest, by: str) -> None:
        """The same whole test, with its signature and date, and other failures."""
        entry = self.registers.registers.entries[NAME]
        self._set(value, entry.by, entry.at, by)

    def _set(self, value: ProofTest, signed: str, at: str, by: str) -> None:
        old = self._written
        try:
            self.registers.set(NAME, value.model_dump(mode="json", exclude_defaults=True), signed, at)
        except OSError as error:
            self.note(f"the proof test could not be signed for: {error}")
            return
        self.audit.register(NAME, old, self._written, by)

    @property
    def _written(self) -> Any:
        return self.registers.registers.dump()["registers"].get(NAME)
