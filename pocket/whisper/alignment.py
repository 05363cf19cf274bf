"""Guidance of the pocket Whisper's cross-attention in training: to the position of the letter that it is about to write."""

import numpy as np
import torch

from pocket.whisper.batches import WhisperBatch

DIAGONAL_WIDTH = 0.12  # of the clip: how far text may lie off the diagonal at no cost
NEAR = 6.0  # encoder positions of 20 ms: how far attention may be from CTC's position of the letter at no cost
BLANK = 0


def distance(batch: WhisperBatch, log_letters: torch.Tensor | None) -> torch.Tensor:
    """How far each encoder position is from that of a wanted token: 0 there, towards 1 further away; 0 without loss. [B, N, T]

    Args:
        log_letters: CTC's log probabilities, [T, B, C]; None to assume that speech and text run side by side.
    """
    here = batch.letter_of >= 0
    if log_letters is None:
        positions = batch.mel.shape[2] // 2
        place, width = here.cumsum(1) / here.sum(1, keepdim=True), torch.full((len(here),), DIAGONAL_WIDTH)
        scale = 1.0 / batch.frames
    else:
        positions = len(log_letters)
        found = torch.from_numpy(align(log_letters.numpy(), batch.letters.numpy(), batch.letter_counts.numpy(), batch.frames.numpy()))
        place, width = found.gather(1, batch.letter_of.clamp(min=0)), torch.full((len(here),), NEAR)
        scale = torch.ones(len(here))
    off = torch.arange(positions)[None, None] * scale[:, None, None] - place[:, :, None]
    return (1 - torch.exp(-(off**2) / (2 * width[:, None, None] ** 2))) * here[:, :, None]


def align(log_letters: np.ndarray, letters: np.ndarray, counts: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """The middle of each letter on CTC's likeliest path (Viterbi; Graves et al. 2006), and the clip's end after the last.

    Args:
        log_letters: [T, B, C], symbol 0 is the blank.
        letters: [B, L], padded with anything; counts, frames: how many letters and positions of each row count. [B]

    Returns:
        Encoder positions, float32 [B, L + 1]; behind a row's own letters, its last frame.
    """
    steps, rows, _ = log_letters.shape
    states = np.full((rows, 2 * letters.shape[1] + 1), BLANK)
    states[:, 1::2] = letters
    may_skip = np.zeros(states.shape, bool)
    may_skip[:, 3::2] = letters[:, 1:] != letters[:, :-1]
    score = np.full(states.shape, -np.inf, np.float32)
    each = np.arange(rows)
    score[:, :2] = log_letters[0][each[:, None], states[:, :2]]
    came = np.zeros((steps, *states.shape), np.int8)
    for t in range(1, steps):
        one, two = np.roll(score, 1, axis=1), np.roll(score, 2, axis=1)
        one[:, :1], two[:, :2] = -np.inf, -np.inf
        before = np.stack([score, one, np.where(may_skip, two, -np.inf)])
        came[t] = before.argmax(axis=0)
        on = (t < frames)[:, None]
        came[t] *= on
        score = np.where(on, before.max(axis=0) + log_letters[t][each[:, None], states], score)
    last = 2 * counts
    state = np.where(score[each, last] >= score[each, last - 1], last, last - 1)
    total, hits = np.zeros((2, rows, states.shape[1]), np.float64)
    for t in range(steps - 1, -1, -1):
        on = t < frames
        total[each[on], state[on]] += t
        hits[each[on], state[on]] += 1
        state = state - came[t][each, state]
    middle = np.where(hits > 0, total / np.maximum(hits, 1), frames[:, None] - 1.0)[:, 1::2]
    return np.concatenate([middle, frames[:, None] - 1.0], axis=1).astype(np.float32)
