"""`ald devices` against a real `ald simulate`: pseudo-terminals and TCP between two processes."""

from __future__ import annotations

import json
import signal
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


def served(addresses: Path) -> subprocess.Popen[str]:
    simulate = subprocess.Popen([*ALD, "simulate", str(TOOL), "--json"], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert simulate.stdout is not None
    addresses.write_text(simulate.stdout.readline())
    return simulate


def ended(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.wait(15)
    if process.stdout is not None:
        process.stdout.close()


def test_a_pipe_that_ends_a_full_disk_and_a_signal_are_ends_without_a_trace(tmp_path: Path) -> None:
    addresses, out = tmp_path / "addresses.json", tmp_path / "capture.txt"
    simulate = served(addresses)

    def devices(*words: str, to: Any = subprocess.PIPE) -> subprocess.Popen[str]:
        command = [*ALD, "devices", *words, "--tool", str(TOOL), "--addresses", str(addresses)]
        return subprocess.Popen(command, stdout=to, stderr=subprocess.PIPE, text=True, cwd=ROOT)

    try:
        with devices("watch", "pirani", "analysers", "--every", "0.1") as watch:
            assert watch.stdout is not None and watch.stderr is not None
            assert watch.stdout.readline()
            watch.stdout.close()
            assert (watch.wait(15), watch.stderr.read()) == (1, "")
        with Path("/dev/full").open("w") as full:
            for words in (["list"], ["read", "pirani", "--json"], ["watch", "pirani", "--for", "1"]):
                error = devices(*words, to=full).communicate(timeout=30)[1]
                assert "No space left on device" in error and "Traceback" not in error and "ignored" not in error
        with devices("capture", str(out), "carrier", "--for", "60") as recording:
            with devices("set", "substrate", "60 °C", "--for", "60") as heat:
                assert heat.stdout is not None and "60 °C, read back" in heat.stdout.readline()
                heat.send_signal(signal.SIGTERM)
                assert "its own safe set-point, read back" in heat.communicate(timeout=15)[0]
            recording.send_signal(signal.SIGTERM)
            assert (recording.communicate(timeout=15)[1], recording.returncode) == ("", 0)
        assert [one.line for one in read_captures(out.read_text())] == ["argon"]
    finally:
        ended(simulate)


def test_devices_are_read_set_found_and_recorded_on_real_wires(tmp_path: Path) -> None:
    addresses = tmp_path / "addresses.json"

    def devices(*arguments: str) -> Any:
        return CliRunner().invoke(ald, ["devices", *arguments, "--tool", str(TOOL), "--addresses", str(addresses)])

    simulate = served(addresses)
    try:
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
        ended(simulate)
