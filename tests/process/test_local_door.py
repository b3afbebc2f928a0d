"""The door at the tool over real sockets: who is there, what is refused, and what no client can break."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from ald_controller import doorbell
from ald_controller.aio import supervise
from ald_controller.config import People
from ald_controller.doorbell import LocalClient, NoDoor
from ald_controller.doors.desk import Desk
from ald_controller.doors.local import DoorLimits, DoorTaken, LocalDoor, people_by_uid
from tests.fake_handler import Clock, FakeHandler, make_desk, tool_config

ME = pwd.getpwuid(os.getuid()).pw_name
LIMITS = DoorLimits(clients=4, idle_s=30, write_s=0.3, watch_buffer_bytes=2048)


@pytest.fixture
def handler() -> FakeHandler:
    return FakeHandler()


@pytest.fixture
def desk(handler: FakeHandler) -> Desk:
    return make_desk(handler, Clock())


@pytest_asyncio.fixture
async def door(desk: Desk, tmp_path: Path) -> AsyncIterator[LocalDoor]:
    door = LocalDoor(desk, tmp_path / "ald.sock", LIMITS)
    await door.open()
    yield door
    await door.close()
    assert not door.path.exists()


async def in_thread(work: Callable[..., Any], *arguments: Any) -> Any:
    """A blocking client must not run on the loop of the door that answers it."""
    return await asyncio.to_thread(work, *arguments)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  (what is waited for happens in code under test, which has no events)
            await asyncio.sleep(0.02)


async def line(door: LocalDoor, data: bytes) -> dict[str, Any]:
    reader, writer = await asyncio.open_unix_connection(door.path)
    writer.write(data)
    reply = json.loads(await reader.readline())
    writer.close()
    return dict(reply)


async def test_the_kernel_says_who_asks(door, handler):
    reply = await in_thread(LocalClient(door.path).ask, {"verb": "start", "name": "r"})
    assert (reply["ok"], reply["text"]) == (True, f"start for {ME}")
    assert handler.asked[0][0] == ME


async def test_many_requests_go_over_one_connection_in_their_order(door, handler):
    reader, writer = await asyncio.open_unix_connection(door.path)
    writer.write(b'{"verb":"pause"}\n{"verb":"zap"}\n{"verb":"stop"}\n')
    replies = [json.loads(await reader.readline()) for _ in range(3)]
    assert [r["code"] for r in replies] == ["done", "unknown-verb", "done"]
    assert handler.verbs() == ["pause", "stop"]
    writer.close()


async def test_only_owner_and_group_may_open_the_socket(door):
    assert stat.S_IMODE(door.path.stat().st_mode) == 0o660


async def test_somebody_without_a_role_is_refused_with_a_sentence(handler, tmp_path):
    nobody = tool_config(owner=People(), operator=People(), viewer=People())
    door = LocalDoor(make_desk(handler, Clock(), nobody), tmp_path / "s")
    await door.open()
    reply = await in_thread(LocalClient(door.path).ask, {"verb": "status"})
    assert reply["code"] == "unknown-person"
    assert str(os.getuid()) in reply["text"]
    assert handler.asked == []
    await door.close()


def test_the_highest_role_of_a_person_counts_and_strangers_are_named():
    config = tool_config(viewer=People(unix=[ME, "no-such-user"]), operator=People(unix=[]))
    people, unknown = people_by_uid(config)
    assert people[os.getuid()].role == "owner"  # by "@daemon"
    assert unknown == ["no-such-user"]


async def test_a_viewer_may_look_and_not_touch(handler, tmp_path):
    config = tool_config(owner=People(), viewer=People(unix=[ME]))
    door = LocalDoor(make_desk(handler, Clock(), config), tmp_path / "s")
    await door.open()
    client = LocalClient(door.path)
    assert (await in_thread(client.ask, {"verb": "status"}))["ok"]
    assert (await in_thread(client.ask, {"verb": "abort"}))["code"] == "forbidden"
    await door.close()


@pytest.mark.parametrize(
    "data", [b"{\n", b"\n", b"\xff\xff\n", b"[" * 10_000 + b"\n", b"null\n", b'{"verb":"start"}\n']
)
async def test_rubbish_gets_a_reply_and_the_door_lives(door, data):
    assert (await line(door, data))["code"] == "bad-request"
    assert (await line(door, b'{"verb":"pause"}\n'))["ok"]


async def test_a_line_that_never_ends_is_refused_and_cut_off(door, handler):
    reply = await in_thread(LocalClient(door.path).ask, {"verb": "upload", "name": "r", "text": "x" * 2_000_000})
    assert reply["code"] == "oversize"
    assert (await in_thread(LocalClient(door.path).ask, {"verb": "pause"}))["ok"]
    assert handler.verbs() == ["pause"]


async def test_a_whole_recipe_of_the_largest_size_goes_through(door, handler):
    text = "é" * 131_072  # 262,144 bytes on the wire
    assert (await in_thread(LocalClient(door.path).ask, {"verb": "upload", "name": "r", "text": text}))["ok"]
    assert handler.asked[0][1].text == text


async def test_a_client_that_leaves_does_not_undo_its_request(door, handler):
    handler.delay_s = 0.05
    _, writer = await asyncio.open_unix_connection(door.path)
    writer.write(b'{"verb":"stop"}\n{"verb":"pause"}\n')
    await writer.drain()
    await asyncio.sleep(0.02)
    writer.close()
    await asyncio.sleep(0.2)
    assert handler.verbs()[0] == "stop"
    assert (await line(door, b'{"verb":"resume"}\n'))["ok"]


async def test_watch_streams_states_until_the_client_leaves(door):
    def three() -> list[int]:
        states = LocalClient(door.path).watch(20)
        return [next(states)["sequence"] for _ in range(3)]

    sequences = await in_thread(three)
    assert sequences == sorted(set(sequences))
    await until(lambda: not door._clients)


async def test_a_watcher_hears_that_nothing_changes(door, handler, monkeypatch):
    same = handler.status()
    monkeypatch.setattr(handler, "status", lambda: same)

    def two() -> list[int]:
        states = LocalClient(door.path).watch(20)
        return [next(states)["sequence"] for _ in range(2)]

    assert await in_thread(two) == [same.sequence] * 2


async def test_a_watcher_that_does_not_read_is_dropped_and_nobody_waits_for_it(door):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, str(door.path))
        await asyncio.get_running_loop().sock_sendall(sock, b'{"verb":"watch","hz":20}\n')
        await until(lambda: bool(door._clients))
        for client in door._clients:
            client.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1024)
        await until(lambda: door.dropped == 1)
    assert (await line(door, b'{"verb":"abort"}\n'))["ok"]


async def test_a_full_door_makes_room_for_an_abort(door, handler):
    idle = [await asyncio.open_unix_connection(door.path) for _ in range(LIMITS.clients + 3)]
    assert (await line(door, b'{"verb":"abort"}\n'))["ok"]
    assert len(door._clients) <= LIMITS.clients
    for _, writer in idle:
        writer.close()


async def test_an_idle_client_is_sent_away(handler, tmp_path):
    door = LocalDoor(make_desk(handler, Clock()), tmp_path / "s", DoorLimits(idle_s=0.05))
    await door.open()
    reader, writer = await asyncio.open_unix_connection(door.path)
    assert await reader.read() == b""
    assert door.dropped == 1
    writer.close()
    await door.close()


async def test_a_second_controller_is_refused_and_the_first_lives_on(door, desk):
    with pytest.raises(DoorTaken, match="another controller holds this door"):
        await LocalDoor(desk, door.path).open()
    door.path.with_name("ald.sock.lock").unlink()  # even when somebody has removed the lock
    with pytest.raises(DoorTaken, match="somebody listens there"):
        await LocalDoor(desk, door.path).open()
    assert (await line(door, b'{"verb":"pause"}\n'))["ok"]


async def test_a_supervised_door_opens_again_when_the_other_controller_has_gone(door, desk, handler):
    alarms: list[str] = []
    second = LocalDoor(desk, door.path)
    task = asyncio.create_task(supervise("local", second.run, lambda _, e: alarms.append(str(e)), first_s=0.05))
    await until(lambda: bool(alarms))
    await door.close()
    await until(lambda: second._server is not None)
    assert (await line(second, b'{"verb":"pause"}\n'))["ok"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not second.path.exists()


async def test_the_socket_of_a_dead_controller_is_replaced(desk, tmp_path):
    path = tmp_path / "ald.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    door = LocalDoor(desk, path)
    await door.open()
    assert (await line(door, b'{"verb":"pause"}\n'))["ok"]
    await door.close()
    assert not path.exists()


async def test_a_file_in_the_way_is_not_removed(desk, tmp_path):
    (path := tmp_path / "ald.sock").write_text("precious")
    with pytest.raises(DoorTaken, match="is not a socket"):
        await LocalDoor(desk, path).open()
    assert path.read_text() == "precious"


async def test_an_address_that_is_too_long_is_named(desk, tmp_path):
    with pytest.raises(OSError, match="no socket can be made there"):
        await LocalDoor(desk, tmp_path / ("x" * 120)).open()


def test_without_a_controller_the_client_says_so(tmp_path):
    with pytest.raises(NoDoor, match="is it running"):
        LocalClient(tmp_path / "none").ask({"verb": "status"})
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead"))
    with pytest.raises(NoDoor, match="is gone"):
        LocalClient(tmp_path / "dead").ask({"verb": "status"})


async def test_a_controller_that_does_not_reply_is_named(door, handler):
    handler.delay_s = 5
    with pytest.raises(NoDoor, match=r"no reply in 0\.1 s"):
        await in_thread(LocalClient(door.path).ask, {"verb": "pause"}, 0.1)


def test_the_socket_is_that_of_the_only_controller_or_the_one_that_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(doorbell, "RUNTIME", str(tmp_path))
    monkeypatch.delenv("ALD_SOCKET", raising=False)
    with pytest.raises(NoDoor, match="no controller runs here"):
        doorbell.find_socket(None)
    for tool in ("one", "two"):
        (tmp_path / tool).mkdir()
    (tmp_path / "one" / "ald.sock").touch()
    assert doorbell.find_socket(None) == str(tmp_path / "one" / "ald.sock")
    (tmp_path / "two" / "ald.sock").touch()
    with pytest.raises(NoDoor, match=r"several controllers run here.*/one/ald.sock, .*/two/ald.sock"):
        doorbell.find_socket(None)
    monkeypatch.setenv("ALD_SOCKET", "/two")
    assert doorbell.find_socket(None) == "/two"
    assert doorbell.find_socket("/one") == "/one"
    monkeypatch.setattr(doorbell, "RUNTIME", str(tmp_path / "not made"))
    monkeypatch.delenv("ALD_SOCKET")
    with pytest.raises(NoDoor, match="no controller runs here"):
        doorbell.find_socket(None)


# --- `ald abort`: a process of its own -------------------------------------------------------------------------------

# with nothing but the interpreter; says at the moment of connecting what has been imported until then
ABORT = """import sys
sys.path.insert(0, sys.argv.pop(1))
def at_the_door(event, _):
    if event == "socket.connect":
        print(*sys.modules)
