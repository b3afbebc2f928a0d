"""The service file, as systemd's own tools read it."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from ald_controller.cli import serve
from ald_controller.valves import lock, process

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "ald-controller@.service"
MOST_EXPOSED = 18  # tenths, as `systemd-analyze security --threshold` counts: above it the test fails

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="NOT TESTED: the service file: apt install systemd"
)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """An instance of the unit whose program exists on this computer."""
    text = UNIT.read_text("utf-8").replace("/opt/ald-controller/bin/ald", "/bin/true")
    (path := tmp_path / "ald-controller@reference.service").write_text(text)
    return path


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=30, check=False)


@needs_systemd
def test_systemd_has_nothing_to_say_about_the_unit(unit):
    done = analyze("verify", "--man=no", str(unit))
    assert (done.stdout + done.stderr, done.returncode) == ("", 0)


@needs_systemd
def test_the_check_notices_a_key_that_does_not_exist(unit):
    """`verify` ends with 0 even then: what it prints is what counts."""
    unit.write_text(unit.read_text("utf-8").replace("WatchdogSec=2", "WatchdogSeconds=2"))
    assert "WatchdogSeconds" in analyze("verify", "--man=no", str(unit)).stderr


@needs_systemd
def test_the_exposure_stays_low(unit):
    done = analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED}", "--no-pager", str(unit))
    assert done.returncode == 0, done.stdout


def settings() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(strict=False, interpolation=None, allow_no_value=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT, "utf-8")
    return parser["Service"]


def test_what_would_break_the_tool_is_absent():
    absent = {"RestrictRealtime", "PrivateUsers", "PrivateDevices", "ProcSubset", "DynamicUser"}
    assert not absent & set(settings())


def test_the_valve_process_may_have_the_priority_that_it_asks_for():
    assert int(settings()["LimitRTPRIO"]) >= process.PRIORITY


def test_the_controller_goes_before_what_else_the_computer_does():
    assert int(settings()["Nice"]) == serve.NICENESS


def test_the_service_listens_where_the_clients_look():
    from ald_controller.doorbell import default_socket

    service = settings()
    assert str(default_socket("%i")) in service["ExecStart"]
    assert default_socket("%i").parent == Path("/run") / service["RuntimeDirectory"]


def test_the_last_line_reads_what_the_controller_left_and_has_the_time_that_it_needs():
    from ald_controller.cli import safe

    service = settings()
    program, verb, *words = shlex.split(service["ExecStopPost"])
    began = service["ExecStart"].split()
    assert (program, verb) == (began[0], "safe")
    options = safe.parser().parse_args(words)
    assert [str(options.state), str(options.tool)] == [began[began.index(o) + 1] for o in ("--state", "--tool")]
    assert options.state == safe.STATES / "%i" == Path("/var/lib") / service["StateDirectory"]
    assert safe.WHOLE_S + 1 <= float(service["TimeoutStopSec"])
    assert str(lock.COMMON) in service["ReadWritePaths"].split(), "the sandbox holds for the last line, too"


def test_the_end_of_the_controller_is_told_to_the_valve_process_by_its_socket_and_not_by_a_signal():
    """What the unit sends to the whole group, the valve process ignores: tests/process/test_safe.py sees it."""
    service = settings()
    assert service["KillMode"] == "control-group"  # `mixed` kills it as soon as the controller has died
    assert {service.get("KillSignal", "SIGTERM"), service["WatchdogSignal"]} <= {"SIGTERM", "SIGINT", "SIGHUP"}
    assert "SendSIGKILL" not in service


def test_every_option_of_the_service_exists_in_the_command():
    from ald_controller.cli.commands import ald

    words = settings()["ExecStart"].split()
    command = ald.commands[words[1]]
    known = {option for parameter in command.params for option in parameter.opts}
    assert set(re.findall(r"--[a-z-]+", " ".join(words))) <= known
