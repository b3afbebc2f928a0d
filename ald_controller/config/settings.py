"""A driver's own settings: the plain dataclass beside the driver, as a person writes it in the tool file.

A field `full_scale_sccm: float` is written `full_scale: 100 sccm`: the unit leaves the name and becomes part of the
value, so that drivers know nothing of files and files know nothing of internal units.
"""

from __future__ import annotations

import dataclasses
import typing
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from ald_controller import units

_QUANTITIES = {
    "_sccm": units.Sccm, "_s": units.Seconds, "_c": units.Celsius, "_pa": units.Pascals, "_k": units.Kelvins,
}  # fmt: skip


@cache
def file_model(settings: Any) -> type[BaseModel]:
    """The shape in the file of a driver's dataclass: unit suffixes leave the names and become units in the values."""
    hints = typing.get_type_hints(settings)
    fields: dict[str, Any] = {}
    for f in dataclasses.fields(settings):
        suffix = _suffix(f.name, hints[f.name])
        kind = _QUANTITIES[suffix] if suffix else _inner(hints[f.name])
        has_default = f.default is not dataclasses.MISSING or f.default_factory is not dataclasses.MISSING
        alias = f.name.removesuffix(suffix)
        field = Field(default=None, alias=alias) if has_default else Field(alias=alias)
        fields[f"of_{alias}"] = (kind | None if has_default else kind, field)  # "register" would hide a method
    return create_model(f"{settings.__name__}File", __config__=ConfigDict(extra="forbid", strict=True), **fields)


def _suffix(name: str, hint: Any) -> str:
    return next((s for s in _QUANTITIES if name.endswith(s) and hint is float), "")


def _inner(hint: Any) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return file_model(hint)
    if typing.get_origin(hint) is tuple:
        return list[_inner(typing.get_args(hint)[0])]  # type: ignore[misc]
    return hint


def settings_of(settings: type, values: BaseModel) -> Any:
    """The driver's dataclass from what the file said; what it left out keeps the dataclass's default."""
    hints = typing.get_type_hints(settings)
    out: dict[str, Any] = {}
    for f in dataclasses.fields(settings):
        value = getattr(values, "of_" + f.name.removesuffix(_suffix(f.name, hints[f.name])))
        if value is not None:
            out[f.name] = _unwrap(hints[f.name], value)
    return settings(**out)


def _unwrap(hint: Any, value: Any) -> Any:
    if isinstance(value, BaseModel):
        return settings_of(hint, value)
    if isinstance(value, list):
        inner = typing.get_args(hint)[0]
        return tuple(_unwrap(inner, v) for v in value)
    return value
