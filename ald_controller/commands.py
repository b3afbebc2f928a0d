"""Every request that a person or script can make, every answer, and the state that they see. No transport here."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from ald_controller.states import Ending, ProcessState

ROW_PATTERN, NAME_PATTERN = r"^[TCGK][0-9]{1,2}$", r"^[A-Za-z0-9_.-]{1,64}$"
NAME_LENGTH = 80  # of a repeat, as recipes have it
RecipeName = Annotated[str, Field(pattern=NAME_PATTERN)]


class Message(BaseModel):
    """Frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Principal(Message):
    """Who asks, as the transport has proved it: never taken from a payload."""

    name: str
    role: Literal["viewer", "operator", "owner"]
    door: Literal["local", "mqtt", "inside"]


class Upload(Message):
    verb: Literal["upload"] = "upload"
    name: RecipeName
    text: str = Field(max_length=524_288)


class Check(Message):
    """Check an uploaded recipe against the tool, its load and its bottles as they are now."""

    verb: Literal["check"] = "check"
    name: RecipeName
    parameters: dict[str, str] = {}


class Start(Message):
    verb: Literal["start"] = "start"
    name: RecipeName
    parameters: dict[str, str] = {}


class AtTurn(Message):
    """What acts after the current turn of the repeat `at`; of the outermost one that has a name, where none is told."""

    at: str = Field(default="", max_length=NAME_LENGTH)

    @property
    def of_which(self) -> str:
        return f" of '{self.at}'" if self.at else ""


class Pause(AtTurn):
    """After a turn of a repeat; `now` holds at once."""

    verb: Literal["pause"] = "pause"
    now: bool = False


class Resume(Message):
    verb: Literal["resume"] = "resume"


class Stop(AtTurn):
    """After a turn of a repeat, then the recipe's finish."""

    verb: Literal["stop"] = "stop"


class Extend(Message):
    """So many more `turns` of a repeat of the run that is going on: of `of`, or of the outermost that has a name."""

    verb: Literal["extend"] = "extend"
    run: str = Field(min_length=1, max_length=128)
    turns: int = Field(ge=1, le=100_000, strict=True)
    of: str = Field(default="", max_length=NAME_LENGTH)


class Abort(Message):
    verb: Literal["abort"] = "abort"
    why: str = Field(default="", max_length=200)


class Reset(Message):
    """Clear the latch; refused while a cause lives; moves no valve. What an owner resets needs a reason."""

    verb: Literal["reset"] = "reset"
    reason: str = Field(default="", max_length=200)


class Acknowledge(Message):
    """Somebody has seen this alarm: a row, an id as the status has it, or `all`; `by` where it is not the sender."""

    verb: Literal["acknowledge"] = "acknowledge"
    alarm: str = Field(min_length=1, max_length=100)
    by: str = Field(default="", max_length=64)


class GetAlarmHistory(Message):
    """The newest changes of alarms: raised, suppressed, worse, acknowledged, returned, over."""

    verb: Literal["alarm-history"] = "alarm-history"
    newest: int = Field(default=200, ge=1, le=2000)


class GetInterlocks(Message):
    """Every row of the matrix as this tool guards it now: limits, reactions, resets, and what is not guarded."""

    verb: Literal["interlocks"] = "interlocks"


class Remote(Message):
    """Enable or disable start, resume, extend and reset from the remote door; only at the tool."""

    verb: Literal["remote"] = "remote"
    enable: bool


class SetRegister(Message):
    verb: Literal["register-set"] = "register-set"
    name: str = Field(pattern=r"^[a-z][A-Za-z0-9 ._-]{0,63}$", examples=["load", "bottle.LTB", "leak"])
    value: Any
    by: str = Field(min_length=1, max_length=64)


class GetRegisters(Message):
    verb: Literal["registers"] = "registers"


class GetStatus(Message):
    verb: Literal["status"] = "status"


class GetValves(Message):
    """What every output has done since its valve was new, what is near its service, and the valves replaced."""

    verb: Literal["valves"] = "valves"


