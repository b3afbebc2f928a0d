"""What commands that ask the controller share: their options, and an answer or an exit code. Light to import."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from ald_controller.cli.sockets import find_socket
from ald_controller.doorbell import LocalClient, NoDoor
from ald_controller.shipped import DEPLOY

TOOL = click.option(
    "--tool", "tool", type=click.Path(path_type=Path), default=None, help="the tool file (default: deploy/tool.yaml)"
)
SOCKET = click.option("--socket", default=None, help="the controller's local door")
JSON = click.option("--json", "as_json", is_flag=True, help="one JSON object instead of text")
STATE = click.option(
    "--state", type=click.Path(exists=True, file_okay=False, path_type=Path), default=None,
    help="a state directory to look into, without a controller",
)  # fmt: skip


def tool_path(option: Path | None) -> Path:
    """The tool file: as given, else the one of this checkout or installation."""
    return option or DEPLOY / "tool.yaml"


def ask(socket: str | None, request: dict[str, Any], as_json: bool = False) -> dict[str, Any]:
    """Ask the controller, print its answer, and exit unless it was yes."""
    reply = reply_to(socket, request, as_json)
    click.echo(json.dumps(reply) if as_json else reply["text"])
    return reply


def reply_to(socket: str | None, request: dict[str, Any], as_json: bool = False) -> dict[str, Any]:
    """The controller's answer where it is yes; else prints it and exits with 1, or with 3 when nobody answers."""
    try:
        reply = LocalClient(find_socket(socket)).ask(request)
    except NoDoor as error:
        click.echo(f"ald: {error}", err=True)
        sys.exit(3)
    if not reply["ok"]:
        click.echo(json.dumps(reply) if as_json else reply["text"], err=not as_json)
        sys.exit(1)
    return reply
