"""`ald devices` over the simulated reactor with one device of every driver, in memory and on virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ald_controller.cli import devices as cli
from ald_controller.cli import instruments
from ald_controller.cli.commands import ald
from ald_controller.cli.instruments import Answer, Bench, Recording, owned
from ald_controller.cli.setpoints import order
from ald_controller.config import LineConfig, load_tool
from ald_controller.valves.lock import Lock, lock_path
from drivers.base import NoReply
from drivers.capture import Replay, read_captures
from drivers.line import Line, memory_line
from drivers.scan import SCANS, Asked, Kind, scan
from simulators.faults import Fault
from simulators.virtualtime import run_virtual
from simulators.world import World, build

TOOL = Path(__file__).parents[2] / "deploy" / "tools" / "every-device.yaml"
FILE = load_tool(TOOL)


def reactor() -> World:
    return build(TOOL, at_s=asyncio.get_running_loop().time())


def bench_on(world: World, *names: str) -> Bench:
    def opened(name: str, line: LineConfig) -> Line:
        return memory_line(name, world.face(name))

    return Bench(FILE, names or tuple(FILE.devices), opened)


def test_every_device_says_who_it_is_and_what_it_reads() -> None:
    async def main() -> tuple[list[Answer], list[Answer]]:
        bench = bench_on(reactor())
        found = await bench.all(bench.identify), await bench.all(bench.read)
        await bench.close()
        return found

    who, read = run_virtual(main())
    assert [one.device for one in who] == [one.device for one in read] == list(FILE.devices)
    assert all(one.ok for one in (*who, *read))
    assert "Eurotherm 3216, tells no serial number, firmware 240" in who[7].text
    assert read[0].data["flow_sccm"]["flags"] == [] and "flow_sccm" in read[0].text
    json.dumps([one.data for one in (*who, *read)])


def test_a_silent_device_is_told_and_the_others_answer() -> None:
    async def main() -> list[Answer]:
        world = reactor()
        world.faults["chamber"].put(Fault(silent=True))
        bench = bench_on(world, "substrate", "chamber", "carrier")
        return await bench.all(bench.read)

    substrate, chamber, carrier = run_virtual(main())
    assert (substrate.ok, chamber.ok, carrier.ok) == (True, False, True)
    assert chamber.data["error"] == "NoReply" and chamber.text.startswith("no whole reply within")


def test_a_device_that_failed_says_anew_who_it_is_before_it_is_read_again() -> None:
    async def main() -> list[str]:
        world = reactor()
        bench = bench_on(world, "carrier")
        await bench.read("carrier")
        asked: list[str] = []
        identify = bench.devices["carrier"].identify

        async def counted() -> Any:
            asked.append("identify")
            return await identify()

        bench.devices["carrier"].identify = counted
        await bench.read("carrier")
        world.faults["carrier"].put(Fault(silent=True))
        await bench.read("carrier")
        world.faults["carrier"].clear()
        await asyncio.sleep(3)
        assert (await bench.read("carrier")).ok
        return asked

    assert run_virtual(main()) == ["identify"]


def test_a_flow_is_set_and_read_back() -> None:
    async def main() -> tuple[Answer, Answer]:
        bench = bench_on(reactor(), "carrier")
        return await bench.put(order(FILE, "carrier", "5 sccm")), await bench.read("carrier")

    put, read = run_virtual(main())
    assert put.text == "5 sccm, read back"
    assert read.data["setpoint_sccm"]["value"] == pytest.approx(5.0, abs=0.01)


def test_a_heaters_set_point_is_kept_alive_and_then_given_back() -> None:
    async def main() -> tuple[list[Answer], Answer]:
        bench = bench_on(reactor(), "substrate")
        wanted = order(FILE, "substrate", "80 °C")
        assert (await bench.put(wanted)).ok
        told: list[Answer] = []
        await bench.hold(wanted, 20.0, told.append)
        return told, await bench.read("substrate")

    told, after = run_virtual(main())
    assert all(one.data["working_setpoint_c"]["value"] == 80.0 for one in told[:-1])
    assert len(told) >= 15
    assert told[-1].text == "its own safe set-point, read back"
    assert after.data["working_setpoint_c"]["value"] == 20.0


def test_a_heater_is_given_back_also_when_the_person_interrupts() -> None:
    async def main() -> Answer:
        bench = bench_on(reactor(), "substrate")
        wanted = order(FILE, "substrate", "80 °C")
        await bench.put(wanted)
        holding = asyncio.create_task(bench.hold(wanted, 1000.0, lambda _: None))
        await asyncio.sleep(3.3)
        holding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await holding
        return await bench.read("substrate")

    assert run_virtual(main()).data["working_setpoint_c"]["value"] == 20.0


@pytest.mark.parametrize(
    ("line", "kind", "first", "last", "found"),
    [
        ("heaters", "modbus", 1, 8, ["1", "2", "3", "4", "5"]),
        ("ovens", "modbus", 1, 3, ["1"]),
        ("flows", "alicat", 1, 26, ["B"]),
        ("gauge", "mks", 250, 253, ["253"]),
        ("gauges", "mks", 1, 5, ["003"]),
        ("argon", "propar", 1, 5, ["3"]),
        ("argon", "propar", 128, 128, ["128"]),
        ("analysers", "modbus", 1, 3, ["1"]),
    ],
)
def test_a_scan_finds_who_is_there_and_writes_nothing(
    line: str, kind: Kind, first: int, last: int, found: list[str]
) -> None:
    sent: list[bytes] = []

    async def main() -> list[Asked]:
        opened = memory_line(line, reactor().face(line))
        opened.tap = lambda at_s, device, way, data: sent.append(data) if way == "sent" else None
        tcp = FILE.config.lines[line].address.startswith("tcp")
        return [asked async for asked in scan(opened, kind, first, last, tcp=tcp)]

    asked = run_virtual(main())
    assert len(asked) == last - first + 1
    assert [one.address for one in asked if one.there] == found
    if kind == "modbus":
        function = 7 if FILE.config.lines[line].address.startswith("tcp") else 1
        assert {data[function] for data in sent} == {3}, "read holding registers"


def test_a_scan_of_a_line_that_does_not_open_ends_at_once() -> None:
    async def main() -> None:
        async def refuse(heard: object, lost: object) -> Any:
            raise OSError("no such port")

        with pytest.raises(NoReply, match="no such port"):
            async for _ in scan(Line("flows", refuse), "alicat", 1, 26):
                pass

    run_virtual(main())


def test_every_protocol_has_addresses_that_exist() -> None:
    for one in SCANS.values():
        assert one.least <= one.usual[0] <= one.usual[1] <= one.most


def test_what_was_captured_can_be_replayed() -> None:
    async def main() -> None:
        bench = bench_on(reactor(), "pirani", "carrier")
        recording = Recording(bench, ["A sentence."])
        before = await bench.all(bench.read)
        captures = {one.line: one for one in read_captures(recording.text())}

        def replayed(name: str, line: LineConfig) -> Line:
            return memory_line(name, Replay(captures[name]))

        again = Bench(FILE, ("pirani", "carrier"), replayed)
        assert [one.data for one in await again.all(again.read)] == [one.data for one in before]

    run_virtual(main())


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def controller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lock]:
    """The lock that a controller of this tool would hold, not yet taken."""
    monkeypatch.setattr(instruments, "lock_folder", lambda: tmp_path)
    host, _, port = FILE.config.lines["coupler-a"].address.removeprefix("tcp://").rpartition(":")
    lock = Lock(lock_path(tmp_path, host, int(port)))
    yield lock
    lock.free()


def run(*arguments: str) -> Any:
    return CliRunner().invoke(ald, ["devices", *arguments, "--tool", str(TOOL)])


def test_a_line_that_a_controller_owns_is_not_touched(controller: Lock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_open", lambda *_: pytest.fail("a line was opened"))
    assert controller.take()
    for arguments in (["read"], ["identify", "carrier"], ["set", "carrier", "0 sccm"], ["scan", "flows"]):
        result = run(*arguments)
        assert result.exit_code == 1
        assert "the controller of 'every-device' runs and owns its lines: `ald status`" in result.stderr
        assert "stop it to talk to its devices from here" in result.stderr
    assert run("list").exit_code == 0, "which opens no line"


def test_to_look_whether_a_controller_runs_leaves_its_lock_free_and_nothing_behind(controller: Lock) -> None:
    assert owned(FILE) == ""
    assert not controller.path.exists()
    assert controller.take()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["read", "pirano"], "there is no device 'pirano'; there are: carrier"),
        (["read", "valves"], "answers the valve process alone"),
        (["scan", "coupler-a"], "answers the valve process alone"),
        (["scan", "pump"], "name it with --kind"),
        (["scan", "nowhere"], "there is no line 'nowhere'"),
        (["scan", "flows", "--to", "27"], "addresses of alicat are 1…26, not 1…27"),
        (["set", "carrier", "5"], "'5' has no unit"),
    ],
)
def test_a_command_that_is_written_wrongly_says_how_it_is_right(
    arguments: list[str], words: str, controller: Lock
) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.split())


def test_what_may_not_be_set_is_refused_before_a_line_is_opened(
    controller: Lock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "_open", lambda *_: pytest.fail("a line was opened"))
    result = run("set", "substrate", "151 °C")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "lithium may lie there" in result.stderr
    told = json.loads(run("set", "coupler-b", "1", "--json").stdout)
    assert told["ok"] is False and "outputs of coupler-b" in told["text"]


def test_the_list_names_every_device_and_where_it_is(controller: Lock) -> None:
    found = json.loads(run("list", "--json").stdout)["devices"]
    assert [one["device"] for one in found] == [*FILE.devices, "valves"]
    assert "pusher         alicat           flows" in run("list").stdout


@pytest.fixture
def in_memory(controller: Lock, monkeypatch: pytest.MonkeyPatch) -> dict[str, World]:
    """Lines of the command lead to one reactor in memory, on the wall clock, which is there once a line was opened."""
    worlds: dict[str, World] = {}

    def opened(name: str, line: LineConfig) -> Line:
        if not worlds:
            worlds["reactor"] = reactor()
        return memory_line(name, worlds["reactor"].face(name))

    monkeypatch.setattr(cli, "_open", opened)
    return worlds


def test_to_watch_is_a_line_for_each_device_and_turn(in_memory: dict[str, World]) -> None:
    result = run("watch", "pirani", "analysers", "--every", "0.1", "--for", "0.35")
    assert result.exit_code == 0
    told = [line.split() for line in result.stdout.splitlines()]
    assert [words[2] for words in told] == ["pirani", "analysers"] * (len(told) // 2)
    assert len(told) >= 4
    assert all(words[1] == "s" and words[3] in ("pressure_pa", "o2_ppm") for words in told)
    at_s = [float(words[0]) for words in told]
    assert at_s == sorted(at_s)


def test_a_set_point_of_a_heater_is_told_while_it_is_kept(in_memory: dict[str, World]) -> None:
    result = run("set", "substrate", "80 °C", "--for", "1.1")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "substrate      80 °C, read back"
    assert "working_setpoint_c 80" in result.stdout
    assert "its own safe set-point, read back" in result.stdout
    assert "working_setpoint_c 20" in result.stdout.splitlines()[-1]


def test_what_fails_is_an_exit_code_and_an_error_and_not_a_trace(
    controller: Lock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(heard: object, lost: object) -> Any:
        raise OSError("no such port")

    monkeypatch.setattr(cli, "_open", lambda name, line: Line(name, refuse))
    for arguments in (["read", "pirani"], ["identify", "pirani"], ["scan", "gauge"], ["set", "carrier", "0 sccm"]):
        result = run(*arguments)
        assert result.exit_code == 1
        assert "no such port" in result.stderr
        assert "Traceback" not in result.output
