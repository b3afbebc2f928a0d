"""The command tree; every command's work, and its heavy imports, lie in the module that the command names."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from ald_controller.cli.against import HTML, MORE, TIMES_OF, against
from ald_controller.cli.alarms import alarms
from ald_controller.cli.asking import JSON, SOCKET, STATE, TOOL, ask, reply_to, tool_path
from ald_controller.cli.bottles import bottle
from ald_controller.cli.commissioning import commission
from ald_controller.cli.devices import devices
from ald_controller.cli.fault import fault
from ald_controller.cli.films import films
from ald_controller.cli.gate import box, gate
from ald_controller.cli.interlocks import interlocks
from ald_controller.cli.prooftest import proof_test
from ald_controller.cli.sockets import find_socket
from ald_controller.cli.turns import extend, pause, resume, stop, turns_by_place
from ald_controller.cli.valves import valves
from ald_controller.doorbell import LocalClient

PARAMETERS = click.option(
    "--set", "parameters", multiple=True, metavar="NAME=VALUE", help="a parameter of the recipe, for example cycles=10"
)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done; 1 refused or found wrong; 2 used wrongly; 3 no controller answers.",
)
@click.version_option(package_name="ald-controller")
def ald() -> None:
    """Control software for ALD/MLD reactors on argon gloveboxes."""


_OWN = (
    alarms, bottle, commission, devices, interlocks, valves, gate, box, proof_test, fault, films, extend, pause, resume,
    stop,
)  # fmt: skip
for group in _OWN:
    ald.add_command(group)


def given(parameters: tuple[str, ...]) -> dict[str, str]:
    """NAME=VALUE pairs; exits with 2 on anything else."""
    pairs = [p.partition("=") for p in parameters]
    for name, equals, _ in pairs:
        if not equals:
            raise click.UsageError(f"'{name}': write NAME=VALUE")
    return {name: value for name, _, value in pairs}


def celsius(zones: tuple[str, ...]) -> dict[str, float]:
    """ZONE=CELSIUS pairs; exits with 2 on anything else."""
    try:
        found = {zone: float(value) for zone, value in given(zones).items()}
    except ValueError as error:
        raise click.UsageError(f"--zone: write NAME=CELSIUS, for example substrate=120 ({error})") from None
    for zone, value in found.items():
        if not -50.0 <= value <= 500.0:  # also what is not a number
            raise click.UsageError(f"--zone {zone}={value:g}: no zone of a reactor is that warm, or that cold")
    return found


LONGEST_UPLOAD = 524_288  # characters


def text_of(recipe: Path) -> str:
    """A recipe as it is to be uploaded; exits with 1 when it is not text."""
    try:
        with recipe.open(encoding="utf-8", newline="") as file:  # the hash is that of the file, line ends included
            return file.read(LONGEST_UPLOAD + 1)  # more than the controller takes; a device has no end
    except (OSError, UnicodeDecodeError) as error:
        why = f"is not UTF-8 text (byte {error.start})" if isinstance(error, UnicodeDecodeError) else error.strerror
        click.echo(f"ald: {recipe}: {why}", err=True)
        sys.exit(1)


# --- through the local door ------------------------------------------------------------------------------------------


@ald.command()
@click.argument("why", nargs=-1)
@SOCKET
def abort(why: tuple[str, ...], socket: str | None) -> None:
    """Shut the valves now and go to the safe state."""
    from ald_controller.cli.abort import main

    sys.exit(main([*why, *(["--socket", socket] if socket else [])]))


@ald.command()
@click.option("--reason", default="", help="what was found and done; needed for what only an owner resets")
@SOCKET
@JSON
def reset(reason: str, socket: str | None, as_json: bool) -> None:
    """Clear the latch; refused while its cause lives; moves no valve."""
    ask(socket, {"verb": "reset", "reason": reason}, as_json)


@ald.command("pulses-anew")
@click.argument("source")
@click.option("--reason", required=True, help="what has changed, for example 'another regulator pressure'")
@SOCKET
@JSON
def pulses_anew(source: str, reason: str, socket: str | None, as_json: bool) -> None:
    """Let SOURCE learn anew what its pulses usually are; the owner alone may say so."""
    ask(socket, {"verb": "pulses-anew", "source": source, "reason": reason}, as_json)


@ald.command()
@click.argument("switch", type=click.Choice(["on", "off"]))
@SOCKET
def remote(switch: str, socket: str | None) -> None:
    """Let the remote door start, resume, extend and reset (on), or the local door alone (off)."""
    ask(socket, {"verb": "remote", "enable": switch == "on"})


@ald.command()
@click.argument("recipe", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@SOCKET
@JSON
def upload(recipe: Path, socket: str | None, as_json: bool) -> None:
    """Give a recipe to the controller under its file's name."""
    ask(socket, {"verb": "upload", "name": recipe.stem, "text": text_of(recipe)}, as_json)


