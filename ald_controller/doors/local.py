"""The door at the tool: a Unix socket where the kernel says who is there. JSON lines: one request, one reply."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import pwd
import socket
import stat
import struct
from dataclasses import dataclass
from pathlib import Path

import structlog

from ald_controller.commands import Principal, Reply, Status, Watch
from ald_controller.config import Role, ToolConfig
from ald_controller.doors.desk import Desk, Refusal, parse

MAX_LINE_BYTES = 600_000  # the longest recipe, and its line ends as JSON has them
_CREDENTIALS = struct.Struct("3i")  # struct ucred of unix(7): pid, uid, gid
_ROLES: tuple[Role, ...] = ("viewer", "operator", "owner")
_HEARTBEAT_S = 1.0  # a watcher hears at least this often that the state is still the same

_log = structlog.get_logger("doors.local")


class DoorTaken(Exception):
    """Another controller answers at this address, or something stands there that is not a socket."""


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """What one local door bears: clients at once, seconds without a request, seconds for a reader to take a line."""

    clients: int = 32
    idle_s: float = 600.0
    write_s: float = 2.0
    watch_buffer_bytes: int = 262_144


@dataclass(eq=False, slots=True)
class _Client:
    """One connection; `busy` while a request of it is executed, `watching` while it is sent the state."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    who: Principal
    since_s: float
    busy: bool = False
    watching: bool = False


def people_by_uid(config: ToolConfig) -> tuple[dict[int, Principal], list[str]]:
    """Who may come in by user id, with the highest role of each, and the names that this computer does not know.

    Looked up once, before the door opens: a directory server that is slow to answer may not stop the event loop.
    """
    found: dict[int, Principal] = {}
    unknown: list[str] = []
    for role in _ROLES:  # lowest first: a later, higher one replaces it
        people = config.people.get(role)
        for name in people.unix if people else []:
            try:
                entry = pwd.getpwuid(os.getuid()) if name == "@daemon" else pwd.getpwnam(name)
            except KeyError:
                unknown.append(name)
                continue
            found[entry.pw_uid] = Principal(name=entry.pw_name, role=role, door="local")
    return found, unknown


