"""The shape of a tool file: lines, devices, valves, ports, zones, people, limits. Frozen, and refused when unsafe."""

from __future__ import annotations

import re
import typing
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ald_controller import units
from ald_controller.config.watchdog import EXTERNAL, ValveDriver, Watchdog, WatchdogTest
from ald_controller.sourced import Sourced

ChamberState = Literal["VACUUM", "PUMPING_DOWN", "VENTING", "AT_BOX", "AT_AIR", "UNKNOWN"]
CHAMBER_STATES: tuple[ChamberState, ...] = typing.get_args(ChamberState)
Role = Literal["viewer", "operator", "owner"]

LITHIUM_CEILING_C = 170.0  # no file may raise the trip above it: lithium melts at 180.5 °C
LITHIUM_CLAMP_C = 150.0  # no set-point above it on a zone that touches lithium


_ADDRESS = re.compile(r"(?:tcp://[^:/\s]+:(?P<port>[0-9]{1,5})|serial:/\S+)\Z")
_TOOL = re.compile(r"[a-z][a-z0-9-]{0,31}\Z")


class Model(BaseModel):
    """Frozen, strict, and no unknown keys: the base of everything that is read from a file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)


class LineConfig(Model):
    """One transport: `tcp://host:port` or `serial:/dev/…`; devices that name the same line share it.

    `rs485`: the serial port itself has to turn its transmitter on to send; most adapters do so in hardware.
    """

    address: str
    baud: Literal[1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200] = 9600
    parity: Literal["none", "even", "odd"] = "none"
    rs485: bool = False

    @field_validator("address")
    @classmethod
    def _known(cls, address: str) -> str:
        match = _ADDRESS.match(address)
        if not match or not 1 <= int(match["port"] or 1) <= 65535:
            raise ValueError(f"'{address[:80]}' is no address: write tcp://HOST:PORT or serial:/dev/NAME")
        return address


class Output(Model):
    """One coil of coupler A: what energised does, and where it goes on output 0 and on loss of 24 V.

    `opening` and `closing` are how long its valve takes to follow, as commissioned; `shortest` is how long it must be
    energised to open the same way every time.
    """

    coil: int = Field(ge=0, le=63)
    role: Literal["source", "by-pass", "stop", "contactor", "alive", "unused"]
    energised: Literal["opens", "closes", "enables"]
    through: Literal["direct", "inverting relay"] = "direct"
    at_zero: Literal["open", "closed", "off"]
    at_power_loss: Literal["open", "closed", "off"]
    opening: units.Seconds = Field(default=0.0, ge=0, le=0.1)
    closing: units.Seconds = Field(default=0.0, ge=0, le=0.1)
    shortest: units.Seconds = Field(default=0.0, ge=0, le=0.5)
    service_after: int | None = Field(default=None, gt=0)  # actuations; a limit that warns and stops nothing

    @model_validator(mode="after")
    def _counted(self) -> Self:
        if self.service_after is not None and self.role in ("alive", "unused"):
            counted = "sources, stop valves and contactors are"
            raise ValueError(f"service_after: outputs with the role '{self.role}' are not counted; {counted}")
        return self

    @property
    def mask(self) -> int:
        return 1 << self.coil


class ValveModule(Model):
    """Coupler A: written by the valve process alone; its watchdog is armed over the wire, or an owner has tried it."""

    driver: ValveDriver
    line: str
    unit: int = Field(ge=0, le=255)
    watchdog: Watchdog
    watchdog_test: WatchdogTest | None = None
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
            if len(set(names)) < len(names):
                raise ValueError(f"rest: {state} names an output twice: once is expected")
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

    @property
    def watchdog_ms(self) -> int:
        """The time to arm, in ms; 0 for a watchdog that is set on the module itself."""
        return 0 if self.watchdog == EXTERNAL else round(self.watchdog * 1000)

    def word(self, names: list[str]) -> int:
        """The valve word with exactly these outputs energised."""
        return sum({self.outputs[n].mask for n in names})

    def mask(self, *roles: str) -> int:
        """All bits of these roles."""
        return sum(o.mask for o in self.outputs.values() if o.role in roles)

    def compensation_s(self, names: list[str]) -> float:
        """By how much longer than their dose these outputs are energised: the last opens it, the first shuts it."""
        used = [self.outputs[name] for name in names]
        return max(o.opening for o in used) - min(o.closing for o in used)

    def shortest_s(self, names: list[str]) -> float:
        """How long these outputs must be energised at least."""
        return max(self.outputs[name].shortest for name in names)


_SAFE = {
    "source": ("closed", "closed"),
    "by-pass": ("open", "open"),
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


class Fill(Model):
    """The outputs that fill the volume of a filled source, and for how long; they are shut before it doses."""

    outputs: list[str] = Field(min_length=1)
    time: units.Seconds = Field(ge=0.2, le=60)  # without real-time priority nothing is opened for less


class Port(Model):
    """One position for a bottle: the outputs that dose from it and how its vapour is moved.

    draw: its own vapour. pushed: carrier of a flow controller of its own moves it. bubbled: carrier goes through it, by
    an inlet and an outlet, and else by its by-pass. filled: a volume is filled, shut, and let out.
    """

    outputs: list[str] = Field(min_length=1)
    delivery: Literal["draw", "pushed", "bubbled", "filled"] = "draw"
    push: Push | None = None
    fill: Fill | None = None
    zone: str | None = None  # the heated zone of its bottle; none = the bottle is at ambient

    @property
    def every_output(self) -> list[str]:
        """Those that dose and those that fill."""
        return [*self.outputs, *(self.fill.outputs if self.fill else ())]


class HeatBalance(Sourced):
    """What a zone's heater gives (W), and what the zone loses to the room and to zones beside it (W/K)."""

    power: units.Watts = Field(gt=0)
    loss: units.WattsPerKelvin = Field(ge=0)
    beside: dict[str, units.WattsPerKelvin] = Field(default={})  # written at one of the two zones


