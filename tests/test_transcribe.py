"""Whisper in batches: a clip's text depends on the clip alone, only failed rows are tried again, known clips come from the cache."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
import whisper as openai_whisper
import yaml
from whisper.decoding import DecodingOptions

from stages import transcribe
from tests import clips
from voz.audio import wav
from voz.model import transcriber, whisper
from voz.pipeline import cache, command, ledger, records

ROOT = Path(__file__).parent.parent
SEED = 49577016865954
DRAWN = [[0, 5, 7, 9, 9], [0, 6, 9, 9, 9], [9, 9, 9, 9, 9], [0, 8, 3, 7, 4]]
MODEL = ROOT / "models" / "pocket" / "whisper.pt"


@pytest.fixture(scope="module")
def confused(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real Whisper of 6 s with random weights: its greedy text loops, so every row falls back to sampling."""
    torch.manual_seed(3)
    dims = openai_whisper.model.ModelDimensions(80, 300, 32, 2, 1, 51865, 64, 32, 2, 1)  # n_audio_ctx 300 = 6 s
    model = whisper.Whisper(dims)
    for name, weights in model.named_parameters():  # wide enough that the sound changes the text; whisper leaves some memory uninitialised
        torch.nn.init.normal_(weights, std=0.02 if "token_embedding" in name else 0.3)
    path = tmp_path_factory.mktemp("whisper") / "tiny.pt"
    torch.save({"dims": vars(dims), "model_state_dict": model.state_dict()}, path)
    return path


def sounds(count: int) -> list[np.ndarray]:
    return [wav.resample(clips.pcm(f"mine-{n}"), wav.SAMPLE_RATE_HZ, wav.ASR_RATE_HZ)[: 16_000 * 5] for n in range(count)]


def transcribed(
    model: whisper.Whisper, pcms: Sequence[np.ndarray], seeds: list[int], temperatures: Sequence[float] = (0.0, 0.4, 0.8)
) -> list[whisper.Transcription]:
    return whisper.transcribe(model, pcms, prompt="Che, vos.", temperatures=temperatures, seeds=seeds)


def test_text_does_not_depend_on_neighbours_order_or_drawn_numbers(confused: Path) -> None:
    model = whisper.load(confused, "cpu")
    pcms, seeds = [*sounds(7), np.random.default_rng(0).normal(0, 0.9, 60_000).astype(np.float32)], list(range(8))
    together = transcribed(model, pcms, seeds)
    assert max(one.temperature for one in together) > 0  # sampling took part
    torch.manual_seed(99)
    backwards = transcribed(model, pcms[::-1], seeds[::-1])[::-1]
    alone = [transcribed(model, [pcm], [seed])[0] for pcm, seed in zip(pcms[:3], seeds, strict=False)]
    assert backwards == together and alone == together[:3]


def test_sampling_follows_the_seed(confused: Path) -> None:
    model = whisper.load(confused, "cpu")
    first, second, again = (transcribed(model, sounds(1), [seed], temperatures=[0.8])[0].text for seed in (1, 2, 1))
    assert first == again != second


