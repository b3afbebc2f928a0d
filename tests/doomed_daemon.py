"""A daemon to be killed in the middle of a dose: opens LTB for 10 s, says so in one line of JSON, and goes on beating.

python -m tests.doomed_daemon PORT LOCK_DIR
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from ald_controller.valves.wire import Edge, SegmentRefused
from tests.valve_rig import LTB, MS, TMA, S, dose, until, valves


async def main(port: int, folder: Path) -> None:
    async with valves(port, folder) as client:
        refused = ""
        try:
            await client.load(dose(0, TMA, 15 * MS, 1500 * MS))
        except SegmentRefused as error:
            refused = str(error)
        await client.load(dose(0 if refused else 1, LTB, 10 * S, 12 * S))
        events = await until(client, Edge, 2 if refused else 5)
        degraded = client.status is not None and client.status.degraded
        late_ms = [(e.sent_ns - e.due_ns) / 1e6 for e in events if isinstance(e, Edge)]
        line = {"pid": os.getpid(), "child": client.pid, "degraded": degraded, "refused": refused, "late_ms": late_ms}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        await asyncio.sleep(3600)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
