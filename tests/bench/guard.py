"""How late the guard scans while the local door is flooded with requests for the state."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.figures import Row
from tests.bench.machine import ROOT
from tests.bench.stage import Served, served_tool

PART = "guard"
SECONDS = 10.0
PER_SECOND = 200
CLIENTS = 4  # of the flood without a pause
RECIPE = ROOT / "recipes" / "trial-ligl.yaml"


def measure(folder: Path) -> list[Row]:
    """Lateness of scans without a client, at 200 requests a second, and at as many as are answered."""
    rows = []
    with served_tool(folder, RECIPE) as served:
        served.reset()
        for name, flood in (
            ("nobody asks", _silence),
            (f"{PER_SECOND} status/s", _paced),
            ("endless status", _endless),
        ):
            since_s = time.monotonic()
            answers_ms = flood(served)
            until_s = time.monotonic()
            late_ms = served.lateness_ms(since_s, until_s)
            rate = f"{len(answers_ms) / (until_s - since_s):.0f} answers/s"
            rows.append(Row(PART, f"scan after due, {name}", "ms", late_ms, "" if flood is _silence else rate))
            if answers_ms:
                rows.append(Row(PART, f"answer after its request, {name}", "ms", answers_ms, rate))
    return rows


def _silence(served: Served) -> list[float]:
    time.sleep(SECONDS)
    return []


def _paced(served: Served) -> list[float]:
    """A new connection for each request, as scripts around `ald status` make them."""
    values_ms, start_s = [], time.monotonic()
    for number in range(round(SECONDS * PER_SECOND)):
        time.sleep(max(0.0, start_s + number / PER_SECOND - time.monotonic()))
        values_ms.append(_timed(lambda: served.ask("status")))
    return values_ms


def _endless(served: Served) -> list[float]:
    values_ms: list[float] = []
    end_s = time.monotonic() + SECONDS
    threads = [threading.Thread(target=_hammer, args=(served.door, end_s, values_ms)) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return values_ms


def _hammer(door: Path, end_s: float, values_ms: list[float]) -> None:
    """One connection, the next request as soon as the last is answered."""
    request = json.dumps({"verb": "status"}).encode() + b"\n"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(door))
        replies = sock.makefile("rb")
        while time.monotonic() < end_s:
            values_ms.append(_timed(lambda: (sock.sendall(request), replies.readline())))


def _timed(act: Callable[[], object]) -> float:
    start_s = time.monotonic()
    act()
    return (time.monotonic() - start_s) * 1e3
