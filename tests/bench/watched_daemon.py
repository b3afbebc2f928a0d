"""`ald daemon` that also writes down how late each scan of its guard was, and hangs when it is told to.

python -m tests.bench.watched_daemon FILE daemon OPTIONS…
One line a scan: the time of CLOCK_MONOTONIC and the lateness, both in s. The writing costs a few µs a scan.
At HANG_SIGNAL the thread of the event loop enters a system call that does not come back for HANG_S.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

from ald_controller.__main__ import main
from ald_controller.daemon import Daemon

HANG_SIGNAL, HANG_S = signal.SIGUSR1, 1.5


def watch(path: Path) -> None:
    """Have every daemon of this process write its scans to `path`."""
    file = path.open("ab", buffering=0)
    after_scan = Daemon._after_scan

    def noted(self: Daemon, late_s: float) -> None:
        file.write(b"%f %f\n" % (time.monotonic(), late_s))
        after_scan(self, late_s)

    Daemon._after_scan = noted  # type: ignore[method-assign]


if __name__ == "__main__":
    watch(Path(sys.argv.pop(1)))
    signal.signal(HANG_SIGNAL, lambda *_: time.sleep(HANG_S))
    main()
