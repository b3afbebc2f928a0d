"""Who answers on a line: every address of a protocol is asked one question that changes nothing.

Each question is a read that the protocol defines for every device of it: a holding register, a poll, the model, the
serial number. Whatever answers is told; nothing is tried with another baud rate or parity than the line has.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from drivers.base import BadReply, NoReply, Refused
from drivers.line import Line
from drivers.modbus import Registers
from drivers.propar import LOCAL, SERIAL, Propar

Kind = Literal["modbus", "alicat", "mks", "propar"]
KINDS: dict[str, Kind] = {  # by driver; the others have no address on their line
    "alicat": "alicat", "mks_925": "mks", "mks_937": "mks", "bronkhorst": "propar", "eurotherm_3216": "modbus",
    "watlow": "modbus", "analogue_io": "modbus", "beckhoff_io": "modbus", "wago_io": "modbus",
}  # fmt: skip
_TIMEOUT_S = 0.15
REST_S = 1.0  # what is late by less than this is not taken for the answer of the next address
LATE = "something answered too late, from an address before this one: ask those again, and look at the baud rate"
_NOBODY = ("there is no such node", "the gateway has no path", "behind the gateway")  # said in the place of a device


@dataclass(frozen=True, slots=True)
class Asked:
    """One address, and what was found there: a device if `there`; "" and not there = silence."""

    address: str
    there: bool
    what: str


@dataclass(frozen=True, slots=True)
class Scan:
    """The addresses of a protocol that are asked unless others are named, and those there can be."""

    usual: tuple[int, int]
    least: int
    most: int
    ask: Callable[[Line, int, bool], Awaitable[str]]
    shown: Callable[[int], str] = str


async def scan(line: Line, kind: Kind, first: int, last: int, *, tcp: bool = False) -> AsyncIterator[Asked]:
    """Each address in turn, from `first` to `last`; what is not an answer is asked for once more, after a rest.

    Raises NoReply when the line itself fails: it cannot be opened, is lost, or never falls quiet.
    """
    one = SCANS[kind]
    for address in range(first, last + 1):
        asked = await _asked(line, one, address, tcp)
        if not isinstance(asked, Asked):
            await asyncio.sleep(REST_S)
            again = await _asked(line, one, address, tcp)
            asked = _judged(one.shown(address), asked, again)
        yield asked


async def _asked(line: Line, one: Scan, address: int, tcp: bool) -> Asked | BadReply | NoReply:
    """What came of one question; an error where it says nothing about this address yet."""
    shown, strays = one.shown(address), line.counts.unasked_bytes
    try:
        return Asked(shown, True, await one.ask(line, address, tcp))
    except Refused as refused:
        return Asked(shown, not any(words in refused.what for words in _NOBODY), refused.what)
    except BadReply as bad:
        return bad
    except NoReply as silent:
        if line.counts.opened == 0:
            raise
        if "no whole reply" not in silent.what:
            return silent
        return Asked(shown, False, LATE if line.counts.unasked_bytes > strays else "")


def _judged(shown: str, before: Asked | BadReply | NoReply, again: Asked | BadReply | NoReply) -> Asked:
    """Of two tries, the first of which was none; raises NoReply for a line that failed twice."""
    if isinstance(again, NoReply):
        raise again
    if isinstance(again, BadReply):
        two = "two devices may have this address, " if "more than one reply" in again.what else ""
        return Asked(shown, True, f"{two}something answers otherwise than this protocol has it: {again.what}")
    if isinstance(before, BadReply) and not again.there:
        return Asked(shown, False, LATE)
    return again


async def _modbus(line: Line, unit: int, tcp: bool) -> str:
    registers = Registers(line, unit, "tcp" if tcp else "rtu", f"unit {unit}")
    (value,) = await registers.read_holding(0, 1)
    return f"holding register 0 is {value}"


async def _alicat(line: Line, number: int, tcp: bool) -> str:
    letter = _letter(number)

    def whole(buffer: bytes) -> int | None:
        if buffer[:1] != letter.encode("ascii"):
            raise BadReply(letter, f"{letter} is expected first", reply=buffer)
        return buffer.find(b"\r") + 1 or None

    reply = await line.ask(f"{letter}\r".encode("ascii"), whole, timeout_s=_TIMEOUT_S, device=f"unit {letter}")
    return reply.decode("ascii", "replace").strip()


async def _mks(line: Line, address: int, tcp: bool) -> str:
    begin = f"@{address:03d}".encode("ascii")

    def whole(buffer: bytes) -> int | None:
        if buffer[:4] != begin[: len(buffer)]:
            raise BadReply(str(address), f"{begin.decode()} is expected first", reply=buffer)
        end = buffer.find(b";FF")
        return end + 3 if end >= 0 else None

    reply = await line.ask(begin + b"MD?;FF", whole, timeout_s=_TIMEOUT_S, device=f"address {address}")
    said = reply[4:-3].decode("ascii", "replace")
    return f"model {said[3:]}" if said.startswith("ACK") else said


async def _propar(line: Line, node: int, tcp: bool) -> str:
    found = await Propar(line, node, f"node {node}").read(SERIAL)
    return f"serial number {found[SERIAL]}" + (" (whatever its own node is)" if node == LOCAL else "")


def _letter(number: int) -> str:
    return chr(ord("A") + number - 1)


SCANS: dict[Kind, Scan] = {
    "modbus": Scan((1, 32), 1, 247, _modbus),
    "alicat": Scan((1, 26), 1, 26, _alicat, _letter),
    "mks": Scan((1, 253), 1, 253, _mks, "{:03d}".format),
    "propar": Scan((1, LOCAL), 1, LOCAL, _propar),
}
