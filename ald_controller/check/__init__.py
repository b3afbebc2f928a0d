"""What `ald check` says of a recipe: all problems at once, or the plan and what it will probably do."""

from ald_controller.check.outlook import Outlook, elsewhere, outlook
from ald_controller.check.verdict import actuations, check_json, check_text, clock, problems_data

__all__ = ["Outlook", "actuations", "check_json", "check_text", "clock", "elsewhere", "outlook", "problems_data"]
