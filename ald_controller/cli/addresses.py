"""Where devices are reached: `HOST:PORT`, and the file in which `ald simulate` says where it serves them."""

from __future__ import annotations

import json
from pathlib import Path


class BadAddresses(Exception):
    """The file of addresses is not what `ald simulate --json` prints."""


def read_addresses(path: Path) -> dict[str, str]:
    """device -> address, from what `ald simulate --json` printed; raises BadAddresses."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise BadAddresses(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise BadAddresses(f"{path}: not what `ald simulate --json` prints: it is no text") from error
    try:
        devices = json.loads(text)["devices"]
        return {name: str(device["address"]) for name, device in devices.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        why = (
            "it is empty: does the simulation run?" if not text.strip() else "no object of devices with an address each"
        )
        raise BadAddresses(f"{path}: not what `ald simulate --json` prints: {why}") from error


def host_and_port(address: str) -> tuple[str, int]:
    """The two parts of `tcp://HOST:PORT` or `HOST:PORT`; raises ValueError."""
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    if not host or not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise ValueError(f"'{address[:80]}' is no address: write HOST:PORT")
    return host.removeprefix("[").removesuffix("]"), int(port)
