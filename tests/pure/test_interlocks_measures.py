"""The measures that every table of rows is made of: what each makes of its samples, to the last number."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isnan, nan
from typing import Any

import pytest

from ald_controller.interlocks.measures import (
    BAD,
    FUTURE,
    FUTURE_S,
    MISSING,
    RANGE,
    STALE,
    Changed,
    Input,
    NotSet,
    OfSeveral,
    Quality,
    Rise,
    Sample,
    Samples,
    Scaled,
    Short,
    Silence,
    SourcesOpen,
    Taken,
    Unchanged,
    Value,
    worst,
)
from tests.taken import nothing

NOW = 64.0
PRESSURE, FLOW = Input("gauge.pressure", 1.0, 9.0, 2.0), Input("mfc.flow", 0.0, 100.0, 0.5)
GOOD, UNCERTAIN, TEST = Quality.GOOD, Quality.UNCERTAIN, Quality.TEST


@pytest.mark.parametrize(
    ("sample", "fault"),
    [
        (Sample(5.0, NOW), ""),
        (Sample(1.0, NOW), ""),
        (Sample(9.0, NOW), ""),
        (Sample(0.99, NOW), RANGE),
        (Sample(9.01, NOW), RANGE),
        (Sample(nan, NOW), RANGE),
        (Sample(inf, NOW), RANGE),
        (Sample(5.0, NOW - 2.0), ""),
        (Sample(5.0, NOW - 2.125), STALE),
        (Sample(5.0, NOW + 0.0625), ""),
        (Sample(5.0, NOW + 0.125), FUTURE),
        (Sample(5.0, nan), STALE),
        (Sample(5.0, NOW, Quality.BAD), BAD),
        (Sample(nan, NOW, Quality.BAD), BAD),
        (Sample(5.0, NOW - 9, Quality.BAD), STALE),
        (Sample(5.0, NOW, UNCERTAIN), ""),
        (Sample(5.0, NOW, TEST), ""),
        (None, MISSING),
    ],
)
def test_a_sample_is_believed_within_its_range_and_its_age_and_never_without_them(
    sample: Sample | None, fault: str
) -> None:
    assert PRESSURE.fault(sample, NOW) == fault


def test_a_stamp_of_the_future_is_believed_to_the_tenth_of_a_second() -> None:
    assert FUTURE_S == 0.1
    assert PRESSURE.fault(Sample(5.0, 0.1), 0.0) == "" and PRESSURE.fault(Sample(5.0, 0.11), 0.0) == FUTURE


def test_what_is_a_little_too_old_is_not_called_a_thing_of_the_future() -> None:
    assert FLOW.fault(Sample(5.0, NOW - 0.625), NOW) == STALE


def test_without_an_age_of_its_own_an_input_is_too_old_after_a_second() -> None:
    assert Input("x", 0, 1) == Input("x", 0, 1, 1.0)


def test_the_words_for_a_fault_complete_a_sentence() -> None:
    said = "was never read, is too old, carries a time that is still to come, is not a believable number"
    assert ", ".join((MISSING, STALE, FUTURE, RANGE)) == said
    assert BAD == "is reported bad by its device"


@pytest.mark.parametrize(
    ("qualities", "least"),
    [
        ([GOOD, GOOD], GOOD),
        ([GOOD, UNCERTAIN], UNCERTAIN),
        ([TEST, UNCERTAIN], TEST),
        ([TEST, Quality.BAD, GOOD], Quality.BAD),
    ],
)
def test_of_several_qualities_the_one_that_is_believed_least_counts(qualities: list[Quality], least: Quality) -> None:
    assert worst(qualities) is least


# --- of one input ----------------------------------------------------------------------------------------------------


def samples(**values: float) -> Samples:
    names = {"pressure": PRESSURE.signal, "flow": FLOW.signal}
    return {names[name]: Sample(value, NOW) for name, value in values.items()}


@pytest.mark.parametrize(
    ("measure", "value", "number"),
    [
        (Value(PRESSURE), 4.0, 4.0),
        (Scaled(PRESSURE, 2.5), 4.0, 10.0),
        (Short(PRESSURE, 7.0), 4.0, 3.0),
        (Short(PRESSURE, 3.0), 4.0, -1.0),
        (NotSet(PRESSURE), 1.0, 0.0),
        (NotSet(PRESSURE), 2.0, 1.0),
        (NotSet(PRESSURE), 1.001, 1.0),
    ],
)
def test_what_is_made_of_a_value(measure: Any, value: float, number: float) -> None:
    assert measure.inputs == (PRESSURE,)
    taken = measure.take("kept", samples(pressure=value), NOW)
    assert taken == Taken(number, "kept", "", "gauge.pressure", GOOD)


@pytest.mark.parametrize("measure", [Value(PRESSURE), Scaled(PRESSURE, 2.0), Short(PRESSURE, 3.0), NotSet(PRESSURE)])
def test_what_cannot_be_believed_is_no_number_and_names_its_signal(measure: Any) -> None:
    for found, fault in (({}, MISSING), (samples(pressure=99.0), RANGE)):
        taken = measure.take("kept", found, NOW)
        assert nothing(taken) == ("kept", fault, "gauge.pressure", GOOD)


def test_a_doubted_value_stays_doubted() -> None:
    taken = Value(PRESSURE).take(None, {"gauge.pressure": Sample(4.0, NOW, TEST)}, NOW)
    assert taken == Taken(4.0, None, "", "gauge.pressure", TEST)


def test_a_count_that_is_another_one_counts_once_in_either_direction() -> None:
    memory, numbers = None, []
    for value in (5.0, 5.0, 6.0, 6.0, 4.0, 4.0):
        taken = Changed(PRESSURE).take(memory, samples(pressure=value), NOW)
        memory = taken.memory
        numbers.append(taken.number)
    assert numbers == [0.0, 0.0, 1.0, 0.0, 1.0, 0.0] and memory == 4.0


def test_a_count_that_begins_at_nothing_is_a_base_like_any_other() -> None:
    assert Changed(FLOW).take(0.0, samples(flow=1.0), NOW).number == 1.0
    assert Changed(FLOW).take(None, samples(flow=0.0), NOW).number == 0.0


def test_a_heartbeat_that_stands_still_is_as_old_as_its_last_change() -> None:
    measure, memory, ages = Unchanged(PRESSURE), None, []
    for at_s, value in ((NOW, 5.0), (NOW + 2, 5.0), (NOW + 3, 6.0), (NOW + 4.5, 6.0)):
        taken = measure.take(memory, {"gauge.pressure": Sample(value, at_s)}, at_s)
        memory = taken.memory
        ages.append(taken.number)
    assert ages == [0.0, 2.0, 0.0, 1.5] and memory == (6.0, NOW + 3)


def test_a_rise_is_taken_over_a_second_and_a_step_counts_at_once() -> None:
    measure, memory, rises = Rise(PRESSURE), None, []
    for at_s, value in ((0.0, 2.0), (0.5, 3.0), (1.0, 4.0), (1.5, 4.0), (3.0, 8.0), (3.5, 7.0)):
        taken = measure.take(memory, {"gauge.pressure": Sample(value, at_s)}, at_s)
        memory = taken.memory
        rises.append(taken.number)
    assert rises == [0.0, 1.0, 2.0, 0.0, 2.0, -1.0] and memory == (8.0, 3.0)


def test_a_rise_across_a_gap_means_nothing() -> None:
    after = Rise(PRESSURE).take((2.0, NOW - 1), {}, NOW)
    assert isnan(after.number) and after.memory is None
    assert Rise(PRESSURE).take(after.memory, samples(pressure=9.0), NOW) == Taken(
        0.0, (9.0, NOW), "", "gauge.pressure", GOOD
    )


WORD = Input("valves.word", 0, 255)
MASKS = (("TMA", 0b11), ("H2O", 0b100), ("LTB", 0b1000))


@pytest.mark.parametrize(
    ("word", "number"),
    [(0, 0.0), (0b1, 1.0), (0b10, 1.0), (0b11, 1.0), (0b101, 2.0), (0b1101, 3.0), (0b1100, 1.0), (0b10000, 0.0)],
)
def test_a_source_is_open_by_any_of_its_outputs_and_a_compatible_pair_counts_as_one(word: int, number: float) -> None:
    measure = SourcesOpen(WORD, MASKS, frozenset({frozenset({"H2O", "LTB"})}))
    taken = measure.take("kept", {"valves.word": Sample(float(word), NOW)}, NOW)
    assert taken == Taken(number, "kept", "", "valves.word", GOOD)
    assert SourcesOpen(WORD, MASKS).number(None, Sample(12.0, NOW), NOW) == (2.0, None)
    assert SourcesOpen(WORD, ()).number(None, Sample(12.0, NOW), NOW) == (0.0, None)


# --- of several inputs -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Share(OfSeveral):
    """Whatever a look is given, said back."""

    def look(self, memory: Any, values: list[float], samples: Samples, now_s: float) -> tuple[float, Any]:
        return values[0] / values[1], (memory, tuple(values), len(samples), now_s)


SHARE = Share((PRESSURE, FLOW))


def test_a_look_is_given_every_value_in_order_with_memory_samples_and_time() -> None:
    taken = SHARE.take("kept", samples(flow=10.0, pressure=5.0), NOW)
    assert taken == Taken(0.5, ("kept", (5.0, 10.0), 2, NOW), "", "gauge.pressure", GOOD)


@pytest.mark.parametrize(
    ("found", "fault", "signal"),
    [
        ({}, MISSING, "gauge.pressure"),
        (samples(pressure=5.0), MISSING, "mfc.flow"),
        (samples(flow=5.0), MISSING, "gauge.pressure"),
        (samples(pressure=5.0, flow=101.0), RANGE, "mfc.flow"),
        (samples(pressure=0.0, flow=101.0), RANGE, "gauge.pressure"),
        ({"gauge.pressure": Sample(5.0, NOW), "mfc.flow": Sample(5.0, NOW - 1)}, STALE, "mfc.flow"),
    ],
)
def test_the_first_of_several_that_cannot_be_believed_is_named_and_nothing_is_looked_at(
    found: Samples, fault: str, signal: str
) -> None:
    taken = SHARE.take("kept", found, NOW)
    assert nothing(taken) == ("kept", fault, signal, GOOD)


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [(GOOD, UNCERTAIN, UNCERTAIN), (TEST, GOOD, TEST), (UNCERTAIN, TEST, TEST), (TEST, UNCERTAIN, TEST)],
)
def test_several_are_believed_as_much_as_the_least_of_them(one: Quality, other: Quality, both: Quality) -> None:
    found = {"gauge.pressure": Sample(5.0, NOW, one), "mfc.flow": Sample(10.0, NOW, other)}
    assert SHARE.take(None, found, NOW).quality is both


# --- a link ----------------------------------------------------------------------------------------------------------

LINK = Silence((PRESSURE, FLOW))


@pytest.mark.parametrize(
    ("found", "silent_s"),
    [
        (samples(pressure=5.0, flow=5.0), 0.0),
        ({"gauge.pressure": Sample(5.0, NOW - 3), "mfc.flow": Sample(5.0, NOW - 1.5)}, 1.5),
        ({"gauge.pressure": Sample(5.0, NOW - 1.5), "mfc.flow": Sample(5.0, NOW - 3)}, 1.5),
        ({"gauge.pressure": Sample(5.0, NOW, Quality.BAD), "mfc.flow": Sample(5.0, NOW - 4)}, 4.0),
        ({"gauge.pressure": Sample(5.0, NOW + 0.0625)}, -0.0625),
        ({"gauge.pressure": Sample(5.0, NOW + 1), "mfc.flow": Sample(5.0, NOW - 4)}, 4.0),
        ({"gauge.pressure": Sample(5.0, NOW, Quality.BAD)}, inf),
    ],
)
def test_a_link_is_as_silent_as_its_newest_believable_channel_is_old(found: Samples, silent_s: float) -> None:
    assert LINK.take("kept", found, NOW) == Taken(silent_s, "kept", "", "", GOOD)


def test_a_link_that_never_said_anything_was_never_read() -> None:
    assert LINK.take("kept", {}, NOW) == Taken(inf, "kept", MISSING, "", GOOD)


def test_a_stamp_at_the_edge_of_the_future_still_counts_for_the_link() -> None:
    assert LINK.take(None, {"gauge.pressure": Sample(5.0, FUTURE_S)}, 0.0).number == -FUTURE_S