sys.addaudithook(at_the_door)
from ald_controller.__main__ import main
main()"""
ROOT = Path(__file__).resolve().parents[2]


def abort(path: Path, *words: str | bytes) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", "-c", ABORT, str(ROOT), "abort", "--socket", str(path), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)


async def test_nothing_is_imported_before_an_abort_is_on_its_way(door, handler):
    done = await in_thread(abort, door.path, "smoke", "at the door")
    modules, answer = done.stdout.splitlines()
    assert (done.returncode, done.stderr, answer) == (0, "", f"abort for {ME}")
    assert handler.asked[0][1].why == "smoke at the door"
    own = {"__main__", "ald_controller.cli.abort", "ald_controller.doorbell"}
    assert own < set(modules.split())
    slow = {"argparse", "collections", "enum", "functools", "json", "pathlib", "re", "selectors", "socket", "typing"}
    assert not slow & set(modules.split())


async def test_an_abort_whose_words_are_no_text_is_an_abort_all_the_same(door, handler):
    done = await in_thread(abort, door.path, b'T\xfcr "offen"\n')
    assert (done.returncode, done.stderr) == (0, "")
    assert handler.asked[0][1].why == 'T?r "offen"\n'


def test_an_abort_that_nobody_answers_points_at_the_emergency_stop(tmp_path):
    done = abort(tmp_path / "none", "smoke")
    assert done.returncode == 3
    assert "is it running?\nUse the emergency stop at the tool." in done.stderr


def test_an_abort_that_is_typed_wrongly_is_explained(tmp_path):
    done = abort(tmp_path / "none", "--now")
    assert done.returncode == 2
    assert "unrecognized arguments: --now" in done.stderr
