"""What goes over the service manager's socket."""

import os
import socket

import pytest

from ald_controller.systemd import Notifier


@pytest.fixture
def manager(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(1)
        yield sock


def test_each_word_is_one_datagram(manager):
    notifier = Notifier({"NOTIFY_SOCKET": manager.getsockname()})
    assert notifier.ready() and notifier.watchdog() and notifier.stopping()
    assert notifier.status("run 7: dosing\nREADY=1")
    words = [manager.recv(200) for _ in range(4)]
    assert words == [b"READY=1", b"WATCHDOG=1", b"STOPPING=1", b"STATUS=run 7: dosing READY=1"]
    notifier.close()


def test_without_a_manager_nothing_is_sent_and_nothing_fails():
    notifier = Notifier({})
    assert not notifier.ready()
    assert notifier.watchdog_s is None
    notifier.close()


def test_a_vanished_manager_is_told_to_the_caller_and_stops_nothing(tmp_path):
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")})
    assert not notifier.watchdog()
    notifier.close()


def test_an_abstract_address_begins_with_a_zero_byte():
    name = f"ald-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + name)
        notifier = Notifier({"NOTIFY_SOCKET": "@" + name})
        assert notifier.ready()
        assert sock.recv(100) == b"READY=1"
        notifier.close()


def test_the_watchdog_period_is_for_the_named_process_alone():
    mine = Notifier({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": str(os.getpid())})
    other = Notifier({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "1"})
    assert (mine.watchdog_s, other.watchdog_s) == (2.0, None)
    mine.close()
    other.close()
