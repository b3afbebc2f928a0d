"""What the tool knows of itself between runs: the load, the bottles, the leak, each dated and signed.

Pure: `Registers` is a value and `set` makes the next one. `RegisterFile` keeps it in a YAML file, atomically.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from ald_controller import commissioning, stamp, units
from ald_controller.chemistry import ALKALI_METALS, LITHIUM, Chemistry, close
from ald_controller.commissioned import Constants
from ald_controller.yamlfile import Document, Location, Mark, Problem, Problems, Strict, parse, read, validate_part

_NAME = re.compile(r"[a-z][A-Za-z0-9 ._-]{0,63}\Z")
Text = Annotated[str, Field(min_length=1, max_length=200)]


class Load(Strict):
    """What lies in the chamber; written when the gate closes."""

    material: Text
    pieces: int | None = Field(default=None, ge=0, le=10_000)
    samples: list[Text] = Field(default=[], max_length=1000)
    tray: Text | None = None
    witness: Text | None = None
    surface_prep: Text | None = None
    box_exposure: Text | None = None
    seen_empty: Annotated[bool, Field(strict=True)] | None = None  # the chamber, before this was laid into it


class BottleCard(Strict):
    """The bottle that hangs at a port; grams is what is left in it."""

    label: Text
    precursor: Text
    grams: units.Grams | None = Field(default=None, ge=0)
    lot: Text | None = None
    supplier: Text | None = None
    gross_mass: units.Grams | None = None
    tare: units.Grams | None = None
    filled_on: Text | None = None


class BottleConfirmation(Strict):
    """Somebody has read the label at the bottle; `card` is the hash of the card that this confirms."""

    label: Text
    second: Text | None = None
    card: Text | None = None


class Cylinder(Strict):
    """The cylinder, or the house line, that purges: what is in it, and the number on its label."""

    gas: Text
    id: Text


class AnalyserTest(Strict):
    """An analyser of the glovebox was tried on a known gas, and is to be again after `every`."""

    method: Text
    every: units.Seconds = Field(gt=0, le=90_000 * 3600)


class ProofTest(Strict):
    """The newest whole proof test of the interlocks; dated and signed like every register.

    `simulated` = its devices were, None = nobody said; `failed` = lines that have failed since, and not passed again.
    """

    passed: bool = Field(strict=True)
    certificate: Text
    simulated: bool | None = None
    failed: list[Text] = Field(default=[])

    def proves(self, *, simulated: bool | None) -> bool:
        """Whether a tool counts as proven by it; what was found on simulated wires says nothing of real ones."""
        return self.passed and not self.failed and (simulated is True or self.simulated is not True)


class BoxMode(Strict):
    """The purifier of the glovebox regenerates until then, in UTC."""

    until: Text

    @model_validator(mode="after")
    def _a_time(self) -> Self:
        if stamp.seconds(self.until) is None:
            raise ValueError(f"until: '{self.until[:40]}' is no time in UTC, such as 2031-05-04T12:30:00Z")
        return self

    @property
    def until_utc(self) -> float:
        """Unix seconds."""
        return stamp.seconds(self.until) or 0.0


OF_VERBS = {"box": "ald box", "gate": "ald gate", "proof": "ald proof-test"}  # registers that have a verb of their own
CONFIRMED_LIMITS = "confirmed.limits"
_LimitsName = Annotated[str, Field(pattern=r"^[0-9a-f]{4}(-[0-9a-f]{4}){3}$")]
_KINDS: dict[str, TypeAdapter[Any]] = {
    CONFIRMED_LIMITS: TypeAdapter(_LimitsName),
    "load": TypeAdapter(Load),
    "cylinder": TypeAdapter(Cylinder),
    "analyser.O2": TypeAdapter(AnalyserTest),
    "analyser.H2O": TypeAdapter(AnalyserTest),
    "box": TypeAdapter(BoxMode),
    "gate": TypeAdapter(Literal["released"]),
    "proof": TypeAdapter(ProofTest),
    "leak": TypeAdapter(Annotated[units.PascalsPerSecond, Field(ge=0)]),
    "seasoned": TypeAdapter(Annotated[bool, Field(strict=True)]),
}
_BOTTLE = TypeAdapter(BottleCard)
_CONFIRMATION = TypeAdapter(BottleConfirmation)
PLANNED = "plan"  # the signature of a load or rack that is only assumed for a check
_BOTTLE_PREFIX = "bottle."
CONFIRMED_PREFIX = "confirmed."
EXAMPLES = {
    CONFIRMED_LIMITS: "1a2b-3c4d-5e6f-7890",
    "confirmed.PORT": "{label: LTB-07}",
    "load": "{material: lithium, pieces: 3, samples: [A1, A2, A3]}",
    "cylinder": "{gas: argon, id: AR-0042}",
    "analyser.O2": "{method: 5 ppm test gas, every: 2160 h}",
    "analyser.H2O": "{method: 5 ppm test gas, every: 2160 h}",
    "leak": "2 mTorr/min",
    "seasoned": "true",
    "bottle.PORT": "{label: LTB-07, precursor: LiOtBu, grams: 12 g}",
    **commissioning.EXAMPLES,
}


@dataclass(frozen=True)
class Entry:
    """One register: its value as written (JSON-able), as read with names resolved, who wrote it and when (UTC)."""

    written: Any
    value: Any = field(compare=False)
    by: str
    at: str


class _Signed(Strict):
    value: Any
    by: Text
    at: Text


class _File(Strict):
    simulated: bool = False
    registers: dict[str, Any]


_SIGNED = TypeAdapter(_Signed)
_FILE = TypeAdapter(_File)


@dataclass(frozen=True)
class Registers:
    """All registers of one tool. What is not in it is unknown, and unknown is never good news."""

    entries: dict[str, Entry] = field(default_factory=dict)
    simulated: bool = False

    @staticmethod
    def load(path: Path, chemistry: Chemistry) -> Registers:
        """Read a registers file; raises Problems."""
        return Registers.of(read(path), chemistry)

    @staticmethod
    def of(document: Document, chemistry: Chemistry) -> Registers:
        """The registers in a document; raises Problems, all at once."""
        head = validate_part(document, (), document.data, _FILE)
        problems: list[Problem] = []
        entries: dict[str, Entry] = {}
        for name, raw in head.registers.items():
            at: Location = ("registers", name)
            try:
                signed = validate_part(document, at, raw, _SIGNED)
                value = _value(document, (*at, "value"), name, signed.value, chemistry)
                entries[name] = Entry(signed.value, value, signed.by, signed.at)
            except Problems as error:
                problems += error.problems
        if problems:
            raise Problems(problems)
        return Registers(entries, head.simulated)

    def set(self, name: str, value: object, by: str, at: str, chemistry: Chemistry) -> Registers:
        """These registers with one more; `value` is text as a person types it, or data. Raises Problems."""
        document = _document(name, value)
        read = _value(document, (), name, document.data, chemistry)
        validate_part(document, (), {"value": document.data, "by": by, "at": at}, _SIGNED)
        return Registers({**self.entries, name: Entry(document.data, read, by, at)}, self.simulated)

    def without(self, name: str) -> Registers:
        """These registers with one unknown: what the gate's opening makes of the load."""
        return Registers({n: e for n, e in self.entries.items() if n != name}, self.simulated)

    def get(self, name: str) -> Any:
        """The value of one register, or None when it is unknown."""
        return self.entries[name].value if name in self.entries else None

    def load_register(self) -> Load | None:
        """What lies in the chamber; None when nobody has said."""
        value = self.get("load")
        return value if isinstance(value, Load) else None

    @property
    def load_material(self) -> str | None:
        """The one name of the loaded material; None when it is unknown."""
        load = self.load_register()
        return load.material if load else None

    @property
    def is_lithium(self) -> bool:
        """Whether lithium limits apply: they do unless a known material was signed for that is no alkali metal."""
        return self.load_material is None or self.load_material in ALKALI_METALS

    @property
    def is_unguarded(self) -> bool:
        """Whether what is loaded melts and burns below the limits that guard lithium: sodium, potassium."""
        return self.load_material in ALKALI_METALS - {LITHIUM}

    @property
    def argon(self) -> bool:
        """Whether somebody has signed for it that argon, and nothing else, purges this tool."""
        cylinder = self.get("cylinder")
        return isinstance(cylinder, Cylinder) and cylinder.gas.strip().lower() == "argon"

    def bottles(self) -> dict[str, BottleCard]:
        """The card of the bottle at each port."""
        found = {n.removeprefix(_BOTTLE_PREFIX): self.get(n) for n in self.entries if n.startswith(_BOTTLE_PREFIX)}
        return {port: card for port, card in found.items() if isinstance(card, BottleCard)}

    def rack(self) -> dict[str, str]:
        """Port -> the one name of the precursor that hangs there."""
        return {port: card.precursor for port, card in self.bottles().items()}

    def with_load(self, document: Document, chemistry: Chemistry) -> Registers:
        """The same tool with a planned load: a file that holds what `register set load` takes. Raises Problems."""
        value = _value(document, (), "load", document.data, chemistry)
        return Registers({**self.entries, "load": Entry(document.data, value, PLANNED, "planned")}, self.simulated)

    def with_rack(self, document: Document, chemistry: Chemistry) -> Registers:
        """The same tool with a planned rack, a file of `PORT: precursor` or `PORT: card`. Raises Problems."""
        table = validate_part(document, (), document.data, TypeAdapter(dict[str, Any]))
        kept = {n: e for n, e in self.entries.items() if not n.startswith(_BOTTLE_PREFIX)}
        for port, raw in table.items():
            card = {"label": "planned", "precursor": raw} if isinstance(raw, str) else raw
            value = _value(document, (port,), _BOTTLE_PREFIX + port, card, chemistry)
            kept[_BOTTLE_PREFIX + port] = Entry(card, value, PLANNED, "planned")
        return Registers(kept, self.simulated)

    @property
    def constants(self) -> Constants:
        """What was commissioned on this reactor."""
        return commissioning.constants_of({name: entry.value for name, entry in self.entries.items()})

    def dump(self) -> dict[str, Any]:
        """JSON-able, as the file holds it."""
        entries = {n: {"value": e.written, "by": e.by, "at": e.at} for n, e in sorted(self.entries.items())}
        return {"simulated": self.simulated, "registers": entries}

    def hash(self) -> str:
        """SHA-256 over everything that is known: runs carry it."""
        return hashlib.sha256(json.dumps(self.dump(), sort_keys=True).encode()).hexdigest()


