"""What a simulated tool starts with in the place of a proof test."""

from __future__ import annotations

from ald_controller import stamp

BY = "simulation"


def simulated_proof(now: float) -> tuple[dict[str, object], str, str]:
    """Value, signature and date (of `now`, unix seconds) of the register of a tool that has no proof test yet.

    Nothing was proven: a simulated reactor stands for a tool that was. The register says so, and opens no real tool.
    """
    return {"passed": True, "certificate": "none: a simulated tool", "simulated": True}, BY, stamp.iso(now)
