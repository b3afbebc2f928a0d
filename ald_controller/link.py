"""The one place that touches the MQTT client library: a link that is put to and never waited for.

Pinned to aiomqtt 2.5 for three of its private names, which a test watches: `_on_publish` (the library drops the reason
of a refused publish), `_disconnected` (a publish in flight must fail with the link, not at its time-out) and
`_misc_task` (a failed connect leaves it running).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import secrets
import socket
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import aiomqtt
import structlog
from paho.mqtt.client import MQTT_ERR_SUCCESS, MQTTMessageInfo
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from ald_controller.aio import uncancellable

MAX_PAYLOAD_BYTES = 262_144
MAX_EVENTS = 1000
KEEPALIVE_S = 5
FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 10.0
NO_SUBSCRIBER, REFUSED, QUOTA = 0x10, 0x80, 0x97  # MQTT 5 reason codes; 0x80 and above are failures
_DIAL_S, _ACK_S = 2.0, 5.0
_MAX_PACKET_BYTES = 2 * MAX_PAYLOAD_BYTES  # what is a little too long gets an answer, what is absurd never arrives
_NO_DELAY = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # without it 88 ms are lost per acknowledged message

T = TypeVar("T")
_log = structlog.get_logger("link")


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is, and as whom to go there."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    tls: ssl.SSLContext | None = None


def read_password(path: Path) -> str:
    """The first line of a file that others may not read. Raises OSError or, with a sentence, PermissionError."""
    with path.open(encoding="utf-8") as file:
        if os.fstat(file.fileno()).st_mode & 0o007:
            raise PermissionError(f"{path}: everybody can read or write this password file: chmod o= {path}")
        return file.readline().rstrip("\n")


@dataclass(frozen=True, slots=True)
class Subscription:
    """A filter; `retained` asks for what the broker kept, which commands never do."""

    filter: str
    retained: bool = False


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message as it came; `retained` also for a live one that was published with the flag."""

    topic: str
    payload: bytes
    retained: bool
    response_topic: str | None = None
    correlation: bytes | None = None


@dataclass(eq=False, slots=True)
class _Out:
    topic: str
    payload: bytes
    qos: int
    retain: bool
    lives_s: int | None = None
    correlation: bytes | None = None
    done: asyncio.Future[int] | None = None

    def end(self, code: int) -> None:
        if self.done is not None and not self.done.done():
            self.done.set_result(code)


class _Client(aiomqtt.Client):
    """One attempt at a connection; never used for a second one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._acks: dict[int, asyncio.Future[int]] = {}
        self._client.connect_timeout = _DIAL_S

    def _on_publish(
        self, client: Any, userdata: Any, mid: int, reason_code: ReasonCode, properties: Properties
    ) -> None:
        super()._on_publish(client, userdata, mid, reason_code, properties)
        ack = self._acks.pop(mid, None)
        if ack is not None and not ack.done():
            ack.set_result(reason_code.value)

    async def enter(self) -> None:
        """Connects; a cancellation waits until the dialling thread, which nobody can stop, has let go of the loop."""
        entering = asyncio.ensure_future(self.__aenter__())
        try:
            await asyncio.shield(entering)
        except asyncio.CancelledError:
            await uncancellable(self._give_up(entering))
            raise

    async def _give_up(self, entering: asyncio.Future[Any]) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DIAL_S + 0.5):
                while not entering.done() and self._misc_task is None:  # noqa: ASYNC110 (set by a callback of the library)
                    await asyncio.sleep(0.01)
        entering.cancel()
        await asyncio.gather(entering, return_exceptions=True)

    async def unless_lost(self, work: Awaitable[T], timeout_s: float | None = None) -> T:
        """The result of `work`; MqttError as soon as the link is lost, or when the time is over."""
        task = asyncio.ensure_future(work)
        try:
            futures: set[asyncio.Future[Any]] = {task, self._disconnected}
            await asyncio.wait(futures, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            if self._disconnected.done():
                raise aiomqtt.MqttError(f"the link is lost: {self._disconnected.exception() or 'closed'}")
            raise aiomqtt.MqttError(f"the broker has not answered for {timeout_s} s")
        finally:
            task.cancel()

    async def put(self, out: _Out) -> int:
        """The broker's reason code (0 for QoS 0). Raises MqttError when the link is lost before it is known."""
        await self.unless_lost(self._drained())
        info: MQTTMessageInfo = self._client.publish(out.topic, out.payload, out.qos, out.retain, _properties(out))
        if info.rc != MQTT_ERR_SUCCESS:
            raise aiomqtt.MqttError(f"the client library did not take the message: {info.rc}")
        if out.qos == 0:
            return 0
        ack = self._acks[info.mid] = asyncio.get_running_loop().create_future()
        return await self.unless_lost(ack, _ACK_S)

    async def _drained(self) -> None:
        """Until the library's list of outgoing packets, which has no bound, is empty: a hung broker fills it."""
        turns = 0
        while self._client.want_write():
            await asyncio.sleep(0 if turns < 5 else 0.01)
            turns += 1

    def bury(self) -> None:
        """Close the socket without a farewell, so that the broker publishes the will, and leave nothing on the loop."""
        self._client._sock_close()  # noqa: SLF001 (paho has no public way to close without waiting for the broker)
        if self._misc_task is not None:
            self._misc_task.cancel()
        for future in (self._connected, self._disconnected):
            if future.done() and not future.cancelled():
                future.exception()  # has been told already: asyncio would complain that nobody asked


