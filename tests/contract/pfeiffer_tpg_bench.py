"""Requests and answers of a scripted TPG or VGC controller."""

from __future__ import annotations

from drivers.pfeiffer_tpg import PfeifferTpg, TpgConfig, TpgGauge
from tests.contract.scripted import Answer, Peer, to

ACK, NAK, ENQ = bytes.fromhex("06 0D 0A"), bytes.fromhex("15 0D 0A"), bytes.fromhex("05")
PKR, TPR = TpgGauge(1, "PKR"), TpgGauge(2, "TPR")
ONE, TWO = TpgConfig("TPG362", (PKR,)), TpgConfig("TPG362", (PKR, TPR))


def step(mnemonic: str, line: str, told: bytes = ACK) -> tuple[tuple[bytes, Answer], tuple[bytes, Answer]]:
    return (mnemonic.encode() + b"\r", told), (ENQ, line.encode() + b"\r\n")


def controller(peer: Peer, settings: TpgConfig = ONE) -> PfeifferTpg:
    return PfeifferTpg("gauges", to(peer), settings)
