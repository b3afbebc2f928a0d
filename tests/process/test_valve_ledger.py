"""A controller that is killed in the middle of a run has lost no more than a second of what its valves did."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from itertools import pairwise

import pytest
from click.testing import CliRunner

from ald_controller.cli.commands import ald
from ald_controller.records.ledger import read_ledger
from tests.process.stand import Stand, figure, stand, wait_for

pytestmark = pytest.mark.timeout(120)
H2O = 1 << 1
PERIOD_S = 0.6
DOSES = """recipe: short-doses
title: Many doses and no heat, so that the first comes soon
substrate: silicon
provenance: "a test"
prepare:
  - pump: {to: 1 Torr, timeout: 1 min, else: hold}
  - flow: {carrier: 20 sccm}
deposit:
  - repeat: {times: 200, name: dose, steps: [{pulse: {precursor: water, time: 300 ms}}, {purge: 300 ms}]}
finish:
  - purge: 1 s
"""


@pytest.fixture
def made() -> Iterator[Stand]:
    made = stand(warm_for=DOSES)
    try:
        made.build()
        limited = made.tool.read_text("utf-8").replace("{coil: 1, ", "{coil: 1, service_after: 100, ")
        made.tool.write_text(limited, "utf-8")
        made.boot()
        made.fill_in(load=None)
        made.reset()  # lithium limits come off in a chamber that is known to be cold
        made.must("register-set", name="load", value={"material": "silicon", "seen_empty": True}, by="stand")
        yield made
    finally:
        made.close()


def opened(made: Stand) -> int:
    """How often the module itself has seen this source energised."""
    words = [0, *(change["word"] for change in made.changes())]
    return sum(bool(word & ~before & H2O) for before, word in pairwise(words))


def checked(made: Stand) -> str:
    """What a person's `ald check` says while the controller runs."""
    recipe = made.folder / "short-doses.yaml"
    recipe.write_text(DOSES, "utf-8")
    words = ["check", str(recipe), "--tool", str(made.tool)]
    return CliRunner().invoke(ald, words, env={"ALD_SOCKET": str(made.socket)}).output


def test_counts_survive_a_kill_of_the_controller_but_for_the_last_second(made: Stand) -> None:
    made.must("valve-replaced", name="H2O", by="stand", reason="a test")
    assert (reply := made.start(DOSES))["ok"], reply["text"]
    wait_for(lambda: opened(made) >= 7, 30.0, lambda: f"no doses: {made.status()['run']} {made.log('daemon')}")
    os.kill(made.daemon.pid, signal.SIGKILL)
    made.daemon.wait(5)
    wait_for(lambda: not made.open_now(), 5.0, lambda: "a source stays open")

    truth, book = opened(made), read_ledger(made.state / "tool.db")
    kept = next(line.total for line in book.lines if line.name == "H2O")
    figure(f"valve ledger after a kill: {kept.actuations} of {truth} openings, {PERIOD_S:g} s apart")
    # told within a second and written at once; two more periods, as this computer is shared
    assert truth - (1.0 / PERIOD_S + 2) <= kept.actuations <= truth
    assert kept.by == "stand" and [old.name for old in book.replaced] == ["H2O"]

    made.boot()
    rows = made.must("valves")["data"]["valves"]
    told = next(row for row in rows if row["name"] == "H2O")
    assert told["actuations"] == kept.actuations, "the new valve process begins at zero, the ledger does not"
    assert f"this run adds 200 actuations of H2O: {kept.actuations} of 100; its service comes due" in checked(made)
