"""The SQM-160 driver for the harness of wire faults."""

from __future__ import annotations

from drivers.inficon_sqm160 import TIMEOUT_S, Sqm160, SqmConfig
from drivers.line import Line
from simulators.inficon_sqm160 import SqmFace
from tests.contract.cases import Case, Rising, Truth


class Growing(Rising):
    """A film that grows faster and faster, and a crystal whose frequency rises so that an old value shows."""

    monitor: SqmFace

    def film_nm(self, sensor: int, at_s: float) -> float:
        return sensor * (1.0 + 0.1 * self.since_s(at_s))

    def film_nm_s(self, sensor: int, at_s: float) -> float:
        return sensor * (0.1 + 0.01 * self.since_s(at_s))

    def crystal_hz(self, sensor: int, at_s: float) -> float:
        return 5.5e6 + 1000.0 * self.since_s(at_s)


async def zero(device: Sqm160) -> None:
    await device.zero()


def face(plant: Growing) -> SqmFace:
    plant.monitor = SqmFace(plant)
    return plant.monitor


def driver(line: Line) -> Sqm160:
    return Sqm160("film", line, SqmConfig(2, "Å/s", "Å"))


CASES: tuple[Case, ...] = (
    Case(
        "inficon_sqm160",
        "sqm",
        Growing,
        face,
        driver,
        {
            "thickness_nm": Truth(lambda plant, at_s: plant.film_nm(2, at_s) - plant.monitor.zero_nm[2], 1e-4),
            "rate_nm_s": Truth(lambda plant, at_s: plant.film_nm_s(2, at_s), 1e-3),
            "frequency_hz": Truth(lambda plant, at_s: plant.crystal_hz(2, at_s), 1e-3),
            "life_percent": Truth(lambda plant, at_s: (plant.crystal_hz(2, at_s) - 5e6) / 1e4, 0.06),
        },
        TIMEOUT_S,
        set=zero,
        wrong_unit="?",  # there are no addresses: something else stands where '!' is due
        silent_about=frozenset({"every number 0xffff", "every number 0x7fff", "every number 0x8000"}),
    ),
)
