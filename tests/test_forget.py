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

from tools.forgetting import traces
from voz.audio import encode
from voz.data import consent, corrections, origins, phone_transcripts
from voz.pipeline import cache, files

ROOT = Path(__file__).parent.parent
WORDS = {"a": "el colectivo llegó tardísimo otra vez", "b": "mañana te llevo los alfajores, dale"}

# In place of the pipeline: writes every kind of file that the stages write, with the project's own records and cache.
PIPELINE = """
import csv, html, json, shutil, sys
from pathlib import Path
from voz.pipeline import cache, files, ledger, records
version, words = sys.argv[1], json.loads(Path("../words.json").read_text())
sounds = sorted(Path("data/notes").glob("*.opus"))
for name in ("data/wav", "data/clips", "data/transcripts", "data/dataset/wavs", "reports/lines/base", "reports/epochs", "models/voice"):
    Path(name).mkdir(parents=True, exist_ok=True)
account = ledger.Account("convert", [sound.name for sound in sounds])
convert, transcribe = (cache.Cache(name, 1, params={"version": version}) for name in ("convert", "transcribe"))
notes, clips, texts, examples = [], [], [], []
for sound in sounds:
    sha = files.hash_file(sound)
    note, said = sha[:12], words[sound.read_bytes()[:1].decode()]
    key = convert.key(sha)
    with convert.put(key) as entry:
        (entry / "note.wav").write_bytes(b"RIFF\\0" + version.encode() + sound.read_bytes())
    files.copy(convert.path(key) / "note.wav", Path(f"data/wav/{note}.wav"))
    notes.append(records.Note(note, sound.name, 1.0, "ogg-opus", 16000, 0.0))
    account.accept(sound.name, note)
    clip = f"{note}-0000000-0001000"
    shutil.copy(f"data/wav/{note}.wav", f"data/clips/{clip}.wav")
    shutil.copy(f"data/wav/{note}.wav", f"data/dataset/wavs/{clip}.wav")
    key = transcribe.key(files.hash_file(Path(f"data/wav/{note}.wav")))
    with transcribe.put(key) as entry:
        (entry / "heard.json").write_text(json.dumps({"text": said}))
    texts.append(records.Transcript(clip, said, -0.1, 0.0, 1.0, 0.0, "es", 1.0))
    examples.append(records.Example(clip, note, "train", said, said, 1.0, False, {}))
    Path(f"reports/lines/base/{clip}.wav").write_bytes(b"RIFF\\0base says " + said.encode())
account.close(Path("reports/ledger/convert.csv"))
records.write(Path("data/wav"), notes)
records.write(Path("data/transcripts"), texts)
records.write(Path("data/dataset"), examples)
Path("data/dataset/metadata.csv").write_text("".join(f"{each.id}|{each.text}|{each.normalized}\\n" for each in examples))
first = examples[0]
Path("reports/epochs/epochs.json").write_text(json.dumps({"line": {"id": first.id, "text": first.text}}))
Path("reports/epochs/epoch-00.wav").write_bytes(b"RIFF\\0" + version.encode() + first.text.encode())
Path("reports/report.html").write_text("<p>" + "</p><p>".join(html.escape(each.text) for each in examples) + "</p>")
shutil.copy(f"data/dataset/wavs/{first.id}.wav", "models/voice/reference.wav")
Path("models/voice/model.pth").write_bytes(b"PK\\0weights" + version.encode() + str(len(sounds)).encode())
shutil.copy("models/base/vocab.json", "models/voice")
training = cache.root() / "train" / "ab" / "abcd"
training.mkdir(parents=True, exist_ok=True)
(training / "best.pth").write_bytes(b"PK\\0checkpoint")
cache.log("convert", computed=len(sounds), last=notes[-1].id)
"""
PLACES = ("repository/data", "repository/.dvc/cache", "repository/.cache", "remote")
OUTS = [
    "data/wav",
    "data/clips",
    "data/transcripts",
    "data/dataset",
    "reports/ledger/convert.csv",
    "reports/lines",
    "reports/epochs",
    "reports/report.html",
]