def _document(name: str, value: object) -> Document:
    """Typed text parsed as YAML; data as it is. Every place in it is called after the register."""
    if isinstance(value, str):
        return parse(value, f"register {name}")
    return Document(f"register {name}", value, {(): Mark(f"register {name}", 1, 1)}, {})


def _value(document: Document, at: Location, name: str, written: object, chemistry: Chemistry) -> Any:
    """The typed value of a register, with its names known to the chemistry; raises Problems."""
    kind = _kind(name)
    if kind is None or not _NAME.match(name):
        known = ", ".join(EXAMPLES)
        raise Problems([Problem(document.mark(at), f"there is no register '{name[:40]}'; there are: {known}")])
    value = validate_part(document, at, written, kind)
    if isinstance(value, Load):
        return value.model_copy(update={"material": _material(document, at, value, chemistry)})
    if isinstance(value, BottleCard):
        return value.model_copy(update={"precursor": _precursor(document, at, value, chemistry)})
    return value


def _kind(name: str) -> TypeAdapter[Any] | None:
    if name.startswith(_BOTTLE_PREFIX) and len(name) > len(_BOTTLE_PREFIX):
        return _BOTTLE
    if name.startswith(CONFIRMED_PREFIX) and name != CONFIRMED_LIMITS and len(name) > len(CONFIRMED_PREFIX):
        return _CONFIRMATION
    return _KINDS.get(name) or commissioning.kind_of(name)


