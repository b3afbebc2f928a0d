"""Drives a simulated flow controller and a simulated pump with clients that others wrote; prints one line of JSON.

    python clients_in_another_environment.py CARRIER_PORT PUMP_PORT

Runs in the environment of requirements-bench.lock and imports nothing of this project: bronkhorst-propar is the
manufacturer's own library, edwardsserial one of a laboratory.
"""

from __future__ import annotations

import json
import sys
import time

import propar
from edwardsserial.serial_protocol import SerialProtocol


def flow(port: str) -> dict[str, object]:
    """Identity, set-point and flow by the manufacturer's numbers of parameters."""
    one = propar.instrument(port, address=128)
    told = {"gas": one.readParameter(25), "capacity": one.readParameter(21), "unit": one.readParameter(129)}
    before = one.setpoint
    one.setpoint = 16000
    time.sleep(1.5)
    return told | {"before": before, "setpoint": one.setpoint, "measure": one.measure}


def pump(port: str) -> dict[str, object]:
    """Type, status, temperatures; started and seen to turn."""
    one = SerialProtocol(port)
    before = one.send_message("?V", 802)
    one.send_message("!C", 802, 1)
    time.sleep(1.5)
    return {"before": before, "running": one.send_message("?V", 802), "temperatures": one.send_message("?V", 808)}


if __name__ == "__main__":
    carrier, backing = sys.argv[1:]
    print(json.dumps({"flow": flow(carrier), "pump": pump(backing)}, default=str))
