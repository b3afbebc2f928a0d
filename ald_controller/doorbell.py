"""The local door from the other side, with the standard library alone: `ald abort` has no time for imports."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class NoDoor(Exception):
    """Nobody answers at this address; the sentence says what was tried and what would be right."""


def default_socket(tool: str) -> Path:
    """Where the installed service of this tool listens (RuntimeDirectory= of deploy/ald-controller@.service)."""
    return Path("/run/ald-controller") / tool / "ald.sock"


class LocalClient:
    """Asks the controller at a Unix socket; a new connection for each call, so nothing is left open. Blocking."""

    def __init__(self, path: Path | str, connect_s: float = 2.0) -> None:
        self.path = Path(path)
        self._connect_s = connect_s

    def ask(self, request: dict[str, Any], timeout_s: float = 30.0) -> dict[str, Any]:
        """The reply (ok, code, text, data) to one request (verb and its arguments). Raises NoDoor."""
        with self._connection() as sock:
            try:
                sock.settimeout(timeout_s)
                _send(sock, request)
                for reply in _lines(sock):
                    return reply
            except TimeoutError:
                raise NoDoor(
                    f"{self.path}: the controller took the request and gave no reply in {timeout_s} s"
                ) from None
            except OSError as error:
                raise NoDoor(f"{self.path}: the connection broke: {error}") from error
        raise NoDoor(f"{self.path}: the controller closed the door without a reply")

    def watch(self, hz: float = 5.0, silence_s: float = 5.0) -> Iterator[dict[str, Any]]:
        """The state, again and again, at most `hz` a second; ends with the controller. Raises NoDoor.

        A refusal comes as the only item: a reply with `ok` false. The controller speaks at least once a second, so
        `silence_s` without a line is an error.
        """
        with self._connection() as sock:
            try:
                sock.settimeout(silence_s)
                _send(sock, {"verb": "watch", "hz": hz})
                yield from _lines(sock)
            except TimeoutError:
                raise NoDoor(f"{self.path}: the controller has been silent for {silence_s} s") from None
            except OSError as error:
                raise NoDoor(f"{self.path}: the connection broke: {error}") from error

    def _connection(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(self._connect_s)
        try:
            sock.connect(str(self.path))
        except FileNotFoundError:
            sock.close()
            raise NoDoor(f"{self.path}: no controller has a door there; is it running?") from None
        except ConnectionRefusedError:
            sock.close()
            raise NoDoor(f"{self.path}: the controller that made this door is gone; start it again") from None
        except PermissionError:
            sock.close()
            raise NoDoor(f"{self.path}: you are not in the group that may open this door") from None
        except OSError as error:
            sock.close()
            raise NoDoor(f"{self.path}: {error}") from error
        return sock


def _send(sock: socket.socket, request: dict[str, Any]) -> None:
    try:
        sock.sendall(json.dumps(request, ensure_ascii=False).encode() + b"\n")
    except (BrokenPipeError, ConnectionResetError):
        return  # shut in our face: the reason, if there is one, has come in already and is read next


def _lines(sock: socket.socket) -> Iterator[dict[str, Any]]:
    """The JSON objects that come in, one a line; a last line without its end is not an object."""
    pending = b""
    while chunk := sock.recv(65_536):
        pending += chunk
        *whole, pending = pending.split(b"\n")
        for line in whole:
            yield json.loads(line)
