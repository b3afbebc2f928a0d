"""The valve module in the tool file: which driver keeps which time, and what an owner's test of a watchdog must say."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from ald_controller import stamp
from ald_controller.config import Tool, load_tool
from ald_controller.config.watchdog import LONGEST_S
from ald_controller.yamlfile import Problems
from tests.recipe_bench import ROOT

TEXT = (ROOT / "deploy" / "tool.yaml").read_text("utf-8")
VALVES = "valves:\n  driver: beckhoff_bk9050\n  line: coupler-a\n  unit: 1\n  watchdog: 500 ms\n  coils: 16\n"
TEST = "{date: 2024-05-06, by: ada, closed_after: 2 s}"


def with_module(folder: Path, driver: str, watchdog: str, test: str = "", coils: int = 16) -> Tool:
    """The reference tool with another module."""
    assert VALVES in TEXT
    lines = f"driver: {driver}\n  line: coupler-a\n  unit: 1\n  watchdog: {watchdog}\n  coils: {coils}\n"
    own = f"  watchdog_test: {test}\n" if test else ""
    path = folder / "tool.yaml"
    path.write_text(TEXT.replace(VALVES, f"valves:\n  {lines}{own}"), "utf-8")
    return load_tool(path)


def refused(folder: Path, driver: str, watchdog: str, test: str = "", coils: int = 16) -> str:
    """The one problem: the key at whose value it stands, and its sentence."""
    with pytest.raises(Problems) as error:
        with_module(folder, driver, watchdog, test, coils)
    (problem,) = error.value.problems
    line = (folder / "tool.yaml").read_text("utf-8").splitlines()[problem.mark.line - 1]
    return f"{line[: problem.mark.column - 1].split()[-1]} {problem.message}"


def test_a_module_that_can_be_armed_has_a_time(tmp_path: Path) -> None:
    assert with_module(tmp_path, "wago_750_352", "400 ms").config.valves.watchdog_ms == 400
    assert with_module(tmp_path, "beckhoff_bk9050", "0.25 s").config.valves.watchdog_ms == 250


@pytest.mark.parametrize("driver", ["moxa_e1211", "adam_6256"])
def test_a_module_that_cannot_be_armed_has_its_owners_test(driver: str, tmp_path: Path) -> None:
    valves = with_module(tmp_path, driver, "external", TEST).config.valves
    assert valves.watchdog == "external" and valves.watchdog_ms == 0
    assert valves.watchdog_test is not None
    tried = valves.watchdog_test
    assert (tried.date, tried.by, tried.closed_after) == (datetime.date(2024, 5, 6), "ada", 2.0)


@pytest.mark.parametrize(
    ("driver", "watchdog", "test", "says"),
    [
        ("wago_750_352", "250 ms", "",
         "watchdog: the watchdog of wago_750_352 counts in steps of 100 ms: write 200 ms or 300 ms"),
        ("beckhoff_bk9050", "250.5 ms", "",
         "watchdog: the watchdog of beckhoff_bk9050 counts in steps of 1 ms: write 250 ms or 251 ms"),
        ("wago_750_352", "external", TEST,
         "watchdog: the watchdog of wago_750_352 is armed over the wire: write its time, for example 500 ms"),
        ("beckhoff_bk9050", "external", TEST, "watchdog: the watchdog of beckhoff_bk9050 is armed over the wire"),
        ("moxa_e1211", "500 ms", "",
         "watchdog: nothing on the wire arms the watchdog of moxa_e1211: set it on the module, try it, and write 'ext"),
        ("adam_6256", "500 ms", TEST, "watchdog: nothing on the wire arms the watchdog of adam_6256"),
        ("moxa_e1211", "external", "", "watchdog: 'watchdog: external' goes with 'watchdog_test: {date, by, closed_"),
        ("wago_750_352", "500 ms", TEST, "watchdog_test: 'watchdog: external' goes with 'watchdog_test: {date, by,"),
        ("moxa_e1211", "external", "{date: 2999-01-01, by: ada, closed_after: 2 s}",
         "watchdog_test: 2999-01-01 has not come yet: write the day on which the watchdog was tried"),
        ("moxa_e1211", "external", "{date: 2024-05-06, by: ada, closed_after: 5100 ms}",
         "closed_after: '5100 ms' is out of range: at most 5 (this is 5.1) is expected"),
        ("moxa_e1211", "external", "{date: 2024-05-06, by: ada, closed_after: 0 s}",
         "closed_after: '0 s' is out of range: above 0 s is expected"),
        ("moxa_e1211", "external", "{date: 2024-05-06, by: ada, closed_after: 2}", "closed_after: '2' has no unit"),
        ("moxa_e1211", "external", "{date: 2024-02-30, by: ada, closed_after: 2 s}",
         "{date: '2024-02-30' is no date: write YEAR-MONTH-DAY"),
        ("moxa_e1211", "external", "{date: 6.5.2024, by: ada, closed_after: 2 s}", "{date: '6.5.2024' is no date"),
        ("moxa_e1211", "external", "{date: 20240506, by: ada, closed_after: 2 s}", "{date: '20240506' is no date"),
        ("moxa_e1211", "external", "{date: 2024-05-06, closed_after: 2 s}", "watchdog_test: 'by' is missing here"),
        ("moxa_e1211", "external", "{date: 2024-05-06, by: \"\", closed_after: 2 s}",
         "by: text of 1 characters or more is expected"),
        ("moxa_e1211", "external", "{date: 2024-05-06, by: ada}", "watchdog_test: 'closed_after' is missing here"),
        ("moxa_e1211", "extern", "", "watchdog: 'extern' is not a time"),
        ("abacus", "500 ms", "", "driver: 'beckhoff_bk9050', 'wago_750_352', 'moxa_e1211' or 'adam_6256' is expected"),
    ],
)  # fmt: skip
def test_one_mistake_gives_one_sentence_at_its_place(
    driver: str, watchdog: str, test: str, says: str, tmp_path: Path
) -> None:
    assert (found := refused(tmp_path, driver, watchdog, test)).startswith(says), found


@pytest.mark.parametrize("driver", ["moxa_e1211", "adam_6256"])
def test_a_word_wider_than_the_module_is_refused_as_what_lies_behind_is_something_else(
    driver: str, tmp_path: Path
) -> None:
    found = refused(tmp_path, driver, "external", TEST, coils=24)
    assert found == f"coils: {driver} carries at most 16 coils of the valve word"


def test_a_test_of_today_is_taken_wherever_today_is(tmp_path: Path) -> None:
    for hours, ok in ((14, True), (14 + 24, False)):
        day = datetime.datetime.fromtimestamp(stamp.utc_now() + hours * 3600 - 60, datetime.UTC).date()
        test = f"{{date: {day}, by: ada, closed_after: 2 s}}"
        if ok:
            with_module(tmp_path, "moxa_e1211", "external", test)
        else:
            assert "has not come yet" in refused(tmp_path, "moxa_e1211", "external", test)


def test_no_file_may_promise_less_than_five_seconds(tmp_path: Path) -> None:
    assert LONGEST_S == 5.0
    with_module(tmp_path, "moxa_e1211", "external", "{date: 2024-05-06, by: ada, closed_after: 5 s}")
