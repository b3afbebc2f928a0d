"""Frames of a serial Modbus line, as the tests write them: neither the drivers' checksum nor the simulators'."""

from __future__ import annotations


def crc(frame: bytes) -> bytes:
    """The frame with its checksum behind it."""
    value = 0xFFFF
    for byte in frame:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return frame + value.to_bytes(2, "little")
