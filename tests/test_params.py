"""A section of params.yaml is read into a stage's Params, or refused in one line."""

from pathlib import Path

import pytest
from pydantic import Field

from voz.pipeline import params
from voz.pipeline.checked import section
from voz.pipeline.command import UserError


@section
class Stage:
    lr: float = Field(gt=0)
    epochs: int
    betas: list[float]
    careful: bool


GOOD = "stage:\n  lr: 5e-6\n  epochs: 2\n  betas: [0.9, 1]\n  careful: true\n"


def test_numbers_are_read_as_dvc_reads_them(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(GOOD)  # YAML 1.1 reads 5e-6 as text
    assert params.load("stage", Stage, tmp_path / "p.yaml") == Stage(lr=5e-6, epochs=2, betas=[0.9, 1.0], careful=True)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("epochs: 2", "epochs: 2.5", "stage.epochs: 2.5 should be a valid integer"),
        ("epochs: 2", "epochs: true", "stage.epochs: True should be a valid integer"),
        ("lr: 5e-6", "lr: fast", "stage.lr: 'fast' should be a valid number"),
        ("lr: 5e-6", "lr: .nan", "stage.lr: nan should be a finite number"),
        ("lr: 5e-6", "lr: -1", "stage.lr: -1 should be greater than 0"),
        ("careful: true", "careless: true", "unknown ['careless']"),
        ("  careful: true\n", "", "missing ['careful']"),
        ("stage:", "other:", "section `stage` missing"),
        ("lr: 5e-6", "lr: [", "not YAML"),
    ],
)
def test_a_bad_value_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    (tmp_path / "p.yaml").write_text(GOOD.replace(old, new))
    with pytest.raises(UserError) as error:
        params.load("stage", Stage, tmp_path / "p.yaml")
    assert said in str(error.value) and "\n" not in str(error.value)
