"""The folder of one run: its name, its files, its header `run.json`, and whether somebody still writes it.

runs/2031-05-04-123000-lialo-17/      UTC date and time of the start, recipe, number of the run on this tool
  run.json         the header below; written whole at the start and again, atomically, at an extension and at the end
  recipe.yaml      the recipe, byte for byte as it was checked
  tool.yaml        the tool file, byte for byte
  plan.json        the resolved plan: every name a valve, every quantity a number
  registers.yaml   what the tool knew of itself at the start: chamber, load, bottles, constants
  journal.db       SQLite: events, intents, edges, readings (see `journal`)
  running          locked by the writer for as long as it lives; left behind only by a crash
  report.html      made by `ald report`
"""

from __future__ import annotations

import dataclasses
import fcntl
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import IO, Any, Literal

import yaml
from pydantic import TypeAdapter, ValidationError

from ald_controller.config import Tool
from ald_controller.plan import PLAN, Plan
from ald_controller.stamp import Anchor, iso
from ald_controller.states import Ending
from ald_controller.valves.timing import Timing

HEADER, JOURNAL, RUNNING, REPORT = "run.json", "journal.db", "running", "report.html"
_NUMBER = re.compile(r"-(\d+)\Z")


class RecordError(Exception):
    """A run folder cannot be read: names the folder and what is missing or wrong in it."""


@dataclass(frozen=True)
class Lane:
    """One coil of the valve word as the record and the report name it; `shuts` = energised closes the valve."""

    name: str
    mask: int
    role: str
    shuts: bool = False


@dataclass(frozen=True)
class ZoneFacts:
    """One heated zone: its device, its role, the owner's limit in °C, the signal of its second sensor."""

    device: str
    role: str
    limit_c: float
    second: str | None = None


def counted(turns: int) -> str:
    return f"{turns} turn" + "s" * (turns != 1)


@dataclass(frozen=True)
class Extension:
    """Turns added to a run: at which loop second, by whom, of which repeat, how many, and how many it has with them.

    `warnings` are what its check found that no check before had.
    """

    at_s: float
    by: str
    repeat: str
    turns: int
    times: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunHeader:
    """What a run was: everything that a reader needs to judge it without the tool. Times in loop seconds.

    Cycles, doses, duration and thickness are those of the plan with its `extensions`; plan.json is the first one.
    """

    recipe: str
    title: str
    recipe_hash: str
    tool: str
    tool_title: str
    tool_hash: str
    substrate: str
    lithium: bool
    film: str
    thickness_nm: float | None
    cycles: int
    doses: int
    duration_s: float
    parameters: dict[str, str]
    rack: dict[str, str]  # port -> precursor
    who: str
    door: str
    anchor: Anchor
    valves: tuple[Lane, ...]
    signals: dict[str, str] = field(default_factory=dict)  # part in the interlocks -> signal
    zones: dict[str, ZoneFacts] = field(default_factory=dict)
    limits: dict[str, float] = field(default_factory=dict)  # of the tool file, in its fixed units
    lithium_max_c: float | None = None
    warnings: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    simulated: bool | None = None  # None = not known
    degraded_timing: bool = False
    valve_timing: Timing | None = None  # of the valve process's start before this run; None where nothing measured it
    software: dict[str, str] = field(default_factory=dict)
    extensions: tuple[Extension, ...] = ()
    run: str = ""  # the folder's name; given by `make_folder`
    number: int = 0
    start_s: float = 0.0
    end_s: float | None = None
    ending: Ending | None = None
    summary: dict[str, Any] = field(default_factory=dict)
    format: Literal[1] = 1

    @property
    def start_utc(self) -> float:
        """Unix seconds."""
        return self.anchor.utc(self.start_s)


_HEADER: TypeAdapter[RunHeader] = TypeAdapter(RunHeader)


@dataclass(frozen=True)
class RunSummary:
    """One line of `ald runs`; `ending` is None while the run is being written.

    `header` is None, and `problem` says why, where a folder cannot be read.
    """

    run: str
    folder: Path
    header: RunHeader | None
    ending: Ending | None
    problem: str = ""


@dataclass(frozen=True)
class Papers:
    """What is copied into the folder at the start, verbatim, and never changes."""

    plan: Plan
    recipe_text: str
    tool_text: str
    registers: Mapping[str, object]


def header_for(
    plan: Plan, tool: Tool, *, who: str, door: str, anchor: Anchor, simulated: bool | None, degraded_timing: bool,
    valve_timing: Timing | None = None,
) -> RunHeader:  # fmt: skip
    """The header of a run of `plan` on `tool` that starts at the anchor's moment."""
    config = tool.config
    return RunHeader(
        recipe=plan.recipe, title=plan.title, recipe_hash=plan.recipe_hash,
        tool=config.tool, tool_title=config.title, tool_hash=plan.tool_hash,
        substrate=plan.substrate, lithium=plan.lithium, film=plan.film, thickness_nm=plan.thickness_nm,
        cycles=plan.cycles, doses=plan.doses, duration_s=plan.duration_s,
        parameters=dict(plan.parameters), rack=dict(plan.rack), who=who, door=door, anchor=anchor,
        valves=tuple(
            Lane(n, o.mask, o.role, o.energised == "closes")
            for n, o in config.valves.outputs.items() if o.role in ("source", "by-pass", "stop")
        ),
        signals={part: s for part, s in config.signals.model_dump().items() if s is not None},
        zones={n: ZoneFacts(z.device, z.role, z.limit, z.second) for n, z in config.zones.items()},
        limits=config.limits.model_dump(), lithium_max_c=plan.lithium_zones_max_c,
        warnings=plan.warnings, assumptions=plan.assumptions,
        simulated=simulated, degraded_timing=degraded_timing, valve_timing=valve_timing,
        start_s=anchor.monotonic_s,
    )  # fmt: skip


