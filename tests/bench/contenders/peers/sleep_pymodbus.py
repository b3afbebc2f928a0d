"""Pulses as a script on `time.sleep` and pymodbus' synchronous client makes them.

    python sleep_pymodbus.py PORT PAUSE_MS WIDTH_MS:COUNT...

What the round trip of an opening takes is taken off the sleep behind it, so that it does not lengthen the dose.
"""

from __future__ import annotations

import json
import sys
import time

from pymodbus import __version__
from pymodbus.client import ModbusTcpClient


def main(port: int, pause_s: float, series: list[tuple[float, int]]) -> list[float]:
    """When every edge was due, in s of CLOCK_MONOTONIC."""
    due_s: list[float] = []

    def switch(on: bool, at_s: float) -> float:
        due_s.append(at_s)
        time.sleep(max(0.0, at_s - time.monotonic()))
        began_s = time.monotonic()
        reply = client.write_coil(0, on, device_id=1)
        if reply.isError():
            raise RuntimeError(str(reply))
        return began_s

    client = ModbusTcpClient("127.0.0.1", port=port)
    if not client.connect():
        raise RuntimeError("no connection to the module")
    client.write_coil(0, False, device_id=1)
    closed_s = time.monotonic()
    for width_s, count in series:
        for _ in range(count):
            opened_s = switch(True, closed_s + pause_s)
            closed_s = switch(False, opened_s + width_s)
    client.close()
    return due_s


if __name__ == "__main__":
    port, pause_ms, *texts = sys.argv[1:]
    pairs = [text.split(":") for text in texts]
    due_s = main(int(port), float(pause_ms) / 1e3, [(float(ms) / 1e3, int(n)) for ms, n in pairs])
    print(json.dumps({"versions": f"pymodbus {__version__}", "due_s": due_s}))
