"""A closing cannot be lost: the link, the module and the valve process fail in the middle of doses, for real.

What is proven is read from the module's own trace. Most of a story's life is waiting, so that those marked `together`
are lived side by side, each with a module and a valve process of its own; every one is a test of its own all the same.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

import pytest

from ald_controller.valves.wire import Edge, Ended, Held, Missed, ValveError
from tests.process.stand import figure
from tests.valve_links import (
    CONFIRM_S,
    LATE_S,
    MARGIN_S,
    PAUSE_S,
    RECONNECT_S,
    ROUND_S,
    WATCHDOG_S,
    Links,
    cut,
    links,
    quantiles,
    stopped,
    write_beside,
)
from tests.valve_rig import LTB, MS, TMA, coupler

SOON_S = 0.1  # where the wide margin would hide what is looked for
CUTS = 20
TRIES = 10
AT_A_TIME = 4

Story = Callable[[Links], Awaitable[None]]
STORIES: dict[str, Story] = {}


def together(story: Story) -> Callable[[dict[str, BaseException | None]], None]:
    """Make a test of a story that is lived beside the others."""
    STORIES[story.__name__] = story

    def test(lived: dict[str, BaseException | None]) -> None:
        if (error := lived[story.__name__]) is not None:
            raise error

    test.__name__ = story.__name__
    return test


@pytest.fixture(scope="module")
def lived(request: pytest.FixtureRequest) -> dict[str, BaseException | None]:
    """What became of every story that was asked for: None, or how it failed."""
    asked = [item.name for item in request.session.items if item.name in STORIES]
    return asyncio.run(_live(asked))


async def _live(names: list[str]) -> dict[str, BaseException | None]:
    places = asyncio.Semaphore(AT_A_TIME)

    async def live(story: Story) -> None:
        async with places:
            with tempfile.TemporaryDirectory(prefix="ald-links-") as folder:
                async with links(Path(folder)) as made:
                    await story(made)

    became = await asyncio.gather(*(live(STORIES[name]) for name in names), return_exceptions=True)
    return dict(zip(names, became, strict=True))


# --- the cable -------------------------------------------------------------------------------------------------------


def frame(word: int) -> bytes:
    return bytes.fromhex("0001 0000 0009 01 0f 0000 0010 02") + word.to_bytes(2, "little")


def without_rights() -> tuple[str, ...]:
    """What takes every right away from the command behind it."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is missing: as root, nothing else takes rights away")
    return ("setpriv", "--bounding-set=-all", "--inh-caps=-all")


@pytest.mark.parametrize("rights", [True, False], ids=["with every right", "without rights"])
def test_a_sender_that_does_not_give_up_delivers_old_words_after_a_cut(rights: bool, tmp_path: Path) -> None:
    """The fault is real: what the kernel still has in its queue comes late, as after a cable was out."""
    with coupler(tmp_path, before=() if rights else without_rights()) as module:
        naive = socket.create_connection(("127.0.0.1", module.port))
        naive.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with naive:
            naive.sendall(frame(TMA))
            module.wait_for_word(TMA)
            module.fail("dark", ms=60)
            time.sleep(0.015)
            naive.sendall(frame(0))  # a pulse of 15 ms, it believes
            module.wait_for_word(0)
            module.fail("dark", ms=200)
            time.sleep(0.02)
            with pytest.raises(TimeoutError):
                socket.create_connection(("127.0.0.1", module.port), 0.05)
            sent_s = time.monotonic()
            for word in (LTB, 0, LTB, 0, LTB):
                naive.sendall(frame(word))
                time.sleep(0.005)
            module.wait_for_word(LTB)  # the last of them
            opened_s = [at_s for at_s, word in module.words() if word & LTB]
    figure(f"a sender that does not give up: 15 ms became {module.widths_ms(TMA)[0]:.0f} ms by a cut of 60 ms, "
           f"3 openings came up to {(opened_s[0] - sent_s) * 1e3:.0f} ms late by one of 200 ms")  # fmt: skip
    assert module.widths_ms(TMA)[0] >= 60
    assert len(opened_s) == 3 and opened_s[0] - sent_s > 0.1


async def test_twenty_cuts_at_random_close_in_time_and_never_open_late(tmp_path: Path) -> None:
    seed = int(os.environ.get("ALD_SEED", time.time_ns() % 10**6))
    figure(f"{CUTS} cuts of the link, ALD_SEED={seed}")
    dice = random.Random(seed)
    async with links(tmp_path) as made:
        cuts = [await cut(made, dice) for _ in range(CUTS)]
    figure(quantiles("latest opening word received after it was due", [late for each in cuts for late in each.late_s]))
    figure(quantiles("shut after the cut, where it was noticed", [each.open_s for each in cuts if each.fault]))
    assert any(each.fault for each in cuts), "no cut hit anything: nothing has been proven"


