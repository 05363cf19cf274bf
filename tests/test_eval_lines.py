"""The eval lines: golden scores, spoken once, and the reference that they choose."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests import clips, spoken_accents, tiny_dataset, tiny_voice, tiny_whisper
from voz.audio import wav
from voz.metrics import epoch_lines, eval_lines, reference
from voz.model import batches, synthesis, transcriber, xtts
from voz.model.batches import Sample
from voz.model.history import Scores
from voz.pipeline import records
from voz.pipeline.command import UserError

BASE_HASH = "0" * 64
GOLDEN_SIMILARITY = 0.9992


class Setting:
    """A model of random weights with a tiny dataset of two eval clips."""

    def __init__(self, folder: Path) -> None:
        tiny_voice.make(folder / "voice")
        tiny_whisper.make(folder / "whisper.pt")
        self.examples = tiny_dataset.make(folder / "dataset")
        self.model = xtts.load_model(folder / "voice")
        splits = {name: [e for e in self.examples if e.split == name] for name in ("train", "eval")}
        self.train, self.held_out = (batches.load(splits[name], folder / "dataset/wavs", self.model.tokenizer) for name in splits)
        self.asr = transcriber.Transcriber(folder / "whisper.pt", torch.device("cpu"))
        self.lines = eval_lines.choose(splits["eval"], self.held_out, self.model, BASE_HASH, self.asr, seed=1)


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    folder = tmp_path_factory.mktemp("lines")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(folder))
        return Setting(folder)


@pytest.fixture(autouse=True)
def cache_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


def test_each_line_is_spoken_twice_with_other_random_numbers(setting: Setting) -> None:
    lines = setting.lines.lines
    assert [line.text for line in lines] == [e.normalized for e in setting.lines.examples for _ in range(2)] and len(lines) == 4
    spoken = setting.lines.speak(setting.model, setting.train[0], label="test")
    assert not any(np.array_equal(spoken[i], spoken[i + 1]) for i in (0, 2))


def test_one_take_of_each_line_is_the_first(setting: Setting) -> None:
    """The lines of an epoch that is chosen by its loss."""
    once = setting.lines.once()
    assert [line.text for line in once.lines] == [e.normalized for e in once.examples] and once.lines[1] == setting.lines.lines[2]
    assert once.wav_names == setting.lines.wav_names[::2] == [f"{e.id}-1.wav" for e in once.examples]


def test_golden_scores(setting: Setting) -> None:
    """Recordings in place of speech. When this fails, raise STEP_VERSION in voz/metrics/eval_lines.py."""
    speaker = xtts.speaker_embedding(setting.model, clips.pcm("mine-1"))
    lines = replace(setting.lines, speaker=speaker)
    pcms = [wav.resample(clips.pcm(name), wav.SAMPLE_RATE_HZ, wav.OUTPUT_RATE_HZ) for name in ("mine-0", "mine-1", "other-0", "mine-2")]
    scores = lines.scores(pcms, setting.model)
    assert scores.similarity == pytest.approx(GOLDEN_SIMILARITY, abs=2e-4)
    assert scores.cer == 1.0 and len(scores.transcripts) == 4  # a Whisper of random weights
    assert "model" in vars(setting.asr)  # for the next candidate


def test_the_accent_of_the_lines_is_the_share_of_all_their_palatals(setting: Setting) -> None:
    """One text has two ⟨ll, y⟩, the other none; a voice that says [ʃ] against one that says [ʝ]."""
    texts = ("llovía en la calle.", "bueno, gracias.")
    lines = replace(setting.lines, lines=[synthesis.Line(text=text, seed=1, id=text[:4]) for text in texts])

    def sheismo(first: str) -> float | None:
        spoken = (spoken_accents.spoken(each) for each in (first, texts[1]))
        return lines.sheismo([wav.resample(pcm, wav.SAMPLE_RATE_HZ, wav.OUTPUT_RATE_HZ) for pcm in spoken])

    assert sheismo("[[SoB'ia]] en la [[k'aSe]].") == 1.0
    assert sheismo("llovía en la calle.") == 0.0
    assert sheismo("[[SoB'ia]] en la calle.") == 0.5
    assert replace(lines, lines=lines.lines[1:]).sheismo([np.zeros(24_000, dtype=np.float32)]) is None


def test_an_epoch_speaks_once_and_a_half_spoken_one_again(setting: Setting, tmp_path: Path) -> None:
    epochs = epoch_lines.EpochLines(tmp_path / "training", setting.lines, setting.model, setting.train[0])
    (tmp_path / "training/spoken/.epoch-03.tmp").mkdir(parents=True)  # of a killed process
    first = epochs.listen(3)
    assert "model" not in vars(setting.asr)  # its memory is free for the training
    before = [path.read_bytes() for path in epochs.paths(3)]
    with torch.no_grad():
        setting.model.gpt.mel_head.bias.add_(1.0 - 2.0 * torch.rand_like(setting.model.gpt.mel_head.bias))
    assert epochs.listen(3) == first and [path.read_bytes() for path in epochs.paths(3)] == before
    assert epochs.recall(3) == first
    assert not list((tmp_path / "training/spoken").glob(".*"))


def test_lines_of_an_earlier_epoch_are_never_spoken_again(setting: Setting, tmp_path: Path) -> None:
    """The weights that would speak are those of a later epoch."""
    epochs = epoch_lines.EpochLines(tmp_path / "training", setting.lines, setting.model, setting.train[0])
    epochs.listen(1)
    epochs.paths(1)[0].unlink()
    for epoch in (0, 1):
        with pytest.raises(UserError, match=rf"epoch-0{epoch}: the spoken eval lines are missing.*; delete \S+training\b.*trained again"):
            epochs.recall(epoch)
    epochs.listen(1)  # it is evaluated with its own weights
    epochs.recall(1)


def with_codes(samples: list[Sample]) -> list[Sample]:
    numbers = np.random.default_rng(3)
    return [replace(s, codes=torch.tensor(numbers.integers(0, 512, -(-s.length // 1024)))) for s in samples]


def test_of_candidates_that_are_equally_clear_the_most_similar_is_first(setting: Setting) -> None:
    """A CER of a few lines moves by some points by chance: it decides only where it is far from the lowest."""
    figures = [(0.056, 0.784), (0.056, 0.820), (0.063, 0.831), (0.30, 0.95)]
    candidates = [reference.Candidate(setting.train[0], 2.0, Scores(cer, similarity, ())) for cer, similarity in figures]
    assert [each.scores.similarity for each in reference.ranked(candidates)] == [0.831, 0.820, 0.784, 0.95]


def test_the_reference_is_among_the_candidates_of_least_loss(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    typical = reference.typical(setting.examples, setting.train, setting.model, BASE_HASH, setting.lines.speaker)
    assert {clip.id for clip in typical} == {sample.id for sample in setting.train}  # none of 6 s: all are candidates
    held_out = with_codes(setting.held_out)
    candidates = reference.choose(setting.model, "training", typical, held_out, setting.lines)
    assert len(candidates) == reference.CANDIDATES
    assert candidates == reference.ranked(candidates)
    left_out = {clip.id for clip in typical} - {each.sample.id for each in candidates}
    losses = dict(zip([c.id for c in typical], reference._losses(setting.model, "training", typical, held_out), strict=True))
    assert all(losses[name] >= max(each.loss for each in candidates) for name in left_out)
    monkeypatch.setattr(setting.model.gpt, "forward", None)  # everything comes from the cache
    assert reference.choose(setting.model, "training", typical, held_out, setting.lines) == candidates


def test_typical_clips_have_the_higher_signal_to_noise_ratio(setting: Setting) -> None:
    noisy: list[records.Example] = [
        replace(each, scores={"snr_db": 5.0 if each.id == setting.train[0].id else 30.0}) for each in setting.examples
    ]
    typical = reference.typical(noisy, setting.train, setting.model, BASE_HASH, setting.lines.speaker, count=2)
    assert len(typical) == 2 and setting.train[0].id not in {clip.id for clip in typical}
