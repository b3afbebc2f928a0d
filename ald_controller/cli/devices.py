"""`ald devices`: look at the devices of a tool, and try them, while its controller is stopped."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from ald_controller.cli.asking import JSON, TOOL, tool_path

if TYPE_CHECKING:
    from ald_controller.cli.instruments import Answer, Bench
    from ald_controller.config import LineConfig, Tool
    from drivers.line import Line
    from drivers.scan import Kind

T = TypeVar("T")
ADDRESSES = click.option(
    "--addresses", type=click.Path(exists=True, path_type=Path), default=None,
    help="a file with what `ald simulate --json` printed: these addresses replace the tool's",
)  # fmt: skip
NAMES = click.argument("names", nargs=-1, metavar="[DEVICE]...")
INTERRUPTED = 130  # as a shell has it


class Seconds(click.FloatRange):
    """A time in seconds; what is no number is none, though it is within every range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        seconds = super().convert(value, param, ctx)
        if seconds != seconds:
            self.fail(f"'{value}' is no number of seconds", param, ctx)
        return seconds


FOR_S = Seconds(0, 86400)
HEAT_S = Seconds(0, 600)  # long enough to see a zone rise, too short to coat: no interlock watches


@click.group()
def devices() -> None:
    """Look at a tool's devices, and try them, while its controller is stopped.

    A device is identified before it is read or set, as at the controller's start: that switches the outputs of a
    coupler off and arms its watchdog, and gives a heater its safe set-point. `list` and `scan` write nothing.
    """


@devices.command("list")
@TOOL
@ADDRESSES
@JSON
def list_(tool: Path | None, addresses: Path | None, as_json: bool) -> None:
    """What the tool file has: driver, line and address of each device. Opens no line."""
    from ald_controller.cli.instruments import rows, rows_text

    found = rows(_file(tool, addresses))
    click.echo(json.dumps({"devices": found}) if as_json else rows_text(found))


@devices.command()
@NAMES
@TOOL
@ADDRESSES
@JSON
def identify(names: tuple[str, ...], tool: Path | None, addresses: Path | None, as_json: bool) -> None:
    """Ask devices who they are, and whether gas, range, unit and sensor are as the tool file says."""
    _tell(_on(_bench(names, tool, addresses, as_json), lambda bench: bench.all(bench.identify), as_json), as_json)


@devices.command()
@NAMES
@TOOL
@ADDRESSES
@JSON
def read(names: tuple[str, ...], tool: Path | None, addresses: Path | None, as_json: bool) -> None:
    """Read all channels of devices once."""
    _tell(_on(_bench(names, tool, addresses, as_json), lambda bench: bench.all(bench.read), as_json), as_json)


@devices.command()
@NAMES
@click.option("--every", type=Seconds(0.05, 3600), default=1.0, show_default=True, help="seconds")
@click.option("--for", "for_s", type=FOR_S, default=None, help="seconds; without it until Ctrl-C")
@TOOL
@ADDRESSES
@JSON
def watch(
    names: tuple[str, ...], every: float, for_s: float | None, tool: Path | None, addresses: Path | None, as_json: bool
) -> None:
    """Read devices again and again; one line for each device and turn."""

    async def work(bench: Bench) -> list[Answer]:
        loop = asyncio.get_running_loop()
        start_s = loop.time()
        while True:
            answers = await bench.all(bench.read)
            for one in answers:
                said = {"at_s": round(loop.time() - start_s, 3), **asdict(one)}
                line = f"{loop.time() - start_s:9.2f} s  {one.device:<14} {one.text}"
                click.echo(json.dumps(said) if as_json else line)
            if for_s is not None and loop.time() + every > start_s + for_s:
                return answers
            await asyncio.sleep(every)

    opened = _bench(names, tool, addresses, as_json)
    answers = _on(opened, work, as_json, by_hand=0)
    sys.exit(0 if all(one.ok for one in answers) else 1)