@together
async def test_a_dose_that_a_short_cut_swallowed_is_not_told_as_a_whole_one(made: Links) -> None:
    for _ in range(TRIES):
        made.mark()
        due_s = await made.announced(made.segment(TMA, 15 * MS))
        await made.fail("dark", ms=max(1.0, (due_s + 0.008 - time.monotonic()) * 1e3))
        await made.until(lambda: any(isinstance(each, Ended | Held) for each in made.told), "it does not end")
        if not made.faults() and made.opened()[0][0] > due_s + 0.005:
            break
        await made.linked(time.monotonic())  # the cut hit nothing, or a round as well, which is noticed: once more
        await made.goes_on()
    (opening,), (width_s,) = made.openings(), made.widths_s()
    closing = next(each for each in made.told if isinstance(each, Edge) and each.index == 1)
    told_s = (closing.confirmed_ns - opening.edge.confirmed_ns) / 1e9
    figure(
        f"opening lost for 8 ms: a dose of 15 ms was one of {width_s * 1e3:.1f} ms and told as {told_s * 1e3:.1f} ms"
    )
    assert width_s < 0.010 and abs(told_s - width_s) < 0.003


@together
async def test_reset_connections_are_shut_at_once_and_a_reset_of_the_engine_is_enough(made: Links) -> None:
    await made.dose(2000 * MS)
    on_s = await made.fail("reset")
    shut_s = await made.shut()
    figure(f"connection reset: shut after {(shut_s - on_s) * 1e3:.1f} ms")
    assert shut_s - on_s <= RECONNECT_S + MARGIN_S
    await made.fault("the link to the module failed: Connection reset by peer")
    made.stayed_shut()
    assert await made.linked(shut_s)
    await made.goes_on()


@together
async def test_a_connection_that_the_module_forgot_is_noticed_within_a_round(made: Links) -> None:
    await made.dose(2000 * MS)
    on_s = await made.fail("half_open")
    shut_s = await made.shut()
    figure(f"connection half open: shut after {(shut_s - on_s) * 1e3:.1f} ms")
    assert shut_s - on_s <= ROUND_S + CONFIRM_S + RECONNECT_S + MARGIN_S
    await made.fault("the module did not confirm within 20 ms")
    assert await made.linked(shut_s)
    for _ in range(TRIES):
        await made.goes_on()
        made.mark()
        await made.announced(made.segment(LTB, 2000 * MS))
        on_s = await made.fail("half_open")
        await made.fault("the module did not confirm within 20 ms")
        if any(isinstance(each, Edge) and each.sent_ns / 1e9 > on_s for each in made.told):
            break  # otherwise the opening was sooner, or a round, and it was never sent: once more
        assert await made.linked(time.monotonic())
    assert not made.opened(), "an opening word on a connection that the module does not know is lost, and stays lost"
    assert await made.linked(time.monotonic())
    await made.goes_on()


# --- the module ------------------------------------------------------------------------------------------------------


@together
async def test_a_module_that_started_again_is_not_used_before_a_fresh_valve_process_has_armed_it(made: Links) -> None:
    await made.dose(2000 * MS)
    await made.fail("reboot", ms=200)
    assert not made.open
    await made.over("reboot")
    await made.fault("the watchdog reads back 1000 ms, type 1, fallback 0: 500 ms, type 0 (write telegrams)")
    await made.refuses_to_clear("the watchdog reads back 1000 ms")
    made.stayed_shut()
    await made.fresh()
    await made.goes_on()


@together
async def test_a_module_that_refuses_the_closing_is_asked_again_until_it_is_shut(made: Links) -> None:
    for code, how in ((4, {"writes": 1}), (6, {"writes": 2}), (6, {"ms": 300})):
        await made.dose(120 * MS)
        on_s = await made.fail("exceptions", code=code, **how)
        shut_s = await made.shut()
        await made.over("exceptions")
        figure(f"exception {code:02d} to {how}: shut after {(shut_s - on_s) * 1e3:.0f} ms")
        assert shut_s - on_s <= WATCHDOG_S + ROUND_S + MARGIN_S
        await made.fault(f"with exception {code:#04x}")
        made.stayed_shut()
        if not await made.linked(time.monotonic()):
            await made.refuses_to_clear("the module's watchdog tripped")
            await made.fresh()
        await made.goes_on()
        made.mark()