class LocalDoor:
    """Listens at `path` (mode 0660) from `open` to `close`.

    Every verb; `watch` answers with Status lines until the client leaves. Bounds are in `limits`: when the door is
    full, the client that has been idle longest makes room, so that an abort always gets in.
    """

    def __init__(self, desk: Desk, path: Path, limits: DoorLimits | None = None) -> None:
        self.path = path
        self.dropped = 0  # clients sent away for being slow, idle or too many
        self._desk = desk
        self._limits = limits or DoorLimits()
        self._people, self.unknown_people = people_by_uid(desk.config)
        self._clients: set[_Client] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._held: contextlib.ExitStack = contextlib.ExitStack()

    async def open(self) -> None:
        """Raises DoorTaken where another controller lives, OSError where the address cannot be used."""
        for name in self.unknown_people:
            _log.warning("the tool file gives a role to somebody whom this computer does not know", name=name)
        sock = _claim(self.path, self._held)
        self._server = await asyncio.start_unix_server(self._accept, sock=sock, limit=MAX_LINE_BYTES)
        self._held.callback(_unlink_own, self.path, self.path.stat().st_ino)

    async def run(self) -> None:
        """The door as a service task for `supervise`: open until cancelled. Raises what `open` raises."""
        await self.open()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await self.close()

    async def close(self) -> None:
        """Sends everybody away and removes the socket; a request that is being executed is cancelled."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._held.close()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._visit(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection from its first byte to its last; no fault of it goes further than this."""
        try:
            client = await self._admit(reader, writer)
            if client is not None:
                await self._serve(client)
        except (ConnectionError, TimeoutError):
            self.dropped += 1  # gone, or it does not read: no reply can be given to it
        except Exception:
            _log.exception("a client of the local door was cut off")
        finally:
            self._clients -= {c for c in self._clients if c.writer is writer}
            writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()

    async def _admit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> _Client | None:
        raw = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        _, uid, _ = _CREDENTIALS.unpack(raw)
        who = self._people.get(uid)
        if who is None:
            text = f"the user with the number {uid} has no role at this tool; the owner gives one in the tool file"
            await self._write(writer, self._desk.refuse(None, None, Refusal("unknown-person", text).reply))
            return None
        if len(self._clients) >= self._limits.clients and not self._make_room():
            await self._write(writer, Refusal("busy", "all places at this door are executing requests").reply)
            return None
        client = _Client(reader, writer, who, asyncio.get_running_loop().time())
        self._clients.add(client)
        return client

    def _make_room(self) -> bool:
        """Drops the client that has been idle longest, else the oldest watcher; False when all are at work."""
        idle = [c for c in self._clients if not c.busy]
        if not idle:
            return False
        client = min(idle, key=lambda c: (c.watching, c.since_s))
        self._clients.discard(client)
        client.writer.transport.abort()
        self.dropped += 1
        return True

    async def _serve(self, client: _Client) -> None:
        while True:
            try:
                async with asyncio.timeout(self._limits.idle_s):
                    line = await client.reader.readline()
            except ValueError:  # longer than the buffer: where the next request begins is not known any more
                text = f"a line may have {MAX_LINE_BYTES} bytes; this one is longer, so the connection is closed"
                await self._write(client.writer, self._desk.refuse(client.who, None, Refusal("oversize", text).reply))
                return
            if not line:
                return
            if not await self._answer(client, line):
                return

    async def _answer(self, client: _Client, line: bytes) -> bool:
        """Replies to one line; False when the conversation is over."""
        try:
            request = parse(line)
        except Refusal as refusal:
            await self._write(client.writer, self._desk.refuse(client.who, None, refusal.reply))
            return True
        if isinstance(request, Watch):
            await self._watch(client, request)
            return False
        client.busy = True
        try:
            reply = await self._desk.ask(request, client.who)
        finally:
            client.busy = False
            client.since_s = asyncio.get_running_loop().time()
        await self._write(client.writer, reply)
        return True

    async def _watch(self, client: _Client, request: Watch) -> None:
        refusal = self._desk.admit(request, client.who)
        if refusal is not None:
            return await self._write(client.writer, refusal)
        client.watching = True
        client.writer.transport.set_write_buffer_limits(high=self._limits.watch_buffer_bytes)
        loop = asyncio.get_running_loop()
        last, sent_s = -1, 0.0
        while not client.reader.at_eof():
            status = self._desk.status()
            if status.sequence != last or loop.time() - sent_s >= _HEARTBEAT_S:
                await self._write(client.writer, status)
                last, sent_s = status.sequence, loop.time()
            await asyncio.sleep(1 / request.hz)

    async def _write(self, writer: asyncio.StreamWriter, message: Reply | Status) -> None:
        """One line out; TimeoutError for a reader that does not take what is sent to it."""
        writer.write(message.model_dump_json().encode() + b"\n")
        async with asyncio.timeout(self._limits.write_s):
            await writer.drain()


def _claim(path: Path, held: contextlib.ExitStack) -> socket.socket:
    """A bound socket at `path` that nobody else has; what it needs to stay ours is pushed on `held`.

    The lock file stays behind: whoever removed it could remove the one that somebody else has just locked.
    """
    lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    held.callback(os.close, lock)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # of two that start at once, one
    except OSError:
        held.close()
        raise DoorTaken(
            f"{path}: another controller holds this door; stop it first, or give this one its own"
        ) from None
    try:
        _clear_stale(path)
        return _bind(path)
    except BaseException:
        held.close()
        raise


def _clear_stale(path: Path) -> None:
    """Removes a socket at which nobody listens any more."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise DoorTaken(f"{path}: is not a socket; move it away, or give the door another address")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        code = probe.connect_ex(str(path))
    if code != errno.ECONNREFUSED:
        heard = os.strerror(code) if code else "it took a connection"
        raise DoorTaken(f"{path}: somebody listens there ({heard}); stop it first")
    path.unlink()


def _bind(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o117)  # 0660 from the first moment; nothing else runs between these lines
    try:
        sock.bind(str(path))
    except OSError as error:
        sock.close()
        raise OSError(f"{path}: no socket can be made there: {error}") from error
    finally:
        os.umask(before)
    sock.setblocking(False)
    return sock


def _unlink_own(path: Path, inode: int) -> None:
    """Removes the socket unless it has been replaced by somebody else's."""
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_ino == inode:
            path.unlink()
