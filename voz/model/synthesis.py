"""Lines of text -> speech. A line's samples do not depend on the lines beside it or their order, see voz/model/generation.py."""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn.utils import parametrize

from voz.audio.wav import OUTPUT_RATE_HZ, SAMPLE_RATE_HZ
from voz.model.dvae import STRIDE
from voz.model.generation import PreparedLine, Sampling, generate, steps
from voz.model.packed import Precision
from voz.model.xtts import Conditioning, VoiceBpeTokenizer, Xtts
from voz.pipeline import parallel
from voz.pipeline.command import UserError
from voz.pipeline.language import later
from voz.text import tokens

PAUSE_S = 0.2  # between the parts of a text that was split
SHORT_WORDS = 2  # after a text of one or two words XTTS talks on (coqui-ai/TTS #3516)
SLOWEST_CHARS_PER_S = 4.0  # slower than anybody reads; with LEAD_S it limits the length of a line
LEAD_S = 2.0
CHUNK_CODES = 16  # that `stream` waits for: 0.74 s of sound
CONTEXT_FRAMES = 16  # of the vocoder's input on each side that decide a frame's samples: 13 in XTTS_v2, whose widest layers come first


@dataclass(frozen=True)
class Line:
    """A text to speak. All fields but `id` seed its random numbers: the same line gives the same samples beside any other lines.

    id: of the clip or the record that the text belongs to.
    occurrence: how many lines before it have the same text.
    retry: how often it has been spoken before.
    part: number of the part, of a text that was split.
    """

    text: str
    seed: int
    id: str = ""
    occurrence: int = 0
    retry: int = 0
    part: int = 0


def number(texts: Iterable[str], *, seed: int) -> list[Line]:
    """Lines of texts, each with its occurrence."""
    seen: Counter[str] = Counter()
    lines = []
    for each in texts:
        lines.append(Line(text=each, seed=seed, occurrence=seen[each]))
        seen[each] += 1
    return lines


def speak(
    model: Xtts, conditioning: Conditioning, lines: Sequence[Line], sampling: Sampling, *, label: str = later("speak")
) -> list[np.ndarray]:
    """Speak lines. A text that is longer than the model takes is split at sentence ends, and its parts are joined with a short pause.

    Returns:
        one array per line, float32 in [-1, 1] at 24 000 Hz. [T]

    Raises:
        UserError: a text is empty, or has more tokens than the model takes.
    """

    def speak_parts(parts: list[Line]) -> list[np.ndarray]:
        different = list(dict.fromkeys(parts))
        as_done = parallel.progress(speak_as_done(model, conditioning, different, sampling), total=len(different), label=label, unit="line")
        spoken = dict(as_done)
        return [spoken[part] for part in parts]

    return [join(parts) for parts in in_parts(lines, model.tokenizer, speak_parts)]


def speak_as_done(model: Xtts, conditioning: Conditioning, parts: Sequence[Line], sampling: Sampling) -> Iterator[tuple[Line, np.ndarray]]:
    """Speak parts of lines (`split_line`), the longest text first. Each comes when it is done. float32 in [-1, 1] at 24 000 Hz, [T] each"""
    ordered = sorted(parts, key=lambda part: -len(part.text))
    prepared = [prepare(model, conditioning, part) for part in ordered]
    for index, generated in generate(model, prepared, sampling):
        yield ordered[index], vocode(model, generated.latents, conditioning.speaker, sampling.precision)


def stream(model: Xtts, conditioning: Conditioning, line: Line, sampling: Sampling) -> Iterator[np.ndarray]:
    """Speak a line while it is generated: the samples of `speak` within 1e-4, in pieces. float32 at 24 000 Hz, [T] each

    Raises:
        UserError: the text is empty, or has more tokens than the model takes.
    """
    for part in split_line(model.tokenizer, line):
        if part.part:
            yield join([np.zeros(0, np.float32)] * 2)  # the pause between parts
        prepared = prepare(model, conditioning, part)
        chunks = in_chunks(flight[0].latents[-1][0] for flight in steps(model, [prepared], sampling))
        yield from vocode_chunks(model, chunks, conditioning.speaker, sampling.precision)


def in_chunks(latents: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]:
    """Latents in stacks of `CHUNK_CODES`, the last one of what is left. [C] each -> [n, C] each"""
    waiting: list[torch.Tensor] = []
    for each in latents:
        waiting.append(each)
        if len(waiting) == CHUNK_CODES:
            yield torch.stack(waiting)
            waiting = []
    if waiting:
        yield torch.stack(waiting)


def in_parts(
    lines: Sequence[Line], tokenizer: VoiceBpeTokenizer, speak_parts: Callable[[list[Line]], Sequence[np.ndarray]]
) -> list[list[np.ndarray]]:
    """The parts of each line as `speak_parts` speaks them, see `split_line`. [T] each"""
    split = [split_line(tokenizer, line) for line in lines]
    spoken = iter(speak_parts([part for parts in split for part in parts]))
    return [[next(spoken) for _ in parts] for parts in split]


def split_line(tokenizer: VoiceBpeTokenizer, line: Line) -> list[Line]:
    """The line in parts of at most as many characters as the model takes (its tokenizer's limit)."""
    parts = tokens.split_sentences(line.text.strip(), tokenizer.char_limits[tokens.LANGUAGE])
    return [replace(line, text=part, part=index) for index, part in enumerate(parts)] or [line]


