"""The Modbus server core of every simulated device: requests in, replies out, as bytes, without any I/O.

A device is a `Unit`; a `ModbusServer` holds the units of one line; `tcp()` and `rtu()` give one framer per connection
or line, with the three methods of a simulator face. Source: MODBUS Application Protocol V1.1b3 and MODBUS over Serial
Line V1.02. Nothing here is shared with the clients under test, so that a wrong constant cannot agree with itself.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, DEVICE_FAILURE = 1, 2, 3, 4
BUSY, NO_GATEWAY_PATH, NO_GATEWAY_TARGET = 6, 0x0A, 0x0B

_MBAP = struct.Struct(">HHHB")
_PAIR = struct.Struct(">HH")


class ModbusException(Exception):
    """Raised by a unit to answer a request with this exception code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"Modbus exception {code:#04x}")
        self.code = code


class Unit:
    """One device behind a unit address: override what it has, the rest is answered with exception 01.

    Addresses are 0-based. Registers are unsigned 16-bit numbers, of which a read must return exactly `count`. Bits
    stand in one number, the first of them in its lowest bit. Every method may raise ModbusException. `functions` are
    the function codes that the device knows at all; `identity` the objects of function 43/14 (0 vendor, 1 product,
    2 revision …).
    """

    functions: frozenset[int] = frozenset({1, 2, 3, 4, 5, 6, 8, 15, 16, 23, 43})
    identity: Mapping[int, str] = {}

    def read_coils(self, address: int, count: int) -> int:
        raise ModbusException(ILLEGAL_FUNCTION)

    def read_discretes(self, address: int, count: int) -> int:
        raise ModbusException(ILLEGAL_FUNCTION)

    def read_holding(self, address: int, count: int) -> Sequence[int]:
        raise ModbusException(ILLEGAL_FUNCTION)

    def read_input(self, address: int, count: int) -> Sequence[int]:
        raise ModbusException(ILLEGAL_FUNCTION)

    def write_coils(self, address: int, count: int, bits: int) -> None:
        raise ModbusException(ILLEGAL_FUNCTION)

    def write_registers(self, address: int, values: Sequence[int]) -> None:
        raise ModbusException(ILLEGAL_FUNCTION)


class RegisterMap:
    """Sparse registers: address -> reader, address -> writer; a range with a hole is exception 02, whole.

    A writer may raise ModbusException(ILLEGAL_VALUE); writers before it in the same request have then acted.
    """

    def __init__(self, read: Mapping[int, Callable[[], int]], write: Mapping[int, Callable[[int], None]]) -> None:
        self._read, self._write = read, write

    def read(self, address: int, count: int) -> list[int]:
        wanted = range(address, address + count)
        if any(one not in self._read for one in wanted):
            raise ModbusException(ILLEGAL_ADDRESS)
        return [self._read[one]() & 0xFFFF for one in wanted]

    def write(self, address: int, values: Sequence[int]) -> None:
        if any(address + i not in self._write for i in range(len(values))):
            raise ModbusException(ILLEGAL_ADDRESS)
        for i, value in enumerate(values):
            self._write[address + i](value)


class ModbusServer:
    """The units of one line or one TCP host, answering protocol data units.

    `missing` is what a gateway answers for a unit that is not there: 0x0A no path, 0x0B no reply. Serial lines stay
    silent instead.
    """

    def __init__(self, units: Mapping[int, Unit], *, missing: int = NO_GATEWAY_TARGET) -> None:
        self.units = dict(units)
        self.missing = missing

    def tcp(self) -> TcpFace:
        """A framer for one TCP connection."""
        return TcpFace(self)

    def rtu(self, silence_s: float = 0.02) -> RtuFace:
        """A framer for one serial line; a gap of `silence_s` inside a frame voids it."""
        return RtuFace(self, silence_s)

    def answer(self, unit: int, pdu: bytes) -> bytes:
        """The reply to one request, both from the function code on; an exception is a reply, too."""
        device, function = self.units.get(unit), pdu[0]
        try:
            if device is None:
                raise ModbusException(self.missing)
            if function not in device.functions or function not in _FUNCTIONS:
                raise ModbusException(ILLEGAL_FUNCTION)
            return _FUNCTIONS[function](device, pdu)
        except ModbusException as refusal:
            return bytes((function | 0x80, refusal.code))
        except struct.error:  # a request that is too short for its own function
            return bytes((function | 0x80, ILLEGAL_VALUE))


