"""A small daemon to be killed: holds LTB open through a valve process of its own, and some memory.

python -m tests.bench.parent PORT LOCK_DIR MEGABYTES
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from ald_controller.valves.wire import Edge
from tests.valve_rig import LTB, S, dose, until, valves


async def main(port: int, folder: Path, megabytes: int) -> None:
    """Says {"pid": …} when the source is open."""
    ballast = b"\xff" * (megabytes << 20)  # written to, so that it is resident
    async with valves(port, folder) as client:
        await client.load(dose(0, LTB, 10 * S, 12 * S))
        await until(client, Edge, 2)
        print(json.dumps({"pid": os.getpid(), "ballast": len(ballast)}), flush=True)
        await asyncio.sleep(3600)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