def join(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Parts of a line, one after the other with `PAUSE_S` between them. [T] each -> [T]"""
    pause = np.zeros(round(PAUSE_S * OUTPUT_RATE_HZ), dtype=np.float32)
    return np.concatenate([piece for part in parts for piece in (pause, part)][1:])


def prepare(model: Xtts, conditioning: Conditioning, line: Line) -> PreparedLine:
    """Embed a line's prefix and draw its random numbers.

    Raises:
        UserError: the text is empty, or has more tokens than the model takes.
    """
    gpt, ids = model.gpt, encode(model, line.text)
    embedded = gpt.text_embedding(ids) + gpt.text_pos_embedding.emb(torch.arange(len(ids), device=ids.device))
    start = gpt.mel_embedding.weight[gpt.start_audio_token] + gpt.mel_pos_embedding.emb.weight[0]
    return PreparedLine(
        conditioning=conditioning.latents[0].to(embedded),
        prefix=torch.cat([embedded, start[None]]),
        uniform=torch.rand(gpt.max_gen_mel_tokens, generator=generator(line)),
        limit=min(gpt.max_gen_mel_tokens, longest(line.text)),
    )


def encode(model: Xtts, text: str) -> torch.Tensor:
    """Text tokens as coqui's `inference` makes them, between start and stop. int64 [N]

    A text of one or two words without a mark at its end gets a full stop: without it XTTS talks on.

    Raises:
        UserError: the text is empty, or has more tokens than the model takes.
    """
    text = text.strip().lower()
    if not any(letter.isalnum() for letter in text):
        raise UserError("text {text!r}: nothing to speak", "write words", text=text)
    if len(text.split()) <= SHORT_WORDS and text[-1].isalnum():
        text += "."
    ids = model.tokenizer.encode(text, lang=tokens.LANGUAGE)
    if len(ids) >= model.args.gpt_max_text_tokens:
        raise UserError(
            "text {text!r}…: {count} tokens, the model takes {most}",
            "shorten it",
            text=text[:40],
            count=len(ids),
            most=model.args.gpt_max_text_tokens - 1,
        )
    return torch.tensor([model.gpt.start_text_token, *ids, model.gpt.stop_text_token], device=model.device)


def longest(text: str) -> int:
    """Number of codes of the slowest reading of a text: what is generated after them is not this text."""
    return math.ceil((LEAD_S + len(text) / SLOWEST_CHARS_PER_S) * SAMPLE_RATE_HZ / STRIDE)


def generator(line: Line) -> torch.Generator:
    """Generator of the line's own random numbers, on the CPU: they are the same on every device."""
    key = json.dumps([line.seed, line.text, line.occurrence, line.retry, line.part])
    return torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) >> 1)


@torch.inference_mode()
def vocode(model: Xtts, latents: torch.Tensor, speaker: torch.Tensor, precision: Precision = "fp32") -> np.ndarray:
    """Decode the latents of one line. [N, C], [1, 512, 1] -> float32 in [-1, 1] at 24 000 Hz [T]"""
    with _vocoding(latents.device, precision):
        pcm: torch.Tensor = model.hifigan_decoder(latents[None], g=speaker.to(latents))
    return pcm.flatten().float().cpu().numpy()


@contextmanager
def _vocoding(device: torch.device, precision: Precision) -> Iterator[None]:
    """Within this block the decoder computes in a precision, and its weight norm once per convolution, not at every use."""
    with parametrize.cached(), torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
        yield


@torch.inference_mode()
def vocode_chunks(
    model: Xtts, chunks: Iterable[torch.Tensor], speaker: torch.Tensor, precision: Precision = "fp32"
) -> Iterator[np.ndarray]:
    """Decode latents as they come: the samples of `vocode` of all of them, within 1e-4, in pieces. [n, C] each -> [T] each

    Of the frames so far, those are decoded that no later latent can change, with the frames around them that decide their samples.
    """
    known: list[torch.Tensor] = []
    frames, done = torch.empty(0), 0
    for chunk in chunks:
        known.append(chunk)
        frames = _vocoder_frames(model, torch.cat(known))
        settled = _settled(model, frames.shape[2])
        if settled > done:
            yield _samples(model, frames, done, settled, speaker, precision)
            done = settled
    if known:
        yield _samples(model, frames, done, frames.shape[2], speaker, precision)


def _samples(model: Xtts, frames: torch.Tensor, start: int, end: int, speaker: torch.Tensor, precision: Precision) -> np.ndarray:
    """The samples of some frames. [1, C, F] -> [T]"""
    first, last = max(0, start - CONTEXT_FRAMES), min(frames.shape[2], end + CONTEXT_FRAMES)
    with _vocoding(frames.device, precision):
        pcm = model.hifigan_decoder.waveform_decoder(frames[:, :, first:last], g=speaker.to(frames)).flatten()
    per_frame = len(pcm) // (last - first)
    samples: np.ndarray = pcm[(start - first) * per_frame : (end - first) * per_frame].float().cpu().numpy()
    return samples


def _vocoder_frames(model: Xtts, latents: torch.Tensor) -> torch.Tensor:
    """The input of the vocoder's network, stretched as `HifiDecoder.forward` does it. [N, C] -> [1, C, F]"""
    frames = latents.T[None]
    for factor in _stretches(model):
        frames = torch.nn.functional.interpolate(frames, scale_factor=[factor], mode="linear")
    return frames


def _stretches(model: Xtts) -> list[float]:
    """Factors from latents to frames, and from the GPT's sample rate to the output's."""
    decoder = model.hifigan_decoder
    rates = [decoder.output_sample_rate / decoder.input_sample_rate] if decoder.output_sample_rate != decoder.input_sample_rate else []
    return [decoder.ar_mel_length_compression / decoder.output_hop_length, *rates]


def _settled(model: Xtts, count: int) -> int:
    """Frames whose samples no later latent changes: interpolation looks one latent ahead, the network `CONTEXT_FRAMES`."""
    return max(0, count - math.ceil(math.prod(_stretches(model))) - 1 - CONTEXT_FRAMES)
