"""Strict YAML: one document, no tags, no aliases, no duplicate keys, and a place in the file for every value.

Plain scalars become int (`0`, `-3`, `42`), float (`1.5`), bool (`true`, `false`) or stay text; nothing else is
guessed, so `010`, `1:30`, `NO`, `1e3` and dates stay the text that a person wrote. Quoted scalars are always text.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

MAX_BYTES = 262_144
MAX_DEPTH = 20

_INT = re.compile(r"-?(0|[1-9][0-9]{0,17})\Z")
_FLOAT = re.compile(r"-?(0|[1-9][0-9]{0,17})\.[0-9]{1,17}\Z")
_STR_TAG = "tag:yaml.org,2002:str"
_KINDS = (yaml.ScalarNode, yaml.SequenceNode, yaml.MappingNode)

Location = tuple[int | str, ...]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in a file; line and column count from 1, as editors do."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong, where, and what would be right."""

    mark: Mark
    message: str
    severity: str = "error"  # error | warning

    def __str__(self) -> str:
        kind = "" if self.severity == "error" else f"{self.severity}: "
        return f"{self.mark}: {kind}{self.message}"


class Problems(Exception):
    """All that is wrong with one file, in the order of the file."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(set(problems))
        super().__init__("\n".join(str(p) for p in self.problems))


class Strict(BaseModel):
    """A part of a file that people write: frozen, nothing converted, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


@dataclass(frozen=True, slots=True)
class Document:
    """The data of one YAML file and the place of every key and value in it; `sha256` is that of its bytes."""

    name: str
    data: Any
    marks: dict[Location, Mark]
    keys: dict[Location, Mark]
    sha256: str = ""

    def mark(self, loc: Location, of_key: bool = False) -> Mark:
        """The place of `loc`, or of its deepest ancestor that is in the file."""
        table = self.keys if of_key else self.marks
        for depth in range(len(loc), -1, -1):
            if loc[:depth] in table:
                return table[loc[:depth]]
        return self.marks.get((), Mark(self.name, 1, 1))


