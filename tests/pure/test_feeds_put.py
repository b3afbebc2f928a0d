"""How feeds write samples: anew where something is new, else before their age counts."""

from __future__ import annotations

import pytest

from ald_controller.feeds.put import FRESH_S, Family, put
from ald_controller.interlocks import Sample


def test_a_value_that_says_the_same_keeps_its_sample_until_it_is_half_a_second_old() -> None:
    samples: dict[str, Sample] = {}
    put(samples, "a", 1.0, 10.0)
    first = samples["a"]
    put(samples, "a", 1.0, 10.0 + FRESH_S)
    assert samples["a"] is first
    put(samples, "a", 1.0, 10.01 + FRESH_S)
    assert samples["a"] == Sample(1.0, 10.01 + FRESH_S)
    put(samples, "a", 2.0, 10.5)
    assert samples["a"] == Sample(2.0, 10.5)


def test_a_family_is_written_as_a_whole_when_one_of_it_is_new_or_all_are_old() -> None:
    samples: dict[str, Sample] = {}
    family = Family(samples, ("a", "b"))
    family.put((1, True), 10.0)
    assert samples == {"a": Sample(1.0, 10.0), "b": Sample(1.0, 10.0)}
    first = samples["a"]
    family.put((1, True), 10.0 + FRESH_S)
    assert samples["a"] is first
    family.put((1, False), 10.2)
    assert samples == {"a": Sample(1.0, 10.2), "b": Sample(0.0, 10.2)}
    family.put((1, False), 10.21 + FRESH_S)
    assert samples["b"] == Sample(0.0, 10.21 + FRESH_S)


def test_a_family_with_a_value_too_few_is_refused() -> None:
    with pytest.raises(ValueError):
        Family({}, ("a", "b")).put((1.0,), 10.0)
