"""`ald devices` in clumsy and in hostile hands: always a sentence, always whole JSON, never a trace."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
from click.testing import CliRunner

from ald_controller.cli import devices as cli
from ald_controller.cli import instruments
from ald_controller.cli.addresses import BadAddresses, read_addresses
from ald_controller.cli.commands import ald
from ald_controller.cli.instruments import Answer
from ald_controller.cli.setpoints import order
from ald_controller.config import LineConfig
from ald_controller.valves.lock import Lock, lock_path
from drivers.base import NoReply
from drivers.line import Line, memory_line
from drivers.scan import LATE, SCANS, Asked, Kind, scan
from simulators.face import Bus, Face
from simulators.faults import Fault
from simulators.virtualtime import run_virtual
from simulators.world import World
from tests.run.test_cli_devices import FILE, TOOL, bench_on, reactor


def run(*arguments: str) -> Any:
    result = CliRunner().invoke(ald, ["devices", *arguments, "--tool", str(TOOL)])
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    return result


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lock:
    """What the controller of this tool would hold."""
    monkeypatch.setattr(instruments, "lock_folder", lambda: tmp_path)
    host, _, port = FILE.config.lines["coupler-a"].address.removeprefix("tcp://").rpartition(":")
    return Lock(lock_path(tmp_path, host, int(port)))


@pytest.fixture
def no_ports(lock: Lock, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(heard: object, lost: object) -> Any:
        raise OSError("no such port")

    monkeypatch.setattr(cli, "_open", lambda name, line: Line(name, refuse))


@pytest.mark.parametrize(
    "arguments",
    [
        ["watch", "carrier", "--every", "nan"],
        ["watch", "carrier", "--for", "nan"],
        ["capture", "out", "carrier", "--for", "NaN"],
        ["set", "substrate", "80 °C", "--for", "nan"],
    ],
    ids=lambda words: " ".join(words),
)
def test_what_is_no_number_is_no_time(arguments: list[str], no_ports: None) -> None:
    result = run(*arguments)
    assert result.exit_code == 2 and "is no number of seconds" in result.stderr


@pytest.mark.parametrize("value", ["-1 sccm", "-5 slm"])
def test_a_flow_below_zero_is_refused_as_a_flow_and_not_as_an_option(value: str, no_ports: None) -> None:
    result = run("set", "carrier", value)
    assert result.exit_code == 1 and "sccm is outside 0…20 sccm" in result.stderr


def test_a_program_that_asked_for_json_is_told_in_json_that_a_controller_runs(lock: Lock) -> None:
    assert lock.take()
    for arguments in (["read"], ["set", "carrier", "0 sccm"], ["scan", "flows"], ["watch"], ["capture", "out"]):
        result = run(*arguments, "--json")
        told = json.loads(result.stdout)
        assert (result.exit_code, told["ok"]) == (1, False) and "runs and owns its lines" in told["text"]
    lock.free()


def test_a_program_that_asked_for_json_is_told_in_json_that_a_line_does_not_open(no_ports: None) -> None:
    for arguments in (["read", "carrier"], ["scan", "flows"]):
        told = json.loads(run(*arguments, "--json").stdout)
        assert told["ok"] is False and "no such port" in json.dumps(told)


def test_a_controller_that_starts_meanwhile_has_its_lines_for_itself(
    lock: Lock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else whoever watches goes on to feed the watchdog of its coupler."""
    worlds: list[World] = []

    def opened(name: str, line: LineConfig) -> Line:
        worlds.extend([] if worlds else [reactor()])
        return memory_line(name, worlds[0].face(name))

    monkeypatch.setattr(cli, "_open", opened)
    start = Timer(0.5, lock.take)
    start.start()
    began_s = time.monotonic()
    result = run("watch", "coupler-b", "--every", "0.1", "--for", "20")
    start.join()
    assert result.exit_code == 1 and "runs and owns its lines" in result.stderr
    assert time.monotonic() - began_s < 10
    lock.free()


@pytest.mark.parametrize("out", ["/proc/none.txt", "/dev/full", "/nowhere/none.txt"])
def test_a_recording_that_cannot_be_written_is_a_sentence(out: str, no_ports: None) -> None:
    result = run("capture", out, "pirani", "--for", "0.1")
    assert result.exit_code == 1 and f"{out} cannot be written: " in result.stderr
    assert "no such port" not in result.stdout, "it is not recorded first"