@devices.command("set", context_settings={"ignore_unknown_options": True})  # '-5 sccm' is a value
@click.argument("device")
@click.argument("value")
@click.option(
    "--for", "for_s", type=HEAT_S, default=10.0, show_default=True,
    help="seconds to keep a heater's set-point alive; then it has its own safe one again",
)  # fmt: skip
@TOOL
@ADDRESSES
@JSON
def set_(device: str, value: str, for_s: float, tool: Path | None, addresses: Path | None, as_json: bool) -> None:
    """Set DEVICE to VALUE, for example 'carrier "5 sccm"', 'substrate "80 °C"' or 'substrate off'.

    Flows go up to the full scale and the tool's purge flow, heaters up to their zone's limit, and no zone that touches
    lithium beyond 150 °C. Outputs, valves and pumps are not set from here. Nobody watches: set a flow back to 0.
    """
    from ald_controller.cli.setpoints import NotFromHere, order
    from ald_controller.units import UnitError

    opened = _bench((device,), tool, addresses, as_json)
    try:
        wanted = order(opened[0], device, value)
    except UnitError as error:
        raise click.UsageError(str(error)) from None
    except NotFromHere as refused:
        _refuse(str(refused), as_json)

    async def work(bench: Bench) -> list[Answer]:
        answer = await bench.put(wanted)
        if answer.ok and wanted.heater and wanted.value is not None:
            _say(answer, as_json)
            left = await bench.hold(wanted, for_s, lambda one: _say(one, as_json))
            return [*([] if left.ok else [left]), await bench.read(device)]
        return [answer, *([await bench.read(device)] if answer.ok else [])]

    _tell(_on(opened, work, as_json, by_hand=0), as_json)


