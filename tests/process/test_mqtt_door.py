"""The remote door against a real Mosquitto with the shipped access list: every refusal, every loss of a broker."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
import pytest_asyncio
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from ald_controller.aio import every
from ald_controller.client import MqttClient, NoAnswer
from ald_controller.commands import Status
from ald_controller.config import Mqtt, People
from ald_controller.doors.desk import Desk
from ald_controller.doors.mqtt import PARTS, MqttDoor, broker_of
from ald_controller.link import _Client
from tests.fake_handler import FakeHandler, make_desk, tool_config
from tests.process.mosquitto import Mosquitto

ROOT = "ald/reference/"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path)
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def handler() -> FakeHandler:
    return FakeHandler()


@pytest.fixture
def desk(handler: FakeHandler) -> Desk:
    return make_desk(handler, time.time, tool_config(operator=People(mqtt=["operator", "bob"])))


@pytest_asyncio.fixture
async def door(desk: Desk, broker: Mosquitto) -> AsyncIterator[MqttDoor]:
    door = MqttDoor(desk, broker.broker("ald-reference"), "1.2.3")
    async with running(door):
        await until(lambda: door.connected)
        yield door


@contextlib.asynccontextmanager
async def running(door: MqttDoor) -> AsyncIterator[None]:
    task = asyncio.create_task(door.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0.06)  # the pace of the last command's lane


async def until(condition: Callable[[], bool], timeout_s: float = 20) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110  (what is waited for happens in code under test, which has no events)
            await asyncio.sleep(0.02)


class Person:
    """Anybody with a password and a client of their own: sends what a script or an intruder would send."""

    def __init__(self, broker: Mosquitto, user: str, topics: tuple[str, ...] = (), retained: bool = False) -> None:
        self.user = user
        self.heard: list[tuple[str, dict[str, Any]]] = []
        settings = broker.broker(user)
        self._client = _Client(
            settings.host, settings.port, username=user, password=settings.password, timeout=3,
            protocol=aiomqtt.ProtocolVersion.V5,
        )  # fmt: skip
        self._topics = topics
        self._options = SubscribeOptions(qos=1, retainHandling=0 if retained else 2)

    async def __aenter__(self) -> Person:
        await self._client.__aenter__()
        for topic in self._topics:
            await self._client.subscribe(topic, options=self._options)
        self._task = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._client.bury()
        await asyncio.sleep(0)

    async def _listen(self) -> None:
        async for message in self._client.messages:
            assert isinstance(message.payload, bytes)
            self.heard.append((message.topic.value, json.loads(message.payload)))

    async def publish(self, topic: str, payload: bytes, retain: bool = False, response: str | None = None) -> int:
        """The broker's reason code."""
        properties = Properties(PacketTypes.PUBLISH)
        if response is not None:
            properties.ResponseTopic = response
            properties.CorrelationData = b"my number 7"
        info = self._client._client.publish(topic, payload, 1, retain, properties)
        ack = self._client._acks[info.mid] = asyncio.get_running_loop().create_future()
        return await self._client.unless_lost(ack, 5)

    async def command(self, verb: str, **envelope: Any) -> int:
        retain, response = envelope.pop("retain", False), envelope.pop("response", None)
        body = {"id": "command-0001", "expires": time.time() + 10, "args": {}} | envelope
        return await self.publish(f"{ROOT}cmd/{self.user}/{verb}", json.dumps(body).encode(), retain, response)

    def answers(self) -> list[dict[str, Any]]:
        return [body for topic, body in self.heard if topic == f"{ROOT}reply/{self.user}"]


def operator(broker: Mosquitto, *topics: str) -> Person:
    return Person(broker, "operator", (f"{ROOT}reply/operator/#", *topics))


def test_the_library_still_has_the_names_that_the_link_hooks_into():
    """When this fails, a new version of aiomqtt has come: read link.py before the pin is moved."""
    names = aiomqtt.Client.__init__.__code__.co_names
    assert {"_misc_task", "_disconnected", "_connected", "_client"} <= set(names)
    assert "on_publish" in names and "_on_publish" in names
    assert "put_nowait" in aiomqtt.Client._on_message.__code__.co_names
    assert set(PARTS["mode"]) <= set(Status.model_fields)


def test_every_field_of_the_state_is_published():
    told = {name for names in PARTS.values() for name in names} | {"sequence", "time", "values"}
    assert told == set(Status.model_fields)


