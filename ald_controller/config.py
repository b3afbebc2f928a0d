"""The tool: which device hangs on which line, which valve on which coil, who may do what. Frozen, checked as a whole.

Read from `deploy/tool.yaml`. A driver's own settings are the plain dataclass beside the driver: its field
`full_scale_sccm: float` is written `full_scale: 100 sccm` in the file.
"""

from __future__ import annotations

import dataclasses
import typing
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, create_model, field_validator, model_validator

from ald_controller import units
from ald_controller.yamlfile import Document, Problem, Problems, read, validate
from drivers.catalogue import CATALOGUE

ChamberState = Literal["VACUUM", "PUMPING_DOWN", "VENTING", "AT_BOX", "AT_AIR", "UNKNOWN"]
M = typing.TypeVar("M", bound=BaseModel)
CHAMBER_STATES: tuple[ChamberState, ...] = typing.get_args(ChamberState)
Role = Literal["viewer", "operator", "owner"]
Name = typing.Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_. -]{0,31}$")]

LITHIUM_CEILING_C = 170.0  # no file may raise the trip above it: lithium melts at 180.5 °C
LITHIUM_CLAMP_C = 150.0  # no set-point above it on a zone that touches lithium


class Model(BaseModel):
    """Frozen, strict, and no unknown keys: the base of everything that is read from a file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)


class LineConfig(Model):
    """One transport: `tcp://host:port` or `serial:/dev/…`; devices that name the same line share it."""

    address: str = Field(pattern=r"^(tcp://[^:/]+:[0-9]{1,5}|serial:/\S+|mem:\S+)$")
    baud: Literal[1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200] = 9600
    parity: Literal["none", "even", "odd"] = "none"


class Output(Model):
    """One coil of coupler A: what energised does, and where it goes on output 0 and on loss of 24 V."""

    coil: int = Field(ge=0, le=63)
    role: Literal["source", "stop", "contactor", "alive", "unused"]
    energised: Literal["opens", "closes", "enables"]
    through: Literal["direct", "inverting relay"] = "direct"
    at_zero: Literal["open", "closed", "off"]
    at_power_loss: Literal["open", "closed", "off"]

    @property
    def mask(self) -> int:
        return 1 << self.coil


class ValveModule(Model):
    """Coupler A: written by the valve process alone; its watchdog is armed over the wire and read back."""

    driver: Literal["beckhoff_bk9050"]
    line: str
    unit: int = Field(ge=0, le=255)
    watchdog: units.Seconds = Field(ge=0.1, le=1.0)
    coils: int = Field(ge=8, le=64, multiple_of=8)
    outputs: dict[str, Output]
    rest: dict[ChamberState, list[str]]
    min_closed: units.Seconds = Field(default=1.0, ge=0.1)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        missing = [s for s in CHAMBER_STATES if s not in self.rest]
        if missing:
            raise ValueError(f"rest: a rest word is needed for every chamber state; missing: {', '.join(missing)}")
        coils = [o.coil for o in self.outputs.values()]
        twice = sorted({c for c in coils if coils.count(c) > 1})
        if twice:
            raise ValueError(f"outputs: coil {twice[0]} is wired twice")
        if max(coils, default=0) >= self.coils:
            raise ValueError(f"outputs: there is no coil {max(coils)}, the module has {self.coils} from 0")
        for state, names in self.rest.items():
            for name in names:
                if name not in self.outputs or self.outputs[name].role != "stop":
                    raise ValueError(f"rest: {state} names '{name}', which is not a stop valve of this module")
        return self

    @field_validator("outputs")
    @classmethod
    def _zero_is_safe_twice(cls, outputs: dict[str, Output]) -> dict[str, Output]:
        for name, output in outputs.items():
            _refuse_unsafe_zero(name, output)
        return outputs

    def word(self, names: list[str]) -> int:
        """The valve word with exactly these outputs energised."""
        return sum(self.outputs[n].mask for n in names)

    def mask(self, role: str) -> int:
        """All bits of one role."""
        return sum(o.mask for o in self.outputs.values() if o.role == role)


_SAFE = {
    "source": ("closed", "closed"),
    "stop": ("open", "open"),
    "contactor": ("open", "open"),
    "alive": ("off", "off"),
}


def _refuse_unsafe_zero(name: str, output: Output) -> None:
    """Output 0 and loss of 24 V must both be safe, and agree with what `energised` and `through` say."""
    if output.role == "unused":
        return
    want = _SAFE[output.role]
    if (output.at_zero, output.at_power_loss) != want:
        raise ValueError(
            f"{name}: a {output.role} must be {want[0]} at output 0 and {want[1]} without 24 V; "
            f"this one is {output.at_zero} and {output.at_power_loss}"
        )
    # through an inverting relay output 0 energises the valve
    opens = (output.energised == "opens") == (output.through == "direct")
    at_zero = {"opens": "closed" if opens else "open", "closes": "open" if not opens else "closed"}
    if output.energised != "enables" and at_zero[output.energised] != output.at_zero:
        raise ValueError(
            f"{name}: 'energised: {output.energised}' through '{output.through}' is "
            f"{at_zero[output.energised]} at output 0, not {output.at_zero}"
        )


class Push(Model):
    """Carrier through the bottle while it doses, from its own flow controller; it by-passes the bottle otherwise."""

    device: str
    flow: units.Sccm = Field(gt=0, le=1000)


class Port(Model):
    """One position for a bottle: the outputs that dose from it and how its vapour is moved."""

    outputs: list[str] = Field(min_length=1)
    delivery: Literal["draw", "pushed"] = "draw"
    push: Push | None = None
    zone: str | None = None  # the heated zone of its bottle; none = the bottle is at ambient


class Zone(Model):
    """One heated zone; `role` decides which limits bind."""

    device: str
    role: Literal["substrate", "chamber", "source", "line"]
    limit: units.Celsius = Field(le=400)
    standby: units.Celsius
    second: str | None = None  # signal of an independent second sensor
    max_ramp: units.KelvinsPerSecond = Field(default=0.1, gt=0, le=1)


class Pump(Model):
    """How the chamber is pumped: the stop valve opens towards a running pump."""

    stop: str
    closing_time: units.Seconds = Field(default=1.0, gt=0, le=10)


class Signals(Model):
    """Which signal (`device.channel`) plays which part in the interlocks; None = not guarded here, and listed so."""

    pressure: str
    glovebox_o2: str | None = None
    glovebox_h2o: str | None = None
    box_pressure: str | None = None
    delta_p: str | None = None
    gate_shut: str | None = None
    gate_locked: str | None = None
    pump_running: str | None = None
    estop: str | None = None
    stop_valve_open: str | None = None


class People(Model):
    """Who has a role: Unix users at the local door, broker users at the remote one.

    `@daemon` is the account that the daemon itself runs under.
    """

    unix: list[str] = []
    mqtt: list[str] = []


class Mqtt(Model):
    """The broker; leave out for a tool with the local door alone. The password lies in a file, never here."""

    host: str
    port: int = Field(default=1883, ge=1, le=65535)
    user: str
    password_file: str | None = None


class Limits(Model):
    """The owner's limits; none may leave the bounds that are in the code."""

    lithium_warn: units.Celsius = Field(default=160.0, le=165)
    lithium_trip: units.Celsius = Field(default=170.0, le=LITHIUM_CEILING_C)
    lithium_clear: units.Celsius = Field(default=150.0, le=160)
    glovebox_warn: units.Ppm = Field(default=1.0, gt=0, le=5)
    glovebox_block: units.Ppm = Field(default=5.0, gt=0, le=10)
    glovebox_trip: units.Ppm = Field(default=10.0, gt=0, le=50)
    margin: units.Kelvins = Field(default=15.0, ge=5, le=50)  # a line stays this much above its source
    vacuum: units.Pascals = Field(default=10 * units.TORR_PA, gt=0)


