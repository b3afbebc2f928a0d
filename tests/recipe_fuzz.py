"""Recipes as nobody should write them, and what every answer to them must be: for tests, and as a child process.

`python -m tests.recipe_fuzz` plans them all under a limit of memory and prints, as JSON, how each went.
"""

from __future__ import annotations

import copy
import json
import re
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import yaml
from hypothesis import strategies as st

from ald_controller.plan import Plan
from ald_controller.yamlfile import MAX_BYTES, MOST_PROBLEMS, Problem, Problems, parse
from tests.recipe_bench import HEAD, SHIPPED, WARM, plan, recipe, shipped

MEMORY_BYTES = 768 * 2**20  # of everything in the child, Python and its libraries included
EVERY_VERB = """\
recipe: every-verb
title: One of each
film: Al2O3
target: 0.67 nm
substrate: {material: lithium foil, area: 20 cm2, aspect_ratio: 30, limit: 140 °C}
provenance: none
needs: {bottles: {TMA: 1 g}}
parameters: {cycles: {default: 3, min: 1, max: 9}, rest: {default: 20 s, min: 5 s}}
define:
  half: [{pulse: {precursor: TMA, time: 15 ms, times: 2, every: 1 s}}, {purge: $rest}]
  other: [{pulse: {precursor: water, time: 15 ms}}, {purge: {time: 20 s, provenance: "Groner 2004"}}]
prepare:
  - pump: {to: 100 mTorr, no_faster_than: 10 Torr/s, timeout: 15 min, else: hold}
  - flow: {carrier: 20 sccm}
  - heat: {TMA: room, substrate: 120 °C, chamber: 120 °C, ramp: 3 K/min}
  - use: {block: standard heat-up, with: {substrate: 120 °C}}
  - wait: {for: temperatures, within: 1 K, stay: 30 min, timeout: 4 h, else: finish}
  - wait: {for: leak, below: 5 mTorr/min, timeout: 4 h, else: finish}
deposit:
  - repeat:
      times: $cycles
      name: outer
      steps: [{repeat: {times: 1, steps: half}}, {repeat: {times: 1, steps: other}}]
  - repeat:
      times: 2
      steps:
        - expose: {precursor: TMA, pulse: 15 ms, times: 3, every: 1 s, hold: 1 s, flow: 2 sccm, to: 1 Torr, else: alarm}
        - purge: {time: 20 s, and: pressure below 1.05 base, timeout: 1 min, else: alarm}
        - pulse: {precursor: water, time: 15 ms}
        - purge: 20 s
finish: [{purge: 5 s}, {heat: {substrate: off}}, {wait: {for: substrate, below: 60 °C, timeout: 6 h, else: alarm}}]
"""


def _many(line: str, n: int) -> bytes:
    return (f"{HEAD}{WARM}deposit:\n" + line * n + "finish: [{purge: 5 s}]\n").encode()


def _deposit(steps: str) -> bytes:
    return recipe(steps).encode()


def _define_bomb() -> bytes:
    """Twelve defines that each name the next one ten times: 10^12 steps."""
    defines = "".join(
        f"  d{i}: [{', '.join([f'{{repeat: {{times: 2, steps: d{i + 1}}}}}'] * 10)}]\n" for i in range(10)
    )
    return (f"{HEAD}define:\n{defines}  d10: [{{purge: 5 s}}]\n{WARM}deposit: [{{repeat: {{times: 2, steps: d0}}}}]\n"
            "finish: [{purge: 5 s}]\n").encode()  # fmt: skip