async def test_a_command_is_executed_and_answered_once(door, broker, handler):
    async with operator(broker) as me:
        assert await me.command("start", args={"name": "r"}) == 0
        await until(lambda: bool(me.answers()))
        assert handler.verbs() == ["start"]
        await asyncio.sleep(0.2)
        assert [(a["id"], a["verb"], a["ok"], a["code"]) for a in me.answers()] == [
            ("command-0001", "start", True, "done")
        ]


@pytest.mark.parametrize(
    ("code", "envelope"),
    [
        ("retained", {"retain": True}),
        ("stale", {"expires": 1.0}),
        ("stale", {"expires": 4e9}),
        ("stale", {"expires": None, "seen": 10**9}),
        ("bad-request", {"expires": None}),
        ("bad-request", {"id": "x"}),
    ],
)
async def test_what_is_not_fresh_or_not_a_command_is_refused(door, broker, handler, code, envelope):
    async with operator(broker) as me:
        await me.command("abort", **envelope)
        await until(lambda: bool(me.answers()))
        assert me.answers()[0]["code"] == code
        assert handler.asked == []
        if envelope.get("retain"):
            await me.publish(f"{ROOT}cmd/operator/abort", b"", retain=True)


async def test_a_command_that_the_broker_kept_is_never_executed(broker, desk, handler):
    async with operator(broker) as me:
        await me.command("abort", retain=True)
        door = MqttDoor(desk, broker.broker("ald-reference"), "1.2.3")
        async with running(door):
            await until(lambda: door.connected)
            await me.command("status", id="command-0002")  # behind whatever the broker would have sent first
            await until(lambda: bool(me.answers()))
            assert handler.verbs() == ["status"]


async def test_a_command_that_was_sent_while_the_tool_was_away_never_arrives(broker, desk, handler):
    door = MqttDoor(desk, broker.broker("ald-reference"), "1.2.3")
    async with operator(broker) as me:
        async with running(door):
            await until(lambda: door.connected)
        assert await me.command("abort") == 0x10  # nobody listens
        async with running(door):
            await until(lambda: door.connected)
            await me.command("status", id="command-0002")
            await until(lambda: bool(me.answers()))
    assert handler.verbs() == ["status"]


async def test_a_replayed_id_gets_the_stored_answer(door, broker, handler):
    async with operator(broker) as me:
        for _ in range(3):
            await me.command("start", args={"name": "r"})
        await until(lambda: len(me.answers()) == 3)
        assert me.answers()[0] == me.answers()[1] == me.answers()[2]
        assert handler.verbs() == ["start"]


async def test_a_viewer_can_neither_send_commands_nor_read_those_of_others(door, broker, handler):
    async with Person(broker, "dashboard", (f"{ROOT}cmd/#", f"{ROOT}reply/#"), retained=True) as viewer:
        assert await viewer.command("abort") == 0x87
        assert await viewer.publish(f"{ROOT}cmd/operator/abort", b"{}") == 0x87
        assert await viewer.publish(f"{ROOT}state/mode", b"{}") == 0x87
        async with operator(broker) as me:
            await me.command("pause")
            await until(lambda: bool(me.answers()))
        await asyncio.sleep(0.1)
        assert viewer.heard == []
    assert handler.verbs() == ["pause"]


async def test_nobody_can_send_in_the_name_of_another(door, broker, handler):
    async with operator(broker) as me:
        assert await me.publish(f"{ROOT}cmd/bob/abort", b"{}") == 0x87
        assert await me.publish(f"{ROOT}reply/bob", b"{}") == 0x87
    assert handler.asked == []


@pytest.mark.parametrize("user", ["operator", None])
async def test_without_the_right_password_there_is_no_connection(broker, user):
    client = aiomqtt.Client("127.0.0.1", broker.port, username=user, password="wrong", timeout=3)
    with pytest.raises(aiomqtt.MqttError):
        async with client:
            raise AssertionError("the broker let a stranger in")
    assert client._misc_task is not None
    client._misc_task.cancel()


async def test_a_foreign_response_topic_is_ignored_and_an_own_one_is_served(door, broker):
    foreign = f"{ROOT}state/mode"
    everything = Person(broker, "operator", ("ald/reference/#",))
    async with everything as me, Person(broker, "bob", (f"{ROOT}reply/#",)) as bob:
        for n, topic in enumerate(["reply/bob", "reply/operator2/x", "reply/operator/+", "state/mode"]):
            await me.command("pause", id=f"foreign-{n}", response=ROOT + topic)
        await me.command("pause", id="own-00001", response=f"{ROOT}reply/operator/script-1")
        await until(lambda: any(topic.endswith("script-1") for topic, _ in me.heard))
        assert len(me.answers()) == 5
        assert bob.heard == []
        assert all("id" not in body for topic, body in me.heard if topic == foreign)


