"""The physics of one small reactor, pure: no clock, no I/O."""

from simulators.plant.model import Plant
from simulators.plant.wiring import Port, Wiring

__all__ = ["Plant", "Port", "Wiring"]
