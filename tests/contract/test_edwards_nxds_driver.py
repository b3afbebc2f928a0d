"""The nXDS pump byte for byte."""

from __future__ import annotations

import math

import pytest

from drivers.base import BadReply, DeviceFault, NoReply, Reading, Refused
from drivers.edwards_nxds import EdwardsNxds, EdwardsNxdsConfig
from simulators.virtualtime import run_virtual
from tests.contract.scripted import Answer, Peer, Say, now_s, to

STATUS, IDLE, RUNNING = b"?V802\r", b"=V802 0;0400;0000;0000;0000\r", b"=V802 30;047A;0000;0000;0000\r"
HEALTHY: dict[bytes, Answer] = {STATUS: RUNNING, b"?V808\r": b"=V808 41;37\r", b"?V810\r": b"=V810 5021\r"}
PROBE: dict[bytes, Answer] = {b"?S801\r": b"=S801 nXDS;D37479651A;30\r"}


def pump(peer: Peer, unit: int = 0, model: str = "nXDS") -> EdwardsNxds:
    return EdwardsNxds("pump", to(peer), EdwardsNxdsConfig(unit, model))


def values(readings: dict[str, Reading]) -> dict[str, float]:
    return {name: one.value for name, one in readings.items()}


def flags(readings: dict[str, Reading]) -> dict[str, tuple[str, ...]]:
    return {name: one.flags for name, one in readings.items() if one.flags}


def test_a_poll_asks_three_objects() -> None:
    async def main() -> None:
        peer = Peer(*((b"?V%d\r" % n, Say(0.04, HEALTHY[b"?V%d\r" % n])) for n in (802, 808, 808, 810, 810)),
                    always=HEALTHY)  # type: ignore[arg-type]  # fmt: skip
        device = pump(peer)
        readings = await device.poll()
        assert values(readings) == {"speed_hz": 30, "pump_temperature_c": 41, "controller_temperature_c": 37,
                                    "run_hours": 5021, "running": 1, "standby": 0}  # fmt: skip
        assert flags(readings) == {}
        assert readings["speed_hz"].at_s == readings["running"].at_s < readings["pump_temperature_c"].at_s
        assert readings["run_hours"].at_s == now_s()
        del peer.heard[:]
        await device.poll()
        assert peer.requests == [b"?V802\r", b"?V808\r", b"?V810\r"], "which object the pump knows is asked once"

    run_virtual(main())


@pytest.mark.parametrize("code", [b"1", b"2"])
def test_a_pump_that_knows_the_other_numbers_is_read_by_those(code: bytes) -> None:
    async def main() -> None:
        other: dict[bytes, Answer] = {STATUS: RUNNING, b"?V808\r": b"*V808 %s\r" % code, b"?V859\r": b"=V859 41;37\r",
                                      b"?V810\r": b"*V810 %s\r" % code, b"?V883\r": b"=V883 5021;34979\r"}  # fmt: skip
        device = pump(Peer(always=other))
        for _ in range(2):
            readings = values(await device.poll())
            assert (readings["pump_temperature_c"], readings["run_hours"]) == (41, 5021)

    run_virtual(main())


def test_a_pump_that_knows_none_of_them_is_refused() -> None:
    async def main() -> None:
        peer = Peer(always={STATUS: RUNNING, b"?V808\r": b"*V808 2\r", b"?V859\r": b"*V859 2\r"})
        with pytest.raises(Refused, match="knows none of V808, V859: is it an nXDS"):
            await pump(peer).poll()

    run_virtual(main())


def test_a_question_that_is_refused_says_why() -> None:
    async def main() -> None:
        with pytest.raises(Refused, match="V802: error 7: its memory has failed"):
            await pump(Peer(always={STATUS: b"*V802 7\r"})).poll()

    run_virtual(main())


def test_a_temperature_that_the_pump_does_not_measure_is_not_a_number() -> None:
    async def main() -> None:
        readings = await pump(Peer(always=HEALTHY | {b"?V808\r": b"=V808 -200;37\r"})).poll()
        assert math.isnan(readings["pump_temperature_c"].value)
        assert flags(readings) == {"pump_temperature_c": ("not fitted",)}
        assert readings["controller_temperature_c"].value == 37

    run_virtual(main())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (b"047A;0003;0000;0000", {"speed_hz": ("power limited", "acceleration limited")}),
        (b"047A;0010;0000;0000", {"run_hours": ("service due",)}),
        (b"047A;0040;0442;0000", {"controller_temperature_c": ("controller too cold", "controller temperature limited",
                                                               "controller too hot")}),
        (b"04BA;0000;0000;0000", {"running": ("parallel control",)}),
        (b"04FA;0000;0000;0000", {"running": ("manual control",)}),
        (b"247A;0000;0000;0000", {"running": ("unknown control",)}),
        (b"007A;0000;0000;0000", {"running": ("serial enable off",)}),
        (b"047e;0000;0000;0000", {}),
    ],
)  # fmt: skip
def test_status_bits_are_flags_of_what_they_concern(words: bytes, expected: dict[str, tuple[str, ...]]) -> None:
    async def main() -> None:
        readings = await pump(Peer(always=HEALTHY | {STATUS: b"=V802 30;%s\r" % words})).poll()
        assert flags(readings) == expected
        assert readings["running"].value == 1
        assert readings["standby"].value == (words == b"047e;0000;0000;0000")

    run_virtual(main())


