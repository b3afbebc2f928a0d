"""What every signal reads while all is well: the start from which a person's values are tried.

The tool holds its standby temperatures and its purge flow, and rests in the word of its chamber state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ald_controller.config import ToolConfig, pa_per_unit
from ald_controller.interlocks import Facts, Setting
from ald_controller.interlocks.setting import device_of

GOOD_PPM = 0.3
_FIXED = {
    "valves.connected": 1.0, "valves.armed": 1.0, "valves.sequence": 1e6, "machine.free_mib": 100_000.0,
}  # fmt: skip
_QUANTITIES = ("_pa_per_s", "_days", "_s")  # of a register
_DUTY_PERCENT, _LITTLE_PA, _LONG_S = 10.0, 40.0, 10_000.0


@dataclass(frozen=True, slots=True)
class Assumed:
    """The value of each signal with those that a person has named, and `before` them, when all was well.

    `following` names the signal that another one follows.
    """

    values: dict[str, float]
    before: dict[str, float]
    following: dict[str, str]


def healthy(setting: Setting, signals: Iterable[str], facts: Facts, typed: Mapping[str, float]) -> Assumed:
    """A value for each of these signals; sensors of one zone follow the one that was typed, as commissioned."""
    signals = list(signals)
    values, following = _values(setting, facts, typed)
    before, _ = _values(setting, facts, {})
    return Assumed(
        {s: values.get(s, _plain(s)) for s in signals} | dict(typed), {s: before.get(s, _plain(s)) for s in signals},
        following,
    )  # fmt: skip


def _values(setting: Setting, facts: Facts, typed: Mapping[str, float]) -> tuple[dict[str, float], dict[str, str]]:
    config, constants = setting.config, setting.constants
    rests_in = config.valves.word(config.valves.rest[facts.chamber])
    isolated = rests_in & config.valves.mask("stop")
    values = {**_FIXED, "valves.word": float(rests_in)}
    values |= _asked(config, isolated=bool(isolated)) | _channels(config, isolated=bool(isolated))
    following: dict[str, str] = {}
    for name, zone in config.zones.items():
        first, second_k = f"{zone.device}.temperature_c", 0.0
        values[first] = values[f"asked.{name}_c"] = zone.standby
        values[f"{zone.device}.output_percent"] = _DUTY_PERCENT
        if zone.second is not None:
            heater = constants.heaters.get(name)
            second_k = heater.second_k if heater else 0.0
            following |= _together(values, typed, first, zone.second, second_k)
    for port in config.ports:
        values |= _pulse(f"pulse.{port}.", typed)
    return values, following


def _pulse(prefix: str, typed: Mapping[str, float]) -> dict[str, float]:
    """The newest pulse of a source was as usual; where a value of it was typed, a newer one counts."""
    newer = any(signal.startswith(prefix) for signal in typed)
    return {f"{prefix}ratio": 1.0, f"{prefix}judged": float(newer), f"{prefix}number": 2.0 if newer else 1.0}


def _together(
    values: dict[str, float], typed: Mapping[str, float], first: str, second: str, second_k: float
) -> dict[str, str]:
    """Both sensors of a zone, `second_k` apart; which one follows the other, if one was typed."""
    values[second] = typed.get(first, values[first]) + second_k
    if first in typed and second not in typed:
        return {second: first}
    if second in typed and first not in typed:
        values[first] = typed[second] - second_k
        return {first: second}
    return {}


def _asked(config: ToolConfig, *, isolated: bool) -> dict[str, float]:
    flow = 0.0 if isolated else config.purge_flow
    pushers = {port.push.device: 0.0 for port in config.ports.values() if port.push is not None}
    flows = {config.carrier: flow} | pushers
    out = {"asked.stop_shut": float(isolated), "asked.contactor": 1.0, "asked.quiet_s": _LONG_S}
    out["asked.total_sccm"] = flow
    out |= {f"asked.{device}_sccm": sccm for device, sccm in flows.items()}
    out |= {f"{device}.flow_sccm": sccm for device, sccm in flows.items()}
    return out | {f"{device}.setpoint_sccm": sccm for device, sccm in flows.items()}


def _channels(config: ToolConfig, *, isolated: bool) -> dict[str, float]:
    """What hangs at the parts of the interlocks: contacts closed, gases good, pressures as they should be."""
    s = config.signals
    out = {name: 1.0 for part, name in s.model_dump().items() if name is not None and part != "confirm"}
    if s.confirm is not None:
        out[s.confirm] = 0.0
    if s.stop_valve_open is not None:
        out[s.stop_valve_open] = float(not isolated)
    for name in (s.glovebox_o2, s.glovebox_h2o):
        if name is not None:
            out[name] = GOOD_PPM
    out |= {name: 0.0 for name in (s.box_pressure, s.delta_p) if name is not None}
    pressures = [name for name in (s.pressure, s.atmosphere) if name is not None]
    return out | {name: _LITTLE_PA / pa_per_unit(name) for name in pressures}


def _plain(signal: str) -> float:
    """Registers and contacts are 1 while all is well; leaks and ages are 0, and counts have not moved."""
    device, channel = device_of(signal), signal.partition(".")[2]
    if device == "register":
        return 0.0 if channel.endswith(_QUANTITIES) else 1.0
    return 1.0 if channel.endswith(("_ok", "_shut", "_locked", "_open", "_running")) else 0.0
