"""Damaged files of every kind are one line: which file, what is wrong with it, what to do. Torch's advice never shows."""

import json
import random
import subprocess
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stages import report
from tests import tiny_whisper
from tools import profile
from voz.audio import wav
from voz.data import origins
from voz.model import checkpoint, dvae, whisper, xtts
from voz.pipeline import files, ledger, params, records
from voz.pipeline.command import UserError

ROOT = Path(__file__).parent.parent
POCKET = ROOT / "models" / "pocket" / "xtts"


def message(read: Callable[[], Any], path: Path) -> str:
    """The one line that reading a file gives. It starts with the file's path."""
    with pytest.raises(UserError) as caught:
        read()
    line = str(caught.value)
    assert line.startswith(str(path)) and "\n" not in line and "weights_only" not in line and "trust" not in line
    return line


class Code:
    """A pickle of it calls a function when it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return subprocess.call, (["touch", "owned"],)


CHECKPOINTS = {
    "a list": [1, 2, 3],
    "no model": {"a": torch.zeros(3)},
    "an empty model": {"model": {}},
    "a list as the model": {"model": [torch.zeros(3)]},
    "a number as the model": {"model": 3},
    "numbers as weights": {"model": {"gpt.x": 1}},
    "numbers as names": {"model": {1: torch.zeros(3)}},
    "a tensor": torch.zeros(3),
    "nothing": None,
}


@pytest.mark.parametrize("kind", CHECKPOINTS)
def test_a_checkpoint_of_something_else(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    torch.save(CHECKPOINTS[kind], path)
    assert "not an XTTS checkpoint" in message(lambda: xtts.read_weights(path), path)
    assert "not a whisper checkpoint" in message(lambda: whisper.load(path, "cpu"), path)


def test_a_checkpoint_with_code_runs_nothing_and_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.pth"
    torch.save({"model": Code()}, path)
    for read in (xtts.read_weights, checkpoint.read, lambda path: whisper.load(path, "cpu")):
        assert "holds more than weights: commands.call" in message(lambda read=read: read(path), path)  # its name in Python 2
    assert not (tmp_path / "owned").exists()


def test_a_checkpoint_with_any_byte_changed_is_read_or_refused(tmp_path: Path) -> None:
    good = tmp_path / "good.pth"
    torch.save({"model": OrderedDict(a=torch.arange(6.0), b=torch.zeros(2, dtype=torch.int64))}, good)
    data, chance = good.read_bytes(), random.Random(1)
    path, refused = tmp_path / "model.pth", 0
    for _ in range(400):
        changed = bytearray(data)
        for _ in range(chance.choice((1, 1, 8))):
            changed[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(changed[: chance.choice((len(data), len(data), chance.randrange(len(data))))])
        try:
            xtts.read_weights(path)
        except UserError as error:
            refused += 1
            assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
    assert refused > 100


def test_a_pickle_with_any_byte_changed_is_read_or_refused(tmp_path: Path) -> None:
    """The zip's checksums would catch nearly all of them: here they are right again."""
    good, path, chance = tmp_path / "good.pth", tmp_path / "model.pth", random.Random(2)
    torch.save({"model": OrderedDict(a=torch.arange(6.0), b=torch.zeros(2, dtype=torch.int64))}, good)
    with zipfile.ZipFile(good) as source:
        parts = {name: source.read(name) for name in source.namelist()}
    (pickled,) = (name for name in parts if name.endswith("data.pkl"))
    for _ in range(400):
        changed = bytearray(parts[pickled])
        for _ in range(chance.choice((1, 2, 4))):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        with zipfile.ZipFile(path, "w") as target:
            for name, content in parts.items():
                target.writestr(name, bytes(changed) if name == pickled else content)
        try:
            xtts.read_weights(path)
        except UserError as error:
            assert str(error).startswith(f"{path}: ") and "\n" not in str(error)


def test_a_whisper_without_its_parts(tmp_path: Path) -> None:
    path = tiny_whisper.make(tmp_path / "whisper.pt")
    good = torch.load(path, weights_only=True)
    for bad in ({}, {"dims": 3}, good | {"dims": {}}, good | {"model_state_dict": [1]}, {"dims": good["dims"]}):
        torch.save(bad, path)
        assert "not a whisper checkpoint" in message(lambda: whisper.load(path, "cpu"), path)


@pytest.mark.parametrize("name", ["dvae.pth", "mel_stats.pth"])
@pytest.mark.parametrize("content", [[1], {"x": 1}, {}, None, 3])
def test_a_base_with_another_dvae(name: str, content: object, tmp_path: Path) -> None:
    for path in POCKET.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / name).unlink()
    torch.save(content, tmp_path / name)
    message(lambda: dvae.Dvae(tmp_path, torch.device("cpu")), tmp_path / name)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"model": 3}', b"\xff", b'{"model": {"type": "BPE"}}'])
