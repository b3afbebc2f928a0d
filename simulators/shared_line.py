"""The units of one serial line behind their faults: all hear everything when it matters, else its addressee alone.

Most of what a shared line carries is a whole frame to one unit, and the others would only throw it away. They have to
hear it when one of them has a fault (which counts requests, repeats them, or speaks in between), has heard half a
frame, or has something still to say.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Protocol, cast

from simulators.face import Bus, Face
from simulators.faults import Asked, Faults, Faulty


class Addressed(Face, Protocol):
    """A face that never speaks by itself, and can tell of any whole frame of its dialect for whom it is."""

    address: Hashable

    @property
    def half_heard(self) -> bool:
        """Whether it holds the beginning of a frame, or noise."""
        ...

    @staticmethod
    def addressee(data: bytes) -> Hashable:
        """Whose address stands in `data` if they are one whole frame; None where that cannot be told."""
        ...


def shared_line(units: Sequence[tuple[Face, Faults]]) -> Face:
    """The faces of one line, each behind its own faults."""
    asked = Asked()
    wrapped = [faults.wrap(face, asked) for face, faults in units]
    if len(wrapped) == 1:
        return wrapped[0]
    faces = [cast(Addressed, face) for face, _ in units if hasattr(face, "addressee")]
    of = dict(zip((face.address for face in faces), wrapped, strict=False))
    if len(of) == len(units) and len({face.addressee for face in faces}) == 1:  # one dialect, nobody's address twice
        return SharedLine(wrapped, faces, of, [faults for _, faults in units])
    return Bus(wrapped)


class SharedLine(Bus):
    """A bus that answers as a plain one, byte for byte; `of` are its units by address."""

    def __init__(
        self,
        wrapped: Sequence[Faulty],
        faces: Sequence[Addressed],
        of: Mapping[Hashable, Faulty],
        switches: Sequence[Faults],
    ) -> None:
        super().__init__(wrapped)
        self._units, self._of, self._switches = faces, of, switches
        self._addressee = faces[0].addressee
        self._calm = False  # nothing is half heard, and nobody will speak who is not asked

    def hear(self, now_s: float, data: bytes) -> bytes:
        if self._calm and (one := self._alone(data)) is not None:
            return one.hear(now_s, data)
        self._calm = False
        return super().hear(now_s, data)

    def next_at(self) -> float | None:
        if self._calm:
            return None
        first = super().next_at()
        self._calm = first is None and not any(unit.half_heard for unit in self._units)
        return first

    def _alone(self, data: bytes) -> Faulty | None:
        """The one unit that has to hear this."""
        for switch in self._switches:
            if switch.fault is not None:
                return None
        return self._of.get(self._addressee(data))
