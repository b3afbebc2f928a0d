"""The part of every door that knows no transport: who may do what, what is fresh, and one answer per request."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import structlog
from pydantic import ValidationError

from ald_controller.commands import (
    NAME_PATTERN,
    REQUEST,
    ROW_PATTERN,
    VERBS_ALWAYS,
    VERBS_OWNER,
    VERBS_REMOTE,
    VERBS_REMOTE_ENABLED,
    VERBS_VIEWER,
    Answer,
    Command,
    Principal,
    Reply,
    Request,
    Status,
)
from ald_controller.config import ToolConfig

MAX_COMMAND_BYTES = 262_144
FRESH_S = 30.0  # a command lives no longer; the same figure for `expires` and for `seen`

_log = structlog.get_logger("doors")


class Handler(Protocol):
    """What stands behind the doors: executes one request whose sender has the right to it, and shows the state.

    `status().sequence` grows with every change, never shrinks, and does not repeat within a boot.
    """

    async def handle(self, request: Request, who: Principal) -> Reply: ...

    def status(self) -> Status: ...


class Audit(Protocol):
    """Keeps every request that could change something with its reply, and knows the reply by person and id again.

    `command` replaces what it kept of this id before and returns at once; `settle` returns when all of it is durable.
    `answer_to` says None for a new id, and refuses one that comes back with another request.
    """

    def answer_to(self, who: Principal, id: str, request: Request) -> Reply | None: ...

    def command(self, who: Principal, id: str | None, request: Request, reply: Reply) -> None: ...

    async def settle(self) -> None: ...


class AuditInMemory:
    """The newest `limit` answers, for as long as the process lives; keeps no list of what had no id."""

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._kept: OrderedDict[tuple[str, str], tuple[Request, Reply]] = OrderedDict()

    def answer_to(self, who: Principal, id: str, request: Request) -> Reply | None:
        asked, reply = self._kept.get((who.name, id), (request, None))
        if asked != request:
            return Reply(ok=False, code="id-used", text="this id was used for another command; take a new one")
        return reply

    def command(self, who: Principal, id: str | None, request: Request, reply: Reply) -> None:
        if id is not None:
            self._kept[who.name, id] = (request, reply)
        while len(self._kept) > self._limit:
            self._kept.popitem(last=False)

    async def settle(self) -> None:
        return None


class Refusal(Exception):
    """A request that goes no further: a stable code, a sentence for the person, and data for a script."""

    def __init__(self, code: str, text: str, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(text)
        self.reply = Reply(ok=False, code=code, text=text, data=dict(data or {}))


def parse(raw: bytes | dict[str, Any]) -> Request:
    """The request in a JSON text or in a mapping; raises Refusal `bad-request` or `unknown-verb` with all problems."""
    try:
        return REQUEST.validate_json(raw) if isinstance(raw, bytes) else REQUEST.validate_python(raw)
    except ValidationError as error:
        unknown = any(e["type"] == "union_tag_invalid" for e in error.errors())
        raise Refusal("unknown-verb" if unknown else "bad-request", problems(error)) from None


# What a person can do about it, by pydantic's kind of error; `got` is bounded.
_WORDS = {
    "missing": "'{field}' is missing",
    "extra_forbidden": "there is no '{field}' here",
    "string_pattern_mismatch": "{got} does not have the form {pattern}",
    "string_too_short": "{got} is too short: write {min_length} characters or more",
    "string_too_long": "{got} is too long: write {max_length} characters at most",
    "greater_than": "{got} is too small: above {gt:g} is expected",
    "greater_than_equal": "{got} is too small: {ge:g} or more is expected",
    "less_than": "{got} is too much: below {lt:g} is expected",
    "less_than_equal": "{got} is too much: {le:g} at most is expected",
    "finite_number": "{got} is no number to count with",
    "float_parsing": "{got} is no number",
    "float_type": "{got} is no number",
    "int_parsing": "{got} is no whole number",
    "int_type": "{got} is no whole number",
    "string_type": "{got} is no text",
    "literal_error": "{got} is not known here: {expected} is expected",
    "too_long": "too many: {max_length} at most are expected",
}  # fmt: skip
_FORMS = {
    ROW_PATTERN: "{got} is no row: write one of T, C, G, K and a number, for example G1 (`ald interlocks` lists them)",
    NAME_PATTERN: "{got} is no name: write up to 64 letters, digits, '_', '.' and '-', without spaces",
}


def problems(error: ValidationError) -> str:
    """All that is wrong, in one line and bounded: what a sender wrote is not echoed at its full length."""
    lines = []
    for e in error.errors(include_url=False)[:10]:
        where = ".".join(str(part)[:64] for part in e["loc"])
        text = _words(e["type"], e.get("input"), e.get("ctx", {}), str(e["loc"][-1:] and e["loc"][-1]), e["msg"])[:300]
        lines.append(f"{where}: {text}" if where else text)
    return "; ".join(lines)


def _words(kind: str, got: object, context: Mapping[str, Any], field: str, else_: str) -> str:
    """One mistake as a person can act on it; pydantic's own words for a kind that needs no others."""
    if isinstance(got, float) and not math.isfinite(got):
        kind = "finite_number"
    text = _FORMS.get(str(context.get("pattern")), _WORDS.get(kind, ""))
    shown = repr(got if not isinstance(got, str) else got[:64])[:70]
    return text.format(**context, got=shown, field=field[:64]) if text else else_