def read(path: Path) -> Document:
    """Load a file; raises Problems, also when it cannot be read."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise Problems([Problem(Mark(str(path), 1, 1), f"cannot be read: {error.strerror}")]) from None
    return parse(raw, str(path))


def parse(raw: bytes | str, name: str) -> Document:
    """Parse one document; `name` is what messages call it. Raises Problems."""
    start = Mark(name, 1, 1)
    try:
        data = raw if isinstance(raw, bytes) else raw.encode()
        if len(data) > MAX_BYTES:
            raise Problems([Problem(start, f"is larger than {MAX_BYTES // 1024} KiB")])
        text = data.decode()
        _refuse_references(text, name)
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
    except UnicodeDecodeError as error:
        raise Problems([Problem(start, f"is not UTF-8 text (byte {error.start})")]) from None
    except yaml.MarkedYAMLError as error:
        where = error.problem_mark or error.context_mark
        mark = Mark(name, where.line + 1, where.column + 1) if where else start
        raise Problems([Problem(mark, f"is not YAML: {error.problem or error.context}")]) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise Problems([Problem(start, f"is not YAML: {error}")]) from None
    if node is None:
        raise Problems([Problem(start, "is empty")])
    builder = _Builder(name)
    built = builder.build(node, ())
    if builder.problems:
        raise Problems(builder.problems)
    return Document(name, built, builder.marks, builder.key_marks, hashlib.sha256(data).hexdigest())


def _refuse_references(text: str, name: str) -> None:
    """Refuse tags, anchors, aliases, a second document and deep nesting before anything is built from them."""
    depth = documents = 0
    event: Any  # the stubs know neither marks nor tags of events
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        mark = Mark(name, event.start_mark.line + 1, event.start_mark.column + 1)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise Problems([Problem(mark, "anchors and aliases (& and *) are not allowed: write the value out")])
        if getattr(event, "tag", None) not in (None, "!"):
            raise Problems([Problem(mark, f"the tag {event.tag} is not allowed: write the plain value")])
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise Problems([Problem(mark, "a second document begins here: one file holds one document")])
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise Problems([Problem(mark, f"is nested more than {MAX_DEPTH} deep")])
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


class _Builder:
    """Turns nodes into data and remembers where everything stood."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.marks: dict[Location, Mark] = {}
        self.key_marks: dict[Location, Mark] = {}
        self.problems: list[Problem] = []

    def build(self, node: yaml.Node, loc: Location) -> Any:
        self.marks[loc] = self._mark(node)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, loc)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(child, (*loc, index)) for index, child in enumerate(node.value)]
        return _scalar(node)

    def _mapping(self, node: yaml.MappingNode, loc: Location) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for key_node, value_node in node.value:
            mark = self._mark(key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append(Problem(mark, "a key must be plain text"))
                continue
            key = str(key_node.value)
            if key in out:
                first = self.key_marks[(*loc, key)]
                self.problems.append(Problem(mark, f"'{key}' stands here a second time (first at line {first.line})"))
                continue
            self.key_marks[(*loc, key)] = mark
            out[key] = self.build(value_node, (*loc, key))
        return out

    def _mark(self, node: yaml.Node) -> Mark:
        return Mark(self.name, node.start_mark.line + 1, node.start_mark.column + 1)


def _scalar(node: yaml.Node) -> Hashable:
    text = str(node.value)
    if getattr(node, "style", None) not in (None, ""):  # the C loader says "" for a plain scalar
        return text
    if text in ("true", "false"):
        return text == "true"
    if text in ("", "~", "null"):
        return None
    if _INT.match(text):
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    return text


def validate(document: Document, model: type[T] | TypeAdapter[T], context: Any = None) -> T:
    """The document as `model`; raises Problems with one line per mistake, each at its place in the file."""
    return validate_part(document, (), document.data, model, context)


def validate_part(
    document: Document, at: Location, value: Any, model: type[T] | TypeAdapter[T], context: Any = None
) -> T:
    """`value`, which stands at `at` in the document, as `model`; raises Problems like `validate`."""
    adapter = model if isinstance(model, TypeAdapter) else TypeAdapter(model)
    try:
        return adapter.validate_python(value, context=context)
    except ValidationError as error:
        raise Problems([_problem(document, at, e) for e in error.errors(include_url=False)]) from None


def attempt(problems: list[Problem], document: Document, at: Location, value: Any, kind: TypeAdapter[T]) -> T | None:
    """`value` as `kind`, or None with what is wrong added to `problems`."""
    try:
        return validate_part(document, at, value, kind)
    except Problems as error:
        problems += error.problems
        return None


_PLAIN = {
    "missing": "'{field}' is missing here",
    "extra_forbidden": "unknown key '{field}'",
    "int_type": "a whole number is expected, without leading zeros and quotes (for example 10); got {input!r}",
    "int_from_float": "a whole number is expected; got {input!r}",
    "float_type": "a number is expected, without quotes (for example 1.5); got {input!r}",
    "finite_number": "a finite number is expected; got {input!r}",
    "bool_type": "true or false is expected; got {input!r}",
    "string_type": "text is expected; got {input!r}",
    "dict_type": "keys and values are expected here; got {input!r}",
    "model_type": "keys and values are expected here; got {input!r}",
    "list_type": "a list is expected here; got {input!r}",
    "tuple_type": "a list is expected here; got {input!r}",
    "less_than": "{input!r} is out of range: below {limit} is expected",
    "less_than_equal": "{input!r} is out of range: at most {limit} is expected",
    "greater_than": "{input!r} is out of range: above {limit} is expected",
    "greater_than_equal": "{input!r} is out of range: at least {limit} is expected",
    "multiple_of": "{input!r} is not a multiple of {multiple_of}",
    "literal_error": "{expected} is expected; got {input!r}",
    "string_pattern_mismatch": "{input!r} does not have the form that is expected here: {pattern}",
    "string_too_short": "text of {min_length} characters or more is expected; got {input!r}",
    "string_too_long": "text of {max_length} characters at most is expected; got {input!r}",
    "too_short": "{min_length} or more are expected here; there are {actual_length}",
    "too_long": "{max_length} at most are expected here; there are {actual_length}",
    "union_tag_invalid": "{discriminator} is {tag!r}: one of {expected_tags} is expected",
    "union_tag_not_found": "{discriminator} is missing here: it says which kind this is",
}
_KEY = "[key]"  # how pydantic marks that a key of a mapping is wrong, and not its value
_LIMITS = ("lt", "le", "gt", "ge")
_QUANTITY = re.compile(r"\s*([+-]?[0-9]+(?:\.[0-9]+)?)\s*([^\s\d.]\S*)\s*\Z")


def _problem(document: Document, at: Location, error: Any) -> Problem:
    path, kind = tuple(error["loc"]), error["type"]
    loc = _known(document, at, path)
    of_key = kind == "extra_forbidden" or path[-1:] == (_KEY,)
    text, context = _PLAIN.get(kind, ""), error.get("ctx", {})
    if not text:
        return Problem(document.mark(loc, of_key), str(error["msg"]).removeprefix("Value error, "))
    limit = next((context[name] for name in _LIMITS if name in context), None)
    shown = error.get("input")
    words = {**context, "field": path[-1] if path else "", "input": _short(shown)}
    if limit is not None:
        words |= _as_written(_written(document, loc), shown, limit)
    return Problem(document.mark(loc, of_key), text.format(**words))


def _written(document: Document, loc: Location) -> Any:
    """What stands in the file at `loc`, before a validator made a number of it; None where it is no plain value."""
    value = document.data
    for part in loc:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value if isinstance(value, str) else None


def _as_written(written: str | None, value: Any, limit: Any) -> dict[str, object]:
    """The value as the person wrote it, and the limit in the unit that they chose.

    That unit is the fixed one when the number did not change on its way; else both are said in the fixed unit.
    """
    match = _QUANTITY.match(written or "")
    if match is None or isinstance(value, str):
        return {"input": value, "limit": f"{limit:g}"}
    same = float(match[1]) == value
    return {"input": written, "limit": f"{limit:g} {match[2]}" if same else f"{limit:g} (this is {value:g})"}


def _short(value: Any) -> Any:
    text = repr(value)
    return value if len(text) <= 60 else text[:57] + "..."


def _known(document: Document, at: Location, loc: tuple[Any, ...]) -> Location:
    """The part of a validation path that is in the file: discriminator tags and validator names are stepped over."""
    out = at
    for part in loc:
        if (*out, part) in document.marks:
            out = (*out, part)
    return out
