"""How a feed writes a sample: anew where the value is another one, else before its age counts."""

from __future__ import annotations

from ald_controller.interlocks import Sample

FRESH_S = 0.45  # every row takes a value of this age; feeds run ten times a second


def put(samples: dict[str, Sample], name: str, value: float, now_s: float) -> None:
    """Write a value that is known now; the sample that lies there stays while it says the same and is young."""
    before = samples.get(name)
    if before is None or before.value != value or now_s - before.at_s > FRESH_S:
        samples[name] = Sample(value, now_s)