@together
async def test_answers_within_the_time_to_confirm_change_nothing(made: Links) -> None:
    for by_ms in (4, 9):
        made.mark()
        await made.fail("slow", ms=500, by_ms=by_ms)
        await made.pulses(count=8)
        await made.until(lambda: any(isinstance(each, Ended) for each in made.told), "the run does not end")
        assert not made.faults() and len(made.openings()) == 8
        assert made.widths_s() == pytest.approx(made.told_widths_s(), abs=LATE_S)
        confirmed_s = [(each.confirmed_ns - each.sent_ns) / 1e9 for each in made.told if isinstance(each, Edge)]
        assert median(confirmed_s) >= by_ms / 1e3, "answers came before their time: the module was not slow"
        await made.over("slow")


@together
async def test_answers_beyond_the_time_to_confirm_end_the_dose(made: Links) -> None:
    for by_ms in (25, 100):
        await made.dose(2000 * MS)
        on_s = await made.fail("slow", ms=300, by_ms=by_ms)
        shut_s = await made.shut()
        figure(f"answers late by {by_ms} ms: shut after {(shut_s - on_s) * 1e3:.0f} ms")
        assert shut_s - on_s <= ROUND_S + CONFIRM_S + RECONNECT_S + MARGIN_S
        await made.fault("the module did not confirm within 20 ms")
        assert await made.linked(await made.over("slow"))
        made.stayed_shut()
        await made.goes_on()
        made.mark()


@together
async def test_a_module_that_does_not_switch_is_found_by_reading_back(made: Links) -> None:
    await made.fail("deaf", ms=300)
    await made.client.load(made.segment(LTB, 2000 * MS))
    await made.fault("the coils read 0x0000 where ")
    off_s = await made.over("deaf")
    assert not made.opened()
    await asyncio.sleep(ROUND_S)  # what it did not switch is read back until then
    assert await made.linked(off_s + ROUND_S)
    await made.goes_on()


@together
async def test_a_module_that_acknowledges_the_closing_and_stays_open_closes_alone(made: Links) -> None:
    await made.dose(120 * MS)
    on_s = await made.fail("deaf", ms=1000)
    fault = await made.fault("the coils read 0x")
    shut_s = await made.shut()
    figure(f"closing not carried out: told after {fault.at_ns / 1e6 - on_s * 1e3:.0f} ms, "
           f"shut after {(shut_s - on_s) * 1e3:.0f} ms")  # fmt: skip
    assert shut_s - on_s <= WATCHDOG_S + MARGIN_S and made.closed_alone
    await made.fault("the module's watchdog tripped")
    await made.refuses_to_clear("the module's watchdog tripped")
    await made.over("deaf")
    await made.fresh()
    await made.goes_on()


@together
async def test_what_another_writer_opens_beside_a_dose_is_shut_with_it(made: Links) -> None:
    await made.dose(2000 * MS)
    written_s = await write_beside(made)
    shut_s = await made.shut()
    fault = await made.fault("the coils read 0x")
    figure(f"foreign word: told after {fault.at_ns / 1e6 - written_s * 1e3:.0f} ms, "
           f"all shut after {(shut_s - written_s) * 1e3:.0f} ms")  # fmt: skip
    assert shut_s - written_s <= ROUND_S + RECONNECT_S + MARGIN_S
    assert any("foreign" in line for line in made.lines())
    assert await made.linked(shut_s)
    await made.goes_on()


@together
async def test_a_module_that_stood_still_acts_on_an_old_opening_and_is_shut_at_once(made: Links) -> None:
    """No sender can take back what the module's own stack has acknowledged; reading back finds it."""
    # Behind the edge a connection ends after 20 ms, the next one is begun after 20 more: the module wakes in the middle
    # of the time in which one stands, takes its safe word, and the old opening behind that.
    for _ in range(TRIES):
        made.mark()
        due_s = await made.announced(made.segment(LTB, 2000 * MS))
        until_s = due_s + 2 * (CONFIRM_S + PAUSE_S) + CONFIRM_S / 2
        await made.fail("hang", ms=max(1.0, (until_s - time.monotonic()) * 1e3))
        off_s = await made.over("hang")
        await asyncio.sleep(0.05)
        if [at_s for at_s, _ in made.opened() if at_s >= off_s]:
            break
        await made.linked(off_s)  # the opening was sooner, or a round, and it was never sent: once more
        await made.goes_on()
    shut_s = await made.shut()
    await made.fault("the module did not confirm within 20 ms")
    figure(f"module stood still: an opening acted on {made.openings()[0].late_s * 1e3:.0f} ms late, "
           f"shut {(shut_s - off_s) * 1e3:.0f} ms after it went on")  # fmt: skip
    assert shut_s - off_s <= CONFIRM_S + RECONNECT_S + SOON_S
    assert await made.linked(shut_s)
    await made.goes_on()


# --- the valve process -----------------------------------------------------------------------------------------------