def software() -> dict[str, str]:
    """The versions that made the record."""
    try:
        own = metadata.version("ald-controller")
    except metadata.PackageNotFoundError:
        own = "not installed: run from a work tree"
    return {"ald-controller": own, "python": sys.version.split()[0]}


def make_folder(root: Path, header: RunHeader, papers: Papers) -> tuple[Path, RunHeader]:
    """A new folder below `root` with everything but the journal, on the disk; the header as it was written."""
    root.mkdir(parents=True, exist_ok=True)
    moment = re.sub(r"[:T]", "-", iso(header.start_utc)[:19]).replace("-", "")
    day, clock = f"{moment[:4]}-{moment[4:6]}-{moment[6:8]}", moment[8:]
    name = re.sub(r"[^A-Za-z0-9_.]+", "-", header.recipe).strip("-.") or "recipe"
    number = 1 + max((n for _, n in _numbered(root)), default=0)
    folder = root / f"{day}-{clock}-{name}-{number}"
    folder.mkdir()
    header = dataclasses.replace(header, run=folder.name, number=number, software=software())
    write_whole(folder / "recipe.yaml", papers.recipe_text)
    write_whole(folder / "tool.yaml", papers.tool_text)
    write_whole(folder / "plan.json", PLAN.dump_json(papers.plan, indent=1).decode())
    write_whole(folder / "registers.yaml", yaml.safe_dump(dict(papers.registers), allow_unicode=True, sort_keys=False))
    write_header(folder, header)
    _sync_directory(root)
    return folder, header


def _numbered(root: Path) -> Iterator[tuple[str, int]]:
    for entry in os.scandir(root):
        match = _NUMBER.search(entry.name)
        if match:
            yield entry.name, int(match[1])


def write_header(folder: Path, header: RunHeader) -> None:
    """Replace run.json in one step: a reader sees the old one or the new one, whole."""
    write_whole(folder / HEADER, _HEADER.dump_json(header, indent=1).decode())


def read_header(folder: Path) -> RunHeader:
    """The header of a run folder; raises RecordError."""
    path = folder / HEADER
    try:
        return _HEADER.validate_json(path.read_bytes())
    except OSError as error:
        raise RecordError(f"{folder}: not a run folder: {HEADER}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RecordError(f"{path}: not a header that this version reads: {where}: {first['msg']}") from None


def write_whole(path: Path, text: str) -> None:
    """The file with exactly this text, durable, never half of it."""
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def claim(folder: Path) -> IO[bytes]:
    """Mark the folder as being written; the kernel takes the mark away with the process, however it ends."""
    file = (folder / RUNNING).open("wb")
    fcntl.flock(file, fcntl.LOCK_EX)  # a reader that asks holds it for an instant
    return file


def release(folder: Path, mark: IO[bytes]) -> None:
    """Nobody writes the folder any more."""
    (folder / RUNNING).unlink(missing_ok=True)
    mark.close()


def is_running(folder: Path) -> bool:
    """Whether a living process writes this folder."""
    try:
        with (folder / RUNNING).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def ending_of(folder: Path, header: RunHeader) -> Ending | None:
    """How the run ended; None while it runs; a run without an ending and without a writer was interrupted."""
    if header.ending is not None or is_running(folder):
        return header.ending
    return "interrupted"


def list_runs(root: Path) -> list[RunSummary]:
    """Every run below `root`, newest first; what cannot be read is listed with its problem."""
    if not root.is_dir():
        return []
    return [_summary(root / name) for name, _ in sorted(_numbered(root), key=lambda item: item[1], reverse=True)]


def left_open(root: Path) -> list[Path]:
    """The folders that a dead writer may have left open, newest first: the newest one always, and those it marked."""
    if not root.is_dir():
        return []
    newest_first = [root / name for name, _ in sorted(_numbered(root), key=lambda item: item[1], reverse=True)]
    return [*newest_first[:1], *(folder for folder in newest_first[1:] if (folder / RUNNING).exists())]


def _summary(folder: Path) -> RunSummary:
    try:
        header = read_header(folder)
    except RecordError as error:
        return RunSummary(folder.name, folder, None, "interrupted", str(error))
    return RunSummary(header.run, folder, header, ending_of(folder, header))


def free_bytes(root: Path) -> int:
    """Free space of the disk below `root` (row K8: warn under 1 GiB, no start under 500 MiB)."""
    return shutil.disk_usage(root).free
