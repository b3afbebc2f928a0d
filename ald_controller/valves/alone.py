"""The safe word by whoever is left: zeros over a connection of its own, written once, and read back.

For the daemon after its valve process is reaped, and for `ald safe` when both are gone. Synchronous, standard library
only. It arms nothing and resets nothing: a tripped watchdog stays tripped.
"""

from __future__ import annotations

import select
from time import monotonic_ns

from ald_controller.valves.lock import LOCK_LOOK_S, LOCK_S, Lock
from ald_controller.valves.wire import ValveError
from drivers.valve_outputs import Connection, ModbusOutputs, OutputsFault, Reply

ALONE_S = 1.0
ANSWER_S = 0.5  # then another connection is tried: the module may have room for one only, and the last has just died
RETRY_S = 0.05

_S = 1_000_000_000


class Unconfirmed(ValveError):
    """Nobody can say that the outputs are zero."""


def write_safe(host: str, port: int, outputs: ModbusOutputs, within_s: float = ALONE_S) -> None:
    """Write zeros and read them back, again and again until they are confirmed or `within_s` s, 0.5 or more, are over.

    `host` is numeric. The caller holds the lock. Raises Unconfirmed.
    """
    end_ns = monotonic_ns() + round(within_s * _S)
    while True:
        try:
            return _once(host, port, outputs, monotonic_ns() + round(ANSWER_S * _S))
        except (OSError, OutputsFault) as error:
            what = str(error.strerror if isinstance(error, OSError) and error.strerror else error)
        if monotonic_ns() + (RETRY_S + ANSWER_S) * _S > end_ns:  # an answer cut short would tell nothing new
            raise Unconfirmed(f"the safe word is not confirmed ({what}); {what_closes(armed=outputs.armed)}")
        select.select((), (), (), RETRY_S)


def what_closes(*, armed: bool) -> str:
    """What shuts the valves when nobody confirms that they are shut."""
    if armed:
        return "the module's watchdog closes alone"
    return (
        "the module's watchdog is not armed over the wire, only its owner has tested it: "
        "look at the valves, and take their supply away with the emergency stop"
    )


def wait_for(lock: Lock) -> bool:
    """Take the lock, waiting as long as a valve process needs that has lost its daemon; no when somebody keeps it."""
    end_ns = monotonic_ns() + round(LOCK_S * _S)
    while not lock.take():
        if monotonic_ns() >= end_ns:
            return False
        select.select((), (), (), LOCK_LOOK_S)
    return True


def _once(host: str, port: int, outputs: ModbusOutputs, until_ns: int) -> None:
    """One connection, one conversation; raises OSError or OutputsFault."""
    outputs.forget()
    connection = Connection(host, port)
    try:
        _ready(connection, until_ns, f"no connection to {host}:{port}", to_write=True)
        connection.stands()
        talk = outputs.zero()
        request = next(talk)
        while True:
            connection.send(request)
            reply = _reply(connection, outputs, until_ns)
            if reply.transaction != outputs.transaction:
                raise OutputsFault(f"answer {reply.transaction} came to request {outputs.transaction}")
            outputs.check(request, reply)
            try:
                request = talk.send(reply)
            except StopIteration:
                return
    finally:
        connection.abort()


def _reply(connection: Connection, outputs: ModbusOutputs, until_ns: int) -> Reply:
    while True:
        _ready(connection, until_ns, "no whole answer")
        if replies := outputs.hear(connection.receive()):
            return replies[0]


def _ready(connection: Connection, until_ns: int, else_: str, *, to_write: bool = False) -> None:
    """Wait until the connection can be read, or written; raises OSError when it is too late."""
    left_s = max(0.0, (until_ns - monotonic_ns()) / _S)
    readers, writers = ((), (connection,)) if to_write else ((connection,), ())
    if not any(select.select(readers, writers, (), left_s)) or monotonic_ns() >= until_ns:
        raise OSError(f"{else_} within {ANSWER_S:g} s")
