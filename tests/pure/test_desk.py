"""Rights, freshness and one answer per request: everything a door decides before the tool hears of it."""

import json
import math
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ald_controller.commands import (
    VERBS_ALWAYS,
    VERBS_OWNER,
    VERBS_REMOTE,
    VERBS_REMOTE_ENABLED,
    VERBS_VIEWER,
    Abort,
    Principal,
    Reply,
    Request,
    Start,
)
from ald_controller.config import People
from ald_controller.doors.desk import (
    FRESH_S,
    MAX_COMMAND_BYTES,
    AuditInMemory,
    Desk,
    Freshness,
    Refusal,
    authorise,
    parse,
    principal,
)
from tests.fake_handler import AuditList, Clock, FakeHandler, make_desk, state, tool_config

ARGS: dict[str, dict[str, Any]] = {
    "upload": {"name": "r", "text": "t"},
    "check": {"name": "r"},
    "start": {"name": "r"},
    "remote": {"enable": True},
    "register-set": {"name": "load", "value": 1, "by": "ann"},
    "valve-replaced": {"name": "LTB", "by": "ann"},
    "acknowledge": {"alarm": "K3"},
    "pulses-anew": {"source": "LTB", "reason": "another valve"},
    "bypass": {"row": "G1", "minutes": 5, "reason": "calibration"},
    "restore": {"row": "G1"},
    "gate": {"act": "release"},
    "extend": {"run": "2031-05-04-120000-r-1", "turns": 20},
    "box": {"mode": "ready", "by": "ann"},
}
VERBS = sorted(get_args(model.model_fields["verb"].annotation)[0] for model in get_args(get_args(Request)[0]))


def request(verb: str) -> Request:
    return parse({"verb": verb, **ARGS.get(verb, {})})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def handler() -> FakeHandler:
    return FakeHandler()


@pytest.fixture
def desk(handler: FakeHandler, clock: Clock) -> Desk:
    people = People(mqtt=["operator", "bob"])
    return make_desk(handler, clock, tool_config(operator=people))


async def send(desk: Desk, verb: str, user: str = "operator", retained: bool = False, **envelope: Any):
    body = {"id": "command-0001", "expires": desk.now() + 10, "args": ARGS.get(verb, {})} | envelope
    return await desk.remote(user, verb, json.dumps(body).encode(), retained=retained)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("role", ["viewer", "operator", "owner"])
@pytest.mark.parametrize("door", ["local", "mqtt"])
@pytest.mark.parametrize("control", ["LOCAL", "REMOTE"])
def test_the_rights_are_exactly_the_table(verb, role, door, control):
    allowed = role == "owner" or (verb not in VERBS_OWNER and (role == "operator" or verb in VERBS_VIEWER))
    if door == "mqtt":
        allowed = allowed and verb in VERBS_REMOTE and (verb not in VERBS_REMOTE_ENABLED or control == "REMOTE")
    try:
        authorise(Principal(name="p", role=role, door=door), request(verb), state(1, control))
    except Refusal as refusal:
        assert not allowed, refusal
        assert "'" + verb in refusal.reply.text
    else:
        assert allowed


def test_pause_stop_and_abort_need_no_remote_enable():
    who = Principal(name="p", role="operator", door="mqtt")
    for verb in VERBS_ALWAYS:
        authorise(who, request(verb), state(1, "OFFLINE"))


def test_a_person_without_a_role_is_nobody():
    assert principal(tool_config(), "mallory", "mqtt") is None
    assert principal(tool_config(), "operator", "local") is None


async def test_an_accepted_command_is_executed_and_answered_with_its_id(desk, handler):
    answer = await send(desk, "start")
    assert (answer.ok, answer.code, answer.id, answer.verb) == (True, "done", "command-0001", "start")
    assert handler.asked == [("operator", Start(name="r"))]


async def test_a_replayed_id_gets_the_stored_answer_and_is_executed_once(desk, handler):
    first = await send(desk, "start")
    assert await send(desk, "start") == first
    assert handler.verbs() == ["start"]
    assert desk.refused["replayed"] == 1


async def test_a_replay_long_after_its_time_still_gets_the_stored_answer(desk, handler, clock):
    first = await send(desk, "start")
    clock.now_s += 3600
    assert await send(desk, "start", expires=first.data["asked"]) == first
    assert handler.verbs() == ["start"]


async def test_a_refusal_is_stored_like_any_answer(desk, handler):
    handler.control = "LOCAL"
    assert (await send(desk, "start")).code == "remote-disabled"
    handler.control = "REMOTE"
    assert (await send(desk, "start")).code == "remote-disabled"
    assert handler.asked == []


async def test_nobody_can_use_up_the_ids_of_somebody_else(desk, handler):
    await send(desk, "start", user="bob")
    await send(desk, "start", user="operator")
    assert [name for name, _ in handler.asked] == ["bob", "operator"]


