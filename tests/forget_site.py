"""A repository with two notes, a small pipeline, a real DVC and a remote, in which `make forget` runs."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from voz.data import consent, corrections, origins, phone_transcripts
from voz.pipeline import files

ROOT = Path(__file__).parent.parent
WORDS = {"a": "el colectivo llegó tardísimo otra vez", "b": "mañana te llevo los alfajores, dale"}

# In place of the pipeline: writes every kind of file that the stages write, with the project's own records and cache.
PIPELINE = """
import csv, html, json, os, shutil, sys, time
from pathlib import Path
from voz.pipeline import cache, cache_folders, files, ledger, records
top = Path(os.environ["DVC_ROOT"]).parent
version, words = sys.argv[1], json.loads((top / "words.json").read_text())
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
training = cache_folders.root() / "train" / "ab" / "abcd"
training.mkdir(parents=True, exist_ok=True)
(training / "best.pth").write_bytes(b"PK\\0checkpoint")
cache.log("convert", computed=len(sounds), last=notes[-1].id)
while (top / "wait").exists():
    (top / "wait").write_text(os.getcwd())
    time.sleep(0.1)
"""
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


def environment(folder: Path) -> dict[str, str]:
    """In which commands run in the repository: this Python's, this checkout's code, a DVC of its own."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("DVC_")}
    env |= {
        "PATH": f"{Path(sys.executable).parent}:{env['PATH']}",
        "PYTHONPATH": str(ROOT),
        "DVC_SITE_CACHE_DIR": str(folder.parent / "site"),
    }
    env |= {f"GIT_{who}_{what}": "test@example.invalid" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return env


def call(folder: Path, *command: str, status: int = 0) -> str:
    """Run a command in the repository; returns what it printed."""
    env = environment(folder)
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == status, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def forget(folder: Path, *arguments: str, status: int = 0) -> str:
    return call(folder, sys.executable, "-m", "tools.forgetting.forget", *arguments, status=status)


@contextmanager
def at_work(folder: Path, *command: str) -> Iterator[Path]:
    """Start a command that runs the stage, and wait until the stage has written everything; kill both at the end of the block.

    Yields:
        The working directory of the stage.
    """
    wait = folder.parent / "wait"
    wait.touch()
    running = subprocess.Popen([sys.executable, "-m", *command], cwd=folder, env=environment(folder), start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while not wait.read_text():
            assert time.monotonic() < deadline, f"{command}: the stage did not run"
            time.sleep(0.1)
        yield Path(wait.read_text())
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        wait.unlink()


def make(
    top: Path, remote: str = "../remote", credentials: Mapping[str, str] = MappingProxyType({}), *, cache_type: str = "reflink,copy"
) -> Path:
    """`top`/repository: two notes, processed by two versions of the pipeline, pushed to the remote and committed after each.

    Args:
        cache_type: how DVC puts files from its cache into the checkout.
    """
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
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"], ["dvc", "remote", "add", "-q", "-d", "here", remote]):
        call(folder, *command)
    call(folder, "dvc", "config", "cache.type", cache_type)
    for name, value in credentials.items():
        call(folder, "dvc", "remote", "modify", "--local", "here", name, value)
    call(folder, "dvc", "add", "-q", "data/notes", "data/corrections.csv", "models/base")
    for version in ("1", "2"):
        (folder / "params.yaml").write_text((folder / "params.yaml").read_text().replace("version: 1", f"version: {version}"))
        call(folder, "dvc", "repro", "-q")
        call(folder, "dvc", "push", "-q")
        call(folder, "git", "add", "-A")
        call(folder, "git", "commit", "-qm", version)
    return folder


def note(folder: Path, number: int) -> origins.Origin:
    return origins.read(folder / "data/notes")[number]


def holders(top: Path, needles: list[bytes]) -> list[str]:
    """Files below `top` that have one of `needles` in their name or content, except git's own and words.json."""
    paths = [path for path in top.rglob("*") if path.is_file() and ".git" not in path.parts and path.name != "words.json"]
    contents = {str(path.relative_to(top)): os.fsencode(path) + path.read_bytes() for path in paths}
    return holding(contents, needles)


def holding(contents: dict[str, bytes], needles: list[bytes]) -> list[str]:
    """Those of the files that have one of `needles` in their name or content. A store cuts an MD5 in two: folder and file."""
    return [name for name, data in contents.items() if any(needle in name.replace("/", "").encode() + data for needle in needles)]


def sound(first: str) -> bytes:
    return first.encode() + bytes(range(256)) + first.encode() * 100


def needles_of(folder: Path, row: origins.Origin) -> list[bytes]:
    """What tells that a file is a note's: its id, words, sound, and the MD5 and SHA-256 of the note and of every file named after it,
    in the workspace and in the cache, as text and as bytes."""
    first = row.sha256[0]
    said = [WORDS[first].encode(), json.dumps(WORDS[first])[1:-1].encode(), sound(first)]
    paths = [path for path in folder.rglob("*") if path.is_file() and (row.id in path.name or path.match(".cache/*/??/*/note.wav"))]
    contents = [data for path in paths if sound(first) in (data := path.read_bytes())]
    digests = {hashlib.new(name, data, usedforsecurity=False).digest() for name in ("md5", "sha256") for data in contents}
    return [row.id.encode(), *said, *digests, *(digest.hex().encode() for digest in digests)]
