"""Strict YAML: one document, no tags, no aliases, no duplicate keys, and a place in the file for every value.

Plain scalars become int (`0`, `-3`, `42`), float (`1.5`), bool (`true`, `false`) or stay text; nothing else is
guessed, so `010`, `1:30`, `NO`, `1e3` and dates stay the text that a person wrote. Quoted scalars are always text.
"""

from __future__ import annotations

import hashlib
import os
import re
import reprlib
import stat
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

MAX_BYTES = 524_288  # ten thousand steps, each on an indented line
MAX_DEPTH = 20
MOST_PROBLEMS = 100  # nobody reads more; the rest goes with the first ones
LONGEST_MESSAGE = 1000

_INT = re.compile(r"-?(0|[1-9][0-9]{0,17})\Z")
_FLOAT = re.compile(r"-?(0|[1-9][0-9]{0,17})\.[0-9]{1,17}\Z")
_NO_CHARACTER = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_HINTS = (
    ("mapping values are not allowed", "put text with a ':' in quotes, and each key on a line of its own"),
    ("did not find expected key", "is the indentation that of the line above?"),
    ("did not find expected '-' indicator", "is the indentation that of the line above?"),
    ("did not find expected ',' or", "a bracket is not closed, or a comma is missing"),
    ("could not find expected ':'", "a key and its value are 'key: value', with the blank"),
    ("cannot start any token", "put this text in quotes"),
    ("unexpected end of stream", "a quote is not closed"),
)

Location = tuple[int | str, ...]
T = TypeVar("T")


class Mark(NamedTuple):
    """A place in a file; line and column count from 1, as editors do."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{shown(self.file)}:{self.line}:{self.column}"


def shown(text: str) -> str:
    """Text of others on one line of a screen: no control character, and none that turns the direction of writing."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text if len(text) <= LONGEST_MESSAGE else f"{text[: LONGEST_MESSAGE - 1]}…"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong, where, and what would be right; its message is one line that can be shown anywhere."""

    mark: Mark
    message: str
    severity: str = "error"  # error | warning

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", shown(self.message))

    def __str__(self) -> str:
        kind = "" if self.severity == "error" else f"{self.severity}: "
        return f"{self.mark}: {kind}{self.message}"


class Problems(Exception):
    """All that is wrong with one file, in the order of the file."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(set(problems))
        if more := self.problems[MOST_PROBLEMS:]:
            self.problems[MOST_PROBLEMS:] = [Problem(more[0].mark, f"and {len(more)} more from here on")]
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
    """Load a file; raises Problems, also when it cannot be read, or is no file of bounded size."""
    try:
        raw = _bytes_of(path)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise Problems([Problem(Mark(str(path), 1, 1), f"cannot be read: {why}")]) from None
    return parse(raw, str(path))


def _bytes_of(path: Path) -> bytes:
    """At most one byte more than is accepted: a device or a pipe has no end, and a file may be of any size."""
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(0, "it is no regular file")
        return file.read(MAX_BYTES + 1)


def parse(raw: bytes | str, name: str) -> Document:
    """Parse one document; `name` is what messages call it. Raises Problems."""
    start = Mark(name, 1, 1)
    try:
        data = raw if isinstance(raw, bytes) else raw.encode()
    except UnicodeEncodeError as error:
        raise Problems([Problem(start, f"is not Unicode text (character {error.start})")]) from None
    if len(data) > MAX_BYTES:
        raise Problems([Problem(start, f"is larger than {MAX_BYTES // 1024} KiB")])
    builder = _Builder(_text(data, name), name)
    try:
        built = builder.document()
    except yaml.MarkedYAMLError as error:
        where = error.problem_mark or error.context_mark
        mark = Mark(name, where.line + 1, where.column + 1) if where else start
        raise Problems([Problem(mark, f"is not YAML: {builder.why(error)}")]) from None
    except (yaml.YAMLError, ValueError) as error:
        raise Problems([Problem(start, f"is not YAML: {error}")]) from None
    if builder.problems:
        raise Problems(builder.problems)
    return Document(name, built, builder.marks, builder.key_marks, hashlib.sha256(data).hexdigest())


def _text(data: bytes, name: str) -> str:
    """The characters of a file, all of which YAML allows; raises Problems."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start]
        mark = Mark(name, before.count(b"\n") + 1, error.start - before.rfind(b"\n"))
        raise Problems([Problem(mark, f"is not UTF-8 text (byte {error.start})")]) from None
    if (odd := _NO_CHARACTER.search(text)) is not None:
        line = text.count("\n", 0, odd.start()) + 1
        mark = Mark(name, line, odd.start() - text.rfind("\n", 0, odd.start()))
        raise Problems([Problem(mark, f"the character U+{ord(odd[0]):04X} is not allowed in YAML: take it out")])
    return text


