"""Golden transcripts: what each driver says on its wire and makes of the answers, as text under version control.

`python -m tests.contract.transcripts` records them anew; look at the difference before you keep it.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from drivers.base import DriverError, Identity, Reading
from drivers.capture import Recorder
from drivers.line import Line, memory_line
from simulators.virtualtime import run_virtual
from tests.contract.cases import Case
from tests.contract.catalogue import all_cases

FOLDER = Path(__file__).parent / "transcripts"
HEADER = (
    "Recorded against this project's own simulator, NOT against hardware: it shows what the driver sends and how it",
    "reads, and proves nothing about a real instrument. Record anew: python -m tests.contract.transcripts",
)


def cases_by_file() -> dict[str, Case]:
    """By the name of the transcript's file, without its ending."""
    return {case.name.replace(" ", "-"): case for case in all_cases()}


async def play(case: Case, line: Line, made: Callable[[str], None]) -> None:
    """Who it is, two polls a second apart, one write where there is one, a poll, and the safe state."""
    device = case.driver(line)
    made(f"identify: {identity(await device.identify())}")
    for _ in range(2):
        await asyncio.sleep(1.0)
        made(f"poll: {readings(await device.poll())}")
    if case.set is not None:
        made(f"set: {await outcome(case.set(device))}")
        made(f"poll: {readings(await device.poll())}")
    made(f"safe: {await outcome(device.safe())}")
    await line.close()


async def outcome(act: Any) -> str:
    try:
        await act
    except DriverError as error:
        return f"{type(error).__name__} {error.what}"
    return "done"


def identity(one: Identity) -> str:
    facts = "".join(f"; {name}: {fact}" for name, fact in one.facts.items())
    return f"{one.model}, serial number {one.serial or '-'}, firmware {one.firmware or '-'}{facts}"


def readings(polled: dict[str, Reading]) -> str:
    shown = (f"{name} {one.value:.9g}{' (' + ', '.join(one.flags) + ')' if one.flags else ''}"
             for name, one in polled.items())  # fmt: skip
    return "; ".join(shown)


def record(case: Case) -> str:
    """The transcript of a case."""
    out = io.StringIO()

    async def main() -> None:
        line = memory_line("wire", case.face(case.plant()))
        from_s = asyncio.get_running_loop().time()
        recorder = Recorder(out, case.name, from_s, (f"{case.name}.", *HEADER))
        line.tap = recorder.tap
        await play(case, line, recorder.made)

    run_virtual(main())
    return out.getvalue()


def main() -> None:
    """Record them all anew."""
    FOLDER.mkdir(exist_ok=True)
    for name, case in cases_by_file().items():
        (FOLDER / f"{name}.txt").write_text(record(case), "utf-8")


if __name__ == "__main__":
    main()
