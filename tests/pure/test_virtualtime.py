"""The virtual clock: it jumps, keeps order, and refuses everything that lives on the wall clock."""

import asyncio
import time

import pytest

from simulators.virtualtime import VirtualTimeError, run_virtual


def test_an_hour_of_sleep_takes_no_time():
    async def main() -> float:
        loop = asyncio.get_running_loop()
        before = loop.time()
        await asyncio.sleep(3600)
        return loop.time() - before

    began = time.perf_counter()
    assert run_virtual(main()) == pytest.approx(3600, abs=1e-6)
    assert time.perf_counter() - began < 5


def test_days_pass_although_the_loop_looks_one_day_ahead_at_most():
    async def main() -> float:
        loop = asyncio.get_running_loop()
        before = loop.time()
        await asyncio.sleep(3 * 86400)
        return loop.time() - before

    assert run_virtual(main()) == pytest.approx(3 * 86400)


def test_tasks_wake_in_the_order_of_their_deadlines():
    seen: list[int] = []

    async def one(i: int) -> None:
        await asyncio.sleep(i / 1000)
        seen.append(i)

    async def main() -> None:
        await asyncio.gather(*(one(i) for i in (5, 3, 9, 1)))

    run_virtual(main())
    assert seen == [1, 3, 5, 9]


def test_a_timeout_falls_at_its_virtual_second():
    async def main() -> float:
        loop = asyncio.get_running_loop()
        before = loop.time()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.5):
                await asyncio.Event().wait()
        return loop.time() - before

    assert run_virtual(main()) == pytest.approx(2.5)


def test_work_that_is_ready_holds_the_clock():
    async def main() -> float:
        loop = asyncio.get_running_loop()
        before = loop.time()
        for _ in range(100):
            await asyncio.sleep(0)
        return loop.time() - before

    assert run_virtual(main()) == 0


def test_waiting_for_nothing_names_the_waiting_task():
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(VirtualTimeError, match=r"no timer is set.*Task"):
        run_virtual(main())


async def _thread() -> None:
    await asyncio.to_thread(print)


async def _process() -> None:
    await asyncio.create_subprocess_exec("true")


async def _socket() -> None:
    await asyncio.open_connection("127.0.0.1", 9)


async def _descriptor() -> None:
    asyncio.get_running_loop().add_reader(0, print)


@pytest.mark.parametrize("act", [_thread, _process, _socket, _descriptor])
def test_the_wall_clock_is_refused_with_a_sentence(act):
    with pytest.raises(VirtualTimeError, match="needs the wall clock"):
        run_virtual(act())


def test_leftover_tasks_are_cancelled_at_the_end():
    ended: list[str] = []

    async def forever() -> None:
        try:
            await asyncio.sleep(1e6)
        finally:
            ended.append("cancelled")

    async def main() -> str:
        main.task = asyncio.create_task(forever())
        await asyncio.sleep(1)
        return "done"

    assert run_virtual(main()) == "done"
    assert ended == ["cancelled"]


def test_an_error_of_main_comes_out_as_it_is():
    async def main() -> None:
        await asyncio.sleep(1)
        raise ZeroDivisionError("as it is")

    with pytest.raises(ZeroDivisionError, match="as it is"):
        run_virtual(main())


def test_a_cancelled_timer_never_comes_however_many_there_are():
    came: list[int] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        timers = [loop.call_later(1 + i / 1000, came.append, i) for i in range(400)]
        for i, timer in enumerate(timers):
            if i % 5:
                timer.cancel()
                timer.cancel()  # twice is once
        assert timers[1].cancelled() and not timers[5].cancelled()
        await asyncio.sleep(2)
        timers[5].cancel()  # it came already

    run_virtual(main())
    assert came == list(range(0, 400, 5))


def test_what_was_called_soon_comes_in_its_order_unless_it_was_cancelled():
    came: list[int] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        calls = [loop.call_soon(came.append, i) for i in range(4)]
        loop.call_soon_threadsafe(came.append, 4)
        calls[2].cancel()
        await asyncio.sleep(1)

    run_virtual(main())
    assert came == [0, 1, 3, 4]


def test_an_error_in_a_callback_is_told_and_ends_nothing():
    told: list[object] = []

    async def main() -> str:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
        loop.call_later(1, lambda: 1 / 0)
        await asyncio.sleep(2)
        return "on"

    assert run_virtual(main()) == "on"
    assert isinstance(told[0], ZeroDivisionError) and len(told) == 1