@lru_cache(maxsize=1024)  # the same few are asked again and again
def _span(pdu: bytes, most: int, at: int = 1) -> tuple[int, int]:
    """Address and quantity of a request, or exception 03 for the quantity and 02 for a range past 65535."""
    address, count = _PAIR.unpack_from(pdu, at)
    if not 1 <= count <= most:
        raise ModbusException(ILLEGAL_VALUE)
    if address + count > 0x10000:
        raise ModbusException(ILLEGAL_ADDRESS)
    return address, count


def _words_reply(function: int, words: Sequence[int]) -> bytes:
    count = len(words)
    return _counted(count).pack(function, 2 * count, *words)


@cache
def _counted(count: int) -> struct.Struct:
    """A function code, how many bytes follow, and so many words."""
    return struct.Struct(f">BB{count}H")


def _words(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f">{len(data) // 2}H", data)


def _payload(pdu: bytes, at: int, size: int) -> bytes:
    """The data behind the byte count at `at`, which must be `size` bytes long."""
    if len(pdu) != at + 1 + size or pdu[at] != size:
        raise ModbusException(ILLEGAL_VALUE)
    return pdu[at + 1 :]


def _read_bits(device: Unit, pdu: bytes) -> bytes:
    read = device.read_coils if pdu[0] == 1 else device.read_discretes
    address, count = _span(pdu, 2000)
    size = (count + 7) // 8
    return bytes((pdu[0], size)) + read(address, count).to_bytes(size, "little")


def _read_words(device: Unit, pdu: bytes) -> bytes:
    read = device.read_holding if pdu[0] == 3 else device.read_input
    return _words_reply(pdu[0], read(*_span(pdu, 125)))


def _write_coil(device: Unit, pdu: bytes) -> bytes:
    address, value = _PAIR.unpack_from(pdu, 1)
    if value not in (0, 0xFF00):
        raise ModbusException(ILLEGAL_VALUE)
    device.write_coils(address, 1, int(value == 0xFF00))
    return pdu[:5]


def _write_register(device: Unit, pdu: bytes) -> bytes:
    address, value = _PAIR.unpack_from(pdu, 1)
    device.write_registers(address, [value])
    return pdu[:5]


def _diagnose(device: Unit, pdu: bytes) -> bytes:
    (sub,) = struct.unpack_from(">H", pdu, 1)
    if sub != 0:  # return query data: the one diagnostic that clients use to find a device
        raise ModbusException(ILLEGAL_FUNCTION)
    return pdu


