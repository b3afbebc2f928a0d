"""Opening a serial port: ours alone, quick, with its direction; and each refusal says what to do."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers import serialport
from drivers.base import NoReply
from drivers.line import open_line
from drivers.serialport import Port, ignore, open_port, quicken, turn_direction


@pytest.fixture
def pty_path() -> Iterator[str]:
    master, slave = os.openpty()
    tty.setraw(slave)
    yield os.ttyname(slave)
    os.close(master)
    os.close(slave)


def timer_of(system: Path, path: str, text: str) -> Path:
    timer = system / Path(path).name / "device" / "latency_timer"
    timer.parent.mkdir(parents=True)
    timer.write_text(text)
    return timer


def test_a_port_that_another_process_holds_is_refused_in_plain_words(pty_path: str) -> None:
    opened = open_port(Port(pty_path, 9600, "none"), ignore)
    program = f"from drivers.serialport import *; open_port(Port({pty_path!r}, 9600, 'none'), ignore)"
    second = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert f"{pty_path} is in use by another program, process {os.getpid()} (" in second.stderr
    assert ": end that first" in second.stderr
    opened.close()
    open_port(Port(pty_path, 9600, "none"), ignore).close()


async def test_a_line_says_what_is_wrong_with_its_port(tmp_path: Path) -> None:
    line = open_line("flows", f"serial:{tmp_path}/usb-flows")
    with pytest.raises(NoReply, match=r"opened: [^ ]*usb-flows is not there: is it plugged in"):
        await line.ask(b"1", None, timeout_s=0.1, device="a")
    await line.close()


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.EACCES, "group of the port, usually dialout"), (errno.EBUSY, "in use by another program"), (5, "broken")],
)
def test_why_a_port_does_not_open_is_told_with_what_to_do(
    number: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, "broken")

    monkeypatch.setattr(serialport.serial, "Serial", refuse)
    with pytest.raises(OSError, match=words):
        open_port(Port("/dev/ttyUSB0", 9600, "none"), ignore)


def test_an_adapter_is_told_to_hand_over_at_once_what_it_hears(tmp_path: Path, pty_path: str) -> None:
    timer = timer_of(tmp_path, pty_path, "16\n")
    warnings: list[str] = []
    open_port(Port(pty_path, 9600, "none"), warnings.append, tmp_path).close()
    assert (timer.read_text(), warnings) == ("1\n", [])


def test_the_adapter_is_found_behind_a_name_that_stays(tmp_path: Path) -> None:
    (tmp_path / "ttyUSB3").touch()
    by_id = tmp_path / "usb-FTDI_1"
    by_id.symlink_to(tmp_path / "ttyUSB3")
    timer = timer_of(tmp_path / "sys", "ttyUSB3", "16\n")
    assert quicken(str(by_id), tmp_path / "sys") == ""
    assert timer.read_text() == "1\n"


def test_a_latency_that_cannot_be_set_is_a_warning_that_names_the_rule_and_the_port_opens(
    tmp_path: Path, pty_path: str
) -> None:
    timer_of(tmp_path, pty_path, "16\n").unlink()
    (tmp_path / Path(pty_path).name / "device" / "latency_timer").mkdir()  # as unwritable for root as for anybody
    warnings: list[str] = []
    open_port(Port(pty_path, 9600, "none"), warnings.append, tmp_path).close()
    assert len(warnings) == 1
    assert "latency timer cannot be set to 1 ms" in warnings[0]
    assert "udev rule of docs/devices/README.md" in warnings[0]


def test_a_latency_that_is_right_already_is_not_written(tmp_path: Path) -> None:
    timer = timer_of(tmp_path, "ttyUSB0", "1\n")
    timer.chmod(stat.S_IRUSR)
    before = timer.stat().st_mtime_ns
    assert quicken("/dev/ttyUSB0", tmp_path) == ""
    assert timer.stat().st_mtime_ns == before


def test_a_port_without_rs_485_is_refused_and_not_used_without_its_direction(pty_path: str) -> None:
    opened = open_port(Port(pty_path, 9600, "none"), ignore)
    with pytest.raises(OSError, match="cannot switch the direction of RS-485 itself: leave out `rs485` if"):
        turn_direction(opened)
    opened.close()


def test_a_port_that_refuses_its_direction_is_closed_again(pty_path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Port, "pseudo", False)
    for _ in range(2):  # the second would find it locked
        with pytest.raises(OSError, match="RS-485"):
            open_port(Port(pty_path, 9600, "none", rs485=True), ignore)


def test_a_pseudo_terminal_has_no_direction_and_a_simulated_tool_may_ask_for_one(pty_path: str) -> None:
    opened = open_port(Port(pty_path, 9600, "even", rs485=True), ignore)
    assert opened.is_open and opened.rs485_mode is None
    opened.close()
