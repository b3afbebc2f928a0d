"""Work that takes more than 10 ms of CPU, as child processes of the daemon: check and report."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from ald_controller.consoleparts import CheckRequest

CHECK_S = 30.0
REPORT_S = 120.0
NICENESS = 10  # whoever waits for a check can wait; the guard and the polls beside it cannot


async def _ald(*arguments: str, within_s: float) -> tuple[int, bytes, bytes]:
    """Run `ald …` to its end, or kill it after `within_s`; its exit code (-9 when killed), output and errors."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ald_controller", *arguments,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    with suppress(ProcessLookupError):  # it has ended already
        os.setpriority(os.PRIO_PROCESS, child.pid, NICENESS)
    try:
        async with asyncio.timeout(within_s):
            out, errors = await child.communicate()
    except TimeoutError:
        out, errors = b"", f"gave no answer in {within_s:g} s".encode()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    return child.returncode or 0, out, errors


def checker(tool: Path) -> Any:
    """`ald check --json` on a recipe's text with the registers as they are."""

    async def check(request: CheckRequest) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="ald-check-") as folder:
            recipe, registers = _written(Path(folder), request)
            sets = [f"--set={name}={value}" for name, value in request.parameters.items()]
            sets += [f"--zone={zone}={celsius:g}" for zone, celsius in request.temperatures_c.items()]
            sets += [f"--more={line}:{column}={turns}" for (line, column), turns in request.more.items()]
            _, out, errors = await _ald(
                "check", str(recipe), "--json", "--tool", str(tool), "--registers", str(registers), *sets,
                within_s=CHECK_S,
            )  # fmt: skip
        out = out.replace(f"{folder}/".encode(), b"")  # where the copy lay says nothing to whoever reads a problem
        try:
            result: dict[str, Any] = json.loads(out)
        except json.JSONDecodeError:
            return {"problems": [f"the check itself failed: {errors.decode(errors='replace').strip()[-400:]}"]}
        return result

    return check


def _written(folder: Path, request: CheckRequest) -> tuple[Path, Path]:
    """The recipe and the registers as files; both are small, and JSON is YAML."""
    recipe, registers = folder / f"{request.name}.yaml", folder / "registers.yaml"
    recipe.write_text(request.text, "utf-8")
    registers.write_text(json.dumps(request.registers, ensure_ascii=False), "utf-8")
    return recipe, registers


def lister(state: Path) -> Any:
    """`ald runs --json`: a folder of a thousand runs is not read where the guard waits."""

    async def runs() -> list[dict[str, Any]]:
        code, out, errors = await _ald("runs", "--state", str(state), "--json", within_s=CHECK_S)
        if code:
            return [
                {
                    "run": "",
                    "ending": None,
                    "recipe": "",
                    "where": "",
                    "problem": errors.decode(errors="replace").strip()[-400:],
                }
            ]
        rows: list[dict[str, Any]] = json.loads(out)
        return rows

    return runs


async def report(folder: Path) -> Path | None:
    """`ald report FOLDER`; None when it could not be made, and the run folder is as good without."""
    code, out, _ = await _ald("report", str(folder), "--json", within_s=REPORT_S)
    return Path(json.loads(out)["report"]) if code == 0 else None
