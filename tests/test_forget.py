"""`make forget` on a small pipeline with a real DVC and a real remote: afterwards no file may hold the note."""

import contextlib
import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.forget_site import ROOT, WORDS, call, forget, holders, make, note, sound
from tools.forgetting import traces
from voz.audio import encode
from voz.data import corrections, origins, phone_transcripts
from voz.pipeline import cache_folders

PLACES = ("repository/data", "repository/.dvc/cache", "repository/.cache", "remote")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("finished")).parent


@pytest.fixture
def repository(finished: Path, tmp_path: Path) -> Path:
    shutil.copytree(
        finished, tmp_path / "copy", symlinks=True, ignore=shutil.ignore_patterns("site")
    )  # DVC has one site cache for each repository path
    return tmp_path / "copy" / "repository"


@pytest.mark.parametrize("cache_type", ["copy", "symlink", "hardlink"])
def test_a_note_is_gone_everywhere_and_the_other_is_whole(cache_type: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    linked = cache_type != "copy"  # a link does not survive that the finished repository is copied
    repository: Path = make(tmp_path, cache_type=cache_type) if linked else request.getfixturevalue("repository")
    table = repository / "data/corrections.csv"
    assert (table.is_symlink(), table.stat().st_nlink > 1) == (cache_type == "symlink", cache_type == "hardlink")
    mine, other = sorted([note(repository, 0), note(repository, 1)], key=lambda row: row.sha256)
    needles = [mine.id.encode(), WORDS["a"].encode(), json.dumps(WORDS["a"])[1:-1].encode(), sound("a")]
    before = {place: len(holders(repository.parent / place, needles)) for place in PLACES}
    assert min(before.values()) > 2, before  # every place held it before
    left = repository / ".dvc/tmp/exps/standard/copy/data"  # as a killed `dvc exp run --temp` leaves it
    shutil.copytree(repository / "data", left, symlinks=True)
    said = forget(repository, mine.original_name, "--yes")
    assert holders(repository.parent, needles) == []
    assert f"remove   data/wav/{mine.id}.wav" in said and "rewrite  data/transcripts/manifest.jsonl" in said
    assert "cannot   git history: names, hashes" in said and "cannot   trained weights" in said

    assert [row.id for row in origins.read(repository / "data/notes")] == [other.id]
    assert list(phone_transcripts.read(repository / "data/notes")) == [other.id]
    assert list(corrections.read(repository / "data/corrections.csv")) == [f"{other.id}-0000000-0001000"]
    assert (repository / f"data/wav/{other.id}.wav").is_file() and (repository / "models/base/vocab.json").is_file()
    assert len(list((repository / ".cache/transcribe").glob("??/*"))) == 2  # the other's, one per version

    call(repository, "dvc", "repro", "-q")
    assert "up to date" in call(repository, "dvc", "status")
    call(repository, "dvc", "push", "-q")
    call(repository, "git", "add", "-A")
    call(repository, "git", "commit", "-qm", "forgotten")
    call(repository.parent, "git", "clone", "-q", "repository", "clone")
    call(repository.parent / "clone", "dvc", "pull", "-q", "-r", "here")
    assert (repository.parent / "clone/data/notes" / other.file).read_bytes() == (repository / "data/notes" / other.file).read_bytes()
    assert (repository.parent / "clone/models/base/vocab.json").is_file()


@pytest.mark.parametrize("weights", ["model.pth", "adapter.pth"])
def test_every_voice_in_a_store_is_found_whether_whole_or_an_adapter(tmp_path: Path, weights: str) -> None:
    names = {weights: "a" * 32, "reference.wav": "b" * 32, "vocab.json": "c" * 32}
    listing = json.dumps([{"md5": md5, "relpath": name} for name, md5 in names.items()])
    objects = {**{md5: name for name, md5 in names.items()}, "d" * 32 + ".dir": listing}
    for md5, content in objects.items():
        (tmp_path / md5[:2]).mkdir()
        (tmp_path / md5[:2] / md5[2:]).write_text(content)
    for asked, found in ((True, {"aa", "bb", "dd"}), (False, set())):  # the vocabulary is the base's
        traced = traces.in_store(tmp_path, traces.Trail(set()), protected={"c" * 32}, weights=asked)
        assert {path.parent.name for path in traced} == found


def leave_copies(folder: Path, mine: origins.Origin) -> None:
    """What other commands leave: voices of earlier commits, a killed review page, copies by hand, a spoken line, objects of DVC 2."""
    clip = (folder / f"data/clips/{mine.id}-0000000-0001000.wav").read_bytes()
    voices = folder / ".cache/voices"
    for key, reference in (("aa", clip), ("bb", sound("b"))):
        entry = voices / key / f"{key}00"
        entry.mkdir(parents=True)
        (entry / "reference.wav").write_bytes(reference)
        (entry / "model.pth").write_bytes(b"PK\0weights1")
        (entry / ".label.json").write_text(json.dumps({"made_of": ["0" * 40], "bytes": {}}))
    with contextlib.chdir(folder), cache_folders.scratch() as copies:
        pass
    copies.mkdir()
    (copies / "note.wav").write_bytes(clip)
    (folder / "mis cosas").mkdir()
    (folder / "mis cosas/copia.opus").write_bytes((folder / "data/notes" / mine.file).read_bytes())
    (folder / "mis cosas/frases.txt").write_text(f"hola\n{WORDS['a']}\n")
    (folder / "mis cosas/otra.json").write_text(json.dumps([WORDS["a"]]))
    (folder / "mis cosas/receta.txt").write_text("harina y agua, nada más\n")
    for store in (folder / ".dvc/cache", folder.parent / "remote"):
        for name, data in (
            ("aa/" + "1" * 30, clip),
            ("bb/" + "2" * 30 + ".dir", json.dumps([{"md5": "aa" + "1" * 30, "relpath": f"{mine.id}.wav"}]).encode()),
        ):
            (store / name).parent.mkdir(exist_ok=True)
            (store / name).write_bytes(data)


@pytest.mark.parametrize("weights", [False, True])
def test_no_byte_of_a_note_stays_in_checkout_cache_or_remote(repository: Path, weights: bool) -> None:
    """Searched by content: under whatever name, and in whatever the entry was made of."""
    mine, other = sorted([note(repository, 0), note(repository, 1)], key=lambda row: row.sha256)
    leave_copies(repository, mine)
    spoken = [f"hola{ending}" for ending in encode.ENCODERS] + ["SPOKEN.WAV", "renombrado.raw"]
    for name in spoken:
        encode.write(repository / "spoken.wav" if name.endswith("raw") else repository / name, np.zeros(4800, np.float32))
    (repository / "spoken.wav").rename(repository / "renombrado.raw")
    kept = repository / "data/notes" / "0123456789ab.wav"  # a note of somebody who records at the same rate
    encode.write(kept, np.zeros(2400, np.float32))
    (repository / "corto.mp3").write_bytes(b"\xff\xfb\x90\x64" * 3)
    needles = [mine.id.encode(), WORDS["a"].encode(), json.dumps(WORDS["a"])[1:-1].encode(), sound("a")]
    assert len(holders(repository.parent, needles)) > 30
    forget(repository, mine.original_name, "--yes", *["--weights"] * weights)
    assert holders(repository.parent, needles) == []
    assert (repository / "mis cosas/receta.txt").is_file() and (repository / "data/notes" / other.file).is_file()
    gone = [not (repository / name).exists() for name in (".cache/voices/bb", *spoken)]
    assert gone == [weights] * len(gone)
    assert kept.is_file() and (repository / "corto.mp3").is_file()
    if weights:  # of every version
        assert holders(repository.parent, [b"weights1", b"weights2"]) == []


def test_a_note_that_is_added_again_is_pushed_again(repository: Path) -> None:
    mine = note(repository, 0)
    kept = (repository / "data/notes" / mine.file).read_bytes()
    forget(repository, mine.id, "--yes")
    (repository / "data/notes" / mine.file).write_bytes(kept)
    call(repository, "dvc", "add", "-q", "data/notes")
    call(repository, "dvc", "push", "-q", "data/notes")
    assert any(path.read_bytes() == kept for path in (repository.parent / "remote").rglob("*") if path.is_file())


def test_nothing_is_removed_without_a_yes(repository: Path) -> None:
    mine = note(repository, 0)
    before = sorted(path for path in repository.parent.rglob("*") if "site" not in path.parts)
    assert "nothing was removed" in forget(repository, mine.id, status=2)
    ours, theirs = pty.openpty()
    os.write(ours, b"no\n")
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tools.forgetting.forget", mine.id]
    done = subprocess.run(command, cwd=repository, env=env, stdin=theirs, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "nothing was removed" in done.stderr
    after = sorted(path for path in repository.parent.rglob("*") if "site" not in path.parts)
    assert [path for path in before if path not in after] == []


def test_the_same_sound_under_another_name_goes_too(repository: Path) -> None:
    mine = note(repository, 0)
    folder = repository / "data/notes"
    duplicate = folder / "gemelo.opus"
    duplicate.write_bytes(b"z" + (folder / mine.file).read_bytes())  # other bytes; convert's ledger says that the sound is the same
    shutil.copy(folder / mine.file, folder / "copia.opus")
    with open(repository / "reports/ledger/convert.csv", "a") as file:
        file.write(f"gemelo.opus,gemelo.opus,rejected,duplicate,,,gemelo.opus,the same sound as {mine.file} ({mine.id})\n")
    forget(repository, "gemelo.opus", "--yes")
    assert not duplicate.exists() and not (folder / "copia.opus").exists() and not (folder / mine.file).exists()
    assert "gemelo" not in (repository / "reports/ledger/convert.csv").read_text()


def test_a_note_that_is_no_longer_in_the_folder_is_found_by_its_id(repository: Path) -> None:
    mine = note(repository, 0)
    (repository / "data/notes" / mine.file).unlink()
    shutil.rmtree(repository / "data/wav")
    forget(repository, mine.id, "--yes")
    assert holders(repository.parent, [mine.id.encode()]) == []


def test_weights_are_removed_on_request(repository: Path) -> None:
    mine = note(repository, 0)
    assert "WEIGHTS=1" in forget(repository, mine.id, status=2)
    forget(repository, mine.id, "--weights", "--yes")
    assert not (repository / "models/voice/model.pth").exists() and not (repository / ".cache/train/ab").exists()
    assert holders(repository / ".dvc/cache", [b"weights2"]) == [] == holders(repository.parent / "remote", [b"weights2"])


def test_all_notes_are_removed_and_the_base_stays(repository: Path) -> None:
    needles = [WORDS["a"].encode(), WORDS["b"].encode(), sound("a"), sound("b"), b"weights2", b"de acuerdo"]
    needles += [note(repository, number).id.encode() for number in (0, 1)]
    forget(repository, "--all", "--yes")
    assert holders(repository.parent, needles) == []
    assert not (repository / "data/notes").exists() and not (repository / "data/notes.dvc").exists()
    assert holders(repository.parent / "remote", [b"de la base"]) and (repository / "models/base/vocab.json").is_file()
    call(repository, "dvc", "checkout", "models/base.dvc")


def test_unknown_notes_and_notes_in_git_are_refused(repository: Path) -> None:
    assert "no note in data/notes" in forget(repository, "nadie.opus", "--yes", status=2)
    assert "no trace" in forget(repository, "0123456789ab", "--yes", status=2)
    assert "which note" in forget(repository, status=2)
    call(repository, "git", "add", "-f", "data/notes")
    assert "in git" in forget(repository, note(repository, 0).id, "--yes", status=2)
