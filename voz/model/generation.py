"""The generation loop: prefixes of lines -> audio codes and latents.

coqui's `generate` takes one line, and its latents need a second pass through the GPT. Here many lines share a loop (`rows_on`), the next
line takes the place of one that has ended, and the latents are those that the loop computes anyway. The logits processors are Hugging
Face's own, in the order in which `generate` applies them. Greedy codes equal coqui's line by line; latents are within 1e-4.

A line's codes and latents depend on itself alone where oneDNN multiplies (voz/model/packed.py), in float32 and bf16; an accelerator's
last digits depend on how many lines are in flight.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from pydantic import Field
from transformers import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from voz.model import gpt_decoder
from voz.model.gpt_decoder import Decoder, Past, Rows
from voz.model.packed import Precision
from voz.model.xtts import Xtts
from voz.pipeline.checked import section

ROWS_ON_CPU = 16  # lines in flight: 32 would take 1.75 times as long (benchmarks/README.md)
ROWS_ON_ACCELERATOR = 32  # whose time per step is the reading of the weights, for however many lines
PREFIX_ID = 1  # coqui gives `generate` this id in place of each prefix position, so the repetition penalty always applies to code 1


@section
class Sampling:
    """How codes are drawn: the settings of `synthesize` and `evaluate` in params.yaml.

    Raises:
        ValueError: a value that the logits processors do not take.
    """

    temperature: float = Field(ge=0)  # 0 = greedy: top_p and top_k have no effect
    top_p: float = Field(gt=0, le=1)
    top_k: int = Field(ge=1)
    repetition_penalty: float = Field(gt=0)
    precision: Precision = "fp32"

    def processors(self) -> LogitsProcessorList:
        """Hugging Face's processors in the order in which `generate` applies them."""
        chain = LogitsProcessorList([RepetitionPenaltyLogitsProcessor(self.repetition_penalty)])
        if self.temperature > 0:
            chain += [TemperatureLogitsWarper(self.temperature), TopKLogitsWarper(self.top_k), TopPLogitsWarper(self.top_p)]
        return chain


@dataclass(frozen=True)
class PreparedLine:
    """The input of the generation loop for one line.

    conditioning: latents that the prefix begins with. The same memory in several lines is computed once. [32, C]
    prefix: the rest of it, text and start code, embedded. [P, C]
    uniform: a random number in [0, 1) for each code. [max codes]
    limit: number of codes at most.
    """

    conditioning: torch.Tensor
    prefix: torch.Tensor
    uniform: torch.Tensor
    limit: int


@dataclass(frozen=True)
class Generated:
    """What the GPT generated for one line.

    codes: audio codes; the last is the stop code unless the limit came first (coqui too gives its latent to the decoder). int64 [N]
    latents: input of the decoder, one per code. [N, C]
    """

    codes: torch.Tensor
    latents: torch.Tensor


@dataclass(eq=False)
class InFlight:
    """A line that is being generated, with its codes and latents so far."""

    index: int
    line: PreparedLine
    codes: list[int] = field(default_factory=list)
    latents: list[torch.Tensor] = field(default_factory=list)

    def ended(self, stop: int) -> bool:
        """Whether it has its stop code, or as many codes as it may have."""
        return len(self.codes) >= self.line.limit or (bool(self.codes) and self.codes[-1] == stop)


def rows_on(device: torch.device) -> int:
    """How many lines are in flight on a device."""
    return ROWS_ON_CPU if device.type == "cpu" else ROWS_ON_ACCELERATOR


def generate(model: Xtts, lines: Sequence[PreparedLine], sampling: Sampling) -> Iterator[tuple[int, Generated]]:
    """The index of each line with what was generated for it, as the lines end."""
    for flight in steps(model, lines, sampling):
        for each in flight:
            if each.ended(model.gpt.stop_audio_token):
                yield each.index, Generated(torch.tensor(each.codes), torch.cat(each.latents))


@torch.inference_mode()
def steps(model: Xtts, lines: Sequence[PreparedLine], sampling: Sampling) -> Iterator[list[InFlight]]:
    """Generate step by step. Yields the lines in flight with a code and a latent more; those that have ended make room for others."""
    gpt, device = model.gpt, model.device
    decoder = gpt_decoder.of(gpt, sampling.precision)
    waiting = deque(enumerate(lines))
    capacity = min(rows_on(device), len(lines))
    rows, processors = Rows(decoder, capacity, device), sampling.processors()
    flight: list[InFlight] = []
    pasts: dict[int, Past] = {}
    while waiting or flight:
        latents = decoder.step(_embedded(gpt, flight, device), rows) if flight else torch.empty(0, gpt.model_dim, device=device)
        if waiting and len(flight) < capacity:
            started = [InFlight(*waiting.popleft()) for _ in range(min(len(waiting), capacity - len(flight)))]
            latents = torch.cat([latents, _start(decoder, started, pasts, rows)])
            flight += started
        _draw_codes(decoder, flight, latents, processors, gpt.start_audio_token, greedy=sampling.temperature == 0)
        yield flight
        for row in reversed(range(len(flight))):
            if flight[row].ended(gpt.stop_audio_token):
                rows.drop(row)
                flight[row] = flight[-1]
                flight.pop()


def _start(decoder: Decoder, started: list[InFlight], pasts: dict[int, Past], rows: Rows) -> torch.Tensor:
    """Put lines into the rows; the latents of their first codes. [N, C]"""
    for each in started:
        shared = each.line.conditioning
        if shared.data_ptr() not in pasts:
            _, (pasts[shared.data_ptr()],) = decoder.start([shared], [Past([], [])])
    befores = [pasts[each.line.conditioning.data_ptr()] for each in started]
    latents, after = decoder.start([each.line.prefix for each in started], befores)
    for past in after:
        rows.add(past)
    return latents


def _embedded(gpt: torch.nn.Module, flight: list[InFlight], device: torch.device) -> torch.Tensor:
    """The last code of each line at its place, embedded. [N, C]"""
    codes = torch.tensor([each.codes[-1] for each in flight], device=device)
    places = torch.tensor([len(each.codes) for each in flight], device=device)
    embedded: torch.Tensor = gpt.mel_embedding(codes) + gpt.mel_pos_embedding.emb(places)
    return embedded


def _draw_codes(
    decoder: Decoder, flight: list[InFlight], latents: torch.Tensor, processors: LogitsProcessorList, start: int, *, greedy: bool
) -> None:
    """Draw the next code of each line and keep it with its latent. Scores are processed on the CPU: the same on every device."""
    longest = max(len(each.codes) for each in flight)
    ids = torch.tensor([[PREFIX_ID] * (1 + longest - len(each.codes)) + [start, *each.codes] for each in flight])
    scores = processors(ids, decoder.head(latents).cpu())
    uniform = torch.stack([each.line.uniform[len(each.codes)] for each in flight])
    for each, code, latent in zip(flight, draw(scores, uniform, greedy=greedy).tolist(), latents, strict=True):
        each.codes.append(code)
        each.latents.append(latent[None])


def draw(scores: torch.Tensor, uniform: torch.Tensor, *, greedy: bool) -> torch.Tensor:
    """A code for each row: the likeliest, or the one where `uniform` falls in the cumulative distribution. [B, V], [B] -> [B]"""
    if greedy:
        return scores.argmax(dim=-1)
    cumulative = scores.double().softmax(dim=-1).cumsum(dim=-1)
    at = uniform.double()[:, None] * cumulative[:, -1:]
    return torch.searchsorted(cumulative, at, right=True)[:, 0].clamp(max=scores.shape[1] - 1)
