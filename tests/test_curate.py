"""Curate: every planted fault is rejected for its own reason, no clean clip is lost, a correction overrules the filters."""

import functools
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests import clips
from tests.workshop import ROOT, Workshop, make
from voz.audio import limits
from voz.data import dataset
from voz.metrics import filters
from voz.model import xtts
from voz.pipeline import cache, command

CLEAN = [f"mine-{n}" for n in range(8)]


Make = Callable[..., Workshop]


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes a Workshop in the working directory: see `workshop.make`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setattr(sys, "argv", ["curate"])
    shutil.copy(ROOT / "params.yaml", tmp_path)
    return functools.partial(make, tmp_path)


def clean() -> dict[str, np.ndarray]:
    return {name: clips.pcm(name) for name in CLEAN}


def noise(seconds: float) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.02, round(seconds * 22_050)).astype(np.float32)


FAULTS: dict[str, dict[str, object]] = {
    "no_text": {"text": "…"},
    "hallucination": {"text": "Muchas gracias. Hasta la próxima.", "avg_logprob": -0.7, "no_speech_prob": 0.5},
    "loop": {"text": "Y entonces me fui a casa. " * 3, "compression_ratio": 2.2},
    "wrong_language": {"language": "pt", "language_prob": 0.95},
    "unknown_characters": {"text": "Comprá ⊕ kilo de pan y un poco de queso."},
    "prompt_leak": {"text": "¿Vos qué querés? Dale, mirá, yo ya llegué."},
    "low_confidence": {"avg_logprob": -1.4},
    "too_fast": {
        "text": "Esto es mucho más de lo que alguien puede decir en tan poco tiempo, por más que hable rápido y se apure, "
        "y todavía sigue otro poco más, y otro, hasta llegar por fin acá, che."
    },
    "too_slow": {"text": "Hola, che, vos."},
    "too_few_words": {"text": "Extraordinariamente desproporcionadamente."},
}


@pytest.mark.parametrize("code", FAULTS)
def test_a_fault_of_the_text_has_its_code_and_clean_clips_stay(workshop: Make, code: str) -> None:
    rows = workshop(clean(), {"mine-3": FAULTS[code]}).run()
    assert rows["mine-3"].reason == code
    assert [name for name in CLEAN if rows[name].outcome == "rejected"] == ["mine-3"]


def test_a_text_that_coqui_warns_of_is_rejected(workshop: Make) -> None:
    """From 240 characters on. The pocket base has a token per letter or so, hence the other reason before it."""
    texts = {"mine-2": "Bueno, che. " * 19 + "Bueno, che.", "mine-3": "Bueno, che. " * 19 + "Bueno, chee."}
    speech = {name: {"speech_s": 11.0} for name in texts}  # 22 characters per second
    rows = workshop(clean(), {name: {"text": text} for name, text in texts.items()}, **speech).run()
    assert [len(text) for text in texts.values()] == [239, 240]
    assert [(rows[name].reason, "text_too_long;" in rows[name].detail) for name in texts] == [
        ("too_many_tokens", False),
        ("too_many_tokens", True),
    ]


def test_faults_of_the_sound_have_their_codes(workshop: Make) -> None:
    loud = np.clip(clips.pcm("mine-1") * 12, -0.7, 0.7)
    chord = sum(np.sin(2 * np.pi * hz * np.arange(len(clips.pcm("mine-2"))) / 22_050) for hz in (220, 277.2, 329.6, 440))
    sounds = clean() | {"mine-1": loud, "mine-2": (clips.pcm("mine-2") + 0.02 * chord).astype(np.float32)}
    sounds["copy"] = np.concatenate([np.zeros(1_500, np.float32), clips.pcm("mine-0")]) * 0.5
    work = workshop(sounds, {"copy": {"text": clips.texts()["mine-0"]}}, **{"mine-5": {"noise_db": -27.0}})
    rows = work.run()
    found = {name: row.reason for name, row in rows.items() if row.outcome == "rejected"}
    first, second = sorted(("mine-0", "copy"), key=lambda name: work.clips[name].id)
    assert found == {"mine-1": "clipping", "mine-2": "music", "mine-5": "low_snr", second: "near_duplicate"}
    assert f"copy of {work.clips[first].id}" in rows[second].detail


