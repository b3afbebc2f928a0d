"""Twenty kills at random of a controller in a run, of its valve process and of both, by SIGKILL and by SIGSTOP.

The campaign itself, and a thousand of them, is `./test --long kills`; this is the same on a few stands at a time.
"""

from __future__ import annotations

import pytest

from tests.process.campaign import KINDS, campaign, figures, shot
from tests.process.stand import figure

SEED, KILLS, AT_ONCE = 20, 20, 7
OPEN_AT_LEAST = 5  # about ten: when a dose falls is nearly the same at each call, and the shots are the same


@pytest.mark.timeout(240)
def test_twenty_kills_leave_closed_valves_a_whole_record_and_a_latched_controller() -> None:
    results = list(campaign(SEED, range(KILLS), AT_ONCE))
    for line in figures(results):
        figure(line)
    assert len(results) == KILLS
    wrong = [f"shot {result.number} ({result.kind}): {told}" for result in results for told in result.violations]
    assert not wrong, "\n".join(wrong)
    assert {result.kind for result in results} == {shot(SEED, number).kind for number in range(len(KINDS))}
    assert sum(result.open for result in results) >= OPEN_AT_LEAST, "kills between doses prove little"
