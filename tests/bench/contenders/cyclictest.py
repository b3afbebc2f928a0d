"""The yardstick: how late this computer wakes a C thread of the valve process's priority that does nothing else."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from ald_controller.valves.process import PRIORITY, SPIN_NS
from tests.bench.contenders.pulses import Figure

PERIOD_US, WAKES, LONGEST_US = 5000, 500, 100_000


class CyclicTest:
    """cyclictest of the rt-tests, told to leave the processor's power saving as the valve process finds it."""

    name = "cyclictest"
    shows = ((0, "wake-up after due"),)

    def missing(self) -> str:
        """Why it cannot take part, "" when it can."""
        return "" if shutil.which("cyclictest") else "cyclictest is not installed (apt install rt-tests)"

    def turn(self, folder: Path) -> Iterable[Figure]:
        """Wake-ups after due, in whole µs."""
        command = ["cyclictest", "--default-system", "-q", "-m", "-p", PRIORITY, "-i", PERIOD_US, "-l", WAKES]
        done = subprocess.run(
            [*map(str, command), "-h", str(LONGEST_US)], capture_output=True, text=True, check=False, cwd=folder
        )
        if done.returncode:
            raise RuntimeError(f"cyclictest: {done.stderr.strip() or done.returncode}")
        for line in done.stdout.splitlines():
            if line and not line.startswith("#"):
                late_us, count = map(int, line.split())
                yield from [Figure(*self.shows[0], late_us / 1e3)] * count

    def drift(self, folder: Path) -> Iterable[Figure]:
        """It has no cycles of its own."""
        return ()

    def note(self) -> str:
        """What a reader must know beside the figures."""
        spins = f"the valve process spins its last {SPIN_NS / 1e6:g} ms"
        return f"cyclictest writes nothing and wakes from sleep alone, {spins}"
