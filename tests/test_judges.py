"""voz/metrics/judges.py: golden scores, what they tell apart, and no model where the cache has the recording."""

from pathlib import Path

import numpy as np
import pytest

from pocket.corpus import opus
from tests import clips
from voz.audio import wav
from voz.metrics import judges
from voz.pipeline import cache

MINE, ALSO_MINE, OTHER = "mine-0", "mine-1", "other-0"


def test_scores_are_golden() -> None:
    """Guards EMBEDDING_VERSION and QUALITY_VERSION: when these change, raise them."""
    assert (judges.EMBEDDING_VERSION, judges.QUALITY_VERSION) == (1, 1)
    embedding = judges.embed(clips.pcm(MINE))
    assert embedding is not None and embedding.shape == (256,) and np.linalg.norm(embedding) == pytest.approx(1.0, abs=1e-5)
    assert (int(embedding.argmax()), float(embedding.max())) == (187, pytest.approx(0.24072, abs=1e-3))
    assert judges.rate(clips.pcm(MINE)) == pytest.approx(3.0759, abs=0.01)


def test_own_voice_is_more_similar_than_another() -> None:
    mine, also_mine, other = (judges.embed(clips.pcm(name)) for name in (MINE, ALSO_MINE, OTHER))
    assert mine is not None and also_mine is not None and other is not None
    assert mine @ also_mine > 0.9 > mine @ other + 0.1


def test_level_and_silence_at_the_ends_do_not_change_who_speaks() -> None:
    padded = np.pad(0.3 * clips.pcm(MINE), (11_025, 22_050)).astype(np.float32)
    mine, quiet = judges.embed(clips.pcm(MINE)), judges.embed(padded)
    assert mine is not None and quiet is not None and mine @ quiet > 0.99


def test_noise_and_a_poor_codec_lower_the_quality() -> None:
    pcm = clips.pcm(MINE)
    noise = np.random.default_rng(0).standard_normal(len(pcm)) * np.sqrt(np.mean(pcm**2)) * 10 ** (-10 / 20)
    narrow = wav.resample(pcm, wav.SAMPLE_RATE_HZ, opus.SAMPLE_RATE_HZ)
    coded = wav.resample(opus.roundtrip(narrow, bitrate_bps=6_000), opus.SAMPLE_RATE_HZ, wav.SAMPLE_RATE_HZ)
    clean, noisy, poor = (judges.rate(each) for each in (pcm, (pcm + noise).astype(np.float32), coded))
    assert clean is not None and noisy is not None and poor is not None
    assert clean > noisy + 0.2 and clean > poor + 0.2


def test_silence_has_no_voice_and_no_quality(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    silence = [np.zeros(22_050, np.float32)]
    assert judges.voice_embeddings(silence, ids=["a"], label="voice") == [None]
    assert judges.signal_quality(silence, ids=["a"], label="quality") == [None]


def test_a_known_recording_needs_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden() -> None:
        raise AssertionError("a model is loaded")

    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    pcms = [clips.pcm(MINE)[:33_000], clips.pcm(OTHER)[:33_000]]

    def both() -> tuple[list[np.ndarray | None], list[float | None]]:
        return judges.voice_embeddings(pcms, ids=["a", "b"], label="voice"), judges.signal_quality(pcms, ids=["a", "b"], label="quality")

    first = both()
    for name in ("_encoder", "_rater"):
        monkeypatch.setattr(judges, name, forbidden)
    again = both()
    assert all(np.array_equal(one, other) for one, other in zip(again[0], first[0], strict=True)) and again[1] == first[1]
    for name in ("voice_embeddings", "signal_quality"):
        assert [(each["computed"], each["reused"]) for each in cache.read_log(name)] == [(2, 0), (0, 2)]
