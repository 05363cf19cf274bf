"""How others cut recordings, reimplemented from their published code. Each function returns clips `(start_s, end_s)` in order.

energy_slices       GPT-SoVITS, tools/slicer2.py with the values of its page: -34 dB, 4000 ms, 300 ms, hop 10 ms, 500 ms kept
sentence_clips      coqui-tts, TTS/demos/xtts_ft_demo/utils/formatter.py: Whisper's word times, a clip ends at . ! ?, buffer 0.2 s
fixed_clips         the seed recipe: batches of 9 s, regardless of what is said
"""

import numpy as np

from benchmarks.spoken_notes import Word
from voz.audio.vad import runs

Clips = list[tuple[float, float]]

THRESHOLD_DB = -34.0  # quieter frames are silence
MIN_LENGTH_S, MIN_INTERVAL_S, HOP_S, MAX_SILENCE_KEPT_S = 4.0, 0.3, 0.01, 0.5
WINDOW_HOPS = 4  # the energy of a frame is taken over 40 ms
BUFFER_S, SHORTEST_S = 0.2, 1 / 3
WHISPER_STEP_S = 0.02  # Whisper's timestamps are multiples of this
BATCH_S = 9.0


def energy_slices(pcm: np.ndarray, rate_hz: int) -> Clips:
    """Cut at the quietest frame of a silence of 300 ms or more once a clip has 4 s; keep at most 500 ms of silence on each side. [T]"""
    hop = round(rate_hz * HOP_S)
    rms = _rms(pcm, hop, WINDOW_HOPS * hop)
    shortest, gap, keep = (round(seconds * rate_hz / hop) for seconds in (MIN_LENGTH_S, MIN_INTERVAL_S, MAX_SILENCE_KEPT_S))
    removed: list[tuple[int, int]] = []
    clip_start = 0
    for start, end in runs(rms < 10 ** (THRESHOLD_DB / 20)):
        if end == len(rms):
            if end - start >= gap:
                removed.append((_quietest(rms, start, min(end, start + keep)), end))
        elif (start == 0 and end > keep) or (end - start >= gap and end - clip_start >= shortest):
            removed.append(_silence_to_remove(rms, start, end, keep))
            clip_start = removed[-1][1]
    edges = [0, *(edge for stretch in removed for edge in stretch), len(rms)]
    length_s = len(pcm) / rate_hz
    clips = [(first * hop / rate_hz, min(last * hop / rate_hz, length_s)) for first, last in zip(edges[::2], edges[1::2], strict=True)]
    return [(start_s, end_s) for start_s, end_s in clips if end_s > start_s]


def _silence_to_remove(rms: np.ndarray, start: int, end: int, keep: int) -> tuple[int, int]:
    """The frames of the silence `[start, end)` that are removed, from the first to the last; the same frame twice for a cut alone."""
    if end - start <= keep:
        left = right = _quietest(rms, start, end)
    else:
        left, right = _quietest(rms, start, start + keep), _quietest(rms, end - keep, end)
        if end - start <= 2 * keep:
            middle = _quietest(rms, end - keep, start + keep)
            left, right = min(left, middle), max(right, middle)
    return (0, right) if start == 0 else (left, right)


def sentence_clips(words: list[Word], length_s: float) -> Clips:
    """A clip per sentence: 0.2 s around its words, or up to the middle of a shorter pause. Sentences under 0.33 s are dropped."""
    clips: Clips = []
    first = 0
    for last, word in enumerate(words):
        if not word.closes:
            continue
        start_s = words[first].start_s
        before_s = max(start_s - BUFFER_S, (words[first - 1].end_s + start_s) / 2 if first else 0.0)
        next_s = words[last + 1].start_s if last + 1 < len(words) else length_s
        after_s = min((word.end_s + next_s) / 2, word.end_s + BUFFER_S)
        if after_s - before_s >= SHORTEST_S:
            clips.append((before_s, after_s))
        first = last + 1
    return clips


def in_whisper_steps(words: list[Word]) -> list[Word]:
    """The true times at the resolution of Whisper's timestamps."""
    step = WHISPER_STEP_S
    return [Word(round(word.start_s / step) * step, round(word.end_s / step) * step, word.closes) for word in words]


def fixed_clips(length_s: float) -> Clips:
    """A clip every 9 s, and one of the remainder."""
    starts = np.arange(0.0, length_s, BATCH_S)
    return [(float(start), float(min(start + BATCH_S, length_s))) for start in starts]


def _quietest(rms: np.ndarray, start: int, end: int) -> int:
    """The quietest of the frames `[start, end]`."""
    return start + int(rms[start : end + 1].argmin())


def _rms(pcm: np.ndarray, hop: int, window: int) -> np.ndarray:
    """RMS of the window around every hop-th sample, with silence beyond both ends. [T] -> [1 + T // hop]"""
    energy = np.concatenate([[0.0], np.cumsum(np.pad(pcm.astype(np.float64), window // 2) ** 2)])
    starts = np.arange(0, len(pcm) + 1, hop)
    ends = np.minimum(starts + window, len(energy) - 1)
    return np.sqrt(np.maximum(energy[ends] - energy[starts], 0.0) / window)