class ToolConfig(Model):
    """One reactor, whole."""

    tool: str = Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")
    title: str
    inert: Literal["argon", "nitrogen"]
    purge_flow: units.Sccm = Field(gt=0, le=1000)
    people: dict[Role, People]
    lines: dict[str, LineConfig]
    devices: dict[str, Any]
    valves: ValveModule
    ports: dict[str, Port]
    zones: dict[str, Zone]
    carrier: str
    pump: Pump
    signals: Signals
    limits: Limits = Limits()
    mqtt: Mqtt | None = None

    def role_of(self, person: str, door: Literal["unix", "mqtt"]) -> Role | None:
        """The highest role of this person at this door; None = may do nothing."""
        for role in ("owner", "operator", "viewer"):
            people = self.people.get(role)
            if people and person in getattr(people, door):
                return role
        return None

    def zones_of(self, *roles: str) -> dict[str, Zone]:
        return {name: zone for name, zone in self.zones.items() if zone.role in roles}

    @property
    def source_mask(self) -> int:
        return self.valves.mask("source")


@dataclasses.dataclass(frozen=True, slots=True)
class DeviceConfig:
    """One device of the tool: its line, its poll period and its driver's own settings (a dataclass of the driver)."""

    name: str
    driver: str
    line: str
    poll_s: float
    settings: Any


