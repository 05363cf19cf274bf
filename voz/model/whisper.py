"""Whisper over many short recordings: a batch is decoded greedily, then only the rows that failed are sampled, each with its own seed.

Works with a checkpoint of any `ModelDimensions` (the window of a pocket model may be 12 s instead of 30): recordings are padded to the
model's window, and a longer one is cut into several windows where it is quietest.
"""

import hashlib
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
from voz.model import checkpoint
from voz.pipeline.command import UserError
from voz.pipeline.language import later
from voz.text.tokens import LANGUAGE

BATCH = 8  # rows of every decode, filled up with silence: a row's floats depend on the shape, so the shape never changes
MAX_COMPRESSION_RATIO = 2.4  # this and the next two are of whisper's own transcribe(); above it the text repeats itself
MIN_AVG_LOGPROB = -1.0  # below it whisper guessed
MAX_NO_SPEECH_PROB = 0.6  # above it a low log probability means silence, and another try would not help
_HOP = whisper.audio.HOP_LENGTH  # 160 samples = 10 ms a mel frame
_FIX = later("run `make base`, or `git checkout -- models/pocket`")
_TIMESTAMP_S = 0.02  # resolution of whisper's timestamp tokens
_REST_S, _REST_DB = 1.0, 15.0  # a rest that is longer, and not this much quieter than the recording, is read on
_MOST_READINGS = 10  # of one window: a model whose segments end after 0.02 s would read on hundreds of times
_SEEDS_APART = 1000  # seeds of what is read on are none of another window's
_MIN_TAIL_S = 0.5  # the last window of a recording is not shorter than this


@dataclass(frozen=True)
class Transcription:
    """Whisper's text of one recording, with its confidence: the mean over the recording's windows, weighted by their length."""

    text: str
    avg_logprob: float  # mean log probability per token
    no_speech_prob: float
    compression_ratio: float  # gzip ratio of the text; high means loops
    temperature: float  # of the try that passed, or of the last one
    language: str  # the likeliest one; the text is Spanish in any case
    language_prob: float
    windows: int  # more than 1 if the recording is longer than the model's window, or was read on after an early stop


def require(path: Path) -> None:
    """Raise a UserError if there is no checkpoint, with the command that fetches it."""
    if not path.is_file():
        raise UserError("{path}: missing", _FIX, path=path)


def load(path: Path, device: torch.device | str) -> Whisper:
    """Load a local whisper checkpoint, in eval mode.

    Raises:
        UserError: missing, not a whisper checkpoint, or a model that knows only English.
    """
    require(path)
    try:
        model = whisper.load_model(str(path), device=device)
    except checkpoint.UNREADABLE as error:
        raise UserError("{path}: not a whisper checkpoint ({reason})", _FIX, path=path, reason=checkpoint.fault(error)) from error
    if not model.is_multilingual:
        raise UserError("{path}: this whisper knows only English", "take a multilingual one (a name without .en)", path=path)
    return model.eval()


def window_s(model: Whisper) -> float:
    """Length of the model's window: two mel frames of 10 ms per audio position (1500 positions = 30 s)."""
    return float(2 * model.dims.n_audio_ctx * _HOP / ASR_RATE_HZ)


