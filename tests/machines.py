"""How far the state machines walk: 300 walks of 50 steps in `./test`, and 20,000 of 100 in `./test --long machines`."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

EXAMPLES, STEPS = 300, 50
LONG_EXAMPLES, LONG_STEPS = 20_000, 100


def walks() -> settings:
    """The settings of a machine; its environment tells a part of the long walk how many."""
    examples = int(os.environ.get("ALD_WALKS", EXAMPLES))
    return settings(
        max_examples=examples,
        stateful_step_count=LONG_STEPS if "ALD_WALKS" in os.environ else STEPS,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