def _material(document: Document, at: Location, load: Load, chemistry: Chemistry) -> str:
    name = chemistry.material(load.material)
    if name is None:
        hint = close(load.material, chemistry.material_names)
        known = ", ".join(chemistry.materials)
        message = f"'{load.material}' is not in the table of materials{hint} (known: {known})"
        raise Problems([Problem(document.mark((*at, "material")), message)])
    return name


def _precursor(document: Document, at: Location, card: BottleCard, chemistry: Chemistry) -> str:
    name = chemistry.name(card.precursor)
    if name is None:
        message = f"'{card.precursor}' is not in the table of precursors{close(card.precursor, chemistry.names)}"
        raise Problems([Problem(document.mark((*at, "precursor")), message)])
    return name


class RegisterFile:
    """Registers in a file: replaced whole or not at all, whatever happens while writing.

    `registers` is what the file holds; nothing when there is no file yet. Raises Problems when it cannot be read.
    """

    def __init__(self, path: Path, chemistry: Chemistry) -> None:
        self.path, self._chemistry = path, chemistry
        self.registers = Registers.load(path, chemistry) if path.exists() else Registers()

    def save(self, registers: Registers) -> None:
        """Durable when it returns; raises OSError and then leaves the old file as it was."""
        text = _yaml(registers.dump())
        temporary = self.path.with_name(self.path.name + ".new")
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self.registers = registers

    def set(self, name: str, value: object, by: str, at: str) -> Registers:
        """Set one register and save; raises Problems or OSError, and then nothing has changed."""
        self.save(self.registers.set(name, value, by, at, self._chemistry))
        return self.registers

    def drop(self, name: str) -> None:
        """Make one register unknown at once, and in the file with the next `save`."""
        self.registers = self.registers.without(name)

    def strike(self, name: str) -> bool:
        """Make one register's line in the file a comment, where it lies: one byte, for which a full disk has room.

        False when there is no such line; raises OSError.
        """
        with self.path.open("r+b") as file:
            line = re.search(rf'^  "?{re.escape(name)}"?: '.encode(), file.read(), re.MULTILINE)
            if line is not None:
                file.seek(line.start())
                file.write(b"#")
                file.flush()
                os.fsync(file.fileno())
        return line is not None


def _yaml(data: dict[str, Any]) -> str:
    """One register a line; JSON is YAML, and the strict loader reads it."""
    lines = [f"  {json.dumps(n)}: {json.dumps(e, ensure_ascii=False)}" for n, e in data["registers"].items()]
    body = "\n".join(lines) if lines else "  {}"
    return f"simulated: {json.dumps(data['simulated'])}\nregisters:\n{body}\n"
