"""The control socket of `ald simulate`: faults of each device, switched while it runs. JSON lines both ways.

    {"verb": "put", "device": "carrier", "kind": "late", "numbers": {"s": 0.5}}
    {"verb": "clear", "device": "carrier"}
    {"verb": "list"}

Each is answered with {"ok": true or false, "text": one sentence, "data": {…}}. The socket is for its owner alone.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from simulators import faults_catalogue
from simulators.coupler_faults import WORDS as COUPLER_FAULTS
from simulators.coupler_faults import command_of
from simulators.faults import Faults
from simulators.wires import Plugged

LONGEST = 4096
MOST = 3_600_000  # of a number for the valve module: an hour in ms
OF_VALVES = ("ms", "by_ms", "code", "writes")  # numbers of the valve module's own faults


class Control:
    """What can be switched: faults by device, the plug by device, and the valve module, which is a process of its own.

    `tell_valves` passes one line on to that process.
    """

    def __init__(
        self, faults: Mapping[str, Faults], plugs: Mapping[str, Plugged], valves: str,
        tell_valves: Callable[[bytes], Awaitable[None]],
    ) -> None:  # fmt: skip
        self._faults, self._plugs, self._valves, self._tell_valves = faults, plugs, valves, tell_valves

    async def answer(self, line: bytes) -> dict[str, Any]:
        """What becomes of one command; never raises for what somebody wrote."""
        try:
            return await self._done(_object(line))
        except (ValueError, OSError) as error:
            return _no(str(error))

    async def _done(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        verb = asked.get("verb")
        if verb == "list":
            return {"ok": True, "text": "", "data": {"devices": {name: self._kinds(name) for name in self._faults}}}
        if verb not in ("put", "clear"):
            raise ValueError(f"there is no verb {verb!r}; there are: put, clear, list")
        device = asked.get("device")
        if not isinstance(device, str) or device not in self._faults:
            raise ValueError(f"there is no device {device!r}; there are: {', '.join(self._faults)}")
        if verb == "clear":
            await self._clear(device)
            return {"ok": True, "text": f"{device}: no fault", "data": {}}
        kind, numbers = asked.get("kind"), asked.get("numbers", {})
        if not isinstance(kind, str) or not isinstance(numbers, dict):
            raise ValueError("'kind' is a name and 'numbers' an object of numbers by name")
        await self._put(device, kind, numbers)
        said = "".join(f" {name}={value:g}" for name, value in numbers.items())
        return {"ok": True, "text": f"{device}: {kind}{said}", "data": {}}

    def _kinds(self, device: str) -> dict[str, str]:
        """The faults that this device can have, each with its words and numbers."""
        if device == self._valves:
            return dict(COUPLER_FAULTS)
        framing = self._faults[device].framing
        own = {name: kind for name, kind in faults_catalogue.KINDS.items() if framing in kind.framings}
        said = {name: " ".join([kind.what, *_shown(kind.numbers)]) for name, kind in own.items()}
        return said | {name: faults_catalogue.LINE[name][0] for name in self._plugs[device].kinds}

    async def _put(self, device: str, kind: str, numbers: Mapping[str, Any]) -> None:
        if device == self._valves:
            await self._put_at_valves(kind, numbers)
        elif kind in faults_catalogue.LINE:
            plug = self._plugs[device]
            if kind not in plug.kinds:
                raise ValueError(f"'{kind}' is a fault of TCP, {device} hangs on a serial line")
            if numbers:
                raise ValueError(f"'{kind}' takes no numbers")
            await plug.put(kind)
        else:
            fault = faults_catalogue.fault(kind, self._faults[device].framing, numbers)
            self._faults[device].put(fault)
            if fault.away_s is not None and "reset" in self._plugs[device].kinds:
                await self._plugs[device].put("reset")  # what has lost its power knows of no connection

    async def _put_at_valves(self, kind: str, numbers: Mapping[str, Any]) -> None:
        unknown = [name for name in numbers if name not in OF_VALVES]
        if unknown:
            raise ValueError(f"'{kind}' has no '{unknown[0]}'; it takes: {', '.join(OF_VALVES)}")
        for name, value in numbers.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST:
                raise ValueError(f"{name}={str(value)[:20]} is no number from 0 to {MOST}")
        whole = {name: int(value) if name in ("code", "writes") else value for name, value in numbers.items()}
        line = json.dumps({"fault": kind, **whole}).encode()
        command_of(line)
        await self._tell_valves(line + b"\n")

    async def _clear(self, device: str) -> None:
        if device == self._valves:
            raise ValueError("a fault of the valve module ends by itself, after its ms or its writes")
        self._faults[device].clear()
        await self._plugs[device].clear()


def _no(why: str) -> dict[str, Any]:
    return {"ok": False, "text": why, "data": {}}


def _object(line: bytes) -> dict[str, Any]:
    """What one line says; raises ValueError, in a sentence, for what is none."""
    try:
        asked = json.loads(line)
    except (ValueError, RecursionError):  # also what is no UTF-8, and brackets without an end
        asked = None
    if not isinstance(asked, dict):
        raise ValueError(f'{line[:40]!r} is no command: one JSON object a line is expected, such as {{"verb": "list"}}')
    return asked


def _shown(numbers: Mapping[str, float]) -> list[str]:
    return [f"[{name}={value:g}]" for name, value in numbers.items()]


@asynccontextmanager
async def listening(control: Control, path: Path) -> AsyncIterator[None]:
    """Answer at this socket; raises OSError, in a sentence, when something else stands there or it cannot be made."""
    make_free(path)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while line := await _line(reader):
                answer = _no(f"a command has {LONGEST} bytes at most") if len(line) > LONGEST else None
                writer.write(json.dumps(answer or await control.answer(line)).encode() + b"\n")
                await writer.drain()
                if answer:
                    break  # where the next command begins is not known
        writer.close()

    try:
        before = os.umask(0o177)
        try:
            server = await asyncio.start_unix_server(serve, path, limit=LONGEST)
        finally:
            os.umask(before)
    except OSError as error:
        raise OSError(f"--control {path}: no socket can be made there: {error}") from error
    try:
        yield
    finally:
        server.close()
        _remove(path)


async def _line(reader: asyncio.StreamReader) -> bytes:
    """The next line, b"" at the end, more than LONGEST bytes for one that is too long."""
    try:
        return await reader.readline()
    except ValueError:  # beyond the limit
        return bytes(LONGEST + 1)


def make_free(path: Path) -> None:
    """A socket that nobody listens at any more is taken away; anything else that stands there is an OSError."""
    if not path.exists():
        return
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise OSError(f"--control {path}: something stands there that is not a socket")
    with socket.socket(socket.AF_UNIX) as other:
        try:
            other.connect(str(path))
        except OSError:
            _remove(path)
            return
    raise OSError(f"--control {path}: another simulation listens there; give each a socket of its own")


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
