"""The certificates of proof tests: one JSON file and one page for people each, chained by hashes.

records/proof-tests/0007-2031-05-04.json     {number, previous, …, sha256}: `sha256` is over everything but itself, and
                                             `previous` is that of the certificate before, "" for the first
records/proof-tests/0007-2031-05-04.md       the same for people
records/proof-tests/begun.json               the test that goes on, or that was cut
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

FOLDER = Path("records") / "proof-tests"
BEGUN = "begun.json"  # a test that has begun and has no certificate yet
GOES_ON = "it goes on, or was cut"
CUT = "it was cut: the controller ended while it went on"


class Certificates:
    """Those of one tool's state directory."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir / FOLDER

    def begin(self, body: dict[str, Any]) -> None:
        """Durable before anything is tried, so that a test that is cut shows; raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        new = self._folder / (BEGUN + ".new")
        _put(new, json.dumps(body | _nothing_yet(GOES_ON), ensure_ascii=False, indent=1) + "\n")
        new.replace(self._folder / BEGUN)

    def close_cut(self) -> str:
        """A certificate for a test that a controller before this one did not end: its name, or ""; raises OSError."""
        begun = _load(self._folder / BEGUN)
        return str(self.write(begun | _nothing_yet(CUT))["name"]) if begun else ""

    def write(self, body: dict[str, Any]) -> dict[str, Any]:
        """The finished certificate, durable, with number, name and hashes; raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        before = self._files()
        number = int(before[-1].name[:4]) + 1 if before else 1
        previous = _load(before[-1]).get("sha256", "unreadable") if before else ""
        name = f"{number:04}-{body['began'][:10]}"
        head = {"number": number, "name": name, "previous": previous}
        whole: dict[str, Any] = head | body
        whole["sha256"] = digest(whole)
        _put(self._folder / f"{name}.json", json.dumps(whole, ensure_ascii=False, indent=1) + "\n")
        _put(self._folder / f"{name}.md", page(whole))
        (self._folder / BEGUN).unlink(missing_ok=True)
        return whole

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("[0-9]*.json"))

    def listed(self) -> list[dict[str, Any]]:
        """Every certificate, oldest first, with `broken`: what is wrong with it or with the chain, "" = nothing.

        A test that has begun and has no certificate comes last.
        """
        out, previous = [], ""
        for path in self._files():
            one = _load(path)
            out.append({**one, "name": path.stem, "broken": _broken(one, previous)})
            previous = str(one.get("sha256", ""))
        if (path := self._folder / BEGUN).exists():
            begun = _load(path)
            out.append({**begun, "name": "begun", "broken": "" if begun else "it cannot be read"})
        return out


def _nothing_yet(ended: str) -> dict[str, Any]:
    return {"took_s": None, "complete": False, "ended": ended, "passed": False, "lines": [], "not_tested": []}


def digest(certificate: dict[str, Any]) -> str:
    """SHA-256 over everything but `sha256` itself."""
    bare = {name: value for name, value in certificate.items() if name not in ("sha256", "broken")}
    return hashlib.sha256(json.dumps(bare, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _broken(one: dict[str, Any], previous: str) -> str:
    if "sha256" not in one:
        return "it cannot be read"
    if one["sha256"] != digest(one):
        return "it was changed after it was written"
    return "" if one.get("previous") == previous else "a certificate before it is missing, or was replaced"


def _load(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _put(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def page(one: dict[str, Any]) -> str:
    """A certificate for people, as a page of Markdown."""
    head = [
        f"# Proof test {one['name']} of tool {one['tool']}", "",
        f"**{verdict(one)}**", "",
        f"Begun {one['began']}, {_took(one['took_s'])}, by {one['by']}; ald-controller {one['software']}.",
        f"Limits {one['limits']}.",
    ]  # fmt: skip
    if one["simulated"] or one["simulated"] is None:
        head.append("Devices were simulated." if one["simulated"] else "Nobody said whether the devices are real.")
    rows = ["", "| row | what | reaction | took | allowed | result |", "|---|---|---|---|---|---|"]
    rows += [_row(line) for line in one["lines"]]
    rest = ["", "## How each line was driven", "", *(f"- {x['row']} {x['what']}: {x['how']}" for x in one["lines"])]
    left = ["", "## Not tested", "", *(f"- {x['row']}: {x['why']}" for x in one["not_tested"])]
    return "\n".join([*head, *rows, *rest, *left, "", f"sha256 {one['sha256']}, after {one['previous'] or 'none'}", ""])


def _took(took_s: float | None) -> str:
    return "took nobody knows how long" if took_s is None else f"took {took_s / 60:.1f} min"


def verdict(one: dict[str, Any]) -> str:
    """What came of it in one sentence."""
    bad = [line["what"] for line in one["lines"] if not line["ok"]]
    if bad:
        return f"FAILED: {', '.join(bad)}"
    if one["ended"]:
        return f"NOT FINISHED: {one['ended']}"
    of = f" of rows {', '.join(one['rows'])}" if one["rows"] else ""
    return f"passed: {len(one['lines'])} lines{of}"


def _row(line: dict[str, Any]) -> str:
    took = "-" if line["took_s"] is None else f"{line['took_s']:.2f} s"
    allowed = "-" if line["target_s"] is None else f"{line['target_s']:g} s"
    result = "ok" if line["ok"] else f"**{line['detail']}**"
    return f"| {line['row']} | {line['what']} | {line['reaction']} | {took} | {allowed} | {result} |"
