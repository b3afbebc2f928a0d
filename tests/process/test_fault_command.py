"""`ald fault` spoils what a real `ald simulate` serves, mends it again, and answers nonsense with a sentence."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ald_controller.cli.commands import ald
from drivers.alicat import Alicat, AlicatConfig
from drivers.base import NoReply, Reading
from drivers.line import open_line

pytestmark = pytest.mark.timeout(60)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    control = tmp_path_factory.mktemp("simulated") / "control"
    command = [sys.executable, "-m", "ald_controller", "simulate", str(ROOT / "deploy" / "tool.yaml"), "--json"]
    with subprocess.Popen([*command, "--control", str(control)], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
            process.wait(10)
    assert not control.exists()


def typed(*words: str) -> Result:
    result = CliRunner().invoke(ald, ["fault", *words])
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    return result


def polled(served: dict[str, Any]) -> dict[str, Reading]:
    """One poll of the carrier's flow controller over its own port."""

    async def main() -> dict[str, Reading]:
        found = served["devices"]["carrier"]
        line = open_line("test", found["address"], 19200)
        try:
            return await Alicat("carrier", line, AlicatConfig(found["unit"], 500.0, "Ar")).poll()
        finally:
            await line.close()

    return asyncio.run(main())


def test_a_fault_is_put_on_a_running_device_and_taken_off(served: dict[str, Any]) -> None:
    control = served["control"]
    polled(served)
    for kind in ("drop", "vanish"):
        assert typed("carrier", kind, "--control", control).output == f"carrier: {kind}\n"
        with pytest.raises(NoReply):
            polled(served)
        assert typed("carrier", "clear", "--control", control).exit_code == 0
        polled(served)
    late = json.loads(typed("carrier", "late", "s=0.05", "--json", "--control", control).output)
    assert (late["ok"], late["text"]) == (True, "carrier: late s=0.05")
    polled(served)
    typed("carrier", "clear", "--control", control)
    assert typed("valves", "slow", "ms=10", "by_ms=1", "--control", control).exit_code == 0


def test_what_there_is_is_listed(served: dict[str, Any]) -> None:
    listed = typed("--list", "--control", served["control"]).output
    assert all(name in listed.splitlines() for name in served["devices"])
    assert "  slow                 for ms every answer comes by_ms later" in listed
    only = typed("carrier", "--list", "--control", served["control"]).output
    assert "  late                 replies come by s later [s=0.5]" in only and "exception" not in only


@pytest.mark.parametrize(
    ("code", "words", "sentence"),
    [
        (2, "carrier", "write DEVICE KIND"),
        (2, "carrier late soon", "'soon': write NAME=NUMBER"),
        (2, "carrier clear n=1", "clear takes no numbers"),
        (1, "toaster drop", "there is no device 'toaster'; there are: "),
        (1, "carrier frobnicate", "there is no fault 'frobnicate'; there are: "),
        (1, "carrier late n=1", "'late' has no 'n'; it takes: s, every, times"),
        (1, "carrier late s=nan", "is not a number"),
        (1, "carrier drop every=0", "every=0 must be a whole number from 1 on"),
        (1, "carrier special value=70000", "'special' with value=70000: a whole number from 0 to 65535 is expected"),
        (1, "carrier late s=-5", "'late' with s=-5: from 0 to 3600 is expected"),
        (1, "carrier late s=1e308", "'late' with s=1e+308: from 0 to 3600"),
        (1, "carrier late s=1e999", "is not a number"),
        (1, "carrier truncated bytes=-3", "'truncated' with bytes=-3: a whole number from 0"),
        (1, "carrier bit n=0.5", "'bit' with n=0.5: a whole number"),
        (1, "coupler-b exception n=300", "'exception' with n=300: a whole number from 1 to 255"),
        (1, "coupler-b length n=70000", "'length' with n=70000: a whole number from -250 to 250"),
        (1, "valves exceptions code=1e999", "code=inf is no number from 0 to 3600000"),
        (1, "carrier exception", "is a fault of rtu, tcp, this device speaks ascii"),
        (1, "carrier watchdog", "'watchdog' is a fault of tcp, this device speaks ascii"),
        (1, "carrier reset", "is a fault of TCP, carrier hangs on a serial line"),
        (1, "valves frobnicate", "there is no fault 'frobnicate'; there are: dark"),
        (1, "valves dark n=1", "'dark' has no 'n'; it takes: ms"),
        (1, "valves clear", "ends by itself"),
    ],
)
def test_nonsense_is_answered_with_a_sentence(served: dict[str, Any], code: int, words: str, sentence: str) -> None:
    result = typed(*words.split(), "--control", served["control"])
    assert (result.exit_code, sentence in result.output) == (code, True), result.output


def test_without_a_simulation_there_is_a_sentence_too(served: dict[str, Any], tmp_path: Path) -> None:
    result = typed("carrier", "drop", "--control", str(tmp_path / "none"))
    assert result.exit_code == 3 and "does `ald simulate" in result.output
    taken = CliRunner().invoke(ald, ["simulate", str(ROOT / "deploy" / "tool.yaml"), "--control", served["control"]])
    assert taken.exit_code == 1 and "another simulation listens there" in taken.output
    polled(served)  # and has its ports as before


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"garbage\n", "b'garbage\\n' is no command: one JSON object a line is expected"),
        (b"\xff\xfe\x00\n", "is no command"),
        (b"[" * 4000 + b"\n", "is no command"),
        (b'{"verb": "list"', "is no command"),
        (b"x" * 5000 + b"\n", "a command has 4096 bytes at most"),
        (b'{"verb":"put","device":"carrier","kind":"late","numbers":{"s":1' + b"0" * 400 + b"}}\n", "is not a number"),
        (b'{"verb":"put","device":"valves","kind":"dark","numbers":{"ms":"x"}}\n', "ms=x is no number"),
    ],
    ids=["garbage", "bytes", "brackets", "half a line", "too long", "a huge number", "a word for a number"],
)
def test_whatever_is_said_at_the_socket_is_answered(served: dict[str, Any], said: bytes, answer: str) -> None:
    with socket.socket(socket.AF_UNIX) as door:
        door.settimeout(5)
        door.connect(served["control"])
        door.sendall(said)
        door.shutdown(socket.SHUT_WR)
        reply = json.loads(door.makefile("rb").readline())
    assert not reply["ok"] and answer in reply["text"]


def test_a_device_that_restarts_ends_its_connections(served: dict[str, Any]) -> None:
    address = served["devices"]["coupler-b"]["address"].removeprefix("tcp://").split(":")
    with socket.create_connection((address[0], int(address[1])), 5) as link:
        assert typed("coupler-b", "restart", "--control", served["control"]).exit_code == 0
        with pytest.raises(ConnectionResetError):
            link.recv(1)
    typed("coupler-b", "clear", "--control", served["control"])
