"""Recipe + tool + registers -> Plan, or everything that is wrong with it at once. Pure."""

from ald_controller.planner.planning import make_plan

__all__ = ["make_plan"]
