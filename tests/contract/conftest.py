"""For every test of a contract: what a scripted peer expects is asked, all of it and nothing else."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.contract.scripted import PEERS


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call() -> Generator[None, object, object]:
    """A test that passed fails all the same if its script was not played to the end."""
    PEERS.clear()
    result = yield
    assert [what for peer in PEERS for what in peer.left] == []
    return result
