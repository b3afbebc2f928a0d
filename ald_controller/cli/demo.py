"""`ald demo`: the main job end to end on the simulated reactor, every device on its real wire, every act printed.

Three processes besides this one: the simulated reactor (whose valve coupler is a process of its own), Mosquitto where
it is installed, and the controller with its real-time valve process. Nothing here has a right that a person lacks.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ald_controller.aio import uncancellable
from ald_controller.cli import broker
from ald_controller.cli.follow import View, exit_code, say_ending
from ald_controller.cli.logs import configure_log
from ald_controller.doorbell import LocalClient, NoDoor
from ald_controller.shipped import DEPLOY, RECIPES
from ald_controller.valves import lastmodule
from ald_controller.valves.lock import Lock
from ald_controller.valves.wire import ValveError

TOOL = DEPLOY / "tool.yaml"
RECIPE = RECIPES / "trial-ligl.yaml"
REGISTERS = DEPLOY / "registers-simulated.yaml"
READY_S = 30.0
PROVEN_S = 60.0
END_S = 10.0
PERSON = "demo"
SOCKET_NAME_BYTES = 100  # what a Unix socket's address has room for, with some to spare


class DemoFailed(Exception):
    """The demonstration cannot go on; the sentence says what was tried."""


@dataclass(slots=True)
class Stage:
    """The processes of a demonstration, in the order in which they were started."""

    state: Path
    view: View
    children: dict[str, asyncio.subprocess.Process]

    async def start(self, name: str, *command: str) -> asyncio.subprocess.Process:
        """Start a process that ends with this one; its errors go to a log beside the records."""
        with (self.state / f"{name}.log").open("wb") as log:
            child = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=log,
                preexec_fn=_end_with_parent,
            )  # fmt: skip
        self.children[name] = child
        return child

    async def end(self) -> None:
        """The controller first, so that it finds its devices when it makes them safe; then what it stood on."""
        for name in ("controller", "broker", "reactor"):
            child = self.children.get(name)
            if child is None or child.returncode is not None:
                continue
            child.terminate()
            try:
                async with asyncio.timeout(END_S):
                    await child.wait()
            except TimeoutError:
                child.kill()
                await child.wait()
        self._forget_lock()

    def _forget_lock(self) -> None:
        """The next simulated module may get this port under another account, which may not open a lock of this one."""
        with contextlib.suppress(ValveError):  # nothing to read, or not ours: then there is nothing to take away
            if (module := lastmodule.last(self.state)) is not None and (lock := Lock(Path(module.lock))).take():
                lock.free(remove=True)


def _end_with_parent() -> None:
    """Own session, so that Ctrl-C reaches the demonstration alone; SIGTERM should it die without a word."""
    os.setsid()
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG of prctl(2)


def demo_command(state: Path, recipe: Path | None, no_broker: bool, parameters: dict[str, str]) -> int:
    """Run it; 0 when the run completes, 130 after Ctrl-C with all valves shut, 1 otherwise."""
    configure_log(quiet=True)
    try:
        state.mkdir(parents=True, exist_ok=True)
        with _alone(state):
            return asyncio.run(_demo(state.resolve(), (recipe or RECIPE).resolve(), no_broker, parameters))
    except (DemoFailed, NoDoor, OSError) as error:
        print(f"ald demo: {error}", file=sys.stderr)
        return 1


@contextlib.contextmanager
def _alone(state: Path) -> Iterator[None]:
    """Two demonstrations in one folder would take each other's reactor for their own; raises DemoFailed."""
    with (state / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoFailed(f"another demonstration runs in {state}; give this one a folder with --state") from None
        yield


async def _demo(state: Path, recipe: Path, no_broker: bool, parameters: dict[str, str]) -> int:
    _cancel_once(asyncio.current_task())
    view = View()
    stage = Stage(state, view, {})
    with view:
        try:
            last = await _play(stage, recipe, no_broker, parameters)
        except asyncio.CancelledError:
            last = None
            view.note("[bold yellow]interrupted[/]: the controller makes the tool safe ...")
        finally:
            await uncancellable(stage.end())
    if last is None:
        view.note(_shut(state))
        return 130
    say_ending(view.console, last)
    return exit_code(last)


def _cancel_once(main: asyncio.Task[Any] | None) -> None:
    """The first signal ends the demonstration; whoever is impatient while it ends changes nothing."""
    loop, waiting = asyncio.get_running_loop(), [main]

    def interrupt() -> None:
        if waiting and (task := waiting.pop()) is not None:
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt)


async def _play(stage: Stage, recipe: Path, no_broker: bool, parameters: dict[str, str]) -> dict[str, Any] | None:
    """Everything between the first process and the end of the run; the run's last state."""
    await _start_reactor(stage, recipe)
    remote = None if no_broker or not broker.installed() else await _start_broker(stage)
    why = "as asked" if no_broker else "Mosquitto is not installed here"
    with tempfile.TemporaryDirectory(prefix="ald-demo-") as short:
        own = stage.state / "ald.sock"
        socket = own if len(os.fsencode(own)) < SOCKET_NAME_BYTES else Path(short) / "ald.sock"
        await _start_controller(stage, socket, remote)
        return await _use(stage, LocalClient(socket), remote or why, recipe, parameters)


