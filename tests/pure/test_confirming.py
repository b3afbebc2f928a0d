"""Who has confirmed what hangs at a port: by its label, bound to its card, and lost with it."""

from __future__ import annotations

from typing import Any

import pytest

from ald_controller.confirming import all_confirmed, card_hash, is_confirmed, with_confirmation
from ald_controller.feeds.signed import RegisterFeeds
from ald_controller.interlocks import Sample
from ald_controller.registers import Registers
from ald_controller.yamlfile import Problems
from tests.interlock_bench import CONFIG
from tests.recipe_bench import chemistry, simulated

CARD = {"label": "LTB-07", "precursor": "LiOtBu", "grams": "12 g"}
AT = "2030-01-01T00:00:00Z"
STRICT = CONFIG.model_copy(update={"confirm_bottles": "two-person"})


def hung(**card: Any) -> Registers:
    return Registers().set("bottle.LTB", CARD | card, "Ann", AT, chemistry())


def confirmed(registers: Registers, value: dict[str, Any], config: Any = CONFIG, by: str = "Ann") -> Registers:
    told = registers.set("confirmed.LTB", value, by, AT, chemistry())
    return with_confirmation(config, told, "confirmed.LTB", chemistry())


def test_the_label_typed_at_the_bottle_confirms_the_card_that_is_written() -> None:
    registers = hung()
    assert not is_confirmed(registers, "LTB")
    known = confirmed(registers, {"label": " LTB-07 "})
    assert is_confirmed(known, "LTB") and not is_confirmed(known, "TMA")
    assert known.entries["confirmed.LTB"].written["card"] == card_hash(known, "LTB") != ""


@pytest.mark.parametrize("change", [{"label": "LTB-08"}, {"precursor": "TMA"}, {"grams": "11 g"}, {"lot": "4711"}])
def test_a_changed_card_loses_its_confirmation_and_the_old_card_has_it_again(change: dict[str, str]) -> None:
    known = confirmed(hung(), {"label": "LTB-07"})
    other = known.set("bottle.LTB", CARD | change, "Bob", AT, chemistry())
    assert not is_confirmed(other, "LTB")
    assert is_confirmed(other.set("bottle.LTB", CARD, "Bob", AT, chemistry()), "LTB")
    assert not is_confirmed(known.without("bottle.LTB"), "LTB")


def test_the_same_card_at_another_port_is_another_card() -> None:
    both = hung().set("bottle.GL", CARD, "Ann", AT, chemistry())
    assert card_hash(both, "LTB") != card_hash(both, "GL")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"label": "LTB-08"}, "not the one on the card"),
        ({"label": "LTB-07", "card": "0123456789abcdef"}, "another card"),
    ],
)
def test_what_confirms_nothing_is_refused_without_telling_the_label(value: dict[str, str], told: str) -> None:
    with pytest.raises(Problems, match=told) as refused:
        confirmed(hung(), value)
    assert "LTB-07" not in str(refused.value)


def test_a_port_without_a_card_or_that_does_not_exist_cannot_be_confirmed() -> None:
    with pytest.raises(Problems, match="no card is written for LTB"):
        confirmed(Registers(), {"label": "LTB-07"})
    told = hung().set("confirmed.XYZ", {"label": "x"}, "Ann", AT, chemistry())
    with pytest.raises(Problems, match="there is no port 'XYZ'"):
        with_confirmation(CONFIG, told, "confirmed.XYZ", chemistry())


@pytest.mark.parametrize("second", [None, "Ann", "  ann "])
def test_where_two_persons_are_asked_for_the_first_one_is_no_second(second: str | None) -> None:
    with pytest.raises(Problems, match="two persons"):
        confirmed(hung(), {"label": "LTB-07"} | ({"second": second} if second else {}), STRICT)


def test_two_persons_confirm_together() -> None:
    known = confirmed(hung(), {"label": "LTB-07", "second": "Bob"}, STRICT)
    assert is_confirmed(known, "LTB") and known.entries["confirmed.LTB"].written["second"] == "Bob"


def test_the_owners_limits_are_no_bottle() -> None:
    registers = Registers().set("confirmed.limits", "1a2b-3c4d-5e6f-7890", "Ann", AT, chemistry())
    assert with_confirmation(CONFIG, registers, "confirmed.limits", chemistry()) is registers


def test_the_simulated_reactors_bottles_are_confirmed_as_they_hang() -> None:
    registers = simulated()
    assert registers.bottles() and all(is_confirmed(registers, port) for port in registers.bottles())
    again = all_confirmed(registers.set("bottle.spare", CARD, "plan", AT, chemistry()), chemistry())
    assert is_confirmed(again, "spare")


def test_rows_read_one_for_a_confirmed_port_and_zero_for_every_other_at_every_scan() -> None:
    known = [confirmed(hung(), {"label": "LTB-07"})]
    samples: dict[str, Sample] = {}
    feeds = RegisterFeeds(samples, CONFIG.ports, lambda: known[0], utc_s=0.0)
    feeds.look(5.0)
    told = {s: x.value for s, x in samples.items() if s.startswith("register.confirmed.")}
    assert told == {f"register.confirmed.{port}": float(port == "LTB") for port in CONFIG.ports}
    known[0] = known[0].set("bottle.LTB", CARD | {"lot": "2"}, "Bob", AT, chemistry())
    feeds.look(6.0)
    assert samples["register.confirmed.LTB"] == Sample(0.0, 6.0)
