"""voz/model/clip_features.py and dvae.py: golden values, and no model where the cache has the clip."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tests import clips, tiny_base
from voz.audio import wav
from voz.model import batches, clip_features, dvae, xtts
from voz.pipeline import cache, files
from voz.pipeline.command import UserError

POCKET = tiny_base.POCKET
CPU = torch.device("cpu")
CODES = [414, 333, 432, 330, 330, 6, 6, 843, 566, 1012, 47, 966]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> xtts.Xtts:
    """Seeded: the pocket base's conditioning latents are all zero."""
    return xtts.load_model(tiny_base.make(tmp_path_factory.mktemp("features") / "base"))


@pytest.fixture
def sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> batches.Sample:
    """A clip of 6 s, with an empty cache beside it."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    path, pcm = tmp_path / "clip.wav", clips.pcm("mine-0")
    wav.write(path, pcm)
    return batches.Sample("clip", path, files.hash_file(path), torch.tensor([1]), len(pcm))


def given(model: xtts.Xtts) -> Callable[[], xtts.Xtts]:
    return lambda: model


def test_codes_are_golden(sample: batches.Sample) -> None:
    """Guards CODES_VERSION: when these change, the same clip gets other codes, so raise it."""
    assert clip_features.CODES_VERSION == 1
    (encoded,) = clip_features.with_codes([sample], POCKET, "dvae", CPU)
    assert encoded.codes[:12].tolist() == CODES and len(encoded.codes) == -(-sample.length // 1024) == 130


def test_latents_are_golden(sample: batches.Sample, model: xtts.Xtts) -> None:
    """Guards LATENTS_VERSION."""
    assert clip_features.LATENTS_VERSION == 2
    (found,) = clip_features.with_latents([sample], model, "base")
    assert found.latents.shape == (32, 64)
    assert found.latents[0, :4].tolist() == pytest.approx([-0.88618, 1.23936, 0.14850, -0.85267], abs=1e-3)
    assert float(found.latents.norm()) == pytest.approx(45.0525, abs=1e-2)


def test_speaker_embeddings_are_golden(sample: batches.Sample, model: xtts.Xtts) -> None:
    """Guards EMBEDDING_VERSION."""
    assert clip_features.EMBEDDING_VERSION == 1
    (found,) = clip_features.speaker_embeddings([sample], given(model), "base")
    assert found.shape == (512,) and np.linalg.norm(found) == pytest.approx(1.0, abs=1e-5)
    assert found[:4].tolist() == pytest.approx([-0.08005, 0.03923, 0.02429, 0.00124], abs=1e-3)


def test_a_clip_of_the_same_bytes_needs_no_model(sample: batches.Sample, model: xtts.Xtts) -> None:
    def forbidden() -> xtts.Xtts:
        raise AssertionError("the model is loaded")

    first = clip_features.speaker_embeddings([sample], given(model), "base")
    again = clip_features.speaker_embeddings([sample], forbidden, "base")
    assert again[0].dtype == np.float32 and np.array_equal(first[0], again[0])
    codes = clip_features.with_codes([sample], POCKET, "dvae", CPU)[0].codes
    assert torch.equal(clip_features.with_codes([sample], Path("no base"), "dvae", CPU)[0].codes, codes)
    assert [(line["computed"], line["reused"]) for line in cache.read_log("codes")] == [(1, 0), (0, 1)]
    with pytest.raises(UserError, match="no base"):
        clip_features.with_codes([sample], Path("no base"), "another dvae", CPU)


def test_codes_are_one_per_1024_samples() -> None:
    pcm = 0.1 * np.random.default_rng(0).standard_normal(60_000, dtype=np.float32)
    encoder = dvae.Dvae(POCKET, CPU)
    for length in (11_025, 51_199, 51_200, 51_201, 51_456):
        assert len(encoder.encode(pcm[:length])) == -(-length // 1024)


def test_a_dvae_of_another_model_is_refused(tmp_path: Path) -> None:
    for name in xtts.BASE_FILES:
        (tmp_path / name).write_bytes((POCKET / name).read_bytes())
    state = torch.load(tmp_path / "dvae.pth", weights_only=True)
    torch.save({f"other.{key}": value for key, value in state.items()}, tmp_path / "dvae.pth")
    with pytest.raises(UserError, match=r"dvae\.pth: \d+ weights missing"):
        dvae.Dvae(tmp_path, CPU)