async def _use(
    stage: Stage, client: LocalClient, remote: broker.Prepared | str, recipe: Path, parameters: dict[str, str]
) -> dict[str, Any]:
    """What a person does, and the run to its end; `remote` is the broker, or why there is none."""
    watching = asyncio.create_task(_watch(stage.view, client))
    try:
        await _prepare_tool(stage.view, client)
        name = await (_by_local_door(stage.view, client, recipe, parameters, remote) if isinstance(remote, str)
                      else _by_broker(stage.view, remote, recipe, parameters))  # fmt: skip
        return await _until_ended(stage, client, name)
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


def _ald(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "ald_controller", *arguments)


async def _start_reactor(stage: Stage, recipe: Path) -> None:
    stage.view.note("the simulated reactor: every device on its own wire, warm as at the end of a heat-up")
    trace = stage.state / "valves.trace"
    trace.unlink(missing_ok=True)
    child = await stage.start(
        "reactor", *_ald("simulate", str(TOOL), "--json", "--warm-for", str(recipe), "--trace", str(trace))
    )
    line = await _line(child, "reactor", stage.state)
    (stage.state / "addresses.json").write_text(line)
    for name, device in json.loads(line)["devices"].items():
        stage.view.note(f"  [dim]{name:<12} {device['driver']:<16} {device['address']}[/]")


async def _line(child: asyncio.subprocess.Process, name: str, state: Path) -> str:
    """The line that a process says when it is ready."""
    try:
        async with asyncio.timeout(READY_S):
            line = await child.stdout.readline() if child.stdout else b""
            if not line:
                await child.wait()  # it has ended, and is reaped before anybody signals it
    except TimeoutError:
        line = b""
    if not line:
        raise DemoFailed(f"the {name} did not become ready{_last_words(state / f'{name}.log')}")
    return line.decode()


def _last_words(log: Path) -> str:
    """What a process said before it ended, and where the rest of it lies."""
    said = log.read_text("utf-8", errors="replace").strip().splitlines()[-5:] if log.exists() else []
    return "\n".join([":", *said, f"(see {log})"]) if said else f"; {log} is empty"


async def _start_broker(stage: Stage) -> broker.Prepared:
    try:
        prepared = await asyncio.to_thread(broker.prepare, stage.state / "broker", ("ald-reference", "operator"))
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip()
        raise DemoFailed(f"the broker's passwords could not be made: {said}; --no-broker does without") from error
    await stage.start("broker", *prepared.command)
    password = stage.state / "broker" / "controller.password"
    password.touch(mode=0o600)
    password.write_text(prepared.passwords["ald-reference"])
    return prepared


async def _start_controller(stage: Stage, socket: Path, remote: broker.Prepared | None) -> None:
    stage.view.note("the controller, and its valve process")
    options = ["--tool", str(TOOL), "--state", str(stage.state), "--door", str(socket)]
    options += ["--addresses", str(stage.state / "addresses.json")]
    if remote is not None:
        password = stage.state / "broker" / "controller.password"
        options += ["--broker", f"127.0.0.1:{remote.port}", "--password-file", str(password)]
    child = await stage.start("controller", *_ald("daemon", *options))
    loop = asyncio.get_running_loop()
    give_up_s = loop.time() + READY_S
    while True:
        if child.returncode is not None or loop.time() > give_up_s:
            raise DemoFailed(f"the controller did not come up{_last_words(stage.state / 'controller.log')}")
        try:
            reply = await asyncio.to_thread(LocalClient(socket).ask, {"verb": "status"})
        except NoDoor:
            await asyncio.sleep(0.1)
            continue
        if reply["data"]["degraded_timing"]:
            stage.view.note("[yellow]degraded timing[/]: no real-time priority here; pulses under 200 ms are refused")
        if (timing := reply["data"]["valve_timing"]) and timing["warning"]:
            stage.view.note(f"[yellow]valve timing[/]: {escape(timing['warning'])}")
        return


# --- what a person does at the tool ----------------------------------------------------------------------------------


async def _prepare_tool(view: View, client: LocalClient) -> None:
    """Bottles, load, latch and remote: through the local door, as anybody at the tool would."""
    from ald_controller.yamlfile import read

    registers = read(REGISTERS).data["registers"]
    load = {"material": "lithium foil", "pieces": 2, "samples": ["demo-1", "demo-2"]}
    for name, value in [(n, r["value"]) for n, r in registers.items()] + [("load", load)]:
        shown = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
        await _act(view, client, f"register set {name} {shlex.quote(shown)} --by {PERSON}",
                   {"verb": "register-set", "name": name, "value": value, "by": PERSON})  # fmt: skip
    await _reset(view, client)
    await _act(view, client, "remote on", {"verb": "remote", "enable": True})