def test_a_forwarded_note_of_another_speaker_is_caught(workshop: Make) -> None:
    rows = workshop(clean() | {"other-0": clips.pcm("other-0")}).run()
    assert {name: row.reason for name, row in rows.items() if row.reason} == {"other-0": "other_speaker"}


def test_a_copy_of_a_rejected_clip_is_kept(workshop: Make) -> None:
    sounds = clean() | {"copy": np.concatenate([np.zeros(1_500, np.float32), clips.pcm("mine-0")])}
    work = workshop(sounds, {"copy": {"text": clips.texts()["mine-0"]}})
    first, second = sorted(("mine-0", "copy"), key=lambda name: work.clips[name].id)
    work.correct(f"{work.clips[first].id},reject,")
    rows = work.run()
    assert rows[first].reason == "rejected_by_person" and rows[second].outcome == "accepted"


def test_of_several_copies_of_a_rejected_clip_one_is_kept(workshop: Make) -> None:
    shifted = {f"copy-{n}": np.concatenate([np.zeros(1_000 * n, np.float32), clips.pcm("mine-0")]) for n in (1, 2, 3)}
    work = workshop(clean() | shifted, {name: {"text": clips.texts()["mine-0"]} for name in shifted})
    first, second, *others = sorted(("mine-0", *shifted), key=lambda name: work.clips[name].id)
    work.correct(f"{work.clips[first].id},reject,")
    rows = work.run()
    assert rows[first].reason == "rejected_by_person" and rows[second].outcome == "accepted"
    assert {rows[name].reason for name in others} == {"near_duplicate"}
    assert all(f"copy of {work.clips[second].id}" in rows[name].detail for name in others)


def test_what_the_trainer_cannot_take_stays_out_whoever_approves_it(workshop: Make) -> None:
    sounds = clean() | {"short": clips.pcm("mine-0")[:10_000], "long": np.concatenate([clips.pcm("mine-1")] * 3)[: 255_995 + 1]}
    work = workshop(sounds, {"mine-7": {"text": ""}, "mine-6": {"text": "Привет, как дела?"}})
    longest = "bueno che dale " * 25
    for_all = dict.fromkeys(("short", "long"), "Esto lo escribió una persona.") | {"mine-5": longest}
    work.correct(
        *(f"{work.clips[name].id},text,{words}" for name, words in for_all.items()),
        *(f"{work.clips[n].id},accept," for n in ("mine-6", "mine-7")),
    )
    rows = work.run()
    codes = {
        "short": "audio_too_short",
        "long": "audio_too_long",
        "mine-5": "too_many_tokens",
        "mine-6": "unknown_characters",
        "mine-7": "no_text",
    }
    assert {name: row.reason for name, row in rows.items() if row.reason} == codes


def test_a_person_overrules_every_filter_and_rejects_what_is_clean(workshop: Make, capsys: pytest.CaptureFixture[str]) -> None:
    unsure = {"avg_logprob": -1.4, "language": "pt", "language_prob": 0.99}
    transcripts = {"mine-3": unsure, "mine-4": {"text": "Sí."}, "mine-6": {"text": ""}}
    work = workshop(clean(), transcripts, **{"mine-4": {"noise_db": -21.0}})
    orphan = "0123456789ab-0000000-0009000"
    ids = {name: clip.id for name, clip in work.clips.items()}
    rows = [
        f"{ids['mine-3']},accept,",
        f"{ids['mine-4']},accept,",
        f'{ids["mine-6"]},text,"Estaba en la calle, che | con $20."',
        f"{ids['mine-0']},reject,",
    ]
    work.correct(*rows, f"{orphan},accept,")
    found = work.run()
    assert {name: row.reason for name, row in found.items() if row.reason} == {"mine-0": "rejected_by_person"}
    kept = {e.id: e for e in dataset.read(work.folder / "dataset")}
    assert kept[ids["mine-6"]].text == "Estaba en la calle, che , con $20."
    assert kept[ids["mine-6"]].normalized == "Estaba en la calle, che, con veinte pesos."
    assert kept[ids["mine-3"]].corrected and not kept[ids["mine-1"]].corrected
    assert work.metrics["orphaned_corrections"] == 1 and orphan in capsys.readouterr().out
    assert work.metrics["corrected"] == 3