async def test_a_message_larger_than_a_recipe_does_not_get_past_the_broker(door, broker, handler):
    async with operator(broker) as me:
        with contextlib.suppress(aiomqtt.MqttError):
            code = await me.publish(f"{ROOT}cmd/operator/upload", b"x" * 300_000)
            assert code >= 0x80
    async with operator(broker) as me:
        await me.command("abort")
        await until(lambda: bool(me.answers()))
    assert handler.verbs() == ["abort"]
    assert door.connected


async def test_a_recipe_of_the_largest_size_goes_through(door, broker, handler):
    async with operator(broker) as me:
        await me.command("upload", args={"name": "r", "text": "x" * 262_000})
        await until(lambda: bool(me.answers()))
    assert handler.verbs() == ["upload"]


async def test_a_late_listener_finds_the_state_by_its_parts(door, broker):
    door.event("step", name="purge")
    async with Person(broker, "dashboard", ("ald/#",), retained=True) as viewer:
        await until(lambda: {topic for topic, _ in viewer.heard} >= {ROOT + "stream", ROOT + "tele/pirani.pressure_pa"})
        heard = dict(viewer.heard)
    assert heard[ROOT + "status"] == {"online": True, "since": door._since, "version": "1.2.3"}
    assert heard[ROOT + "info"]["channels"] == {"pirani.pressure_pa": "Pa"}
    assert heard[ROOT + "state/mode"]["state"] == "IDLE"
    assert {f"{ROOT}state/{part}" for part in PARTS} <= set(heard)
    assert heard[ROOT + "tele/pirani.pressure_pa"] == {"t": 1e9 - 0.1, "v": 13.3, "u": "Pa", "q": "good"}


async def test_events_are_numbered_without_gaps_and_survive_the_loss_of_the_broker(door, broker):
    topics = (ROOT + "event",)
    async with Person(broker, "dashboard", topics) as viewer:
        door.event("first")
        await until(lambda: len(viewer.heard) == 1)
    broker.kill()
    await until(lambda: not door.connected)
    for n in range(3):
        door.event("away", n=n, odd=float("nan"))
    broker.start()
    async with Person(broker, "dashboard", topics) as viewer:
        await until(lambda: door.connected)
        door.event("last")
        await until(lambda: bool(viewer.heard) and viewer.heard[-1][1]["kind"] == "last")
        # a broker without persistence may forget what came before this listener did, never what comes after
        numbers = [body["seq"] for _, body in viewer.heard]
    assert numbers == list(range(numbers[0], 6))
    assert door.dropped == 0


async def test_the_will_speaks_when_the_controller_is_gone(broker, desk):
    door = MqttDoor(desk, broker.broker("ald-reference"), "1.2.3")
    async with Person(broker, "dashboard", (ROOT + "status",)) as viewer:
        async with running(door):
            await until(lambda: bool(viewer.heard))
        await until(lambda: len(viewer.heard) == 2)
        assert [body["online"] for _, body in viewer.heard] == [True, False]


async def test_the_door_comes_back_after_the_broker_and_answers(door, broker, handler):
    broker.kill()
    await until(lambda: not door.connected)
    assert door.why
    broker.start()
    await until(lambda: door.connected)
    async with operator(broker) as me:
        await me.command("abort")
        await until(lambda: bool(me.answers()))
    async with Person(broker, "dashboard", (ROOT + "state/mode",), retained=True) as viewer:
        await until(lambda: bool(viewer.heard))  # said again to a broker that had forgotten it


