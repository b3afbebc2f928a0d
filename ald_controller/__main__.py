"""`ald …`. Abort takes a way of its own: it imports nothing that it does not need."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; never returns without an exit code."""
    if len(sys.argv) > 1 and sys.argv[1] == "abort":
        from ald_controller.cli.abort import main as abort

        sys.exit(abort(sys.argv[2:]))
    if sys.argv[1:2] == ["safe"]:
        from ald_controller.cli.safe import main as safe

        sys.exit(safe(sys.argv[2:]))
    _without_plugins()
    if sys.argv[1:2] in (["check"], ["optimise"]):
        _without_collection()
    from ald_controller.cli.commands import ald

    try:
        ald()
    except OSError as error:  # a disk that is full where the output goes, a terminal that is gone
        _unwritten(error)


def _without_plugins() -> None:
    """No other package hooks into how files are validated; looking for one takes a tenth of a check, too."""
    import os

    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def _without_collection() -> None:
    """Half of a long check went into looking for garbage; it ends soon, and a recipe's size is bounded."""
    import gc

    gc.disable()


def _unwritten(error: OSError) -> None:
    """One line instead of a trace; what is still to be printed is dropped, not tried again at the end."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.stderr.write(f"ald: {error.strerror or error}{f': {error.filename}' if error.filename else ''}\n")
    sys.exit(1)


if __name__ == "__main__":
    main()
