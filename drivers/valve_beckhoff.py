"""A Beckhoff BK9000, BK9050, BK9100 or EK9000 coupler as the module of the valve word: its watchdog, armed and proven.

Nothing in here resets a tripped watchdog but `start(rearm=True)`, which a fresh valve process may ask for, because the
tool comes up latched. Source: Beckhoff's documentation of the Modbus registers of these couplers, as far as it is
public.
"""

from __future__ import annotations

from collections.abc import Generator

from drivers.valve_outputs import Conversation, ModbusOutputs, OutputsFault, Reply

TIME_LEFT = 0x1020
TRIPS = 0x1021
WATCHDOG_MS = 0x1120
RESET = 0x1121
KIND = 0x1122  # followed by the fallback behaviour, 0x1123
ONLY_WRITES = 0  # the watchdog is fed by write telegrams alone
RESET_SEQUENCE = (0xBECF, 0xAFFE)


class BeckhoffOutputs(ModbusOutputs):
    """The coupler with the process-data watchdog, fed by write telegrams alone; it counts its trips."""

    def start(self, *, rearm: bool, trips: int | None = None) -> Conversation:
        """Bring the module to the safe word with its watchdog armed and proven: yields requests, takes their replies.

        Returns the module's count of watchdog trips. `rearm` is for a fresh valve process alone; without it `trips`
        is the count as it was, and any other one is refused. Raises OutputsFault.
        """
        # The safe word comes before anything else: should the reset below bring old outputs back, they are closed
        # ones. A tripped module may refuse this first word, which is no news yet.
        first = yield self.write(0)
        if rearm:
            yield from self._set(KIND, ONLY_WRITES)
            yield from self._set(WATCHDOG_MS, self.watchdog_ms)
            for value in RESET_SEQUENCE:
                yield from self._set(RESET, value)
            first = yield self.write(0)
        counted = yield from self._count(trips)
        self._accepted(first, "the safe word")
        yield from self._prove()
        return counted

    def ask_trips(self) -> bytes:
        """Read the count of trips."""
        return self.read_registers(TRIPS)

    def check_trips(self, reply: Reply, trips: int) -> None:
        """Any other count than `trips` is a trip."""
        _same_count(trips, *reply.registers())

    def _count(self, expected: int | None) -> Conversation:
        (counted,) = yield from self._get(TRIPS)
        if expected is not None:
            _same_count(expected, counted)
        return counted

    def _prove(self) -> Generator[bytes, Reply, None]:
        (time_ms,) = yield from self._get(WATCHDOG_MS)
        kind, fallback = yield from self._get(KIND, 2)
        if (time_ms, kind, fallback) != (self.watchdog_ms, ONLY_WRITES, 0):
            raise OutputsFault(
                f"the watchdog reads back {time_ms} ms, type {kind}, fallback {fallback}: "
                f"{self.watchdog_ms} ms, type {ONLY_WRITES} (write telegrams), fallback 0 (outputs zero) are needed"
            )
        (left_ms,) = yield from self._get(TIME_LEFT)
        if not 0 < left_ms <= self.watchdog_ms:
            raise OutputsFault(f"the watchdog does not run after a write: {left_ms} ms left of {self.watchdog_ms}")
        yield from self._prove_safe()


def _same_count(before: int, now: int) -> None:
    if now != before:
        raise OutputsFault(f"the module's watchdog tripped (count {before} before, {now} now)")