def _write_coils(device: Unit, pdu: bytes) -> bytes:
    address, count = _span(pdu, 1968)
    filled = int.from_bytes(_payload(pdu, 5, (count + 7) // 8), "little")  # to whole bytes, with what is no coil
    device.write_coils(address, count, filled & (1 << count) - 1)
    return pdu[:5]


def _write_registers(device: Unit, pdu: bytes) -> bytes:
    address, count = _span(pdu, 123)
    device.write_registers(address, _words(_payload(pdu, 5, 2 * count)))
    return pdu[:5]


def _read_write(device: Unit, pdu: bytes) -> bytes:
    read, write = _span(pdu, 125), _span(pdu, 121, at=5)
    device.write_registers(write[0], _words(_payload(pdu, 9, 2 * write[1])))  # the write comes before the read
    return _words_reply(pdu[0], device.read_holding(*read))


def _identify(device: Unit, pdu: bytes) -> bytes:
    """Read Device Identification (43/14): 1 basic, 2 regular, 3 extended as a stream, 4 one object."""
    kind, code, first = struct.unpack_from(">BBB", pdu, 1)
    if kind != 0x0E or not device.identity:
        raise ModbusException(ILLEGAL_FUNCTION)
    if code not in (1, 2, 3, 4):
        raise ModbusException(ILLEGAL_VALUE)
    last = {1: 0x02, 2: 0x7F, 3: 0xFF, 4: first}[code]
    found = {key: text.encode("ascii") for key, text in sorted(device.identity.items()) if first <= key <= last}
    if not found:
        raise ModbusException(ILLEGAL_ADDRESS)
    return _identity_page(code, found)


def _identity_page(code: int, found: Mapping[int, bytes]) -> bytes:
    body, count, following = b"", 0, 0
    for key, text in found.items():
        if 7 + len(body) + 2 + len(text) > 253:
            following = key
            break
        body, count = body + bytes((key, len(text))) + text, count + 1
    return bytes((0x2B, 0x0E, code, 0x83, 0xFF if following else 0, following, count)) + body


_FUNCTIONS: dict[int, Callable[[Unit, bytes], bytes]] = {
    1: _read_bits,
    2: _read_bits,
    3: _read_words,
    4: _read_words,
    5: _write_coil,
    6: _write_register,
    8: _diagnose,
    15: _write_coils,
    16: _write_registers,
    23: _read_write,
    43: _identify,
}


class TcpFace:
    """Modbus/TCP framing of one connection: partial segments wait, pipelined requests are all answered, in order.

    `broken` says that the length field made no sense: the bytes that follow cannot be framed, a server closes.
    """

    mute = True

    def __init__(self, server: ModbusServer) -> None:
        self._server = server
        self._buffer = b""
        self.broken = False

    def hear(self, now_s: float, data: bytes) -> bytes:
        """Take bytes as they came and return the replies to every request that they complete."""
        buffer, replies = self._buffer + data, b""
        while len(buffer) >= 7 and not self.broken:
            transaction, protocol, length, unit = _MBAP.unpack_from(buffer)
            end = 6 + length
            if not 2 <= length <= 254:
                self.broken, buffer = True, b""
            elif len(buffer) < end:
                break
            else:
                pdu, buffer = buffer[7:end], buffer[end:]
                if protocol == 0:
                    reply = self._server.answer(unit, pdu)
                    replies += _MBAP.pack(transaction, 0, 1 + len(reply), unit) + reply
        self._buffer = buffer
        return replies

    def next_at(self) -> float | None:
        return None

    def speak(self, now_s: float) -> bytes:
        return b""


def _crc_of(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ 0xA001 if byte & 1 else byte >> 1
    return byte


_CRC_TABLE = tuple(_crc_of(byte) for byte in range(256))


@lru_cache(maxsize=1024)  # requests, and most of what they ask for, come again and again
def crc(frame: bytes) -> bytes:
    """CRC-16/MODBUS of a frame as its two bytes on the wire, low byte first."""
    value = 0xFFFF
    for byte in frame:
        value = value >> 8 ^ _CRC_TABLE[(value ^ byte) & 0xFF]
    return value.to_bytes(2, "little")


_FIXED_LENGTHS = {1: 8, 2: 8, 3: 8, 4: 8, 5: 8, 6: 8, 8: 8, 43: 7}
_COUNT_AT = {15: 6, 16: 6, 23: 10}


def _frame_length(buffer: bytes) -> int | None:
    """How long the RTU frame at the front of `buffer` is, or None while that cannot be told."""
    if len(buffer) < 4:
        return None
    function = buffer[1]
    if function in _FIXED_LENGTHS:
        return _FIXED_LENGTHS[function]
    if (at := _COUNT_AT.get(function)) is None:
        return len(buffer)  # an unknown function: the burst is the frame
    return at + 1 + buffer[at] + 2 if len(buffer) > at else None


def rtu_addressee(data: bytes) -> int | None:
    """Whose unit stands in one whole frame of RTU with a length that is known (0: everybody's); else None."""
    return data[0] if len(data) > 6 and len(data) == _FIXED_LENGTHS.get(data[1]) else None


class RtuFace:
    """Modbus RTU framing of one serial line with all its units.

    A frame that is too long in coming, has a wrong checksum or names an absent unit gets silence, as on a real line;
    unit 0 is a broadcast: every unit acts, nobody answers.
    """

    mute = True

    def __init__(self, server: ModbusServer, silence_s: float) -> None:
        self._server = server
        self._silence_s = silence_s
        self._buffer = b""
        self._heard_s = float("-inf")

    def hear(self, now_s: float, data: bytes) -> bytes:
        """Take bytes heard at `now_s` (monotonic seconds) and return the replies that they complete."""
        if self._buffer and now_s - self._heard_s > self._silence_s:
            self._buffer = b""
        self._heard_s = now_s
        buffer, replies = self._buffer + data, b""
        while buffer and (length := _frame_length(buffer)) is not None and len(buffer) >= length:
            frame, buffer = buffer[:length], buffer[length:]
            unit = frame[0]
            if unit and unit not in self._server.units:
                continue  # for another unit on this line, whose business its checksum is
            if crc(frame[:-2]) != frame[-2:]:
                buffer = b""  # no telling where the next frame begins: wait for silence
                break
            replies += self._reply(frame)
        self._buffer = buffer
        return replies

    @property
    def half_heard(self) -> bool:
        """Whether a frame has begun and not ended."""
        return bool(self._buffer)

    def _reply(self, frame: bytes) -> bytes:
        unit, pdu = frame[0], frame[1:-2]
        if unit == 0:
            for each in self._server.units:
                self._server.answer(each, pdu)
            return b""
        reply = frame[:1] + self._server.answer(unit, pdu)
        return reply + crc(reply)

    def next_at(self) -> float | None:
        return None

    def speak(self, now_s: float) -> bytes:
        return b""
