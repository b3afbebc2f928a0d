"""The remote door from the other side, for scripts and dashboards: ask, and see the state. No clock is compared.

async with MqttClient(Broker("127.0.0.1", 1883, "operator", "secret"), "reference") as tool:
    print((await tool.ask("start", {"name": "al2o3"})).text)
    async for status in tool.states():
        print(status.state)
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self

from pydantic import ValidationError

from ald_controller.commands import Answer, Status
from ald_controller.doorbell import LocalClient, NoDoor
from ald_controller.link import NO_SUBSCRIBER, REFUSED, Broker, Incoming, Link, Subscription, read_password

__all__ = ["Broker", "LocalClient", "MqttClient", "NoAnswer", "NoDoor", "read_password"]

_ANSWER_S = 3.0  # then the same command goes out again: by its id it is executed once, whatever was lost
_TAKEN = "the broker took it, so the tool may have executed it"


class NoAnswer(Exception):
    """The command has no answer. The sentence says how far it is known to have come."""


class MqttClient:
    """One tool, seen through a broker; use as an asynchronous context manager.

    The user's name is the broker user's, which the broker has authenticated.
    """

    def __init__(self, broker: Broker, tool: str) -> None:
        self.tool = tool
        self.online: bool | None = None  # what the tool, or its will, has said last; None before that
        self._root = f"ald/{tool}/"
        self._reply = f"{self._root}reply/{broker.user}"
        self._user = broker.user
        topics = [
            Subscription(self._root + "stream"),
            Subscription(self._reply),
            Subscription(self._root + "status", True),
        ]
        self._link = Link(broker, f"ald-client-{broker.user}", topics, self._take)
        self._status: Status | None = None
        self._heard_s = -1e9  # when the newest state came, loop seconds
        self._readers: set[asyncio.Queue[Status]] = set()
        self._waiting: dict[str, asyncio.Future[Answer]] = {}
        self._how_far: dict[str, str] = {}  # id -> how far the command has come, for a person
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._link.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def ask(
        self, verb: str, args: dict[str, Any] | None = None, timeout_s: float = 15.0, seen: int | None = None
    ) -> Answer:
        """The tool's one answer, yes or no, to a command that is executed at most once. Raises NoAnswer.

        The command is fresh by a state that has just come in, so the clocks need not agree; a page gives in `seen`
        the sequence of the state that its person has looked at.
        """
        id = secrets.token_hex(16)
        waiting = self._waiting[id] = asyncio.get_running_loop().create_future()
        self._how_far[id] = "nothing was sent, for no state of the tool has come in"
        try:
            async with asyncio.timeout(timeout_s):
                return await self._ask(id, verb, {"args": args or {}, "seen": seen}, waiting)
        except TimeoutError:
            link = "" if self._link.connected else f"; there is no link to the broker: {self._link.why}"
            text = f"'{verb}' to {self.tool}: no answer in {timeout_s} s; {self._how_far[id]}{link}"
            raise NoAnswer(text) from None
        finally:
            del self._waiting[id], self._how_far[id]

    async def _ask(self, id: str, verb: str, command: dict[str, Any], waiting: asyncio.Future[Answer]) -> Answer:
        if command["seen"] is None:
            command["seen"] = (await self._fresh()).sequence
        payload = json.dumps({"id": id, **command}, ensure_ascii=False).encode()
        while not waiting.done():
            if self._how_far[id] != _TAKEN:
                self._how_far[id] = "it waits for the link, and is given up now"
            code = await self._link.send(f"{self._root}cmd/{self._user}/{verb}", payload, lives_s=30)
            if code >= REFUSED:
                text = f"the broker does not let {self._user} send '{verb}' to {self.tool} (reason {code:#x})"
                raise NoAnswer(text)
            if code != NO_SUBSCRIBER:
                self._how_far[id] = _TAKEN
            elif self._how_far[id] != _TAKEN:
                self._how_far[id] = "the tool has not had it: nobody listens behind the broker"
            await asyncio.wait({waiting}, timeout=_ANSWER_S)
        return waiting.result()

    async def _fresh(self) -> Status:
        """A state that has come in within the last seconds, or the next that comes."""
        if self._status is not None and asyncio.get_running_loop().time() - self._heard_s < _ANSWER_S:
            return self._status
        queue = self._reader()
        try:
            return await queue.get()
        finally:
            self._readers.discard(queue)

    def _reader(self) -> asyncio.Queue[Status]:
        queue: asyncio.Queue[Status] = asyncio.Queue(maxsize=1)
        self._readers.add(queue)
        return queue

    async def states(self) -> AsyncIterator[Status]:
        """The state of the tool as it changes, from the next one on; a slow reader gets the newest only."""
        queue = self._reader()
        try:
            while True:
                yield await queue.get()
        finally:
            self._readers.discard(queue)

    def _take(self, message: Incoming) -> None:
        try:
            if message.topic == self._reply:
                self._answered(Answer.model_validate_json(message.payload))
            elif message.topic == self._root + "status":
                self.online = json.loads(message.payload)["online"] is True
            else:
                self._seen(Status.model_validate_json(message.payload))
        except (ValidationError, ValueError, KeyError, TypeError) as error:
            raise NoAnswer(f"{message.topic}: this tool speaks another version of the protocol: {error}") from error

    def _answered(self, answer: Answer) -> None:
        waiting = self._waiting.get(answer.id or "")
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def _seen(self, status: Status) -> None:
        self._status, self._heard_s = status, asyncio.get_running_loop().time()
        for queue in self._readers:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(status)