async def test_a_hung_broker_keeps_nothing_waiting_and_is_noticed(door, broker):
    """The loop's tick is the guard's: whatever hangs at the broker's end may not be seen in it."""
    late_s, cost_s = [], []
    loop = asyncio.get_running_loop()
    broker.hang()
    async with asyncio.timeout(30):
        async for tick in every(0.01):
            began_s = loop.time()
            door.event("tick", n=tick.number, ballast="x" * 2000)
            cost_s.append(loop.time() - began_s)
            late_s.append(tick.late_s)
            if not door.connected and tick.number > 100:
                break
    broker.go_on()
    # medians: a busy test machine makes single ticks late by itself, a blocking link makes nearly all of them late
    assert sorted(late_s)[len(late_s) // 2] < 0.05
    assert sorted(cost_s)[len(cost_s) // 2] < 0.002
    assert len(door._link._events) <= 1000
    await until(lambda: door.connected)


async def test_an_ending_controller_does_not_wait_for_a_hung_broker(broker, desk):
    door = MqttDoor(desk, broker.broker("ald-reference"), "1.2.3")
    loop = asyncio.get_running_loop()
    async with running(door):
        await until(lambda: door.connected)
        broker.hang()
        began_s = loop.time()
    assert loop.time() - began_s < 2
    async with running(door):  # dialling a broker that is mute
        await asyncio.sleep(0.3)
        began_s = loop.time()
    assert loop.time() - began_s < 3
    broker.go_on()


async def test_a_flood_is_bounded_told_and_keeps_no_abort_waiting(door, broker, handler):
    handler.delay_s = 0.02
    async with operator(broker, ROOT + "event") as me, Person(broker, "bob", (f"{ROOT}reply/bob",)) as bob:
        flood = asyncio.create_task(flood_of(me, 1500))
        await until(lambda: bool(handler.asked))
        began_s = asyncio.get_running_loop().time()
        await bob.command("abort")
        await until(lambda: bool(bob.answers()))
        waited_s = asyncio.get_running_loop().time() - began_s
        await flood
        await until(lambda: any(body.get("kind") == "flood" for _, body in me.heard))
    assert handler.verbs().count("pause") < 1500
    assert door.flooded["operator"] > 0
    assert bob.answers()[0]["ok"]
    assert waited_s < 5
    assert len(door._lanes) <= 2


async def flood_of(me: Person, count: int) -> None:
    for n in range(count):
        body = {"id": f"flood-{n:05}", "expires": time.time() + 10}
        me._client._client.publish(f"{ROOT}cmd/operator/pause", json.dumps(body).encode(), 1)
        if n % 20 == 0:
            await asyncio.sleep(0)


async def test_two_doors_of_one_user_do_not_throw_each_other_out(door, broker):
    """The broker gives a client id to whoever comes last, so nobody may be able to guess the controller's."""
    async with Person(broker, "ald-reference"), Person(broker, "operator"), Person(broker, "operator"):
        await asyncio.sleep(0.3)
        assert door.connected
        assert door._link.connects == 1


async def test_the_client_asks_and_sees_the_state(door, broker, handler):
    async with MqttClient(broker.broker("operator"), "reference") as tool:
        answer = await tool.ask("start", {"name": "r"})
        assert (answer.ok, answer.text) == (True, "start for operator")
        seen = []
        states = tool.states()
        async for status in states:
            seen.append(status.sequence)
            if len(seen) == 3:
                break
        await states.aclose()
        assert seen == sorted(set(seen))
        assert tool.online is True
        assert (await tool.ask("pause", seen=10**9)).code == "stale"


async def test_the_client_asks_again_when_the_answer_is_lost_and_nothing_happens_twice(
    door, broker, handler, monkeypatch
):
    monkeypatch.setattr("ald_controller.client._ANSWER_S", 0.3)
    lost = []

    def lose_first(topic: str, payload: bytes, **options: Any) -> None:
        if lost:
            return put(topic, payload, **options)
        lost.append(topic)
        return None

    async with MqttClient(broker.broker("operator"), "reference") as tool:
        await tool.ask("status")
        put = door._link.put_event
        monkeypatch.setattr(door._link, "put_event", lose_first)
        assert (await tool.ask("start", {"name": "r"})).ok
    assert lost == [ROOT + "reply/operator"]
    assert handler.verbs() == ["status", "start"]


async def test_the_client_says_who_does_not_answer(broker, desk):
    async with MqttClient(broker.broker("operator"), "reference") as tool:
        with pytest.raises(NoAnswer, match="no state of the tool has come in"):
            await tool.ask("abort", timeout_s=0.3)
        with pytest.raises(NoAnswer, match="nobody listens behind the broker"):
            await tool.ask("abort", timeout_s=0.5, seen=1)
    async with running(door := MqttDoor(desk, broker.broker("ald-reference"), "1.2.3")):
        await until(lambda: door.connected)
        async with MqttClient(broker.broker("dashboard"), "reference") as tool:
            with pytest.raises(NoAnswer, match="does not let dashboard send 'abort'"):
                await tool.ask("abort", timeout_s=5)
    broker.kill()
    async with MqttClient(broker.broker("operator"), "reference") as tool:
        with pytest.raises(NoAnswer, match="no link to the broker"):
            await tool.ask("abort", timeout_s=0.5, seen=1)


def test_a_password_that_everybody_can_read_is_refused(tmp_path):
    file = tmp_path / "password"
    file.write_text("secret\n")
    file.chmod(0o644)
    config = Mqtt(host="127.0.0.1", user="ald-reference", password_file=str(file))
    with pytest.raises(PermissionError, match="chmod o="):
        broker_of(config)
    file.chmod(0o640)
    assert broker_of(config).password == "secret"
    assert "secret" not in repr(broker_of(config))
