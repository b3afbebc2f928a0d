"""The interlocks as they would judge the tool without the proof test that goes on.

Nothing that a line pretends reaches them, so whatever trips them is real, whichever inputs the line in hand drives.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec.structs import replace

from ald_controller.interlocks import Facts, Sample, Samples, State, step


@dataclass(slots=True)
class RealTwin:
    """`state` = what is known without the test, nothing latched; `moved` = contacts that a person moves for it."""

    state: State
    moved: dict[str, Sample] = field(default_factory=dict)

    def look(self, real: Samples, facts: Facts, now_s: float) -> bool:
        """Whether this scan trips; `state` is then that of the scan before, and the next step from it trips as well."""
        after = step(self.state, self._unmoved(real), facts, now_s)
        if after.latched:
            return True
        self.state = after
        return False

    def _unmoved(self, real: Samples) -> Samples:
        """Contacts that a person moves for the test stand as before, and are as old as they are."""
        now = real.items() if self.moved else ()
        still = {name: replace(s, value=self.moved[name].value) for name, s in now if name in self.moved}
        return {**real, **still} if still else real
