"""The daemon's end of the valve process: starts it, speaks to it, notices when it is gone, and reaps it.

Nothing else writes to the module while the process lives, and a lock file per module address, which the process
holds, too, keeps a second daemon out.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import sys
from pathlib import Path

from ald_controller.valves.face import ValveFace
from ald_controller.valves.wire import (
    EngineConfig,
    Fault,
    Lateness,
    Refused,
    Status,
    ToEngine,
    ValveError,
    decode,
    encode,
)
from drivers.valve_modules import outputs_of
from drivers.valve_outputs import ModbusOutputs, OutputsFault, Reply

START_S = 5.0
LOCK_S = 2.0  # a valve process that lost its daemon ends within a second and frees the lock
LOCK_LOOK_S = 0.05
END_S = 2.0
ALONE_S = 1.0

# No site packages, no environment, no working directory: the process imports in some ten ms and only what it names.
_BOOT = "import sys; sys.path.insert(0, sys.argv.pop(1)); from ald_controller.valves.process import main; \
sys.exit(main(sys.argv[1:]))"
_ROOT = Path(__file__).resolve().parents[2]


class ValveClient(ValveFace):
    """The valve process of the module at `host`:`port`; `lock_dir` is where lock files lie."""

    def __init__(
        self, host: str, port: int, *, lock_dir: Path, driver: str = "beckhoff_bk9050", unit: int = 1, coils: int = 16,
        watchdog_ms: int = 500,
    ) -> None:  # fmt: skip
        super().__init__()
        self._host, self._port, self._lock_dir = host, port, lock_dir
        self._module = (driver, unit, coils, watchdog_ms)
        self._lock: int | None = None
        self._socket: socket.socket | None = None
        self._child: asyncio.subprocess.Process | None = None
        self._status: Status | None = None
        self._ready: asyncio.Future[None] | None = None
        self._last_fault = "it said nothing"

    @property
    def status(self) -> Status | None:
        """The newest Status; its sequence stands still when the process does."""
        return self._status

    @property
    def pid(self) -> int | None:
        """The process id of the valve process, or None."""
        return None if self._child is None else self._child.pid

    async def start(self, config: EngineConfig) -> Status:
        """Start the process; returns when the module is proven and rests.

        Raises ValveError: another writer holds the lock, the configuration contradicts itself, the module is not as
        it must be, or the process ended.
        """
        self._lock = await _locked(self._lock_path)
        try:
            await self._spawn()
            self._ready = asyncio.get_running_loop().create_future()
            self._tell(config)
            async with asyncio.timeout(START_S):
                await self._ready
        except TimeoutError:
            await self._end()
            raise ValveError(f"the valve process did not start within {START_S:g} s: {self._last_fault}") from None
        except ValveError:
            await self._end()
            raise
        if self._status is None:
            raise ValveError("the valve process is ready without a status")
        return self._status

    async def close(self) -> None:
        """Let the process rest the valves, end and be reaped; raises ValveError when that stays unconfirmed."""
        if self._child is None:
            return
        try:
            if await self._reaped() != 0:
                await self.write_safe_alone()
        finally:
            self._unlock()
            self._events.put_nowait(None)

    async def write_safe_alone(self) -> None:
        """Write zeros over a connection of its own, once the process is reaped; a tripped watchdog stays tripped.

        Raises ValveError while the process lives, and when the module does not confirm.
        """
        if self._child is not None:
            raise ValveError("the valve process lives and is the only writer: abort instead")
        await write_safe_alone(self._host, self._port, outputs_of(*self._module))

    # --- the process -----------------------------------------------------------------------------------------------

    @property
    def _lock_path(self) -> Path:
        return lock_path(self._lock_dir, self._host, self._port)

    async def _spawn(self) -> None:
        own, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            own.setblocking(False)
            passed = [theirs.fileno()] if self._lock is None else [theirs.fileno(), self._lock]
            self._child = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-S", "-B", "-c", _BOOT, str(_ROOT), str(theirs.fileno()), self._host,
                str(self._port), *map(str, self._module),
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
                pass_fds=passed, start_new_session=True, env={}, cwd="/",
            )  # fmt: skip
        self._socket = own
        asyncio.get_running_loop().add_reader(own.fileno(), self._readable)

    def _tell(self, message: ToEngine) -> None:
        if self._socket is None:
            raise ValveError("the valve process does not run")
        try:
            self._socket.send(encode(message))
        except BlockingIOError:
            raise ValveError("the valve process does not read: it hangs") from None
        except OSError as error:
            raise ValveError(f"the valve process is gone: {error.strerror}") from error

    def _readable(self) -> None:
        while self._socket is not None:
            try:
                data = self._socket.recv(1 << 18)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._gone()
                return
            self._take(decode(data))

    def _take(self, message: object) -> None:
        if isinstance(message, Status):
            self._status = message
            if message.connected and self._ready is not None and not self._ready.done():
                self._ready.set_result(None)
            return
        if isinstance(message, Lateness):
            self.lateness = message
            return
        if isinstance(message, Fault):
            self._last_fault = message.what
        elif isinstance(message, Refused) and message.id is None and self._ready is not None and not self._ready.done():
            self._ready.set_exception(ValveError(message.why))
        self._heard(message)  # type: ignore[arg-type]

    def _gone(self) -> None:
        """The process closed its end, which it never does while it lives."""
        self._hang_up()
        error = ValveError("the valve process is gone; the module's watchdog closes the valves alone")
        for waiting in (self._ready, *self._loading.values()):
            if waiting is not None and not waiting.done():
                waiting.set_exception(error)
        self._events.put_nowait(error)

    def _hang_up(self) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None

    async def _reaped(self) -> int | None:
        """Hang up, give the process time to rest the valves, end it if it hangs; returns its exit code."""
        self._hang_up()
        child = self._child
        if child is None:
            return None
        try:
            async with asyncio.timeout(END_S):
                await child.wait()
        except TimeoutError:
            child.kill()
            await child.wait()
        self._child = None
        return child.returncode

    async def _end(self) -> None:
        await self._reaped()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def lock_path(lock_dir: Path, host: str, port: int) -> Path:
    """The lock file of one module address."""
    return lock_dir / f"coupler-{host.replace(':', '_')}-{port}.lock"


async def _locked(path: Path) -> int:
    """A descriptor that holds the lock; raises ValveError when another writer keeps it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        for _ in range(round(LOCK_S / LOCK_LOOK_S)):
            if _taken(lock):
                return lock
            await asyncio.sleep(LOCK_LOOK_S)
        raise ValveError(f"another process writes to this module: it holds {path}")
    except BaseException:
        os.close(lock)
        raise


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def write_safe_alone(host: str, port: int, outputs: ModbusOutputs, *, lock_dir: Path | None = None) -> None:
    """Write zeros once over a connection of its own and read them back; a tripped watchdog stays tripped.

    With `lock_dir`, refuses while a valve process holds the lock. Raises ValveError when zeros are not confirmed.
    """
    lock = None if lock_dir is None else await _locked(lock_path(lock_dir, host, port))
    try:
        async with asyncio.timeout(ALONE_S):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                await _converse(reader, writer, outputs)
            finally:
                writer.close()
    except (OSError, OutputsFault, TimeoutError) as error:
        what = str(error) or f"no answer within {ALONE_S:g} s"
        raise ValveError(f"the safe word is not confirmed ({what}); the module's watchdog closes alone") from error
    finally:
        if lock is not None:
            os.close(lock)


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, outputs: ModbusOutputs) -> None:
    talk = outputs.zero()
    request = next(talk)
    while True:
        writer.write(request)
        replies: list[Reply] = []
        while not replies:
            data = await reader.read(4096)
            if not data:
                raise OutputsFault("the module closed the connection")
            replies = outputs.hear(data)
        outputs.check(request, replies[0])
        try:
            request = talk.send(replies[0])
        except StopIteration:
            return
