"""Batches for pocket/whisper/train.py: augmented clips of similar length, with input and target tokens. A step's batch depends on its
number alone.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from whisper.audio import HOP_LENGTH, N_FFT, mel_filters

from pocket.corpus.sentences import fold
from pocket.whisper.shards import RATE_HZ, ShardClip, Shards
from pocket.whisper.vocabulary import DIMS, CompactVocab

SEED = 7
WINDOW_S = DIMS.n_audio_ctx * 2 * HOP_LENGTH / RATE_HZ  # 12.0
BATCH_S, FULL_BATCH_S, MAX_BATCH = 60.0, 96.0, 32  # padded seconds (more where all clips are padded to 12 s), and clips, per step
SHORT_STEPS, SHORT_S = 900, 3.0  # the first steps have short clips only, so that attention finds the alignment
FULL_SHARE = 0.05  # of the steps, the last: padded to the full window, as in inference
PROMPTS = 200
LONG_SHARE, LONG_S = 0.4, (7.0, 11.4)  # of the steps; seconds of a row
PROMPT_SHARE, JOIN_SHARE, TEMPO_SHARE, NOISE_SHARE, MASK_SHARE = 0.35, 0.15, 0.5, 0.3, 0.4
LEAD_SHARE, LEAD_S, LEAD_DB = 0.7, 0.6, (25.0, 70.0)  # of the rows that begin with a pause; its greatest length; below the speech
# Some rows are trained with a prompt, as transcribe.prompt may be set.
PROMPT = "Che, ¿vos qué querés? Dale, mirá, yo ya llegué. No sabés lo que pasó ayer en la calle."
LETTERS = " abcdefghijklmnopqrstuvwxyzáéíóúüñ"  # CTC's symbols 1…; 0 is its blank


@dataclass(frozen=True, kw_only=True)
class WhisperBatch:
    """What one step needs. B clips, T encoder positions, N tokens."""

    mel: torch.Tensor  # [B, 80, 2 T]
    given: torch.Tensor  # compact token ids, [B, N]
    wanted: torch.Tensor  # compact token ids, -100 where there is no loss, [B, N]
    # Which of `letters` a wanted token is: for a mark the one before it, for the end one past the last; -1 without loss. [B, N]
    letter_of: torch.Tensor
    frames: torch.Tensor  # encoder positions with sound, [B]
    letters: torch.Tensor  # [B, most letters]
    letter_counts: torch.Tensor  # [B]


class Batches:
    """The training clips by length, of which a step's batch is drawn."""

    def __init__(self, folder: Path, vocab: CompactVocab, clips: list[ShardClip]) -> None:
        self.shards = Shards(folder)
        self.clips = sorted((clip for clip in clips if clip.split == "train"), key=lambda clip: (clip.length, clip.id))
        self.lengths = np.array([clip.length for clip in self.clips])
        self.vocab = vocab
        self.prompts = prompt_texts([clip.text for clip in self.clips])

    def make(self, step: int, steps: int) -> WhisperBatch:
        rng = np.random.default_rng((SEED, step))
        full = step >= steps * (1 - FULL_SHARE) or (step > SHORT_STEPS and rng.random() < 0.1)
        samples, texts = self._draw(rng, step, full)
        pcm = [_augmented(row, rng) for row in samples]
        longest = max(len(row) for row in pcm)
        length = int(WINDOW_S * RATE_HZ) if full else min(int(WINDOW_S * RATE_HZ), longest + int(rng.uniform(0, 1) * RATE_HZ))
        length = math.ceil(length / (2 * HOP_LENGTH)) * 2 * HOP_LENGTH
        mel = log_mel(torch.from_numpy(np.stack([np.pad(row, (0, length - len(row))) for row in pcm])))
        if rng.random() < MASK_SHARE:
            low = rng.integers(0, 70, size=len(mel))
            for row, band in enumerate(low):
                mel[row, band : band + rng.integers(3, 10)] = mel[row].mean()
        given, wanted = self._tokens(texts, rng, rng.random() < PROMPT_SHARE)
        frames = torch.tensor([math.ceil(len(row) / (2 * HOP_LENGTH)) for row in pcm]).clamp(max=mel.shape[2] // 2)
        spelled = [torch.tensor([LETTERS.index(letter) + 1 for letter in fold(text)]) for text in texts]
        return WhisperBatch(
            mel=mel, given=given, wanted=wanted, letter_of=letter_of(texts, wanted), frames=frames,
            letters=torch.nn.utils.rnn.pad_sequence(spelled, batch_first=True), letter_counts=torch.tensor([len(row) for row in spelled]),
        )  # fmt: skip

    def _draw(self, rng: np.random.Generator, step: int, full: bool) -> tuple[list[np.ndarray], list[str]]:
        """Clips of about one length; sometimes each is two shorter ones in a row, or as many as a long clip of the pipeline holds."""
        if step >= SHORT_STEPS and rng.random() < LONG_SHARE:
            return self._draw_long(rng, int((FULL_BATCH_S if full else BATCH_S) // LONG_S[1]))
        top = np.searchsorted(self.lengths, SHORT_S * RATE_HZ) if step < SHORT_STEPS else len(self.clips)
        anchor = int(rng.integers(top))
        join = self.lengths[anchor] < 5 * RATE_HZ and step >= SHORT_STEPS and rng.random() < JOIN_SHARE
        each_s = WINDOW_S if full else self.lengths[anchor] * 1.15 * (2 if join else 1) / RATE_HZ
        count = int(np.clip((FULL_BATCH_S if full else BATCH_S) // each_s, 4, MAX_BATCH))
        picked = rng.integers(max(0, anchor - 10 * count), min(top, anchor + 2 * count), size=(count, 2 if join else 1))
        samples, texts = [], []
        for row in picked:
            parts = [self.clips[index] for index in row]
            pause = np.zeros(int(rng.uniform(0.1, 0.7) * RATE_HZ), np.float32)
            pieces = [piece for part in parts for piece in (self.shards.read(part), pause)][:-1]
            samples.append(np.concatenate(pieces)[: int(11.4 * RATE_HZ)])
            texts.append(" ".join(part.text for part in parts))
        return samples, texts

    def _draw_long(self, rng: np.random.Generator, count: int) -> tuple[list[np.ndarray], list[str]]:
        """Rows of LONG_S: without them the last positions are hardly ever trained, and transcripts of long clips end in a loop."""
        samples, texts = [], []
        for _ in range(count):
            limit = int(rng.uniform(*LONG_S) * RATE_HZ)
            pieces, said = [np.zeros(0, np.float32)], []
            while sum(map(len, pieces)) < limit:
                room = np.searchsorted(self.lengths, limit - sum(map(len, pieces)))
                if room == 0:
                    break
                clip = self.clips[int(rng.integers(room))]
                pieces += [self.shards.read(clip), np.zeros(int(rng.uniform(0.1, 0.6) * RATE_HZ), np.float32)]
                said.append(clip.text)
            samples.append(np.concatenate(pieces[:-1]))
            texts.append(" ".join(said))
        return samples, texts

    def _tokens(self, texts: list[str], rng: np.random.Generator, prompted: bool) -> tuple[torch.Tensor, torch.Tensor]:
        given, wanted = [], []
        for text in texts:
            prefix = self._prompt(rng) if prompted else []
            ids = self.vocab.letter_ids(text)
            start = [*self.vocab.compact[self.vocab.start]]
            end = int(self.vocab.compact[self.vocab.tokenizer.eot])
            given.append([*prefix, *start, *ids])
            wanted.append([-100] * (len(prefix) + len(start) - 1) + ids + [end])
        width = max(len(row) for row in given)
        return (
            torch.tensor([row + [0] * (width - len(row)) for row in given]),
            torch.tensor([row + [-100] * (width - len(row)) for row in wanted]),
        )

    def _prompt(self, rng: np.random.Generator) -> list[int]:
        before = int(self.vocab.compact[self.vocab.tokenizer.sot_prev])
        text = PROMPT if rng.random() < 0.4 else self.prompts[int(rng.integers(len(self.prompts)))]
        return [before, *self.vocab.prompt_ids(text)]


def prompt_texts(texts: list[str]) -> list[str]:
    """A few of the corpus's texts (sorted) to prompt with, beside the real profile's prompt."""
    return [PROMPT, *sorted(texts)[:: max(1, len(texts) // PROMPTS)]]


def letter_of(texts: list[str], wanted: torch.Tensor) -> torch.Tensor:
    """WhisperBatch.letter_of: the places of each text's characters in its folded form, at the wanted tokens of its row. [B, N]"""
    found = torch.full(wanted.shape, -1)
    for row, text in enumerate(texts):
        folded, at = fold(text), -1
        places = []
        for character in text.strip():
            letter = fold(character) or " "
            at += at + 1 < len(folded) and folded[at + 1] == letter
            places.append(max(at, 0))
        found[row, wanted[row] >= 0] = torch.tensor([*places, len(folded)])
    return found


def _augmented(pcm: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another tempo and pitch (which makes another voice), a pause in front, another level, white noise."""
    if rng.random() < TEMPO_SHARE:
        count = int(len(pcm) / rng.uniform(0.9, 1.12))
        pcm = np.interp(np.linspace(0, len(pcm) - 1, count), np.arange(len(pcm)), pcm)
    if rng.random() < LEAD_SHARE:  # without any, the pipeline's clips, which begin with a pause, got a letter too many in front
        count = int(min(rng.uniform(0, LEAD_S), max(0.0, WINDOW_S - len(pcm) / RATE_HZ)) * RATE_HZ)
        room = rng.standard_normal(count) * np.sqrt(np.mean(pcm**2)) * 10 ** (-rng.uniform(*LEAD_DB) / 20)
        pcm = np.concatenate([room, pcm])
    if rng.random() < NOISE_SHARE:
        pcm = pcm + rng.standard_normal(len(pcm)) * np.sqrt(np.mean(pcm**2)) * 10 ** (-rng.uniform(15, 40) / 20)
    return (pcm[: int(WINDOW_S * RATE_HZ)] * 10 ** (-rng.uniform(0, 14) / 20)).astype(np.float32)


def log_mel(pcm: torch.Tensor) -> torch.Tensor:
    """whisper.log_mel_spectrogram of each row by itself. [B, T] -> [B, 80, T / 160]"""
    stft = torch.stft(pcm, N_FFT, HOP_LENGTH, window=torch.hann_window(N_FFT), return_complex=True)
    mel = (mel_filters(pcm.device, 80) @ stft[..., :-1].abs() ** 2).clamp(min=1e-10).log10()
    return (torch.maximum(mel, mel.amax(dim=(1, 2), keepdim=True) - 8.0) + 4.0) / 4.0