class Zone(Model):
    """One heated zone; `role` decides which limits bind. `heater` is for forecasts alone: no rule reads it."""

    device: str
    role: Literal["substrate", "chamber", "source", "line"]
    limit: units.Celsius = Field(le=400)
    standby: units.Celsius
    second: str | None = None  # signal of an independent second sensor
    max_ramp: units.KelvinsPerSecond = Field(default=0.1, gt=0, le=1)
    heater: HeatBalance | None = None


class Pump(Model):
    """How the chamber is pumped: the stop valve opens towards a running pump."""

    stop: str
    closing_time: units.Seconds = Field(default=1.0, gt=0, le=10)


class Signals(Model):
    """Which signal (`device.channel`) plays which part in the interlocks; None = not guarded here, and listed so.

    Contacts read 1 while all is well: a broken wire is an alarm.
    """

    pressure: str
    atmosphere: str | None = None  # a gauge that reads up to atmosphere, where `pressure` ends below it
    glovebox_o2: str | None = None
    glovebox_h2o: str | None = None
    box_pressure: str | None = None
    delta_p: str | None = None
    gate_shut: str | None = None
    gate_locked: str | None = None
    pump_running: str | None = None
    estop: str | None = None
    stop_valve_open: str | None = None
    limit_controller: str | None = None
    compressed_air: str | None = None
    argon: str | None = None
    mains: str | None = None
    confirm: str | None = None  # the button at the tool
    exhaust: str | None = None
    gas_monitor: str | None = None
    room_oxygen: str | None = None
    alive_relay: str | None = None


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
    box_pressure_warn: units.Pascals = Field(default=800.0, gt=0, le=1200)  # to either side of the room's
    box_pressure_trip: units.Pascals = Field(default=1200.0, gt=0, le=1240)  # a bubbler opens at 1244 Pa, 5 in of water
    gate_delta_p: units.Pascals = Field(default=500.0, gt=0, le=500)  # chamber to box; more, and the gate stays locked
    glove: units.Celsius = Field(default=60.0, ge=40, le=100)  # no glove meets what is warmer
    margin: units.Kelvins = Field(default=15.0, ge=5, le=50)  # a line stays this much above its source
    vacuum: units.Pascals = Field(default=10 * units.TORR_PA, gt=0)


class ToolConfig(Model):
    """One reactor, whole."""

    tool: str
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
    confirm_bottles: Literal["two-person", "type-the-label"] = "two-person"  # what hangs at a port
    limits: Limits = Limits()
    mqtt: Mqtt | None = None

    @field_validator("ports")
    @classmethod
    def _no_register(cls, ports: dict[str, Port]) -> dict[str, Port]:
        if "limits" in ports:
            raise ValueError("limits: no port has this name, as confirmed.limits is the register of the owner's limits")
        return ports

    @field_validator("tool")
    @classmethod
    def _name(cls, tool: str) -> str:
        if not _TOOL.match(tool):
            what = "a letter a-z, then up to 31 of a-z, 0-9 and '-'"
            raise ValueError(f"'{tool[:40]}' is no name for topics and services: {what} is expected")
        return tool

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
        return self.valves.mask("source", "by-pass")
