"""What a person tells the tool of itself: registers asked for and set, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable

from ald_controller import commands as c
from ald_controller import stamp
from ald_controller.bottles import refused_bottles
from ald_controller.chemistry import NOTHING
from ald_controller.confirming import with_confirmation
from ald_controller.consoleparts import ConsoleParts, no, yes
from ald_controller.engineconfig import engine_config
from ald_controller.interlocks import Setting
from ald_controller.interlocks.fingerprint import limits_of
from ald_controller.interlocks.glovebox import GLOVE_CEILING_C
from ald_controller.interlocksetting import limits_confirmed, may_burn, setting_of
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
        if name != "load":
            return ""
        now = self._guard.keeper.gate
        how = "open" if now.open else f"not locked ({now.lock.value})" if now.released else ""
        return how and f"the gate is {how}: say what lies in the chamber when it is shut and locked"

    def _with(self, request: c.SetRegister) -> Registers:
        """The registers as they would be; raises Problems."""
        at = stamp.iso(stamp.utc_now())
        registers = self._registers.set(request.name, request.value, request.by, at, self._chemistry)
        return with_confirmation(self._tool.config, registers, request.name, self._chemistry)

    def _refused(self, name: str, registers: Registers, who: c.Principal) -> c.Reply | None:
        """What speaks against these registers although every value is in order, or None."""
        if name == "load" and (refusal := self._load_refused(registers, who)):
            return refusal
        if name == CONFIRMED_LIMITS and who.role != "owner":
            return no("forbidden", "only the owner confirms the limits of this tool")
        refused = refused_bottles(self._tool.config, registers.rack(), self._chemistry)
        why = refused.get(_port(name) or "")
        return None if why is None else no("register-refused", why)

    def _load_refused(self, registers: Registers, who: c.Principal) -> c.Reply | None:
        if registers.is_unguarded:
            melts = f"{registers.load_material} melts below the limits at which the interlocks guard lithium"
            return no("register-refused", f"{melts}: this software does not guard it, and it is not loaded here")
        if registers.is_lithium or not self._registers.is_lithium:
            return None
        if who.role != "owner":
            return no("forbidden", "only the owner takes lithium limits off, with an empty chamber")
        missing = self._still_lithium(registers)
        return no("register-refused", "\n".join(["lithium limits stay:", *missing])) if missing else None

    def _still_lithium(self, registers: Registers) -> list[str]:
        """What speaks against taking lithium limits off, one sentence each."""
        out = [f"{c.row} is latched: {c.detail}" for c in self._guard.state.latched if c.row.startswith("T")]
        if self._registers.load_material is not None and self._tool.config.signals.gate_shut:
            known = self._registers.load_material
            out.append(f"the load is {known}, and the gate was not opened since: release and open it, and look")
        new = registers.load_register()
        if new is None or not (new.seen_empty or new.material == NOTHING):
            out.append("say that the chamber was seen empty before this was laid into it: `seen_empty: true`")
        return [*out, *self._hot()]

    def _hot(self) -> list[str]:
        """Every sensor of a zone that touches the load whose hottest place is not known to be cold enough for a glove.

        In °C.
        """
        limit_c, out = min(self._tool.config.limits.glove, GLOVE_CEILING_C), list[str]()
        for name, zone in self._tool.config.zones_of("substrate", "chamber").items():
            heater = self._setting.constants.heaters.get(name)
            for sensor in filter(None, (f"{zone.device}.temperature_c", zone.second)):
                seen_c = self._tool.good(sensor)
                if seen_c is None or not seen_c + (heater.hottest_k if heater else 0.0) <= limit_c:
                    told = "not known" if seen_c is None else f"at {seen_c:.0f} °C"
                    out.append(f"{sensor} is {told}: lithium limits come off below {limit_c:g} °C")
        return out

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
        self.pyrophoric = may_burn(self._tool.config, self._registers, self._chemistry)
        self._machine.limits_confirmed = self.limits[1]  # row K15


def _port(name: str) -> str | None:
    """The port of a bottle's register, None of any other."""
    port = name.removeprefix("bottle.")
    return None if port == name else port
