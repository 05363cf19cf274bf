"""Read a section of params.yaml into a stage's own `Params`, or say in one line what is wrong with it."""

import typing
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import Field, ValidationError

from voz.pipeline import parallel
from voz.pipeline.checked import first_error, section
from voz.pipeline.command import UserError
from voz.pipeline.language import tr

PATH = Path("params.yaml")
T = TypeVar("T")


@section
class Compute:
    """Where the work runs. No stage lists it under `params:`, so changing it reruns nothing."""

    device: str  # auto | cpu | cuda | cuda:1 ... (a ROCm build of torch also calls its accelerator cuda)
    workers: int = Field(ge=0)  # processes of the data stages; 0 = one per core
    cache_gb: float = Field(gt=0)  # size limit of .cache; the least recently used entries are removed first
    engine: Literal["local", "ray"] = "local"  # what computes notes and batches: this machine or a Ray cluster
    ray_address: str = "auto"  # of the cluster: auto, or host:port
    processes: int = Field(default=1, ge=1)  # of train on this machine, one for each accelerator
    nodes: int = Field(default=1, ge=1)  # machines that train together

    @property
    def items(self) -> parallel.Engine:
        """What computes the items of the data stages, each on one core."""
        return parallel.Engine(self.workers, self.ray_address if self.engine == "ray" else "")

    @property
    def items_device(self) -> str:
        """Where a batch of a model computes: a worker of the cluster sees its own accelerator alone."""
        return "cuda" if self.engine == "ray" and self.device.startswith("cuda") else self.device

    @property
    def models(self) -> parallel.Engine:
        """What computes the batches of a model: this process, which has the device, or the cluster."""
        return parallel.Engine(1, self.ray_address if self.engine == "ray" else "", gpu=self.device.startswith("cuda"))


def read(path: Path = PATH) -> dict[str, Any]:
    """The whole of params.yaml.

    Raises:
        UserError: the file is missing or is not YAML.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError("{path}: missing", "run from the top folder of the repository", path=path) from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(
            "{path}: not YAML in UTF-8 ({reason})",
            "fix that line, or `git checkout params.yaml`",
            path=path,
            reason=str(error).splitlines()[0],
        ) from error
    if not isinstance(data, dict):
        raise UserError("{path}: has no sections", "`git checkout params.yaml`", path=path)
    return data


def base_folder(path: Path = PATH) -> Path:
    """The folder of the base model.

    Raises:
        UserError: `base` is missing.
    """
    folder = read(path).get("base")
    if not isinstance(folder, str):
        raise UserError("{path}: base: missing", "`git checkout params.yaml`", path=path)
    return Path(folder)


def load(name: str, cls: type[T], path: Path = PATH) -> T:
    """Read one section into `cls`, a class decorated with `checked.section`.

    Raises:
        UserError: a key without a default is missing, a key is unknown, or a value has the wrong type or is out of its bounds.
    """
    values = read(path).get(name)
    if not isinstance(values, dict):
        raise UserError("{path}: section `{name}` missing", "`git checkout params.yaml`", path=path, name=name)
    types = typing.get_type_hints(cls)
    needed = {name for name, field in vars(cls)["__pydantic_fields__"].items() if field.is_required()}
    unknown, missing = sorted(set(values) - set(types)), sorted(needed - set(values))
    if unknown or missing:
        what = tr("unknown {keys}", keys=unknown) if unknown else tr("missing {keys}", keys=missing)
        raise UserError("{path}: {name}: {what}", "the keys are {keys}", path=path, name=name, what=what, keys=sorted(types))
    try:
        return cls(**{key: _as_number(value) if types[key] is float else value for key, value in values.items()})
    except ValidationError as error:
        field, what = first_error(error)
        raise UserError(
            "{path}: {key}: {what}", "correct the value", path=path, key=f"{name}.{field}" if field else name, what=what
        ) from error


def _as_number(value: Any) -> Any:
    """The number that a text such as "5e-6" means: PyYAML reads it as text (YAML 1.1), DVC as a number (YAML 1.2)."""
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        return value