async def test_an_id_that_comes_back_with_another_command_is_refused(desk, handler):
    await send(desk, "start")
    assert (await send(desk, "start", args={"name": "other"})).code == "id-used"
    assert (await send(desk, "abort")).code == "id-used"
    assert handler.verbs() == ["start"]


async def test_answers_to_reading_verbs_are_not_kept(desk, handler):
    await send(desk, "status")
    await send(desk, "status")
    assert handler.verbs() == ["status", "status"]


async def test_a_command_cut_off_by_a_restart_is_not_executed_again(handler, clock):
    audit = AuditInMemory()

    class Dies(FakeHandler):
        async def handle(self, request: Request, who: Principal) -> Reply:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await send(make_desk(Dies(), clock, audit=audit), "start")
    answer = await send(make_desk(handler, clock, audit=audit), "start")
    assert (answer.ok, answer.code) == (False, "under-way")
    assert handler.asked == []


@pytest.mark.parametrize(
    ("ahead_s", "code"), [(-0.1, "stale"), (0.0, "stale"), (0.1, "done"), (FRESH_S, "done"), (FRESH_S + 0.1, "stale")]
)
async def test_a_command_lives_thirty_seconds_at_most_on_the_tools_clock(desk, clock, ahead_s, code):
    answer = await send(desk, "pause", expires=clock.now_s + ahead_s)
    assert answer.code == code
    if code == "stale":
        assert answer.data["time"] == clock.now_s  # so that a sender can see how far its own clock is off


async def test_a_seen_sequence_makes_a_command_fresh_for_thirty_seconds(desk, clock):
    desk.published(state(41))
    clock.now_s += FRESH_S - 1
    assert (await send(desk, "pause", expires=None, seen=41)).ok
    clock.now_s += 2
    assert (await send(desk, "pause", expires=None, seen=41, id="command-0002")).code == "stale"


async def test_a_state_that_is_published_again_is_fresh_again(desk, clock):
    desk.published(state(41))
    clock.now_s += 60
    desk.published(state(41))
    assert (await send(desk, "pause", expires=None, seen=41)).ok


@pytest.mark.parametrize("seen", [40, 42, -1])
async def test_a_sequence_that_was_never_published_is_stale(desk, seen):
    desk.published(state(41))
    assert (await send(desk, "pause", expires=None, seen=seen)).code == "stale"


async def test_where_both_are_given_both_must_hold(desk, clock):
    desk.published(state(41))
    assert (await send(desk, "pause", expires=clock.now_s - 1, seen=41)).code == "stale"
    assert (await send(desk, "pause", expires=clock.now_s + 1, seen=40, id="command-0002")).code == "stale"


async def test_of_two_operators_the_second_must_look_again(desk, handler):
    status = desk.status()
    desk.published(status)
    assert (await send(desk, "start", user="bob")).ok
    answer = await send(desk, "resume", expires=None, seen=status.sequence)
    assert answer.code == "state-changed"
    assert "bob has sent 'start'" in answer.text
    ending = await send(desk, "abort", expires=None, seen=status.sequence, id="command-0002")
    assert ending.ok  # ending a run needs no second look
    desk.published(later := desk.status())
    assert (await send(desk, "resume", expires=None, seen=later.sequence, id="command-0003")).ok
    assert handler.verbs() == ["start", "abort", "resume"]


async def test_ones_own_act_is_no_reason_to_look_again(desk):
    desk.published(status := desk.status())
    assert (await send(desk, "start")).ok
    assert (await send(desk, "resume", expires=None, seen=status.sequence, id="command-0002")).ok


@pytest.mark.parametrize(
    ("code", "kwargs"),
    [
        ("retained", {"retained": True}),
        ("unknown-person", {"user": "mallory"}),
        ("forbidden", {"user": "dashboard"}),
        ("bad-request", {"id": "short"}),
        ("bad-request", {"expires": None}),
        ("bad-request", {"expires": "soon"}),
        ("bad-request", {"user_name": "operator"}),
        ("bad-request", {"args": {"verb": "start", "name": "r"}}),
        ("bad-request", {"args": {"nane": "r"}}),
        ("oversize", {"args": {"name": "x" * MAX_COMMAND_BYTES}}),
    ],
)
async def test_each_refusal_has_its_code_and_reaches_no_handler(desk, handler, code, kwargs):
    answer = await send(desk, "start", **kwargs)
    assert (answer.ok, answer.code) == (False, code)
    assert handler.asked == []
    assert desk.refused[code] == 1


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 50_000, b'{"id": NaN}', b"1" * 9000]
)
async def test_rubbish_gets_one_answer_without_an_id(desk, payload):
    answer = await desk.remote("operator", "start", payload, retained=False)
    assert (answer.code, answer.id) == ("bad-request", None)
    assert len(answer.text) < 2000


