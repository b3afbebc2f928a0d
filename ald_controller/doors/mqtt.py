"""The door far away: MQTT, operator verbs only. Losing the broker changes nothing in a run.

Topics, below `ald/<tool>/`: `status` (retained, and the will), `info`, `state/<part>` and `tele/<channel>` (retained),
`stream` (the whole Status, 5 Hz), `event` (numbered without gaps), `cmd/<user>/<verb>` in, `reply/<user>` out.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter, deque
from pathlib import Path
from typing import Any

import structlog
from pydantic_core import to_json

from ald_controller.aio import every
from ald_controller.commands import VERBS_REMOTE, Answer, Status
from ald_controller.config import Mqtt
from ald_controller.doors.desk import FRESH_S, MAX_COMMAND_BYTES, Desk
from ald_controller.link import MAX_PAYLOAD_BYTES, Broker, Incoming, Link, Subscription, read_password

SCHEMA = 1
POLL_S = 0.2
LANE_LENGTH = 8  # commands of one person and verb that wait; more are dropped and told as an event
PACE_S = 0.05  # between two commands of one person and verb
REPEAT_S = (
    10.0  # what does not change is said again: well below FRESH_S, and a stale screen can be told from a calm tool
)
TELE_LIVES_S = 60
_SLOW_S = 1.0  # tele, and the parts that change with every poll
# part -> fields of Status; `values` are the tele topics, and every part carries sequence and time
PARTS: dict[str, tuple[str, ...]] = {
    "mode": (
        "tool",
        "state",
        "latched",
        "control",
        "chamber",
        "degraded_timing",
        "valve_timing",
        "cleared",
        "not_cleared_because",
        "gate",
        "box",
    ),
    "alarms": ("alarms", "alarms_per_10_min", "bypasses", "not_guarded"),
    "safing": ("safing", "proof_test"),
    "valves": ("valves",),
    "zones": ("zones",),
    "run": ("run", "last_run"),
}
_SLOW_PARTS = frozenset({"zones", "run", "safing"})

_log = structlog.get_logger("doors.mqtt")


def broker_of(config: Mqtt) -> Broker:
    """The broker of the tool file, with the password from its file. Raises OSError."""
    password = read_password(Path(config.password_file)) if config.password_file else ""
    return Broker(config.host, config.port, config.user, password)


class MqttDoor:
    """A service task for `supervise`: `run` publishes the state and answers commands until it is cancelled.

    `connected` and `why` tell about the broker; `flooded` counts, by person, commands dropped unread.
    """

    def __init__(self, desk: Desk, broker: Broker, version: str) -> None:
        self.flooded: Counter[str] = Counter()
        self._desk = desk
        self._root = f"ald/{desk.config.tool}/"
        self._since = desk.now()
        self._version = version
        offline = _json({"online": False, "since": self._since, "version": version})
        commands = Subscription(f"{self._root}cmd/+/+")
        self._link = Link(broker, f"ald-{desk.config.tool}", [commands], self._take, (self._root + "status", offline))
        self._lanes: dict[tuple[str, str], deque[Incoming]] = {}
        self._workers: set[asyncio.Task[None]] = set()
        self._events = 0
        self._before: Status | None = None
        self._told_flooded: Counter[str] = Counter()
        self._parts: dict[str, tuple[bytes, float]] = {}  # topic -> what was said, and when (loop seconds)

    @property
    def connected(self) -> bool:
        return self._link.connected

    @property
    def why(self) -> str:
        return self._link.why

    @property
    def dropped(self) -> int:
        """Events and answers that the broker was away too long for."""
        return self._link.dropped

    def event(self, kind: str, **fields: Any) -> None:
        """Tell an event; its `seq` has no gaps, so that a listener notices a loss. Never waits."""
        self._events += 1
        told = {"seq": self._events, "since": self._since, "time": self._desk.now(), "kind": kind, **fields}
        self._link.put_event(self._root + "event", _json(told))

    async def run(self) -> None:
        """Ends only by cancellation or by a fault of its own; a command under way then runs to its answer."""
        self._put("info", _json(self._info()))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._link.run())
            group.create_task(self._speak())

    def _info(self) -> dict[str, Any]:
        config = self._desk.config
        channels = {name: value.u for name, value in self._desk.status().values.items()}
        return {
            "schema": SCHEMA, "tool": config.tool, "title": config.title, "version": self._version,
            "verbs": sorted(VERBS_REMOTE), "fresh_s": FRESH_S, "max_command_bytes": MAX_COMMAND_BYTES,
            "limits": config.limits.model_dump(), "channels": channels, "zones": sorted(config.zones),
        }  # fmt: skip

    def _put(self, topic: str, payload: bytes, **options: Any) -> None:
        if len(payload) > MAX_PAYLOAD_BYTES:
            _log.error("too long for the broker, not sent", topic=topic, bytes=len(payload))
            return
        self._link.put_state(self._root + topic, payload, **options)

    # what is said

    async def _speak(self) -> None:
        async for tick in every(POLL_S):
            status = self._desk.status()
            self._say(status, tick.due_s)

    def _say(self, status: Status, now_s: float) -> None:
        stream = _json(status)
        whole = json.loads(stream)
        head = {"sequence": status.sequence, "time": status.time}
        online = {"online": True, "since": self._since, "version": self._version}
        self._say_part("status", online, {}, now_s, 0.0)
        for part, names in PARTS.items():
            body = {name: whole[name] for name in names}
            self._say_part(f"state/{part}", body, head, now_s, _SLOW_S if part in _SLOW_PARTS else 0.0)
        for channel, value in whole["values"].items():
            body = {"v": value["v"], "u": value["u"], "q": value["q"]}
            taken = {"t": round(status.time - (value["age_s"] or 0.0), 3)}
            self._say_part(f"tele/{_level(channel)}", body, taken, now_s, _SLOW_S, qos=0, lives_s=TELE_LIVES_S)
        self._put("stream", stream, retain=False, qos=0)
        if self._link.connected:
            self._desk.published(status)
        self._tell_changes(status)
        self._tell_floods()

    def _tell_changes(self, status: Status) -> None:
        """What a listener would otherwise have to find by comparing states: transitions, trips, ends of runs."""
        before, self._before = self._before, status
        if before is None:
            return
        if (status.state, status.latched) != (before.state, before.latched):
            self.event("state", state=status.state, latched=status.latched, was=before.state)
        known = {(a.row, a.text) for a in before.alarms if a.latched}
        for alarm in status.alarms:
            if alarm.latched and (alarm.row, alarm.text) not in known:
                self.event("trip", row=alarm.row, reaction=alarm.reaction, text=alarm.text, first_out=alarm.first_out)
        ended = status.last_run
        if ended is not None and (before.last_run is None or before.last_run.run != ended.run):
            told = ended.model_dump(mode="json", include={"run", "recipe", "ending", "doses_confirmed", "doses_missed"})
            self.event("ended", **told)

    def _say_part(
        self, topic: str, body: dict[str, Any], head: dict[str, Any], now_s: float, least_s: float, **options: Any
    ) -> None:
        """Say it when it has changed, at most every `least_s`, and every REPEAT_S anyway; `head` is no change."""
        content = _json(body)
        before, said_s = self._parts.get(topic, (b"", -1e9))
        wait_s = least_s if content != before else REPEAT_S
        if now_s - said_s >= wait_s - POLL_S / 2:  # ticks are not exact
            self._parts[topic] = (content, now_s)
            self._put(topic, _json({**head, **body}), **options)

    def _tell_floods(self) -> None:
        for user, dropped in (self.flooded - self._told_flooded).items():
            self.event("flood", user=user, dropped=dropped)
        self._told_flooded = self.flooded.copy()

    # what is heard

    def _take(self, message: Incoming) -> None:
        """Put a command in its lane: one per person and verb, so that no flood keeps anybody's abort waiting."""
        user, verb = message.topic.split("/")[3:5]  # by the subscription there are exactly these levels
        known = self._desk.config.role_of(user, "mqtt") is not None
        lane = (user if known else "", verb if verb in VERBS_REMOTE else "")
        waiting = self._lanes.get(lane)
        if waiting is None:
            waiting = self._lanes[lane] = deque()
            worker = asyncio.get_running_loop().create_task(self._work(lane, waiting))
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)
        if len(waiting) >= LANE_LENGTH:
            self.flooded[lane[0]] += 1
            return
        waiting.append(message)

    async def _work(self, lane: tuple[str, str], waiting: deque[Incoming]) -> None:
        try:
            while waiting:
                message = waiting.popleft()
                user, verb = message.topic.split("/")[3:5]
                answer = await self._desk.remote(user, verb, message.payload, retained=message.retained)
                self._reply(answer, user, message)
                await asyncio.sleep(PACE_S)
        finally:
            del self._lanes[lane]

    def _reply(self, answer: Answer, user: str, message: Incoming) -> None:
        """The answer on the sender's own topic, and on its response topic if that lies below: nowhere else.

        The door may write where a sender may not, so a sender does not choose where it writes.
        """
        payload = answer.model_dump_json().encode()
        if len(payload) > MAX_PAYLOAD_BYTES:
            short = answer.model_copy(update={"data": {}, "text": f"{answer.text} (the data are too long for MQTT)"})
            payload = short.model_dump_json().encode()
        own = f"{self._root}reply/{user}"
        self._link.put_event(own, payload, correlation=message.correlation)
        asked = message.response_topic or ""
        if asked.startswith(own + "/") and len(asked) <= 256 and not re.search(r"[+#\0]", asked):
            self._link.put_event(asked, payload, correlation=message.correlation)


def _level(name: str) -> str:
    """A name as one level of a topic."""
    return re.sub(r"[/+#\0]", "_", name)


def _json(value: object) -> bytes:
    """JSON as others read it: no NaN (null), and a field that JSON does not know as its text."""
    return to_json(value, inf_nan_mode="null", fallback=str)