_QUANTITIES = {
    "_sccm": units.Sccm, "_s": units.Seconds, "_c": units.Celsius, "_pa": units.Pascals, "_k": units.Kelvins,
}  # fmt: skip


@cache
def _file_model(settings: Any) -> type[BaseModel]:
    """The shape in the file of a driver's dataclass: unit suffixes leave the names and become units in the values."""
    hints = typing.get_type_hints(settings)
    fields: dict[str, Any] = {}
    for f in dataclasses.fields(settings):
        suffix = _suffix(f.name, hints[f.name])
        kind = _QUANTITIES[suffix] if suffix else _inner(hints[f.name])
        has_default = f.default is not dataclasses.MISSING or f.default_factory is not dataclasses.MISSING
        alias = f.name.removesuffix(suffix)
        field = Field(default=None, alias=alias) if has_default else Field(alias=alias)
        fields[f"of_{alias}"] = (kind | None if has_default else kind, field)  # "register" would hide a method
    return create_model(f"{settings.__name__}File", __config__=ConfigDict(extra="forbid"), **fields)


def _suffix(name: str, hint: Any) -> str:
    return next((s for s in _QUANTITIES if name.endswith(s) and hint is float), "")


def _inner(hint: Any) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _file_model(hint)
    if typing.get_origin(hint) is tuple:
        return list[_inner(typing.get_args(hint)[0])]  # type: ignore[misc]
    return hint


def _settings(settings: type, values: BaseModel) -> Any:
    """The driver's dataclass from what the file said; what it left out keeps the dataclass's default."""
    hints = typing.get_type_hints(settings)
    out: dict[str, Any] = {}
    for f in dataclasses.fields(settings):
        value = getattr(values, "of_" + f.name.removesuffix(_suffix(f.name, hints[f.name])))
        if value is not None:
            out[f.name] = _unwrap(hints[f.name], value)
    return settings(**out)


def _unwrap(hint: Any, value: Any) -> Any:
    if isinstance(value, BaseModel):
        return _settings(hint, value)
    if isinstance(value, list):
        inner = typing.get_args(hint)[0]
        return tuple(_unwrap(inner, v) for v in value)
    return value


class _DeviceHead(BaseModel):
    """The keys that every device has; the rest belongs to its driver."""

    model_config = ConfigDict(extra="allow")

    driver: str
    line: str
    poll: units.Seconds = Field(gt=0)


@dataclasses.dataclass(frozen=True)
class Tool:
    """A checked tool configuration with its devices, and the file that it came from."""

    config: ToolConfig
    devices: dict[str, DeviceConfig]
    path: str
    text: str = dataclasses.field(repr=False, default="")

    def port_of_output(self, output: str) -> str | None:
        return next((name for name, port in self.config.ports.items() if output in port.outputs), None)


def load_tool(path: Path, addresses: dict[str, str] | None = None) -> Tool:
    """Read and check a tool file; `addresses` (device -> address) replaces those of the lines. Raises Problems."""
    document = read(path)
    problems: list[Problem] = []
    devices: dict[str, DeviceConfig] = {}
    config: ToolConfig | None = None
    try:
        config = validate(document, ToolConfig)
    except Problems as error:
        problems += error.problems
    raw = document.data.get("devices") if isinstance(document.data, dict) else None
    for name, body in (raw if isinstance(raw, dict) else {}).items():
        try:
            devices[name] = _device(document, name, body)
        except Problems as error:
            problems += error.problems
    if config is not None:
        problems += _cross_check(document, config, devices)
    if problems or config is None:
        raise Problems(problems)
    if addresses is not None:
        config = _with_addresses(config, devices, addresses, document)
    return Tool(config, devices, str(path), path.read_text("utf-8"))


