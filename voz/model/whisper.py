"""Whisper over many short recordings at once: greedy in batches, then only the rows that failed, each with its own seed.

Works with a checkpoint of any `ModelDimensions` (a pocket model may hear 12 s instead of 30): recordings are padded to
the model's own window, and a longer one is heard in several windows, cut where it is quietest.
"""

import hashlib
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import whisper
from whisper.decoding import DecodingOptions, DecodingResult, DecodingTask, GreedyDecoder
from whisper.model import Whisper as Whisper
from whisper.tokenizer import get_tokenizer

from voz.audio.wav import ASR_RATE_HZ
from voz.pipeline.command import UserError
from voz.text.tokens import LANGUAGE

BATCH = 8  # rows of every decode, filled up with silence: a row's floats depend on the shape, so the shape never changes
MAX_COMPRESSION_RATIO = 2.4  # the three numbers of whisper's own transcribe(): above, the text loops
MIN_AVG_LOGPROB = -1.0  # below, it guessed
MAX_NO_SPEECH_PROB = 0.6  # above, a low log probability means silence and trying again is of no use
_HOP = whisper.audio.HOP_LENGTH  # 160 samples = 10 ms a mel frame
_MIN_TAIL_S = 0.5  # a remainder shorter than this is heard with what comes before it


@dataclass(frozen=True)
class Transcription:
    """What whisper heard in one recording, and how sure it was. Of several windows: the mean by their length."""

    text: str
    avg_logprob: float  # mean log probability per token
    no_speech_prob: float
    compression_ratio: float  # gzip ratio of the text; high means loops
    temperature: float  # the one that passed, or the last
    language: str  # the likeliest one, whatever language was asked for
    language_prob: float
    windows: int  # 1, or how many pieces of the model's window the recording took


def load(path: Path, device: torch.device | str) -> Whisper:
    """Load a local whisper checkpoint, in eval mode.

    Raises:
        UserError: missing, not a whisper checkpoint, or a model that knows only English.
    """
    mend = "run `make base`, or `git checkout -- models/pocket`"
    if not path.is_file():
        raise UserError(f"{path}: missing", mend)
    try:
        model = whisper.load_model(str(path), device=device)
    except (RuntimeError, KeyError, TypeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path}: not a whisper checkpoint ({reason})", mend) from error
    if not model.is_multilingual:
        raise UserError(f"{path}: this whisper knows only English", "take a multilingual one (a name without .en)")
    return model.eval()


def window_s(model: Whisper) -> float:
    """How many seconds the model hears at once: two mel frames of 10 ms per audio position (1500 positions = 30 s)."""
    return float(2 * model.dims.n_audio_ctx * _HOP / ASR_RATE_HZ)


