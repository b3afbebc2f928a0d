"""Closings under every fault, often and at random moments: how long each takes, and how late an opening word comes."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ald_controller.valves.wire import Ended, Held
from tests.process.stand import figure
from tests.valve_links import (
    CONFIRM_S,
    LATE_S,
    MARGIN_S,
    RECONNECT_S,
    ROUND_S,
    WATCHDOG_S,
    Cut,
    Links,
    cut,
    links,
    quantiles,
    stopped,
    write_beside,
)
from tests.valve_rig import MS

pytestmark = [pytest.mark.long, pytest.mark.timeout(530)]
CUTS, EACH = 100, 30
SHORT_NS = 150 * MS
AT_A_TIME = 3
NOTICED_S = ROUND_S + CONFIRM_S + RECONNECT_S


def seed() -> int:
    """What the dice are thrown with; printed, so that a failure can be had once more."""
    number = int(os.environ.get("ALD_SEED", time.time_ns() % 10**6))
    figure(f"ALD_SEED={number}, load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    return number


# --- the cable -------------------------------------------------------------------------------------------------------


async def test_a_hundred_cuts_at_random_close_in_time_and_never_open_late(tmp_path: Path) -> None:
    dice = random.Random(seed())
    async with links(tmp_path) as made:
        cuts = [await cut(made, dice) for _ in range(CUTS)]
    noticed = [each for each in cuts if each.fault]
    opened = [each for each in noticed if each.open_s > 0]
    figure(f"{CUTS} cuts of 5 to 600 ms: {len(noticed)} noticed, {len(opened)} of them with a source open, "
           f"{sum(each.tripped for each in cuts)} tripped the module")  # fmt: skip
    _tell("shut after the cut, where a source was open", opened, lambda each: [each.open_s])
    _tell("shut after the light came back, no trip", [c for c in opened if not c.tripped], lambda c: [c.light_s])
    _tell("opening words received after they were due", cuts, lambda each: list(each.late_s))
    changed = [abs(off) for each in cuts for off in each.off_s]
    figure(quantiles("widths of doses changed, where nobody noticed", changed))
    assert len(noticed) > CUTS / 4, "few cuts hit anything: little has been proven"


def _tell(what: str, cuts: list[Cut], values: Callable[[Cut], list[float]]) -> None:
    figure(quantiles(what, [value for each in cuts for value in values(each)]))


# --- everything else -------------------------------------------------------------------------------------------------


Begin = Callable[[Links, random.Random], Awaitable[float]]


@dataclass(frozen=True)
class Fault:
    """A way to fail: `begin` returns from when on the closing is waited for; `within_s` is when it must have come."""

    name: str
    within_s: float
    begin: Begin
    lasts: str = ""  # the module's fault whose end is waited for before a person acts
    dose_ns: int = 2000 * MS
    acts_late: bool = False  # the module itself does: its openings are no measure of the sender


def of_module(fault: str, **how: float | tuple[float, float]) -> Begin:
    """A fault of the simulated module; a pair of numbers is a range to choose from."""

    async def begin(made: Links, dice: random.Random) -> float:
        chosen = {key: dice.uniform(*value) if isinstance(value, tuple) else value for key, value in how.items()}
        return await made.fail(fault, **chosen)

    return begin


async def module_stands_still(made: Links, dice: random.Random) -> float:
    await made.fail("hang", ms=dice.uniform(150, 400))
    return await made.over("hang")


async def process_stands_still(made: Links, dice: random.Random) -> float:
    """The dose should have ended meanwhile, or ends by itself."""
    opened = made.opened()
    _, on_s = await stopped(made, dice.uniform(10, 700))
    return max(on_s, opened[-1][0] + SHORT_NS / 1e9) if opened else on_s


async def kill(made: Links, dice: random.Random) -> float:
    assert made.client.pid is not None
    killed_s = time.monotonic()
    os.kill(made.client.pid, signal.SIGKILL)
    await made.until(lambda: made.gone, "nobody is told")
    await made.close()  # reaps it, and writes zeros in its place
    return killed_s


async def beside(made: Links, dice: random.Random) -> float:
    return await write_beside(made)


FAULTS = (  # those that last do so for longer than a round: none goes unnoticed
    Fault("connection reset", RECONNECT_S, of_module("reset")),
    Fault("connection half open", NOTICED_S, of_module("half_open")),
    Fault("module started again", 0.0, of_module("reboot", ms=(10, 400)), "reboot"),
    Fault("one write refused", NOTICED_S + WATCHDOG_S, of_module("exceptions", code=4, writes=1), "exceptions"),
    Fault("all refused", WATCHDOG_S, of_module("exceptions", code=6, ms=(150, 600)), "exceptions"),
    Fault("answers 25 ms late", NOTICED_S, of_module("slow", by_ms=25, ms=(150, 400)), "slow"),
    Fault("answers 100 ms late", NOTICED_S, of_module("slow", by_ms=100, ms=(150, 400)), "slow"),
    Fault("deaf to writes", WATCHDOG_S, of_module("deaf", ms=700), "deaf"),
    Fault("module stood still", NOTICED_S, module_stands_still, acts_late=True),
    Fault("second writer", NOTICED_S, beside),
    Fault("valve process stood still", 0.0, process_stands_still, dose_ns=SHORT_NS),
    Fault("valve process killed", 0.0, kill),
)


@dataclass
class Seen:
    """What was seen of one fault."""

    shut_s: list[float] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)
    resets: int = 0


async def test_every_fault_closes_in_time_and_opens_nothing_late() -> None:
    number, places = seed(), asyncio.Semaphore(AT_A_TIME)

    async def often(fault: Fault) -> Seen:
        seen, dice = Seen(), random.Random(f"{number} {fault.name}")
        async with places:
            with tempfile.TemporaryDirectory(prefix="ald-links-") as folder:
                async with links(Path(folder)) as made:
                    for turn in range(EACH):
                        await _once(made, fault, dice, seen, long=turn % 3 > 0)
        return seen

    became = await asyncio.gather(*map(often, FAULTS), return_exceptions=True)
    for fault, seen in zip(FAULTS, became, strict=True):
        if isinstance(seen, BaseException):
            raise seen
        figure(quantiles(f"{fault.name}: shut after", seen.shut_s))
        how, latest_ms = "acted on" if fault.acts_late else "received", max(seen.late_s, default=0.0) * 1e3
        figure(f"{fault.name}: {len(seen.late_s)} opening words {how}, {latest_ms:.2f} ms late at most; "
               f"a reset was enough {seen.resets} times of {EACH}, else a fresh valve process")  # fmt: skip


async def _once(made: Links, fault: Fault, dice: random.Random, seen: Seen, *, long: bool) -> None:
    made.mark()
    await (made.dose(fault.dose_ns) if long else made.pulses())
    await asyncio.sleep(dice.uniform(0.0, 0.1))
    from_s = await fault.begin(made, dice)
    shut_s = await made.shut()
    if fault.lasts:
        await made.over(fault.lasts)
    if not long and made.gone is None:
        await made.until(lambda: any(isinstance(each, Held | Ended) for each in made.told), "neither end nor fault")
        shut_s = await made.shut()
    late_s = [opening.late_s for opening in made.openings()]
    seen.late_s += late_s
    assert fault.acts_late or all(0 <= late <= CONFIRM_S + LATE_S for late in late_s), f"{fault.name}: {max(late_s)}"
    if long:
        seen.shut_s.append(max(0.0, shut_s - from_s))
        assert shut_s - from_s <= fault.within_s + MARGIN_S, f"{fault.name}: shut after {shut_s - from_s:.3f} s"
    seen.resets += await made.recovered()