def test_what_is_not_read_is_in_the_ledger(workshop: Make) -> None:
    rows = workshop(clean(), {"mine-3": {"text": "Bueno, dale, nos vemos ahí 😀 en la esquina."}}).run()
    assert "not read: 😀;" in rows["mine-3"].detail
    assert "not read" not in rows["mine-1"].detail


def test_real_thanks_are_kept(workshop: Make) -> None:
    """A phrase that people say too, that fits the length of the speech, and of which Whisper was sure, was said."""
    thanks = {"text": "Muchas gracias, gracias, nos vemos en la próxima, hasta la próxima."}
    assert workshop(clean(), {"mine-3": thanks}, **{"mine-3": {"speech_s": 4.2}}).run()["mine-3"].outcome == "accepted"


def test_what_nobody_says_is_rejected_however_sure_whisper_was(workshop: Make) -> None:
    texts = {
        "mine-1": "Bueno, nos vemos. ¡Suscribite al canal y dejame tu like!",
        "mine-2": "♪ la vida es una tómbola, de luz y de color ♪",
    }
    texts |= {"mine-3": "Subtitulado por la comunidad de Amara.org. Traducción: Eva Sanz", "mine-4": "Thanks for watching, see you!"}
    sure = {name: {"text": text, "avg_logprob": -0.01, "no_speech_prob": 0.0} for name, text in texts.items()}
    rows = workshop(clean(), sure, **{name: {"speech_s": len(text) / 15} for name, text in texts.items()}).run()
    assert {name: row.reason for name, row in rows.items() if row.reason} == dict.fromkeys(texts, "hallucination")


def test_what_nobody_said_beside_real_speech_is_cut_off_and_recorded(workshop: Make) -> None:
    credit, words = "Subtítulos realizados por la comunidad de Amara.org", clips.texts()
    texts = {
        "mine-1": f"{words['mine-1']} {credit}",
        "mine-2": f"(Risas) {words['mine-2']}",
        "mine-3": f"Dale, nos vemos el lunes a la noche. {credit}",
    }
    texts |= {"mine-4": f"*suspira* {words['mine-4']}", "mine-5": f"- {words['mine-5']}"}
    work = workshop(clean(), {name: {"text": text} for name, text in texts.items()} | {"mine-6": {"text": "[Aplausos]"}})
    work.correct(f"{work.clips['mine-4'].id},accept,", f'{work.clips["mine-5"].id},text,"(Risas), como quien dice, (chau)."')
    rows = work.run()
    assert {name: row.reason for name, row in rows.items() if row.reason} == {"mine-3": "incomplete", "mine-6": "no_text"}
    kept = {example.id: example.text for example in dataset.read(work.folder / "dataset")}
    assert [kept[work.clips[name].id] for name in ("mine-1", "mine-2", "mine-4")] == [
        words[name] for name in ("mine-1", "mine-2", "mine-4")
    ]
    assert kept[work.clips["mine-5"].id] == "(Risas), como quien dice, (chau)."
    assert f"cut off: {credit};" in rows["mine-1"].detail and f"cut off: {credit};" in rows["mine-3"].detail
    assert "cut off: (Risas);" in rows["mine-2"].detail and "cut off" not in rows["mine-7"].detail
    assert work.metrics["cut_texts"] == 5


