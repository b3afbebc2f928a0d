"""A real broker for the tests of the remote door: the shipped configuration and access list on a free loopback port."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from ald_controller.link import Broker

ROOT = Path(__file__).parents[2]
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
USERS = ("ald-reference", "operator", "bob", "dashboard")


def find(program: str) -> str:
    """The program, or a skip that cannot be overlooked; a failure where ALD_REQUIRE_MOSQUITTO says it must be here."""
    found = shutil.which(program, path=PATH)
    if found:
        return found
    why = f"NOT TESTED: the remote door, because {program} is not here: apt install mosquitto"
    if os.environ.get("ALD_REQUIRE_MOSQUITTO"):
        pytest.fail(why)
    pytest.skip(why)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Mosquitto:
    """One broker in `folder`, started, hung, killed and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        self._program = find("mosquitto")
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = folder
        self.port = free_port()
        passwords = folder / "passwd"
        passwords.touch(mode=0o600)
        for user in USERS:
            command = [find("mosquitto_passwd"), "-b", str(passwords), user, f"{user}-password"]
            subprocess.run(command, check=True, capture_output=True)
        acl = (ROOT / "deploy/mosquitto.acl").read_text("utf-8")
        (folder / "acl").write_text(acl + "\nuser bob\ntopic write ald/reference/cmd/bob/+\n")
        (folder / "acl").chmod(0o600)
        self._write_configuration(passwords)

    def _write_configuration(self, passwords: Path) -> None:
        """The shipped file, with another port and other places."""
        text = (ROOT / "deploy/mosquitto.conf").read_text("utf-8")
        for pattern, new in (
            (r"^listener .*$", f"listener {self.port} 127.0.0.1"),
            (r"^password_file .*$", f"password_file {passwords}"),
            (r"^acl_file .*$", f"acl_file {self._folder / 'acl'}"),
        ):
            text, count = re.subn(pattern, new, text, flags=re.MULTILINE)
            assert count == 1, pattern
        if os.getuid() == 0:
            text += "\nuser root\n"
        (self._folder / "conf").write_text(text)

    def broker(self, user: str) -> Broker:
        return Broker("127.0.0.1", self.port, user, f"{user}-password")

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "-c", str(self._folder / "conf")], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        for _ in range(500):
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self._process.poll() is None, self.log()
            time.sleep(0.02)
        raise AssertionError(f"the broker does not come up:\n{self.log()}")

    def log(self) -> str:
        return (self._folder / "log").read_text("utf-8", errors="replace")

    def hang(self) -> None:
        """Stop it in its tracks: it keeps its connections, and the kernel keeps taking what is sent to it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