def authorise(who: Principal, request: Request, status: Status) -> None:
    """Raises Refusal unless this person may make this request at this door now. The rights are those of commands.py."""
    verb = request.verb
    if who.door == "mqtt" and verb not in VERBS_REMOTE:
        raise Refusal("not-remote", f"'{verb}' is not a verb of the remote door; use `ald {verb}` at the tool")
    if verb in VERBS_OWNER and who.role != "owner":
        raise Refusal("forbidden", f"{who.name} is no owner of this tool; '{verb}' needs one")
    if verb not in VERBS_VIEWER and who.role == "viewer":
        raise Refusal("forbidden", f"{who.name} is a viewer; '{verb}' needs an operator")
    if who.door == "mqtt" and verb in VERBS_REMOTE_ENABLED and status.control != "REMOTE":
        text = f"'{verb}' from the remote door needs 'remote enabled' at the tool, and control is {status.control}"
        raise Refusal("remote-disabled", text)


@dataclass(frozen=True, slots=True)
class _Act:
    """The newest act of a person that changed something, and the state sequence just before it."""

    sequence: int
    who: str
    verb: str


class Freshness:
    """Which commands are fresh: judged on the tool's clock and the tool's own state sequence, never on the sender's."""

    def __init__(self) -> None:
        self._published: deque[tuple[float, int]] = deque()
        self._act: _Act | None = None

    def published(self, sequence: int, now_s: float) -> None:
        """A state message with this sequence went out at `now_s`, unix seconds."""
        self._published.append((now_s, sequence))
        while self._published and not _newer(self._published[0][0], now_s):
            self._published.popleft()

    def acted(self, sequence: int, who: str, verb: str) -> None:
        self._act = _Act(sequence, who, verb)

    def check(self, command: Command, verb: str, who: str, now_s: float) -> None:
        """Raises Refusal `stale` or, for a state that somebody else has changed since, `state-changed`."""
        if command.expires is None and command.seen is None:
            raise Refusal("bad-request", "a command needs 'expires' or 'seen': without one it could be of any age")
        if command.expires is not None:
            self._expires(command.expires, now_s)
        if command.seen is not None:
            self._seen(command.seen, verb, who, now_s)

    def _expires(self, expires: float, now_s: float) -> None:
        left_s = expires - now_s
        if left_s <= 0:
            text = f"this command expired {-left_s:.1f} s ago on the tool's clock"
            raise Refusal("stale", text, {"time": now_s})
        if left_s > FRESH_S:
            text = f"'expires' lies {left_s:.1f} s ahead on the tool's clock; at most {FRESH_S:.0f} s are allowed"
            raise Refusal("stale", text, {"time": now_s})

    def _seen(self, seen: int, verb: str, who: str, now_s: float) -> None:
        fresh = any(sequence == seen and _newer(at_s, now_s) for at_s, sequence in self._published)
        if not fresh:
            text = f"no state message {seen} was published in the last {FRESH_S:.0f} s: look at the tool and send again"
            raise Refusal("stale", text, {"time": now_s})
        act = self._act
        if act and verb not in VERBS_ALWAYS and act.who != who and seen <= act.sequence:
            text = f"{act.who} has sent '{act.verb}' since the state that you saw: look at the tool and send again"
            raise Refusal("state-changed", text)


def _newer(at_s: float, now_s: float) -> bool:
    """Whether this was less than FRESH_S ago; what lies ahead was said before the clock was set back: nobody knows."""
    return 0.0 <= now_s - at_s < FRESH_S