class _Builder:
    """Turns the events of one text into data, in one pass, and remembers where everything stood.

    Tags, anchors, aliases, a second document and deep nesting are refused as they come: nothing is built from them.
    """

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self.marks: dict[Location, Mark] = {}
        self.key_marks: dict[Location, Mark] = {}
        self.problems: list[Problem] = []
        self._text = text
        self._depth = 0

    def document(self) -> Any:
        """The one document of the text; raises Problems and what the parser raises."""
        self._events: Any = yaml.parse(self._text, Loader=yaml.CSafeLoader)  # the stubs know no marks or tags of events
        next(self._events)
        if isinstance(self._next(), yaml.StreamEndEvent):
            raise Problems([Problem(Mark(self.name, 1, 1), "is empty")])
        value = self._value(self._next(), ())
        self._next()
        if not isinstance(after := self._next(), yaml.StreamEndEvent):
            message = "a second document begins here: one file holds one document"
            raise Problems([Problem(self._mark(after), message)])
        return value

    def why(self, error: yaml.MarkedYAMLError) -> str:
        """What the parser says, and where it is known what a person did, that."""
        said, where = error.problem or error.context or "", error.problem_mark
        lines = self._text.splitlines()
        line = lines[where.line] if where and where.line < len(lines) else ""
        if "cannot start any token" in said and where and line[where.column : where.column + 1] == "\t":
            return "a tab stands here: indent with spaces"
        return next((f"{said} ({hint})" for words, hint in _HINTS if words in said), said)

    def _next(self) -> Any:
        event = next(self._events)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            message = "anchors and aliases (& and *) are not allowed: write the value out"
            raise Problems([Problem(self._mark(event), message)])
        if getattr(event, "tag", None) not in (None, "!"):
            message = f"the tag {event.tag[:60]} is not allowed: write the plain value"
            raise Problems([Problem(self._mark(event), message)])
        if isinstance(event, yaml.CollectionStartEvent):
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise Problems([Problem(self._mark(event), f"is nested more than {MAX_DEPTH} deep")])
        elif isinstance(event, yaml.CollectionEndEvent):
            self._depth -= 1
        return event

    def _value(self, event: Any, loc: Location) -> Any:
        self.marks[loc] = self._mark(event)
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(loc)
        out: list[Any] = []
        while not isinstance(inner := self._next(), yaml.SequenceEndEvent):
            out.append(self._value(inner, (*loc, len(out))))
        return out

    def _mapping(self, loc: Location) -> dict[str, Any]:
        out: dict[str, Any] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            if (key := self._key(event, loc, out)) is None:
                self._skip(self._next())
                continue
            self.key_marks[(*loc, key)] = self._mark(event)
            out[key] = self._value(self._next(), (*loc, key))
        return out

    def _key(self, event: Any, loc: Location, before: dict[str, Any]) -> str | None:
        """The key, or None and a problem where it is none, or a second one."""
        mark = self._mark(event)
        if not isinstance(event, yaml.ScalarEvent):
            self.problems.append(Problem(mark, "a key must be plain text"))
            self._skip(event)
            return None
        key = str(event.value)
        if key not in before:
            return key
        first = self.key_marks[(*loc, key)]
        message = f"'{key[:60]}' stands here a second time (first at line {first.line})"
        self.problems.append(Problem(mark, message))
        return None

    def _skip(self, event: Any) -> None:
        """Go past a value that nothing is built from."""
        depth = self._depth - isinstance(event, yaml.CollectionStartEvent)
        while self._depth > depth:
            self._next()

    def _mark(self, event: Any) -> Mark:
        mark = event.start_mark
        return Mark(self.name, mark.line + 1, mark.column + 1)


def _scalar(event: Any) -> Hashable:
    text = str(event.value)
    if event.style not in (None, ""):  # the C loader says "" for a plain scalar
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
_BRIEF = reprlib.Repr()  # never the whole of a long value, which would be made anew for every mistake in it
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
    text = repr(value[:80]) if isinstance(value, str) else _BRIEF.repr(value)
    return _Brief(text if len(text) <= 60 else text[:57] + "...")


class _Brief(str):
    """What stands for a value in a message, as it is."""

    __repr__ = str.__str__


def _known(document: Document, at: Location, loc: tuple[Any, ...]) -> Location:
    """The part of a validation path that is in the file: discriminator tags and validator names are stepped over."""
    out = at
    for part in loc:
        if (*out, part) in document.marks:
            out = (*out, part)
    return out
