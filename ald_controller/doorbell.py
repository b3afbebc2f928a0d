"""The local door from the other side. `ald abort` goes this way while a source is open: nothing is imported early.

`_socket`, the half of `socket` that is written in C, costs a tenth of it; `json` comes in when an answer is read.
"""

from __future__ import annotations

import _socket  # noqa: PLC2701  (part of every Python that runs here, and its face `socket` takes 10 ms to import)
import os

TYPE_CHECKING = False  # as typing has it, which takes longer to import than a controller to answer
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

RUNTIME = "/run/ald-controller"  # RuntimeDirectory= of deploy/ald-controller@.service, a folder below it for each tool


class NoDoor(Exception):
    """Nobody answers at this address; the sentence says what was tried and what would be right."""


def default_socket(tool: str) -> Path:
    """Where the installed service of this tool listens."""
    from pathlib import Path

    return Path(RUNTIME) / tool / "ald.sock"


def find_socket(option: str | None) -> str:
    """The socket to speak to: `option`, else ALD_SOCKET, else that of the only controller here. Raises NoDoor."""
    if option or os.environ.get("ALD_SOCKET"):
        return option or os.environ["ALD_SOCKET"]
    found = _running()
    if len(found) == 1:
        return found[0]
    if not found:
        raise NoDoor("no controller runs here as a service; name its socket with --socket or ALD_SOCKET")
    raise NoDoor(f"several controllers run here; name one with --socket: {', '.join(found)}")


def _running() -> list[str]:
    try:
        tools = sorted(os.listdir(RUNTIME))
    except OSError:
        return []
    return [path for tool in tools if os.path.exists(path := f"{RUNTIME}/{tool}/ald.sock")]


class LocalClient:
    """Asks the controller at a Unix socket; a new connection for each call, so nothing is left open. Blocking."""

    def __init__(self, path: Path | str, connect_s: float = 2.0) -> None:
        self.path = str(path)
        self._connect_s = connect_s

    def ask(self, request: dict[str, Any], timeout_s: float = 30.0) -> dict[str, Any]:
        """The reply (ok, code, text, data) to one request (verb and its arguments). Raises NoDoor."""
        return self.ask_line(_line(request), timeout_s)

    def ask_line(self, line: bytes, timeout_s: float = 30.0) -> dict[str, Any]:
        """As `ask`, for a request that is JSON already, with its end of line."""
        sock = self._connection()
        try:
            sock.settimeout(timeout_s)
            _send(sock, line)
            for reply in _replies(sock):
                return reply
        except TimeoutError:
            raise NoDoor(f"{self.path}: the controller took the request and gave no reply in {timeout_s} s") from None
        except OSError as error:
            raise NoDoor(f"{self.path}: the connection broke: {error}") from error
        finally:
            sock.close()
        raise NoDoor(f"{self.path}: the controller closed the door without a reply")

    def watch(self, hz: float = 5.0, silence_s: float = 5.0) -> Iterator[dict[str, Any]]:
        """The state, again and again, at most `hz` a second; ends with the controller. Raises NoDoor.

        A refusal comes as the only item: a reply with `ok` false. The controller speaks at least once a second, so
        `silence_s` without a line is an error.
        """
        sock = self._connection()
        try:
            sock.settimeout(silence_s)
            _send(sock, _line({"verb": "watch", "hz": hz}))
            yield from _replies(sock)
        except TimeoutError:
            raise NoDoor(f"{self.path}: the controller has been silent for {silence_s} s") from None
        except OSError as error:
            raise NoDoor(f"{self.path}: the connection broke: {error}") from error
        finally:
            sock.close()

    def _connection(self) -> _socket.socket:
        sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        sock.settimeout(self._connect_s)
        try:
            sock.connect(self.path)
        except OSError as error:
            sock.close()
            raise NoDoor(f"{self.path}: {_why_shut(error)}") from None
        return sock


def _why_shut(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "no controller has a door there; is it running?"
    if isinstance(error, ConnectionRefusedError):
        return "the controller that made this door is gone; start it again"
    if isinstance(error, PermissionError):
        return "you are not in the group that may open this door"
    return str(error)


def _line(request: dict[str, Any]) -> bytes:
    import json

    return json.dumps(request, ensure_ascii=False).encode() + b"\n"


def _send(sock: _socket.socket, line: bytes) -> None:
    try:
        sock.sendall(line)
    except (BrokenPipeError, ConnectionResetError):
        return  # shut in our face: the reason, if there is one, has come in already and is read next


def _replies(sock: _socket.socket) -> Iterator[dict[str, Any]]:
    """The JSON objects that come in, one a line; a last line without its end is not an object."""
    import json

    pending = b""
    while chunk := sock.recv(65_536):
        pending += chunk
        *whole, pending = pending.split(b"\n")
        for line in whole:
            yield json.loads(line)