@pytest.mark.parametrize(
    ("verb", "args", "says"),
    [
        ("bypass", {"row": "1G"}, "bypass.row: '1G' is no row: write one of T, C, G, K and a number, for example G1"),
        ("bypass", {"reason": "ab"}, "bypass.reason: 'ab' is too short: write 3 characters or more"),
        ("bypass", {"minutes": 61}, "bypass.minutes: 61 is too much: 60 at most is expected"),
        ("bypass", {"minutes": 0}, "bypass.minutes: 0 is too small: above 0 is expected"),
        ("bypass", {"minutes": math.nan}, "bypass.minutes: nan is no number to count with"),
        ("bypass", {"minutes": "soon"}, "bypass.minutes: 'soon' is no number"),
        ("extend", {"turns": True}, "extend.turns: True is no whole number"),
        ("extend", {"turns": "+20"}, "extend.turns: '+20' is no whole number"),
        ("extend", {"turns": 1.5}, "extend.turns: 1.5 is no whole number"),
        ("extend", {"turns": 0}, "extend.turns: 0 is too small: 1 or more is expected"),
        ("start", {"name": "a b"}, "start.name: 'a b' is no name: write up to 64 letters, digits"),
        ("start", {}, "start.name: 'name' is missing"),
        ("start", {"name": "a", "nane": 1}, "start.nane: there is no 'nane' here"),
        ("register-set", {"name": "load", "value": 1, "by": ""}, "'' is too short: write 1 characters or more"),
        ("box", {"mode": "{0.__class__}"}, "'{0.__class__}' is not known here: "),
    ],
)
def test_what_is_wrong_with_a_request_is_said_so_that_a_person_can_act_on_it(verb, args, says):
    usual = {} if verb == "start" else ARGS[verb]
    with pytest.raises(Refusal) as refused:
        parse({"verb": verb} | usual | args)
    text = refused.value.reply.text
    assert says in text
    assert not any(raw in text for raw in ("should", "pydantic", "String", "Input", "^["))


async def test_an_unknown_verb_is_named_and_bounded(desk):
    answer = await send(desk, "z" * 50_000)
    assert answer.code == "unknown-verb"
    assert len(answer.verb) == 64
    assert len(answer.text) < 1000


@pytest.mark.parametrize("verb", sorted(set(VERBS) - VERBS_REMOTE))
async def test_verbs_of_the_local_door_are_not_remote(desk, handler, verb):
    assert (await send(desk, verb)).code == "not-remote"
    assert handler.asked == []


async def test_a_broken_handler_gives_an_answer_and_the_door_lives(desk):
    answer = await send(desk, "start", args={"name": "broken"})
    assert (answer.ok, answer.code) == (False, "internal")
    assert "a wire came off" in answer.text
    assert (await send(desk, "pause", id="command-0002")).ok


async def test_everything_that_could_change_something_is_audited(handler, clock):
    desk = make_desk(handler, clock, audit=(audit := AuditList()))
    await send(desk, "start")
    await send(desk, "status", id="command-0002")
    await send(desk, "abort", user="dashboard")
    await desk.ask(Abort(), Principal(name="ann", role="owner", door="local"))
    assert audit.rows == [
        ("operator", "start", "under-way"),
        ("operator", "start", "done"),
        ("dashboard", "abort", "forbidden"),
        ("ann", "abort", "done"),
    ]


class FullDisk(AuditInMemory):
    async def settle(self) -> None:
        raise OSError(28, "No space left on device")


class NoAudit(FullDisk):
    def command(self, who: Principal, id: str | None, request: Request, reply: Reply) -> None:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("audit", [FullDisk, NoAudit])
async def test_with_a_full_disk_abort_works_and_start_does_not(handler, clock, audit):
    desk = make_desk(handler, clock, audit=audit())
    assert (await send(desk, "start")).code == "no-record"
    answer = await send(desk, "abort", id="command-0002")
    assert answer.ok
    assert ("not in the audit" in answer.text) == (audit is NoAudit)
    assert [request for _, request in handler.asked] == [Abort()]


async def test_abort_waits_for_no_disk(handler, clock):
    class SlowDisk(AuditInMemory):
        async def settle(self) -> None:
            raise AssertionError("abort waited for the disk")

    assert (await send(make_desk(handler, clock, audit=SlowDisk()), "abort")).ok


def test_the_memory_of_answers_is_bounded_and_forgets_the_oldest():
    audit, who = AuditInMemory(limit=2), Principal(name="p", role="operator", door="mqtt")
    for id in "abc":
        audit.command(who, id, Abort(), Reply(ok=True, code="done", text=id))
    assert [audit.answer_to(who, id, Abort()) is None for id in "abc"] == [True, False, False]


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 3)), max_size=200))
def test_the_memory_of_sequences_is_bounded_by_time(steps):
    fresh, now_s, sequence = Freshness(), 0.0, 0
    for wait_s, step in steps:
        now_s += wait_s
        sequence += step
        fresh.published(sequence, now_s)
    assert all(now_s - at_s <= FRESH_S for at_s, _ in fresh._published)


@given(st.binary(max_size=200))
def test_no_bytes_make_a_desk_fail(payload):
    try:
        parse(payload)
    except Refusal as refusal:
        assert refusal.reply.code in ("bad-request", "unknown-verb")
