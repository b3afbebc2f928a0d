"""The recipe language as a JSON Schema, for editors: verbs, keys, units and ranges, in draft 2020-12.

An editor that knows it says while one types what `ald check` says of the text alone; what depends on tool, bottles and
chemistry only `ald check` knows.
"""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from ald_controller.recipe.parameters import PARAMETERS
from ald_controller.recipe.reading import HEAD, PARTS
from ald_controller.recipe.steps import STEP, Pause, Word

REFS = "#/$defs/{model}"
_STEPS = {"type": "array", "items": {"$ref": "#/$defs/step"}}
_SEVERAL = {"$ref": "#/$defs/steps"}


def recipe_schema() -> dict[str, Any]:
    """The schema of a recipe file."""
    shared: dict[str, Any] = {}
    step = _schema(STEP, shared)
    properties = {key: _schema(kind, shared) for key, (_, kind) in HEAD.items()}
    properties |= dict.fromkeys(PARTS, _SEVERAL)
    properties["define"] = {"type": "object", "additionalProperties": _SEVERAL}
    properties["parameters"] = _schema(PARAMETERS, shared)
    _allow_short(shared, properties)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A recipe of ald-controller",
        "type": "object",
        "properties": properties,
        "required": [key for key, (required, _) in HEAD.items() if required],
        "additionalProperties": False,
        "$defs": {**shared, "step": step, "steps": _STEPS},
    }


def _schema(kind: TypeAdapter[Any], shared: dict[str, Any]) -> dict[str, Any]:
    """Of one type; the models in it go to `shared`."""
    schema = kind.json_schema(by_alias=True, ref_template=REFS)
    shared |= schema.pop("$defs", {})
    return schema


def _allow_short(shared: dict[str, Any], properties: dict[str, Any]) -> None:
    """What may be written short: a purge as its time, a substrate as its material, steps as the name of a define."""
    properties["substrate"] = {"anyOf": [TypeAdapter(Word).json_schema(), properties["substrate"]]}
    shared["Repeat"]["properties"]["steps"] = {"anyOf": [_SEVERAL, TypeAdapter(Word).json_schema()]}
    purge = shared["PurgeVerb"]["properties"]
    purge["purge"] = {"anyOf": [TypeAdapter(Pause).json_schema(), purge["purge"]]}
