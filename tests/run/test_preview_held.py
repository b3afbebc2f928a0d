"""A preview of a run that is held: nobody is there to resume it, and it comes to its end all the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.run.rig import ROOT

PURGED_TOO_SHORT = """\
recipe: hurried
title: Water faster than the pump takes it away
substrate: silicon wafer
provenance: unverified default
prepare:
  - flow: {carrier: 20 sccm}
deposit:
  - repeat:
      times: 200
      name: doses
      steps:
        - pulse: {precursor: water, time: 100 ms}
        - purge: 500 ms
finish:
  - purge: 1 s
"""


@pytest.mark.timeout(120)
def test_a_preview_that_is_held_is_aborted_there_and_says_what_held_it(tmp_path: Path) -> None:
    recipe = tmp_path / "hurried.yaml"
    recipe.write_text(PURGED_TOO_SHORT, encoding="utf-8")
    command = [sys.executable, "-m", "ald_controller", "preview", str(recipe), "--warm", "--json", "--state", tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 1, done.stderr
    result = json.loads(done.stdout)
    assert result["ending"] == "aborted" and 0 < result["doses"] < result["doses_planned"] == 200
    assert result["trips"] == ["C2"] and result["held"].startswith("C2 the chamber is not purged down")
    assert Path(result["report"]).is_file()
