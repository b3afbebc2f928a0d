"""Commands from far away in any order, at any time, from anybody: what may move the tool, and how often (I17)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ald_controller.commands import VERBS_ALWAYS, VERBS_REMOTE, VERBS_REMOTE_ENABLED, VERBS_VIEWER
from ald_controller.config import People
from tests.fake_handler import AuditList, Clock, FakeHandler, make_desk, tool_config
from tests.machines import walks

FRESH_S = 30.0  # typed a second time: as long as a command lives
ARGS: dict[str, dict[str, Any]] = {
    "upload": {"name": "r", "text": "t"}, "check": {"name": "r"}, "start": {"name": "r"},
    "remote": {"enable": True}, "bypass": {"row": "G1", "minutes": 5, "reason": "calibration"},
    "register-set": {"name": "load", "value": 1, "by": "ann"}, "acknowledge": {"alarm": "K3"},
}  # fmt: skip
VERBS = ("start", "resume", "reset", "pause", "stop", "abort", "status", *ARGS)
USERS = ("operator", "bob", "dashboard", "mallory")  # two operators, a viewer, and one without a role
CHANGES = frozenset(VERBS) - VERBS_VIEWER


class Doors(RuleBasedStateMachine):
    """Sends, repeats, delays and forges; the oracle decides from the envelope alone what may be executed."""

    @initialize()
    def open(self) -> None:
        self.clock, self.handler, self.audit = Clock(), FakeHandler(), AuditList()
        self.config = tool_config(operator=People(mqtt=["operator", "bob"]))
        self.desk = make_desk(self.handler, self.clock, self.config, self.audit)
        self.n = 0
        self.sent: list[tuple[str, str, bytes]] = []
        self.executed: dict[tuple[str, str], str] = {}  # (person, id) -> what was executed under it
        self.published: list[tuple[float, int]] = []
        self.loop = asyncio.new_event_loop()

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.loop.close()

    def deliver(self, user: str, verb: str, payload: bytes, retained: bool) -> None:
        """One message; whatever comes of it, the oracle has said before whether it may be executed."""
        before, may = len(self.handler.asked), self.may(user, verb, payload, retained)
        answer = self.loop.run_until_complete(self.desk.remote(user, verb, payload, retained=retained))
        done = self.handler.asked[before:]
        assert len(done) <= 1
        assert answer.text.strip() and answer.verb == verb
        if not may:
            assert not [r for _, r in done if r.verb not in VERBS_VIEWER], f"executed: {user} {verb} {payload!r}"
        for who, request in done:
            assert (who, request.verb) == (user, verb)
            if verb in CHANGES:
                key = user, json.loads(payload)["id"]
                assert key not in self.executed, "executed twice"
                self.executed[key] = verb

    def may(self, user: str, verb: str, payload: bytes, retained: bool) -> bool:
        body = json.loads(payload)
        if retained or user == "mallory" or verb not in VERBS_REMOTE or (user, body["id"]) in self.executed:
            return False
        if user == "dashboard" and verb not in VERBS_VIEWER:
            return False
        if verb in VERBS_REMOTE_ENABLED and self.handler.control != "REMOTE":
            return False
        now_s, fresh = self.clock.now_s, []
        if body.get("expires") is not None:
            fresh.append(0 < body["expires"] - now_s <= FRESH_S)
        if body.get("seen") is not None:
            fresh.append(any(n == body["seen"] and now_s - at_s < FRESH_S for at_s, n in self.published))
        return bool(fresh) and all(fresh)

    @rule(
        user=st.sampled_from(USERS), verb=st.sampled_from(VERBS), retained=st.sampled_from([False, False, False, True]),
        ahead_s=st.sampled_from([None, 10.0, 29.9, 30.1, 0.0, -1.0, 86_400.0, -86_400.0]),
        seen=st.sampled_from([None, None, "newest", "oldest", "never"]),
        old_id=st.sampled_from([False, False, False, True]),
    )  # fmt: skip
    def somebody_sends(
        self, user: str, verb: str, retained: bool, ahead_s: float | None, seen: str | None, old_id: bool
    ) -> None:
        self.n += 0 if old_id and self.n else 1
        body: dict[str, Any] = {"id": f"command-{self.n:05d}", "args": ARGS.get(verb, {})}
        if ahead_s is not None:
            body["expires"] = self.clock.now_s + ahead_s
        known = [n for _, n in self.published]
        if seen and known:
            body["seen"] = {"newest": known[-1], "oldest": known[0], "never": 10**9}[seen]
        payload = json.dumps(body).encode()
        self.sent.append((user, verb, payload))
        self.deliver(user, verb, payload, retained)

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), retained=st.booleans(), as_user=st.sampled_from([None, *USERS]))
    def a_broker_delivers_again(self, data: Any, retained: bool, as_user: str | None) -> None:
        user, verb, payload = data.draw(st.sampled_from(self.sent))
        self.deliver(as_user or user, verb, payload, retained)

    @rule(seconds=st.sampled_from([0.1, 5.0, 29.0, 31.0, 86_400.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.now_s += seconds

    @rule()
    def the_tool_says_how_it_is(self) -> None:
        status = self.handler.status()
        self.desk.published(status)
        self.published.append((self.clock.now_s, status.sequence))

    @rule(control=st.sampled_from(["LOCAL", "REMOTE", "OFFLINE"]))
    def somebody_at_the_tool_says_who_may(self, control: str) -> None:
        self.handler.control = control

    @rule()
    def the_daemon_is_started_again(self) -> None:
        """What was answered is on the disk; what was published is not known any more."""
        self.desk = make_desk(self.handler, self.clock, self.config, self.audit)
        self.published.clear()

    @rule(user=st.sampled_from(("operator", "bob")), verb=st.sampled_from(sorted(VERBS_ALWAYS)))
    def an_operator_is_never_kept_from_stopping(self, user: str, verb: str) -> None:
        self.n += 1
        before = len(self.handler.asked)
        body = {"id": f"command-{self.n:05d}", "expires": self.clock.now_s + 10.0, "args": {}}
        self.deliver(user, verb, json.dumps(body).encode(), retained=False)
        assert len(self.handler.asked) == before + 1

    @invariant()
    def everything_that_was_executed_is_on_record(self) -> None:
        if not hasattr(self, "audit"):
            return
        done = [(who, verb) for who, verb, code in self.audit.rows if code == "done"]
        assert sorted(done) == sorted((who, verb) for (who, _), verb in self.executed.items())


Doors.TestCase.settings = walks()
TestDoors = Doors.TestCase
