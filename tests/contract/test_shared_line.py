"""A shared line gives a whole frame to its addressee alone, and answers all the same as one on which all hear all."""

from random import Random

import pytest

from simulators.alicat import AlicatFace
from simulators.eurotherm import Eurotherm
from simulators.face import Bus
from simulators.faults import Asked, Fault, Faults
from simulators.faults_catalogue import KINDS, fault
from simulators.modbus_server import ModbusServer, crc
from simulators.shared_line import SharedLine, shared_line
from tests.contract.plants import Flows, Oven

RTU = [body + crc(body) for unit in (0, 1, 2, 3, 9) for body in (
    bytes((unit, 3, 0, 1, 0, 5)), bytes((unit, 3, 0, 75, 0, 1)), bytes((unit, 6, 0, 26, 0, 90)),
    bytes((unit, 16, 0, 24, 0, 1, 2, 0, 80)), bytes((unit, 3, 1, 20, 0, 1)), bytes((unit, 99, 1)),
)]  # fmt: skip
ASCII = [b"A\r", b"B\r", b"C\r", b"b\r", b"*\r", b"AS5\r", b"BVE\r", b"A??D*\r", b"A\rB\r", b" B\r", b"\r"]


def eurotherms(faults):
    units = [Eurotherm(one.seen(Oven()), "zone", unit=n, local_c=20) for n, one in enumerate(faults, 1)]
    return [unit.face() for unit in units]


def alicats(faults):
    units = zip("ABC", faults, strict=True)
    return [AlicatFace(one.seen(Flows()), "carrier", unit=unit, full_scale_sccm=100) for unit, one in units]


def heard(line, now_s: float, data: bytes) -> list[bytes]:
    """What is said at once, and by itself until then; asked as a transport asks."""
    said = [line.speak(at_s)] if (at_s := line.next_at()) is not None and at_s <= now_s else []
    return [*said, line.hear(now_s, data)]


def conversation(chance: Random, frames: list[bytes]):
    """Seconds and bytes: whole frames mostly, and what a line that is pulled at carries."""
    now_s = 0.0
    while True:
        now_s += chance.choice((0.0, 0.001, 0.03, 1.0))
        frame = chance.choice(frames)
        what = chance.random()
        if what < 0.7:
            yield now_s, frame
        elif what < 0.85:
            yield now_s, frame[: chance.randrange(1, len(frame) + 1)]
        elif what < 0.95:
            at = chance.randrange(len(frame))
            yield now_s, frame[:at] + bytes((frame[at] ^ 1 << chance.randrange(8),)) + frame[at + 1 :]
        else:
            yield now_s, frame + chance.choice(frames)


@pytest.mark.parametrize(("framing", "make", "frames"), [("rtu", eurotherms, RTU), ("ascii", alicats, ASCII)])
def test_whatever_is_asked_and_whatever_is_wrong_the_same_is_answered(framing, make, frames):
    kinds = [name for name, kind in KINDS.items() if framing in kind.framings]
    for seed in range(60):
        chance = Random(seed)
        ours, theirs = ([Faults(framing) for _ in range(3)] for _ in range(2))
        line = shared_line(list(zip(make(ours), ours, strict=True)))
        asked = Asked()
        plain = Bus([one.wrap(face, asked) for face, one in zip(make(theirs), theirs, strict=True)])
        assert isinstance(line, SharedLine)
        for (now_s, data), _ in zip(conversation(chance, frames), range(80), strict=False):
            if chance.random() < 0.1:
                which, bad = chance.randrange(3), fault(chance.choice(kinds), framing)
                for side in (ours, theirs):
                    side[which].put(bad) if side[which].fault is None else side[which].clear()
            assert heard(line, now_s, data) == heard(plain, now_s, data), (seed, now_s, data)
            assert line.next_at() == plain.next_at()


class Counting(AlicatFace):
    heard = 0

    def hear(self, now_s, data):
        self.heard += 1
        return super().hear(now_s, data)


def test_the_others_hear_a_whole_frame_only_while_something_is_wrong():
    switches = [Faults("ascii"), Faults("ascii")]
    faces = [Counting(Flows(), "carrier", unit=unit, full_scale_sccm=100) for unit in "AB"]
    line = shared_line(list(zip(faces, switches, strict=True)))

    def b_hears(now_s: float, data: bytes) -> int:
        before = faces[1].heard
        heard(line, now_s, data), line.next_at()
        return faces[1].heard - before

    heard(line, 0.0, b""), line.next_at()
    assert [b_hears(1.0, b"A\r"), b_hears(1.1, b"B\r")] == [0, 1]
    switches[1].put(Fault(late_s=1.0))
    assert [b_hears(2.0, b"A\r"), b_hears(2.1, b"B\r")] == [1, 1]
    switches[1].clear()
    assert [b_hears(2.2, b"A\r"), b_hears(3.2, b"A\r")] == [1, 1], "its late reply was still to come, and is said"
    assert b_hears(3.3, b"A\r") == 0
    assert [b_hears(4.0, b"A"), b_hears(4.1, b"\r"), b_hears(4.2, b"A\r")] == [1, 1, 0], "half a frame is heard by all"


def test_units_that_share_an_address_or_cannot_tell_theirs_all_hear_everything():
    switches = [Faults("ascii"), Faults("ascii")]
    twins = [AlicatFace(Flows(), "carrier", unit="A", full_scale_sccm=100) for _ in switches]
    line = shared_line(list(zip(twins, switches, strict=True)))
    assert line.hear(0.0, b"A\r") == line.hear(1.0, b"A\r") == twins[0].hear(2.0, b"A\r") * 2
    servers = [ModbusServer({n: Eurotherm(Oven(), "zone", unit=n, local_c=20)}).rtu() for n in (1, 2)]
    assert type(shared_line([(one, Faults("rtu")) for one in servers])) is Bus
