"""`ald safe`: zeros to the valve module when nobody is left to write them; what systemd calls after every end.

It needs no controller, no broker and no package but the standard library, unless a tool file has to be read. The whole
call ends within 5 s.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ald_controller.cli.addresses import BadAddresses, host_and_port, read_addresses
from ald_controller.valves.alone import Unconfirmed, wait_for, what_closes, write_safe
from ald_controller.valves.holders import holders
from ald_controller.valves.lastmodule import LastModule, last
from ald_controller.valves.lock import Lock, lock_folder, lock_path, numeric
from ald_controller.valves.wire import ValveError
from drivers.valve_modules import MODULES

WRITE_S = 1.5
WHOLE_S = 4.0  # beside the interpreter's own start: waiting for the lock and writing take 3.5 s at most
STATES = Path("/var/lib/ald-controller")  # StateDirectory= of deploy/ald-controller@.service
ABORT = "`ald abort` shuts the valves through a controller that lives"

Holders = list[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it. `code`: confirmed, held, hidden, forbidden, unconfirmed, unknown or failed."""

    code: str
    text: str
    module: LastModule | None = None
    source: str = ""
    holders: Holders = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return self.code == "confirmed"

    def as_json(self) -> str:
        module = None if self.module is None else asdict(self.module)
        pids = [{"pid": pid, "what": what} for pid, what in self.holders]
        fields = {"ok": self.ok, "code": self.code, "text": self.text, "module": module, "source": self.source}
        return json.dumps(fields | {"holders": pids})


