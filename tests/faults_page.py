"""`python -m tests.faults_page`: writes the table of docs/devices/faults.md, from every fault tried at every driver.

`python -m tests.faults_page --print` prints it instead. A test holds the page against what the drivers do.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.contract.cases import Case
from tests.contract.catalogue import NOT_ON_THE_WIRE, ROWS, Cell, Row, all_cases, cell, unseen

PAGE = Path(__file__).parent.parent / "docs" / "devices" / "faults.md"
BEGIN, END = "<!-- the table, written by python -m tests.faults_page -->", "<!-- end of the table -->"
LETTERS = {"NoReply": "N", "BadReply": "B", "Refused": "R", "DeviceFault": "D", "flagged": "F", "trip counted": "T"}


def table() -> list[str]:
    """The lines of the page between its marks: the faults of one device beside another, and what nothing on it sees."""
    cases = all_cases()
    out = ["", "| §4.3 | fault | " + " | ".join(case.name for case in cases) + " |", "|---" * (len(cases) + 2) + "|"]
    out += [_line(row, cases) for row in ROWS]
    tried = [(row, case, cell(case.name, row.name)) for case in cases for row in ROWS if row.applies(case)]
    silent = [one for one in tried if one[2].came["WRONG"] and not unseen(one[1], one[0])]
    slowest = max(tried, key=lambda one: one[2].recovered_s / one[1].slowest_s)
    hidden = [one for one in tried if unseen(one[1], one[0])]
    out += [
        "",
        f"{len(tried)} pairs of fault and device. Silently wrong: **{len(silent)}**. "
        f"Not visible on the wire: {len(hidden)}.",
        f"After the end of the fault all was right again at once or within {slowest[2].recovered_s:.1f} s at most, for "
        f"its time-out, which was {slowest[1].name} after '{slowest[0].name}' (time-out {slowest[1].slowest_s:g} s).",
        "",
        "### Not visible on the wire",
        "",
        "| fault | devices | which other guard sees it |",
        "|---|---|---|",
        *_not_visible(hidden),
    ]
    return [*out, ""]


def _not_visible(hidden: Sequence[tuple[Row, Case, Cell]]) -> list[str]:
    lines = []
    for row in ROWS:
        names = [case.name for one, case, _ in hidden if one is row]
        if names:
            lines.append(f"| {row.name} | {', '.join(names)} | {NOT_ON_THE_WIRE[row.name]} |")
    return lines


def _line(row: Row, cases: Sequence[Case]) -> str:
    return f"| {row.of} | {row.name} | " + " | ".join(_shown(row, case) for case in cases) + " |"


def _shown(row: Row, case: Case) -> str:
    if not row.applies(case):
        return "–"
    found = cell(case.name, row.name)
    said = "".join(letter for word, letter in LETTERS.items() if found.came[word])
    if unseen(case, row):
        return f"○{said}"
    if found.came["WRONG"] or found.came["believed"] or math.isinf(found.recovered_s):
        return "**WRONG**"
    return said or "✓"


def with_table(page: str, lines: list[str]) -> str:
    """The page with these lines between its marks; raises ValueError when the marks are not there."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{PAGE.name} lacks the marks of the table")
    return "\n".join([before + begin, *lines, end + after])


def main(arguments: list[str]) -> int:
    """0 when written or printed."""
    lines = table()
    if "--print" in arguments:
        print("\n".join(lines))
    else:
        PAGE.write_text(with_table(PAGE.read_text("utf-8"), lines), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
