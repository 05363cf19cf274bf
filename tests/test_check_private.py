"""`git add -A` takes nothing of a person, and `make check-private` finds what was forced in. In a clone with a real git."""

import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from dataclasses import asdict
from pathlib import Path

import pytest
import safetensors.torch
import torch

from tests import recordings
from tools import check_private
from voz.pipeline import records

ROOT = Path(__file__).parent.parent
CONSENT = "speaker: Ana\ndate: 2026-01-02\nstatement: de acuerdo\nscope: privado\n"
CHAT = "12/3/26, 17:45 - Ana: hola\n" * 3
KEY = "-----BEGIN " + "PRIVATE KEY-----\nabc\n"  # in two pieces, or this file would be found

PRIVATE = [
    "Chat de WhatsApp con Ana.zip",
    "WhatsApp Chat - Ana/_chat.txt",
    "WhatsApp Chat - Ana/00000001-PHOTO-2026-03-12.jpg",
    "Chat de WhatsApp con Ana/IMG-20260312-WA0001.jpg",
    "Chat de WhatsApp con Ana.txt",
    *(
        f"nota.{extension}"
        for extension in ("opus", "OPUS", "ogg", "oga", "m4a", "mp3", "aac", "amr", "wav", "WAV", "flac", "3gp", "mp4", "caf", "webm")
    ),
    *(f"copia.{extension}" for extension in ("7z", "rar", "tar", "tar.gz", "tgz", "zst")),
    "hola.wav",
    "salidas/hola.ogg",
    "stages/nota.opus",
    "data/notas de ana/PTT-1.opus",
    "data/notas de ana/consent.yaml",
    "data/notas de ana/notes.csv",
    "data/mis-notas/transcripts.csv",
    "data/otra.csv",
    "data/notes/consent.yaml",
    "data/corrections.csv",
    "consent.yaml",
    "corrections.csv",
    "models/voice/model.pth",
    "models/mia/model.pth",
    "voz.pth",
    ".params.yaml.123.tmp",
    "data/demo/.notes.tmp/x.opus",
    "reports/.lines.tmp/x.wav",
    "reports/lines/manifest.jsonl",
    "reports/ledger/convert.csv",
    "reports/report.html",
    "outputs/01-hola.wav",
    ".env",
    "clave.pem",
    "id_ed25519",
]
PUBLIC = [
    "data/notes.dvc",
    "data/mis/notas.dvc",
    "data/texts.txt",
    "tests/fixtures/otra.opus",
    "data/demo/notes/otra.opus",
    "tests/test_new.py",
    "tools/whatsapp/new.py",
]


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"]
    return subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--no-tags", str(ROOT), str(folder))
    shutil.copy(ROOT / ".gitignore", folder)
    git(folder, "add", ".gitignore")
    monkeypatch.chdir(folder)
    return folder


def put(name: str, data: bytes | str = b"x") -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_bytes(data.encode() if isinstance(data, str) else data)


def test_git_add_all_takes_nothing_of_a_person(clone: Path) -> None:
    for name in [*PRIVATE, *PUBLIC]:
        put(name)
    git(clone, "add", "-A")
    staged = set(git(clone, "-c", "core.quotePath=off", "diff", "--cached", "--name-only").splitlines())
    assert staged & set(PRIVATE) == set()
    assert staged >= set(PUBLIC)
    assert git(clone, "status", "--porcelain", "-uall").count("??") == 0


def test_nothing_that_is_tracked_is_ignored() -> None:
    assert git(ROOT, "ls-files", "-ci", "--exclude-standard") == ""


def archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("a", "x")
    return out.getvalue()


def checkpoint(protocol: int) -> bytes:
    """As torch.save wrote it before 1.6: no zip."""
    out = io.BytesIO()
    torch.save({"w": torch.zeros(2)}, out, _use_new_zipfile_serialization=False, pickle_protocol=protocol)
    return out.getvalue()


