"""What a validator that others wrote says of recipes: the first complaint of each, "" where it has none.

    python validate_in_another_environment.py < {"schema": …, "recipes": […]}

Runs in the environment of requirements-bench.lock and imports nothing of this project.
"""

from __future__ import annotations

import json
import sys

import jsonschema

given = json.load(sys.stdin)
jsonschema.Draft202012Validator.check_schema(given["schema"])
validator = jsonschema.Draft202012Validator(given["schema"])
errors = [next(iter(validator.iter_errors(recipe)), None) for recipe in given["recipes"]]
print(json.dumps([error.message if error else "" for error in errors]))
