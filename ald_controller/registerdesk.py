"""What a person tells the tool of itself: registers asked for and set, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable

from ald_controller import commands as c
from ald_controller import stamp
from ald_controller.bottles import refused_bottles
from ald_controller.confirming import with_confirmation
from ald_controller.consoleparts import ConsoleParts, no, yes
from ald_controller.engineconfig import engine_config
from ald_controller.interlocks import Setting
from ald_controller.interlocks.fingerprint import limits_of
from ald_controller.interlocksetting import limits_confirmed, setting_of
from ald_controller.registers import CONFIRMED_LIMITS, OF_VERBS, Registers
from ald_controller.yamlfile import Problems


class RegisterDesk:
    """Answers what concerns registers. `in_use` says what keeps them as they are, or "".

    A bottle that was changed is told to the valve engine, a constant or a bottle to the interlocks.
    """

    def __init__(self, parts: ConsoleParts, in_use: Callable[[], str]) -> None:
        self._tool, self._guard, self._machine = parts.tool, parts.guard, parts.machine
        self._file, self._chemistry, self._audit = parts.registers, parts.chemistry, parts.audit
        self._in_use = in_use
        self._learn(self._setting_now())

    @property
    def _registers(self) -> Registers:
        return self._file.registers

    @property
    def limits(self) -> tuple[str, bool]:
        """The name of the limits as they are now, and whether the owner has signed for them."""
        return self._limits, limits_confirmed(self._registers, self._limits)

    # --- verbs -----------------------------------------------------------------------------------------------------

    async def _do_registers(self, request: c.GetRegisters, who: c.Principal) -> c.Reply:
        """All of them, with who said so and when."""
        return yes("the registers", registers=self._registers.dump())

    async def _do_register_set(self, request: c.SetRegister, who: c.Principal) -> c.Reply:
        """Set one register; on the disk when the answer comes."""
        name, old = request.name, self._written(request.name)
        if why := self._not_by_hand(name):
            return no("register-refused", why)
        if why := self._in_use():
            return no("misplaced", f"registers do not change {why}")
        try:
            registers = self._with(request)
            if refusal := self._refused(name, registers, who):
                return refusal
            self._file.save(registers)
        except (Problems, OSError) as error:
            return no("register-refused", str(error))
        self._audit.register(name, old, self._written(name), f"{request.by} ({who.name} at the {who.door} door)")
        if _port(name):
            self._tool.valves.configure(engine_config(self._tool.file, self._registers, self._chemistry))
        self._bring_up_to_date()
        return yes(f"{name} is set, signed by {request.by}")

    def _not_by_hand(self, name: str) -> str:
        """Why nobody sets this register now, or ""."""
        ports, port = self._tool.config.ports, _port(name)
        if port is not None and port not in ports:
            return f"there is no port '{port}'; there are: {', '.join(ports)}"
        if name in OF_VERBS:
            return f"'{name}' is set by `{OF_VERBS[name]}`"
        open_ = name == "load" and self._guard.keeper.gate.open
        return "the gate is open: say what lies in the chamber when it is shut" if open_ else ""

    def _with(self, request: c.SetRegister) -> Registers:
        """The registers as they would be; raises Problems."""
        at = stamp.iso(stamp.utc_now())
        registers = self._registers.set(request.name, request.value, request.by, at, self._chemistry)
        return with_confirmation(self._tool.config, registers, request.name, self._chemistry)

    def _refused(self, name: str, registers: Registers, who: c.Principal) -> c.Reply | None:
        """What speaks against these registers although every value is in order, or None."""
        if self._registers.is_lithium and not registers.is_lithium and who.role != "owner":
            return no("forbidden", "only the owner takes lithium limits off, with an empty chamber")
        if name == CONFIRMED_LIMITS and who.role != "owner":
            return no("forbidden", "only the owner confirms the limits of this tool")
        refused = refused_bottles(self._tool.config, registers.rack(), self._chemistry)
        why = refused.get(_port(name) or "")
        return None if why is None else no("register-refused", why)

    def _written(self, name: str) -> object:
        return self._registers.dump()["registers"].get(name)

    # --- what follows ----------------------------------------------------------------------------------------------

    def _bring_up_to_date(self) -> None:
        """Give the interlocks another table when a constant or a bottle has changed."""
        setting, before = self._setting_now(), self._setting
        self._learn(setting)
        if setting != before:
            self._guard.rebuild(setting)

    def _setting_now(self) -> Setting:
        return setting_of(self._tool.config, self._registers, self._chemistry)

    def _learn(self, setting: Setting) -> None:
        self._setting, self._limits = setting, limits_of(setting)
        # a bottle whose vapour may ignite in air hangs here, or one of which nobody knows that
        self.pyrophoric = any(bottle.pyrophoric for bottle in setting.bottles.values())
        self._machine.limits_confirmed = self.limits[1]  # row K15


def _port(name: str) -> str | None:
    """The port of a bottle's register, None of any other."""
    port = name.removeprefix("bottle.")
    return None if port == name else port