NOTE_ID = "3fa9c1d2e4b5"
CLIP_ID = f"{NOTE_ID}-0000000-0009000"
TRANSCRIPT = json.dumps(asdict(records.Transcript(CLIP_ID, "dale, nos vemos", -0.1, 0.0, 1.0, 0.0, "es", 1.0)))
NOTE = json.dumps(asdict(records.Note(NOTE_ID, "PTT-1.opus", 1.0, "ogg-opus", 16000, 0.0)))
HEADS = {"corrections": "clip,action,text\n", "hints": "note,text\n", "origins": "file,date,sender,original_name,duration_s,sha256\n"}
COPIED: dict[str, tuple[bytes | str, str]] = {  # under another name and in another place
    "docs/x.jsonl": (f"{TRANSCRIPT}\n", "data of a person"),
    "docs/x.txt": (f"see:\n{NOTE}\n", "data of a person"),
    "docs/lista.json": (json.dumps({"clips": [{"id": CLIP_ID, "text": "dale"}]}, indent=2), "data of a person"),
    "docs/whisper.json": (json.dumps({"segments": [{"text": "dale", "avg_logprob": -0.1}]}), "data of a person"),
    "docs/a.csv": (f"{HEADS['corrections']}{CLIP_ID},text,dale\n", "data of a person"),
    "docs/a.dat": (f"{CLIP_ID},text,dale\n".encode("utf-16-le"), "data of a person"),
    "docs/b.csv": (f"{HEADS['hints']}{NOTE_ID},dale\n", "data of a person"),
    "docs/b.md": (f'\n{NOTE_ID},"dale, nos vemos"\n', "data of a person"),
    "docs/c.tsv": (f"{HEADS['origins']}2026-05-12_{NOTE_ID}.opus,2026-05-12,Ana,PTT-1.opus,1.0,00\n", "data of a person"),
    "docs/d": (f"{CLIP_ID}|dale|dale\n", "data of a person"),
    "docs/charla.md": (CHAT, "a chat"),
    "docs/foto.jpg": (checkpoint(2), "weights"),
    "docs/foto2.jpg": (checkpoint(4), "weights"),
    "docs/pesos": (safetensors.torch.save({"w": torch.zeros(2)}), "weights"),
    "docs/matriz": (b"\x93NUMPY\x01\x00v\x00{}", "weights"),
}
FORCED: dict[str, tuple[bytes | str, str]] = {
    "docs/foto.png": (recordings.note(), "sound"),
    "nota.opus": (b"x", "sound"),
    "nombres.bin": (archive(), "an archive, or weights"),
    "model.pth": (b"x", "weights"),
    "notas.txt": (CHAT, "a chat"),
    "acuerdo.yml": (CONSENT, "a consent record"),
    "remoto.ini": ("[x]\n    secret_access_key = abcdefghijklmnop\n", "a credential"),
    "clave.txt": (KEY, "a credential"),
    "data/otra/lista.csv": ("a,b\n", "data of a person"),
    "reports/lines/manifest.jsonl": ("{}\n", "data of a person"),
    **COPIED,
}


@pytest.mark.parametrize(
    "data",
    [
        *HEADS.values(),
        "commit 3fa9c1d2e4b5, which mends it\n",
        "3fa9c1d2e4b5 dale\n3fa9c1d2e4b5,17\n",
        json.dumps({"id": "store", "text": "dale"}),
        json.dumps({"loss": [1.0, 2.0], "clips": {"duration_s": 3.0}}),
        "[" * 100_000,
        pickle.dumps({"w": [1.0]}),
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
    ],
)
def test_what_only_resembles_a_persons_data_passes(data: bytes | str) -> None:
    assert check_private.problem("docs/x", data.encode() if isinstance(data, str) else data) == ""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}  # this checkout's code, not the clone's
    return subprocess.run([sys.executable, "-m", "tools.check_private", *arguments], env=env, capture_output=True, text=True, check=False)


def test_what_was_forced_in_is_found_in_the_index_and_in_the_history(clone: Path) -> None:
    assert run().returncode == 0 == run("--history").returncode
    for name, (data, _) in FORCED.items():
        put(name, data)
    git(clone, "add", "-f", *FORCED)
    done = run()
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert sorted(done.stdout.splitlines()) == sorted(f"{name}: {reason}" for name, (_, reason) in FORCED.items())
    git(clone, "commit", "-qm", "x")
    git(clone, "rm", "-q", *FORCED)
    git(clone, "commit", "-qm", "y")
    assert run().returncode == 0
    done = run("--history")
    assert done.returncode == 2 and len(done.stdout.splitlines()) == len(FORCED)


def test_the_hook_stops_a_commit_and_replaces_no_other_hook(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (clone / ".venv/bin").mkdir(parents=True)
    (clone / ".venv/bin/python").symlink_to(sys.executable)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *sys.path]))
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    check_private.install_hook()
    check_private.install_hook()
    put("nota.opus", recordings.note())
    git(clone, "add", "-f", "nota.opus")
    with pytest.raises(subprocess.CalledProcessError) as raised:
        git(clone, "commit", "-qm", "x")
    assert "nota.opus: sound" in raised.value.stdout + raised.value.stderr
    git(clone, "mv", "-f", "nota.opus", "tests/fixtures/nota.opus")
    git(clone, "commit", "-qm", "x")
    git(clone, "worktree", "add", "-q", "../beside")
    put("../beside/otra.opus", recordings.note())
    git(clone.parent / "beside", "add", "-f", "otra.opus")
    with pytest.raises(subprocess.CalledProcessError) as raised:
        git(clone.parent / "beside", "commit", "-qm", "x")
    assert "otra.opus: sound" in raised.value.stdout + raised.value.stderr
    Path(".git/hooks/pre-commit").write_text("#!/bin/sh\n")
    assert run("--install-hook").returncode == 2


def test_hooks_that_other_repositories_share_are_left_alone(clone: Path, tmp_path: Path) -> None:
    git(clone, "config", "core.hooksPath", str(tmp_path / "shared"))
    done = run("--install-hook")
    assert done.returncode == 2 and "git config --local core.hooksPath .git/hooks" in done.stderr
    assert not (tmp_path / "shared").exists()