def seed_of(name: str) -> int:
    """A seed from a clip's id (or any other text), the same on every machine."""
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
    """Transcribe Spanish recordings. The text of one does not depend on the others.

    Args:
        pcms: float32 in [-1, 1] at 16 kHz, of any length. [T] each
        prompt: text whose spelling the model is led to; may be empty.
        temperatures: tried in this order until a row passes; 0 is greedy.
        seeds: one per recording, for temperatures above 0.

    Raises:
        ValueError: not as many seeds as recordings, or no temperature.
    """
    if len(seeds) != len(pcms) or not temperatures:
        raise ValueError(f"{len(pcms)} recordings, {len(seeds)} seeds, {len(temperatures)} temperatures")
    timed = knows_timestamps(model)
    options = DecodingOptions(language=LANGUAGE, prompt=prompt or None, without_timestamps=not timed, fp16=model.device.type != "cpu")
    queue = [_Piece(row, number, piece) for row, pcm in enumerate(pcms) for number, piece in enumerate(windows(pcm, window_s(model)))]
    found: list[list[tuple[_Piece, Transcription]]] = [[] for _ in pcms]
    while queue:
        batch, queue = queue[:BATCH], queue[BATCH:]
        numbered = [seeds[piece.row] + piece.number + piece.reading * _SEEDS_APART for piece in batch]
        for piece, (text, end_s) in zip(
            batch, _transcribe_batch(model, [piece.pcm for piece in batch], options, temperatures, numbered), strict=True
        ):
            if piece.reading and not _certain(text):
                continue
            found[piece.row].append((piece, text))
            queue += piece.rest(end_s)
    return [_join(sorted(parts, key=lambda part: part[0].order)) for parts in found]


@dataclass(frozen=True)
class _Piece:
    """A stretch of a recording that is decoded at once. `reading` counts how often its window was read on after an early stop."""

    row: int
    number: int
    pcm: np.ndarray
    reading: int = 0

    @property
    def order(self) -> tuple[int, int]:
        return self.number, self.reading

    def rest(self, end_s: float) -> "list[_Piece]":
        """What lies behind the end of the last segment, if it is long and loud enough to hold words."""
        rest = self.pcm[round(end_s * ASR_RATE_HZ) :]
        if (
            end_s <= 0
            or self.reading == _MOST_READINGS
            or len(rest) < _REST_S * ASR_RATE_HZ
            or _loud_db(rest) < _loud_db(self.pcm) - _REST_DB
        ):
            return []
        return [_Piece(self.row, self.number, rest, self.reading + 1)]


