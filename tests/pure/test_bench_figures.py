"""What the bench makes of its stamps: pulses, quantiles, outliers, and the valve process beside the others."""

from __future__ import annotations

import pytest

from tests.bench import verdict
from tests.bench.contenders.pulses import (
    DRIFT,
    LATE,
    SENT,
    WIDTH,
    WORST_DRIFT,
    Sent,
    drift,
    figures,
    pulses,
)
from tests.bench.figures import Row, as_json, outliers, quantiles, row_of, table
from tests.bench.series import Round, Unit, combined

MS = 1_000_000
ALIVE = 256


# --- pulses ----------------------------------------------------------------------------------------------------------


def test_a_pulse_is_as_wide_as_its_two_stamps_are_apart() -> None:
    edges = [Sent(100 * MS, 100 * MS + 20_000, 100 * MS + 300_000), Sent(115 * MS, 115 * MS + 30_000)]
    words = [(0.100030, 1), (0.1001, 1 | ALIVE), (0.115040, ALIVE), (0.2, 0)]
    found = {(one.pulse_ms, one.quantity): one.value_ms for one in figures(pulses([15], edges, words))}
    assert found[15, WIDTH] == pytest.approx(0.010)
    assert found[15, LATE] == pytest.approx(0.040)  # the closing's, which came last
    assert found[0, SENT] == pytest.approx(0.030)


def test_a_pulse_too_short_is_as_wrong_as_one_too_long() -> None:
    edges = [Sent(0), Sent(15 * MS)]
    short, long = ([(1.0, 1), (1.0 + width_s, 0)] for width_s in (0.014, 0.016))
    for words in (short, long):
        (error_ms,) = [one.value_ms for one in figures(pulses([15], edges, words)) if one.quantity == WIDTH]
        assert error_ms == pytest.approx(1.0)


def test_what_a_sender_does_not_know_is_no_figure() -> None:
    found = [one.quantity for one in figures(pulses([5], [Sent(0), Sent(5 * MS)], [(0.0, 1), (0.005, 0)]))]
    assert sorted(found) == sorted([LATE, LATE, WIDTH])


@pytest.mark.parametrize("words", [[], [(0.1, 1)], [(0.1, 1), (0.2, 0), (0.3, 1), (0.4, 0)]])
def test_edges_that_the_module_did_not_see_are_an_error_and_not_fewer_figures(words: list[tuple[float, int]]) -> None:
    with pytest.raises(ValueError, match="2 edges of 1 pulses were sent, the module saw"):
        pulses([15], [Sent(0), Sent(15 * MS)], words)


def test_drift_is_last_minus_first_minus_nominal_and_keeps_its_worst_moment() -> None:
    found = {one.quantity: one.value_ms for one in drift([(0, 50.0), (1, 70.5), (2, 88.0), (3, 110.1)])}
    assert found[DRIFT] == pytest.approx(0.1)
    assert found[WORST_DRIFT] == pytest.approx(-2.0)


def test_an_opening_that_is_missing_is_no_drift() -> None:
    found = {one.quantity: one.value_ms for one in drift([(0, 50.0), (1, 70.0), (3, 110.0)])}
    assert found == {DRIFT: pytest.approx(0.0), WORST_DRIFT: pytest.approx(0.0)}


# --- rows ------------------------------------------------------------------------------------------------------------


def test_a_quantile_that_few_values_cannot_show_is_not_shown() -> None:
    assert quantiles([3.0, 1.0, 2.0]) == {"min": 1.0, "median": 2.0, "p99": None, "p99.9": None, "max": 3.0}
    hundred = quantiles(range(1, 101))
    assert (hundred["median"], hundred["p99"], hundred["p99.9"]) == (50.5, 99, None)
    assert quantiles([])["max"] is None


def test_a_row_goes_through_json_and_back() -> None:
    row = Row("edges", "w", "ms", [0.5, 1.5], "note", {1: 1, 3: 1}, 1.0, {"load": "busy", "pulse_ms": 15})
    assert row_of(as_json(row)) == row
    assert as_json(row)["beyond"] == 1


def test_every_outlier_is_told_with_its_round_whatever_its_sign() -> None:
    row = Row("edges", "w", "ms", [0.1] * 98 + [-2.0, 3.5], "", {1: 99, 2: 1}, 1.0)
    assert list(outliers([row])) == ["w: 3.500 (round 2), -2.000 (round 1)"]
    assert "    100       2" in table([row])


def test_what_is_usual_is_no_outlier_but_is_counted() -> None:
    row = Row("edges", "w", "ms", [0.1] * 90 + [2.0] * 10, limit=1.0)
    assert list(outliers([row])) == []
    assert len(row.beyond()) == 10


def test_a_row_without_a_limit_has_no_outliers() -> None:
    assert Row("abort", "w", "ms", [50.0]).beyond() == []


# --- the valve process beside the others -----------------------------------------------------------------------------


def rows(**values_ms: list[float]) -> list[Row]:
    """One row for each contender: a value for each round, which all of its hundred pulses had."""
    made = []
    for number in range(3):
        tags = {"pulse_ms": 15, "quantity": WIDTH, "load": "busy"}
        of_round = [
            Row("edges", name, "ms", [v[number]] * 100, tags=tags | {"contender": name})
            for name, v in values_ms.items()
        ]
        made.append(Round(Unit("edges", number + 1), "", 0.0, "", "", tuple(of_round)))
    return combined(made)


def test_the_median_of_the_rounds_is_not_the_figure_of_all_values() -> None:
    ours, c_sender, peer = verdict.standings(
        rows(ours=[0.1, 0.3, 9.0], c=[0.2, 0.1, 0.05], peer=[6.0, 6.0, 1.0]), (WIDTH,), "ours"
    )
    assert ours.median_p99_ms == pytest.approx(0.3)
    assert ours.p99_by_round_ms == {1: 0.1, 2: 0.3, 3: 9.0} and ours.n_by_round == {1: 100, 2: 100, 3: 100}
    assert ours.difference_ms is None and ours.ratio is None
    assert c_sender.difference_ms == pytest.approx(0.2)
    assert peer.ratio == pytest.approx(20.0)


def test_who_was_left_out_is_named_and_compared_with_nothing() -> None:
    tags = {"pulse_ms": 15, "quantity": WIDTH, "load": "busy", "contender": "bluesky"}
    out = Row("edges", "bluesky", "ms", [], "left out: no network", {1: 0}, tags=tags)
    found = verdict.standings([*rows(ours=[0.1, 0.1, 0.1]), out], (WIDTH,), "ours")
    assert found[1].ratio is None and found[1].median_p99_ms is None
    assert "left out: no network" in verdict.table(found, "ours")


def test_other_widths_and_quantities_are_no_part_of_it() -> None:
    other = Row("edges", "w", "ms", [1.0], tags={"pulse_ms": 5, "quantity": WIDTH, "load": "busy", "contender": "ours"})
    assert verdict.standings([other, Row("abort", "a", "ms", [1.0])], (WIDTH,), "ours") == []
    assert verdict.table([], "ours") == ""
