"""The scripted peer itself: a request outside its script, and one of its script that nobody makes, fail the test."""

from __future__ import annotations

import pytest

from tests.contract.conftest import pytest_pyfunc_call
from tests.contract.scripted import PEERS, Peer


def test_a_script_that_is_played_to_its_end_leaves_nothing() -> None:
    peer = Peer((b"1", b"one"), (b"1", b"two"), always={b"v": b"three"})
    assert [peer.hear(0.0, request) for request in (b"v", b"1", b"1", b"v")] == [b"three", b"one", b"two", b"three"]
    assert peer.left == []


def test_a_request_that_nobody_makes_fails_the_test_when_it_ends() -> None:
    ends = pytest_pyfunc_call()
    next(ends)
    Peer((b"1", b"one"), (b"2", b"two")).hear(0.0, b"1")
    with pytest.raises(AssertionError, match="never asked: b'2'"):
        ends.send(None)
    PEERS.clear()  # or this test would fail for it, too


def test_a_request_outside_the_script_fails_the_test_even_where_somebody_swallows_that() -> None:
    ends = pytest_pyfunc_call()
    next(ends)
    with pytest.raises(AssertionError, match="nothing expected, b'1' sent"):
        Peer().hear(0.0, b"1")
    with pytest.raises(AssertionError, match="not in the script: b'1'"):
        ends.send(None)
    PEERS.clear()