def _loud_db(pcm: np.ndarray) -> float:
    """Level of the loud frames of 50 ms (95th percentile). [T] at 16 kHz"""
    frame = ASR_RATE_HZ // 20
    energy = np.square(pcm[: len(pcm) // frame * frame].reshape(-1, frame), dtype=np.float64).mean(axis=1)
    return float(10 * np.log10(np.percentile(energy, 95) + 1e-10))


def _certain(text: Transcription) -> bool:
    """Whether what was read on is speech: where there is none, whisper invents some, and is unsure of it."""
    sure = text.avg_logprob >= MIN_AVG_LOGPROB and text.no_speech_prob <= MAX_NO_SPEECH_PROB
    return bool(text.text) and sure and text.compression_ratio <= MAX_COMPRESSION_RATIO


def knows_timestamps(model: Whisper) -> bool:
    """Whether the model was trained with timestamp tokens. The pocket model was not: all of them share one embedding.

    Without them whisper stops early after a pause and loses the rest: 8 of 106 clips of a real speaker (benchmarks/README.md).
    """
    first = get_tokenizer(model.is_multilingual, num_languages=model.num_languages).timestamp_begin
    embedding = model.decoder.token_embedding.weight
    return not torch.equal(embedding[first], embedding[first + 1])


def _transcribe_batch(
    model: Whisper, pcms: list[np.ndarray], options: DecodingOptions, temperatures: Sequence[float], seeds: list[int]
) -> list[tuple[Transcription, float]]:
    """Transcribe at most BATCH recordings that fit the window. [T] each -> (transcription, seconds that it covers) each"""
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
    return [(_transcription(results[row], *languages[row]), _end_s(model, results[row], pcm)) for row, pcm in enumerate(pcms)]


def _end_s(model: Whisper, result: DecodingResult, pcm: np.ndarray) -> float:
    """Where the last segment of a result ends, by its last timestamp; the end of the recording if it has none. [T] at 16 kHz"""
    first = get_tokenizer(model.is_multilingual, num_languages=model.num_languages).timestamp_begin
    times_s = [(token - first) * _TIMESTAMP_S for token in result.tokens if token >= first]
    return max(times_s) if times_s else len(pcm) / ASR_RATE_HZ


def _encode(model: Whisper, pcms: list[np.ndarray], *, half: bool) -> torch.Tensor:
    """Audio features of recordings, filled up to BATCH rows. [T] each -> [BATCH, n_audio_ctx, n_audio_state]

    The mel is computed per recording: whisper clamps it relative to its input's maximum, so in a stack each row would depend on the
    loudest one.
    """
    samples = 2 * model.dims.n_audio_ctx * _HOP
    rows = [*pcms, *[np.zeros(0, np.float32)] * (BATCH - len(pcms))]
    padded = [np.pad(pcm[:samples], (0, max(0, samples - len(pcm)))).astype(np.float32) for pcm in rows]
    mels = torch.stack([whisper.log_mel_spectrogram(pcm, model.dims.n_mels) for pcm in padded]).to(model.device)
    features: torch.Tensor = model.encoder(mels.half() if half else mels)
    return features


def _detect(model: Whisper, features: torch.Tensor, count: int) -> list[tuple[str, float]]:
    """The likeliest language of each of the first `count` rows, with its probability. features: of `_encode`"""
    tokenizer = get_tokenizer(model.is_multilingual, num_languages=model.num_languages, language="en", task="transcribe")
    _, probabilities = model.detect_language(features, tokenizer)
    return [max(row.items(), key=lambda pair: pair[1]) for row in probabilities[:count]]


def _decode(
    model: Whisper, features: torch.Tensor, options: DecodingOptions, temperature: float, rows: list[int], seeds: list[int]
) -> dict[int, DecodingResult]:
    """Decode some rows of a batch at one temperature; copies of the first of them fill the batch up. features: of `_encode`"""
    places = [*rows, *[rows[0]] * (BATCH - len(rows))]
    task = DecodingTask(model, DecodingOptions(**{**vars(options), "temperature": temperature}))
    if temperature > 0:
        task.decoder = SeededDecoder(temperature, task.tokenizer.eot, [seed_of(f"{seeds[row]} {temperature}") for row in places])
    return dict(zip(rows, task.run(features[places]), strict=False))


class SeededDecoder(GreedyDecoder):
    """Whisper's sampling with a generator for each row. Whisper's own draws all rows from the global generator, so a row's text would
    depend on its place, on the other rows and on earlier draws."""

    def __init__(self, temperature: float, eot: int, seeds: list[int]) -> None:
        super().__init__(temperature, eot)
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def update(self, tokens: torch.Tensor, logits: torch.Tensor, sum_logprobs: torch.Tensor) -> tuple[torch.Tensor, bool]:
        """Append a token to each row. tokens [B, t], logits [B, V], sum_logprobs [B] -> (tokens [B, t + 1], all rows done)"""
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


def _transcription(result: DecodingResult, language: str, probability: float) -> Transcription:
    """The result, rounded to 4 digits: the rest differs from machine to machine."""
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


def _join(parts: list[tuple[_Piece, Transcription]]) -> Transcription:
    """One transcription from those of the pieces, in order: means weighted by length; the maximum of ratio and temperature."""
    if len(parts) == 1:
        return parts[0][1]
    weights = np.array([max(len(piece.pcm), 1) for piece, _ in parts], float)
    each = [one for _, one in parts]
    longest = each[int(weights.argmax())]
    return Transcription(
        text=" ".join(one.text for one in each if one.text),
        avg_logprob=round(float(np.average([one.avg_logprob for one in each], weights=weights)), 4),
        no_speech_prob=round(float(np.average([one.no_speech_prob for one in each], weights=weights)), 4),
        compression_ratio=max(one.compression_ratio for one in each),
        temperature=max(one.temperature for one in each),
        language=longest.language,
        language_prob=longest.language_prob,
        windows=len(each),
    )


def windows(pcm: np.ndarray, limit_s: float) -> list[np.ndarray]:
    """Cut a recording into pieces of at most `limit_s`, at the quietest 100 ms of the last third of each. [T] at 16 kHz -> [T'] each"""
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
