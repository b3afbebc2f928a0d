"""One writer per module: a lock file for each address, held by a daemon and its valve process, or by `ald safe`.

The kernel frees it with the last process that holds it, so that no crash leaves it behind. Standard library only.
"""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from ald_controller.valves.wire import ValveError

LOCK_S = 2.0  # a valve process that lost its daemon ends within a second and frees the lock
LOCK_LOOK_S = 0.05
COMMON = Path("/run/lock")


def lock_folder() -> Path:
    """One place for the whole computer, so that writers meet whoever they are and whatever their state directory is."""
    with suppress(OSError):
        # everybody's or nobody's: where root alone may write, root would wait at another place than the daemon
        if COMMON.stat().st_mode & stat.S_IWOTH and os.access(COMMON, os.W_OK):
            return COMMON
    return Path(tempfile.gettempdir())


def numeric(host: str, port: int) -> str:
    """The address that a host's name stands for: one module is one lock, however it is spelled; raises ValveError."""
    try:
        return str(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0])
    except (OSError, UnicodeError) as error:
        raise ValveError(f"there is no address of '{host}': {getattr(error, 'strerror', None) or error}") from error


def lock_path(folder: Path, host: str, port: int) -> Path:
    """The lock file of the module at a numeric address."""
    return folder / f"coupler-{host.replace(':', '_')}-{port}.lock"


class Lock:
    """The right to write to one module, once `take` has said yes; several processes may hold it by inheritance."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.made = False  # whether nobody had ever held it
        self.fd: int | None = None

    def take(self) -> bool:
        """Whether it is held now; raises ValveError when the file cannot be opened."""
        fd = self._open()
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # whoever made the file may have removed it between our opening and our locking it
            if identity(os.fstat(fd)) == seen(self.path):
                self.fd, fd = fd, -1
        except BlockingIOError:
            pass  # somebody holds it: the answer
        finally:
            if fd >= 0:
                os.close(fd)
        return self.fd is not None

    def free(self, *, remove: bool = False) -> None:
        """Give it up; `remove` takes away the file, too, which only whoever made it may."""
        if self.fd is not None:
            if remove:
                self.path.unlink(missing_ok=True)
            os.close(self.fd)
            self.fd = None

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                # never O_CREAT for one that exists: where everybody may write, Linux refuses that even to root
                with suppress(FileNotFoundError):
                    return os.open(self.path, flags)
                fd = os.open(self.path, flags | os.O_CREAT | os.O_EXCL, 0o600)
                self.made = True
                return fd
            return os.open(self.path, flags)
        except OSError as error:
            raise ValveError(f"the lock {self.path} cannot be opened: {error.strerror}{_owner(self.path)}") from error


def identity(file: os.stat_result) -> tuple[int, int]:
    """Device and inode: no other file has both while this one exists."""
    return file.st_dev, file.st_ino


def seen(path: Path) -> tuple[int, int] | None:
    """The identity of the file that is to be seen there now, or None; raises OSError."""
    try:
        return identity(path.lstat())
    except FileNotFoundError:
        return None


def _owner(path: Path) -> str:
    try:
        uid = path.lstat().st_uid
    except OSError:
        return ""
    import pwd  # only for this sentence

    with suppress(KeyError):
        return f"; it belongs to {pwd.getpwuid(uid).pw_name}"
    return f"; it belongs to user {uid}"
