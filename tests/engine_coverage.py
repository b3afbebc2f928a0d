"""Every branch of the valve engine is taken by its sentences alone: 100 %, or the kind `pure` fails.

The engine is `engine.py`, `rules.py` and `wear.py`; the sentences are the files below, in-process, without the state
machine that walks at random: what it happens to reach today proves nothing for tomorrow.
"""

from __future__ import annotations

import sys
from pathlib import Path

import coverage
import pytest

ROOT = Path(__file__).parent.parent
ENGINE = [f"ald_controller/valves/{name}.py" for name in ("engine", "rules", "wear")]
SENTENCES = [
    str(path.relative_to(ROOT))
    for path in sorted((ROOT / "tests" / "pure").glob("test_engine*.py"))
    if path.stem != "test_engine_host"
]


def main() -> int:
    """0 when the sentences hold and take every branch, else 1, with the lines that lack."""
    already = [name for name in sys.modules if name.startswith("ald_controller.valves")]
    assert not already, f"imported before anything was counted: {already}"
    measured = coverage.Coverage(data_file=None, branch=True, config_file=False, include=ENGINE, messages=True)
    with measured.collect():
        failed = pytest.main([*SENTENCES, "-p", "no:cacheprovider"])
    lacking = [line for name in ENGINE for line in _lacking(measured, name)]
    print("\n".join(lacking) or f"every branch of {', '.join(Path(name).name for name in ENGINE)} is taken")
    return 1 if failed or lacking else 0


def _lacking(measured: coverage.Coverage, name: str) -> list[str]:
    """What no sentence reaches in one file: its lines, and the lines that never go one of their ways."""
    _, _, _, lines, _ = measured.analysis2(name)
    ways = {line: (ways, taken) for line, (ways, taken) in measured.branch_stats(name).items() if taken < ways}
    return [f"{name}:{line} is not reached" for line in lines] + [
        f"{name}:{line} goes {taken} of its {ways} ways" for line, (ways, taken) in sorted(ways.items())
    ]


if __name__ == "__main__":
    sys.exit(main())
