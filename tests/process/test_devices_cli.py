"""`ald devices` against a real `ald simulate`: pseudo-terminals and TCP between two processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from ald_controller.cli.commands import ald
from drivers.capture import read_captures
from drivers.serialport import Port, ignore, open_port

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "deploy" / "tools" / "every-device.yaml"
ALD = [sys.executable, "-m", "ald_controller"]


def test_devices_are_read_set_found_and_recorded_on_real_wires(tmp_path: Path) -> None:
    addresses = tmp_path / "addresses.json"

    def devices(*arguments: str) -> Any:
        return CliRunner().invoke(ald, ["devices", *arguments, "--tool", str(TOOL), "--addresses", str(addresses)])

    simulate = subprocess.Popen([*ALD, "simulate", str(TOOL), "--json"], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert simulate.stdout is not None
        addresses.write_text(simulate.stdout.readline())
        read = devices("read", "carrier", "pirani", "substrate", "coupler-b", "--json")
        assert read.exit_code == 0, read.stderr
        assert all(one["ok"] for one in json.loads(read.stdout)["answers"])
        put = devices("set", "carrier", "5 sccm")
        assert "carrier        5 sccm, read back" in put.stdout
        found = devices("scan", "heaters", "--from", "4", "--to", "6", "--json")
        assert [one["address"] for one in json.loads(found.stdout)["found"]] == ["4", "5"]
        out = tmp_path / "capture.txt"
        assert devices("capture", str(out), "pirani", "analysers", "--for", "0.3").exit_code == 0
        text = out.read_text()
        assert "against `ald simulate`, NOT against hardware" in text.splitlines()[0]
        assert [one.line for one in read_captures(text)] == ["gauge", "analysers"]
        held = open_port(
            Port(json.loads(addresses.read_text())["devices"]["pirani"]["address"][7:], 9600, "none"), ignore
        )
        refused = devices("read", "pirani")
        held.close()
        assert refused.exit_code == 1
        assert "is in use by another program" in refused.stderr
    finally:
        simulate.terminate()
        simulate.wait(15)
        if simulate.stdout is not None:
            simulate.stdout.close()
