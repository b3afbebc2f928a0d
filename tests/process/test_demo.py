"""`ald demo` with a run of one short cycle: what a person sees, what is left behind, and what an interrupt does."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ald_controller.records.record import RunRecord, open_run
from tests.process.mosquitto import find
from tests.process.stand import LONG_DOSES, ONE_CYCLE, SOURCES, changes, children, wait_for
from tests.same_words import segments
from tests.valve_rig import CONTACTOR, alive

pytestmark = pytest.mark.timeout(150)
ROOT = Path(__file__).resolve().parents[2]
RUN_S = 100.0  # it takes half a minute; this computer is shared


@dataclass
class Demo:
    """One `ald demo` as a process, in a folder of its own."""

    recipe: str
    options: Sequence[str] = ()
    environment: dict[str, str] = field(default_factory=dict)
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="ald-demo-")))
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        recipe = self.folder / f"{self.recipe.split()[1]}.yaml"
        recipe.write_text(self.recipe, "utf-8")
        command = [sys.executable, "-B", "-m", "ald_controller", "demo", "--recipe", str(recipe)]
        with (self.folder / "output").open("wb") as output:
            self.process = subprocess.Popen(
                [*command, "--state", str(self.state), *self.options], cwd=ROOT, env=os.environ | self.environment,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def said(self) -> str:
        return (self.folder / "output").read_text("utf-8", errors="replace")

    @property
    def record(self) -> RunRecord:
        (folder,) = (self.state / "runs").iterdir()
        return open_run(folder)

    def has_begun(self) -> bool:
        """Whether there is a run, or nothing more to wait for."""
        return any((self.state / "runs").glob("*")) or self.process.poll() is not None

    def wait(self) -> int:
        return self.process.wait(RUN_S)

    def family(self) -> list[int]:
        """Every process below it."""
        found, look = [], [self.process.pid]
        while look:
            below = [pid for pid, _ in children(look.pop())]
            found += below
            look += below
        return found

    def logs(self) -> str:
        return "\n".join(
            f"--- {p.name}\n{p.read_text('utf-8', errors='replace')[-800:]}" for p in self.state.glob("*.log")
        )

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def demos(request: pytest.FixtureRequest) -> Iterator[dict[str, Demo]]:
    """Those that the selected tests look at, side by side once their runs have begun: from then on they mostly wait."""
    wanted = {getattr(item, "callspec", None) and item.callspec.params.get("kind") for item in request.session.items}
    plays: dict[str, tuple[str, Sequence[str]]] = {}
    if shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin"):
        plays["broker"] = (ONE_CYCLE, ())
    plays |= {"no broker": (ONE_CYCLE, ["--no-broker"]), "interrupt": (LONG_DOSES, ["--no-broker"])}
    made: dict[str, Demo] = {}
    for kind, (recipe, options) in plays.items():
        if kind in wanted:
            made[kind] = Demo(recipe, options)
            wait_for(made[kind].has_begun, RUN_S, lambda kind=kind: made[kind].said)
    yield made
    for demo in made.values():
        demo.close()


@pytest.fixture
def demo(demos: dict[str, Demo], kind: str) -> Demo:
    if kind == "broker":
        find("mosquitto")  # or a skip that cannot be overlooked
    return demos[kind]


def lock_of(demo: Demo) -> Path:
    """The lock of its simulated valve module."""
    return Path(json.loads((demo.state / "valve-module.json").read_text("utf-8"))["lock"])


@pytest.mark.parametrize("kind", ["interrupt"])
def test_an_interrupt_in_a_dose_shuts_the_valves_and_leaves_nothing_running(demo: Demo) -> None:
    trace = demo.state / "valves.trace"
    wait_for(lambda: bool(changes(trace)) and bool(changes(trace)[-1]["word"] & SOURCES), 60.0, lambda: demo.said)
    time.sleep(0.5)
    family = demo.family()
    assert len(family) >= 4, "reactor, its coupler, controller and its valve process"
    interrupted_s = time.monotonic()
    demo.process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    demo.process.send_signal(signal.SIGINT)  # impatient people press it twice
    assert demo.wait() == 130, demo.said
    assert "Traceback" not in demo.said
    shut = next(c for c in changes(trace) if c["t"] > interrupted_s)
    assert not shut["word"] & SOURCES
    assert shut["t"] - interrupted_s < 1.0
    assert shut["cause"] == "write", "the controller did it, and not the watchdog"
    assert not changes(trace)[-1]["word"] & (SOURCES | CONTACTOR)
    assert "all precursor valves are closed" in demo.said
    assert [pid for pid in family if alive(pid)] == []
    assert not lock_of(demo).exists(), "whoever gets this port next may have another account"
    assert demo.record.ending == "interrupted"


@pytest.mark.parametrize("kind", ["broker", "no broker"])
def test_the_demo_completes_and_says_where_its_record_lies(demo: Demo) -> None:
    assert demo.wait() == 0, f"{demo.said}\n{demo.logs()}"
    assert "ending completed" in demo.said
    assert "2 of 2 doses confirmed" in demo.said
    record = demo.record
    assert str(record.folder) in demo.said
    report = re.search(r"^report +(\S+)$", demo.said, re.MULTILINE)
    assert report, demo.said
    html = Path(report[1]).read_text("utf-8")
    assert html.lower().startswith("<!doctype html>") and "completed" in html
    assert [row.state for row in record.doses()] == ["confirmed"] * 2
    assert not changes(demo.state / "valves.trace")[-1]["word"] & SOURCES
    assert not lock_of(demo).exists(), "whoever gets this port next may have another account"
    assert "Traceback" not in demo.said
    assert not re.search(r"^\d{4}-\d\d-\d\d .*\[|^\{", demo.said, re.MULTILINE), "a library's log line"


@pytest.mark.parametrize("kind", ["broker"])
def test_the_demo_speaks_mqtt_where_mosquitto_is_installed(demo: Demo) -> None:
    assert demo.wait() == 0, demo.said
    assert "over MQTT" in demo.said
    assert demo.record.header.door == "mqtt"


@pytest.mark.parametrize("kind", ["no broker"])
def test_without_a_broker_the_demo_says_which_door_it_takes(demo: Demo) -> None:
    assert demo.wait() == 0, demo.said
    assert "through the local door" in demo.said
    assert demo.record.header.door == "local"


@pytest.mark.parametrize("kind", ["no broker"])
def test_a_preview_gives_the_words_and_offsets_of_the_real_run(demo: Demo) -> None:
    assert demo.wait() == 0, demo.said
    folder = demo.folder / "preview"
    load = demo.folder / "load.yaml"
    load.write_text("material: lithium foil\n", "utf-8")
    recipe = next(demo.folder.glob("*.yaml"))
    command = [sys.executable, "-B", "-m", "ald_controller", "preview", str(demo.folder / "one-cycle.yaml"), "--warm"]
    done = subprocess.run(
        [*command, "--load", str(load), "--state", str(folder)], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert recipe.exists()
    (previewed,) = (folder / "runs").iterdir()
    assert segments(open_run(previewed)) == segments(demo.record)


def test_a_recipe_with_mistakes_is_refused_with_its_places(tmp_path: Path) -> None:
    recipe = tmp_path / "wrong.yaml"
    recipe.write_text("recipe: wrong\ndeposit: 3\n")
    command = [sys.executable, "-B", "-m", "ald_controller", "demo", "--recipe", str(recipe), "--state", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert f"{recipe}:2:10: a list is expected here; got 3" in done.stderr
    assert "Traceback" not in done.stderr and "Unknown child" not in done.stderr
