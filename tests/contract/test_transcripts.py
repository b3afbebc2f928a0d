"""Golden transcripts replayed: each driver asks what was recorded, byte for byte, and reads what it read then."""

from __future__ import annotations

import asyncio
import io

import pytest

from drivers.base import DriverError
from drivers.capture import BadCapture, Capture, Event, NotRecorded, Recorder, Replay, both, read_captures
from drivers.line import memory_line
from simulators.virtualtime import run_virtual
from tests.contract.scripted import Peer, Say, now_s
from tests.contract.transcripts import FOLDER, cases_by_file, play

CASES = cases_by_file()


def test_there_is_a_transcript_of_every_device_type() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(CASES)
    assert len(CASES) >= 5


@pytest.mark.parametrize("name", CASES)
def test_a_driver_asks_and_reads_as_in_its_transcript(name: str) -> None:
    (capture,) = read_captures((FOLDER / f"{name}.txt").read_text("utf-8"))
    made: list[str] = []

    async def main() -> None:
        replay = Replay(capture)
        await play(CASES[name], memory_line("wire", replay), made.append)
        replay.done()

    run_virtual(main())
    assert tuple(made) == capture.made


@pytest.mark.parametrize("name", CASES)
def test_a_transcript_says_that_no_hardware_was_there(name: str) -> None:
    head = (FOLDER / f"{name}.txt").read_text("utf-8").splitlines()[1]
    assert "own simulator, NOT against hardware" in head


def test_a_driver_that_asks_something_else_than_recorded_fails_loudly() -> None:
    (capture,) = read_captures((FOLDER / "alicat.txt").read_text("utf-8"))
    first = capture.events[0]._replace(data=b"BVE\r")

    async def main() -> None:
        replay = Replay(Capture(capture.line, (first, *capture.events[1:])))
        await play(CASES["alicat"], memory_line("wire", replay), lambda _: None)

    with pytest.raises(NotRecorded, match=r"line alicat: b'AVE\\r' was sent; recorded is b'BVE\\r' of"):
        run_virtual(main())
    assert not issubclass(NotRecorded, (DriverError, OSError)), "or a driver would take it for a silent line"


def test_what_was_recorded_and_is_never_asked_is_told() -> None:
    (capture,) = read_captures((FOLDER / "alicat.txt").read_text("utf-8"))
    with pytest.raises(NotRecorded, match="was recorded and never asked"):
        Replay(capture).done()


def test_more_than_was_recorded_is_refused() -> None:
    with pytest.raises(NotRecorded, match="recorded is nothing more"):
        Replay(Capture("flows", ())).hear(0.0, b"A\r")


def test_bytes_of_any_kind_and_length_come_back_from_the_text() -> None:
    events = (
        Event(0.0, "the pusher", "sent", bytes(range(256))),
        Event(0.0274, "the pusher", "heard", b"| > = @ #\r"),
        Event(1.5, "", "heard", b"\0"),
    )
    out = io.StringIO()
    recorder = Recorder(out, "flows", 100.0, ("A sentence.",))
    for event in events:
        recorder.tap(100.0 + event.at_s, event.device, event.way, event.data)
    recorder.made("poll: well")
    (read,) = read_captures(out.getvalue())
    assert read.events == (events[0]._replace(device="the_pusher"), events[1]._replace(device="the_pusher"), events[2])
    assert (read.line, read.made) == ("flows", ("poll: well",))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("> 0.000000 a 41 |A|", "line 1: a recording begins with '@ '"),
        ("@ flows\n> 0.0 a 41 |A|", "line 2: '> 0.0 a 41"),
        ("# well\n@ flows\n  41 |A|", "line 3"),
        ("@ flows\nmonkey", "line 2: 'monkey' is neither"),
        ("@ flows\n> 0.000000 a 42 |A|", "line 2: the bytes are 'B' and 'A' is printed beside them"),
        ("@ flows\n> 2.000000 a 41 |A|\n< 1.500000 a 41 |A|", "line 3: 1.5 s is before what stands above it, 2 s"),
    ],
)
def test_a_text_that_is_no_recording_is_refused_with_its_line(text: str, words: str) -> None:
    with pytest.raises(BadCapture, match=words):
        read_captures(text)


def test_several_lines_of_one_tool_are_kept_apart_in_one_text() -> None:
    captures = read_captures("@ a\n> 0.000000 x 41 |A|\n@ b\n> 0.000000 y 42 |B|\n")
    assert [(one.line, one.events[0].data) for one in captures] == [("a", b"A"), ("b", b"B")]


def test_a_replay_takes_its_time_as_the_recording_did_and_pieces_stay_pieces() -> None:
    async def main() -> None:
        out = io.StringIO()
        line = memory_line("wire", Peer((b"1", (Say(0.1, b"on"), Say(0.15, b"e;")))))
        pieces: list[bytes] = []
        recorder = Recorder(out, "wire", now_s())
        line.tap = recorder.tap
        await line.ask(b"1", lambda b: b.find(b";") + 1 or None, timeout_s=1, device="a")
        again = memory_line("wire", Replay(read_captures(out.getvalue())[0]))
        again.tap = both(lambda *_: None, lambda at_s, device, way, data: pieces.append(data))
        await asyncio.sleep(0.01)
        start_s = now_s()
        assert await again.ask(b"1", lambda b: b.find(b";") + 1 or None, timeout_s=1, device="a") == b"one;"
        assert now_s() - start_s == pytest.approx(0.05 + 0.15, abs=1e-5)
        assert pieces == [b"1", b"on", b"e;"]

    run_virtual(main())
