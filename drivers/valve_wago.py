"""A WAGO 750-352, 750-880 or 750-882 as the module of the valve word: its Modbus watchdog, armed and proven.

The coupler has three timers, and one of them will do. The *TCP idle time-out* (0x1030) drops the connection and leaves
the outputs in their last state. The *alternative watchdog* (0x100A) zeroes them, but any request feeds it, so that a
page which polls would keep a valve open for a dead valve process. The *standard watchdog* counts only the function
codes of its mask: here FC 15 alone, which nobody but the valve process sends. It is started by the trigger register.

It has no count of trips. Instead each start writes another value to the trigger register, as the coupler demands of a
restart: a trip that somebody else cleared, and a coupler that was switched off and on, show as another value there.
Nothing in here clears a trip but `start(rearm=True)`, which a fresh valve process may ask for, because the tool comes
up latched.

Sources: WAGO's manuals of the 750-352, 750-880 and 750-882 (watchdog registers 0x1000 to 0x100A). That an expired
coupler answers process data with exception 04 while its watchdog registers stay readable, and a trigger value that
stands there already with exception 03, is in public notes of a 750-352's owner.
"""

from __future__ import annotations

from collections.abc import Generator

from drivers.valve_outputs import Conversation, ModbusOutputs, OutputsFault, Reply

TIME = 0x1000  # the masks behind it; like them not writable while the watchdog runs
MASK_1_16, MASK_17_32 = 0x1001, 0x1002
TRIGGER = 0x1003
STATE = 0x1006
STOP = 0x1008
ALTERNATIVE = 0x100A
FC15_ALONE = 1 << (15 - 1)
STOPPED, RUNNING, EXPIRED = 0, 1, 2
STOP_WORD = 0x55AA


class WagoOutputs(ModbusOutputs):
    """The coupler with its standard watchdog, started by the trigger register and fed by FC 15 alone.

    What stands for a count of trips is the trigger value of the last start.
    """

    step_ms = 100
    read_back_at = 0x0200  # at 0 an FC 1 reads inputs

    def start(self, *, rearm: bool, trips: int | None = None) -> Conversation:
        """Bring the module to the safe word with its watchdog armed and proven: yields requests, takes their replies.

        Returns the trigger value that the watchdog was started with. `rearm` is for a fresh valve process alone;
        without it `trips` is that value as it was, and any other one is refused. Raises OutputsFault.
        """
        first = yield self.write(0)  # an expired coupler refuses it, which is no news yet
        yield from self._refuse_alternative()
        if rearm:
            first, trips = yield from self._arm()
        yield from self._prove_running()
        self._accepted(first, "the safe word")
        (trigger,) = yield from self._get(TRIGGER)
        if trips is not None and trigger != trips:
            raise OutputsFault(f"somebody else started the watchdog: trigger {trigger}, {trips} was written")
        yield from self._prove_setting()
        yield from self._prove_safe()
        return trigger

    def ask_trips(self) -> bytes:
        """Read the state of the watchdog."""
        return self.read_registers(STATE)

    def check_trips(self, reply: Reply, trips: int) -> None:
        """Any other state than running is a trip, or a coupler that restarted."""
        _running(*reply.registers())

    def zero(self) -> Generator[bytes, Reply, None]:
        """Write zeros once and prove them; a tripped watchdog stays tripped. Raises OutputsFault."""
        yield self.write(0)
        reply = yield self.read_coils()
        if reply.exception:  # an expired coupler tells no process data: its outputs are at zero
            (state,) = yield from self._get(STATE)
            if state == EXPIRED:
                return
        self._check_safe(reply)

    # --- arming ------------------------------------------------------------------------------------------------------

    def _arm(self) -> Generator[bytes, Reply, tuple[Reply, int]]:
        """Stop, set and start the watchdog; returns the reply to the last safe word, and the trigger value."""
        (state,) = yield from self._get(STATE)
        (trigger,) = yield from self._get(TRIGGER)
        if state == EXPIRED:
            # restarted as it was set, so that outputs which the coupler might bring back are zeroed under a watchdog
            trigger = yield from self._trigger(trigger)
            self._accepted((yield self.write(0)), "the safe word")
        if state != STOPPED:
            yield from self._set(STOP, STOP_WORD)
        yield from self._set(TIME, self.watchdog_ms // self.step_ms)
        # the mask last: by one of WAGO's wordings it starts the watchdog, and then the rest is no longer writable
        yield from self._set(MASK_17_32, 0)
        yield from self._set(MASK_1_16, FC15_ALONE)
        trigger = yield from self._trigger(trigger)
        return (yield self.write(0)), trigger

    def _trigger(self, before: int) -> Conversation:
        """Write a value that is neither 0 nor the one that stands there."""
        value = before % 0xFFFF + 1
        yield from self._set(TRIGGER, value)
        return value

    # --- proving -----------------------------------------------------------------------------------------------------

    def _refuse_alternative(self) -> Generator[bytes, Reply, None]:
        (alternative,) = yield from self._get(ALTERNATIVE)
        if alternative:
            raise OutputsFault(
                f"register {ALTERNATIVE:#06x} reads {alternative}: the alternative watchdog is fed by any request; "
                f"choose the standard one on the coupler's own pages"
            )

    def _prove_running(self) -> Generator[bytes, Reply, None]:
        (state,) = yield from self._get(STATE)
        _running(state)

    def _prove_setting(self) -> Generator[bytes, Reply, None]:
        found: list[int] = []
        for register in (TIME, MASK_1_16, MASK_17_32):  # one by one: a coupler may refuse a read of a block
            found += yield from self._get(register)
        if found != [self.watchdog_ms // self.step_ms, FC15_ALONE, 0]:
            time, low, high = found
            raise OutputsFault(
                f"the watchdog reads back {time * self.step_ms} ms, masks {low:#06x} and {high:#06x}: "
                f"{self.watchdog_ms} ms, {FC15_ALONE:#06x} (FC 15 alone) and 0x0000 are needed"
            )


def _running(state: int) -> None:
    if state != RUNNING:
        why = {STOPPED: "is not active: the module has restarted, or somebody stopped it", EXPIRED: "tripped"}
        raise OutputsFault(f"the module's watchdog {why.get(state, 'is in no known state')} (state {state})")
