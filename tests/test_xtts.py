"""Bases of any width are read safely and never written."""

import hashlib
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from voz.model import xtts
from voz.pipeline.command import UserError

BASE = Path(__file__).parent.parent / "models" / "pocket" / "xtts"


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_reading_keeps_threads_and_bytes_of_the_base(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(BASE, tmp_path / "base"))
    # the original XTTS_v2 file holds its configuration as an object; coqui's reader would re-save such a file in place
    checkpoint = torch.load(folder / "model.pth", weights_only=True)
    config, widths = xtts.read_config(folder)
    torch.save(checkpoint | {"config": config}, folder / "model.pth")
    before, threads = digests(folder), torch.get_num_threads()
    model = xtts.load_model(folder)
    found = xtts.conditioning(model, np.random.default_rng(0).normal(0, 0.1, 3 * 22_050).astype(np.float32))
    assert digests(folder) == before and torch.get_num_threads() == threads
    assert not widths.stock and model.hifigan_decoder.waveform_decoder.conv_pre.out_channels == widths.decoder_channels
    assert found.latents.shape == (1, 32, config.model_args.gpt_n_model_channels)
    assert float(found.speaker.norm()) == pytest.approx(1.0, abs=1e-4)


def test_dvae_of_the_base_has_its_width() -> None:
    config, widths = xtts.read_config(BASE)
    dvae = xtts.build_dvae(config, widths)
    missing, unexpected = dvae.load_state_dict(xtts.read_checkpoint(BASE / "dvae.pth"), strict=False)
    assert not unexpected and all("codebook" not in name for name in missing)


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (eval, ("open('/tmp/owned', 'w')",))


def test_a_pickle_with_code_is_refused(tmp_path: Path) -> None:
    for name in ("vocab.json", "config.json"):
        shutil.copy(BASE / name, tmp_path)
    (tmp_path / "model.pth").write_bytes(pickle.dumps({"model": Evil()}))
    with pytest.raises(UserError, match="not a readable checkpoint"):
        xtts.load_model(tmp_path)


def test_truncated_and_missing_files_are_named(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(BASE, tmp_path / "base"))
    (folder / "model.pth").write_bytes((folder / "model.pth").read_bytes()[:-1000])
    with pytest.raises(UserError, match=r"model.pth: not a readable checkpoint"):
        xtts.load_model(folder)
    (folder / "dvae.pth").unlink()
    with pytest.raises(UserError, match=r"dvae.pth missing.*make base"):
        xtts.require(folder)


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(BASE, tmp_path / "base"))
    state = torch.load(folder / "model.pth", weights_only=True)["model"]
    torch.save({"model": dict(list(state.items())[:-2])}, folder / "model.pth")
    with pytest.raises(UserError, match="2 weights missing"):
        xtts.load_model(folder)
