"""The daemon's end of the valve process: starts it, speaks to it, notices when it is gone, and reaps it.

Nothing else writes to the module while the process lives, and a lock file per module address, which the process
holds, too, keeps a second daemon out.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path

from ald_controller.valves.alone import ALONE_S, what_closes, write_safe
from ald_controller.valves.face import ValveFace
from ald_controller.valves.lastmodule import LastModule, leave, this_boot
from ald_controller.valves.lock import LOCK_LOOK_S, LOCK_S, Lock, lock_path, numeric, seen
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

START_S = 5.0
END_S = 2.0

# No site packages, no environment, no working directory: the process imports in some ten ms and only what it names.
_BOOT = "import sys; sys.path.insert(0, sys.argv.pop(1)); from ald_controller.valves.process import main; \
sys.exit(main(sys.argv[1:]))"
_ROOT = Path(__file__).resolve().parents[2]


class ValveClient(ValveFace):
    """The valve process of the module at `host`:`port`; `lock_dir` is where lock files lie.

    In `leave_in`, a state directory, it leaves what `ald safe` needs once everything here is dead.
    """

    def __init__(
        self, host: str, port: int, *, lock_dir: Path, driver: str = "beckhoff_bk9050", unit: int = 1, coils: int = 16,
        watchdog_ms: int = 500, leave_in: Path | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self._host, self._port, self._lock_dir, self._leave_in = host, port, lock_dir, leave_in
        self._module = (driver, unit, coils, watchdog_ms)
        self._lock: Lock | None = None
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
        self._host = await asyncio.to_thread(numeric, self._host, self._port)
        self._lock = await _locked(lock_path(self._lock_dir, self._host, self._port).absolute())
        try:
            self._leave(self._lock.path)
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
        await asyncio.to_thread(write_safe, self._host, self._port, outputs_of(*self._module), ALONE_S)

    # --- the process -----------------------------------------------------------------------------------------------

    def _leave(self, lock: Path) -> None:
        """On the disk before the process writes: whoever dies from here on leaves a module that can be found."""
        if self._leave_in is not None:
            driver, unit, coils, _ = self._module
            where = (self._host, self._port, unit, coils, str(lock))
            leave(self._leave_in, LastModule(driver, *where, this_boot(), seen(lock)))

    async def _spawn(self) -> None:
        own, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            own.setblocking(False)
            passed = [theirs.fileno()]
            if self._lock is not None and self._lock.fd is not None:
                passed.append(self._lock.fd)
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
        error = ValveError(f"the valve process is gone; {what_closes(armed=outputs_of(*self._module).armed)}")
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
            self._lock.free()
            self._lock = None


async def _locked(path: Path) -> Lock:
    """The lock, held; raises ValveError when another writer keeps it."""
    lock = Lock(path)
    for _ in range(round(LOCK_S / LOCK_LOOK_S)):
        if lock.take():
            return lock
        await asyncio.sleep(LOCK_LOOK_S)
    raise ValveError(f"another process writes to this module: it holds {path}")
