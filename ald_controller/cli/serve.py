"""`ald daemon` and `ald simulate`: the two processes that stay."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import stat
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import click
import structlog

from ald_controller.aio import spare_the_collector
from ald_controller.cli import children
from ald_controller.cli.addresses import BadAddresses, host_and_port, read_addresses
from ald_controller.cli.logs import configure_log
from ald_controller.config import LineConfig, Mqtt, Tool, load_tool
from ald_controller.daemon import Daemon, Parts
from ald_controller.doorbell import default_socket
from ald_controller.doors.desk import Desk
from ald_controller.doors.local import LocalDoor
from ald_controller.doors.mqtt import MqttDoor, broker_of
from ald_controller.interlocks import site_words
from ald_controller.systemd import Notifier
from ald_controller.valves.client import ValveClient
from ald_controller.valves.lock import lock_folder
from ald_controller.yamlfile import Problems
from drivers.line import open_line

Door = tuple[str, Callable[[Desk], Awaitable[None]]]

NICENESS = -10  # of the controller and of simulated devices; its valve process has real-time priority besides


def load_or_exit(tool: Path, addresses: Path | None) -> Tool:
    """The tool file, or its problems on stderr and exit 1."""
    try:
        elsewhere = read_addresses(addresses) if addresses else None
        file = load_tool(tool, elsewhere)
        missing = sorted({*file.devices, "valves"} - elsewhere.keys()) if elsewhere is not None else []
        if missing:
            told = f"{addresses}: no address of {', '.join(missing)}: simulated and real devices are not mixed"
            raise BadAddresses(told)
        return file
    except (Problems, BadAddresses) as error:
        click.echo(str(error), err=True)
        sys.exit(1)


def words_or_exit(tool: Path) -> None:
    """The words of the alarms that this tool will use can be read, or their problems on stderr and exit 1."""
    try:
        site_words(tool)
    except Problems as error:
        click.echo(str(error), err=True)
        sys.exit(1)


def tool_line(name: str, line: LineConfig) -> Any:
    """The transport of one line of the tool file; what hinders nothing is a warning in the log."""
    log = structlog.get_logger("line")
    return open_line(
        name, line.address, line.baud, line.parity, rs485=line.rs485,
        warn=lambda what: log.warning("a line is not as it should be", line=name, what=what),
    )  # fmt: skip


def lines_of(file: Tool) -> Callable[[str, LineConfig], Any]:
    """The transports of a tool file, on which the devices that interlocks judge by are read first."""
    config = file.config
    signals = [signal for signal in config.signals.model_dump().values() if isinstance(signal, str)]
    judged = {signal.partition(".")[0] for signal in signals}
    judged |= {zone.device for zone in config.zones.values()}

    def opened(name: str, line: LineConfig) -> Any:
        made = tool_line(name, line)
        made.safety = frozenset(judged)
        return made

    return opened


async def until_signal(work: asyncio.Task[Any]) -> None:
    """Run `work` until it ends or SIGTERM or SIGINT cancels it."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        if not work.cancelled():
            raise


def daemon_command(
    tool: Path, state: Path, door: Path | None, addresses: Path | None, broker: str | None,
    password_file: Path | None, *, quiet: bool,
) -> int:  # fmt: skip
    """Control one tool; 0 after a signal, 1 when something essential failed."""
    configure_log(quiet)
    file = load_or_exit(tool, addresses)
    words_or_exit(tool)
    mqtt = _broker(file.config.tool, file.config.mqtt, broker, password_file)
    file = replace(file, config=file.config.model_copy(update={"mqtt": mqtt}))
    socket = door or default_socket(file.config.tool)
    if why := cannot_listen(socket):
        click.echo(f"ald daemon: {why}", err=True)
        return 1
    doors, reachable = _doors(socket, mqtt)
    parts = Parts(
        file=file, open_line=lines_of(file), valves=_valves(file, state), state_dir=state,
        check=children.checker(tool), report=children.report, runs=children.lister(state), doors=doors,
        notifier=Notifier(), broker=reachable,
        simulated=True if addresses else None,
    )  # fmt: skip
    log = structlog.get_logger()
    spare_the_collector()
    _go_first()
    try:
        asyncio.run(_serve(Daemon(parts)))
    except BaseExceptionGroup as group:
        for error in _leaves(group):
            log.error("an essential task failed; the tool was made safe", error=repr(error))
        return 1
    except Exception as error:
        log.error("the controller could not go on", error=str(error))
        return 1
    return 0


