"""A serial port as a line needs it: raw, ours alone, with its direction and its latency set, and plain errors.

A port is opened by the name in the tool file each time. Names in /dev/serial/by-id carry the adapter's serial number,
so an adapter that comes back as another ttyUSB is found; no other port is ever tried (docs/decisions/0028).
"""

from __future__ import annotations

import errno
import fcntl
import os
import termios
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import serial
from serial.rs485 import RS485Settings

Parity = Literal["none", "even", "odd"]
Warn = Callable[[str], None]

BY_ID, SYSTEM = Path("/dev/serial/by-id"), Path("/sys/class/tty")
LATENCY_MS = 1  # an FTDI adapter keeps what it hears for up to 16 ms unless it is told otherwise
_BITS = {"none": serial.PARITY_NONE, "even": serial.PARITY_EVEN, "odd": serial.PARITY_ODD}


def ignore(what: str) -> None:
    """For who wants no warnings."""


@dataclass(frozen=True, slots=True)
class Port:
    """Its path, and how it is set: 8 data bits, 1 stop bit. `rs485`: the port turns its transmitter on to send."""

    path: str
    baud: int
    parity: Parity
    rs485: bool = False

    @property
    def pseudo(self) -> bool:
        """A pseudo-terminal has neither parity nor direction, and what is set there outlives who has set it."""
        return os.path.realpath(self.path).startswith("/dev/pts/")


def open_port(port: Port, warn: Warn, system: Path = SYSTEM) -> serial.Serial:
    """The open port, locked against everybody else; raises OSError with what is wrong and what to do."""
    # A pseudo-terminal has no parity: the kernel drops the bit, and the C library then reports EINVAL whenever a
    # later open changes nothing else. A real port that refuses its parity stays an error.
    parity = serial.PARITY_NONE if port.pseudo else _BITS[port.parity]
    try:
        opened = serial.Serial(port.path, port.baud, parity=parity, timeout=0, exclusive=True)
    except termios.error as error:
        raise OSError(f"{port.path} does not accept {port.baud} baud, parity {port.parity}: {error}") from error
    except OSError as error:
        raise OSError(error.errno, _why(port.path, error)) from error
    try:
        if not port.pseudo:
            fcntl.ioctl(opened.fileno(), termios.TIOCEXCL)  # also those who lock nothing are kept out
            if port.rs485:
                turn_direction(opened)
    except OSError:
        opened.close()
        raise
    if what := quicken(port.path, system):
        warn(what)
    return opened


def turn_direction(opened: serial.Serial) -> None:
    """The port's own driver turns the transmitter on with RTS; raises OSError where it cannot."""
    try:
        opened.rs485_mode = RS485Settings(rts_level_for_tx=True, rts_level_for_rx=False)
    except (ValueError, OSError) as error:
        what = f"{opened.name} cannot switch the direction of RS-485 itself"
        told = "leave out `rs485` if its adapter does that in hardware (most USB ones do), or take another port"
        raise OSError(errno.ENOTTY, f"{what}: {told}") from error


def quicken(path: str, system: Path = SYSTEM) -> str:
    """Have an FTDI adapter hand over at once what it hears; returns why that could not be, "" if all is well."""
    timer = system / os.path.basename(os.path.realpath(path)) / "device" / "latency_timer"
    try:
        before = timer.read_text("ascii").strip()
        if before != str(LATENCY_MS):
            timer.write_text(f"{LATENCY_MS}\n", "ascii")
    except FileNotFoundError:
        return ""  # no FTDI adapter
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it holds no number"
        return (
            f"{path}: the adapter's latency timer cannot be set to {LATENCY_MS} ms ({why}): each reply may come up to "
            "16 ms later; install the udev rule of docs/devices/README.md"
        )
    return ""


def _why(path: str, error: OSError) -> str:
    """What is wrong with a port, and what to do."""
    match error.errno:
        case errno.ENOENT | errno.ENXIO | errno.ENODEV:
            return f"{path} is not there: is it plugged in? There are: {', '.join(_there()) or 'no ports by name'}"
        case errno.EBUSY | errno.EAGAIN:
            who = _holder(path)
            return f"{path} is in use by another program{who}: end that first (a controller that runs owns its lines)"
        case errno.EACCES | errno.EPERM:
            return f"{path} may not be opened by this account: add it to the group of the port, usually dialout"
    return str(error)


def _holder(path: str) -> str:
    """The process that has locked a port, as far as the kernel tells this account."""
    try:
        port = os.stat(path)
        place = f"{os.major(port.st_dev):02x}:{os.minor(port.st_dev):02x}:{port.st_ino}"
        rows = [row.split() for row in Path("/proc/locks").read_text("ascii").splitlines()]
        pid = next(row[4] for row in rows if row[1] == "FLOCK" and row[5] == place)
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except (OSError, ValueError, LookupError, StopIteration):
        return ""
    return f", process {pid} ({command[:80]})" if command else f", process {pid}"


def _there() -> list[str]:
    try:
        return sorted(str(one) for one in BY_ID.iterdir())
    except OSError:
        return []
