"""Requests on a line, and the replies that are still owed: what may yet come, of whom, and until when. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from msgspec import Struct

from drivers.base import BadReply

Framer = Callable[[bytes], int | None]
"""Length of the whole reply at the start of these bytes, None while more is needed; raises BadReply on nonsense."""

Probe = tuple[bytes, Framer]
"""A question and the framer of its answer; the framer raises BadReply on the answer to anything else."""

LATE = 10  # a missing reply may still come within this many time-outs
MOST = 64  # replies that one device can owe: a device that is asked on and on answers none of the oldest


class Ask(Struct, frozen=True):
    """One request: `tagged` and `numbered` as in `Line.ask`; `probing` is the line's own."""

    device: str
    request: bytes
    framer: Framer | None
    timeout_s: float
    quiet_s: float
    tagged: bool
    numbered: bool
    probe: Probe | None
    probing: bool = False


@dataclass(slots=True)
class Debt:
    """Replies of one device that have not come, in the order of their requests; until when they still may."""

    owed: list[Ask]
    until_s: float


class Debts:
    """By device; times are seconds of the loop's clock.

    The next reply of whoever is `doubted`, or has a debt, could belong to an earlier request.
    """

    def __init__(self) -> None:
        self.of: dict[str, Debt] = {}
        self.doubted: set[str] = set()  # who gave a reply that was none, or never the one that was owed

    def wants_probe(self, device: str) -> bool:
        """Whether that is not to be believed before the answer to a probe; time alone settles nothing."""
        return device in self.doubted or (device in self.of and bool(self.of[device].owed))

    def rest_s(self, device: str, now_s: float) -> float:
        """How long a device that left a probe without an answer is left alone, in seconds."""
        owed = self.of[device].owed if device in self.of else []
        return max(0.0, self.of[device].until_s - now_s) if owed and owed[-1].probing else 0.0

    def silent(self, device: str) -> bool:
        """Whether even the time in which its replies may come has passed, and the probe behind it was not answered."""
        owed = self.of[device].owed if device in self.of else []
        return device in self.doubted and bool(owed) and owed[0].probing

    def doubt(self, device: str) -> None:
        self.doubted.add(device)

    def trust(self, device: str) -> None:
        """Its probe was answered: behind that nothing older comes in order; what overtook it still may."""
        self.doubted.discard(device)
        if device in self.of:
            self.of[device].owed.clear()

    def add(self, ask: Ask, now_s: float) -> None:
        debt = self.of.setdefault(ask.device, Debt([], 0.0))
        debt.owed.append(ask)
        del debt.owed[:-MOST]
        debt.until_s = now_s + LATE * ask.timeout_s

    def forgive(self, device: str) -> None:
        self.of.pop(device, None)

    def expire(self, device: str, now_s: float) -> None:
        """Forgets what cannot come any more; whoever may keep it, as a gateway does, is doubted."""
        if device in self.of and self.of[device].until_s <= now_s and self.of.pop(device).owed:
            self.doubted.add(device)

    def seen(self, data: bytes) -> None:
        """These bytes came while nobody asked: a device is free if they are all it owes, and nothing else."""
        for device, debt in list(self.of.items()):
            if debt.owed and _are_whole(debt.owed, data):
                del self.of[device]

    def late(self, ask: Ask, data: bytes) -> int | None:
        """Length of the owed reply in front of these bytes, which is then no longer owed; None: more is needed.

        Unnumbered replies come in order, so only the oldest can be in front. Raises BadReply when it is none.
        """
        owed = self.of[ask.device].owed if ask.device in self.of and (ask.probing or ask.numbered) else []
        for at, one in enumerate(owed if ask.numbered else owed[:1]):
            try:
                length = one.framer(data) if one.framer else None
            except BadReply:
                continue
            if length is not None:
                del owed[at]
                if not owed and ask.numbered:
                    del self.of[ask.device]
            return length
        raise BadReply(ask.device, "these bytes are no reply that is owed", ask.request, data)


def _are_whole(owed: list[Ask], data: bytes) -> bool:
    """Whether `data` are the owed replies, all of them and nothing else."""
    for ask in owed:
        try:
            length = ask.framer(data) if ask.framer and data else None
        except BadReply:
            return False
        if length is None:
            return False
        data = data[length:]
    return not data