def _laughs() -> bytes:
    rows = ["a0: &a0 [lol, lol]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    return "\n".join(rows).encode()


def _nested_repeats() -> bytes:
    steps = "[{pulse: {precursor: TMA, time: 15 ms}}, {purge: 5 s}]"
    for _ in range(8):
        steps = f"[{{repeat: {{times: 100000, steps: {steps}}}}}]"
    return f"{HEAD}{WARM}deposit: {steps}\nfinish: [{{purge: 5 s}}]\n".encode()


SHOTS = "  - pulse: {precursor: TMA, time: 15 ms, times: %d, every: 1 s}\n  - purge: 5 s\n"
HOSTILE: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "blanks": lambda: b" \n" * 1000,
    "a byte order mark alone": lambda: b"\xef\xbb\xbf",
    "the wrong byte order mark": lambda: EVERY_VERB.encode("utf-16"),
    "bytes that are no text": lambda: bytes(range(256)) * 100,
    "NUL in a value": lambda: EVERY_VERB.replace("One of each", "One\0of each").encode(),
    "a terminal's commands": lambda: EVERY_VERB.replace("purge: 5 s", 'purge: "\\e[2J\\u202E5 s"').encode(),
    "tabs": lambda: EVERY_VERB.replace("  - ", "\t- ").encode(),
    "ten thousand brackets": lambda: b"[" * 10_000 + b"]" * 10_000,
    "ten thousand braces": lambda: b"{a: " * 10_000 + b"}" * 10_000,
    "ten thousand dashes": lambda: b"- " * 10_000,
    "ten thousand question marks": lambda: b"? " * 10_000,
    "ten thousand indents": lambda: b"".join(b" " * min(i, 200) + b"a:\n" for i in range(2_000)),
    "a billion laughs": _laughs,
    "a merge key": lambda: b"base: &b {purge: 5 s}\ndeposit: [{<<: *b}]",
    "an object of Python": lambda: b"recipe: !!python/object/apply:os.system [id]",
    "two documents": lambda: EVERY_VERB.encode() + b"---\n" + EVERY_VERB.encode(),
    "a number of 4,000 digits": lambda: _deposit(f"repeat: {{times: {'9' * 4000}, steps: [{{purge: 5 s}}]}}"),
    "a time of 4,000 digits": lambda: _deposit(f"purge: {'9' * 4000} s"),
    "a share of 4,000 digits": lambda: _deposit(f"purge: 0.{'9' * 4000} s"),
    "a thousand million cycles": lambda: _deposit("repeat: {times: 1000000000, steps: [{purge: 5 s}]}"),
    "repeats of repeats of repeats": _nested_repeats,
    "a million million steps": _define_bomb,
    "a define of itself": lambda: recipe("repeat: {times: 2, steps: a}", head=HEAD + "define: {a: [{repeat: {times: 2, "
                                         "steps: a}}]}\n").encode(),
    "not a number": lambda: _deposit("purge: .nan"),
    "endless": lambda: _deposit("purge: .inf s"),
    "minus nothing": lambda: _deposit("purge: -0 s"),
    "a name of 300 characters": lambda: EVERY_VERB.replace("every-verb", "x" * 300).encode(),
    "a name in another direction": lambda: EVERY_VERB.replace("every-verb", "\u202eevil\u2066").encode(),
    "a precursor of 300 characters": lambda: EVERY_VERB.replace("TMA, pulse", "é" * 300 + ", pulse").encode(),
    "twenty thousand keys of one name": lambda: b"recipe: a\n" * 20_000,
    "twenty thousand keys": lambda: b"".join(b"k%d: 1\n" % i for i in range(20_000)),
    "a text that is all the file": lambda: b"recipe: " + b"a" * (MAX_BYTES - 20),
    "a key that is all the file": lambda: b"a" * 1000 + b": 1\n" + b'"' + b"b" * (MAX_BYTES - 1200) + b'": 2\n',
    "a hundred megabytes": lambda: b"recipe: " + b"a" * 100_000_000,
    "ten thousand wrong steps": lambda: _many("  - blow: 15 s\n", 10_000),
    "three thousand unknown precursors": lambda: _many("  - pulse: {precursor: watr, time: 15 ms}\n", 3_000),
    "three thousand bare numbers": lambda: _many("  - pulse: {precursor: TMA, time: 15}\n", 3_000),
    "three thousand unknown keys": lambda: _many("  - pulse: {precursor: TMA, a: 1, b: 2, c: 3}\n", 3_000),
    "three thousand unknown zones": lambda: _many("  - heat: {wall: 50 °C, roof: 50 °C}\n", 3_000),
    "some thousand blocks": lambda: _many("  - use: {block: standard heat-up, with: {substrate: 120 °C}}\n", 2_500),
    "three thousand blocks that are not there": lambda: _many("  - use: {block: standard heatup}\n", 3_000),
    "five thousand times a thousand shots": lambda: _many(SHOTS % 1000, 5_500),
    "five thousand times a hundred shots": lambda: _many(SHOTS % 100, 5_500),
    "twenty thousand empty lists": lambda: f"{HEAD}prepare: [{'[],' * 20_000}]\ndeposit: []\nfinish: []\n".encode(),
    "twenty thousand nothings": lambda: f"{HEAD}prepare: [{'~,' * 20_000}]\ndeposit: []\nfinish: []\n".encode(),
    "everything is nothing": lambda: b"recipe: ~\nsubstrate: ~\nprovenance: ~\nprepare: ~\ndeposit: ~\nfinish: ~\n",
    "everything is a list": lambda: b"recipe: []\nsubstrate: []\nprovenance: []\nprepare: {}\ndeposit: {}\nfinish: {}",
    "ten thousand parameters": lambda: (HEAD + "parameters:\n" + "".join(f"  p{i}: {{default: {i} s}}\n" for i in
                                        range(10_000)) + WARM + "deposit: []\nfinish: []\n").encode(),
    "ten thousand layers": lambda: (HEAD + f"stack: [{'{film: Al2O3, target: 1 nm},' * 3_000}]\n" + WARM +
                                    "deposit: []\nfinish: []\n").encode(),
}  # fmt: skip
FINE: dict[str, Callable[[], bytes]] = {
    "every verb": EVERY_VERB.encode,
    "line ends of another system": lambda: EVERY_VERB.replace("\n", "\r\n").encode(),
    "a byte order mark": lambda: b"\xef\xbb\xbf" + EVERY_VERB.encode(),
}