def seed_of(name: str) -> int:
    """A seed from a clip's id (or any text), the same on every machine."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big")


@torch.inference_mode()
def transcribe(
    model: Whisper,
    pcms: Sequence[np.ndarray],
    *,
    prompt: str,
    temperatures: Sequence[float],
    seeds: Sequence[int],
) -> list[Transcription]:
    """Transcribe Spanish recordings. What is heard in one does not depend on the others.

    Args:
        pcms: float32 in [-1, 1] at 16 kHz, any lengths. Each [T]
        prompt: text whose spelling the model shall lean to; may be empty.
        temperatures: tried in order until a row passes; 0 is greedy.
        seeds: one per recording, for temperatures above 0.

    Raises:
        ValueError: not as many seeds as recordings, or no temperature.
    """
    if len(seeds) != len(pcms) or not temperatures:
        raise ValueError(f"{len(pcms)} recordings, {len(seeds)} seeds, {len(temperatures)} temperatures")
    pieces = [(row, number, piece) for row, pcm in enumerate(pcms) for number, piece in enumerate(windows(pcm, window_s(model)))]
    options = DecodingOptions(language=LANGUAGE, prompt=prompt or None, without_timestamps=True, fp16=model.device.type != "cpu")
    heard: list[list[tuple[int, Transcription]]] = [[] for _ in pcms]
    for start in range(0, len(pieces), BATCH):
        batch = pieces[start : start + BATCH]
        found = _hear_batch(model, [piece for *_, piece in batch], options, temperatures, [seeds[row] + number for row, number, _ in batch])
        for (row, _, piece), one in zip(batch, found, strict=True):
            heard[row].append((len(piece), one))
    return [_join(parts) for parts in heard]


def _hear_batch(
    model: Whisper, pcms: list[np.ndarray], options: DecodingOptions, temperatures: Sequence[float], seeds: list[int]
) -> list[Transcription]:
    """Hear at most BATCH recordings that fit the window."""
    features = _encode(model, pcms, half=options.fp16)
    languages = _detect(model, features, len(pcms))
    results: dict[int, DecodingResult] = {}
    pending = list(range(len(pcms)))
    for temperature in temperatures:
        decoded = _decode(model, features, options, temperature, pending, seeds)
        results.update(decoded)
        pending = [row for row in pending if _failed(decoded[row])]
        if not pending:
            break
    return [_heard(results[row], *languages[row]) for row in range(len(pcms))]


def _encode(model: Whisper, pcms: list[np.ndarray], *, half: bool) -> torch.Tensor:
    """Audio features of a batch filled up to BATCH rows. [BATCH, n_audio_ctx, n_audio_state]

    The mel is computed per recording: whisper clamps it on the maximum of what it is given, so in a stack each row would
    depend on the loudest one.
    """
    samples = 2 * model.dims.n_audio_ctx * _HOP
    rows = [*pcms, *[np.zeros(0, np.float32)] * (BATCH - len(pcms))]
    padded = [np.pad(pcm[:samples], (0, max(0, samples - len(pcm)))).astype(np.float32) for pcm in rows]
    mels = torch.stack([whisper.log_mel_spectrogram(pcm, model.dims.n_mels) for pcm in padded]).to(model.device)
    features: torch.Tensor = model.encoder(mels.half() if half else mels)
    return features


def _detect(model: Whisper, features: torch.Tensor, count: int) -> list[tuple[str, float]]:
    """The likeliest language of each of the first `count` rows, with its probability."""
    tokenizer = get_tokenizer(model.is_multilingual, num_languages=model.num_languages, language="en", task="transcribe")
    _, probabilities = model.detect_language(features, tokenizer)
    return [max(row.items(), key=lambda pair: pair[1]) for row in probabilities[:count]]


def _decode(
    model: Whisper, features: torch.Tensor, options: DecodingOptions, temperature: float, rows: list[int], seeds: list[int]
) -> dict[int, DecodingResult]:
    """Decode some rows of a batch at one temperature; the freed places hold copies of the first row."""
    places = [*rows, *[rows[0]] * (BATCH - len(rows))]
    task = DecodingTask(model, DecodingOptions(**{**vars(options), "temperature": temperature}))
    if temperature > 0:
        task.decoder = SeededDecoder(temperature, task.tokenizer.eot, [seed_of(f"{seeds[row]} {temperature}") for row in places])
    return dict(zip(rows, task.run(features[places]), strict=False))


class SeededDecoder(GreedyDecoder):
    """Whisper's sampling, but each row draws from its own generator: whisper's draws all rows from the global one, so a
    row's text would depend on its place, on its neighbours and on what was drawn before."""

    def __init__(self, temperature: float, eot: int, seeds: list[int]) -> None:
        super().__init__(temperature, eot)
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def update(self, tokens: torch.Tensor, logits: torch.Tensor, sum_logprobs: torch.Tensor) -> tuple[torch.Tensor, bool]:
        """One token more for each row. tokens [B, t], logits [B, V], sum_logprobs [B] -> (tokens [B, t + 1], all rows done)"""
        probabilities = (logits.float() / self.temperature).softmax(dim=-1).cpu()
        drawn = [torch.multinomial(row, 1, generator=each) for row, each in zip(probabilities, self.generators, strict=True)]
        following = torch.cat(drawn).to(tokens.device)
        logprobs = F.log_softmax(logits.float(), dim=-1)
        ended = tokens[:, -1] == self.eot
        sum_logprobs += logprobs[torch.arange(len(following)), following] * ~ended
        following[ended] = self.eot
        tokens = torch.cat([tokens, following[:, None]], dim=-1)
        return tokens, bool((tokens[:, -1] == self.eot).all())


def _failed(result: DecodingResult) -> bool:
    """Whisper's rule for trying the next temperature."""
    if result.compression_ratio > MAX_COMPRESSION_RATIO:
        return True
    return result.avg_logprob < MIN_AVG_LOGPROB and not result.no_speech_prob > MAX_NO_SPEECH_PROB


def _heard(result: DecodingResult, language: str, probability: float) -> Transcription:
    """Rounded to 4 digits: what lies below is the machine's."""
    return Transcription(
        text=" ".join(result.text.split()),
        avg_logprob=round(float(result.avg_logprob), 4),
        no_speech_prob=round(float(result.no_speech_prob), 4),
        compression_ratio=round(float(result.compression_ratio), 4),
        temperature=float(result.temperature),
        language=language,
        language_prob=round(float(probability), 4),
        windows=1,
    )


def _join(parts: list[tuple[int, Transcription]]) -> Transcription:
    """One result of a recording's windows: figures weighed by length, the worst of ratio and temperature."""
    if len(parts) == 1:
        return parts[0][1]
    weights = np.array([max(length, 1) for length, _ in parts], float)
    heard = [one for _, one in parts]
    longest = heard[int(weights.argmax())]
    return Transcription(
        text=" ".join(one.text for one in heard if one.text),
        avg_logprob=round(float(np.average([one.avg_logprob for one in heard], weights=weights)), 4),
        no_speech_prob=round(float(np.average([one.no_speech_prob for one in heard], weights=weights)), 4),
        compression_ratio=max(one.compression_ratio for one in heard),
        temperature=max(one.temperature for one in heard),
        language=longest.language,
        language_prob=longest.language_prob,
        windows=len(heard),
    )


def windows(pcm: np.ndarray, limit_s: float) -> list[np.ndarray]:
    """Cut a recording into pieces of at most `limit_s`, at the quietest 100 ms of the last third of each window. [T] -> [n][T']"""
    limit, frame = round(limit_s * ASR_RATE_HZ), ASR_RATE_HZ // 10
    pieces = []
    while len(pcm) > limit:
        low = min(limit * 2 // 3, len(pcm) - round(_MIN_TAIL_S * ASR_RATE_HZ) - frame)
        high = min(limit, len(pcm) - round(_MIN_TAIL_S * ASR_RATE_HZ))
        energy = np.convolve(np.square(pcm[low:high], dtype=np.float64), np.ones(frame), mode="valid")
        cut = low + int(energy.argmin()) + frame // 2
        pieces.append(pcm[:cut])
        pcm = pcm[cut:]
    return [*pieces, pcm]
