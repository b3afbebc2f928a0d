"""Polls the reference tool for a while and says what it cost: run as a process of its own, against `ald simulate`.

    python -m tests.polling TOOL ADDRESSES SECONDS

Prints one line of JSON. What is counted is this process: the drivers, lines and polls of the tool, all loops with a
set-point that is refreshed; the devices are another process. No valve process, no interlocks, no records.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ald_controller.cli.addresses import read_addresses
from ald_controller.config import load_tool
from ald_controller.interlocks import Sample
from ald_controller.tool import Tool
from drivers.line import open_line

SETTLED_S = 20.0  # every device has been identified, caches are full


class NoValves:
    """The valve path is measured elsewhere: it has a process of its own."""

    lateness = status = None

    def aux(self, mask: int, bits: int) -> None: ...

    async def close(self) -> None: ...


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def rss_kib() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize() // 1024


async def poll(file: Any, seconds: float) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    valves: Any = NoValves()
    tool = Tool(file, lambda name, line: open_line(name, line.address, line.baud, line.parity), valves)
    read = dict.fromkeys(file.devices, 0)
    first = {name: min(config.channels) for name, config in file.devices.items()}

    def count(taken: Mapping[str, Sample]) -> None:
        for signal in taken:
            device, _, channel = signal.partition(".")
            read[device] += channel == first[device]

    polls = asyncio.create_task(tool.poll_forever())
    await asyncio.sleep(2.0)
    await tool.heaters.heat(dict.fromkeys(file.config.zones_of("source", "line", "substrate"), 40.0), None)
    await asyncio.sleep(SETTLED_S - 2.0)
    tool.on_readings = count
    gc.collect()
    asked, began_s, used_s, began_kib = tool.transactions, loop.time(), cpu_s(), rss_kib()
    await asyncio.sleep(seconds)
    took_s, used_s, asked = loop.time() - began_s, cpu_s() - used_s, tool.transactions - asked
    gc.collect()
    grown_kib = rss_kib() - began_kib
    absent = [str(one) for one in tool.absent]
    polls.cancel()
    await asyncio.gather(polls, return_exceptions=True)
    await tool.close()
    return {
        "seconds": took_s, "cpu_s": used_s, "asked": asked, "began_kib": began_kib, "grown_kib": grown_kib,
        "per_s": {name: number / took_s for name, number in read.items()}, "absent": absent,
        "misplaced": sum(tool.misplaced().values()),
    }  # fmt: skip


def main(tool: str, addresses: str, seconds: str) -> None:
    file = load_tool(Path(tool), read_addresses(Path(addresses)))
    print(json.dumps(asyncio.run(poll(file, float(seconds)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
