"""The child processes of the controller go last: its polls have half a second, whoever waits for a check has time."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from ald_controller.cli import children
from tests.process.stand import children as processes_of
from tests.process.stand import wait_for

ROOT = Path(__file__).resolve().parents[2]


def _simulations() -> list[int]:
    return [pid for pid, line in processes_of(os.getpid()) if "simulate" in line]


async def test_a_check_or_a_report_goes_behind_whatever_else_the_computer_does() -> None:
    # any command that lasts long enough to be looked at
    work = asyncio.ensure_future(children._ald("simulate", str(ROOT / "deploy" / "tool.yaml"), within_s=60.0))
    await asyncio.to_thread(wait_for, lambda: bool(_simulations()), 20.0, lambda: "no child was started")
    (child,) = _simulations()
    await asyncio.sleep(0.1)
    assert os.getpriority(os.PRIO_PROCESS, child) > os.getpriority(os.PRIO_PROCESS, 0)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert not _simulations()
