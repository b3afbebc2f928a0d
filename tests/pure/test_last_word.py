"""`ald safe` before it speaks to anybody: which module it means, and whose turn it is to write."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from ald_controller.cli import safe
from ald_controller.cli.safe import find, of_tool
from ald_controller.config import load_tool
from ald_controller.valves import lock as lock_module
from ald_controller.valves.holders import _taken_by, holders
from ald_controller.valves.lastmodule import FILE, LastModule, last, leave, this_boot
from ald_controller.valves.lock import Lock, lock_folder, lock_path, numeric, seen
from ald_controller.valves.wire import ValveError
from drivers.valve_modules import MODULES

TOOL = Path(__file__).parents[2] / "deploy" / "tool.yaml"
BECKHOFF = LastModule("beckhoff_bk9050", "192.168.10.11", 502, 1, 16, "/run/lock/coupler-192.168.10.11-502.lock")


def options(*arguments: str | Path) -> Any:
    return safe._options([str(a) for a in arguments])


# --- what the daemon leaves ------------------------------------------------------------------------------------------


def test_what_a_daemon_leaves_is_read_back_as_it_was(tmp_path):
    left = replace(BECKHOFF, boot=this_boot(), lock_file=(1, 2))
    leave(tmp_path, left)
    assert last(tmp_path) == left
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize("driver", sorted(MODULES))
def test_every_module_that_can_carry_the_valve_word_can_be_left(tmp_path, driver):
    leave(tmp_path, replace(BECKHOFF, driver=driver))
    found = last(tmp_path)
    assert found is not None and type(found.outputs()) is MODULES[driver]


def test_a_disk_that_takes_nothing_is_told_and_keeps_what_was_there(tmp_path, monkeypatch):
    leave(tmp_path, BECKHOFF)

    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ValveError, match=r"valve-module.json: what `ald safe` needs cannot be left.*No space left"):
        leave(tmp_path, replace(BECKHOFF, port=503))
    assert last(tmp_path) == BECKHOFF


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"driver": "abacus"}, "there is no module 'abacus'; there are: adam_6256, beckhoff_bk9050"),
        ({"driver": None}, "'driver' is None"),
        ({"port": 0}, "port 0, unit 1: 1 to 65535 and 0 to 255 are expected"),
        ({"port": True}, "'port' is True"),
        ({"unit": 256}, "port 502, unit 256"),
        ({"coils": 0}, "at most 64 coils of the valve word, not 0"),
        ({"coils": "16"}, "'coils' is '16'"),
        ({"lock": 7}, "'lock' is 7"),
        ({"colour": "blue"}, "unexpected keyword argument 'colour'"),
        ({"lock_file": 3}, "must be an iterable"),
    ],
)
def test_what_no_daemon_leaves_is_refused_with_what_is_wrong(tmp_path, change, said):
    (tmp_path / FILE).write_text(json.dumps(asdict(BECKHOFF) | change))
    with pytest.raises(ValveError, match=r"valve-module.json is not what a controller leaves: ") as caught:
        last(tmp_path)
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"driver": "beckhoff_bk9050"}', "\udcff"])
def test_a_torn_file_is_no_module(tmp_path, text):
    (tmp_path / FILE).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValveError, match="is not what a controller leaves"):
        last(tmp_path)


# --- which module is meant -------------------------------------------------------------------------------------------


def test_what_the_daemon_used_wins_over_what_the_tool_file_says_now(tmp_path):
    leave(tmp_path, replace(BECKHOFF, host="10.0.0.1"))
    module, source = find(options("--state", tmp_path, "--tool", TOOL))
    assert (module.host, source) == ("10.0.0.1", f"as the controller of {tmp_path} last used it")


def test_without_it_the_tool_file_counts_and_a_torn_one_is_told(tmp_path):
    module, source = find(options("--state", tmp_path, "--tool", TOOL))
    assert (module.host, source) == ("192.168.10.11", f"as {TOOL} names it")
    (tmp_path / FILE).write_text("{")
    module, source = find(options("--state", tmp_path, "--tool", TOOL))
    assert module.host == "192.168.10.11" and source.startswith(f"{tmp_path / FILE} is not what")


def test_without_either_it_says_what_is_missing(tmp_path):
    with pytest.raises(ValveError, match=f"no controller has left its module in {tmp_path}"):
        find(options("--state", tmp_path))
    with pytest.raises(ValveError, match=r"gone\.yaml:1:1: cannot be read: No such file"):
        find(options("--state", tmp_path, "--tool", tmp_path / "gone.yaml"))


def test_the_tool_file_means_the_same_module_to_both():
    valves = (file := load_tool(TOOL)).config.valves
    module = of_tool(TOOL, None)
    assert (module.driver, module.unit, module.coils) == (valves.driver, valves.unit, valves.coils)
    assert file.config.lines[valves.line].address == f"tcp://{module.host}:{module.port}"
    assert module.lock == str(lock_path(lock_folder(), module.host, module.port))


def test_nothing_but_the_module_need_be_right_in_a_tool_file(tmp_path):
    (path := tmp_path / "tool.yaml").write_text(
        "tool: 7\ncolour: blue\nlines: {a: {address: 'tcp://127.0.0.1:1502'}}\n"
        "valves: {driver: adam_6256, line: a, unit: 1, coils: 16, watchdog: soon}\n"
    )
    assert (found := of_tool(path, None)).driver == "adam_6256" and found.port == 1502


def test_addresses_of_a_simulated_reactor_replace_those_of_the_tool_file(tmp_path):
    (path := tmp_path / "addresses.json").write_text('{"devices": {"valves": {"address": "tcp://127.0.0.1:4711"}}}')
    assert (found := of_tool(TOOL, path)).host == "127.0.0.1" and found.port == 4711
    path.write_text("[]")
    with pytest.raises(ValveError, match="not what `ald simulate --json` prints"):
        of_tool(TOOL, path)


@pytest.mark.parametrize(
    "change",
    [
        ("line: coupler-a", "line: nowhere"),
        ("coils: 16", "coils: many"),
        ("driver: beckhoff_bk9050", "driver: abacus"),
        ('coupler-a: {address: "tcp://192.168.10.11:502"}', 'coupler-a: {address: "serial:/dev/ttyS0"}'),
        ("valves:", "taps:"),
    ],
)
def test_a_tool_file_that_names_no_module_is_refused_with_a_sentence(tmp_path, change):
    text = TOOL.read_text("utf-8")
    assert change[0] in text
    (path := tmp_path / "tool.yaml").write_text(text.replace(*change))
    with pytest.raises(ValveError, match=r"do not name a module|there is no module|'coils' is|is no address"):
        of_tool(path, None)


def test_the_only_controller_of_this_computer_is_found_by_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(safe, "STATES", tmp_path)
    with pytest.raises(SystemExit) as ended:
        options()
    assert ended.value.code == 2
    for tool in ("one", "two"):
        (tmp_path / tool).mkdir()
        leave(tmp_path / tool, BECKHOFF)
        if tool == "one":
            assert options().state == tmp_path / "one"
    with pytest.raises(SystemExit):
        options()  # which one?


@pytest.mark.parametrize(
    "words",
    [
        "--module beckhoff_bk9050", "--at 127.0.0.1:502", "--module abacus --at 127.0.0.1:502", "--at 127.0.0.1",
        "--module beckhoff_bk9050 --at 127.0.0.1:0", "--module beckhoff_bk9050 --at :502", "--state . --unit 1",
        "--module beckhoff_bk9050 --at 127.0.0.1:502 --state .", "--state . --addresses a.json", "--force", "now",
    ],
)  # fmt: skip
def test_used_wrongly_it_ends_with_2_before_anything_is_done(words, capsys):
    with pytest.raises(SystemExit) as ended:
        safe.main(words.split())
    assert ended.value.code == 2
    assert "ald safe: error: " in capsys.readouterr().err


def test_one_module_is_one_lock_however_its_address_is_written():
    at = [find(options("--module", "beckhoff_bk9050", "--at", host))[0] for host in ("127.0.0.1:502", "127.1:502")]
    assert at[0] == at[1] and at[0].lock.endswith("coupler-127.0.0.1-502.lock")
    with pytest.raises(ValveError, match=r"there is no address of 'a\.\.b'"):
        numeric("a..b", 502)


# --- whose turn it is ------------------------------------------------------------------------------------------------


def test_whoever_made_the_file_may_remove_it_and_nobody_ever_holds_a_file_that_is_gone(tmp_path, monkeypatch):
    path = tmp_path / "lock"
    first, second, third = Lock(path), Lock(path), Lock(path)
    assert first.take() and first.made
    opened_before = os.open(path, os.O_RDWR)
    assert not second.take()
    first.free(remove=True)
    with monkeypatch.context() as patch:
        patch.setattr(second, "_open", lambda: opened_before)
        assert not second.take(), "it would hold a file that nobody else can see"
    assert second.take() and not third.take()
    assert seen(path) == lock_module.identity(os.fstat(second.fd or -1))
    second.free()
    assert third.take() and not third.made
    third.free()


def test_a_lock_that_exists_is_opened_without_asking_for_a_new_one(tmp_path, monkeypatch):
    """Where everybody may write, Linux refuses O_CREAT on somebody else's file even to root (fs.protected_regular)."""
    (path := tmp_path / "lock").touch()
    kernel = os.open

    def protected(file: Any, flags: int, *rest: Any, **named: Any) -> int:
        if flags & os.O_CREAT and Path(file).exists():
            raise PermissionError(errno.EACCES, "Permission denied")
        return kernel(file, flags, *rest, **named)

    monkeypatch.setattr(os, "open", protected)
    (lock := Lock(path)).take()
    assert lock.fd is not None
    lock.free()