@devices.command()
@click.argument("line")
@click.option("--kind", type=click.Choice(["modbus", "alicat", "mks", "propar"]), default=None, help="the protocol")
@click.option("--from", "first", type=int, default=None, help="the first address (Alicat: 1 is A)")
@click.option("--to", "last", type=int, default=None, help="the last one")
@TOOL
@ADDRESSES
@JSON
def scan(
    line: str, kind: Kind | None, first: int | None, last: int | None, tool: Path | None, addresses: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Ask every address of a LINE of the tool file who is there. Reads only."""
    from ald_controller.cli.instruments import while_free
    from drivers.scan import LATE, SCANS, Asked
    from drivers.scan import scan as ask

    file = _free_file(tool, addresses, as_json)
    protocol = kind or _kind(file, line)
    one = SCANS[protocol]
    begin, end = one.usual[0] if first is None else first, one.usual[1] if last is None else last
    if not one.least <= begin <= end <= one.most:
        raise click.UsageError(f"addresses of {protocol} are {one.least}…{one.most}, not {begin}…{end}")

    async def work() -> list[Asked]:
        opened = _open(line, file.config.lines[line])
        found = []
        try:
            tcp = file.config.lines[line].address.startswith("tcp:")
            async for asked in ask(opened, protocol, begin, end, tcp=tcp):
                if asked.there:
                    found.append(asked)
                    if not as_json:
                        click.echo(f"{asked.address:>4}  {asked.what}")
                elif asked.what == LATE:
                    click.echo(f"{asked.address:>4}  {asked.what}", err=True)
        finally:
            await opened.close()
        return found

    found = _run(while_free(file, work()), as_json)
    told = f"{len(found)} answered of {end - begin + 1} asked on {line} ({protocol})"
    click.echo(json.dumps({"line": line, "kind": protocol, "found": [asdict(a) for a in found]}) if as_json else told)


@devices.command()
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@NAMES
@click.option("--for", "for_s", type=FOR_S, default=10.0, show_default=True, help="seconds")
@TOOL
@ADDRESSES
@JSON
def capture(
    out: Path, names: tuple[str, ...], for_s: float, tool: Path | None, addresses: Path | None, as_json: bool
) -> None:
    """Identify and poll devices, each at its own period, and write every byte of their lines to OUT."""
    from ald_controller.cli.instruments import Recording
    from ald_controller.stamp import iso, utc_now

    where = "against `ald simulate`, NOT against hardware" if addresses else "at the addresses of the tool file"

    async def work(bench: Bench) -> list[Answer]:
        at = [f"{name}: {bench.file.config.lines[name].address}" for name in bench.lines]
        made = f"Recorded by `ald devices capture` of tool {bench.file.config.tool} on {iso(utc_now())}, {where}."
        recordings.append(Recording(bench, [made, *at]))
        try:
            answers = await bench.all(bench.identify)
            async with asyncio.timeout(for_s):
                await asyncio.gather(*(_poll(bench, one.device) for one in answers))
        except TimeoutError:
            pass
        return answers

    recordings: list[Recording] = []
    opened = _bench(names, tool, addresses, as_json)
    try:
        out.open("a").close()  # before ten minutes are recorded, not after them
        try:
            answers = _on(opened, work, as_json, by_hand=0)
        finally:
            for recording in recordings:
                out.write_text(recording.text(), "utf-8")
    except OSError as error:
        _refuse(f"{out} cannot be written: {error.strerror or error}", as_json)
    _tell(answers, as_json)


async def _poll(bench: Bench, name: str) -> None:
    while True:
        await bench.read(name)
        await asyncio.sleep(bench.file.devices[name].poll_s)


# --- what they share -------------------------------------------------------------------------------------------------


def _file(tool: Path | None, addresses: Path | None) -> Tool:
    from ald_controller.cli.serve import load_or_exit

    return load_or_exit(tool_path(tool), addresses)


def _free_file(tool: Path | None, addresses: Path | None, as_json: bool) -> Tool:
    """The tool file; exits with 1 where a controller owns its lines."""
    from ald_controller.cli.instruments import owned

    file = _file(tool, addresses)
    if why := owned(file):
        _refuse(why, as_json)
    return file


def _bench(
    names: tuple[str, ...], tool: Path | None, addresses: Path | None, as_json: bool
) -> tuple[Tool, tuple[str, ...]]:
    """The tool file and the devices of it that are meant: those named, else all."""
    file = _free_file(tool, addresses, as_json)
    for name in names:
        if name == "valves":
            raise click.UsageError("the valve module answers the valve process alone: see `ald valves` and `ald safe`")
        if name not in file.devices:
            raise click.UsageError(f"there is no device '{name}'; there are: {', '.join(file.devices)}")
    return file, names or tuple(file.devices)


def _kind(file: Tool, line: str) -> Kind:
    """The protocol of the devices that the tool file has on a line."""
    from drivers.scan import KINDS

    if line not in file.config.lines:
        raise click.UsageError(f"there is no line '{line}'; there are: {', '.join(file.config.lines)}")
    if line == file.config.valves.line:
        raise click.UsageError(f"{line} is the valve module's: it answers the valve process alone")
    kinds = {KINDS[one.driver] for one in file.devices.values() if one.line == line and one.driver in KINDS}
    if len(kinds) != 1:
        raise click.UsageError(f"which protocol is spoken on {line} is not known from its devices: name it with --kind")
    return kinds.pop()


def _open(name: str, line: LineConfig) -> Line:
    from drivers.line import open_line

    return open_line(
        name, line.address, line.baud, line.parity, rs485=line.rs485,
        warn=lambda what: click.echo(f"ald devices: warning: {what}", err=True),
    )  # fmt: skip


def _on(
    opened: tuple[Tool, tuple[str, ...]], work: Callable[[Bench], Coroutine[Any, Any, list[Answer]]], as_json: bool,
    by_hand: int = INTERRUPTED,
) -> list[Answer]:  # fmt: skip
    """Do something with devices, and close their lines whatever comes of it."""
    from ald_controller.cli.instruments import Bench, while_free

    async def main() -> list[Answer]:
        bench = Bench(opened[0], opened[1], _open)
        try:
            return await while_free(opened[0], work(bench))
        finally:
            await bench.close()

    return _run(main(), as_json, by_hand)


def _run(main: Coroutine[Any, Any, T], as_json: bool, by_hand: int = INTERRUPTED) -> T:
    """Its result; a line that cannot be opened or a file exits with 1, Ctrl-C or a signal with `by_hand`."""
    from ald_controller.cli.instruments import Owned
    from drivers.base import DriverError

    try:
        return asyncio.run(_to_its_end(main))
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(by_hand)
    except BrokenPipeError:
        raise  # whoever read has enough; click ends without a word
    except (DriverError, OSError, Owned) as error:
        _refuse(str(error), as_json)


async def _to_its_end(main: Coroutine[Any, Any, T]) -> T:
    """A terminal that is closed and a SIGTERM end it in order, as Ctrl-C does: a heater is given back."""
    work = asyncio.ensure_future(main)
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    return await work


def _say(one: Answer, as_json: bool) -> None:
    if not as_json:
        click.echo(f"{one.device:<14} {one.text}", err=not one.ok)


def _tell(answers: list[Answer], as_json: bool) -> None:
    """Print answers; exits with 1 unless all of them are good."""
    good = all(one.ok for one in answers)
    if as_json:
        click.echo(json.dumps({"ok": good, "answers": [asdict(one) for one in answers]}))
    for one in answers:
        _say(one, as_json)
    sys.exit(0 if good else 1)


def _refuse(why: str, as_json: bool) -> NoReturn:
    if as_json:
        click.echo(json.dumps({"ok": False, "text": why}))
    else:
        click.echo(f"ald devices: {why}", err=True)
    sys.exit(1)