def test_a_text_that_covers_half_of_the_speech_is_incomplete(workshop: Make) -> None:
    turned = {f"turned-{n}": np.roll(clips.pcm(f"mine-{n}"), len(clips.pcm(f"mine-{n}")) // 2) for n in range(4)}  # no duplicates
    sounds, texts = clean() | turned, {f"turned-{n}": {"text": clips.texts()[f"mine-{n}"]} for n in range(4)}
    half, most = "Che, ayer llegué tarde a lo de mamá.", "Mirá, si querés nos vemos el jueves y tomamos mates en la plaza."
    rows = workshop(sounds, texts | {"mine-0": {"text": half}, "mine-1": {"text": most}}).run()
    assert {name: row.reason for name, row in rows.items() if row.reason} == {"mine-0": "incomplete"}


def test_spanish_that_whisper_takes_for_catalan_stays(workshop: Make) -> None:
    rows = workshop(
        clean(), {"mine-3": {"language": "ca", "language_prob": 0.98}, "mine-4": {"language": "en", "language_prob": 0.98}}
    ).run()
    assert {name: row.reason for name, row in rows.items() if row.reason} == {"mine-4": "wrong_language"}


def test_metrics_hold_numbers_only_and_every_code(workshop: Make) -> None:
    work = workshop(clean(), {"mine-3": {"text": ""}})
    work.run()
    rejected = work.metrics["rejected"]
    assert isinstance(rejected, dict) and tuple(rejected) == tuple(filters.WHY) and sum(rejected.values()) == rejected["no_text"] == 1
    assert not any(word in json.dumps(work.metrics) for word in ("mine", *(clip.id for clip in work.clips.values())))


def test_the_same_again_gives_the_same_bytes_and_computes_nothing(workshop: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    work = workshop(clean())
    work.run()
    written = {path.relative_to(work.folder): path.read_bytes() for path in sorted((work.folder / "dataset").rglob("*.*"))}
    monkeypatch.setattr(xtts, "load_model", lambda *_, **__: pytest.fail("the base was loaded though nothing is new"))
    work.run()
    assert {path.relative_to(work.folder): path.read_bytes() for path in sorted((work.folder / "dataset").rglob("*.*"))} == written
    assert [(line["computed"], line["reused"]) for line in cache.read_log("curate")] == [(8, 0), (0, 8)]


def test_too_little_left_is_one_line(workshop: Make) -> None:
    work = workshop({name: clips.pcm(name) for name in CLEAN[:3]}, {"mine-0": {"text": ""}})
    with pytest.raises(command.UserError, match=r"1 of 3 clips rejected: 1 no_text .*clips of 2 notes are left.*ledger/curate\.csv"):
        work.run()
    assert not (work.folder / "dataset").exists()


def test_one_recording_is_refused_for_being_one(workshop: Make) -> None:
    one_note = {name: {"note": "0123456789ab"} for name in CLEAN}
    with pytest.raises(command.UserError, match=r"8 of 8 clips accepted, but all are of 1 note; .*; cut the recording into three or more"):
        workshop(clean(), {}, **one_note).run()


def test_clips_in_english_are_refused_for_that(workshop: Make, capsys: pytest.CaptureFixture[str]) -> None:
    work = workshop(clean(), {name: {"language": "en", "language_prob": 0.99} for name in CLEAN})
    limit = r"\(median other_language_prob 0\.99, limit max_other_language_prob 0\.8\)"
    with pytest.raises(command.UserError, match=rf"8 of 8 clips rejected: 8 wrong_language {limit}; listen to them with `make review`"):
        work.run()


def test_a_reason_for_more_than_a_quarter_of_the_clips_is_explained(workshop: Make, capsys: pytest.CaptureFixture[str]) -> None:
    unsure = {name: {"avg_logprob": -0.4} for name in CLEAN[:3]}
    workshop(clean(), unsure | {"mine-7": {"text": "Dale, sí."}}).run()
    printed = capsys.readouterr().out
    assert "3 of 8 clips rejected: low_confidence (median avg_logprob -0.2, limit min_avg_logprob -0.25)" in printed
    assert "change curate.min_avg_logprob in params.yaml" in printed and printed.count("make review") == 1


def test_transcripts_of_other_clips_are_refused(workshop: Make) -> None:
    work = workshop(clean())
    clips.write_clips(work.folder / "clips", clean() | {"new": noise(4)})
    with pytest.raises(command.UserError, match="dvc repro transcribe"):
        work.run()


def test_limits_are_coquis_own() -> None:
    from voz.model.xtts import gpt_trainer

    stock = gpt_trainer.GPTArgs()
    assert (stock.max_wav_length, stock.max_text_length) == (limits.MAX_SAMPLES, limits.MAX_TEXT_TOKENS)
