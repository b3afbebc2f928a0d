"""`ald fault`: spoils a simulated device, or its wire, while `ald simulate --control` runs, and mends it again."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import click

from ald_controller.cli.asking import JSON
from ald_controller.doorbell import LocalClient, NoDoor


@click.command()
@click.argument("device", required=False)
@click.argument("kind", required=False)
@click.argument("numbers", nargs=-1, metavar="[NAME=NUMBER]...")
@click.option("--list", "list_", is_flag=True, help="the faults that each device can have, or this one")
@click.option("--control", envvar="ALD_CONTROL", default=None, help="the socket of `ald simulate` (or ALD_CONTROL)")
@JSON
def fault(
    device: str | None, kind: str | None, numbers: tuple[str, ...], list_: bool, control: str | None, as_json: bool
) -> None:
    """Spoil a simulated device from now on: DEVICE KIND, for example 'carrier late s=0.5'; DEVICE clear mends it."""
    request = _request(device, kind, numbers, list_)
    reply = _reply(control, request)
    if as_json:
        click.echo(json.dumps(reply))
    elif not reply["ok"]:
        click.echo(f"ald: {reply['text']}", err=True)
    else:
        click.echo(_listed(reply["data"]["devices"], device) if list_ else reply["text"])
    sys.exit(0 if reply["ok"] else 1)


def _request(device: str | None, kind: str | None, numbers: tuple[str, ...], list_: bool) -> dict[str, Any]:
    """What to send; exits with 2 on what is no command."""
    if list_:
        if kind is not None:
            raise click.UsageError("--list takes at most a device")
        return {"verb": "list"}
    if device is None or kind is None:
        raise click.UsageError("write DEVICE KIND, for example 'carrier late s=0.5'; --list says which there are")
    if kind == "clear":
        if numbers:
            raise click.UsageError("clear takes no numbers: it ends every fault of the device")
        return {"verb": "clear", "device": device}
    return {"verb": "put", "device": device, "kind": kind, "numbers": dict(_number(one) for one in numbers)}


def _number(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(int(value, 0)) if value.lower().startswith("0x") else float(value)
    except ValueError:
        raise click.UsageError(f"'{text}': write NAME=NUMBER, for example s=0.5") from None


def _reply(control: str | None, request: dict[str, Any]) -> dict[str, Any]:
    """The simulation's answer; exits with 3 when none runs there."""
    if control is None:
        click.echo("ald: which simulation? Name its socket with --control or ALD_CONTROL", err=True)
        sys.exit(3)
    try:
        return LocalClient(control).ask(request, timeout_s=5.0)
    except NoDoor as error:
        click.echo(f"ald: {_why(control, error)}", err=True)
        sys.exit(3)


def _why(control: str, error: NoDoor) -> str:
    """Who asks for a simulation is not told of a controller's door."""
    if os.path.exists(control) and not os.access(control, os.W_OK):
        return f"{control}: only the account that runs the simulation may switch its faults"
    if "gave no reply" in str(error):
        return f"{control}: what listens there gave no reply"
    return f"{control}: no simulation answers there: does `ald simulate --control {control}` run?"


def _listed(devices: dict[str, dict[str, str]], only: str | None) -> str:
    """By device; exits with 1 when there is none of this name."""
    if only is not None and only not in devices:
        click.echo(f"ald: there is no device '{only}'; there are: {', '.join(devices)}", err=True)
        sys.exit(1)
    lines: list[str] = []
    for name, kinds in devices.items():
        if only in (None, name):
            lines += [name, *(f"  {kind:<20} {what}" for kind, what in kinds.items())]
    return "\n".join(lines)