def _device(document: Document, name: str, body: object) -> DeviceConfig:
    loc = ("devices", name)
    marks, key_marks = ({k[2:]: v for k, v in t.items() if k[:2] == loc} for t in (document.marks, document.keys))
    part = Document(document.name, body, marks, key_marks)
    keys = body if isinstance(body, dict) else {}
    driver = keys.get("driver")
    if driver not in CATALOGUE:
        known = ", ".join(sorted(CATALOGUE))
        raise Problems([Problem(part.mark(("driver",)), f"'driver' must name one of: {known}")])
    settings: Any = CATALOGUE[driver].config
    head_keys = _DeviceHead.model_fields.keys()
    rest = {k: v for k, v in keys.items() if k not in head_keys}
    problems: list[Problem] = []
    head = _collect(problems, Document(part.name, keys, part.marks, part.keys), _DeviceHead)
    values = _collect(problems, Document(part.name, rest, part.marks, part.keys), _file_model(settings))
    if head is None or values is None:
        raise Problems(problems)
    try:
        made = _settings(settings, values)
    except ValueError as error:  # a driver's dataclass may check itself
        raise Problems([Problem(part.mark(()), str(error))]) from None
    return DeviceConfig(name, head.driver, head.line, head.poll, made)


def _collect(problems: list[Problem], document: Document, model: type[M]) -> M | None:
    """The document as `model`, or None with what is wrong added to `problems`."""
    try:
        return validate(document, model)
    except Problems as error:
        problems += error.problems
        return None


def _cross_check(document: Document, config: ToolConfig, devices: dict[str, DeviceConfig]) -> list[Problem]:
    """Names that point at nothing, and a tool whose parts contradict each other."""
    out: list[Problem] = []
    named = document.data["devices"]  # also those that could not be read: their own problems say why

    def need(ok: bool, message: str, *loc: int | str) -> None:
        if not ok:
            out.append(Problem(document.mark(loc), message))

    for name, wired in devices.items():
        need(wired.line in config.lines, f"there is no line '{wired.line}'", "devices", name, "line")
    need(config.valves.line in config.lines, f"there is no line '{config.valves.line}'", "valves", "line")
    shared = [n for n, d in devices.items() if d.line == config.valves.line]
    need(not shared, f"{shared} may not share the valve module's line: it has one client", "valves", "line")
    need(config.carrier in named, f"there is no device '{config.carrier}'", "carrier")
    need(config.pump.stop in config.valves.outputs, f"there is no output '{config.pump.stop}'", "pump", "stop")
    for name, zone in config.zones.items():
        need(zone.device in named, f"there is no device '{zone.device}'", "zones", name, "device")
    for name, port in config.ports.items():
        for i, output in enumerate(port.outputs):
            ok = output in config.valves.outputs and config.valves.outputs[output].role == "source"
            need(ok, f"'{output}' is not a source output of the valve module", "ports", name, "outputs", i)
        zone_ok = port.zone is None or port.zone in config.zones
        need(zone_ok, f"there is no zone '{port.zone}'", "ports", name, "zone")
        push_ok = (port.delivery == "pushed") == (port.push is not None)
        need(push_ok, "'delivery: pushed' goes with 'push: {device, flow}', and only with it", "ports", name)
        if port.push:
            need(port.push.device in named, f"no device '{port.push.device}'", "ports", name, "push", "device")
    for field, signal in config.signals.model_dump().items():
        device = str(signal).split(".", maxsplit=1)[0]
        need(signal is None or device in named, f"there is no device '{device}'", "signals", field)
    return out


def _with_addresses(
    config: ToolConfig, devices: dict[str, DeviceConfig], addresses: dict[str, str], document: Document
) -> ToolConfig:
    """The same tool at other addresses, one per device (`valves`: coupler A), as `ald simulate --json` prints them."""
    lines = dict(config.lines)
    owners = {d.name: d.line for d in devices.values()} | {"valves": config.valves.line}
    for device, address in addresses.items():
        if device not in owners:
            raise Problems([Problem(document.mark(("devices",)), f"addresses: this tool has no device '{device}'")])
        line = owners[device]
        lines[line] = LineConfig.model_validate(lines[line].model_dump() | {"address": address})
    return config.model_copy(update={"lines": lines})
