"""Reading a tool file: every device with its driver's settings, every name that points at nothing, all at once."""

from __future__ import annotations

import dataclasses
import typing
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ald_controller import units
from ald_controller.config.checking import DeviceConfig, cross_check
from ald_controller.config.model import LineConfig, ToolConfig
from ald_controller.config.settings import file_model, settings_of
from ald_controller.yamlfile import Document, Problem, Problems, read, validate
from drivers.catalogue import CATALOGUE

M = typing.TypeVar("M", bound=BaseModel)


class _DeviceHead(BaseModel):
    """The keys that every device has; the rest belongs to its driver."""

    model_config = ConfigDict(extra="allow", strict=True)

    driver: str
    line: str
    poll: units.Seconds = Field(gt=0)
    pace: units.Seconds | None = Field(default=None, gt=0, le=1)


@dataclasses.dataclass(frozen=True)
class Tool:
    """A checked tool configuration with its devices, and the file that it came from."""

    config: ToolConfig
    devices: dict[str, DeviceConfig]
    path: str
    text: str = dataclasses.field(repr=False, default="")


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
        problems += cross_check(document, config, devices)
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
    values = _collect(problems, Document(part.name, rest, part.marks, part.keys), file_model(settings))
    if head is None or values is None:
        raise Problems(problems)
    try:
        made = settings_of(settings, values)
    except ValueError as error:  # a driver's dataclass may check itself
        raise Problems([Problem(part.mark(()), str(error))]) from None
    return DeviceConfig(name, head.driver, head.line, head.poll, made, head.pace or 0.0)


def _collect(problems: list[Problem], document: Document, model: type[M]) -> M | None:
    """The document as `model`, or None with what is wrong added to `problems`."""
    try:
        return validate(document, model)
    except Problems as error:
        problems += error.problems
        return None


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
        moved = Document("addresses", lines[line].model_dump() | {"address": address}, {}, {})
        lines[line] = validate(moved, LineConfig)
    return config.model_copy(update={"lines": lines})
