"""One SQLite file and its only writer: a thread beside the daemon's loop, or nobody at all on the virtual clock.

A thread and not a child process because SQLite, zlib and fsync all release the interpreter's lock: the loop pays for
an append to a deque, and a slow disk costs nobody's time but the waiter's. What could not be written is kept and tried
again, so that a disk that was full for a minute leaves no hole; only an overflowing queue loses, and says how much.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from ald_controller.journal import JournalError

Job = Callable[[sqlite3.Connection], object]

BATCH_S = 0.25  # what nobody waits for is committed this often
RETRY_S = 1.0  # after an error of the disk
INLINE_BATCH = 512
LIMIT = 20_000  # jobs; at 30 edges a second this is ten minutes without a disk


def connect(path: Path, schema: str, *, simulated: bool) -> sqlite3.Connection:
    """The open file with its tables, in WAL; every commit reaches the disk unless time is `simulated`."""
    con = sqlite3.connect(path, timeout=2.0, isolation_level=None)
    con.execute("PRAGMA journal_mode=WAL")
    con.execute(f"PRAGMA synchronous={'OFF' if simulated else 'FULL'}")
    con.executescript(schema)
    return con


class Writer:
    """Runs jobs on one connection in the order in which they were put, in transactions, each job exactly once.

    `opener` makes the connection and `closer` ends it, both where the jobs run. A job may be run again after a
    rollback, so it must not keep state of its own. `inline` runs everything in the caller: no thread, no waiting.
    """

    def __init__(
        self,
        name: str,
        opener: Callable[[], sqlite3.Connection],
        closer: Callable[[sqlite3.Connection], None] = sqlite3.Connection.close,
        *,
        inline: bool,
        limit: int = LIMIT,
    ) -> None:
        self.inline = inline
        self._name, self._opener, self._closer, self._limit = name, opener, closer, limit
        self._waiting: deque[tuple[Job | None, asyncio.Future[None] | None]] = deque()
        self._taken: list[tuple[Job | None, asyncio.Future[None] | None]] = []
        self._con: sqlite3.Connection | None = None
        self._wake, self._leaving = threading.Event(), threading.Event()
        self._failed: str | None = None
        self.lost = 0  # jobs that will never be written: the queue was full, or the job itself was wrong

    @property
    def failed(self) -> str | None:
        """What is wrong with the disk now, as a sentence; None once everything put so far could be written again."""
        return self._failed

    async def start(self) -> None:
        """Open the file; raises whatever `opener` raises."""
        if self.inline:
            self._con = self._opener()
            return
        self._loop = asyncio.get_running_loop()
        ready = self._loop.create_future()
        self._gone: asyncio.Future[None] = self._loop.create_future()
        # a hung disk must not keep the process from ending: the kernel has what was committed
        self._thread = threading.Thread(target=self._work, args=(ready,), name=f"writer {self._name}", daemon=True)
        self._thread.start()
        await ready

    def put(self, job: Job) -> None:
        """Have `job` run soon; never waits, never raises for the disk's sake."""
        if len(self._waiting) >= self._limit:
            self.lost += 1
            self._failed = self._failed or f"{self._name}: {self._limit} entries wait for the disk"
            return
        self._waiting.append((job, None))
        if self.inline and len(self._waiting) >= INLINE_BATCH:
            self._drain()

    def hurry(self) -> None:
        """Commit what waits now rather than within BATCH_S."""
        self._wake.set()

    async def settle(self) -> None:
        """Return when everything put so far is durable; raises JournalError when the disk refuses."""
        if self.inline:
            self._drain()
            if self._failed:
                raise JournalError(self._failed)
            return
        future = self._loop.create_future()
        self._waiting.append((None, future))
        self._wake.set()
        await future

    async def close(self) -> None:
        """Write what waits, close the file, end the thread; raises JournalError when something stayed unwritten."""
        self._leaving.set()
        if self.inline:
            self._finish()
        else:
            self._wake.set()
            await self._gone
            self._thread.join()  # it has said its last word
        if self._failed:
            raise JournalError(f"{self._failed}; {len(self._taken)} entries were not written")

    # --- where the jobs run ------------------------------------------------------------------------------------------

    def _work(self, ready: asyncio.Future[None]) -> None:
        try:
            self._con = self._opener()
        except Exception as error:
            self._answer(ready, error)
            return
        self._answer(ready, None)
        while not self._leaving.is_set():
            self._wake.wait(RETRY_S if self._failed else BATCH_S)
            self._wake.clear()
            self._drain()
        self._finish()
        self._answer(self._gone, None)

    def _finish(self) -> None:
        self._drain()
        con, self._con = self._con, None
        if con is None:
            return
        try:
            self._closer(con)
        except (sqlite3.Error, OSError) as error:
            self._failed = f"{self._name}: while closing: {error}"

    def _drain(self) -> None:
        """One transaction with everything that waits; on an error of the disk nothing is forgotten."""
        for _ in range(len(self._waiting)):
            self._taken.append(self._waiting.popleft())
        con = self._con
        if not self._taken or con is None:
            return
        try:
            con.execute("BEGIN IMMEDIATE")
            for job, _ in self._taken:
                self._run(con, job)
            con.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            self._back_out(con, error)
            return
        done, self._taken, self._failed = self._taken, [], None
        for _, future in done:
            self._answer(future, None)

    def _run(self, con: sqlite3.Connection, job: Job | None) -> None:
        """A job that can never succeed is counted and left out, so that it does not block those behind it."""
        if job is None:
            return
        try:
            job(con)
        except Exception as error:
            if self.inline or _disk(error):
                raise
            self.lost += 1

    def _back_out(self, con: sqlite3.Connection, error: Exception) -> None:
        if con.in_transaction:
            with contextlib.suppress(sqlite3.Error):  # the first error is the one to tell; SQLite may have rolled back
                con.execute("ROLLBACK")
        self._failed = f"{self._name}: {error}"
        waiters = [future for _, future in self._taken if future is not None]
        self._taken = [(job, None) for job, _ in self._taken if job is not None]
        for future in waiters:
            self._answer(future, JournalError(self._failed))

    def _answer(self, future: asyncio.Future[None] | None, error: Exception | None) -> None:
        if future is None:
            return
        with contextlib.suppress(RuntimeError):  # the loop has closed: nobody waits any more
            self._loop.call_soon_threadsafe(_resolve, future, error)


def _resolve(future: asyncio.Future[None], error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)


def _disk(error: Exception) -> bool:
    """Whether a later try can succeed: full, locked, unreadable; not a row that breaks the schema."""
    if isinstance(error, OSError | sqlite3.OperationalError | sqlite3.InternalError):
        return True
    return type(error) is sqlite3.DatabaseError