@together
async def test_a_valve_process_that_stood_still_within_a_dose_ends_it_in_time(made: Links) -> None:
    await made.dose(250 * MS)
    await stopped(made, 50)
    await made.until(lambda: any(isinstance(each, Ended) for each in made.told), "the dose does not end")
    assert not made.faults() and made.held == ""
    assert made.widths_s() == pytest.approx(made.told_widths_s(), abs=LATE_S)


@together
async def test_a_closing_that_fell_into_a_standstill_is_the_first_thing_that_is_done(made: Links) -> None:
    await made.dose(120 * MS)
    _, on_s = await stopped(made, 200)
    shut_s = await made.shut()
    figure(f"valve process stood still for 200 ms: shut {(shut_s - on_s) * 1e3:.1f} ms after it went on")
    assert shut_s - on_s <= MARGIN_S and not made.closed_alone
    await made.until(lambda: any(isinstance(each, Ended) for each in made.told), "the dose does not end")
    closing = [each for each in made.told if isinstance(each, Edge)][-1]
    assert closing.sent_ns - closing.due_ns > 50 * MS and closing.confirmed_ns, (
        "the record does not say that it was late"
    )
    await made.goes_on()


@together
async def test_a_standstill_of_nearly_the_watchdogs_time_is_closed_by_one_of_the_two(made: Links) -> None:
    await made.dose(120 * MS)
    on_s, _ = await stopped(made, 450)
    shut_s = await made.shut()
    assert shut_s - on_s <= WATCHDOG_S + MARGIN_S
    if not await made.linked(time.monotonic() + ROUND_S):
        await made.refuses_to_clear("the module's watchdog tripped")
        await made.fresh()
    await made.goes_on()


@together
async def test_doses_that_fell_into_a_standstill_are_missed_and_told_not_given_late(made: Links) -> None:
    await made.pulses(count=14, period_ns=40 * MS)
    await made.until(lambda: len(made.opened()) == 3, "the run does not begin")
    on_s, _ = await stopped(made, 200)
    await made.until(lambda: any(isinstance(each, Held) for each in made.told), "it is not held")
    assert sum(isinstance(each, Missed) for each in made.told) == 3
    assert made.held is not None
    await made.until(lambda: "late: 3 doses in a row were missed" in (made.held or ""), "it does not say why")
    await asyncio.sleep(0.1)
    made.stayed_shut()
    assert all(opening.late_s <= LATE_S + CONFIRM_S for opening in made.openings())
    assert not [opening for opening in made.openings() if opening.at_s > on_s + 0.01]
    await made.goes_on()


@together
async def test_a_valve_process_that_stands_still_is_closed_for_and_opens_nothing_when_it_goes_on(made: Links) -> None:
    await made.client.load(made.segment(TMA, 15 * MS, count=1))
    await made.client.load(made.segment(LTB, 250 * MS, count=4, period_ns=300 * MS))
    await made.until(lambda: any(word & LTB for _, word, _ in made.changes()), "the dose did not open")
    on_s, _ = await stopped(made, 700)
    assert not made.open
    figure(f"valve process stopped: the module closed alone after {(made.shut_at_s() - on_s) * 1e3:.0f} ms")
    assert made.closed_alone and made.shut_at_s() - on_s <= WATCHDOG_S + MARGIN_S
    await made.fault("the module's watchdog tripped (count 0 before, 1 now)")
    await asyncio.sleep(0.3)
    assert not [opening for opening in made.openings() if opening.at_s > on_s + 0.01]
    await made.refuses_to_clear("the module's watchdog tripped")
    await made.fresh()
    assert made.client.status is not None and made.client.status.trips == 1
    await made.goes_on()


@together
async def test_an_opening_in_the_queue_dies_with_the_valve_process(made: Links) -> None:
    due_s = await made.announced(made.segment(LTB, 2000 * MS))
    await made.fail("dark", ms=100)
    await asyncio.sleep(due_s + 0.01 - time.monotonic())
    assert made.client.pid is not None
    os.kill(made.client.pid, signal.SIGKILL)
    await made.over("dark")
    await asyncio.sleep(0.4)  # the kernel of a sender that does not give up tries again after 0.2 s
    assert not made.opened()
    await made.fresh()
    await made.goes_on()


@together
async def test_a_killed_valve_process_is_told_and_the_daemon_writes_zeros_in_its_place(made: Links) -> None:
    await made.dose(2000 * MS)
    pid = made.client.pid
    assert pid is not None
    killed_s = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    await made.until(lambda: made.gone, "nobody is told")
    assert isinstance(made.gone, ValveError) and "the valve process is gone" in str(made.gone)
    await made.close()
    shut_s = await made.shut()
    figure(f"valve process killed: shut after {(shut_s - killed_s) * 1e3:.1f} ms")
    assert shut_s - killed_s <= MARGIN_S and not made.closed_alone
    await made.fresh()
    await made.goes_on()
