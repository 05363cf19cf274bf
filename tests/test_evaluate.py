"""Base against fine-tuned: which lines are compared, what is written, and what comes from the cache."""

import csv
import hashlib
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from stages import evaluate
from tests import clips, test_lora, tiny_base, tiny_dataset, tiny_whisper
from voz.audio import wav
from voz.data import dataset
from voz.metrics import figures, measures, pitch, voice_losses
from voz.metrics.accent import palatals
from voz.metrics.accent import summary as accent
from voz.model import batches, clip_features, dvae, whisper, xtts
from voz.model.voice import Voice
from voz.pipeline import cache, cache_folders, command, records

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset with three test notes, a base, a Whisper of random weights; run once with a voice that is the base itself."""
    made = tmp_path_factory.mktemp("evaluate")
    examples = tiny_dataset.make(made / "dataset")
    split = ["test", "test", "test", "eval", *["train"] * (len(examples) - 4)]
    records.write(made / "dataset", [replace(each, split=side) for each, side in zip(examples, split, strict=True)])
    tiny_base.make(made / "base")
    tiny_whisper.make(made / "whisper.pt")
    shutil.copytree(made / "base", made / "voice")
    shutil.copyfile(made / "dataset" / "wavs" / f"{examples[3].id}.wav", made / "voice" / "reference.wav")
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    values["compute"]["device"], values["evaluate"]["lines"] = "cpu", 2
    (made / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        run(made, patch)
    return made


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, *, voice: str = "voice", judge: str = "whisper.pt") -> None:
    monkeypatch.chdir(folder)
    inputs = ["--base", "base", "--asr", "whisper.pt", "--judge", judge]
    outputs = ["--lines", "out/lines", "--metrics", "out/evaluate.json", "--summary", "out/summary.json", "--plots", "out/plots"]
    monkeypatch.setattr("sys.argv", ["evaluate", "dataset", voice, *inputs, *outputs])
    evaluate.main()


def read(folder: Path, name: str) -> dict[str, Any]:
    """A JSON file of the last run."""
    values: dict[str, Any] = json.loads((folder / "out" / f"{name}.json").read_text(encoding="utf-8"))
    return values


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_voice_that_is_the_base_differs_in_nothing(folder: Path) -> None:
    values = read(folder, "evaluate")
    assert (values["lines"], values["clips"], values["notes"]) == (2, 3, 3)
    assert values["base"] == values["fine_tuned"]
    assert (
        values["difference"].keys()
        == values["base"].keys()
        >= {"loss", "cer", "similarity", "similarity_resemblyzer", "distillmos", "mcd_db"}
    )
    assert {value for each in values["difference"].values() for value in each.values()} == {0.0}
    assert "loss" not in values["real"] and "mcd_db" not in values["real"]
    assert values["real"]["f0_mean_hz"]["mean"] == pytest.approx(110, abs=25)  # espeak-ng's man
    assert 0 < values["base"]["loss"]["mean"] < 10  # a random model of 1026 codes guesses: ln 1026 = 6.9


def test_lines_lie_beside_their_figures(folder: Path) -> None:
    lines = folder / "out" / "lines"
    rows = records.read(lines, records.Comparison)
    assert len(rows) == len({row.note for row in rows}) == 2
    for row in rows:
        assert (lines / "real" / f"{row.id}.wav").read_bytes() == (folder / "dataset" / "wavs" / f"{row.id}.wav").read_bytes()
        one, other = (wav.read(lines / name / f"{row.id}.wav", rate_hz=24_000) for name in ("base", "fine_tuned"))
        assert np.array_equal(one, other) and row.base == row.fine_tuned
        recorded = wav.read(lines / "real" / f"{row.id}.wav")
        assert row.real["f0_mean_hz"] == pytest.approx(measures.f0(pitch.track(recorded)).mean_hz)


def test_what_goes_to_git_is_aggregate(folder: Path) -> None:
    plots, values = folder / "out" / "plots", read(folder, "evaluate")
    assert {path.stem for path in plots.iterdir()} == set(figures.FIGURES) > set(values["base"])
    for path in plots.iterdir():
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["voice"] for row in rows] == [voice for voice in records.VOICES if path.stem in values[voice]]  # not a row per line
        assert all(float(row["mean"]) == values[row["voice"]][path.stem]["mean"] for row in rows)
    words = "".join(path.read_text(encoding="utf-8") for path in (folder / "out").glob("*.json"))
    assert not any(example.id in words or example.text in words for example in records.read(folder / "dataset", records.Example))


def test_the_summary_is_flat_and_short(folder: Path) -> None:
    summary, values = read(folder, "summary"), read(folder, "evaluate")
    assert summary == {name: values["fine_tuned"][name]["mean"] for name in summary}
    assert 7 <= len(summary) <= 9 and {"cer", "similarity", "similarity_resemblyzer", "distillmos", "loss"} <= set(summary)


def test_a_second_whisper_is_a_figure_of_its_own(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    before = read(folder, "evaluate")
    assert "cer_judge" not in before["base"]  # the judge is the same checkpoint
    run(folder, monkeypatch, judge=str(ROOT / "models/pocket/whisper.pt"))
    values = read(folder, "evaluate")
    assert values["real"]["cer_judge"]["mean"] < 0.2 < values["real"]["cer"]["mean"]  # only the judge is trained
    assert {name: value for name, value in values["base"].items() if name != "cer_judge"} == before["base"]
    assert "cer_judge" in read(folder, "summary")
    printed = capsys.readouterr().out
    assert re.search(r"^cer .* own$", printed, re.M) and re.search(r"^cer_judge .* independent$", printed, re.M)
    run(folder, monkeypatch)


def test_sheismo_is_measured_where_the_text_has_it(folder: Path) -> None:
    rows = records.read(folder / "out" / "lines", records.Comparison)
    for row in rows:
        expected = palatals.find_windows(row.text, wav.read(folder / "out" / "lines" / "real" / f"{row.id}.wav"))
        assert ("sheismo" in row.real) == ("sheismo" in row.base) == bool(expected)
        assert not expected or row.real["sheismo"] == pytest.approx(palatals.share(expected))
    assert any("sheismo" in row.real for row in rows)
    values = read(folder, "evaluate")
    assert 0 <= values["real"]["sheismo"]["mean"] <= 1


def test_accent_is_compared_with_the_recordings(folder: Path) -> None:
    rows = records.read(folder / "out" / "lines", records.Comparison)
    values = json.loads((folder / "out" / "evaluate.json").read_text(encoding="utf-8"))
    for voice, name in records.FROM_REAL.items():
        assert "sheismo" in values[name] and set(values[name]) <= set(accent.NAMES)
        for figure, estimate in values[name].items():
            pairs = [(getattr(row, voice).get(figure), row.real.get(figure)) for row in rows]
            assert estimate["mean"] == pytest.approx(
                np.mean([own - real for own, real in pairs if own is not None and real is not None]), abs=1e-6
            )


def test_again_from_the_cache_and_again_without_it_give_the_same_bytes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*args: object, **kwargs: object) -> None:
        raise AssertionError("a model is loaded")

    before, base = files(folder / "out"), files(folder / "base")
    with monkeypatch.context() as patch:
        for module, name in ((xtts, "load_model"), (whisper, "load"), (dvae, "Dvae")):
            patch.setattr(module, name, forbidden)
        run(folder, patch)
    assert files(folder / "out") == before
    shutil.rmtree(folder / ".cache")
    run(folder, monkeypatch)
    assert files(folder / "out") == before
    assert files(folder / "base") == base


def test_every_entry_of_the_cache_names_its_clip(folder: Path) -> None:
    """`make forget` finds what was computed of a note by the clip's id or the hash of its file; of the reference by its hash."""
    clip_ids = [example.id for example in records.read(folder / "dataset", records.Example) if example.split == "test"]
    hashes = [hashlib.sha256((folder / "dataset" / "wavs" / f"{name}.wav").read_bytes()).hexdigest() for name in clip_ids]
    labels = {path: path.read_text(encoding="utf-8") for path in folder.glob(f".cache/*/??/*/{cache_folders.LABEL}")}
    assert {path.parts[-4] for path in labels} == {
        *("codes", "conditioning", "embeddings", "losses", "speech", "whisper", "line_scores", "voice_embeddings", "signal_quality"),
    }
    reference = hashlib.sha256((folder / "voice" / "reference.wav").read_bytes()).hexdigest()
    for path, label in labels.items():
        assert any(name in label for name in ([reference] if path.parts[-4] == "conditioning" else [*clip_ids, *hashes]))


