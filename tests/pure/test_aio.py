"""The home-made asyncio: nothing here needs a clock on the wall beyond milliseconds."""

import asyncio
import itertools

import pytest

from ald_controller.aio import every, supervise, uncancellable


async def _work(done: list[str], error: Exception | None = None) -> str:
    await asyncio.sleep(0.03)
    done.append("done")
    if error:
        raise error
    return "result"


async def test_uncancellable_work_gives_its_result():
    assert await uncancellable(_work([])) == "result"


async def test_work_ends_although_its_caller_is_cancelled_twice():
    done: list[str] = []
    task = asyncio.create_task(uncancellable(_work(done)))
    for _ in range(2):
        await asyncio.sleep(0.005)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["done"]


async def test_an_error_of_the_work_is_the_cause_of_the_cancellation():
    task = asyncio.create_task(uncancellable(_work([], ValueError("dead"))))
    await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    assert isinstance(caught.value.__cause__, ValueError)


async def test_an_error_of_the_work_reaches_a_caller_that_waits():
    with pytest.raises(ValueError, match="dead"):
        await uncancellable(_work([], ValueError("dead")))


async def test_a_timeout_around_uncancellable_work_is_told_after_the_work():
    done: list[str] = []
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.005):
            await uncancellable(_work(done))
    assert done == ["done"]


async def test_ticks_stay_on_the_grid_of_their_start():
    dues = []
    async for tick in every(0.01):
        dues.append(tick.due_s)
        await asyncio.sleep(0.003)
        if tick.number >= 5:
            break
    steps = [round((b - a) / 0.01, 6) for a, b in itertools.pairwise(dues)]
    assert all(step >= 1 and step == round(step) for step in steps)


async def test_a_late_reader_skips_ticks_and_is_told_how_many():
    ticks = []
    async for tick in every(0.01):
        ticks.append(tick)
        if len(ticks) == 1:
            await asyncio.sleep(0.055)
        if len(ticks) == 3:
            break
    assert ticks[1].missed >= 4
    assert ticks[1].number == ticks[1].missed + 1


@pytest.mark.parametrize("period_s", [0, -1, float("nan")])
async def test_a_period_must_be_positive(period_s):
    with pytest.raises(ValueError, match="longer than 0 s"):
        async for _ in every(period_s):
            break


async def test_a_broken_service_is_started_again_with_an_alarm_each_time():
    alarms: list[tuple[str, str]] = []
    starts = 0

    async def service() -> None:
        nonlocal starts
        starts += 1
        if starts < 4:
            raise OSError(f"broken {starts}")

    await supervise("mqtt", service, lambda name, e: alarms.append((name, str(e))), first_s=0.001, longest_s=0.004)
    assert alarms == [("mqtt", "broken 1"), ("mqtt", "broken 2"), ("mqtt", "broken 3")]


async def test_cancelling_a_supervised_service_ends_it():
    task = asyncio.create_task(supervise("x", lambda: asyncio.sleep(60), lambda name, e: None))
    await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
