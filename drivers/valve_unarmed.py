"""Output modules whose watchdog nobody can arm over the wire: Moxa ioLogik E1211, Advantech ADAM-6256 and ADAM-6052.

Their host-idle time and the outputs' values behind it are set with the maker's own page or program, and nothing here
can read them. So the tool file holds an owner's dated test of it (`watchdog: external`), the driver proves what it can
(outputs that follow, a trip that shows), and the rest of the controller keeps pyrophorics away from such a module.

Sources: Moxa's default address map of the ioLogik E1200 series; Advantech's ADAM-6000 manual, as far as it is public.
"""

from __future__ import annotations

from drivers.valve_outputs import Conversation, ModbusOutputs, OutputsFault, Reply

ROUND_MS = 100


class UnarmedOutputs(ModbusOutputs):
    """A module that tells nothing of its watchdog: only its outputs, read back, show that it acted."""

    armed = False
    most_coils = 16

    @property
    def round_ms(self) -> int:
        """How often the word is read back and written again: a tenth of the shortest time that these modules know."""
        return ROUND_MS

    def start(self, *, rearm: bool, trips: int | None = None) -> Conversation:
        """Bring the module to the safe word and read it back; returns 0, as nothing is counted. Raises OutputsFault."""
        self._accepted((yield self.write(0)), "the safe word")
        yield from self._prove_safe()
        return 0

    def ask_trips(self) -> bytes | None:
        """There is nothing to ask."""
        return None

    def check_trips(self, reply: Reply, trips: int) -> None:
        """Never asked for."""
        raise OutputsFault("this module does not tell of trips")


class AdamOutputs(UnarmedOutputs):
    """ADAM-6256, and ADAM-6052 with `coils: 8`: outputs lie from coil 16 on, behind the inputs.

    Read of the ADAM-6050 and 6052; that the ADAM-6256 has the same address is remembered, not read.
    """

    first_coil = read_back_at = 16


class MoxaOutputs(UnarmedOutputs):
    """ioLogik E1211: coil 0x1030 is set while its outputs stand at their safe values; writing 1 clears it.

    Coils from 0x0010 on start pulses that are timed in the module: the valve word has 16 coils and no more.
    """

    FLAG = 0x1030

    def start(self, *, rearm: bool, trips: int | None = None) -> Conversation:
        """Bring the module to the safe word with its watchdog's flag down; returns 0, as nothing is counted.

        `rearm`, for a fresh valve process alone, clears the flag; without it a flag that is set is refused. Raises
        OutputsFault.
        """
        first = yield self.write(0)
        if rearm:
            self._accepted((yield self._pair(5, self.FLAG, 0xFF00)), "the clearing of its watchdog's flag")
            first = yield self.write(0)
        flag = yield self._flag()
        self._accepted(flag, "a read of its watchdog's flag")
        self.check_trips(flag, 0)
        self._accepted(first, "the safe word")
        yield from self._prove_safe()
        return 0

    def ask_trips(self) -> bytes:
        """Read the flag of the watchdog."""
        return self._flag()

    def check_trips(self, reply: Reply, trips: int) -> None:
        """A flag that is set is a trip."""
        if reply.coils() & 1:
            raise OutputsFault(f"the module's watchdog tripped (coil {self.FLAG:#06x} is set)")

    def _flag(self) -> bytes:
        return self._pair(1, self.FLAG, 1)
