"""Read a section of params.yaml into a stage's own dataclass, and say what is wrong in one line."""

import dataclasses
import math
import typing
from pathlib import Path
from typing import Any, TypeVar

import yaml

from voz.pipeline.command import UserError

PATH = Path("params.yaml")
T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Compute:
    """Where the work runs. In no stage's `params:`, so changing it reruns nothing."""

    device: str  # auto | cpu | cuda | cuda:1 ... (ROCm answers to torch's name for the accelerator too)
    workers: int  # processes of the data stages; 0 = one per core
    scratch_gb: float  # size limit of .cache, oldest entries go first


def read(path: Path = PATH) -> dict[str, Any]:
    """The whole of params.yaml.

    Raises:
        UserError: missing, or no YAML.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{path}: missing", "run from the top folder of the repository") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path}: no YAML ({str(error).splitlines()[0]})", "mend that line, or `git checkout params.yaml`") from error
    if not isinstance(data, dict):
        raise UserError(f"{path}: holds no sections", "`git checkout params.yaml`")
    return data


def load(section: str, cls: type[T], path: Path = PATH) -> T:
    """Read one section into `cls` (a dataclass of bool, int, float, str, and lists of them).

    Raises:
        UserError: a key is missing or unknown, a value has the wrong type, or `cls.__post_init__` raised a ValueError.
    """
    values = read(path).get(section)
    if not isinstance(values, dict):
        raise UserError(f"{path}: section `{section}` missing", "`git checkout params.yaml`")
    types = typing.get_type_hints(cls)
    unknown, missing = sorted(set(values) - set(types)), sorted(set(types) - set(values))
    if unknown or missing:
        what = f"unknown {unknown}" if unknown else f"missing {missing}"
        raise UserError(f"{path}: {section}: {what}", f"the keys are {sorted(types)}")
    checked = {key: _checked(f"{path}: {section}.{key}", values[key], types[key]) for key in types}
    try:
        return cls(**checked)
    except ValueError as error:
        raise UserError(f"{path}: {section}: {error}", "mend the value") from error


def _checked(where: str, value: Any, kind: Any) -> Any:
    """`value` as `kind`; YAML reads 5e-6 as text and 1 as int, both are meant as numbers."""
    if typing.get_origin(kind) is list:
        (inner,) = typing.get_args(kind)
        if not isinstance(value, list):
            raise UserError(f"{where}: {value!r} is no list", "write [a, b]")
        return [_checked(where, item, inner) for item in value]
    if kind is float and isinstance(value, str | int) and not isinstance(value, bool):
        try:
            value = float(value)
        except ValueError as error:
            raise UserError(f"{where}: {value!r} is no number", "write a number") from error
    if type(value) is not kind or (kind is float and not math.isfinite(value)):
        raise UserError(f"{where}: {value!r} is no {kind.__name__}", f"write a {kind.__name__}")
    return value