def test_a_damaged_vocabulary(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_bytes(content)
    assert "not a vocabulary" in message(lambda: xtts.read_tokenizer(tmp_path), tmp_path / "vocab.json")


@pytest.mark.parametrize("line", [b"{", b"[]", b"3", b"null", b"", b'"a"', b"\xff\xfe", b'{"id": ', b"[" * 100_000, b'{"id": "x"}'])
def test_a_broken_line_of_a_manifest(line: bytes, tmp_path: Path) -> None:
    good = records.Note(id="0123456789ab", name="a", duration_s=1.0, format="wav", source_hz=8_000, missing_s=0.0)
    records.write(tmp_path, [good])
    path = tmp_path / records.MANIFEST
    path.write_bytes(path.read_bytes() + line + b"\n")
    said = message(lambda: records.read(tmp_path, records.Note), path)
    assert said.startswith(f"{path}:2: ") and said.endswith("; `dvc checkout` restores the file, `dvc repro` writes it again")


def test_a_missing_manifest(tmp_path: Path) -> None:
    assert "missing; run `dvc repro`" in message(lambda: records.read(tmp_path, records.Note), tmp_path / records.MANIFEST)


HEADER = b"input,item,outcome,reason,start_s,end_s,name,detail\n"
LEDGERS = {
    "not UTF-8": HEADER + b"\xf1,a,accepted,,,,,\n",
    "another header": b"input,item,o.297,,\n14moov96",
    "UTF-16": HEADER.decode().encode("utf-16"),
    "a cell too few": HEADER + b"a,a,accepted,,,,\n",
    "a cell too many": HEADER + b"a,a,accepted,,,,,,\n",
    "a huge cell": HEADER + b'"' + b"a" * 200_000,
    "empty": b"",
}


@pytest.mark.parametrize("kind", LEDGERS)
def test_a_damaged_ledger(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "convert.csv"
    path.write_bytes(LEDGERS[kind])
    message(lambda: ledger.read(path), path)


@pytest.mark.parametrize("data", [b"file,date\n", b"\xf1\n", "file,date,sender\n".encode("utf-16"), b"file\0\n", b'"' + b"a" * 200_000])
def test_a_damaged_list_of_origins(data: bytes, tmp_path: Path) -> None:
    (tmp_path / origins.NAME).write_bytes(data)
    message(lambda: origins.read(tmp_path), tmp_path / origins.NAME)


@pytest.mark.parametrize("data", [b"notes: \xf1", "notes: a".encode("utf-16"), b"notes: \0", b"a: &a [*a", b"[" * 5000, b"3", b""])
def test_damaged_params(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(data)
    message(lambda: params.read(path), path)


@pytest.mark.parametrize("data", [b"\xff", b"a: [", b"3", b"", b"a: *b"])
def test_a_damaged_profile(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(data)
    message(lambda: profile.read(path), path)


def test_a_profile_of_another_shape() -> None:
    for values in ({"train": 3}, {"notes": {"a": 1}}):
        with pytest.raises(UserError, match="in place of"):
            profile.overlay(profile.read(ROOT / "params.yaml"), values)


@pytest.mark.parametrize("data", [b"update,text\n1,2\n", b"update,loss\n1,\n", b"update,loss\n1\n", b"\xff", b""])
def test_a_damaged_curve(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_bytes(data)
    if data:
        message(lambda: report.read_curve(path, "update", "loss"), path)
    else:
        assert report.read_curve(path, "update", "loss") == []


@pytest.mark.parametrize("data", [b"", b"\xff", b"{", b"[1]", b"3", b"[" * 100_000])
def test_damaged_json(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "train.json"
    path.write_bytes(data)
    message(lambda: files.read_json(path), path)


def test_a_damaged_wav(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    wav.write(path, np.zeros(100, np.float32))
    whole = path.read_bytes()
    for data in (b"", whole[:20], b"OggS" + bytes(100)):
        path.write_bytes(data)
        assert "not a readable WAV" in message(lambda: wav.read(path), path)
    path.unlink()
    assert "missing" in message(lambda: wav.read(path), path)
    wav.write(path, np.zeros(100, np.float32), rate_hz=16_000)
    assert "16000 Hz, 1 channels; expected 22050 Hz mono" in message(lambda: wav.samples(path), path)


def test_a_stage_ends_with_that_line_and_status_2(tmp_path: Path) -> None:
    (tmp_path / "wav").mkdir()
    (tmp_path / "wav" / records.MANIFEST).write_text(json.dumps({"id": "0123456789ab"}) + "\n")
    command = [sys.executable, "-m", "stages.segment", str(tmp_path / "wav"), str(tmp_path / "clips")]
    command += ["--ledger", str(tmp_path / "segment.csv"), "--metrics", str(tmp_path / "segment.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {tmp_path}/wav/manifest.jsonl:1: ") and done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["wav"]