# --- what every answer must be ---------------------------------------------------------------------------------------

PLACE = re.compile(r"(?s)[^\n]+:[1-9][0-9]*:[1-9][0-9]*: [^\n]+\Z")
INNARDS = re.compile(
    r"Traceback|pydantic|Value error|object at 0x|NoneType|input_value|validation error|Error\(|<class"
)


def actionable(problem: Problem, lines: int) -> None:
    """One line at a place that is in the file, in words for people."""
    said = str(problem)
    assert PLACE.match(said) and said.isprintable(), said
    assert not INNARDS.search(said), said
    assert len(problem.message) <= 1000 and len(problem.message.split()) >= 2, said
    assert problem.mark.line <= lines + 1, said


def outcome(raw: str | bytes) -> Plan | Problems:
    """The plan, or problems of which each is worth reading; anything else is raised."""
    try:
        return plan(raw)
    except Problems as problems:
        data = raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw
        lines = len(re.split(rb"\r\n|\n|\r|\xc2\x85|\xe2\x80[\xa8\xa9]", data))
        assert 0 < len(problems.problems) <= MOST_PROBLEMS + 1
        for problem in problems.problems:
            actionable(problem, lines)
        return problems


def main() -> int:
    """Each hostile recipe under the limit of memory; JSON: name -> CPU seconds and the first problem, or "fine"."""
    outcome(EVERY_VERB)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    told: dict[str, tuple[float, str]] = {}
    for name, made in HOSTILE.items():
        raw, began_s = made(), time.process_time()
        result = outcome(raw)
        said = "fine" if isinstance(result, Plan) else str(result.problems[0])
        told[name] = (round(time.process_time() - began_s, 3), said)
    print(json.dumps(told))
    return 0


# --- mutations -------------------------------------------------------------------------------------------------------

