"""`./bench [PART …]`: measures, prints one table, writes one JSON. Exit 1 when a part could not be measured."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench import aborts, edges, guard, kills, machine, rest, speed
from tests.bench.figures import Row, as_json, table

# in the order of the default run: short ones first
PARTS: dict[str, Callable[[Path], list[Row]]] = {
    "check": speed.measure_check,
    "edges": edges.measure,
    "abort": aborts.measure,
    "kill": kills.measure,
    "rest": rest.measure,
    "guard": guard.measure,
    "preview": speed.measure_preview,
}
ON_DEMAND: dict[str, Callable[[Path], list[Row]]] = {"disk": edges.measure_disk}
ALL = {**PARTS, **ON_DEMAND}
RESULTS = machine.ROOT / "bench-results"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./bench", description="Measure this computer; see docs/bench.md.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"only these: {', '.join(ALL)}")
    parts = parser.parse_args(arguments).parts or list(PARTS)
    if unknown := [part for part in parts if part not in ALL]:
        parser.error(f"there is no part '{unknown[0]}'; there are: {', '.join(ALL)}")
    facts = machine.facts()
    head = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "commit": machine.commit(), "machine": facts}
    before = machine.load()
    print(f"{head['date']}  {head['commit']}\n{machine.sentence(facts)}\nload {before}\n", flush=True)
    rows, took_s, failures = _measure(parts)
    load = {"before": before, "after": machine.load()}
    print(f"\n{table(rows)}\n\nload before {load['before']}, after {load['after']}")
    result = {**head, "load": load, "seconds": took_s, "failures": failures, "rows": [as_json(row) for row in rows]}
    print(f"written to {_write(result, parts)}")
    return 1 if failures else 0


def _measure(parts: list[str]) -> tuple[list[Row], dict[str, float], dict[str, str]]:
    """Rows, seconds by part, and why a part failed; one that fails ends no other."""
    rows: list[Row] = []
    took_s: dict[str, float] = {}
    failures: dict[str, str] = {}
    for part in parts:
        print(f"--- {part}", flush=True)
        start_s = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="ald-bench-") as folder:
            try:
                rows += ALL[part](Path(folder))
            except Exception as error:
                failures[part] = f"{type(error).__name__}: {error}"
                traceback.print_exc()
                print(f"  not measured: {failures[part]}", file=sys.stderr, flush=True)
        took_s[part] = round(time.monotonic() - start_s, 1)
        print(f"    {took_s[part]} s, load {machine.load()}", flush=True)
    return rows, took_s, failures


def _write(result: dict[str, Any], parts: list[str]) -> Path:
    RESULTS.mkdir(exist_ok=True)
    stamp = result["date"][:19].replace(":", "").replace("T", "-")
    only = "" if parts == list(PARTS) else "-" + "-".join(parts)
    path = RESULTS / f"{stamp}-{result['commit'].rstrip('+')}{only}.json"
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False), "utf-8")
    return path.relative_to(machine.ROOT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