def _go_first() -> None:
    """Polls have to be answered within half a second, whatever else this computer does; where that may be asked for."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, min(NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))


async def _serve(daemon: Daemon) -> None:
    await until_signal(asyncio.ensure_future(daemon.run()))


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    return [
        leaf for error in group.exceptions
        for leaf in (_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    ]  # fmt: skip


def cannot_listen(socket: Path) -> str:
    """Why there can be no local door at this address, or "": a tool that nobody at it can stop is not started."""
    if not socket.parent.is_dir():
        return f"--door {socket}: the folder {socket.parent} does not exist"
    if not os.access(socket.parent, os.W_OK):
        return f"--door {socket}: the folder {socket.parent} may not be written to"
    if socket.exists() and not stat.S_ISSOCK(socket.stat().st_mode):
        return f"--door {socket}: something stands there that is not a socket"
    return ""


def _valves(file: Tool, state: Path) -> ValveClient:
    valves = file.config.valves
    host, port = host_and_port(file.config.lines[valves.line].address)
    return ValveClient(
        host, port, driver=valves.driver, unit=valves.unit, coils=valves.coils, watchdog_ms=valves.watchdog_ms,
        lock_dir=lock_folder(), leave_in=state,
    )  # fmt: skip


def _broker(tool: str, own: Mqtt | None, broker: str | None, password_file: Path | None) -> Mqtt | None:
    if broker is None:
        return own
    host, _, port = broker.rpartition(":")
    if not host or not port.isdigit():
        raise click.UsageError(f"--broker {broker}: write HOST:PORT")
    user = own.user if own else f"ald-{tool}"
    return Mqtt(host=host, port=int(port), user=user, password_file=str(password_file) if password_file else None)


def _doors(socket: Path, mqtt: Mqtt | None) -> tuple[tuple[Door, ...], Callable[[], bool] | None]:
    """The doors, and whether the broker is reachable; None where there is no remote door."""
    local: Door = ("local door", lambda desk: LocalDoor(desk, socket).run())
    if mqtt is None:
        return (local,), None
    version = metadata.version("ald-controller")
    served: list[MqttDoor] = []  # a door that failed is followed by another one

    def remote(desk: Desk) -> Awaitable[None]:
        served[:] = [MqttDoor(desk, broker_of(mqtt), version)]
        return served[0].run()

    return (local, ("remote door", remote)), lambda: any(door.connected for door in served)


@dataclass(frozen=True, slots=True)
class SimulateOptions:
    """How a simulated reactor begins, and where it tells and hears of itself."""

    warm_for: Path | None = None  # a recipe: as warm as it wants the zones, with its sample and its bottles
    rack: Path | None = None
    trace: Path | None = None
    control: Path | None = None
    as_json: bool = False


def simulate_command(tool: Path, options: SimulateOptions) -> int:
    """Serve the devices of a tool until SIGTERM; 1 when a file is wrong or a wire cannot be laid."""
    load_or_exit(tool, None)
    _go_first()
    try:
        asyncio.run(_simulate(tool, options))
    except (Problems, OSError, RuntimeError) as error:
        click.echo(str(error), err=True)
        return 1
    return 0


def beginning(tool: Path, recipe: Path | None, rack: Path | None) -> tuple[dict[str, str], dict[str, float] | None]:
    """What hangs at the ports of a simulated reactor, and how warm its zones are (°C), for a recipe; raises Problems.

    As a preview has them, but that no controller is asked: what hangs at a real tool says nothing of a simulated one.
    """
    from ald_controller.cli.checking import assume, simulated_rack
    from ald_controller.cli.warmth import warm_zones

    if recipe is None:
        return simulated_rack(tool, rack), None
    assumed = assume(recipe, tool, None, rack, alone=True)
    return assumed.registers.rack(), warm_zones(recipe, assumed)


async def _simulate(tool: Path, options: SimulateOptions) -> None:
    from ald_controller.cli.plandrive import sample_for
    from simulators.serve import simulate

    bottles, warm = beginning(tool, options.warm_for, options.rack)
    sample = sample_for(options.warm_for) if options.warm_for else None

    def ready(served: dict[str, Any]) -> None:
        if options.as_json:
            click.echo(json.dumps(served))
        else:
            for name, device in served["devices"].items():
                click.echo(f"{name:<12} {device['driver']:<16} {device['address']}  unit {device['unit']}")
            if options.control is not None:
                click.echo(f"faults: ald fault --control {options.control} …")
        sys.stdout.flush()
        spare_the_collector()

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await simulate(tool, warm, ready, options.trace, stop, bottles=bottles, control=options.control, sample=sample)
