"""Every rule of seven tools, to the letter: a change of any limit, input, moment, reaction or word shows as text."""

from __future__ import annotations

from difflib import unified_diff

from tests.rules_text import GOLDEN, text


def test_no_rule_has_changed_unseen() -> None:
    known, now = GOLDEN.read_text("utf-8"), text()
    if known == now:
        return
    changed = "\n".join(list(unified_diff(known.splitlines(), now.splitlines(), "known", "now", n=0, lineterm=""))[:20])
    message = f"rules are not as they were. If that was meant: python -m tests.rules_text, and read the diff\n{changed}"
    raise AssertionError(message)
