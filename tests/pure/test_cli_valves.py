"""`ald valves` as a person types it, without a controller: the table, its JSON, and what is used wrongly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ald_controller.cli.commands import ald
from ald_controller.cli.valves import told
from ald_controller.config import Output
from ald_controller.records.audit import Audit
from ald_controller.records.ledger import Ledger
from ald_controller.valves.wire import Wear
from tests.recipe_bench import tool

FACTS: dict[str, Any] = {"at_zero": "closed", "at_power_loss": "closed"}


def typed(*words: str | Path) -> Result:
    return CliRunner().invoke(ald, [str(word) for word in words])


async def written(folder: Path) -> None:
    """A state directory as a controller leaves it."""
    audit = await Audit.open(folder / "tool.db", inline=True, now=lambda: 1_900_000_000.0)
    outputs = dict(tool().config.valves.outputs)
    outputs["LTB"] = Output(coil=2, role="source", energised="opens", service_after=5_000_000, **FACTS)
    ledger = await Ledger.open(audit.writer, outputs, 0.0, lambda: 1_900_000_000.0)
    ledger.hear(Wear(1, (0, 0, 4_999_999, 0, 0, 0, 12), (0, 0, 75 * 10**12, 0, 0, 0, 10**9)))
    await ledger.replaced("GL", "Ann", "Ann (ann at the local door)", "leaks [through]")
    ledger.save()
    await audit.close()


async def test_the_ledger_of_a_state_directory_is_told_without_a_controller(tmp_path: Path) -> None:
    await written(tmp_path)
    result = typed("valves", "--state", tmp_path)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    ltb = next(line for line in lines if line.startswith("LTB "))
    assert ltb.split() == "LTB source 4,999,999 open 20 h 50 min 5,000,000 99 % 2030-03-17".split()
    assert next(line for line in lines if line.startswith("stop ")).split()[2:6] == ["12", "shut", "1.0", "s"]
    assert any(line.startswith("GL ") and line.endswith("2030-03-17 replaced by Ann") for line in lines)
    assert "LTB: 4,999,999 actuations; service is due after 5,000,000" in lines
    assert lines[-1].startswith("GL: replaced on 2030-03-17 by Ann (ann at the local door) after 0 actuations")
    assert "leaks [through]" in lines[-1], "what a person wrote is not taken for markup"


async def test_the_same_as_json(tmp_path: Path) -> None:
    await written(tmp_path)
    reply = json.loads(typed("valves", "--state", tmp_path, "--json").output)
    row = next(row for row in reply["data"]["valves"] if row["name"] == "LTB")
    assert (row["actuations"], row["energised_s"], row["service_after"]) == (4_999_999, 75_000.0, 5_000_000)
    assert (row["energised_is"], row["since"]) == ("open", "2030-03-17T17:46:40.000Z")
    assert [old["name"] for old in reply["data"]["replaced"]] == ["GL"]


@pytest.mark.parametrize("width", [80, 120])
async def test_a_table_fits_its_terminal_and_cuts_no_name_and_no_number(tmp_path: Path, width: int) -> None:
    await written(tmp_path)
    data = json.loads(typed("valves", "--state", tmp_path, "--json").output)["data"]
    data["valves"][0] |= {"name": "trimethylaluminium-fill", "actuations": 12_345_678, "service_after": 10_000_000}
    data["valves"][0] |= {"energised_s": 27e6, "replaced_by": "Hildegard Wolfeschlegelstein"}
    text = told(data, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    assert all(word in text for word in ("12,345,678", "10,000,000", "123 %", "open 312 d 12 h", "2030-03-17"))


@pytest.mark.parametrize(
    ("code", "words", "told"),
    [
        (1, "valves --state {folder}", "no ledger of valves can be read there"),
        (2, "valves --state /nonexistent", "'/nonexistent' does not exist"),
        (3, "valves --socket {folder}/none", "no controller has a door there"),
        (2, "valves replaced", "Missing argument 'NAME'"),
        (2, "valves replaced LTB", "Missing option '--by'"),
        (3, "valves replaced LTB --by Ann --socket {folder}/none", "no controller has a door there"),
        (2, "valves --state {folder} replaced LTB --by Ann", "write options behind 'replaced', where they belong"),
    ],
)
def test_a_wrong_word_gets_a_sentence_and_a_code(tmp_path: Path, code: int, words: str, told: str) -> None:
    result = typed(*words.format(folder=tmp_path).split())
    assert result.exit_code == code, result.output
    assert told in result.output and "Traceback" not in result.output