def test_a_lock_that_is_a_link_or_may_not_be_opened_is_refused_with_its_owner(tmp_path):
    (tmp_path / "target").touch()
    (tmp_path / "lock").symlink_to(tmp_path / "target")
    with pytest.raises(ValveError, match=r"lock cannot be opened: .*; it belongs to "):
        Lock(tmp_path / "lock").take()
    with pytest.raises(ValveError, match=r"cannot be opened: (File exists|Not a directory)"):
        Lock(tmp_path / "target" / "lock").take()


def test_the_lock_of_this_boot_must_be_the_file_that_was_locked(tmp_path):
    path = tmp_path / "lock"
    (lock := Lock(path)).take()
    left = replace(BECKHOFF, lock=str(path), boot=this_boot(), lock_file=seen(path))
    assert not left.lock_is_hidden()
    path.rename(tmp_path / "elsewhere")  # as a private /tmp looks from outside
    assert left.lock_is_hidden()
    assert not replace(left, boot="another").lock_is_hidden(), "after a reboot nobody holds anything"
    lock.free()


def test_who_took_a_lock_is_told_by_the_kernel_and_oneself_is_nobody(tmp_path):
    (lock := Lock(tmp_path / "lock")).take()
    file = seen(lock.path)
    assert file is not None and _taken_by(file) == [os.getpid()]
    assert holders(tmp_path / "nothing") == []
    lock.free()
    assert _taken_by(file) == []


def test_root_and_everybody_else_look_for_locks_in_the_same_folder(tmp_path, monkeypatch):
    """Where /run/lock is root's alone, root must not wait there for a daemon that could not write there."""
    common = tmp_path / "lock"
    common.mkdir(mode=0o755)
    monkeypatch.setattr(lock_module, "COMMON", common)
    assert lock_folder() != common
    common.chmod(0o1777)
    assert lock_folder() == common