class ValveReplaced(Message):
    """A new valve at this output: it counts from zero, and what the old one did is kept. By the owner."""

    verb: Literal["valve-replaced"] = "valve-replaced"
    name: str = Field(min_length=1, max_length=64)
    by: str = Field(min_length=1, max_length=64)
    reason: str = Field(default="", max_length=200)


class PulsesAnew(Message):
    """Let a source learn anew what its pulses usually are, by the owner: after a change that no median can know of."""

    verb: Literal["pulses-anew"] = "pulses-anew"
    source: str = Field(min_length=1, max_length=64)
    reason: str = Field(min_length=3, max_length=200)


class Bypass(Message):
    """Take one row of the hazard matrix out of action, by the owner; only those that allow it, for at most an hour."""

    verb: Literal["bypass"] = "bypass"
    row: str = Field(pattern=ROW_PATTERN)
    minutes: float = Field(gt=0, le=60)
    reason: str = Field(min_length=3, max_length=200)


class Restore(Message):
    """Make a bypassed row live again before its time."""

    verb: Literal["restore"] = "restore"
    row: str = Field(pattern=ROW_PATTERN)


class Gate(Message):
    """Release the lock of the gate to the glovebox while its permissive holds, or lock it; only at the tool."""

    verb: Literal["gate"] = "gate"
    act: Literal["release", "lock"]


class GetGate(Message):
    """Where the gate and its lock are, and what is missing before it may be opened, one sentence each."""

    verb: Literal["gate-status"] = "gate-status"


class Box(Message):
    """Say that the purifier of the glovebox regenerates for `for_s` seconds, or that the box is ready again."""

    verb: Literal["box"] = "box"
    mode: Literal["regenerating", "ready"]
    for_s: float | None = Field(default=None, gt=0, le=86_400)
    by: str = Field(min_length=1, max_length=64)


class ProofTest(Message):
    """Trip every row of the interlocks with simulated inputs, or some `rows`; by the owner, on an idle and cold tool.

    With `hands` a person at the tool moves real contacts as well.
    """

    verb: Literal["proof-test"] = "proof-test"
    rows: list[Annotated[str, Field(max_length=20)]] = Field(default=[], max_length=60)
    hands: bool = False


class GetProofTest(Message):
    """Where the proof test is, or how the last one since the start ended."""

    verb: Literal["proof-test-progress"] = "proof-test-progress"


class GetProofTests(Message):
    """Every certificate of a proof test, oldest first, with what is broken in their chain."""

    verb: Literal["proof-tests"] = "proof-tests"


class GetRuns(Message):
    verb: Literal["runs"] = "runs"


class Watch(Message):
    """Answer with a stream of Status, one a line, at most `hz` a second, until the client leaves. Local door only."""

    verb: Literal["watch"] = "watch"
    hz: float = Field(default=5.0, gt=0, le=20)


Request = Annotated[
    Upload | Check | Start | Pause | Resume | Stop | Extend | Abort | Reset | Remote | SetRegister | GetRegisters
    | GetStatus | GetRuns | GetValves | GetAlarmHistory | GetInterlocks | ValveReplaced | PulsesAnew | Acknowledge
    | Bypass | Restore | Gate | GetGate | Box | ProofTest | GetProofTest | GetProofTests | Watch,
    Field(discriminator="verb"),
]  # fmt: skip
REQUEST: TypeAdapter[Request] = TypeAdapter(Request)

VERBS_REMOTE = frozenset(
    {"upload", "check", "start", "pause", "resume", "stop", "extend", "abort", "reset", "acknowledge", "status"}
)
VERBS_REMOTE_ENABLED = frozenset({"start", "resume", "extend", "reset"})  # these also need 'remote enabled' at the tool
VERBS_VIEWER = frozenset({
    "status", "runs", "registers", "valves", "alarm-history", "interlocks", "gate-status", "proof-test-progress",
    "proof-tests", "watch", "check",
})  # fmt: skip
VERBS_OWNER = frozenset({"valve-replaced", "pulses-anew", "bypass", "proof-test"})
VERBS_ALWAYS = frozenset({"pause", "stop", "abort"})  # an authenticated operator, and nothing else is asked


