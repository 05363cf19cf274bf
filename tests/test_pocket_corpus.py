"""pocket/corpus: the grammars, the voices, the demo's notes, Opus."""

import csv
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from pocket.corpus import demo_notes, demo_texts, everyday_sentences, opus, sentences, speech, variants, voices
from voz.metrics import measures

ROOT = Path(__file__).parents[1]
NOTES = ROOT / "data" / "demo" / "notes"
WORDS = ["araña", "bizcocho", "callejero", "desyuyar", "examen"]


@pytest.mark.parametrize("length", sentences.WORDS)
def test_sentences_are_distinct_seeded_and_of_their_length(length):
    streams = [
        lambda seen: sentences.generate(3, WORDS, length=length, forbidden=seen),
        lambda seen: everyday_sentences.generate(3, length=length, forbidden=seen),
    ]
    for stream in streams:
        texts = list(islice(stream(set()), 300))
        assert len({sentences.fold(each) for each in texts}) == 300
        assert texts == list(islice(stream(set()), 300))
        low, high = sentences.WORDS[length]
        assert all(low <= len(each.split()) <= high for each in texts)
        assert all(each.lstrip("¿¡")[0].isupper() for each in texts)


def test_no_sentence_of_the_demo_comes_out_of_the_grammar():
    forbidden = {sentences.fold(each) for each in demo_texts.demo_sentences()}
    before = len(forbidden)
    texts = list(islice(sentences.generate(1, WORDS, length="short", forbidden=forbidden), 2000))
    assert len(forbidden) == before + len(texts)


@pytest.mark.parametrize(
    ("form", "of"),
    {
        "llegué": ("llegar", "yo", "past"),
        "busqué": ("buscar", "yo", "past"),
        "empecé": ("empezar", "yo", "past"),
        "averigüé": ("averiguar", "yo", "past"),
        "leyó": ("leer", "él", "past"),
        "comés": ("comer", "vos", "present"),
        "vivís": ("vivir", "vos", "present"),
        "toque": ("tocar", "él", "wish"),
    }.items(),
)
def test_regular_verbs(form, of):
    assert everyday_sentences.conjugate(*of) == form


def test_windows_are_counted_by_spelling():
    assert sentences.count_windows("Yo llamé ayer: la lluvia. Muy rey, hay hielo y voy.") == 4


def test_no_speaker_is_in_two_splits_and_the_gpt_has_no_sheismo():
    sides = [set(voices.ASR_VARIANTS) | set(voices.GPT_VARIANTS), set(voices.DEV_VARIANTS), set(voices.TEST_VARIANTS)]
    sides += [{voices.DEMO_SPEAKER.variant}, {voices.OTHER_SPEAKER.variant}]
    varied = {accent: {voice.variant for voice in voices.varied_voices(1, accent)} for accent in (voices.YE, voices.SHE)}
    crowd = voices.crowd_voices(1)
    sides += [*varied.values(), {voice.variant for voice in crowd}]
    assert sum(map(len, varied.values())) + len(crowd) == variants.COUNT
    assert len(set().union(*sides)) == sum(map(len, sides))
    assert len(voices.gpt_voices(1)) >= 16 and {voice.accent for voice in voices.gpt_voices(1)} == {voices.YE}
    assert len({voice.name for voice in voices.asr_voices(1, "train")}) >= 40


def test_drawn_variants_are_voices_of_their_own(tmp_path):
    data = tmp_path / "espeak"
    variants.write(data)
    variants.write(data)  # there already
    assert variants.text(3) == variants.text(3) != variants.text(4)
    first, second = (replace(voices.DEMO_SPEAKER, variant=variants.name(number)) for number in (3, 4))
    spoken = [speech.speak("Yo llego mañana.", voice, data=data / variants.folder_of(voice.variant)) for voice in (first, second, first)]
    assert np.array_equal(spoken[0], spoken[2])
    assert measures.mcd_db(spoken[0], spoken[1]) > 3


def test_a_voice_by_phonemes_keeps_its_accent():
    assert speech.by_phonemes("Yo llego. Bien.", voices.YE) == "[[J^'o J^'eQo]]. Bien."
    assert speech.by_phonemes("Yo llego. Bien.", voices.SHE) == "[[S'o S'eQo]]. Bien."


def test_opus_gives_the_same_bytes_and_keeps_the_length():
    pcm = np.random.default_rng(0).normal(0, 0.1, 15_831).astype(np.float32)  # just under a second: libsndfile calls this file malformed
    data = opus.encode(pcm, bitrate_bps=16_000)
    assert data == opus.encode(pcm, bitrate_bps=16_000)
    assert abs(len(opus.decode(data)) - len(pcm)) < opus.SAMPLE_RATE_HZ * 0.02
    assert len(opus.roundtrip(pcm, bitrate_bps=16_000)) == len(pcm)


def test_the_demo_notes_hold_every_awkward_case():
    names = {demo_notes.note_name(number) for number in range(len(demo_texts.NOTES) + 2)}
    assert {path.name for path in NOTES.glob("*.opus")} == names and len(names) >= 40
    sizes = {name: (NOTES / name).stat().st_size for name in names}
    assert [name for name, size in sizes.items() if not size] == [demo_notes.note_name(len(demo_texts.NOTES) + 1)]
    assert sum(sizes.values()) < 2_000_000
    copy, original = demo_notes.note_name(len(demo_texts.NOTES)), demo_notes.note_name(demo_notes.DUPLICATE_OF)
    assert (NOTES / copy).read_bytes() == (NOTES / original).read_bytes()
    with open(ROOT / "data" / "demo" / "truth.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    whole = {demo_notes.note_name(number) for number in range(len(demo_texts.NOTES) + 1)} - {demo_notes.note_name(demo_texts.CUT_NOTE)}
    assert {row["name"] for row in rows} == whole
    others = {row["name"] for row in rows if row["voice"] == voices.OTHER_SPEAKER.name}
    assert others == {demo_notes.note_name(demo_texts.OTHER_SPEAKER_NOTE)}
