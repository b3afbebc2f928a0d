"""Requests by hand to a simulated module, and the host's conversations with it, for tests."""

from __future__ import annotations

from collections.abc import Callable, Generator

from drivers.valve_outputs import ModbusOutputs, Reply
from simulators.valve_module import ValveModule


def frame(pdu: str) -> bytes:
    """A request to unit 1, from its function code on as hexadecimal digits."""
    body = bytes.fromhex(pdu)
    return bytes.fromhex("0001 0000") + (len(body) + 1).to_bytes(2, "big") + b"\x01" + body


def ask(module: ValveModule, at_s: float, pdu: str) -> str:
    """What the module answers, from the function code on."""
    return module.hear(at_s, frame(pdu))[7:].hex(" ")


def register(module: ValveModule, at_s: float, address: str) -> int:
    """One holding register."""
    return int(ask(module, at_s, f"03 {address} 0001")[6:].replace(" ", ""), 16)


def converse(
    module: ValveModule,
    outputs: ModbusOutputs,
    *,
    at_s: float = 0.0,
    rearm: bool = True,
    trips: int | None = None,
    before: Callable[[bytes], None] | None = None,
) -> list[str]:
    """The start of the host against the module; the requests as they were on the wire, and what it returned."""
    return talk(module, outputs, outputs.start(rearm=rearm, trips=trips), at_s, before)


def zero(module: ValveModule, outputs: ModbusOutputs, at_s: float = 0.0) -> list[str]:
    """The one-shot safe word."""
    return talk(module, outputs, outputs.zero(), at_s)


def talk(
    module: ValveModule,
    outputs: ModbusOutputs,
    talk: Generator[bytes, Reply, int | None],
    at_s: float,
    before: Callable[[bytes], None] | None = None,
) -> list[str]:
    """Any conversation; `before` sees each request before the module does."""
    asked: list[str] = []
    request = next(talk)
    while True:
        asked.append(request.hex(" "))
        if before is not None:
            before(request)
        (reply,) = outputs.hear(module.hear(at_s, request))
        outputs.check(request, reply)
        try:
            request = talk.send(reply)
        except StopIteration as done:
            return [*asked, str(done.value)]