@ald.command()
@click.argument("name")
@PARAMETERS
@SOCKET
@JSON
def start(name: str, parameters: tuple[str, ...], socket: str | None, as_json: bool) -> None:
    """Start an uploaded recipe."""
    ask(socket, {"verb": "start", "name": name, "parameters": given(parameters)}, as_json)


@ald.command()
@click.argument("recipe", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@PARAMETERS
@SOCKET
def run(recipe: Path, parameters: tuple[str, ...], socket: str | None) -> None:
    """Upload a recipe, start it and follow it to its end."""
    from ald_controller.cli.follow import follow

    ask(socket, {"verb": "upload", "name": recipe.stem, "text": text_of(recipe)})
    reply = ask(socket, {"verb": "start", "name": recipe.stem, "parameters": given(parameters)})
    sys.exit(follow(LocalClient(find_socket(socket)), reply["data"]["run"]))


@ald.command()
@SOCKET
@JSON
def status(socket: str | None, as_json: bool) -> None:
    """What the tool is doing now."""
    if as_json:
        ask(socket, {"verb": "status"}, as_json=True)
        return
    from ald_controller.cli.follow import status_text

    click.echo(status_text(reply_to(socket, {"verb": "status"})["data"]))


@ald.group()
def register() -> None:
    """What the tool knows of itself: load, bottles, leak rate …"""


@register.command("set")
@click.argument("name")
@click.argument("value")
@click.option("--by", required=True, help="who says so")
@SOCKET
def register_set(name: str, value: str, by: str, socket: str | None) -> None:
    """Set a register, dated and signed; VALUE is YAML, for example '{material: lithium foil}'."""
    from ald_controller.yamlfile import Problems, parse

    try:
        data = parse(value, f"register {name}").data
    except Problems as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    ask(socket, {"verb": "register-set", "name": name, "value": data, "by": by})


@register.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--by", required=True, help="who says so")
@SOCKET
def register_import(file: Path, by: str, socket: str | None) -> None:
    """Set every register of a registers file, for example deploy/registers-simulated.yaml."""
    from ald_controller.yamlfile import Problems, read

    try:
        data = read(file).data
        registers = {name: entry["value"] for name, entry in data["registers"].items()}
    except Problems as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    except (KeyError, TypeError, AttributeError):
        click.echo(f"{file}: 'registers: {{NAME: {{value: …}}}}' is expected", err=True)
        sys.exit(1)
    for name, value in registers.items():
        ask(socket, {"verb": "register-set", "name": name, "value": value, "by": by})


@register.command("list")
@SOCKET
@JSON
def register_list(socket: str | None, as_json: bool) -> None:
    """All registers with who set them and when."""
    from ald_controller.cli.follow import registers_text

    if as_json:
        ask(socket, {"verb": "registers"}, as_json=True)
        return
    click.echo(registers_text(reply_to(socket, {"verb": "registers"})["data"]["registers"]))


# --- without a controller --------------------------------------------------------------------------------------------


@ald.command()
@click.argument("recipe", type=click.Path(readable=False, path_type=Path))
@against
@click.option("--zone", "zones", multiple=True, metavar="NAME=CELSIUS", help="how warm a zone is at the start")
@HTML
@TIMES_OF
@MORE
@PARAMETERS
@JSON
def check(
    recipe: Path, tool: Path | None, load: Path | None, rack: Path | None, registers: Path | None,
    zones: tuple[str, ...], html: Path | None, times_of: tuple[Path, Path] | None, more: tuple[str, ...],
    parameters: tuple[str, ...], as_json: bool,
) -> None:  # fmt: skip
    """Check a recipe against a tool: all problems at once, else the plan and what it will probably do."""
    from ald_controller.cli.offline import CheckOptions, check_command, found_where

    found = found_where(tool, times_of, as_json)
    more_turns = turns_by_place(more)
    options = CheckOptions(
        load, rack, registers, celsius(zones), given(parameters), as_json, html, *found, more=more_turns
    )
    sys.exit(check_command(recipe, tool_path(tool), options))


@ald.command()
@click.argument("recipe", type=click.Path(readable=False, path_type=Path))
@against
@click.option("--tolerance", default="2 %", show_default=True, help="of growth, that doses and purges may cost")
@PARAMETERS
@JSON
def optimise(
    recipe: Path, tool: Path | None, load: Path | None, rack: Path | None, registers: Path | None, tolerance: str,
    parameters: tuple[str, ...], as_json: bool,
) -> None:  # fmt: skip
    """Shortest doses and purges that keep growth within a tolerance: a model's advice, as a diff of the recipe."""
    from ald_controller.cli.offline import CheckOptions
    from ald_controller.cli.optimising import optimise_command

    options = CheckOptions(load, rack, registers, {}, given(parameters), as_json)
    sys.exit(optimise_command(recipe, tool_path(tool), tolerance, options))


@ald.command()
@click.argument("recipe", type=click.Path(readable=False, path_type=Path))
@TOOL
@click.option("--load", type=click.Path(path_type=Path), default=None, help="a file with the load register")
@click.option("--rack", type=click.Path(path_type=Path), default=None, help="a file with the bottles per port")
@click.option("--state", type=click.Path(path_type=Path), default=None, help="where the run folder goes")
@click.option("--warm", is_flag=True, help="zones start at the recipe's temperatures, as in the demo")
@PARAMETERS
@JSON
def preview(
    recipe: Path, tool: Path | None, load: Path | None, rack: Path | None, state: Path | None, warm: bool,
    parameters: tuple[str, ...], as_json: bool,
) -> None:  # fmt: skip
    """Run the whole recipe on the simulated reactor in virtual time, through the real code and wire bytes."""
    from ald_controller.cli.preview import PreviewOptions, preview_command

    options = PreviewOptions(load, rack, state, warm, given(parameters), as_json)
    sys.exit(preview_command(recipe, tool_path(tool), options))


@ald.command()
@STATE
@SOCKET
@JSON
def runs(state: Path | None, socket: str | None, as_json: bool) -> None:
    """All runs of a tool with their endings, newest first."""
    from ald_controller.cli.offline import runs_command, runs_text

    if state is not None:
        sys.exit(runs_command(state, as_json))
    reply = reply_to(socket, {"verb": "runs"})
    click.echo(json.dumps(reply) if as_json else runs_text(reply["data"]["runs"]))


@ald.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@JSON
def report(folder: Path, as_json: bool) -> None:
    """Write the report of a run folder: one self-contained HTML file."""
    from ald_controller.cli.offline import report_command

    sys.exit(report_command(folder, as_json))


@ald.command()
@click.argument("what", type=click.Choice(["recipe"]))
def schema(what: str) -> None:
    """Print the JSON Schema of recipes, for an editor that checks while one types."""
    from ald_controller.cli.offline import schema_command

    sys.exit(schema_command())


@ald.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def safe(arguments: tuple[str, ...]) -> None:
    """Write zeros to the valve module when the controller is dead, and read them back."""
    from ald_controller.cli.safe import main

    sys.exit(main(list(arguments)))


# --- what runs -------------------------------------------------------------------------------------------------------


@ald.command()
@click.option("--tool", "tool", type=click.Path(exists=True, path_type=Path), required=True, help="the tool file")
@click.option("--state", type=click.Path(path_type=Path), required=True, help="where registers and runs are kept")
@click.option("--door", type=click.Path(path_type=Path), default=None, help="the Unix socket to listen on")
@click.option(
    "--addresses", type=click.Path(exists=True, path_type=Path), default=None,
    help="a file with what `ald simulate --json` printed: these addresses replace the tool's",
)  # fmt: skip
@click.option("--broker", default=None, metavar="HOST:PORT", help="a broker other than the tool file's")
@click.option("--password-file", type=click.Path(path_type=Path), default=None, help="the broker password's file")
@click.option("--quiet", is_flag=True, help="log warnings and errors only")
def daemon(
    tool: Path, state: Path, door: Path | None, addresses: Path | None, broker: str | None,
    password_file: Path | None, quiet: bool,
) -> None:  # fmt: skip
    """Control one tool until SIGTERM; ends in the safe state."""
    from ald_controller.cli.serve import daemon_command

    sys.exit(daemon_command(tool, state, door, addresses, broker, password_file, quiet=quiet))


@ald.command()
@click.argument("tool", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--warm-for", type=click.Path(exists=True, path_type=Path), default=None, help="start as warm as a recipe"
)
@click.option("--rack", type=click.Path(path_type=Path), default=None, help="a file with the bottles per port")
@click.option(
    "--trace", type=click.Path(path_type=Path), default=None, help="write every change of the valve word here"
)
@click.option(
    "--control", type=click.Path(path_type=Path), default=None, envvar="ALD_CONTROL",
    help="a Unix socket at which `ald fault` commands faults (or ALD_CONTROL)",
)  # fmt: skip
@JSON
def simulate(
    tool: Path, warm_for: Path | None, rack: Path | None, trace: Path | None, control: Path | None, as_json: bool
) -> None:
    """Serve every device of a tool file on its real wire, over one simulated reactor."""
    from ald_controller.cli.serve import SimulateOptions, simulate_command

    options = SimulateOptions(warm_for, rack, trace, control and control.absolute(), as_json)
    sys.exit(simulate_command(tool, options))


@ald.command()
@click.option("--state", type=click.Path(path_type=Path), default=Path("demo-state"), help="where its records go")
@click.option("--recipe", type=click.Path(exists=True, path_type=Path), default=None, help="another recipe to run")
@click.option("--no-broker", is_flag=True, help="use the local door even where Mosquitto is installed")
@PARAMETERS
def demo(state: Path, recipe: Path | None, no_broker: bool, parameters: tuple[str, ...]) -> None:
    """The main job, end to end, on the simulated reactor."""
    from ald_controller.cli.demo import demo_command

    sys.exit(demo_command(state, recipe, no_broker, given(parameters)))
