"""Who has stood before a bottle and said what it is: confirmations, bound to the card that they confirm. Pure.

The register `confirmed.PORT` holds the label as it was typed at the bottle, a second person where the site asks for
two, and the hash of the card. A card that changes has another hash, and nobody has confirmed that one.
"""

from __future__ import annotations

import hashlib
import json

from ald_controller.chemistry import Chemistry
from ald_controller.config import ToolConfig
from ald_controller.registers import CONFIRMED_LIMITS, CONFIRMED_PREFIX, BottleConfirmation, Registers
from ald_controller.yamlfile import Mark, Problem, Problems

TWO_PERSONS = "two-person"


def card_hash(registers: Registers, port: str) -> str:
    """A short name for the card at this port, as it is written; "" where there is none."""
    card = registers.entries.get(f"bottle.{port}")
    if card is None:
        return ""
    return hashlib.sha256(json.dumps([port, card.written], sort_keys=True).encode()).hexdigest()[:16]


def is_confirmed(registers: Registers, port: str) -> bool:
    """Whether what hangs at this port was confirmed, and its card is still the same."""
    said = registers.get(CONFIRMED_PREFIX + port)
    return isinstance(said, BottleConfirmation) and bool(said.card) and said.card == card_hash(registers, port)


def with_confirmation(config: ToolConfig, registers: Registers, name: str, chemistry: Chemistry) -> Registers:
    """These registers, in which `name` was just set; a confirmation among them gets the hash of what it confirms.

    Raises Problems for one that confirms nothing. It never says what the label is.
    """
    if not name.startswith(CONFIRMED_PREFIX) or name == CONFIRMED_LIMITS:
        return registers
    port, entry = name.removeprefix(CONFIRMED_PREFIX), registers.entries[name]
    said: BottleConfirmation = entry.value
    if why := _why_not(config, registers, port, said, entry.by):
        raise Problems([Problem(Mark(f"register {name}", 1, 1), why)])
    value = {**entry.written, "card": card_hash(registers, port)}
    return registers.set(name, value, entry.by, entry.at, chemistry)


def _why_not(config: ToolConfig, registers: Registers, port: str, said: BottleConfirmation, by: str) -> str:
    """Why this confirms nothing, or ""."""
    card = registers.bottles().get(port)
    if port not in config.ports:
        return f"there is no port '{port[:40]}'; there are: {', '.join(config.ports)}"
    if card is None:
        return f"no card is written for {port}: `ald register set bottle.{port} …` first"
    if said.label.strip() != card.label.strip():
        again = "look at the bottle again, and where it is another bottle write its card first"
        return f"the label that was typed is not the one on the card of {port}: {again}"
    if said.card not in (None, card_hash(registers, port)):
        return f"this confirms another card of {port} than the one that is written now"
    if config.confirm_bottles == TWO_PERSONS and _nobody_else(said.second or "", by):
        return f"two persons are asked for at this site: a second one besides {by} has to look at the label of {port}"
    return ""


def _nobody_else(second: str, first: str) -> bool:
    return not second.strip() or second.casefold().split() == first.casefold().split()


def all_confirmed(registers: Registers, chemistry: Chemistry) -> Registers:
    """Every bottle of a simulated reactor confirmed as it hangs: what a preview and a demo begin with."""
    for port, card in registers.bottles().items():
        signed = registers.entries[f"bottle.{port}"]
        value = {"label": card.label, "card": card_hash(registers, port)}
        registers = registers.set(CONFIRMED_PREFIX + port, value, signed.by, signed.at, chemistry)
    return registers