def test_loss_of_a_clip_is_golden(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Guards voice_losses.STEP_VERSION: when this changes, raise it. Also: the loss is of this voice, reference and text."""
    assert voice_losses.STEP_VERSION == 1
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    wav.write(tmp_path / "reference.wav", clips.pcm("mine-1"))
    wav.write(tmp_path / "clip.wav", clips.pcm("mine-0"))
    tokens = xtts.read_tokenizer(folder / "base").encode("bueno muchachos, gracias por la bancada.", "es")
    clip = batches.Sample("clip", tmp_path / "clip.wav", "", torch.tensor(tokens), len(clips.pcm("mine-0")))
    (sample,) = clip_features.with_codes([clip], folder / "base", "dvae", torch.device("cpu"))
    voice = Voice(folder / "base", tmp_path / "reference.wav", torch.device("cpu"))
    assert voice_losses.clip_losses(voice, [sample], label="loss") == [{"loss": pytest.approx(7.04197, abs=1e-3)}]
    other = Voice(folder / "base", folder / "voice" / "reference.wav", torch.device("cpu"))
    changed = replace(sample, tokens=sample.tokens[:-2])
    found = [
        voice_losses.clip_losses(*each, label="loss")[0]["loss"] for each in ((voice, [sample]), (other, [sample]), (voice, [changed]))
    ]
    assert len(set(found)) == 3
    assert [(line["computed"], line["reused"]) for line in cache.read_log("losses")] == [(1, 0), (0, 1), (1, 0), (1, 0)]


def test_another_voice_is_compared_line_by_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(folder / "voice", folder / "other")
    checkpoint = torch.load(folder / "other" / "model.pth", weights_only=True)
    checkpoint["model"]["gpt.mel_head.bias"][-1] += 3.0  # likelier to stop, so it stops sooner
    torch.save(checkpoint, folder / "other" / "model.pth")
    first = read(folder, "evaluate")
    run(folder, monkeypatch, voice="other")
    values = read(folder, "evaluate")
    assert values["base"] == first["base"] and values["real"] == first["real"]
    loss, base_loss = (values[voice]["loss"]["mean"] for voice in ("fine_tuned", "base"))
    assert values["difference"]["loss"]["mean"] == pytest.approx(loss - base_loss, abs=2e-6) and loss != base_loss
    rows = records.read(folder / "out" / "lines", records.Comparison)
    shorter = [len(wav.read(folder / f"out/lines/fine_tuned/{row.id}.wav", rate_hz=24_000)) for row in rows]
    longer = [len(wav.read(folder / f"out/lines/base/{row.id}.wav", rate_hz=24_000)) for row in rows]
    assert all(one < other for one, other in zip(shorter, longer, strict=True))


def test_an_adapter_is_compared_with_its_base_as_the_merged_voice_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = test_lora.build(folder / "base")
    test_lora.teach(trainer, size=0.1)
    adapted = test_lora.store(trainer, folder / "base", folder / "adapted")
    found = {}
    for voice in (adapted, test_lora.merged(adapted, folder / "base", folder / "merged")):
        shutil.copyfile(folder / "voice" / "reference.wav", voice / "reference.wav")
        run(folder, monkeypatch, voice=voice.name)
        found[voice.name] = files(folder / "out")
    values = read(folder, "evaluate")
    assert found["adapted"] == found["merged"]
    assert abs(values["difference"]["loss"]["mean"]) > 1e-3 and values["base"]["loss"] != values["fine_tuned"]["loss"]


def test_what_is_missing_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(command.UserError, match=r"no reference\.wav"):
        run(folder, monkeypatch, voice="base")
    untested = folder / "untested"
    shutil.copytree(folder / "dataset", untested)
    examples = [each for each in records.read(untested, records.Example) if each.split != "test"]
    records.write(untested, examples)
    with pytest.raises(command.UserError, match="untested: no test clips"):
        evaluate.read_eval_set(untested, folder / "base", 2, torch.device("cpu"))


def example(note: str, number: int) -> records.Example:
    start = number * 9000
    return records.Example(f"{note}-{start:07d}-{start + 9000:07d}", note, "test", "a", "a", 9.0, False, {})


def test_lines_are_spread_over_the_notes() -> None:
    notes = [hashlib.sha256(str(n).encode()).hexdigest()[:12] for n in range(6)]
    many = [example(notes[0], n) for n in range(50)] + [example(note, n) for note in notes[1:] for n in range(2)]
    chosen = dataset.choose_lines(many, 8)
    counts = {note: sum(clip.note == note for clip in chosen) for note in notes}
    assert len(chosen) == 8 and min(counts.values()) == 1 and max(counts.values()) == 2
    assert dataset.choose_lines(many[::-1], 8) == chosen == sorted(chosen, key=lambda clip: clip.id)
    assert dataset.choose_lines(many, 1000) == sorted(many, key=lambda clip: clip.id)
    without = dataset.choose_lines([clip for clip in many if clip.note != notes[5]], 5)
    assert {clip.id for clip in dataset.choose_lines(many, 6)} >= {clip.id for clip in without}  # a new note changes the order of no other


def test_similarity_leaves_out_the_lines_own_note() -> None:
    clips = [example("0123456789ab", 0), example("ba9876543210", 0), example("00ff00ff00ff", 0)]
    of_clips = [np.array([1.0, 0.0]), np.array([0.6, 0.8]), None]  # silence has no embedding
    assert evaluate.similarity("likeness", of_clips[0], "0123456789ab", clips, of_clips) == {"likeness": pytest.approx(0.6)}
    assert evaluate.similarity("likeness", of_clips[0], "0123456789ab", clips[:1], of_clips[:1]) == {}
    assert evaluate.similarity("likeness", None, "0123456789ab", clips, of_clips) == {}


def test_params_refuse_senseless_values() -> None:
    good = evaluate.Params(lines=1, temperature=0.7, top_p=0.85, top_k=50, repetition_penalty=5.0, seed=1)
    for wrong in ({"lines": 0}, {"top_p": 2.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            replace(good, **wrong)