def test_a_pump_that_runs_down_does_not_run() -> None:
    async def main() -> None:
        readings = await pump(Peer(always=HEALTHY | {STATUS: b"=V802 12;0403;0000;0000;0000\r"})).poll()
        assert (readings["running"].value, readings["speed_hz"].value) == (0, 12)

    run_virtual(main())


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (b"0400;0080;0000;0008", "fault register 0x0008: over-temperature"),
        (b"0400;0080;0000;C002", "over-voltage, overload for too long, acceleration took too long"),
        (b"0400;0080;0000;2000", "serial enable was lost while it ran"),
        (b"0400;0080;0000;0001", "reserved bits"),
        (b"0400;0080;0000;0000", "reports an alarm and names no fault"),
    ],
)
def test_a_fault_is_a_device_fault_in_words(words: bytes, what: str) -> None:
    async def main() -> None:
        device = pump(Peer(always=HEALTHY | {STATUS: b"=V802 0;%s\r" % words}))
        with pytest.raises(DeviceFault, match=what):
            await device.poll()
        with pytest.raises(DeviceFault, match=what):
            await device.start()

    run_virtual(main())


WHO: dict[bytes, Answer] = PROBE | {
    b"?S835\r": b"=S835 120001234 120001237 120001238;nXDS10i 100/240V\r",
    b"?V826\r": b"=V826 0000\r",
}


def test_it_says_who_it_is() -> None:
    async def main() -> None:
        identity = await pump(Peer(always=WHO)).identify()
        assert (identity.model, identity.serial, identity.firmware) == ("nXDS10i 100/240V", "120001234", "D37479651A")
        assert identity.facts == {"type": "nXDS", "drive and control serials": "120001237 120001238",
                                  "design frequency": "30 Hz", "service": "0000"}  # fmt: skip

    run_virtual(main())


@pytest.mark.parametrize("model", ["nXDS", "nxds10i", "NXDS10I 100"])
def test_the_model_of_the_settings_is_how_type_or_build_begins(model: str) -> None:
    async def main() -> None:
        identity = await pump(Peer(always=WHO), model=model).identify()
        assert (identity.facts["type"], identity.model) == ("nXDS", "nXDS10i 100/240V")

    run_virtual(main())


@pytest.mark.parametrize("model", ["nXDS15i", "nEXT", "10i"])
def test_a_pump_of_another_model_is_refused(model: str) -> None:
    async def main() -> None:
        with pytest.raises(Refused, match=f"it is a 'nXDS10i 100/240V', the settings say {model}"):
            await pump(Peer(always=WHO), model=model).identify()

    run_virtual(main())


def test_a_pump_that_does_not_know_its_type_is_known_by_its_build() -> None:
    async def main() -> None:
        identity = await pump(Peer(always=WHO | {b"?S801\r": b"*S801 2\r"})).identify()
        assert (identity.model, identity.firmware) == ("nXDS10i 100/240V", "")

    run_virtual(main())


def test_a_serial_number_that_is_none_is_a_bad_reply() -> None:
    async def main() -> None:
        with pytest.raises(BadReply, match="no serial number"):
            await pump(Peer(always=WHO | {b"?S835\r": b"=S835 ;nXDS10i\r"})).identify()

    run_virtual(main())


WRONG = [
    b"=V808 41;37\r",
    b"=V802\r",
    b"=V802 30;047A;0000;0000\r",
    b"=V802 30;047A;0000;0000;0000;0000\r",
    b"=V802 30;047G;0000;0000;0000\r",
    b"=V802 -3;047A;0000;0000;0000\r",
    b"=V802 3 0;047A;0000;0000;0000\r",
    b"=V802 3\xb0;047A;0000;0000;0000\r",
    b"#98:01" + RUNNING,
    b"x" + RUNNING,
    RUNNING + b"\n",
    RUNNING * 2,
    STATUS,
]


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_answer_is_never_a_status(wrong: bytes) -> None:
    async def main() -> None:
        device = pump(Peer((STATUS, Say(0.02, wrong)), always=HEALTHY | PROBE))
        with pytest.raises(BadReply):
            await device.poll()
        assert (await device.poll())["speed_hz"].value == 30

    run_virtual(main())


@pytest.mark.parametrize(
    "wrong", [b"=V808 41\r", b"=V808 41;\r", b"=V808 41;3x\r", b"=V808 41.5;37\r", b"=V808 nan;1\r"]
)
def test_what_is_no_pair_of_temperatures_is_never_one(wrong: bytes) -> None:
    async def main() -> None:
        with pytest.raises(BadReply, match="two temperatures"):
            await pump(Peer(always=HEALTHY | {b"?V808\r": wrong})).poll()

    run_virtual(main())


