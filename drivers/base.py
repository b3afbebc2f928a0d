"""What every driver shares: readings that know their age, and the four ways in which a device fails."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from msgspec import Struct

SHOWN = 300  # bytes of a message in the text of an error: a whole frame of Modbus


class Reading(Struct, frozen=True, gc=False):
    """One measured value in a fixed unit, with the loop time in seconds at which its reply was complete.

    `flags` are the device's own status words (`OPL`, `HLD`, `sensor break` …); an empty tuple is a clean reading.
    """

    value: float
    at_s: float
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Identity:
    """Who answers at this address: compared with the configuration before a device counts as present."""

    model: str
    serial: str = ""
    firmware: str = ""
    facts: dict[str, str] = field(default_factory=dict)


class DriverError(Exception):
    """A device did not do what was asked: names the device, the request and what came back."""

    def __init__(self, device: str, what: str, request: bytes = b"", reply: bytes = b"") -> None:
        self.device, self.what, self.request, self.reply = device, what, request, reply
        sent = f"; sent {_begin(request)}" if request else ""
        got = f"; got {_begin(reply)}" if reply else ""
        super().__init__(f"{device}: {what}{sent}{got}")


def _begin(data: bytes) -> str:
    """Bytes as they are shown to a person: a line that talks on and on has thousands of them."""
    return repr(data) if len(data) <= SHOWN else f"{data[:SHOWN]!r} and {len(data) - SHOWN} bytes more"


class NoReply(DriverError):
    """Nothing whole came back within the device's time-out, or the line is gone."""


class BadReply(DriverError):
    """Something came back that is not an answer to this request: wrong unit, function, length, checksum or syntax."""


class Refused(DriverError):
    """The device understood and said no, or a value read back differs from the one written."""


class DeviceFault(DriverError):
    """The device answers and reports itself broken: open sensor, tripped watchdog, hardware fault."""


class Device(Protocol):
    """Every device: who it is, all its channels in one go, and its own safe state.

    `poll` returns a Reading per channel; the channel's name carries the unit (`flow_sccm`, `pressure_pa`,
    `temperature_c`). Raises DriverError; never returns a partial or invented value.
    """

    name: str

    async def identify(self) -> Identity: ...

    async def poll(self) -> dict[str, Reading]: ...

    async def safe(self) -> None: ...


class FlowController(Device, Protocol):
    """A mass-flow controller; channels `flow_sccm`, `setpoint_sccm` at least."""

    async def set_flow(self, sccm: float) -> None:
        """Move to a set-point in sccm (the reference condition of the configuration); read back. Raises Refused."""
        ...


class Heater(Device, Protocol):
    """A temperature loop; channels `temperature_c`, `working_setpoint_c`, `output_percent` at least.

    `holds_on`: whether it goes on with its last set-point for ever when nobody asks any more. One that does so has to
    be cut by a contactor where lithium may lie.
    """

    holds_on: ClassVar[bool]

    async def follow(self, setpoint_c: float | None) -> None:
        """Refresh the volatile remote set-point in °C; None goes to the device's own safe local set-point."""
        ...


class Outputs(Device, Protocol):
    """Digital outputs by name, written and read back; channels are whatever the configuration wires."""

    async def set_output(self, name: str, on: bool) -> None: ...