UNITS = ("s", "ms", "min", "h", "°C", "K", "K/min", "mTorr", "Torr", "Torr/s", "mTorr/min", "sccm", "nm", "g", "m2", "")
NUMBERS = ("0", "-1", "0.001", "1", "15", "1e9", "9" * 15, "9" * 400, "0.1", "-0", "+5", ".5", "1,5", "NaN", "inf")
ODD: tuple[Any, ...] = (
    None, True, 0, -1, 10**17, 1.5, "", "010", "1:30", "NO", ".nan", "$cycles", "$with", "$", "$nope", "TMA", "DEZ",
    "off", "room", "hold", "finish", "below 5 mTorr/min", "pressure below 1.05 base", "temperatures", "leak", [], {},
    [[]], {"a": 1}, "x" * 300, "é\u2028😀", "\u202eabc", "half", "standard heat-up", {"purge": "1 s"},
    [{"purge": "1 s"}], {"repeat": {"times": 2, "steps": [{"purge": "1 s"}]}}, {"block": "standard cool-down"},
)  # fmt: skip
KEYS = (
    "pulse", "purge", "expose", "time", "times", "every", "hold", "to", "steps", "name", "else", "for", "with", "and",
    "block", "define", "stack", "target", "vent", "$x", "", "0", "ramp", "provenance", "timeout",
)  # fmt: skip
TEXTS = (EVERY_VERB, *(shipped(name) for name in SHIPPED))
DATA = [parse(text, "valid").data for text in TEXTS]


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in the data but the whole."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, inner in items for place in ((*at, key), *places(inner, (*at, key)))]


def inside(data: Any, place: tuple[Any, ...]) -> Any:
    for key in place:
        data = data[key]
    return data


def quantities() -> st.SearchStrategy[str]:
    return st.builds(lambda n, blank, u: f"{n}{blank}{u}", st.sampled_from(NUMBERS), st.sampled_from((" ", "", "  ")),
                     st.sampled_from(UNITS))  # fmt: skip


def values() -> st.SearchStrategy[Any]:
    return st.sampled_from(ODD) | quantities() | st.text(max_size=12) | st.integers() | st.floats()


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A valid recipe with up to four changes: a value replaced, a key renamed, a part removed, doubled or moved."""
    data = copy.deepcopy(draw(st.sampled_from(DATA)))
    for _ in range(draw(st.integers(1, 4))):
        _mutate(draw, data)
    return yaml.safe_dump(data, allow_unicode=draw(st.booleans()), sort_keys=False)


def _mutate(draw: st.DrawFn, data: Any) -> None:
    if not (all_places := places(data)):
        return
    place = draw(st.sampled_from(all_places))
    parent, key = inside(data, place[:-1]), place[-1]
    match draw(st.sampled_from(["replace", "rename", "remove", "double", "move", "add"])):
        case "replace":
            parent[key] = copy.deepcopy(draw(values()))
        case "rename" if isinstance(parent, dict):
            parent[draw(st.sampled_from(KEYS) | st.text(max_size=8))] = parent.pop(key)
        case "remove":
            del parent[key]
        case "double" if isinstance(parent, list):
            parent.insert(key, copy.deepcopy(parent[key]))
        case "move":
            parent[key] = copy.deepcopy(inside(data, draw(st.sampled_from(all_places))))
        case _ if isinstance(parent, dict):
            parent[draw(st.sampled_from(KEYS))] = copy.deepcopy(draw(values()))


@st.composite
def scribbled(draw: st.DrawFn) -> str:
    """A valid recipe with characters and lines of its text changed, doubled and taken out."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 4))):
        if draw(st.booleans()):
            at = draw(st.integers(0, len(text) - 1))
            new = draw(st.text("{}[]:,-#&*!|>'\"%@`$0123456789 \n\r\tsK°é\0\x1b\u202e\ufeff", max_size=3))
            text = text[:at] + new + text[at + draw(st.integers(0, 3)) :] or " "
        else:
            rows = text.splitlines(keepends=True)
            row = draw(st.integers(0, len(rows) - 1))
            rows[row : row + 1] = [rows[row]] * draw(st.sampled_from([0, 2, 2, 50]))
            text = "".join(rows) or " "
    return text


if __name__ == "__main__":
    sys.exit(main())
