"""voz/model/packed.py, gpt_decoder.py: a line's digits are its own, and the weights are always the present ones."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers.pytorch_utils import Conv1D

from tests import clips, tiny_voice
from voz.model import generation, gpt_decoder, lora, synthesis, xtts
from voz.model.packed import Precision, Product

SAMPLED = generation.Sampling(temperature=0.7, top_p=0.85, top_k=50, repetition_penalty=5.0)
TEXTS = (
    "hola.",
    "che, ¿vos sabés a qué hora llega el colectivo?",
    "dale, nos vemos mañana.",
    "bueno muchachos, gracias por la bancada.",
) * 3
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16")


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> xtts.Xtts:
    """A tiny voice that stops after some dozen codes."""
    return xtts.load_model(tiny_voice.make(tmp_path_factory.mktemp("voice") / "stopping", stop_bias=1.0))


def generate(model: xtts.Xtts, sampling: generation.Sampling, texts: tuple[str, ...] = TEXTS) -> list[generation.Generated]:
    given = xtts.conditioning(model, clips.pcm("mine-0"))
    prepared = [synthesis.prepare(model, given, line) for line in synthesis.number(texts, seed=1)]
    return [each for _, each in sorted(generation.generate(model, prepared, sampling), key=lambda found: found[0])]


def same(ones: list[generation.Generated], others: list[generation.Generated]) -> bool:
    """To the last bit."""
    return all(torch.equal(a.codes, b.codes) and torch.equal(a.latents, b.latents) for a, b in zip(ones, others, strict=True))


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("inside", "outside"), [(1024, 3072), (1024, 4096), (4096, 1024), (1024, 1026), (256, 768)])
def test_a_rows_product_is_its_own_however_many_rows_there_are(inside: int, outside: int, precision: Precision) -> None:
    """XTTS_v2's shapes, and the pocket base's."""
    torch.manual_seed(0)
    layer, rows = Conv1D(outside, inside), torch.randn(200, inside)
    product = Product(layer, precision)
    whole = product(rows)
    assert whole.dtype == torch.float32
    assert (whole - layer(rows)).abs().max() < (1e-4 if precision == "fp32" else 0.05)
    for count in (1, 2, 3, 5, 8, 15, 16, 17, 33, 100):
        assert torch.equal(product(rows[:count].clone()), whole[:count])
        assert torch.equal(product(rows[-count:].clone()), whole[-count:])


def test_gelu_is_gpt2s() -> None:
    layer, rows = Conv1D(64, 32), torch.randn(4, 32)
    expected = torch.nn.functional.gelu(layer(rows), approximate="tanh")
    assert (Product(layer, "fp32", gelu=True)(rows) - expected).abs().max() < 1e-5


@pytest.mark.parametrize("precision", PRECISIONS)
def test_codes_and_latents_do_not_depend_on_how_many_lines_are_in_flight(
    voice: xtts.Xtts, precision: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampling = replace(SAMPLED, precision=precision)
    found = []
    for rows, texts in ((3, TEXTS), (generation.ROWS_ON_CPU, TEXTS * 3), (generation.ROWS_ON_ACCELERATOR, TEXTS * 3)):
        monkeypatch.setattr(generation, "rows_on", lambda device, rows=rows: rows)
        found.append(generate(voice, sampling, texts))
    alone = [generate(voice, sampling, (text,))[0] for text in TEXTS[:4]]
    assert same(found[0], found[1][: len(TEXTS)]) and same(found[1], found[2]) and same(found[0][:4], alone)
    assert len({len(each.codes) for each in found[0]}) > 2  # they ended at different times


def test_an_accelerator_has_more_lines_in_flight_than_a_cpu() -> None:
    assert [generation.rows_on(torch.device(name)) for name in ("cpu", "cuda", "cuda:1")] == [16, 32, 32]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_row_of_xtts_v2s_attention_does_not_depend_on_the_rows_beside_it(precision: Precision) -> None:
    """Its 16 heads of 64 with some hundred places; two layers."""
    from transformers import GPT2Config, GPT2Model  # it imports torchaudio, which voz.compat has repaired by now

    torch.manual_seed(0)
    gpt = torch.nn.Module()
    gpt.gpt = GPT2Model(GPT2Config(n_embd=1024, n_layer=2, n_head=16, vocab_size=2)).eval()
    gpt.final_norm, gpt.mel_head = torch.nn.LayerNorm(1024), torch.nn.Linear(1024, 1026)
    prefixes = [torch.randn(places, 1024) for places in (40, 333, 97, 160, 251)]
    nexts = torch.randn(12, len(prefixes), 1024)

    @torch.inference_mode()
    def latents(which: list[int]) -> torch.Tensor:
        decoder = gpt_decoder.Decoder(gpt, precision)
        rows = gpt_decoder.Rows(decoder, len(which), torch.device("cpu"))
        first, pasts = decoder.start([prefixes[i] for i in which], [gpt_decoder.Past([], [])] * len(which))
        for past in pasts:
            rows.add(past)
        return torch.stack([first, *(decoder.step(each[which], rows) for each in nexts)], dim=1)

    together = latents([0, 1, 2, 3, 4])
    for some in ([0], [2], [4, 0], [3, 1, 2]):
        assert torch.equal(latents(some), together[some])


def test_the_conditioning_that_lines_share_is_computed_once(voice: xtts.Xtts, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []
    start = gpt_decoder.Decoder.start

    def counted(self: gpt_decoder.Decoder, prefixes: Sequence[torch.Tensor], pasts: Sequence[gpt_decoder.Past]) -> object:
        started.extend(len(prefix) for prefix, past in zip(prefixes, pasts, strict=True) if not past.places)
        return start(self, prefixes, pasts)

    monkeypatch.setattr(gpt_decoder.Decoder, "start", counted)
    generate(voice, SAMPLED)
    assert started == [32]


def test_bf16_speaks_nearly_the_same(voice: xtts.Xtts) -> None:
    greedy = replace(SAMPLED, temperature=0.0)
    exact, near = generate(voice, greedy, TEXTS[1:2])[0], generate(voice, replace(greedy, precision="bf16"), TEXTS[1:2])[0]
    assert (exact.latents[0] - near.latents[0]).norm() < 0.02 * exact.latents[0].norm()
    assert not torch.equal(exact.latents[0], near.latents[0])


@pytest.mark.parametrize("fused", [False, True])
def test_a_training_step_changes_what_is_generated(tmp_path: Path, fused: bool) -> None:
    model = xtts.load_model(tiny_voice.make(tmp_path / "voice", stop_bias=1.0))
    before = generate(model, SAMPLED, TEXTS[:1])
    assert same(before, generate(model, SAMPLED, TEXTS[:1]))
    optimizer = torch.optim.AdamW(model.gpt.gpt.parameters(), lr=0.05, fused=fused)
    for weight in model.gpt.gpt.parameters():
        weight.grad = torch.ones_like(weight)
    optimizer.step()
    assert not torch.equal(before[0].latents[0], generate(model, SAMPLED, TEXTS[:1])[0].latents[0])


def test_the_decoder_is_made_once_and_can_be_forgotten(voice: xtts.Xtts) -> None:
    made = gpt_decoder.of(voice.gpt, "fp32")
    assert gpt_decoder.of(voice.gpt, "fp32") is made
    gpt_decoder.release(voice.gpt)
    assert gpt_decoder.of(voice.gpt, "fp32") is not made


def test_adapters_take_part(tmp_path: Path) -> None:
    model = xtts.load_model(tiny_voice.make(tmp_path / "voice", stop_bias=1.0))
    plain = generate(model, SAMPLED, TEXTS[:1])[0].latents[0]
    lora.inject(model.gpt, lora.Settings(rank=2, alpha=4.0, dropout=0.0, seed=1))
    assert torch.equal(generate(model, SAMPLED, TEXTS[:1])[0].latents[0], plain)  # B is zero before the training
    adapted = [each for each in model.gpt.gpt.modules() if hasattr(each, "lora_B")]
    for each in adapted:
        torch.nn.init.normal_(each.lora_B["default"].weight, std=0.1)
    changed = generate(model, SAMPLED, TEXTS[:1])[0].latents[0]
    assert not torch.equal(changed, plain)
    for each in adapted:
        each.merge()
    gpt_decoder.release(model.gpt)  # peft merges through `.data`
    merged = generate(model, SAMPLED, TEXTS[:1])[0].latents[0]
    assert (merged - changed).abs().max() < 1e-4 * changed.abs().max()
