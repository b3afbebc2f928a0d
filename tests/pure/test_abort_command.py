"""What `ald abort` makes of what was typed: an abort, whatever the words are."""

from __future__ import annotations

import json

from hypothesis import example, given
from hypothesis import strategies as st

from ald_controller.cli.abort import WHY_LENGTH, _explained, _plain, request
from ald_controller.commands import Abort
from ald_controller.doors.desk import parse

# as the interpreter gives them: what is no UTF-8 comes as a lone surrogate
TYPED = st.text(st.characters(exclude_characters="\0", exclude_categories=[]))
WORD = TYPED.filter(lambda text: not text.startswith("-"))


@given(st.one_of(TYPED, st.text(st.sampled_from('a"\\\n\t\x7fé😀\udcff'), max_size=300)))
@example("".join(map(chr, range(1, 0xA0))))
def test_whatever_is_typed_is_an_abort_to_the_controller(why):
    line = request(why)
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    told = parse(line)
    assert isinstance(told, Abort)
    assert told.why == why.encode("utf-8", "replace").decode()[:WHY_LENGTH] == json.loads(line)["why"]


@given(st.lists(WORD, max_size=4), st.one_of(st.none(), WORD), st.booleans())
def test_the_short_way_of_reading_arguments_agrees_with_the_long_one(words, socket, socket_first):
    option = [] if socket is None else ["--socket", socket]
    arguments = [*option, *words] if socket_first else [*words, *option]
    assert _plain(arguments) == _explained(arguments) == (words, socket)


@given(st.lists(WORD, max_size=3), st.sampled_from(["-h", "--help", "--socket=/x", "--", "-", "--sock", "-x"]))
def test_what_the_short_way_does_not_know_is_left_to_the_long_one(words, other):
    assert _plain([*words, other]) is None
    assert _plain([other, *words]) is None
    assert _plain([*words, "--socket", other]) is None
    assert _plain([*words, "--socket"]) is None
