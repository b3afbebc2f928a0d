"""Pulses as a program on asyncio and pymodbus' own client makes them.

    python asyncio_pymodbus.py PORT PAUSE_MS WIDTH_MS:COUNT...

What the round trip of an opening takes is taken off the sleep behind it, so that it does not lengthen the dose.
"""

from __future__ import annotations

import asyncio
import json
import sys

from pymodbus import __version__
from pymodbus.client import AsyncModbusTcpClient


async def main(port: int, pause_s: float, series: list[tuple[float, int]]) -> list[float]:
    """When every edge was due, in s of CLOCK_MONOTONIC."""
    loop = asyncio.get_running_loop()
    due_s: list[float] = []

    async def switch(on: bool, at_s: float) -> float:
        due_s.append(at_s)
        await asyncio.sleep(at_s - loop.time())
        began_s = loop.time()
        reply = await client.write_coil(0, on, device_id=1)
        if reply.isError():
            raise RuntimeError(str(reply))
        return began_s

    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    if not await client.connect():
        raise RuntimeError("no connection to the module")
    await client.write_coil(0, False, device_id=1)
    closed_s = loop.time()
    for width_s, count in series:
        for _ in range(count):
            opened_s = await switch(True, closed_s + pause_s)
            closed_s = await switch(False, opened_s + width_s)
    client.close()
    return due_s


if __name__ == "__main__":
    port, pause_ms, *texts = sys.argv[1:]
    pairs = [text.split(":") for text in texts]
    due_s = asyncio.run(main(int(port), float(pause_ms) / 1e3, [(float(ms) / 1e3, int(n)) for ms, n in pairs]))
    print(json.dumps({"versions": f"pymodbus {__version__}", "due_s": due_s}))
