"""`ald abort`: a source may be open, so nothing is imported that only help, mistakes or the answer need."""

from __future__ import annotations

import sys

from ald_controller.doorbell import LocalClient, NoDoor, find_socket

ANSWER_S = 2.0  # a controller that does not answer by then will not shut anything either
WHY_LENGTH = 200
_ESCAPED = {code: f"\\u{code:04x}" for code in (*range(0x20), ord('"'), ord("\\"))}


def main(arguments: list[str]) -> int:
    """Ask for an abort and print the answer; 0 when it was taken, 1 refused, 3 nobody answers."""
    why, socket = _plain(arguments) or _explained(arguments)
    try:
        reply = LocalClient(find_socket(socket)).ask_line(request(" ".join(why)), timeout_s=ANSWER_S)
    except NoDoor as error:
        print(f"ald abort: {error}\nUse the emergency stop at the tool.", file=sys.stderr)
        return 3
    print(reply["text"], file=sys.stdout if reply["ok"] else sys.stderr)
    return 0 if reply["ok"] else 1


def request(why: str) -> bytes:
    """The request as a line of JSON; what a terminal sent that is no UTF-8 becomes "?", for it may stop no abort."""
    text = why.encode("utf-8", "replace").decode()[:WHY_LENGTH].translate(_ESCAPED)
    return f'{{"verb":"abort","why":"{text}"}}\n'.encode()


def _plain(arguments: list[str]) -> tuple[list[str], str | None] | None:
    """Words and the socket, where nothing but `--socket PATH` is more than a word; else None."""
    words, rest, socket = [], iter(arguments), None
    for argument in rest:
        if argument == "--socket":
            socket = next(rest, "-")
        else:
            words.append(argument)
    return None if any(each.startswith("-") for each in (*words, socket or "")) else (words, socket)


def _explained(arguments: list[str]) -> tuple[list[str], str | None]:
    """The same from any way of writing it; leaves with a sentence and 0 for --help, 2 for a mistake."""
    import argparse

    parser = argparse.ArgumentParser(prog="ald abort", description="Shut the valves now and go to the safe state.")
    parser.add_argument("why", nargs="*", help="what to write into the record")
    parser.add_argument("--socket", help="the controller's local door")
    options = parser.parse_args(arguments)
    return options.why, options.socket