class Desk:
    """Every door brings its requests here and takes the answers away.

    `now` gives unix seconds on the tool's clock. `refused` counts refusals by code.
    """

    def __init__(self, handler: Handler, config: ToolConfig, audit: Audit, now: Callable[[], float]) -> None:
        self.config = config
        self.refused: Counter[str] = Counter()
        self._handler = handler
        self._audit = audit
        self._now = now
        self._fresh = Freshness()

    def now(self) -> float:
        return self._now()

    def status(self) -> Status:
        return self._handler.status()

    def published(self, status: Status) -> None:
        """A door has sent this state to people far away: they may name its sequence as `seen` for 30 s."""
        self._fresh.published(status.sequence, self._now())

    def admit(self, request: Request, who: Principal) -> Reply | None:
        """None when this person may make this request now, else the refusal, counted and audited."""
        try:
            authorise(who, request, self._handler.status())
        except Refusal as refusal:
            return self.refuse(who, request, refusal.reply)
        return None

    async def ask(self, request: Request, who: Principal) -> Reply:
        """The reply to one request of a proved person. A fault of the handler is logged and becomes `internal`."""
        return self.admit(request, who) or await self._execute(request, who, None)

    def refuse(self, who: Principal | None, request: Request | None, reply: Reply, id: str | None = None) -> Reply:
        """Counts, logs and audits a refusal; None for nobody with a role, and for what is not a request."""
        self.refused[reply.code] += 1
        name, door = (who.name, who.door) if who else ("nobody", "")
        _log.warning("refused", code=reply.code, why=reply.text, who=name, door=door)
        return self._audited(who, id, request, reply) if who and request else reply

    async def _execute(self, request: Request, who: Principal, id: str | None) -> Reply:
        before = self._handler.status().sequence
        try:
            reply = await self._handler.handle(request, who)
        except Exception as error:  # a door outlives whatever a request breaks; the tool's own guards stop the tool
            _log.exception("a request broke the handler", verb=request.verb, who=who.name)
            reply = Reply(ok=False, code="internal", text=f"'{request.verb}' failed inside the controller: {error!r}")
        if reply.ok and request.verb not in VERBS_VIEWER:
            self._fresh.acted(before, who.name, request.verb)
        return self._audited(who, id, request, reply)

    def _audited(self, who: Principal, id: str | None, request: Request, reply: Reply) -> Reply:
        if request.verb in VERBS_VIEWER:
            return reply
        try:
            self._audit.command(who, id, request, reply)
        except Exception as error:  # what was done is done: the person is told that it is not on record
            _log.exception("the audit could not be written", who=who.name)
            return reply.model_copy(update={"text": f"{reply.text} (not in the audit: {error})"})
        return reply

    async def remote(self, user: str, verb: str, payload: bytes, *, retained: bool) -> Answer:
        """The one answer to a command from the remote door; `user` is what the broker has authenticated.

        Raises nothing. An id that was answered before gets that answer again and is not executed again; answers to
        verbs that only read are not kept.
        """
        who = principal(self.config, user, "mqtt")
        if who is None:
            text = f"{user} has no role at this tool; the owner gives one in the tool file under people"
            return _answer(self.refuse(None, None, Refusal("unknown-person", text).reply), None, verb)
        command = None
        try:
            command = _command(payload, retained)
            request = _request(command, verb)
        except Refusal as refusal:
            return _answer(self.refuse(who, None, refusal.reply), command.id if command else None, verb)
        return _answer(await self._once(command, request, who), command.id, verb)

    async def _once(self, command: Command, request: Request, who: Principal) -> Reply:
        """The stored reply to this id, or the one that it gets now."""
        stored = self._audit.answer_to(who, command.id, request)
        if stored is not None:
            self.refused["replayed"] += 1
            return stored
        try:
            self._fresh.check(command, request.verb, who.name, self._now())
            authorise(who, request, self._handler.status())
            if request.verb not in VERBS_VIEWER:
                await self._claim(command.id, request, who)
        except Refusal as refusal:
            return self.refuse(who, request, refusal.reply, command.id)
        return await self._execute(request, who, command.id)

    async def _claim(self, id: str, request: Request, who: Principal) -> None:
        """On record before it is executed, so that not even a restart in between can execute it twice.

        Pause, stop and abort wait for no disk and are executed without one: twice does no harm, never does.
        """
        text = f"'{request.verb}' was taken, but its outcome is not known: under way still, or cut off by a restart"
        try:
            self._audit.command(who, id, request, Reply(ok=False, code="under-way", text=text))
            if request.verb not in VERBS_ALWAYS:
                await self._audit.settle()
        except Exception as error:
            if request.verb in VERBS_ALWAYS:
                _log.warning("a command could not be put on record", verb=request.verb, error=str(error))
                return
            text = f"'{request.verb}' cannot be put on record, so it is not executed: {error}"
            raise Refusal("no-record", text) from error


def _command(payload: bytes, retained: bool) -> Command:
    """The envelope of a remote command; raises Refusal."""
    if retained:
        text = "a retained message is not a command: it would be sent again to every later subscriber; clear the flag"
        raise Refusal("retained", text)
    if len(payload) > MAX_COMMAND_BYTES:
        raise Refusal("oversize", f"a command may have {MAX_COMMAND_BYTES} bytes; this one has {len(payload)}")
    try:
        return Command.model_validate_json(payload)
    except ValidationError as error:
        raise Refusal("bad-request", problems(error)) from None


def _request(command: Command, verb: str) -> Request:
    """The request in the envelope; raises Refusal."""
    if "verb" in command.args:
        raise Refusal("bad-request", "args.verb: the verb is the last level of the topic, not an argument")
    return parse({"verb": verb, **command.args})


def _answer(reply: Reply, id: str | None, verb: str) -> Answer:
    return Answer(ok=reply.ok, code=reply.code, text=reply.text, data=reply.data, id=id, verb=verb[:64])


def principal(config: ToolConfig, name: str, door: Literal["local", "mqtt"]) -> Principal | None:
    """This person with the highest role that the tool file gives at this door; None = no role."""
    role = config.role_of(name, "unix" if door == "local" else "mqtt")
    return None if role is None else Principal(name=name, role=role, door=door)