def _properties(out: _Out) -> Properties | None:
    if out.lives_s is None and out.correlation is None:
        return None
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    if out.lives_s is not None:
        properties.MessageExpiryInterval = out.lives_s
    if out.correlation is not None:
        properties.CorrelationData = out.correlation
    return properties


def _straight(deliver: Callable[[Incoming], None]) -> type[asyncio.Queue[aiomqtt.Message]]:
    """A queue for the library that stores nothing: its own is unbounded, or drops what it has acknowledged."""

    class Straight(asyncio.Queue[aiomqtt.Message]):
        def put_nowait(self, item: aiomqtt.Message) -> None:
            try:
                deliver(_incoming(item))
            except Exception:  # one bad message may not end the link
                _log.exception("a message could not be taken in", topic=item.topic.value[:100])

    return Straight


def _incoming(message: aiomqtt.Message) -> Incoming:
    payload = message.payload if isinstance(message.payload, bytes) else b""
    properties = message.properties
    return Incoming(
        message.topic.value,
        payload,
        message.retain,
        getattr(properties, "ResponseTopic", None),
        getattr(properties, "CorrelationData", None),
    )


class Link:
    """Keeps a connection to the broker and sends what is put into it; putting never waits and never raises.

    A state is coalesced: only the newest value per topic waits, and retained ones are sent again after each connect.
    An event waits its turn, at most MAX_EVENTS of them; the oldest is dropped and counted. `deliver` is called on the
    loop for each message and must be quick. Any number of tasks may put; one task runs `run`.
    """

    def __init__(
        self,
        broker: Broker,
        name: str,
        subscriptions: Sequence[Subscription],
        deliver: Callable[[Incoming], None],
        will: tuple[str, bytes] | None = None,
    ) -> None:
        self.connected = False
        self.why = "not yet connected"  # why it is not connected, for a person
        self.connects = 0
        self.dropped = 0
        self.refused: dict[str, int] = {}  # topic -> the broker's reason code for refusing it
        self._broker = broker
        # The same for every attempt, so that a new connection ends a half-dead old one before its will can speak up;
        # 128 random bits, so that nobody can evict this client by taking its id.
        self._id = f"{name}-{secrets.token_hex(16)}"
        self._subscriptions = subscriptions
        self._deliver = deliver
        self._will = will
        self._kept: dict[str, _Out] = {}
        self._dirty: dict[str, _Out] = {}
        self._events: deque[_Out] = deque()
        self._wake = asyncio.Event()

    def put_state(
        self, topic: str, payload: bytes, *, retain: bool = True, qos: int = 1, lives_s: int | None = None
    ) -> None:
        """The newest value of a topic; `lives_s` is the broker's to keep it, seconds."""
        out = _Out(topic, payload, qos, retain, lives_s)
        if retain:
            self._kept[topic] = out
        self._dirty[topic] = out
        self._wake.set()

    def put_event(self, topic: str, payload: bytes, *, qos: int = 1, correlation: bytes | None = None) -> None:
        """One message in its turn, at least once, also when the link is lost meanwhile."""
        self._append(_Out(topic, payload, qos, False, None, correlation))

    async def send(self, topic: str, payload: bytes, lives_s: int | None = None) -> int:
        """Like `put_event`, but tells the broker's reason code: 0x10 nobody listens, from 0x80 refused.

        A cancelled caller takes the message back unless it is under way already.
        """
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        out = _Out(topic, payload, 1, False, lives_s, None, done)
        self._append(out)
        try:
            return await done
        finally:
            if out in self._events:
                self._events.remove(out)

    def _append(self, out: _Out) -> None:
        self._events.append(out)
        if len(self._events) > MAX_EVENTS:
            self.dropped += 1
            self._events.popleft().end(QUOTA)
        self._wake.set()

    async def run(self) -> None:
        """Connects, again and again, until it is cancelled; then the broker publishes the will."""
        loop = asyncio.get_running_loop()
        wait_s = FIRST_WAIT_S
        while True:
            started_s = loop.time()
            try:
                await self._session()
            except (aiomqtt.MqttError, OSError) as error:
                self._lost(str(error))
            if loop.time() - started_s >= LONGEST_WAIT_S:
                wait_s = FIRST_WAIT_S
            await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))  # so that a lab does not reconnect in one moment
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def _lost(self, why: str) -> None:
        if self.connected or why != self.why:
            _log.warning("no link to the broker", host=self._broker.host, port=self._broker.port, why=why)
        self.connected, self.why = False, why

    async def _session(self) -> None:
        """One connection, from dialling to its loss; raises MqttError or OSError."""
        client = self._client()
        try:
            await client.enter()
            await self._subscribe(client)
            self._dirty.update(self._kept)  # this broker may never have heard of them
            self.connected, self.why = True, ""
            self.connects += 1
            _log.info("linked to the broker", host=self._broker.host, port=self._broker.port)
            while True:
                await self._send_next(client)
        finally:
            self.connected = False
            client.bury()
            await asyncio.sleep(0)

    def _client(self) -> _Client:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 0  # a command that was sent while nobody was here must never arrive
        properties.MaximumPacketSize = _MAX_PACKET_BYTES
        will = None if self._will is None else aiomqtt.Will(self._will[0], self._will[1], qos=1, retain=True)
        return _Client(
            self._broker.host, self._broker.port, username=self._broker.user, password=self._broker.password,
            identifier=self._id, protocol=aiomqtt.ProtocolVersion.V5, will=will, timeout=5, keepalive=KEEPALIVE_S,
            clean_start=True, properties=properties, tls_context=self._broker.tls, socket_options=[_NO_DELAY],
            queue_type=_straight(self._deliver),
        )  # fmt: skip

    async def _subscribe(self, client: _Client) -> None:
        for s in self._subscriptions:
            options = SubscribeOptions(qos=1, retainAsPublished=True, retainHandling=0 if s.retained else 2)
            codes = await client.unless_lost(client.subscribe(s.filter, options=options))
            refused = [c for c in codes if (c if isinstance(c, int) else c.value) >= REFUSED]
            if refused:
                raise aiomqtt.MqttError(f"the broker refuses the subscription to {s.filter}: {refused[0]}")

    async def _send_next(self, client: _Client) -> None:
        """Sends one message, or waits until there is one."""
        if self._events:
            out = self._events[0]
            code = await client.put(out)
            if self._events and self._events[0] is out:  # it may have been pushed out while it was under way
                self._events.popleft()
        elif self._dirty:
            topic, out = next(iter(self._dirty.items()))
            code = await client.put(out)
            if self._dirty.get(topic) is out:  # a newer value may have come meanwhile
                del self._dirty[topic]
        else:
            self._wake.clear()
            await client.unless_lost(self._wake.wait())
            return
        out.end(code)
        self._note(out.topic, code)

    def _note(self, topic: str, code: int) -> None:
        if code < REFUSED:
            self.refused.pop(topic, None)
        elif self.refused.get(topic) != code:
            self.refused[topic] = code
            _log.warning("the broker refuses a message", topic=topic, code=hex(code))