def test_letters_may_be_small_in_replies() -> None:
    async def main() -> None:
        small: dict[bytes, Answer] = {request: bytes(HEALTHY[request]).lower() for request in HEALTHY}  # type: ignore[arg-type]
        assert (await pump(Peer(always=small)).poll())["run_hours"].value == 5021

    run_virtual(main())


def test_half_a_reply_is_no_reply() -> None:
    async def main() -> None:
        with pytest.raises(NoReply):
            await pump(Peer(always=HEALTHY | {STATUS: RUNNING[:12]})).poll()

    run_virtual(main())


# --- verbs ---


def test_start_is_sent_once_and_seen_in_the_status() -> None:
    async def main() -> None:
        peer = Peer((STATUS, IDLE), (b"!C802 1\r", b"*C802 0\r"), (STATUS, IDLE), (STATUS, RUNNING))
        await pump(peer).start()
        assert peer.left == []

    run_virtual(main())


def test_stop_is_sent_once_and_seen_in_the_status() -> None:
    async def main() -> None:
        slower = b"=V802 29;0439;0000;0000;0000\r"
        peer = Peer((STATUS, RUNNING), (b"!C802 0\r", b"*C802 0\r"), (STATUS, slower))
        await pump(peer).stop()
        assert peer.left == []

    run_virtual(main())


def test_standby_is_sent_once_and_seen_in_the_status() -> None:
    async def main() -> None:
        slow = b"=V802 30;047E;0000;0000;0000\r"
        peer = Peer((STATUS, RUNNING), (b"!C803 1\r", b"*C803 0\r"), (STATUS, slow),
                    (STATUS, slow), (b"!C803 0\r", b"*C803 0\r"), (STATUS, RUNNING))  # fmt: skip
        device = pump(peer)
        await device.standby(True)
        await device.standby(False)
        assert peer.left == []

    run_virtual(main())


def test_verbs_do_nothing_when_it_is_so_already() -> None:
    async def main() -> None:
        running = Peer(always={STATUS: RUNNING})
        await pump(running).start()
        await pump(running).standby(False)
        await pump(Peer(always={STATUS: IDLE})).stop()
        assert set(running.requests) == {STATUS}

    run_virtual(main())


def test_safe_says_nothing_to_the_pump() -> None:
    async def main() -> None:
        peer = Peer()
        await pump(peer).safe()
        assert not peer.heard

    run_virtual(main())


@pytest.mark.parametrize(
    ("code", "words"), [(b"5", "serial enable linked"), (b"7", "memory"), (b"12", "see the manual")]
)
def test_a_command_that_is_refused_says_why(code: bytes, words: str) -> None:
    async def main() -> None:
        peer = Peer((STATUS, IDLE), (b"!C802 1\r", b"*C802 %s\r" % code))
        with pytest.raises(Refused, match=f"C802 1: error {code.decode()}: .*{words}"):
            await pump(peer).start()

    run_virtual(main())


def test_a_command_that_is_taken_and_does_not_show_is_refused_and_not_sent_again() -> None:
    async def main() -> None:
        peer = Peer(always={STATUS: IDLE, b"!C802 1\r": b"*C802 0\r"})
        with pytest.raises(Refused, match="status, 0400, does not show it"):
            await pump(peer).start()
        assert peer.requests.count(b"!C802 1\r") == 1

    run_virtual(main())


@pytest.mark.parametrize("answer", [b"", b"=C802 0\r", b"*C803 0\r"])
def test_a_command_without_an_answer_of_its_own_is_not_sent_again(answer: bytes) -> None:
    async def main() -> None:
        peer = Peer((STATUS, IDLE), (b"!C802 1\r", answer))
        with pytest.raises((NoReply, BadReply)):
            await pump(peer).start()
        assert peer.requests.count(b"!C802 1\r") == 1

    run_virtual(main())


@pytest.mark.parametrize("unit", [-1, 98, 99])
def test_an_address_that_no_pump_may_have_is_refused(unit: int) -> None:
    with pytest.raises(ValueError, match=r"1…97, or 0"):
        EdwardsNxdsConfig(unit)


def test_settings_without_a_model_are_refused() -> None:
    with pytest.raises(ValueError, match="model"):
        EdwardsNxdsConfig(model="")


def test_a_multi_drop_pump_is_asked_by_address() -> None:
    async def main() -> None:
        peer = Peer(
            (b"#07:98?V802\r", b"#98:07=V802 30;047A;0000;0000;0000\r"), (b"#07:98?V808\r", b"#98:08=V808 41;37\r")
        )
        with pytest.raises(BadReply, match="an answer from V808 is expected"):
            await pump(peer, unit=7).poll()

    run_virtual(main())
