"""Every film of the review as a whole run: real daemon, drivers, wire bytes, interlocks; as many as time allows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ald_controller.cli.filmrows import Bench, named
from ald_controller.cli.filmwire import Kept, Wire
from tests.long import GOES_ON
from tests.run.rig import ROOT

KEPT = ROOT / "long-results" / "films.json"  # what has run, by a hash of all that it rests on but the program
WITHIN_S = 420.0


@pytest.mark.long
@pytest.mark.timeout(900)
def test_every_film_grows_over_wire_bytes_as_it_does_without_a_wire() -> None:
    bench = Bench()
    wire = Wire(bench, Kept(KEPT), print)
    left = wire.run(WITHIN_S)
    for film_id, ran in wire.ran.items():
        assert (ran.ending, ran.trips, ran.doses_missed) == ("completed", [], 0), film_id
        assert ran.nm == pytest.approx(bench.grown_nm(named()[film_id]), rel=0.02), film_id
    if left:
        pytest.exit(f"{left} films are left", returncode=GOES_ON)
    slowest = min(ran.times_real_time for ran in wire.ran.values())
    told = f"{len(wire.ran)} films over wire bytes, each within 2 % of its plan alone; {slowest:.0f} times real time"
    print(told)
    if page := os.environ.get("ALD_FIGURES"):
        with Path(page).open("a", encoding="utf-8") as file:
            file.write(told + "\n")