async def _act(view: View, client: LocalClient, typed: str, request: dict[str, Any]) -> dict[str, Any]:
    """One request at the local door, shown as a person would type it, with its answer."""
    view.note(f"[bold]$ ald {escape(typed)}[/]")
    reply = await asyncio.to_thread(client.ask, request)
    view.note(f"  {escape(reply['text'])}")
    if not reply["ok"]:
        raise DemoFailed(f"'ald {typed}' was refused: {reply['text']}")
    return reply


async def _reset(view: View, client: LocalClient) -> None:
    """The latch of the start clears when every input has been read and the chamber has proven its vacuum."""
    view.note("[bold]$ ald reset[/]")
    loop = asyncio.get_running_loop()
    give_up_s = loop.time() + PROVEN_S
    told = ""
    while True:
        status = (await asyncio.to_thread(client.ask, {"verb": "status"}))["data"]
        proven = status["chamber"] == "VACUUM"
        reply = await asyncio.to_thread(client.ask, {"verb": "reset"}) if proven else None
        if reply is not None and reply["ok"]:
            view.note(f"  {escape(reply['text'])}")
            return
        text = reply["text"] if reply else f"waiting: the chamber is {status['chamber']}, vacuum takes 10 s to prove"
        if text != told:
            view.note(f"  {escape(text)}")
            told = text
        if loop.time() > give_up_s:
            raise DemoFailed(f"the latch could not be cleared: {text}")
        await asyncio.sleep(0.5)


# --- the run ---------------------------------------------------------------------------------------------------------


async def _by_local_door(
    view: View, client: LocalClient, recipe: Path, parameters: dict[str, str], why: str
) -> str:  # fmt: skip
    view.note(f"upload and start through the [bold]local door[/], without a broker: {why}")
    text = recipe.read_text("utf-8")
    upload = {"verb": "upload", "name": recipe.stem, "text": text}
    await _act(view, client, f"upload {recipe.name}", upload)
    start = {"verb": "start", "name": recipe.stem, "parameters": parameters}
    return str((await _act(view, client, f"start {recipe.stem}", start))["data"]["run"])


async def _by_broker(view: View, remote: broker.Prepared, recipe: Path, parameters: dict[str, str]) -> str:
    from ald_controller.client import MqttClient, NoAnswer
    from ald_controller.link import Broker

    view.note(f"upload and start over [bold]MQTT[/], broker 127.0.0.1:{remote.port}, as user operator")
    text = recipe.read_text("utf-8")
    asked: dict[str, dict[str, Any]] = {
        "upload": {"name": recipe.stem, "text": text},
        "start": {"name": recipe.stem, "parameters": parameters},
    }
    run = ""
    async with MqttClient(Broker("127.0.0.1", remote.port, "operator", remote.passwords["operator"]), "reference") as c:
        for verb, args in asked.items():
            view.note(f"[bold]ald/reference/cmd/operator/{verb}[/]")
            try:
                answer = await c.ask(verb, args)
            except NoAnswer as error:
                raise DemoFailed(f"{error}; --no-broker does without") from error
            view.note(f"  {escape(answer.text)}")
            if not answer.ok:
                raise DemoFailed(f"'{verb}' was refused: {answer.text}")
            run = str(answer.data.get("run", run))
    return run


async def _until_ended(stage: Stage, client: LocalClient, run: str) -> dict[str, Any]:
    """The run's last state; raises DemoFailed when the controller ends before the run."""
    while stage.children["controller"].returncode is None:
        with contextlib.suppress(NoDoor):
            status = (await asyncio.to_thread(client.ask, {"verb": "status"}))["data"]
            last: dict[str, Any] | None = status["last_run"]
            if last is not None and last["run"] == run and last["report"] is not None:
                return last
        await asyncio.sleep(0.5)
    raise DemoFailed(f"the controller ended before the run did{_last_words(stage.state / 'controller.log')}")


async def _watch(view: View, client: LocalClient) -> None:
    async for status in _states(client):
        view.show(status)


async def _states(client: LocalClient) -> AsyncIterator[dict[str, Any]]:
    """Five states a second for as long as there is a controller."""
    while True:
        with contextlib.suppress(NoDoor):
            yield (await asyncio.to_thread(client.ask, {"verb": "status"}))["data"]
        await asyncio.sleep(0.2)


def _shut(state: Path) -> str:
    """What the simulated coupler's own record says of its outputs at the end."""
    lines = (state / "valves.trace").read_text("ascii").split("\n") if (state / "valves.trace").exists() else []
    last = next((json.loads(line) for line in reversed(lines) if line), {"word": 0})
    open_sources = int(last["word"]) & 0x3F
    return (
        "the simulated coupler: all precursor valves are closed" if not open_sources
        else f"[bold red]the simulated coupler still has word {open_sources:#04x}[/]"
    )  # fmt: skip


def escape(text: str) -> str:
    """Square brackets are markup on this screen; what people wrote is not."""
    return text.replace("[", "\\[")
