"""Tests for voz/model/device.py."""

import pytest
import torch

from voz.model import device
from voz.pipeline.command import UserError


def test_auto_takes_the_cpu_where_there_is_no_accelerator() -> None:
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert device.pick("auto").type == expected


def test_an_accelerator_comes_with_its_number() -> None:
    """torch.cuda.set_device takes no other."""
    assert device.pick("auto").index == (0 if torch.cuda.is_available() else None)


@pytest.mark.parametrize("deterministic", [True, False])
def test_tf32_is_only_for_who_asks(deterministic: bool) -> None:
    device.seed_everything(1, deterministic=deterministic)
    found = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    device.seed_everything(1)
    assert found == (not deterministic, "highest" if deterministic else "high")


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match="cuda:99"):
        device.pick("cuda:99")


@pytest.mark.parametrize(
    ("arch", "lacks"), [("gfx1030", True), ("gfx1032", True), ("gfx1010:xnack-", True), ("gfx1100", False), ("gfx942", False), ("", False)]
)
def test_rdna_1_and_2_have_no_bf16(arch: str, lacks: bool) -> None:
    assert device.lacks_bf16(arch) is lacks


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_the_cpu_takes_every_precision(precision: str) -> None:
    device.require_precision(precision, torch.device("cpu"))
