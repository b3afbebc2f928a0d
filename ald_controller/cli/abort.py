"""`ald abort`: as few imports as can be, so that the valves hear of it within a tenth of a second."""

from __future__ import annotations

import argparse
import sys

from ald_controller.cli.sockets import find_socket
from ald_controller.doorbell import LocalClient, NoDoor

ANSWER_S = 2.0  # a controller that does not answer by then will not shut anything either


def main(arguments: list[str]) -> int:
    """Ask for an abort and print the answer; 0 when it was taken, 1 refused, 3 nobody answers."""
    parser = argparse.ArgumentParser(prog="ald abort", description="Shut the valves now and go to the safe state.")
    parser.add_argument("why", nargs="*", help="what to write into the record")
    parser.add_argument("--socket", help="the controller's local door")
    options = parser.parse_args(arguments)
    try:
        reply = LocalClient(find_socket(options.socket)).ask(
            {"verb": "abort", "why": " ".join(options.why)[:200]}, timeout_s=ANSWER_S
        )
    except NoDoor as error:
        print(f"ald abort: {error}\nUse the emergency stop at the tool.", file=sys.stderr)
        return 3
    print(reply["text"], file=sys.stdout if reply["ok"] else sys.stderr)
    return 0 if reply["ok"] else 1
