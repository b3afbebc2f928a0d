"""Numbers that carry where they come from."""

from __future__ import annotations

from typing import Literal

from ald_controller.yamlfile import Strict

Confidence = Literal["high", "medium", "low", "unknown"]
Provenance = Literal["read", "seed", "calculated", "unverified default"]


class Sourced(Strict):
    """Where a number comes from, and how far that goes."""

    source: str
    provenance: Provenance