@pytest.mark.parametrize("quick", [True, False], ids=["between two reads", "over a failed one"])
def test_another_device_that_was_plugged_in_instead_is_not_read_as_the_one_before(quick: bool) -> None:
    async def main() -> tuple[Answer, Answer]:
        world = reactor()
        bench = bench_on(world, "carrier")
        before = await bench.read("carrier")
        bench.lines["argon"]._lost("unplugged")
        world.instruments["carrier"].serial = "M99999999Z"
        await asyncio.sleep(1)
        if not quick:
            world.faults["carrier"].put(Fault(deaf=True))
            await bench.read("carrier")
            world.faults["carrier"].clear()
            await asyncio.sleep(10)
        return before, await bench.read("carrier")

    before, after = run_virtual(main())
    assert before.ok and not after.ok
    assert "another device answers: it was F-201CV-100-AAD-00-V, serial number M15200003A" in after.text
    assert "and is F-201CV-100-AAD-00-V, serial number M99999999Z" in after.text


def test_a_heater_that_did_not_hear_that_it_is_given_back_is_not_told_as_done() -> None:
    async def main() -> Answer:
        world = reactor()
        bench = bench_on(world, "substrate")
        wanted = order(FILE, "substrate", "80 °C")
        assert (await bench.put(wanted)).ok
        asyncio.get_running_loop().call_later(1.5, world.faults["substrate"].put, Fault(deaf=True))
        return await bench.hold(wanted, 2.0, lambda one: None)

    assert not run_virtual(main()).ok


class Talks:
    """What is no device: it says the same to every question, or talks on and on by itself."""

    def __init__(self, said: bytes, every_s: float | None) -> None:
        self._said, self._every_s, self._at_s = said, every_s, 0.0

    def hear(self, now_s: float, data: bytes) -> bytes:
        return self._said if self._every_s is None else b""

    def next_at(self) -> float | None:
        return None if self._every_s is None else self._at_s + self._every_s

    def speak(self, now_s: float) -> bytes:
        self._at_s = now_s
        return self._said


def scanned(face: Callable[[World], Face], kind: Kind = "alicat") -> list[Asked]:
    """The first four addresses of a line."""

    async def main() -> list[Asked]:
        return [asked async for asked in scan(memory_line("flows", face(reactor())), kind, 1, 4)]

    return run_virtual(main())


@pytest.mark.parametrize("late_s", [0.17, 0.25, 0.3])
def test_a_late_answer_is_not_taken_for_the_next_address(late_s: float) -> None:
    def late(world: World) -> Face:
        world.faults["pusher"].put(Fault(late_s=late_s))
        return world.face("flows")

    assert [(one.address, one.there, one.what) for one in scanned(late)] == [
        ("A", False, ""), ("B", False, ""), ("C", False, LATE), ("D", False, "")
    ]  # fmt: skip


def test_two_devices_of_one_address_are_told_as_that() -> None:
    def twice(world: World) -> Face:
        return Bus([world.face("flows"), world.face("flows")])

    found = [one for one in scanned(twice) if one.there]
    assert [one.address for one in found] == ["B"] and "two devices may have this address" in found[0].what


@pytest.mark.parametrize("kind", sorted(SCANS))
def test_noise_is_told_as_noise_and_a_line_that_never_falls_quiet_is_an_error(kind: Kind) -> None:
    noise = scanned(lambda world: Talks(b"\x00\xff\x13noise", None), kind)
    assert all("something answers otherwise than this protocol has it" in one.what for one in noise)
    with pytest.raises(NoReply, match=r"never falls quiet: something talks unasked; got b'U{300}' and \d+ bytes more$"):
        scanned(lambda world: Talks(b"U", 0.01), kind)


def test_a_line_that_is_lost_in_a_scan_is_an_error_and_not_silence() -> None:
    async def main() -> None:
        line = memory_line("flows", reactor().face("flows"))
        with pytest.raises(NoReply, match=r"line flows was closed|line flows is down"):
            async for asked in scan(line, "alicat", 1, 26):
                if asked.address == "B":
                    await line.close()

    run_virtual(main())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "it is empty: does the simulation run?"),
        (b"\xff\xfe", "it is no text"),
        (b"[]", "no object of devices with an address each"),
        (b'{"devices": {"carrier": 5}}', "no object of devices with an address each"),
        (b"[" * 100_000, "no object of devices with an address each"),
    ],
    ids=["empty", "bytes", "a list", "a number", "brackets"],
)
def test_a_wrong_file_of_addresses_is_told_in_words(text: bytes, why: str, tmp_path: Path) -> None:
    path = tmp_path / "addresses.json"
    path.write_bytes(text)
    with pytest.raises(BadAddresses) as error:
        read_addresses(path)
    assert str(error.value) == f"{path}: not what `ald simulate --json` prints: {why}"
    with pytest.raises(BadAddresses, match="cannot be read: Is a directory"):
        read_addresses(tmp_path)