def call(folder: Path, *command: str, status: int = 0) -> str:
    """Run a command in the repository; returns what it printed."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("DVC_")}
    env |= {
        "PATH": f"{Path(sys.executable).parent}:{env['PATH']}",
        "PYTHONPATH": str(ROOT),
        "DVC_SITE_CACHE_DIR": str(folder.parent / "site"),
    }
    env |= {f"GIT_{who}_{what}": "test@example.invalid" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == status, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def forget(folder: Path, *arguments: str, status: int = 0) -> str:
    return call(folder, sys.executable, "-m", "tools.forgetting.forget", *arguments, status=status)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two notes, processed by two versions of the pipeline, pushed and committed after each."""
    top = tmp_path_factory.mktemp("finished")
    folder = top / "repository"
    (folder / "data/notes").mkdir(parents=True)
    (folder / "models/base").mkdir(parents=True)
    rows = []
    for first, name in (("a", "PTT-20260102-WA0001.opus"), ("b", "PTT-20260103-WA0002.opus")):
        sound = first.encode() + bytes(range(256)) + first.encode() * 500
        (folder / name).write_bytes(sound)
        file = origins.file_name(files.hash_file(folder / name)[:12], "2026-01-02", ".opus")
        (folder / name).rename(folder / "data/notes" / file)
        rows.append(origins.Origin(file, "2026-01-02", "Ana", name, "1.000", first * 64))
    origins.write(folder / "data/notes", rows)
    phone_transcripts.add(folder / "data/notes", {row.id: WORDS[row.sha256[0]] for row in rows})
    consent.write(folder / "data/notes/consent.yaml", consent.Consent("Ana", "2026-01-02", "de acuerdo", "privado"))
    corrected = [corrections.Correction(f"{row.id}-0000000-0001000", True, WORDS[row.sha256[0]]) for row in rows]
    corrections.write(folder / "data/corrections.csv", corrected)
    (folder / "models/base/vocab.json").write_text('{"vocab": "de la base"}')
    (top / "words.json").write_text(json.dumps(WORDS))
    (folder / "pipeline.py").write_text(PIPELINE)
    (folder / "params.yaml").write_text("notes: data/notes\ncorrections: data/corrections.csv\nversion: 1\n")
    outs = "".join(f"      - {out}\n" for out in [*OUTS, "models/voice"])
    stage = f"    cmd: python pipeline.py ${{version}}\n    deps:\n      - data/notes\n      - data/corrections.csv\n    outs:\n{outs}"
    (folder / "dvc.yaml").write_text(f"stages:\n  all:\n{stage}")
    (folder / ".gitignore").write_text("/.cache\n")
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"], ["dvc", "remote", "add", "-q", "-d", "here", "../remote"]):
        call(folder, *command)
    call(folder, "dvc", "add", "-q", "data/notes", "data/corrections.csv", "models/base")
    for version in ("1", "2"):
        (folder / "params.yaml").write_text((folder / "params.yaml").read_text().replace("version: 1", f"version: {version}"))
        call(folder, "dvc", "repro", "-q")
        call(folder, "dvc", "push", "-q")
        call(folder, "git", "add", "-A")
        call(folder, "git", "commit", "-qm", version)
    return top


@pytest.fixture
def repository(finished: Path, tmp_path: Path) -> Path:
    shutil.copytree(
        finished, tmp_path / "copy", symlinks=True, ignore=shutil.ignore_patterns("site")
    )  # DVC has one site cache for each repository path
    return tmp_path / "copy" / "repository"


def note(folder: Path, number: int) -> origins.Origin:
    return origins.read(folder / "data/notes")[number]


def holders(top: Path, needles: list[bytes]) -> list[str]:
    """Files below `top` that have one of `needles` in their name or content, except git's own and words.json."""
    paths = [path for path in top.rglob("*") if path.is_file() and ".git" not in path.parts and path.name != "words.json"]
    return [str(path.relative_to(top)) for path in paths if any(needle in os.fsencode(path) + path.read_bytes() for needle in needles)]


def sound(first: str) -> bytes:
    return first.encode() + bytes(range(256)) + first.encode() * 100


def test_a_note_is_gone_everywhere_and_the_other_is_whole(repository: Path) -> None:
    mine, other = sorted([note(repository, 0), note(repository, 1)], key=lambda row: row.sha256)
    needles = [mine.id.encode(), WORDS["a"].encode(), json.dumps(WORDS["a"])[1:-1].encode(), sound("a")]
    before = {place: len(holders(repository.parent / place, needles)) for place in PLACES}
    assert min(before.values()) > 2, before  # every place held it before
    shutil.copytree(repository / "data", repository / ".dvc/tmp/exps/standard/copy/data")  # as a killed `dvc exp run --temp` leaves it
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
    with contextlib.chdir(folder), cache.scratch() as copies:
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
