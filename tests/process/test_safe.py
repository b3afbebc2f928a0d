"""`ald safe` as systemd and people call it: when everything else is dead, beside a controller that lives, and with a
network that does whatever it likes."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from ald_controller.cli.safe import Answer, answer, parser
from ald_controller.valves.client import ValveClient
from ald_controller.valves.lock import lock_folder, lock_path
from drivers.valve_modules import MODULES, outputs_of
from drivers.valve_outputs import Reply
from drivers.valve_wago import EXPIRED
from tests.process.stand import NOBODY, ROOT, Account, Pool, Stand, figure, without_rights
from tests.process.test_systemd_unit import settings
from tests.valve_rig import CONFIG, LTB, SOURCES, Coupler, alive, coupler

pytestmark = pytest.mark.timeout(120)
WHOLE_S = 5.0


@dataclass(frozen=True)
class Said:
    """What a call came to: its exit code, what it said, and how long it took."""

    code: int
    text: str
    took_s: float


class Call:
    """`ald safe …` as a process that has begun."""

    def __init__(self, command: list[str], environment: dict[str, str] | None = None) -> None:
        self._said: list[Said] = []
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._waiter = threading.Thread(target=self._wait, args=(process, time.monotonic()))
        self._waiter.start()

    def _wait(self, process: subprocess.Popen[str], began_s: float) -> None:
        try:
            text, _ = process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            text, _ = process.communicate()
        self._said.append(Said(process.returncode, text.strip(), time.monotonic() - began_s))

    def end(self) -> Said:
        self._waiter.join()
        return self._said[0]


# no site packages, no environment: what it needs must be in the standard library and beside it
_BARE = f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv[0] = 'ald'; \
from ald_controller.__main__ import main; main()"


def begin(*arguments: str | Path) -> Call:
    return Call([sys.executable, "-I", "-S", "-B", "-c", _BARE, "safe", *map(str, arguments)], {})


def safe(*arguments: str | Path) -> Said:
    return begin(*arguments).end()


def at(port: int) -> tuple[str, ...]:
    return ("--module", "beckhoff_bk9050", "--at", f"127.0.0.1:{port}")


def foreign(trace: list[dict[str, object]]) -> list[dict[str, object]]:
    """Lines of a coupler that somebody else wrote to beside its living writer."""
    return [line for line in trace if "foreign" in line]


# --- a controller that has ended, or has not -------------------------------------------------------------------------


@contextmanager
def doomed(module: Coupler) -> Iterator[dict[str, int]]:
    """A daemon in a dose whose lock lies where `ald safe` looks for it."""
    process = subprocess.Popen(
        [sys.executable, "-B", "-m", "tests.doomed_daemon", str(module.port), str(lock_folder())],
        cwd=ROOT, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    pids: dict[str, int] = {}
    try:
        pids |= json.loads(process.stdout.readline())
        yield pids
    finally:
        for pid in (process.pid, pids.get("child", 0)):
            if pid and alive(pid):
                os.kill(pid, signal.SIGKILL)
        process.wait(5)
        process.stdout.close()
        lock_path(lock_folder(), "127.0.0.1", module.port).unlink(missing_ok=True)


def test_a_stopped_process_still_holds_the_module_and_a_dying_one_is_waited_for(tmp_path: Path) -> None:
    with coupler(tmp_path) as module, doomed(module) as daemon:
        os.kill(daemon["child"], signal.SIGSTOP)
        os.kill(daemon["pid"], signal.SIGSTOP)
        told = safe(*at(module.port), "--json")
        found = json.loads(told.text)
        assert (told.code, found["ok"], found["code"]) == (1, False, "held"), told
        assert {one["pid"]: one["what"] for one in found["holders"]}[daemon["child"]] == "valve process, stopped"
        assert {one["pid"] for one in found["holders"]} == {daemon["pid"], daemon["child"]}
        assert told.took_s >= 2.0, "it did not wait for a valve process that may be about to end"
        os.kill(daemon["pid"], signal.SIGKILL)
        call = begin(*at(module.port))
        time.sleep(0.5)
        os.kill(daemon["child"], signal.SIGCONT)  # it finds its daemon gone, rests the valves and ends
        told = call.end()
        assert told.code == 0, told
        assert "all 16 outputs of beckhoff_bk9050 at 127.0.0.1" in told.text
        assert module.words()[-1][1] == 0
        assert not foreign(module.lines())


def test_the_service_managers_signal_after_a_death_leaves_the_valve_process_time_to_shut_the_valves(
    tmp_path: Path,
) -> None:
    with coupler(tmp_path) as module, doomed(module) as daemon:
        killed_s = time.monotonic()
        os.kill(daemon["pid"], signal.SIGKILL)
        os.waitpid(daemon["pid"], 0)
        os.kill(daemon["child"], getattr(signal, settings()["WatchdogSignal"]))  # as KillMode=control-group does
        closed_s = module.wait_for_word(0)
        closing = next(line for line in module.lines() if line["t"] >= killed_s and not line["word"] & SOURCES)
        figure(f"controller killed, then {settings()['WatchdogSignal']}: closed after {closed_s - killed_s:.3f} s")
        assert closing["cause"] == "write"


def asked(*arguments: str | Path) -> tuple[Answer, float]:
    """What the work of one call comes to, without an interpreter of its own, and after how long."""
    began_s = time.monotonic()
    return answer(parser().parse_args([str(a) for a in arguments])), time.monotonic() - began_s


TRIPPED: dict[str, Callable[[Reply], bool]] = {
    "beckhoff_bk9050": lambda reply: reply.registers() == (1,),
    "wago_750_352": lambda reply: reply.registers() == (EXPIRED,),
    "moxa_e1211": lambda reply: reply.coils() & 1 == 1,
    "adam_6256": lambda reply: reply.coils() == 0,  # it tells nothing else
}


def test_every_module_takes_the_last_word_before_and_after_its_watchdog_and_is_armed_by_nobody(tmp_path: Path) -> None:
    for driver in MODULES:
        (tmp_path / driver).mkdir()

    async def all_at_once() -> None:
        await asyncio.gather(*(_last_word(driver, tmp_path / driver) for driver in MODULES))

    asyncio.run(all_at_once())


async def _last_word(driver: str, folder: Path) -> None:
    watchdog_ms = 500 if MODULES[driver].armed else 0
    outputs = outputs_of(driver, 1, 16, watchdog_ms)

    def ask(request: bytes) -> Reply:
        with socket.create_connection(("127.0.0.1", module.port), 2) as peer:
            peer.sendall(request)
            return outputs.hear(peer.recv(100))[0]

    def valve_process() -> ValveClient:
        where = {"lock_dir": folder, "leave_in": folder}
        return ValveClient("127.0.0.1", module.port, driver=driver, watchdog_ms=watchdog_ms, **where)

    with coupler(folder, driver=driver) as module:
        await (first := valve_process()).start(CONFIG)
        assert first.pid is not None
        os.kill(first.pid, signal.SIGKILL)
        await first._end()  # and nothing else, as when the daemon is killed, too
        assert not ask(outputs.write(LTB)).exception
        module.wait_for_word(LTB)
        told, _ = await asyncio.to_thread(asked, "--state", folder)
        assert told.code == "confirmed" and f"of {driver} at" in told.text, told
        assert module.words()[-1][1] & SOURCES == 0
        await asyncio.sleep(1.3)  # longer than any of the watchdogs, and unheard: some are fed by every request
        assert TRIPPED[driver](ask(outputs.ask_trips() or outputs.read_coils()))
        told, _ = await asyncio.to_thread(asked, "--state", folder)
        assert told.code == "confirmed", told
        assert TRIPPED[driver](ask(outputs.ask_trips() or outputs.read_coils())), "it was armed, or reset"
        again = valve_process()
        assert (await again.start(CONFIG)).connected
        await again.close()


# --- a network that does what it likes -------------------------------------------------------------------------------


@contextmanager
def peer(serve: Callable[[socket.socket], None] | None, *, full: bool = False) -> Iterator[int]:
    """A port where every connection gets `serve`, or no accept at all; `full`: nor even an answer to its first SYN."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0 if full else 8))
        port = listener.getsockname()[1]
        for _ in range(2 if full else 0):
            filler = stack.enter_context(closing(socket.socket()))
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        if serve is not None:
            threading.Thread(target=_serve, args=(listener, serve), daemon=True).start()
        yield port
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # ends the accept


