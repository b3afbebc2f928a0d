"""A plugin for one mutant's run: whoever calls what mutmut changed calls the mutant, or the original, without a detour.

mutmut leads each call of each function through a wrapper that asks the environment which mutant is meant. A scan of the
interlocks makes hundreds of such calls, and the sentences took four times as long. While mutmut counts who calls what,
and when it makes everything fail on purpose, the wrappers stay.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

BENCH = "tests.interlock_bench"
BEGINS, ENDS, ORIGINAL = "mutants_x", "__mutmut", "_mutmut_orig"


def pytest_collection_finish() -> None:
    """Everything is imported, and nothing has run."""
    module, _, mutant = os.environ.get("MUTANT_UNDER_TEST", "").rpartition(".")
    if ENDS not in mutant:
        return
    ours = [each for name, each in sys.modules.items() if name.partition(".")[0] in ("ald_controller", "tests")]
    for place, name, versions in list(_wrapped(ours)):
        meant = versions.get(mutant) if place.__name__ == module else None
        _put(ours, place, name, meant or versions[ORIGINAL])
    if (bench := sys.modules.get(BENCH)) is not None:
        _replace(ours, bench.RULES, bench.rules())  # whoever builds tables may be the mutant


def _wrapped(modules: list[ModuleType]) -> Iterator[tuple[ModuleType, str, dict[str, Any]]]:
    """Each wrapped function: its module, its mangled name, and its versions by name."""
    for module in modules:
        for name, versions in vars(module).items():
            if name.startswith(BEGINS) and name.endswith(ENDS):
                yield module, name.removeprefix("mutants_").removesuffix(ENDS), versions


def _put(modules: list[ModuleType], place: ModuleType, name: str, version: Any) -> None:
    """In the place of the wrapper; a function also where it was imported to."""
    if name.startswith("xǁ"):
        _, owner, method = name.split("ǁ")
        held = vars(getattr(place, owner))[method]
        if not isinstance(held, classmethod | staticmethod | property):  # those keep their wrapper
            setattr(getattr(place, owner), method, version)
        return
    _replace(modules, getattr(place, name.removeprefix("x_")), version)


def _replace(modules: list[ModuleType], old: Any, new: Any) -> None:
    for module in modules:
        for each, value in list(vars(module).items()):
            if value is old:
                setattr(module, each, new)
