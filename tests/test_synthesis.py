"""voz/model/synthesis.py and generation.py: batches give coqui's own codes, latents and sound, whatever else is in them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests import clips, tiny_voice
from voz.audio import wav
from voz.model import generation, synthesis, xtts
from voz.pipeline.command import UserError

POCKET = Path(__file__).parent.parent / "models" / "pocket" / "xtts"
GREEDY = generation.Sampling(temperature=0.0, top_p=0.85, top_k=50, repetition_penalty=5.0)
SAMPLED = replace(GREEDY, temperature=0.7)
TEXTS = (
    "che, ¿vos sabés a qué hora llega el colectivo?",
    "dale, nos vemos mañana en lo de guillermo.",
    "ayer llovió toda la noche y la calle quedó llena de agua, así que no pude llegar a lo de mi hermana ni a la facultad.",
    "bueno muchachos, gracias por la bancada.",
    "yo ya te dije que la llave está arriba de la mesa.",
)


@pytest.fixture(scope="module")
def pocket() -> xtts.Xtts:
    """The pocket base, limited to 40 codes."""
    model = xtts.load_model(POCKET)
    model.gpt.max_gen_mel_tokens = 40
    return model


@pytest.fixture(scope="module")
def stopping(tmp_path_factory: pytest.TempPathFactory) -> xtts.Xtts:
    """A tiny voice that stops after some dozen codes."""
    return xtts.load_model(tiny_voice.make(tmp_path_factory.mktemp("voice") / "stopping", stop_bias=1.0))


@pytest.fixture
def endless(tmp_path: Path) -> xtts.Xtts:
    """A tiny voice that never stops."""
    return xtts.load_model(tiny_voice.make(tmp_path / "endless", stop_bias=-1000.0))


def conditioning(model: xtts.Xtts) -> xtts.Conditioning:
    return xtts.conditioning(model, clips.pcm("mine-0"))


def generate(model: xtts.Xtts, texts: tuple[str, ...], sampling: generation.Sampling) -> list[generation.Generated]:
    given = conditioning(model)
    prepared = [synthesis.prepare(model, given, line) for line in synthesis.number(texts, seed=1)]
    return [each for _, each in sorted(generation.generate(model, prepared, sampling), key=lambda found: found[0])]


def coqui_codes(model: xtts.Xtts, given: xtts.Conditioning, text: str) -> tuple[torch.Tensor, torch.Tensor]:
    """What stock coqui generates greedily for one line, and its text tokens."""
    tokens = torch.IntTensor(model.tokenizer.encode(text, lang="es"))[None]
    with torch.inference_mode():
        codes = model.gpt.generate(
            cond_latents=given.latents, text_inputs=tokens, do_sample=False, num_beams=1, repetition_penalty=GREEDY.repetition_penalty
        )
    return codes, tokens


@pytest.mark.parametrize("which", ["pocket", "stopping"])
def test_greedy_codes_and_latents_are_coquis_line_by_line(which: str, request: pytest.FixtureRequest) -> None:
    model = request.getfixturevalue(which)
    given, lengths = conditioning(model), []
    for text, ours in zip(TEXTS, generate(model, TEXTS, GREEDY), strict=True):
        codes, tokens = coqui_codes(model, given, text)
        assert torch.equal(ours.codes, codes[0])
        with torch.inference_mode():  # the second forward that coqui's `inference` runs
            latents = model.gpt(
                tokens,
                torch.tensor([tokens.shape[1]]),
                codes,
                torch.tensor([codes.shape[1] * model.gpt.code_stride_len]),
                cond_latents=given.latents,
                return_latent=True,
            )[0]
        assert ours.latents.shape == latents.shape
        assert (ours.latents - latents).abs().max() < 1e-4
        lengths.append(codes.shape[1])
    assert which == "pocket" or len(set(lengths)) > 1  # rows ended at different times


def test_sound_is_what_coquis_inference_speaks(pocket: xtts.Xtts) -> None:
    given = conditioning(pocket)
    ours = synthesis.speak(pocket, given, synthesis.number(TEXTS[:2], seed=1), GREEDY)
    for text, pcm in zip(TEXTS, ours, strict=False):
        stock = pocket.inference(text, "es", given.latents, given.speaker, do_sample=False, repetition_penalty=5.0)["wav"]
        assert pcm.shape == stock.shape and np.abs(pcm - stock).max() < 1e-4
        assert pcm.dtype == np.float32 and np.abs(pcm).max() > 0


def test_scores_are_processed_as_by_generate(pocket: xtts.Xtts) -> None:
    tokens = torch.IntTensor(pocket.tokenizer.encode(TEXTS[0], lang="es"))[None]
    torch.manual_seed(0)
    with torch.inference_mode():
        codes, stock = pocket.gpt.generate(
            cond_latents=conditioning(pocket).latents, text_inputs=tokens, do_sample=True, temperature=0.7, top_k=50, top_p=0.85,
            repetition_penalty=5.0, output_scores=True, output_logits=True, return_dict_in_generate=True,
        )  # fmt: skip
    ids = torch.cat([torch.tensor([[generation.PREFIX_ID, pocket.gpt.start_audio_token]]), codes], dim=1)
    for step, (logits, scores) in enumerate(zip(stock.logits, stock.scores, strict=True)):
        assert torch.equal(SAMPLED.processors()(ids[:, : step + 2], logits.clone()), scores)


def test_samples_do_not_depend_on_neighbours_or_order(stopping: xtts.Xtts) -> None:
    given, lines = conditioning(stopping), synthesis.number([*TEXTS, *TEXTS], seed=1)  # more than one batch
    together = synthesis.speak(stopping, given, lines, SAMPLED)
    backwards = synthesis.speak(stopping, given, lines[::-1], SAMPLED)[::-1]
    alone = [synthesis.speak(stopping, given, [line], SAMPLED)[0] for line in lines]
    for one, two, three in zip(together, backwards, alone, strict=True):
        assert np.array_equal(one, two) and np.array_equal(one, three)


def test_random_numbers_follow_seed_text_occurrence_and_retry(endless: xtts.Xtts) -> None:
    endless.gpt.max_gen_mel_tokens = 12
    first, second = synthesis.number([TEXTS[0], TEXTS[0]], seed=1)
    assert (first.occurrence, second.occurrence) == (0, 1)
    lines = [first, first, second, replace(first, retry=1), replace(first, seed=2)]
    wavs = synthesis.speak(endless, conditioning(endless), lines, SAMPLED)
    assert np.array_equal(wavs[0], wavs[1])
    assert all(not np.array_equal(wavs[0], pcm) for pcm in wavs[2:])


def test_nothing_follows_the_stop_code(stopping: xtts.Xtts) -> None:
    stop = stopping.gpt.stop_audio_token
    generated = generate(stopping, TEXTS, SAMPLED)
    for each in generated:
        assert int((each.codes == stop).sum()) == 1 and int(each.codes[-1]) == stop
        assert len(each.latents) == len(each.codes)
    assert len({len(each.codes) for each in generated}) > 1
    spoken = synthesis.vocode(stopping, generated[0].latents, conditioning(stopping).speaker)
    assert abs(len(spoken) / wav.OUTPUT_RATE_HZ - len(generated[0].codes) * 1024 / wav.SAMPLE_RATE_HZ) < 0.02


def test_a_voice_that_never_stops_is_cut_by_the_length_of_the_text(endless: xtts.Xtts) -> None:
    short, full = generate(endless, ("hola.", TEXTS[0]), SAMPLED)
    assert len(short.codes) == 70  # (2 s + 5 characters / 4 a second) * 21.53 codes a second, rounded up
    assert len(full.codes) == 291  # 46 characters
    assert synthesis.longest("a" * 239) > endless.gpt.max_gen_mel_tokens == 602  # the model's own end comes first


def test_one_and_two_words_get_a_full_stop(pocket: xtts.Xtts) -> None:
    for bare, ended in (("Hola", "hola."), ("che, vos", "che, vos."), ("¿qué?", "¿qué?")):
        assert torch.equal(synthesis.encode(pocket, bare), synthesis.encode(pocket, ended))
    three = synthesis.encode(pocket, "dale che vos")
    assert not torch.equal(three, synthesis.encode(pocket, "dale che vos."))
    assert int(three[0]) == pocket.gpt.start_text_token and int(three[-1]) == pocket.gpt.stop_text_token


def test_long_text_is_split_at_sentences_and_joined_with_a_pause(stopping: xtts.Xtts) -> None:
    text = " ".join([TEXTS[2].capitalize()] * 3)
    parts = synthesis.split_line(stopping.tokenizer, synthesis.Line(text, seed=1))
    assert [part.part for part in parts] == list(range(len(parts))) and len(parts) > 1
    assert all(part.text.endswith(".") and len(part.text) <= 239 for part in parts)
    given = conditioning(stopping)
    (whole,) = synthesis.speak(stopping, given, [synthesis.Line(text, seed=1)], SAMPLED)
    spoken = [pcm for part in parts for _, pcm in synthesis.speak_as_done(stopping, given, [part], SAMPLED)]
    pause = np.zeros(4800, np.float32)  # 0.2 s
    assert np.array_equal(whole, np.concatenate([spoken[0], *(piece for part in spoken[1:] for piece in (pause, part))]))


@pytest.mark.parametrize("which", ["pocket", "stopping"])
def test_a_stream_is_the_whole_without_seams(which: str, request: pytest.FixtureRequest) -> None:
    """In several parts, which come in several pieces each."""
    model = request.getfixturevalue(which)
    text = TEXTS[0] if which == "pocket" else " ".join([TEXTS[2].capitalize()] * 3)
    given, line = conditioning(model), synthesis.Line(text, seed=1)
    pieces = list(synthesis.stream(model, given, line, SAMPLED))
    (whole,) = synthesis.speak(model, given, [line], SAMPLED)
    streamed = np.concatenate(pieces)
    assert len(pieces) >= 2 and streamed.dtype == np.float32 and streamed.shape == whole.shape
    assert np.abs(streamed - whole).max() < 1e-4


def test_the_decoder_of_xtts_v2_streams_without_seams() -> None:
    """Its widths, with random weights: they decide how far the samples of a frame reach."""
    config, _ = xtts.read_config(POCKET)
    args = config.model_args
    args.output_hop_length, args.input_sample_rate = 256, 22_050
    torch.manual_seed(3)
    with xtts.widths_applied(xtts.Widths()):
        model = xtts.Xtts(config)
    model.hifigan_decoder.eval()
    latents, speaker = torch.randn(60, args.decoder_input_dim), torch.randn(1, 512, 1)
    whole = synthesis.vocode(model, latents, speaker)
    chunks = iter(latents.split(16))
    streamed = synthesis.vocode_chunks(model, chunks, speaker)
    next(streamed)
    assert len(list(chunks)) == 3  # the first sound needs one chunk, not the next one
    pieces = list(synthesis.vocode_chunks(model, latents.split(16), speaker))
    assert len(whole) == pytest.approx(60 * 1024 * 24_000 / 22_050, abs=300) and np.abs(whole).max() > 1e-3
    assert len(pieces) == 5 and np.abs(np.concatenate(pieces) - whole).max() < 1e-4 * max(1.0, np.abs(whole).max())


def test_what_cannot_be_spoken_is_said(pocket: xtts.Xtts) -> None:
    for text in ("", " …!", "a" * 402):
        with pytest.raises(UserError):
            synthesis.encode(pocket, text)


def test_draw_follows_the_distribution() -> None:
    scores = torch.log(torch.tensor([0.0, 0.5, 0.0, 0.3, 0.2, 0.0]))
    grid = (torch.arange(1000) + 0.5) / 1000
    drawn = generation.draw(scores.expand(1000, -1), grid, greedy=False)
    assert torch.bincount(drawn, minlength=6).tolist() == [0, 500, 0, 300, 200, 0]
    edges = torch.tensor([0.0, 1 - 2**-24])  # all that torch.rand can give
    assert generation.draw(scores.expand(2, -1), edges, greedy=False).tolist() == [1, 4]
    assert generation.draw(scores.expand(2, -1), edges, greedy=True).tolist() == [1, 1]


@pytest.mark.parametrize("wrong", [{"temperature": -0.1}, {"top_p": 0.0}, {"top_p": 1.1}, {"top_k": 0}, {"repetition_penalty": 0.0}])
def test_sampling_refuses_senseless_values(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        replace(SAMPLED, **wrong)
