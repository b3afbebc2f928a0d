"""A WAGO 750-352 bus coupler with analogue and digital terminals, Modbus TCP, as bytes.

Sources: WAGO's manuals of the 750-352, 750-880 and 750-882 (image, watchdog 0x1000…, lengths 0x1022…, nameplate
0x2010…, terminals 0x2030…) and of 750-453, -455, -468 and -469 (how a terminal counts, with its status in the three
lowest bits). The watchdog is that of the coupler of the valve word. Words of the input image: analogue channels first,
digital inputs behind them; a read of coils below 0x0200 reads inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from simulators.modbus_server import ILLEGAL_ADDRESS, ILLEGAL_VALUE, ModbusException, RegisterMap
from simulators.valve_module import Change
from simulators.valve_wago import Starter, WagoA
from simulators.wired import CouplerFace, OutputPlant, bits_in, bits_of, contact_bits, words_of

FULL = 0x7FF8
ALIAS, REGISTERS = 0x0200, 0x1000
ANALOGUE_OUT, NAMEPLATE, TERMINALS = 0x1022, 0x2010, 0x2030
TERMINAL_OF = {"4-20 mA": 455, "4-20 mA on 0-20 mA": 453, "0-10 V": 468, "type K": 469}
CHANNELS = {455: 4, 453: 4, 468: 4, 469: 2}
STOPPED, RUNNING, EXPIRED = 0, 1, 2


@dataclass(slots=True)
class Channel:
    """One analogue channel: its word, its kind, what 4 and 20 mA (or 0 and 10 V) mean, and where its value comes from.

    `broken` is an open wire or couple; `ma` a current instead of what is measured.
    """

    register: int
    kind: str
    at_low: float
    at_high: float
    read: Callable[[float], float]
    broken: bool = False
    ma: float | None = None

    def word(self, now_s: float) -> int:
        """As its terminal counts, status bits included."""
        if self.kind == "type K":
            tenths = round(self.read(now_s) * 10)
            return 0x7FFF if self.broken else min(max(tenths, -1000), 13710) & 0xFFFF
        share = (self.read(now_s) - self.at_low) / (self.at_high - self.at_low)
        if self.kind == "0-10 V":
            return _counted(0.0 if self.broken else share)
        ma = 0.0 if self.broken else min(max(4.0 + 16.0 * share, 3.8), 20.5) if self.ma is None else self.ma
        if self.kind == "4-20 mA on 0-20 mA":
            return _counted(ma / 20.0)
        return 0x0003 if ma < 3.6 else _counted((ma - 4.0) / 16.0)


def _counted(share: float) -> int:
    """Of a terminal of twelve bits; above its range all of its low bits but one are set."""
    return 0x7FFB if share > 1.0005 else round(min(max(share, 0.0), 1.0) * FULL) & FULL


class WagoB(WagoA):
    """One coupler: analogue channels by name, contacts by input number, outputs by coil number.

    `items` are its terminals after the analogue ones' order, by default one of each kind that the channels need.
    `closes` is register 0x1009: a time-out of the watchdog is to end the connection, which is noted in `closing`.
    """

    def __init__(
        self,
        plant: OutputPlant,
        channels: Mapping[str, Channel],
        contacts: Mapping[int, str],
        outputs: Mapping[int, str],
        *,
        items: Sequence[int] | None = None,
        starters: frozenset[Starter] = frozenset({"trigger", "mask"}),
        alternative: bool = False,
    ) -> None:
        self._plant, self.channels, self._contacts, self._names = plant, dict(channels), dict(contacts), dict(outputs)
        self._items = tuple(_items(channels) if items is None else items)
        self._analogue = max((one.register + 1 for one in channels.values()), default=0)
        self._bits = bits_of(contacts)
        self.closes, self.idle = 0, 0
        self._known = 0  # the outputs as the plant was told them
        super().__init__(bits_of(outputs), tell=self._switch, starters=starters, alternative=alternative)
        self._more = self._further()

    def _switch(self, change: Change) -> None:
        for coil, name in self._names.items():
            if (change.word ^ self._known) >> coil & 1:
                self._plant.output(name, bool(change.word >> coil & 1), change.at_s)
        self._known = change.word

    def _further(self) -> RegisterMap:
        """The registers that the coupler of the valve word has no use for."""
        lengths = (0, 16 * self._analogue, self.coils, self._bits)
        told = (7, 750, 352)
        digital = [0x8801] * (self._bits // 8) + [0x8802] * (self.coils // 8)
        nodes = (352, *self._items, *digital)
        read: dict[int, Callable[[], int]] = {0x1007: lambda: 1, 0x1009: lambda: self.closes, 0x1030: lambda: self.idle}
        constants = {
            **{ANALOGUE_OUT + i: bits for i, bits in enumerate(lengths)},
            **{NAMEPLATE + i: word for i, word in enumerate(told)},
            **{TERMINALS + i: nodes[i] if i < len(nodes) else 0 for i in range(65)},
        }
        read |= {address: (lambda word=word: word) for address, word in constants.items()}  # type: ignore[misc]
        return RegisterMap(read, {0x1007: self._restart, 0x1009: self._set_closing, 0x1030: self._set_idle})

    def _restart(self, value: int) -> None:
        if value == 1 and self.state != STOPPED:
            self._run()

    def _set_closing(self, value: int) -> None:
        if value not in (0, 1):
            raise ModbusException(ILLEGAL_VALUE)
        self.closes = value

    def _set_idle(self, value: int) -> None:
        self.idle = value

    def trip(self, now_s: float) -> None:
        """The watchdog's time is over now, as if the wire had been silent for so long."""
        self._expires_s = now_s
        self.at(now_s)

    def power_cycle(self, now_s: float) -> None:
        """Its power went off and on: outputs off, the watchdog stopped and as delivered."""
        self._become(0, now_s, "power")
        self.state, self._expires_s, self.trigger = STOPPED, None, 0
        self.time, self.masks, self.closes, self.idle = 100, [0xFFFF, 0xFFFF], 0, 0

    # --- bits --------------------------------------------------------------------------------------------------------

    def read_coils(self, address: int, count: int) -> int:
        """Inputs below the alias, outputs from it on."""
        if address >= ALIAS:
            return super().read_coils(address, count)
        self._refuse_if_expired()
        bits = self._contact_bits()
        if address + count > self._bits:
            raise ModbusException(ILLEGAL_ADDRESS)
        return bits >> address & (1 << count) - 1

    def _contact_bits(self) -> int:
        return contact_bits(self._contacts, self._plant.contacts_at(self._now_s))

    # --- registers ---------------------------------------------------------------------------------------------------

    def read_holding(self, address: int, count: int) -> Sequence[int]:
        if address >= REGISTERS:
            return self._control(address).read(address, count)
        self._refuse_if_expired()
        words = self._output_words() if address >= ALIAS else self._input_words()
        first = address % ALIAS
        if address >= 2 * ALIAS or first + count > len(words):
            raise ModbusException(ILLEGAL_ADDRESS)
        return words[first : first + count]

    def write_registers(self, address: int, values: Sequence[int]) -> None:
        if address >= REGISTERS:
            self._control(address).write(address, values)
            return
        self._refuse_if_expired()
        first = address % ALIAS
        if address >= 2 * ALIAS or first + len(values) > len(self._output_words()):
            raise ModbusException(ILLEGAL_ADDRESS)
        count = min(16 * len(values), self.coils - 16 * first)
        self._put(16 * first, count, bits_in(values) & (1 << count) - 1)

    def _control(self, address: int) -> RegisterMap:
        mine = address in (0x1007, 0x1009) or address >= ANALOGUE_OUT
        return self._more if mine else self._map

    def _input_words(self) -> list[int]:
        words = [0] * self._analogue
        for one in self.channels.values():
            words[one.register] = one.word(self._now_s)
        return words + words_of(self._contact_bits(), self._bits)

    def _output_words(self) -> list[int]:
        return words_of(self.word, self.coils)


class WagoBFace(CouplerFace[WagoB]):
    def __init__(self, coupler: WagoB) -> None:
        super().__init__(coupler, coupler.connection())


def _items(channels: Mapping[str, Channel]) -> list[int]:
    """The terminals in which these channels could sit, in the order of their words; none where they do not fit."""
    kinds = {one.register: one.kind for one in channels.values()}
    items: list[int] = []
    place, end = 0, max(kinds, default=-1) + 1
    while place < end:
        item = TERMINAL_OF[kinds.get(place, "0-10 V")]
        items.append(item)
        place += CHANNELS[item]
    return items
