"""Checkpoint files: the same content is the same bytes."""

from pathlib import Path

import torch

from voz.model import checkpoint


def test_the_same_weights_are_the_same_bytes_under_any_name(tmp_path: Path) -> None:
    content = {"weight": torch.arange(6.0)}
    for name in ("a.pth", "b.pth"):
        checkpoint.write(tmp_path / name, content)
    assert (tmp_path / "a.pth").read_bytes() == (tmp_path / "b.pth").read_bytes()
    assert torch.equal(checkpoint.read(tmp_path / "a.pth")["weight"], content["weight"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pth", "b.pth"]
