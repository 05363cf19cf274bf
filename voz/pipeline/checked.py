"""Dataclasses whose values are checked when they are made (by pydantic), and a value's error as one line."""

from typing import TypeVar, cast, dataclass_transform

from pydantic import ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

T = TypeVar("T")

_STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)  # strict: "1" is not a number, 1.5 is not an integer


@dataclass_transform(frozen_default=True)
def record(cls: type[T]) -> type[T]:
    """Make a class a frozen dataclass that raises pydantic's `ValidationError` for a value of the wrong type."""
    return cast(type[T], dataclass(frozen=True, config=_STRICT)(cls))


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(Field,))
def section(cls: type[T]) -> type[T]:
    """Like `record`, for a section of params.yaml: keyword-only, with bounds (`lr: float = Field(gt=0)`)."""
    return cast(type[T], dataclass(frozen=True, kw_only=True, config=_STRICT)(cls))


def first_error(error: ValidationError) -> tuple[str, str]:
    """The first error of a value as (field, what is wrong). The field is empty if the value as a whole is wrong."""
    first = error.errors(include_url=False, include_context=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ").replace("Input should", "should")
    if first["type"] in ("missing", "unexpected_keyword_argument", "value_error"):
        return field, message
    return field, f"{first['input']!r} {message}"