def _serve(listener: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_one, args=(connection, serve), daemon=True).start()


def _one(connection: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    with suppress(OSError), connection:
        serve(connection)
        while connection.recv(100):
            pass


def answers(connection: socket.socket, coils: bytes, shift: int = 0) -> None:
    """Answer every write, and every read with these coils; `shift` is added to the number of the request."""
    while request := connection.recv(100):
        number = (int.from_bytes(request[:2], "big") + shift).to_bytes(2, "big")
        body = request[6:12] if request[7] == 15 else request[6:8] + bytes([len(coils)]) + coils
        connection.sendall(number + b"\0\0" + len(body).to_bytes(2, "big") + body)


def drips(connection: socket.socket) -> None:
    request = connection.recv(100)
    for byte in request[:4] + b"\0\6" + request[6:12]:
        connection.sendall(bytes([byte]))
        time.sleep(0.1)


def floods(connection: socket.socket) -> None:
    connection.recv(100)
    while True:
        connection.sendall(bytes.fromhex("7777 0000 0006 01 0f 0000 0010") * 100)
        time.sleep(0.005)


NETWORKS: dict[str, tuple[Callable[[socket.socket], None] | None, str]] = {
    "not reachable": (None, "no connection to 127.0.0.1:"),
    "silent": (None, "no whole answer within 0.5 s"),
    "half an answer": (lambda c: c.sendall(c.recv(100)[:7]), "no whole answer"),
    "an answer in drips": (drips, "no whole answer"),
    "no Modbus": (lambda c: c.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "which is no reply of unit 1"),
    "answers without end": (floods, "came to request"),
    "one answer behind": (lambda c: answers(c, b"\0\0", shift=-1), "came to request"),
    "the wrong length": (lambda c: answers(c, b"\0\0\0"), "is no reply to"),
    "coils that stay on": (lambda c: answers(c, b"\4\0"), "coils read 0x0004"),
    "hangs up": (lambda c: c.shutdown(socket.SHUT_RDWR), "closed the connection"),
}


def test_whatever_the_network_does_it_ends_in_time_and_says_what_closes_instead(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "valve-module.json")  # a disk that hangs: nobody ever writes to the other end
    with ExitStack() as stack, ThreadPoolExecutor(len(NETWORKS)) as together:
        ports = [stack.enter_context(peer(serve, full=n == "not reachable")) for n, (serve, _) in NETWORKS.items()]
        good = begin(*at(stack.enter_context(peer(lambda c: answers(c, b"\0\0")))))
        hung = begin("--state", tmp_path)
        unarmed = begin("--module", "moxa_e1211", "--at", f"127.0.0.1:{ports[1]}")
        said = dict(zip(NETWORKS, together.map(lambda port: asked(*at(port)), ports), strict=True))
        calls = {"good": good.end(), "hung": hung.end(), "unarmed": unarmed.end()}
    slowest = max(said, key=lambda name: said[name][1])
    figure(f"`ald safe`, {len(said)} bad networks: at most {said[slowest][1]:.1f} s ({slowest}), a hung disk "
           f"{calls['hung'].took_s:.1f} s, a good one {calls['good'].took_s:.1f} s")  # fmt: skip
    for name, (told, took_s) in said.items():
        assert told.code == "unconfirmed" and NETWORKS[name][1] in told.text, (name, told)
        assert told.text.endswith("the module's watchdog closes alone"), (name, told)
        assert took_s < WHOLE_S - 1.0, (name, took_s)
    assert calls["good"].code == 0, "the same peer, when it answers as it should"
    assert calls["hung"].code == 1 and "something did not answer" in calls["hung"].text, calls
    assert calls["unarmed"].code == 1 and "look at the valves" in calls["unarmed"].text, calls
    assert "closes alone" not in calls["unarmed"].text
    # on a shared computer an interpreter may take long to start: the good one shows how long
    assert calls["hung"].took_s <= WHOLE_S + 1.0 + calls["good"].took_s, calls


# --- as the service does it ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def coming() -> Iterator[Callable[[], Stand]]:
    """A stand in a dose under an account without rights, which comes up while the other tests of this file run."""
    pool = Pool(at_once=1)
    try:
        order: Future[Stand] | None = pool.order(without_rights(), begun=True)
    except pytest.skip.Exception:
        order = None

    def take() -> Stand:
        without_rights()
        assert order is not None
        return order.result()

    yield take
    pool.close([] if order is None else [order])


def post(made: Stand, account: Account | None = None) -> Call:
    """The unit's own ExecStopPost=, with this stand's paths in the places of the installed ones."""
    places = {"/var/lib/ald-controller/%i": made.state, "/etc/ald-controller/%i.yaml": made.tool}
    program, *words = shlex.split(settings()["ExecStopPost"])
    assert program == "/opt/ald-controller/bin/ald" and places.keys() <= set(words)
    user = account or made.account
    return Call(user.command(*(places.get(word, word) for word in words)), user.environment)


def test_after_every_end_of_the_service_its_last_line_finds_the_outputs_at_zero(
    coming: Callable[[], Stand],
) -> None:
    made = coming()
    _while_it_lives(made)
    made.wait_open()
    whole = made.tool.read_text("utf-8")
    made.tool.write_text("valves: {somebody: 'was here'")  # since the controller read it
    _when_both_are_killed(made)
    _when_a_start_fails(made)
    made.tool.write_text(whole)
    if os.geteuid() == 0:
        _when_others_call(made)
    _when_it_is_stopped(made)
    assert not foreign(made.trace_lines())
    lock_of(made).unlink()


def _while_it_lives(made: Stand) -> None:
    accounts = [made.account, AS_ROOT] if os.geteuid() == 0 else [made.account]
    for told in [call.end() for call in [post(made, account) for account in accounts]]:
        assert told.code == 1 and f"pid {made.daemon.pid} (controller" in told.text, told
        assert f"pid {made.valve_pid} (valve process)" in told.text and "`ald abort`" in told.text
        assert f"(kill -KILL {made.daemon.pid} {made.valve_pid})" in told.text
    assert not foreign(made.trace_lines())
    assert made.daemon.poll() is None and alive(made.valve_pid)


def _when_both_are_killed(made: Stand) -> None:
    killed_s = time.monotonic()
    os.kill(made.valve_pid, signal.SIGKILL)
    os.kill(made.daemon.pid, signal.SIGKILL)
    made.daemon.wait(5)
    told = post(made).end()
    assert (told.code, made.changes()[-1]["word"]) == (0, 0), told
    after_s, cause = made.closed_after(killed_s)  # by the module's watchdog where this computer is slower than that
    figure(f"both killed, then ExecStopPost=: closed by a {cause} after {after_s * 1e3:.0f} ms, and confirmed")


def _when_a_start_fails(made: Stand) -> None:
    command = made.account.command("daemon", "--tool", made.tool, "--state", made.state, "--door", made.socket)
    failed = Call(command, made.account.environment).end()
    assert failed.code == 1 and "tool.yaml" in failed.text
    assert post(made).end().code == 0


def _when_it_is_stopped(made: Stand) -> None:
    made.boot()
    made.daemon.send_signal(signal.SIGTERM)
    assert made.daemon.wait(15) == 0, made.log("daemon")
    told = post(made).end()
    assert told.code == 0, told


AS_ROOT = Account("root", 0)


def lock_of(made: Stand) -> Path:
    return Path(json.loads((made.state / "valve-module.json").read_text())["lock"])


def _when_others_call(made: Stand) -> None:
    """Somebody of another account is told; root may, and leaves nothing that keeps the service out."""
    lock, account = lock_of(made), made.account
    if account.uid == NOBODY:
        before = tuple(word.replace(str(NOBODY), str(NOBODY - 1)) for word in account.before)
        told = post(made, Account("a stranger", NOBODY - 1, before, account.python, account.path)).end()
        assert told.code == 1 and f"the lock {lock} cannot be opened: Permission denied; it belongs to" in told.text
        assert "`ald abort`" in told.text
    assert post(made, AS_ROOT).end().code == 0
    assert lock.stat().st_uid == account.uid

    lock.unlink()
    told = post(made, AS_ROOT).end()
    assert told.code == 1 and "is not the file that the controller locked" in told.text, told
    port = json.loads((made.state / "valve-module.json").read_text())["port"]
    assert safe(*at(port)).code == 0
    assert not lock.exists(), "it would belong to root, and keep the service out"