def main(arguments: list[str]) -> int:
    """Write zeros, read them back, and say so: 0 confirmed, 1 refused or not confirmed, 2 (by exit) used wrongly."""
    options = _options(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # it ends soon by itself, and a lock that it made must not outlive it
    answers: list[Answer] = []
    # a name or a disk that does not answer cannot be interrupted, but it can be left behind
    work = threading.Thread(target=lambda: answers.append(answer(options)), daemon=True)
    work.start()
    work.join(WHOLE_S)
    late = Answer("failed", f"not confirmed: something did not answer within {WHOLE_S:g} s")
    told = answers[0] if answers else late
    if options.as_json:
        print(told.as_json(), flush=True)
    else:
        print(f"ald safe: {told.text}", file=sys.stdout if told.ok else sys.stderr, flush=True)
    if not answers:
        os._exit(1)
    return 0 if told.ok else 1


def parser() -> argparse.ArgumentParser:
    """The options of `ald safe`."""
    made = argparse.ArgumentParser(
        prog="ald safe",
        description="Write zeros to the valve module over a connection of its own and read them back. Refused while a "
        "valve process lives; resets no watchdog.",
        epilog="Exit codes: 0 zeros are confirmed; 1 refused or not confirmed; 2 used wrongly.",
    )
    made.add_argument("--state", type=Path, metavar="DIR", help="the controller's state directory: what it used last")
    made.add_argument("--tool", type=Path, metavar="FILE", help="the tool file, where the controller left nothing")
    made.add_argument("--addresses", type=Path, metavar="FILE", help="what `ald simulate --json` printed")
    made.add_argument("--module", choices=sorted(MODULES), help="the module itself, without any file")
    made.add_argument("--at", type=_at, metavar="HOST:PORT", help="where --module is")
    made.add_argument("--unit", type=int, help="its Modbus unit (1)")
    made.add_argument("--coils", type=int, help="how many coils the valve word has (16)")
    made.add_argument("--json", dest="as_json", action="store_true", help="one JSON object instead of text")
    return made


def _options(arguments: list[str]) -> argparse.Namespace:
    made = parser()
    options = made.parse_args(arguments)
    explicit = [options.module, options.at]
    files = [options.state, options.tool]
    if any(explicit) and not all(explicit):
        made.error("--module and --at go together")
    if any(explicit) and any([*files, options.addresses]):
        made.error("--module and --at stand alone: they name the module without a file")
    if not any(explicit) and (options.unit is not None or options.coils is not None):
        made.error("--unit and --coils go with --module")
    if options.addresses and not options.tool:
        made.error("--addresses replaces an address of --tool")
    if not any([*explicit, *files]):
        options.state = _only_state()
        if options.state is None:
            made.error("name the controller's state directory (--state DIR), or the module (--module, --at)")
    return options


def _at(text: str) -> tuple[str, int]:
    try:
        return host_and_port(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _only_state() -> Path | None:
    """The state directory of the only controller that has run here as a service."""
    found = sorted(STATES.glob("*/valve-module.json"))
    return found[0].parent if len(found) == 1 else None


# --- the work --------------------------------------------------------------------------------------------------------


def answer(options: argparse.Namespace) -> Answer:
    """Find the module and make it safe; never raises."""
    try:
        module, source = find(options)
    except ValveError as error:
        return Answer("unknown", f"refused: {error}; --module and --at name it without a file")
    except Exception as error:  # whatever it is, systemd and a person get a sentence and exit code 1
        return Answer("failed", f"not confirmed: {error!r}")
    try:
        return make_safe(module, source)
    except Exception as error:
        return Answer(
            "failed", f"not confirmed: {error!r}; {what_closes(armed=module.outputs().armed)}", module, source
        )


def make_safe(module: LastModule, source: str) -> Answer:
    """Zeros, unless somebody else may write to the module."""
    lock = Lock(Path(module.lock))
    closes = what_closes(armed=module.outputs().armed)
    try:
        if module.lock_is_hidden():
            why = f"{module.lock} is not the file that the controller locked: seen from here it is hidden or removed"
            text = f"refused: {why}, so its valve process may live; {ABORT}; {closes}"
            return Answer("hidden", text, module, source)
        if not wait_for(lock):
            return _held(module, source)
    except ValveError as error:
        return Answer("forbidden", f"refused: {error}: use that account, or root; {ABORT}; {closes}", module, source)
    try:
        write_safe(module.host, module.port, module.outputs(), WRITE_S)
    except Unconfirmed as error:
        return Answer("unconfirmed", f"{module}: {error}", module, source)
    finally:
        lock.free(remove=lock.made)  # else it would belong to whoever called, and keep the controller out
    return Answer("confirmed", f"all {module.coils} outputs of {module} are zero ({source})", module, source)


def _held(module: LastModule, source: str) -> Answer:
    who = holders(Path(module.lock))
    named = " and ".join(f"pid {pid} ({what})" for pid, what in who) or "a process that is not to be seen from here"
    kill = f" (kill -KILL {' '.join(str(pid) for pid, _ in who)})" if who else ""
    text = (
        f"refused: nobody else writes while the valve process lives; {module.lock} is held by {named}. {ABORT}; "
        f"if it has no answer, end what holds the lock{kill} and call `ald safe` again"
    )
    return Answer("held", text, module, source, who)


# --- which module ----------------------------------------------------------------------------------------------------


def find(options: argparse.Namespace) -> tuple[LastModule, str]:
    """The module and where its address comes from; raises ValveError."""
    if options.module:
        unit, coils = (1 if options.unit is None else options.unit), (16 if options.coils is None else options.coils)
        try:
            return _module(options.module, options.at, unit, coils), "as named on the command line"
        except ValueError as error:
            raise ValveError(str(error)) from error
    broken = ""
    if options.state:
        try:
            found = last(options.state)
        except ValveError as error:
            found, broken = None, f"{error}; "
        if found:
            return found, f"as the controller of {options.state} last used it"
    if not options.tool:
        raise ValveError(broken or f"no controller has left its module in {options.state}")
    return of_tool(options.tool, options.addresses), f"{broken}as {options.tool} names it"


def of_tool(tool: Path, addresses: Path | None) -> LastModule:
    """The module of a tool file, of which nothing else need be right; raises ValveError."""
    try:
        from ald_controller.yamlfile import Problems, read  # the only packages that it ever needs
    except ImportError as error:
        raise ValveError(f"{tool} cannot be read without its packages ({error}); name --module and --at") from error
    try:
        data = read(tool).data
        valves = data["valves"]
        elsewhere = read_addresses(addresses) if addresses else {}
        address = elsewhere["valves"] if addresses else data["lines"][valves["line"]]["address"]
        return _module(valves["driver"], host_and_port(address), valves["unit"], valves["coils"])
    except (Problems, BadAddresses) as error:
        raise ValveError(str(error)) from error
    except ValueError as error:
        raise ValveError(f"{tool}: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise ValveError(f"{tool}: 'valves' and its line do not name a module: {error!r}") from error


def _module(driver: Any, at: tuple[str, int], unit: Any, coils: Any) -> LastModule:
    """The module at this address; raises ValueError for nonsense, ValveError where the name leads nowhere."""
    address, port = numeric(*at), at[1]
    lock = str(lock_path(lock_folder(), address, port))
    return LastModule(driver, address, port, unit, coils, lock)
