"""pocket/xtts: the GPT's training computes what coqui's classes compute, and its data are what they are meant to be."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pocket.corpus import manifest, speech, voices
from pocket.xtts import base, encode, fast_gpt, gpt_batches, latents, pack, packed, phonemes
from voz.audio import wav
from voz.model import generation, synthesis, xtts


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> xtts.Xtts:
    build = tmp_path_factory.mktemp("build")
    base.write_skeleton(build)
    made = base.random_model(build)
    made.gpt.gpt.config.use_cache = False
    made.gpt.eval()
    return made


@torch.no_grad()
def test_fast_gpt_gives_coquis_latents(model: xtts.Xtts) -> None:
    gpt = model.gpt
    torch.manual_seed(0)
    text = [torch.randint(5, 30, (length,)) for length in (20, 19)]
    codes = [torch.randint(0, 512, (length,)) for length in (30, 26)]
    places = [torch.linspace(1, len(t), len(c)) for t, c in zip(text, codes, strict=True)]
    batch = fast_gpt.GptBatch(torch.randn(1, 80, 60), text, codes, places)
    cond = gpt.get_style_emb(batch.cond_mels).transpose(1, 2)
    found, _ = fast_gpt.latents_and_guidance(gpt, fast_gpt.pack(gpt, batch), cond, sigma=None)
    for own, t, c in zip(found, text, codes, strict=True):
        spoken = F.pad(c[None], (0, 1), value=gpt.stop_audio_token)  # as `generate` hands it over, the stop code included
        samples = torch.tensor([spoken.shape[1] * 1024])
        wanted = gpt(t[None], torch.tensor([len(t)]), spoken, samples, cond_latents=cond, return_latent=True)[0]
        first = len(t) + 2
        assert len(wanted) == len(c) + 1
        assert torch.allclose(own[first : first + len(wanted)], wanted, atol=1e-5)


def test_layers_that_join_later_start_as_identities(model: xtts.Xtts) -> None:
    gpt = model.gpt
    fast_gpt.initialise(gpt, codes_per_character=1.5)
    x, rows = torch.randn(7, base.WIDTH), fast_gpt.Rows.full(1, 7)
    mask = torch.zeros(7, 7)
    for block in gpt.gpt.h[fast_gpt.FIRST_LAYERS :]:
        assert torch.equal(fast_gpt.layer(block, x, rows, mask, None, gpt.heads)[0], x)
    assert not torch.equal(fast_gpt.layer(gpt.gpt.h[0], x, rows, mask, None, gpt.heads)[0], x)


@torch.no_grad()
def test_a_gpt_that_ignores_its_reference_is_found_and_its_conditioning_reset(model: xtts.Xtts) -> None:
    gpt, mels = copy.deepcopy(model.gpt), torch.randn(4, 80, 100) - 2.0
    assert fast_gpt.voice_spread(gpt, mels) > fast_gpt.MIN_SPREAD
    gpt.conditioning_perceiver.layers[1][1][2].weight.mul_(1e22)  # what training did to it: its norm overflows
    assert fast_gpt.voice_spread(gpt, mels) < fast_gpt.MIN_SPREAD
    fast_gpt.reset_conditioning(gpt)
    assert fast_gpt.voice_spread(gpt, mels) > fast_gpt.MIN_SPREAD
    assert gpt.get_style_emb(mels).abs().mean() < 0.2


Heard = tuple[xtts.Xtts, dict[tuple[str, int], xtts.Conditioning]]  # by speaker and recording


@pytest.fixture(scope="module")
def heard() -> Heard:
    """The base in git, and what it hears in two recordings of two speakers."""
    base_in_git = xtts.load_model(Path(__file__).parents[1] / "models" / "pocket" / "xtts")
    texts = ("hola, ¿cómo andás?", "mañana a la tarde vamos a la plaza con los chicos.")
    speakers = {"demo": voices.DEMO_SPEAKER, "other": voices.OTHER_SPEAKER}
    recordings = {(name, n): speech.speak(text, voice) for name, voice in speakers.items() for n, text in enumerate(texts)}
    return base_in_git, {which: xtts.conditioning(base_in_git, recording) for which, recording in recordings.items()}


def test_the_gpt_in_git_tells_speakers_apart(heard: Heard) -> None:
    _, found = heard

    def apart(one: tuple[str, int], other: tuple[str, int]) -> float:
        return float((found[one].latents - found[other].latents).norm() / found[one].latents.norm())

    same = [apart((name, 0), (name, 1)) for name in ("demo", "other")]
    different = [apart(("demo", n), ("other", m)) for n in (0, 1) for m in (0, 1)]
    assert max(same) < 0.3 and min(different) > 2 * max(same)


def test_another_reference_changes_what_the_base_in_git_speaks(heard: Heard) -> None:
    base_in_git, found = heard
    line = synthesis.number(["El sábado fuimos a la casa de mi abuela."], seed=1)
    sampling = generation.Sampling(temperature=0.7, top_p=0.85, top_k=50, repetition_penalty=1.0)

    def spoken(conditioning: xtts.Conditioning) -> np.ndarray:
        return wav.resample(synthesis.speak(base_in_git, conditioning, line, sampling)[0], wav.OUTPUT_RATE_HZ, wav.SAMPLE_RATE_HZ)

    for name, other in (("demo", "other"), ("other", "demo")):
        pcm = spoken(found[name, 0])
        embedding = xtts.speaker_embedding(base_in_git, pcm)
        own, others = (float(embedding @ found[whose, 1].speaker.flatten().numpy()) for whose in (name, other))
        assert own > others + 0.3
        with_other_latents = spoken(xtts.Conditioning(found[other, 0].latents, found[name, 0].speaker))
        assert not np.array_equal(with_other_latents, pcm)  # the GPT hears, too, not the decoder alone


def test_processes_share_the_voices_of_a_gpt_batch() -> None:
    codes = [torch.tensor([voice, sentence]) for voice in range(6) for sentence in range(2)]
    batch = fast_gpt.GptBatch(torch.arange(6.0)[:, None, None], codes, codes, codes)
    shares = [batch.of_process(rank, 2) for rank in (0, 1)]
    assert [[int(mel) for mel in share.cond_mels] for share in shares] == [[0, 2, 4], [1, 3, 5]]
    for share in shares:
        for own in (share.text, share.codes, share.places):
            assert [code.tolist() for code in own] == [[int(mel), sentence] for mel in share.cond_mels for sentence in range(2)]
    assert batch.of_process(0, 1).text == batch.text


def test_half_of_the_decoders_sentences_have_she_and_come_from_copies_of_the_gpt() -> None:
    def rows(accent: str) -> list[gpt_batches.GptRow]:
        places = torch.zeros(9)
        return [
            gpt_batches.GptRow(f"{accent}-{n:03d}", f"{role}-{n % 12:02d}", role, places.long(), places.long(), places)
            for n in range(240)
            for role in [("gpt", "varied")[n % 2] if accent == "ye" else ("asr", "varied")[n % 3 // 2]]
        ]

    ye, she = rows("ye"), rows("she")
    found = latents.shares(ye, she, 80)
    copies = [share for share in found if share.learnt]
    assert [share.steps for share in found] == [200, *[80] * latents.ONE_VOICE_COPIES, 0, 0, 0, 0]
    assert copies[0].learnt == {row.voice for row in she}
    for share in copies[1:]:
        [voice] = share.learnt
        own = latents.ids([row for row in she if row.voice == voice][::2])
        assert own <= share.sentences
    by_base = [sentence for share in found if share.accent == "ye" for sentence in share.sentences]
    assert 80 // 2 <= len(by_base) == len(set(by_base)) and {share.accent for share in copies} == {"she"}


def test_expected_places_follow_the_characters_lengths() -> None:
    length = np.array([1.0, 3.0])
    found = encode.places([0, 1, 0], (2, 12), 14, length)
    assert found[0] == pytest.approx(0.5)  # before the speech
    assert found[4] == pytest.approx(1.5 + 0.5 / 6)  # half a code into the long second character: it spans codes 4 to 10
    assert found[13] == pytest.approx(3.5)  # after it


@pytest.mark.parametrize("text", ["Che, ¿cómo andás? ¡Qué pingüino!", "Año 2024: 25 %."])
def test_vocabulary_holds_spanish(tmp_path: Path, text: str) -> None:
    base.write_vocab(tmp_path / "vocab.json")
    tokenizer = xtts.read_tokenizer(tmp_path)
    ids = tokenizer.encode(text, lang="es")
    assert base.SPECIAL.index("[UNK]") not in ids
    assert tokenizer.decode(ids) == "[es]" + tokenizer.preprocess_text(text, "es")


def test_the_corpus_comes_at_the_products_level_and_in_part_by_phone(tmp_path: Path) -> None:
    ids = [f"gpt-train-{number:05d}" for number in range(6)]
    rows = [
        manifest.Recording(id=name, path=f"{name}.wav", text="sí", voice="ana", accent="ye", role="gpt", split="train", duration_s=1.0)
        for name in ids
    ]
    assert 0 < sum(map(pack.by_phone, rows)) < len(rows)
    for row, gain in zip(rows, (0.9, 0.3, 0.1, 0.03, 0.9, 0.3), strict=True):
        pcm = gain * np.sin(np.arange(22_050) / 20) * (np.arange(22_050) < 15_000)  # a third of it is a pause
        wav.write(tmp_path / row.path, pcm)
    manifest.write_manifest(tmp_path, rows)
    pack.pack(tmp_path, tmp_path / "packed", jobs=1)
    corpus = packed.PackedCorpus(tmp_path / "packed")
    assert [row.voice for row in corpus.rows] == ["ana+phone" if pack.by_phone(row) else "ana" for row in rows]
    for row in corpus.rows:
        tone = corpus.read(row).numpy()[1000:14_000]
        assert 10 * np.log10((tone.astype(float) ** 2).mean()) == pytest.approx(pack.LEVEL_DB, abs=1.5)


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("Che, ¿vos qué querés? Guillermo agarró el yogur rojo.", "CeboskekeresgiYermoagaRoelYogurRoJo"),
        ("Mañana voy al kiosco con la pingüina y el rey; exijo hielo.", "maNanaboialkioskokonlapinguinaielReieksiJoielo"),
        ("Gente, guerra, alrededor, jugo, zapato, cien.", "JentegeRaalRededorJugosapatosien"),
    ],
)
def test_sounds_of_a_sentence(sentence: str, said: str) -> None:
    assert phonemes.phonemes(sentence, "ye") == said
    assert phonemes.phonemes(sentence, "she") == said.replace("Y", "S")
    assert set(said) <= set(phonemes.PHONEMES)
