"""A daemon to be killed in the middle of a dose: opens LTB for 10 s, says so in one line of JSON, and goes on beating.

With a FIFO it hangs instead, in a read of it that blocks its loop, and says in a second line what it was told after.

python -m tests.doomed_daemon PORT LOCK_DIR [FIFO]
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from ald_controller.valves.wire import Edge, Held, SegmentRefused
from tests.valve_rig import LTB, MS, TMA, S, dose, until, valves


async def main(port: int, folder: Path, fifo: Path | None) -> None:
    async with valves(port, folder) as client:
        refused = ""
        try:
            await client.load(dose(0, TMA, 15 * MS, 100 * MS))
        except SegmentRefused as error:
            refused = str(error)
        await client.load(dose(0 if refused else 1, LTB, 10 * S, 12 * S))
        events = await until(client, Edge, 2 if refused else 5)
        degraded = client.status is not None and client.status.degraded
        late_ms = [(e.sent_ns - e.due_ns) / 1e6 for e in events if isinstance(e, Edge)]
        say({"pid": os.getpid(), "child": client.pid, "degraded": degraded, "refused": refused, "late_ms": late_ms})
        if fifo is not None:
            hang(fifo)
            say({"held": [event.why for event in await until(client, Held) if isinstance(event, Held)]})
        await asyncio.sleep(3600)


def say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def hang(fifo: Path) -> None:
    """Return when somebody has written to it and closed it."""
    fifo.read_bytes()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None))