class Reply(Message):
    """One answer per request. `code` is stable for scripts, `text` is for people."""

    ok: bool
    code: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    text: str
    data: dict[str, Any] = {}


class Command(Message):
    """What a remote request travels in: `id` is the sender's and new for each, `args` are the request without its verb.

    Fresh by `expires` (unix seconds on the tool's clock, at most 30 s ahead) or by `seen` (the `sequence` of a state
    message that the tool published less than 30 s ago); where both are given both must hold.
    """

    model_config = ConfigDict(strict=True)

    id: str = Field(pattern=r"^[A-Za-z0-9_-]{8,64}$")
    expires: float | None = Field(default=None, allow_inf_nan=False)
    seen: int | None = None
    args: dict[str, Any] = {}


class Answer(Reply):
    """The one answer to a remote request; `id` is null where the request had none that could be read."""

    id: str | None
    verb: str


class Value(Message):
    """One channel as last read: `q` is good | uncertain | bad | test, `age_s` how old it is."""

    v: float | None
    u: str
    q: Literal["good", "uncertain", "bad", "test"]
    age_s: float


class RunStatus(Message):
    run: str
    recipe: str
    part: str
    step: str
    cycle: int
    cycles: int
    elapsed_s: float
    duration_s: float
    doses_confirmed: int
    doses_planned: int
    doses_missed: int
    folder: str
    why: str = ""  # why it is paused
    ending: Ending | None = None
    report: str | None = None


class Alarm(Message):
    """One alarm; `since` in unix seconds. `text` is cause, consequence and action in one.

    A suppressed alarm is a consequence of row `suppressed_by`; a returned one is over and nobody has acknowledged it.
    """

    id: str
    row: str
    reaction: str
    priority: Literal["critical", "high", "medium", "low"]
    state: Literal["unacknowledged", "acknowledged", "returned", "suppressed"] = "unacknowledged"
    text: str
    cause: str
    consequence: str = ""
    action: str = ""
    since: float
    live: bool
    latched: bool
    first_out: bool = False
    suppressed_by: str = ""
    acknowledged_by: str = ""


class BypassStatus(Message):
    """A row that is out of action: by whom, why, and when it is live again (unix seconds)."""

    row: str
    by: str
    reason: str
    ends: float


class SafingLine(Message):
    """One thing that an abort has to reach; `after_s` the abort, None = not, or not yet; `why` what is against it."""

    what: str
    after_s: float | None
    why: str


class SafingStatus(Message):
    """Where the sequence of the newest abort is; SAFE = idle and safe, purged or isolated. Ends when a run begins."""

    kind: Literal["purge", "isolate"]
    phase: Literal["SECURING", "PURGING", "SAFE"]
    why: str
    text: str
    lines: list[SafingLine]


class ValveTiming(Message):
    """How late the valve process was woken in the self-test at its start, in ms; `warning` is "" where all is well."""

    n: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    warning: str


class Status(Message):
    """All that a screen shows; retained on MQTT part by part."""

    tool: str
    sequence: int
    time: float  # unix seconds, UTC
    state: ProcessState
    latched: bool
    control: Literal["OFFLINE", "LOCAL", "REMOTE"]
    chamber: str
    degraded_timing: bool
    valve_timing: ValveTiming | None = None  # None on virtual time
    valves: dict[str, bool]  # output -> energised, as the module confirmed
    values: dict[str, Value]
    zones: dict[str, Value]
    run: RunStatus | None
    last_run: RunStatus | None
    alarms: list[Alarm]
    safing: SafingStatus | None = None
    alarms_per_10_min: int = 0
    bypasses: list[BypassStatus] = []
    not_guarded: list[str]
    cleared: bool = False  # the chamber holds no precursor that the box should not meet
    not_cleared_because: list[str] = []
    proof_test: str = ""  # the line in hand of a proof test that goes on; "" = none does
    gate: str = ""  # where the gate to the glovebox and its lock are, in a sentence
    box: str = ""  # who has said that its purifier regenerates, and until when; "" = it does not
