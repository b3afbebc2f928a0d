"""`python -m tests.safety_page`: writes the hazard matrix of docs/safety.md from the code and from what was measured.

Limits, persistence, conditions, reactions and resets are those of the reference tool as the code has them; the reasons
stand in docs/safety-reasons.yaml; the measured times are those that the last `./test rows` left in
long-results/rows.json. A test holds the page against the code.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

import yaml

from ald_controller.explain import LimitShown, RowShown, elsewhere, matrix_of
from tests.interlock_bench import RULES

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "safety.md"
REASONS = ROOT / "docs" / "safety-reasons.yaml"
ROWS = ROOT / "long-results" / "rows.json"
BEGIN, END = "<!-- the matrix, written by python -m tests.safety_page -->", "<!-- end of the matrix -->"
FAMILIES = {"T": "Heat", "C": "Chemistry", "G": "Glovebox, gate and argon", "K": "Control"}
HEAD = [
    "| row | hazard | acts when → reaction | reset | target | measured | why there |",
    "|---|---|---|---|---|---|---|",
]


def table(measured: dict[str, dict[str, str]]) -> list[str]:
    """The lines of the matrix, one table a family; `measured` = row -> time and scenario."""
    reasons = yaml.safe_load(REASONS.read_text("utf-8"))
    out: list[str] = []
    rows = matrix_of(RULES)
    for letter, family in FAMILIES.items():
        out += ["", f"### {family}", "", *HEAD]
        out += [_row(row, reasons[row.id], measured.get(row.id)) for row in rows if row.id.startswith(letter)]
    return out


def _row(row: RowShown, why: str, measured: dict[str, str] | None) -> str:
    acts = list(_acts(row.limits)) or [elsewhere(row.guard) or "see below"]
    acts += [f"*not guarded at the reference tool:* {s.split(': ', 1)[1]}" for s in row.not_guarded]
    resets = [*dict.fromkeys(limit.reset for limit in row.limits)]
    resets += ["an owner may bypass it"] * row.override
    target = "-" if row.target_s is None else f"{row.target_s:g} s"
    shown = f"{measured['time']}: {measured['how']}" if measured else "-"
    cells = [f"**{row.id}**", row.cause, "<br>".join(acts), "; ".join(resets) or "-", target, shown, why]
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"


def _acts(limits: Iterable[LimitShown]) -> Iterable[str]:
    """One line per kind of limit, with all that it is applied to."""
    kinds: dict[tuple[str, ...], list[str]] = {}
    for limit in limits:
        lasting = f" for {limit.persist_s:g} s" if limit.persist_s else ""
        reaction = limit.reaction + (f" ({limit.blocks})" if limit.blocks else "")
        said = limit.what if limit.flag else f"≥ {limit.limit:.4g} {limit.unit}".rstrip()
        when = "" if limit.when == "always" else f", {limit.when}"
        name = "" if limit.flag else limit.name
        kinds.setdefault((said, lasting, when, reaction), []).append(name)
    for (said, lasting, when, reaction), names in kinds.items():
        of = ", ".join(dict.fromkeys(filter(None, names)))
        yield f"{of} {said}{lasting}{when} → {reaction}".strip()


def with_matrix(page: str, lines: list[str]) -> str:
    """The page with these lines between its marks; raises ValueError when the marks are not there."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{PAGE.name} lacks the marks of the matrix")
    return "\n".join([before + begin, *lines, "", end + after])


def main() -> int:
    """0 when written, 1 without measured times."""
    if not ROWS.exists():
        print("no measured times: run ./test rows first", file=sys.stderr)
        return 1
    measured = json.loads(ROWS.read_text("utf-8"))
    PAGE.write_text(with_matrix(PAGE.read_text("utf-8"), table(measured)), "utf-8")
    print(f"{PAGE.name}: {len(measured)} rows measured")
    return 0


if __name__ == "__main__":
    sys.exit(main())