def test_only_rows_that_failed_are_tried_again(confused: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = whisper.load(confused, "cpu")
    greedy = transcribed(model, sounds(4), [1, 2, 3, 4], temperatures=[0.0])
    limit = float(np.median([one.avg_logprob for one in greedy]))  # two rows pass, two do not
    monkeypatch.setattr(whisper, "MIN_AVG_LOGPROB", limit)
    monkeypatch.setattr(whisper, "MAX_COMPRESSION_RATIO", 1000.0)
    found = transcribed(model, sounds(4), [1, 2, 3, 4], temperatures=[0.0, 0.4])
    assert sorted(one.temperature for one in found) == [0.0, 0.0, 0.4, 0.4]
    for one, before in zip(found, greedy, strict=True):
        assert (one == before) == (before.avg_logprob >= limit)


def test_greedy_in_a_batch_equals_whispers_own_decode() -> None:
    model = whisper.load(MODEL, "cpu")
    pcm = sounds(3)[2]
    mel = openai_whisper.log_mel_spectrogram(openai_whisper.pad_or_trim(pcm, 12 * 16_000))
    own = openai_whisper.decode(model, mel, DecodingOptions(language="es", without_timestamps=True, fp16=False, temperature=0.0))
    ours = whisper.transcribe(model, sounds(3), prompt="", temperatures=[0.0], seeds=[0, 1, 2])[2]
    assert ours.text == " ".join(own.text.split()) and ours.avg_logprob == pytest.approx(own.avg_logprob, abs=2e-4)


def test_a_recording_longer_than_the_window_is_cut_in_the_pauses(confused: Path) -> None:
    model = whisper.load(confused, "cpu")
    assert whisper.window_s(model) == 6.0
    first, second = sounds(2)
    pause = np.zeros(8_000, np.float32)
    long = np.concatenate([first, pause, second, pause, first])  # 16 s; the pauses lie at 5.0-5.5 and 10.5-11 s
    pieces = whisper.windows(long, 6.0)
    assert sum(map(len, pieces)) == len(long) and max(map(len, pieces)) <= 6 * 16_000
    assert 5.0 < len(pieces[0]) / 16_000 < 5.5
    found = transcribed(model, [long, second], [1, 2])
    assert found[0].windows == len(pieces) == 3 and found[1].windows == 1


@pytest.mark.parametrize("content", [b"", b"no pickle", None])
def test_a_file_that_is_not_a_checkpoint_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "medium.pt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(command.UserError, match=r"medium\.pt: .*make base") as caught:
        whisper.load(path, "cpu")
    assert "\n" not in str(caught.value)


def test_known_speech_needs_no_model_and_its_text_is_golden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards transcriber.GREEDY_VERSION: when the text changes, raise it."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    assert transcriber.GREEDY_VERSION == 2
    first, again = (transcriber.Transcriber(MODEL, torch.device("cpu")) for _ in range(2))
    pcms, ids = [clips.pcm(f"mine-{n}") for n in range(2)], ["a", "b"]
    texts = first.texts(pcms[:1], rate_hz=22_050, ids=ids[:1])
    assert texts == ["Che, ayer llegué tarde a lo de mamá porque llovía mucho ino pasaba el colectivo."]
    assert again.texts(pcms[:1], rate_hz=22_050, ids=ids[:1]) == texts and "model" not in vars(again)
    assert again.texts(pcms, rate_hz=22_050, ids=ids)[0] == texts[0]
    first.texts([pcms[0] * 0.5, pcms[1]], rate_hz=22_050, ids=ids)
    first.texts(pcms[:1], rate_hz=24_000, ids=ids[:1])
    assert [(line["computed"], line["reused"]) for line in cache.read_log("whisper")] == [(1, 0), (0, 1), (1, 1), (1, 1), (1, 0)]


def run_stage(folder: Path, model: Path) -> subprocess.CompletedProcess[str]:
    command_line = [sys.executable, "-m", "stages.transcribe", "clips", "transcripts", "--asr", str(model)]
    paths = ["--ledger", "ledger.csv", "--metrics", "transcribe.json"]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    return subprocess.run([*command_line, *paths], cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_stage_gives_every_clip_a_row_and_recomputes_only_the_new_one(
    tmp_path: Path, confused: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    knobs = yaml.safe_load((ROOT / "params.yaml").read_text())
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(knobs | {"transcribe": knobs["transcribe"] | {"temperatures": [0.0, 0.4]}}))
    folder = tmp_path / "clips"
    clips.write_clips(folder, {f"mine-{n}": clips.pcm(f"mine-{n}") for n in range(2)} | {"silence": np.zeros(66_150, np.float32)})
    first = run_stage(tmp_path, confused)
    assert first.returncode == 0, first.stderr
    before = (tmp_path / "transcripts" / "manifest.jsonl").read_text().splitlines()
    clips.write_clips(folder, {f"mine-{n}": clips.pcm(f"mine-{n}") for n in range(3)} | {"silence": np.zeros(66_150, np.float32)})
    assert run_stage(tmp_path, confused).returncode == 0
    after = (tmp_path / "transcripts" / "manifest.jsonl").read_text().splitlines()
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    assert [(line["computed"], line["reused"]) for line in cache.read_log("transcribe")] == [(3, 0), (1, 3)]
    assert len(after) == 4 and set(before) < set(after)
    rows = records.read(tmp_path / "transcripts", records.Transcript)
    accounted = ledger.read(tmp_path / "ledger.csv")
    assert {row.id for row in rows} == {row.input for row in accounted} and {row.outcome for row in accounted} == {"accepted"}
    # mine-0 lasts 6.01 s, the model's window 6.0 s: the ledger says so
    assert sum("2 pieces" in row.detail for row in accounted) == sum(len(clips.pcm(f"mine-{n}")) > 6.0 * 22_050 for n in range(3)) == 1
    numbers = json.loads((tmp_path / "transcribe.json").read_text())
    assert numbers["clips"] == 4 and not any(isinstance(value, str) for value in numbers.values())


def test_seeds_and_draws_are_golden() -> None:
    """Guards stages.transcribe.STEP_VERSION: when one of these changes, the same clip gives another text, so raise it."""
    assert transcribe.STEP_VERSION == 2
    assert whisper.seed_of("0123456789ab-0000000-0009000") == SEED
    decoder = whisper.SeededDecoder(0.5, eot=9, seeds=[1, 2, 3, 4])
    tokens, total = torch.tensor([[0], [0], [9], [0]]), torch.zeros(4)
    logits = torch.linspace(-1, 1, 10).repeat(4, 1)
    for _ in range(4):
        tokens, _ = decoder.update(tokens, logits, total)
    assert tokens.tolist() == DRAWN
    logprobs = logits[0].log_softmax(0)
    assert total[2] == 0.0 and float(total[0]) == pytest.approx(
        float(logprobs[[5, 7, 9]].sum())
    )  # the first end of text counts, later ones do not


def test_timestamps_are_used_where_the_model_was_trained_with_them(confused: Path) -> None:
    """The pocket model never saw a timestamp token: all of them share one embedding."""
    assert not whisper.knows_timestamps(whisper.load(MODEL, "cpu"))
    assert whisper.knows_timestamps(whisper.load(confused, "cpu"))


def test_what_lies_behind_an_early_stop_is_read_on_if_it_holds_sound() -> None:
    tone = np.sin(np.arange(9 * 16_000) / 20).astype(np.float32)
    (rest,) = whisper._Piece(2, 0, tone).rest(4.0)
    assert (rest.row, rest.number, rest.reading, len(rest.pcm)) == (2, 0, 1, 5 * 16_000)
    assert whisper._Piece(0, 0, tone).rest(8.5) == []  # too short for a word
    assert whisper._Piece(0, 0, tone, reading=10).rest(0.02) == []  # a model that does not get on
    assert whisper._Piece(0, 0, np.concatenate([tone, 0.01 * tone])).rest(9.0) == []  # a pause
