"""A Mosquitto of one's own for the demo: the shipped configuration and access list, on a free loopback port."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ald_controller.shipped import DEPLOY

_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"


@dataclass(frozen=True, slots=True)
class Prepared:
    """How to start the broker, and how to come in: user -> password."""

    command: list[str]
    port: int
    passwords: dict[str, str]


def installed() -> bool:
    """Whether Mosquitto and its password tool are here."""
    return all(shutil.which(program, path=_PATH) for program in ("mosquitto", "mosquitto_passwd"))


def prepare(folder: Path, users: tuple[str, ...]) -> Prepared:
    """Write configuration, access list and fresh passwords for `users` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    port = _free_port()
    passwords = {user: secrets.token_urlsafe(12) for user in users}
    file = folder / "passwords"
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    for user, password in passwords.items():
        subprocess.run([_found("mosquitto_passwd"), "-b", str(file), user, password], check=True, capture_output=True)
    access = folder / "access"
    access.touch(mode=0o600)
    access.write_text((DEPLOY / "mosquitto.acl").read_text("utf-8"))
    text = (DEPLOY / "mosquitto.conf").read_text("utf-8")
    for pattern, new in (
        (r"^listener .*$", f"listener {port} 127.0.0.1"),
        (r"^password_file .*$", f"password_file {file.resolve()}"),
        (r"^acl_file .*$", f"acl_file {access.resolve()}"),
    ):
        text = re.sub(pattern, new, text, flags=re.MULTILINE)
    # as root it would change to an account that may not read the folder
    own = "\nuser root\n" if os.getuid() == 0 else "\n"
    configuration = folder / "mosquitto.conf"
    configuration.write_text(text + own)
    return Prepared([_found("mosquitto"), "-c", str(configuration)], port, passwords)


def _found(program: str) -> str:
    return shutil.which(program, path=_PATH) or program


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
