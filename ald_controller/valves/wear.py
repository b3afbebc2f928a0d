"""How often each output has been energised, and for how long in all: what a valve's wear is counted by. Pure."""

from __future__ import annotations

from ald_controller.valves.wire import Wear


class WearCount:
    """Counts by coil since it was made, for the outputs up to the highest bit of `mask`."""

    def __init__(self, mask: int) -> None:
        self._mask = mask
        self._actuations = [0] * mask.bit_length()
        self._on_ns = [0] * mask.bit_length()
        self._since_ns: dict[int, int] = {}  # coil -> when it was energised
        self.moved = False  # since `told`

    def move(self, now_ns: int, before: int, word: int) -> None:
        """The outputs went from one word to another."""
        changed = (before ^ word) & self._mask
        while changed:
            coil = changed.bit_length() - 1
            changed ^= 1 << coil
            self.moved = True
            if word >> coil & 1:
                self._actuations[coil] += 1
                self._since_ns[coil] = now_ns
            else:
                self._on_ns[coil] += now_ns - self._since_ns.pop(coil)

    @property
    def grows(self) -> bool:
        """Whether an output is energised now."""
        return bool(self._since_ns)

    def told(self, now_ns: int) -> Wear:
        """The counts as of now, those that run included."""
        on_ns = list(self._on_ns)
        for coil, since_ns in self._since_ns.items():
            on_ns[coil] += now_ns - since_ns
        self.moved = False
        return Wear(now_ns, tuple(self._actuations), tuple(on_ns))
